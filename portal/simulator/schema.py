"""Validate the JSON of seeds, dialects and control requests."""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

Kinds = type | tuple[type, ...]
NUMBER = (int, float)
NOTHING = type(None)


class InvalidInput(ValueError):
    """A seed, a dialect or a control request is invalid; the text says why."""


def members(
    value: object, where: str, kinds: Mapping[str, Kinds], required: Iterable[str] = ()
) -> dict[str, Any]:
    """Return the object's members. Raise InvalidInput for one that is unknown, missing or of a wrong type."""
    if not isinstance(value, dict):
        raise InvalidInput(f"{where}: an object is expected")
    for name in required:
        if name not in value:
            raise InvalidInput(f"{where}: {name!r} is missing")
    for name, member in value.items():
        if name not in kinds:
            raise InvalidInput(f"{where}: unknown key {name!r}; known are {', '.join(sorted(kinds))}")
        if not has_type(member, kinds[name]):
            raise InvalidInput(f"{where}: {name!r} has the wrong type")
    return dict(value)


def has_type(value: object, kinds: Kinds) -> bool:
    # A bool is an int in Python, but not in JSON.
    if isinstance(value, bool):
        return kinds is bool or (isinstance(kinds, tuple) and bool in kinds)
    return isinstance(value, kinds)


def texts(value: object, where: str, choices: Iterable[str] | None = None) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidInput(f"{where}: a list of strings is expected")
    for item in value:
        choice(item, where, choices)
    return list(value)


def text_map(value: object, where: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise InvalidInput(f"{where}: an object of strings is expected")
    return dict(value)


def choice(value: str, where: str, choices: Iterable[str] | None) -> str:
    if choices is not None and value not in choices:
        raise InvalidInput(f"{where}: {value!r} is none of {', '.join(sorted(choices))}")
    return value


def amount(value: str, where: str) -> Decimal:
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise InvalidInput(f"{where}: {value!r} is not a decimal number")
    return number


def from_json(text: str | bytes, where: str) -> object:
    try:
        value: object = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"{where}: not JSON ({error})") from error
    return value
