"""Hosts, e-mail addresses, client addresses and networks, as plain functions."""

import ipaddress
import re
import unicodedata

_HOST = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\Z"
)
_LONGEST_EMAIL = 254


def normal_host(value: str) -> str:
    """A Host header as we store hosts: lower case, no port, no dot at its end; empty if malformed."""
    host = re.sub(r":[0-9]{1,5}\Z", "", value.strip().lower()).removesuffix(".")
    return host if _HOST.match(host) else ""


def normal_email(email: str) -> str:
    """An address as mail servers get it: no quotes, the domain in ASCII and lower case; else empty.

    Empty also where that form would be another domain than the one that is read: `straße.de` is mailed as
    `strasse.de` (IDNA 2003, as Python and Django have it), and what cannot be seen is left out on the way.
    """
    local, _at, domain = email.rpartition("@")
    wire = _wire(domain)
    good = local and wire and local.isascii() and '"' not in local
    return f"{local}@{wire}" if good and len(f"{local}@{wire}") <= _LONGEST_EMAIL else ""


def _wire(domain: str) -> str:
    if domain.isascii():
        return domain.lower()
    wide = unicodedata.normalize("NFKC", domain).lower().replace("\u3002", ".")
    try:
        wire = domain.encode("idna").decode().lower()
        return wire if _read(wire) == wide else ""
    except UnicodeError:
        return ""


def _read(wire: str) -> str:
    return wire.encode().decode("idna")


def email_key(email: str) -> str:
    """What all spellings of one mailbox have in common; other texts are told apart by letters alone."""
    return (normal_email(email) or email).casefold()


_ONE_AT_GOOGLE = {"gmail.com", "googlemail.com"}  # One mail service, which takes no notice of dots.


def mailbox_key(email: str) -> str:
    """What limits count as one mailbox: `a+tag@b.example` is `a@b.example`, and at Gmail `a.b` is `ab`.

    For limits alone. Elsewhere these are different addresses, because at some mail servers they are. What
    is no address is its own key.
    """
    local, at, domain = email_key(email).rpartition("@")
    local = local.partition("+")[0]
    if domain in _ONE_AT_GOOGLE:
        local, domain = local.replace(".", ""), "gmail.com"
    return local + at + domain


def email_spellings(email: str) -> tuple[str, ...]:
    """How rows may hold an address, in lower case; those from before have letters in the domain."""
    local, at, domain = (normal_email(email) or email).lower().rpartition("@")
    try:
        read = _read(domain)
    except UnicodeError:
        read = domain
    return tuple(sorted({local + at + domain, local + at + read}))


def is_loopback(host: str) -> bool:
    """Whether a host (name or address, without port) can only be this machine."""
    host = host.strip("[]").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_of_bind(bind: str) -> str:
    """`127.0.0.1:8000` → `127.0.0.1`; `:8000` → empty, which is every address."""
    return bind.rpartition(":")[0]


def is_address(host: str) -> bool:
    """Whether a host is an IP address and not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def client_address(remote: str, forwarded_for: str, trusted_proxies: int) -> str:
    """The visitor's address: counted from the right, because everything further left can be forged.

    With `trusted_proxies` = 0 the header is ignored. With 1 the last entry counts, with 2 the one before.
    """
    hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
    if not trusted_proxies or len(hops) < trusted_proxies:
        return remote
    return hops[-trusted_proxies]


def network(address: str) -> str:
    """What limits count as one visitor: an IPv4 address, or an IPv6 /64, which one customer gets whole.

    An IPv6 address that stands for an IPv4 one is that one: a whole translator shares one /64, and one
    visitor with 6to4 has 65,536 of them.
    """
    try:
        parsed = ipaddress.ip_address(_without_port(address))
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        inside = parsed.ipv4_mapped or parsed.sixtofour or _translated(parsed)
        return str(inside or ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the IPv4 address is in the last 32 bits.


def _translated(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    return ipaddress.IPv4Address(address.packed[-4:]) if address in _NAT64 else None


def _without_port(address: str) -> str:
    """`192.0.2.1:443` and `[2001:db8::1]:443`, as some proxies write them, without the port."""
    if bracketed := re.fullmatch(r"\[([^\]]+)\](?::\d+)?", address):
        return bracketed[1]
    return address.rpartition(":")[0] if address.count(":") == 1 else address
