"""Write JSON with exact numbers: a Decimal is written digit by digit, never as a float."""

import json
from collections.abc import Callable
from decimal import Decimal


class Literal(str):
    """Text that is written into the JSON unchanged, even if it is not JSON (NaN, huge exponents)."""


def render(value: object) -> str:
    if isinstance(value, Literal):
        return str(value)
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(key))}:{render(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(render(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def plain(value: Decimal) -> str:
    """Return the shortest plain notation: 57 instead of 57.00000, 0 instead of -0, never an exponent."""
    return format(value.normalize(), "f") if value else "0"


def with_leaves(value: object, change: Callable[[object], object]) -> object:
    """Return the same nested objects with `change` applied to every other value."""
    if isinstance(value, dict):
        return {key: with_leaves(item, change) for key, item in value.items()}
    return change(value)
