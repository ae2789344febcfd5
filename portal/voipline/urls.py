"""Build and check the URL of a call from the carrier's URL and a method's path, always on the same host."""

import re
from typing import cast
from urllib.parse import SplitResult, quote, unquote, urlsplit

from portal.voipline.allowed_addresses import Reach, ip
from portal.voipline.messages import Words
from portal.voipline.methods import PLACEHOLDER

_PORTS = {"http": 80, "https": 443}
_FULL_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")
_PATH = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")

Origin = tuple[str, str, int]


def is_full(path: str) -> bool:
    """Return True if the path is a full URL with its own scheme."""
    return _FULL_URL.match(path) is not None


def origin(url: str) -> Origin:
    """Return scheme and host in lower case and the port, else the scheme's. Raise ValueError if invalid."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if scheme not in _PORTS:
        raise ValueError(Words("It must begin with https://"))
    try:
        port = parts.port
    except ValueError:
        raise ValueError(Words("The port isn't a number from 1 to 65535")) from None
    if port == 0:
        raise ValueError(Words("The port isn't a number from 1 to 65535"))
    return scheme, _host(parts), port or _PORTS[scheme]


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").lower()
    if not host.isascii():
        raise ValueError(Words("Write the host in its ASCII form (xn--…)"))
    if _HOST.fullmatch(host) or (":" in host and ip(host)):
        return host
    raise ValueError(Words("The host is missing or isn't a host name"))


def _netloc(parts: SplitResult) -> str:
    host = _host(parts)
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if parts.port is None else f"{bracketed}:{parts.port}"


def url_problem(url: str, reach: Reach) -> str:
    """Return why a carrier may not have this URL, as a message; "" if it may."""
    try:
        scheme, host, _ = origin(url)
    except ValueError as error:
        return cast(str, error.args[0])
    if reach.refuses(host):
        return Words(
            "{host} is this computer itself or a private address. If the carrier is meant to be there, add "
            "{host} to CARRIER_PRIVATE_HOSTS in the portal's environment, and restart the portal",
            host=host,
        )
    if scheme == "http" and not reach.allows_loopback(host):
        return Words("It must begin with https:// (http only for this computer itself)")
    if "{" in url:
        return Words("{placeholder} may stand in a method's path only", placeholder=PLACEHOLDER)
    return _parts_problem(url) or _text_problem(urlsplit(url).path)


def path_problem(path: str) -> str:
    """Return why a method may not have this path, as a message; "" if it may."""
    if not path.strip():
        return Words("The path is empty")
    if not is_full(path):
        return Words("Write // only after a scheme") if path.startswith("//") else _text_problem(path)
    try:
        origin(path)
    except ValueError as error:
        return cast(str, error.args[0])
    return _parts_problem(path) or _text_problem(urlsplit(path).path)


def _parts_problem(url: str) -> str:
    # urlsplit drops line breaks and tabs silently, so check the original text first.
    if not url.isprintable() or " " in url:
        return Words("It holds a space or a control character")
    parts = urlsplit(url)
    if "@" in parts.netloc:
        return Words("It must hold no user name or password")
    if parts.netloc.lower() != _netloc(parts):
        return Words("The host or port isn't written properly")
    if "?" in url:
        return Words("It must hold no query: put the names after the ? into parameters or constants")
    return Words("It must hold no fragment (#…)") if "#" in url else ""


def _text_problem(path: str) -> str:
    if "?" in path:
        return Words("It must hold no query: put the names after the ? into parameters or constants")
    if "#" in path:
        return Words("It must hold no fragment (#…)")
    plain = path.replace(PLACEHOLDER, "0")
    if "{" in plain or "}" in plain:
        return Words("The only placeholder is {placeholder}", placeholder=PLACEHOLDER)
    if not _PATH.fullmatch(plain):
        return Words("It holds a character that can't be in a path. Write it as %XX")
    if {".", ".."} & set(unquote(plain).replace("\\", "/").split("/")):
        return Words("It must hold no . or .. segment")
    return ""


def address(base: str, path: str, account_number: str = "") -> str:
    """Return the URL of a method with the account number filled in.

    A path without a leading slash continues the carrier's URL, one with it starts at the host's root. A full
    URL must have the carrier's scheme, host and port. Raise ValueError if it has not.
    """
    parts = urlsplit(base)
    root = f"{parts.scheme}://{parts.netloc}"
    if is_full(path):
        url = path
    elif path.startswith("/"):
        url = root + path
    else:
        url = f"{root}{parts.path.rstrip('/')}/{path}"
    url = url.replace(PLACEHOLDER, quote(account_number, safe=""))
    if origin(url) != origin(base):
        raise ValueError(Words("It isn't on the carrier's scheme, host and port"))
    return url
