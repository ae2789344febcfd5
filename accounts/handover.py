"""Where "Go to my account" may lead: only to the hosts that the operator listed for the brand."""

import re
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from portal.models import Brand

# The shipped nginx passes on 16k of headers (proxy_buffer_size), this one among them.
_LONGEST = 8000
_FORBIDDEN = re.compile(r"[\\\x00-\x20\x7f]|[^\x00-\x7f]")


def hand_over_url(brand: Brand, url: str) -> str:
    """The carrier's login URL, if it is safe to send a customer there.

    Raises ValueError without quoting the URL, because it signs in whoever holds it.
    """
    if len(url) > _LONGEST:
        raise ValueError(f"the login URL is longer than {_LONGEST} characters")
    if _FORBIDDEN.search(url):
        raise ValueError("the login URL holds a blank, a backslash, a control or a non-ASCII character")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("the login URL is malformed") from None
    if "@" in parts.netloc:
        raise ValueError("the login URL carries user information")
    if not _scheme_allowed(brand, parts):
        raise ValueError("the login URL does not begin with https://")
    if (parts.hostname, _default_port(parts.scheme) if port is None else port) not in _allowed(
        brand, parts.scheme
    ):
        raise ValueError("the login URL leads to a host that is not among the brand's login hosts")
    return url


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _scheme_allowed(brand: Brand, parts: SplitResult) -> bool:
    """https; plain http only where both the carrier and the target are this machine, and may be."""
    both_here = _is_here(parts) and _is_here(urlsplit(brand.carrier_url))
    return parts.scheme == "https" or (parts.scheme == "http" and both_here)


def _is_here(parts: SplitResult) -> bool:
    return bool(settings.CARRIER_REACH.is_here(parts.hostname or ""))


def _allowed(brand: Brand, scheme: str) -> set[tuple[str, int]]:
    entries = (urlsplit(f"//{entry}") for entry in brand.login_hosts)
    return {(entry.hostname, entry.port or _default_port(scheme)) for entry in entries if entry.hostname}


def form_action(brand: Brand) -> list[str]:
    """The login hosts as sources for the policy's form-action: browsers check it along the redirects."""
    schemes = ["https"]
    if _is_here(urlsplit(brand.carrier_url)):
        schemes.append("http")
    return [
        f"{scheme}://{entry}"
        for entry in brand.login_hosts
        for scheme in schemes
        if scheme == "https" or _is_here(urlsplit(f"//{entry}"))
    ]
