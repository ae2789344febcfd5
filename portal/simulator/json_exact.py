"""JSON whose numbers are exact: a Decimal is written digit for digit, never through a float."""

import json
from collections.abc import Callable
from decimal import Decimal


class Literal(str):
    """Text that goes into the JSON as it stands, even where it is JSON no longer (NaN, absurd exponents)."""


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
    """The shortest plain notation: 57 and not 57.00000, 0 and not -0, never an exponent."""
    return format(value.normalize(), "f") if value else "0"


def with_leaves(value: object, change: Callable[[object], object]) -> object:
    """The same nesting of objects with every value at the bottom changed."""
    if isinstance(value, dict):
        return {key: with_leaves(item, change) for key, item in value.items()}
    return change(value)
