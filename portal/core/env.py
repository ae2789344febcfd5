"""Strict readers of environment variables: a wrong value stops the start and is named; no secret is shown."""

import os
import re
from collections.abc import Callable
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping

_values = FileAwareMapping(cache=False)  # NAME_FILE may name a file that holds the value of NAME.


def secret(name: str, default: str = "", form: str = "", rule: str = "") -> str:
    """The value, which matches the pattern `form` as `rule` says in words; an empty one counts as unset."""
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
    """The same of what is no secret, so that an error may show it."""
    value = secret(name, default)
    if not re.fullmatch(form, value):
        raise ImproperlyConfigured(f"{name} is {value!r}; it must be {rule}")
    return value


def choice(name: str, allowed: tuple[str, ...], default: str) -> str:
    """One of the allowed words, exactly as written."""
    return text(name, default, "|".join(allowed), f"one of: {', '.join(allowed)}.")


def boolean(name: str, default: bool) -> bool:
    """`True` or `False`; any other word is refused, because a misread DEBUG=maybe is a security hole."""
    return choice(name, ("True", "False"), str(default)) == "True"


def integer(name: str, default: int, *, minimum: int = 0) -> int:
    """A whole number of at least `minimum`, which is 0 or 1."""
    form = r"[1-9][0-9]{0,8}" if minimum else r"[0-9]{1,9}"
    return int(text(name, str(default), form, f"a whole number, {minimum} or more."))


def words(name: str, default: str = "", form: str = ".*", rule: str = "") -> list[str]:
    """A comma-separated list, blanks around the entries removed."""
    found = [word for word in map(str.strip, text(name, default).split(",")) if word]
    if wrong := [word for word in found if not re.fullmatch(form, word)]:
        raise ImproperlyConfigured(f"{name} has {wrong[0]!r}, which is not {rule}")
    return found


def parsed(name: str, default: str, parse: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """A URL with a password in it, as `parse` reads it. Its errors may quote parts of the URL."""
    try:
        return parse(secret(name) or default)
    except (KeyError, ValueError, UserWarning, ImproperlyConfigured):
        raise ImproperlyConfigured(f"{name} cannot be read; see .env.example for its form.") from None
