"""Find the IP address of a visitor, and the network by which rate limits count the visitor."""

import ipaddress
import re


def client_address(remote: str, forwarded_for: str, trusted_proxies: int) -> str:
    """Return the visitor's address: count from the right, because entries further left can be forged.

    With `trusted_proxies` = 0 the header is ignored. With 1 the last entry counts, with 2 the one before.
    """
    hops = [hop.strip() for hop in forwarded_for.split(",") if hop.strip()]
    if not trusted_proxies or len(hops) < trusted_proxies:
        return remote
    return hops[-trusted_proxies]


def network(address: str) -> str:
    """Return what rate limits count as one visitor: an IPv4 address, or an IPv6 /64, which one customer owns.

    An IPv6 address that contains an IPv4 address counts as that: all users of a NAT64 translator share one
    /64, and one 6to4 user has 65,536 of them. A malformed address gives `unknown`.
    """
    try:
        parsed = ipaddress.ip_address(_without_port(address))
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        embedded = parsed.ipv4_mapped or parsed.sixtofour or _nat64(parsed)
        return str(embedded or ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the IPv4 address is in the last 32 bits.


def _nat64(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    return ipaddress.IPv4Address(address.packed[-4:]) if address in _NAT64 else None


def _without_port(address: str) -> str:
    """Remove the port that some proxies add: `192.0.2.1:443`, `[2001:db8::1]:443`."""
    if bracketed := re.fullmatch(r"\[([^\]]+)\](?::\d+)?", address):
        return bracketed[1]
    return address.rpartition(":")[0] if address.count(":") == 1 else address
