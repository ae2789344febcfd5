"""Read environment variables strictly: errors name the variable and stop the start, but show no secret."""

import os
import re
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping

_values = FileAwareMapping(cache=False)  # NAME_FILE may name a file that contains the value of NAME.


def secret(name: str, default: str = "", form: str = "", rule: str = "") -> str:
    """Return the value. It must match the pattern `form`, which `rule` describes. Empty counts as unset."""
    file = os.environ.get(f"{name}_FILE", "")
    if file and os.environ.get(name, "").strip():
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both set; keep one of them.")
    try:
        value = str(_values.get(name, "")).strip()
    except (OSError, UnicodeError):
        value = ""
    if file and not value:
        raise ImproperlyConfigured(f"{name}_FILE: {file} cannot be read, is empty or is not UTF-8 text.")
    if value and form and not re.fullmatch(form, value):
        raise ImproperlyConfigured(f"{name} {rule}")
    return value or default


def text(name: str, default: str = "", form: str = ".*", rule: str = "") -> str:
    """Return the value of a variable that is no secret: an error message may show it."""
    value = secret(name, default)
    if not re.fullmatch(form, value):
        raise ImproperlyConfigured(f"{name} is {value!r}; it must be {rule}")
    return value


def choice(name: str, allowed: tuple[str, ...], default: str) -> str:
    """Return one of the allowed values, exactly as written."""
    return text(name, default, "|".join(allowed), f"one of: {', '.join(allowed)}.")


def boolean(name: str, default: bool) -> bool:
    """Read `True` or `False`. Anything else is refused, because a misread DEBUG=maybe is a security hole."""
    return choice(name, ("True", "False"), str(default)) == "True"


def integer(name: str, default: int, *, minimum: int = 0) -> int:
    """Return a whole number of at least `minimum`, which must be 0 or 1."""
    form = r"[1-9][0-9]{0,8}" if minimum else r"[0-9]{1,9}"
    return int(text(name, str(default), form, f"a whole number, {minimum} or more."))


def string_list(name: str, default: str = "", form: str = ".*", rule: str = "") -> list[str]:
    """Return the entries of a comma-separated list, without spaces around them."""
    entries = [entry for entry in map(str.strip, text(name, default).split(",")) if entry]
    if invalid := [entry for entry in entries if not re.fullmatch(form, entry)]:
        raise ImproperlyConfigured(f"{name} has {invalid[0]!r}, which is not {rule}")
    return entries


def parsed(name: str, default: str, parse: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """Parse a URL that has a password. Errors of `parse` are not shown: they may quote parts of the URL."""
    try:
        return parse(secret(name) or default)
    except (KeyError, ValueError, UserWarning, ImproperlyConfigured):
        raise ImproperlyConfigured(f"{name} cannot be read; see .env.example for its form.") from None
