"""The address that a request comes from, and the network that limits count it by."""

import ipaddress
import re


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
