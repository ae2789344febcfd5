"""Hostnames and IP addresses of hosts, as plain functions."""

import ipaddress
import re

_HOST = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*\Z"
)


def normal_host(value: str) -> str:
    """A Host header as we store hosts: lower case, no port, no dot at its end; empty if malformed."""
    host = re.sub(r":[0-9]{1,5}\Z", "", value.strip().lower()).removesuffix(".")
    return host if _HOST.match(host) else ""


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
