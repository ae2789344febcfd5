"""Where "Go to my account" may lead: only to the hosts that the operator listed for the brand."""

import re
from string import printable
from urllib.parse import SplitResult, quote, urljoin, urlsplit, urlunsplit

from django.conf import settings

from portal.core import text_input
from portal.models import Brand

# The shipped nginx passes on 16k of headers (proxy_buffer_size), this one among them.
_LONGEST = 8000
_FORBIDDEN = re.compile(r"[\\\x00-\x1f\x7f-\x9f]")
# A scheme without a host behind it, which browsers and urljoin read differently.
_HALF = re.compile(r"(?!https?://[^/])[^/?#]*:|//(?:/|\Z)|#", re.IGNORECASE)
_ASCII = printable.strip()  # Without blanks: whatever stays as it is, %XX too.


def validate_login_url(brand: Brand, url: str) -> str:
    """The carrier's login URL as it is sent on, if it is safe to send a customer there.

    A relative one continues the carrier's own address; blanks and letters beyond ASCII are written as %XX.
    Raises ValueError without quoting the URL, because it signs in whoever holds it.
    """
    text = text_input.trimmed(url)
    if not text:
        raise ValueError("the login URL is empty")
    if _FORBIDDEN.search(text):
        raise ValueError("the login URL holds a backslash or a control character")
    if _HALF.match(text):
        raise ValueError("the login URL is malformed")
    try:
        parts = _encoded(urlsplit(urljoin(brand.carrier_url, text)))
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
    checked = urlunsplit(parts)
    if len(checked) > _LONGEST:
        raise ValueError(f"the login URL is longer than {_LONGEST} characters")
    if not checked.isascii() or " " in checked:
        raise ValueError("the login URL holds a blank or a non-ASCII character outside of path and query")
    return checked


def _encoded(parts: SplitResult) -> SplitResult:
    return parts._replace(path=quote(parts.path, safe=_ASCII), query=quote(parts.query, safe=_ASCII))


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _scheme_allowed(brand: Brand, parts: SplitResult) -> bool:
    """https; plain http only where both the carrier and the target are this machine, and may be."""
    both_here = _is_here(parts) and _is_here(urlsplit(brand.carrier_url))
    return parts.scheme == "https" or (parts.scheme == "http" and both_here)


def _is_here(parts: SplitResult) -> bool:
    return bool(settings.CARRIER_REACH.allows_loopback(parts.hostname or ""))


def _allowed(brand: Brand, scheme: str) -> set[tuple[str, int]]:
    entries = (urlsplit(f"//{entry}") for entry in brand.login_hosts)
    return {(entry.hostname, entry.port or _default_port(scheme)) for entry in entries if entry.hostname}


def form_action_sources(brand: Brand) -> list[str]:
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
