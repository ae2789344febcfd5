"""Where a carrier may be: on the internet, or on this machine or a private network where that is meant."""

import ipaddress
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# What is sent there goes on to the IPv4 address in the last 32 bits (RFC 6052).
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def ip(host: str) -> Address | None:
    """The address that a host is written as; None for a name."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Is this host this computer: localhost, *.localhost, 127.0.0.0/8 or ::1?"""
    address, name = ip(host), _plain(host)
    return _inner(address).is_loopback if address else name == "localhost" or name.endswith(".localhost")


@dataclass(frozen=True)
class Reach:
    """Which addresses a carrier's host may have.

    Public ones. This machine's own too with `loopback`. Any for the hosts of `private_hosts`, names or
    addresses as they stand in the carrier's URL. A host that is called this computer must have its addresses.
    """

    loopback: bool = False
    private_hosts: frozenset[str] = frozenset()

    def allows(self, host: str, address: str) -> bool:
        """May a connection to this host go to this address, one of those its name has?"""
        found = _inner(ipaddress.ip_address(address))
        if is_loopback(host):
            return found.is_loopback and self.is_here(host)
        if self._names(host):
            return True
        return self.loopback if found.is_loopback else _is_public(found)

    def is_here(self, host: str) -> bool:
        """Is this host this computer, and may a carrier be there? Plain http is for those alone."""
        return is_loopback(host) and (self.loopback or self._names(host))

    def refuses(self, host: str) -> bool:
        """Does the way the host is written say already that it may not be connected to?"""
        if is_loopback(host):
            return not self.is_here(host)
        address = ip(host)
        return address is not None and not self.allows(host, str(address))

    def _names(self, host: str) -> bool:
        return _plain(host) in {_plain(each) for each in self.private_hosts}


def _plain(host: str) -> str:
    address = ip(host)
    return str(address) if address else host.lower().rstrip(".")


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 address leads to, where it holds one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: Address) -> bool:
    site_local = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    return address.is_global and not (address.is_multicast or address.is_reserved or site_local)
