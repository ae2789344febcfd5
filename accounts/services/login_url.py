"""Validate the URL of "Go to my account": only login hosts that the operator listed for the brand."""

import re
from string import printable
from urllib.parse import SplitResult, quote, urljoin, urlsplit, urlunsplit

from django.conf import settings

from portal.core import text_input
from portal.models import Brand

# Our nginx configuration passes on at most 16k of headers (proxy_buffer_size), this one included.
_MAX_LENGTH = 8000
_FORBIDDEN = re.compile(r"[\\\x00-\x1f\x7f-\x9f]")
# A scheme without a host, which browsers and urljoin read differently.
_MALFORMED = re.compile(r"(?!https?://[^/])[^/?#]*:|//(?:/|\Z)|#", re.IGNORECASE)
_UNQUOTED = printable.strip()  # Not quoted, and no blanks. Includes the % of %XX.


def validate_login_url(brand: Brand, url: str) -> str:
    """Return the carrier's login URL as an absolute URL, if it is safe to redirect a customer there.

    A relative URL is resolved against the carrier's; blanks and non-ASCII characters become %XX. Raises
    ValueError, which never quotes the URL: the URL alone is enough to sign in.
    """
    text = text_input.trimmed(url)
    if not text:
        raise ValueError("the login URL is empty")
    if _FORBIDDEN.search(text):
        raise ValueError("the login URL holds a backslash or a control character")
    if _MALFORMED.match(text):
        raise ValueError("the login URL is malformed")
    try:
        parts = _quote(urlsplit(urljoin(brand.carrier_url, text)))
        port = parts.port
    except ValueError:
        raise ValueError("the login URL is malformed") from None
    if "@" in parts.netloc:
        raise ValueError("the login URL carries user information")
    if not _scheme_allowed(brand, parts):
        raise ValueError("the login URL does not begin with https://")
    if (parts.hostname, _default_port(parts.scheme) if port is None else port) not in _allowed_hosts(
        brand, parts.scheme
    ):
        raise ValueError("the login URL leads to a host that is not among the brand's login hosts")
    target = urlunsplit(parts)
    if len(target) > _MAX_LENGTH:
        raise ValueError(f"the login URL is longer than {_MAX_LENGTH} characters")
    if not target.isascii() or " " in target:
        raise ValueError("the login URL holds a blank or a non-ASCII character outside of path and query")
    return target


def _quote(parts: SplitResult) -> SplitResult:
    return parts._replace(path=quote(parts.path, safe=_UNQUOTED), query=quote(parts.query, safe=_UNQUOTED))


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _scheme_allowed(brand: Brand, parts: SplitResult) -> bool:
    """Return True for https; for http only if carrier and target are both on this machine, and may be."""
    both_local = _is_local(parts) and _is_local(urlsplit(brand.carrier_url))
    return parts.scheme == "https" or (parts.scheme == "http" and both_local)


def _is_local(parts: SplitResult) -> bool:
    return bool(settings.CARRIER_REACH.allows_loopback(parts.hostname or ""))


def _allowed_hosts(brand: Brand, scheme: str) -> set[tuple[str, int]]:
    entries = (urlsplit(f"//{entry}") for entry in brand.login_hosts)
    return {(entry.hostname, entry.port or _default_port(scheme)) for entry in entries if entry.hostname}


def form_action_sources(brand: Brand) -> list[str]:
    """Return the login hosts as sources for the policy's form-action, which browsers apply to redirects."""
    schemes = ["https"]
    if _is_local(urlsplit(brand.carrier_url)):
        schemes.append("http")
    return [
        f"{scheme}://{entry}"
        for entry in brand.login_hosts
        for scheme in schemes
        if scheme == "https" or _is_local(urlsplit(f"//{entry}"))
    ]
