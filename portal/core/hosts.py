"""Normalise and classify hostnames and IP addresses."""

import ipaddress
import re

_HOST = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\Z"
)


def normal_host(value: str) -> str:
    """Return a Host header as hosts are stored: lower case, no port, no final dot. Empty if malformed."""
    host = re.sub(r":[0-9]{1,5}\Z", "", value.strip().lower()).removesuffix(".")
    return host if _HOST.match(host) else ""


def is_loopback(host: str) -> bool:
    """Return True if a host (name or address, without port) can only be this machine."""
    host = host.strip("[]").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_of_bind(bind: str) -> str:
    """Return the host: `127.0.0.1:8000` → `127.0.0.1`; `:8000` → empty, which means every address."""
    return bind.rpartition(":")[0]


def is_address(host: str) -> bool:
    """Return True if a host is an IP address, not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
