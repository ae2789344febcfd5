"""Strict readers of environment variables: a typing error stops the start and names the variable."""

import os
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from portal.net import is_address, is_loopback


def text(name: str, default: str = "") -> str:
    """The variable's value; an empty value counts as unset."""
    return os.environ.get(name, "").strip() or default


def secret(name: str, default: str = "") -> str:
    """Like `text`, but `NAME_FILE` may name a file that holds the value (Docker and systemd secrets)."""
    path = text(f"{name}_FILE")
    if not path:
        return text(name, default)
    if text(name):
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both set; keep one of them.")
    try:
        value = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE: {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise ImproperlyConfigured(f"{name}_FILE: {path} is not UTF-8 text.") from None
    if not value:
        raise ImproperlyConfigured(f"{name}_FILE: {path} is empty.")
    return value


def choice(name: str, allowed: tuple[str, ...], default: str) -> str:
    """One of the allowed words, exactly as written."""
    value = text(name, default)
    if value not in allowed:
        raise ImproperlyConfigured(f"{name} is {value!r}; it must be one of: {', '.join(allowed)}.")
    return value


def boolean(name: str, default: bool) -> bool:
    """`True` or `False`; any other word is refused, because a misread DEBUG=maybe is a security hole."""
    return choice(name, ("True", "False"), str(default)) == "True"


def integer(name: str, default: int, *, minimum: int = 0) -> int:
    """A whole number of at least `minimum`."""
    value = text(name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", value) or int(value) < minimum:
        raise ImproperlyConfigured(f"{name} is {value!r}; it must be a whole number, {minimum} or more.")
    return int(value)


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list, blanks around the entries removed."""
    return [word for word in (part.strip() for part in text(name, default).split(",")) if word]


def hosts(name: str) -> frozenset[str]:
    """A comma-separated list of host names and IP addresses alone; empty if unset."""
    found = words(name)
    for host in found:
        if not (is_address(host) or re.fullmatch(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*", host)):
            raise ImproperlyConfigured(
                f"{name} has {host!r}, which is neither a host name nor an IP address. Write hosts alone, "
                "comma-separated: no https://, no port, no path, no range."
            )
    return frozenset(found)


def url(name: str, default: str) -> str:
    """An https URL (http on this machine only), without a slash at its end."""
    value = text(name, default).rstrip("/")
    if not _is_url(value):
        raise ImproperlyConfigured(
            f"{name} is {value!r}; it must be https://host/path, no query (http:// on this machine only)."
        )
    return value


def _is_url(value: str) -> bool:
    if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?", value):
        return False
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or is_loopback(host))


def parsed(name: str, default: str, parse: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """A URL with a password in it, as a library reads it; the error names the variable, not the value."""
    value = secret(name) or default
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return parse(value)
    except (KeyError, ValueError, UserWarning, ImproperlyConfigured):
        # Their texts quote parts of the URL, and a password may be among them.
        raise ImproperlyConfigured(
            f"{name} cannot be read; see .env.example for how it is written."
        ) from None


def database(url: str) -> dict[str, Any]:
    """Django's settings for SQLite or PostgreSQL. Raises ValueError for anything else."""
    config: dict[str, Any] = environ.Env.db_url_config(url)
    if config.get("ENGINE") not in ("django.db.backends.sqlite3", "django.db.backends.postgresql"):
        raise ValueError("neither SQLite nor PostgreSQL")
    if not config.get("NAME"):
        raise ValueError("no database is named")
    return config


def mail(url: str) -> dict[str, Any]:
    """Django's settings for sending mail. Raises ValueError for a mail server without a host."""
    config: dict[str, Any] = environ.Env.email_url_config(url)
    if config["EMAIL_BACKEND"].endswith(".smtp.EmailBackend"):
        if not config["EMAIL_HOST"]:
            raise ValueError("no mail server is named")
        config["EMAIL_BACKEND"] = "portal.smtp.EmailBackend"
    return config


def redis_url(name: str) -> str:
    """`redis://` or `rediss://` with a host; empty if unset. The error names the variable, not the value."""
    value = secret(name)
    if value and not re.fullmatch(r"rediss?://([^@/\s]*@)?[A-Za-z0-9.\[\]:-]+(/\d+)?", value):
        raise ImproperlyConfigured(f"{name} cannot be read; write it like redis://host:6379/0.")
    return value


_SHORTEST_TOKEN = 16


def token(name: str) -> str:
    """A secret that a program shows us; empty if unset, else of 16 characters at least."""
    value = secret(name)
    if value and (len(value) < _SHORTEST_TOKEN or not re.fullmatch(r"[!-~]+", value)):
        raise ImproperlyConfigured(
            f"{name} must have {_SHORTEST_TOKEN} characters or more, and no blanks. "
            "Make one with: openssl rand -hex 24"
        )
    return value


def sentry_dsn(name: str) -> str:
    """`https://KEY@HOST/PROJECT` as Sentry gives it; empty if unset. The error does not print the value."""
    value = secret(name)
    if value and not re.fullmatch(
        r"https?://[0-9A-Za-z]+@[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~-]+)*/[0-9]+", value
    ):
        raise ImproperlyConfigured(
            f"{name} cannot be read; write it as Sentry shows it: https://KEY@HOST/PROJECT."
        )
    return value
