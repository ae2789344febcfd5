"""Check the IP addresses of carriers: public ones, and loopback or private ones only if configured."""

import ipaddress
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# NAT64: traffic to these addresses goes on to the IPv4 address in the last 32 bits (RFC 6052).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def ip(host: str) -> Address | None:
    """Return the host as an IP address, or None if it is a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Return True if the host is this computer: localhost, *.localhost, 127.0.0.0/8 or ::1."""
    address, name = ip(host), _normalise(host)
    return (
        _embedded_ipv4(address).is_loopback if address else name == "localhost" or name.endswith(".localhost")
    )


@dataclass(frozen=True)
class Reach:
    """The addresses that a carrier's host may have.

    Public addresses are allowed. `loopback` allows this computer's own addresses too. Hosts in
    `private_hosts` (names or addresses, written as in the carrier's URL) may have any address. A host that is
    called this computer (see `is_loopback`) must have a loopback address.
    """

    loopback: bool = False
    private_hosts: frozenset[str] = frozenset()

    def allows(self, host: str, address: str) -> bool:
        """Return True if a connection to this host may use this address, one that its name resolved to."""
        target = _embedded_ipv4(ipaddress.ip_address(address))
        if is_loopback(host):
            return target.is_loopback and self.allows_loopback(host)
        if self._is_listed(host):
            return True
        return self.loopback if target.is_loopback else _is_public(target)

    def allows_loopback(self, host: str) -> bool:
        """Return True if the host is this computer and is allowed. Plain http is for such hosts only."""
        return is_loopback(host) and (self.loopback or self._is_listed(host))

    def refuses(self, host: str) -> bool:
        """Return True if the host, as written and without resolving it, may not be connected to."""
        if is_loopback(host):
            return not self.allows_loopback(host)
        address = ip(host)
        return address is not None and not self.allows(host, str(address))

    def _is_listed(self, host: str) -> bool:
        return _normalise(host) in {_normalise(private) for private in self.private_hosts}


def _normalise(host: str) -> str:
    address = ip(host)
    return str(address) if address else host.lower().rstrip(".")


def _embedded_ipv4(address: Address) -> Address:
    """Return the IPv4 address inside an IPv6 address (NAT64, mapped, 6to4), else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: Address) -> bool:
    site_local = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    return address.is_global and not (address.is_multicast or address.is_reserved or site_local)
