"""Parse the carrier's bytes into Python values, and render our values as text. All numbers are `Decimal`.

JSON as in RFC 8259, in UTF-8 only, and stricter: no duplicate names, NaN or huge numbers.
"""

import json
import re
from datetime import date
from decimal import Decimal
from typing import NoReturn

Value = str | date | Decimal

MAX_INTEGER_DIGITS = 12
MAX_DECIMALS = 5

# All that a double can be printed as, and short enough that no number is costly to compare.
_LITERAL = re.compile(r"-?\d{1,40}(?:\.\d{1,1100})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_PLAIN = re.compile(r"-?\d{1,40}(?:\.\d{1,1100})?", re.ASCII)
# Groups of thousands: one comma alone could be a decimal comma.
_GROUPED = re.compile(r"-?[1-9]\d{0,2}(?:(?:,\d{3})+\.\d{1,1100}|(?:,\d{3}){2,})", re.ASCII)
_LIMIT = Decimal(10) ** MAX_INTEGER_DIGITS
_STEP = Decimal(1).scaleb(-MAX_DECIMALS)
_NOISE = Decimal("1e-7")  # The error of sums of doubles stays below this.
_EXACT_DIGITS = 15  # Significant decimal digits that every double preserves.
# All blanks, and byte order marks.
_BEFORE_JSON = "\ufeff" + "".join(chr(code) for code in range(0x3001) if chr(code).isspace())


class WireError(ValueError):
    """The bytes or a value in them are invalid. The text says why, without quoting the data."""


def parse(body: bytes) -> dict[str, object]:
    """Return the JSON object in a body, with each number a bounded `Decimal`. Raise WireError if it is none.

    Blanks and byte order marks around it are ignored: files that a PHP page includes can produce them.
    """
    try:
        text = body.decode().strip(_BEFORE_JSON)
    except UnicodeDecodeError:
        raise WireError("the answer is not UTF-8 text") from None
    if not text:
        raise WireError("the answer is empty")
    if text.startswith("<"):
        raise WireError("a web page answered before the API")
    try:
        result = _DECODER.decode(text)
    except WireError:
        raise
    except RecursionError:
        raise WireError("the answer is nested too deeply") from None
    except ValueError:
        raise WireError("the answer is not JSON") from None
    if not isinstance(result, dict):
        raise WireError("the answer is not a JSON object")
    return result


def begins_as_json(body: bytes) -> bool:
    """Return True if the body begins like a JSON object or list."""
    return body.decode(errors="replace").lstrip(_BEFORE_JSON).startswith(("{", "["))


def _number(literal: str) -> Decimal:
    if not _LITERAL.fullmatch(literal):
        raise WireError("the answer holds a number that is too long")
    return Decimal(literal)


def _constant(literal: str) -> NoReturn:
    raise WireError(f"the answer holds {literal}, which is no number")


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise WireError("the answer has the same name twice in one object")
    return result


_DECODER = json.JSONDecoder(
    parse_float=_number, parse_int=_number, parse_constant=_constant, object_pairs_hook=_pairs
)


def amount(value: object) -> Decimal:
    """Return a JSON number or a decimal text as an exact amount. Raise WireError for any other value.

    A text may have blanks around it, and commas between groups of thousands.
    """
    if isinstance(value, str):
        plain = value.strip()
        if _PLAIN.fullmatch(plain) or _GROUPED.fullmatch(plain):
            value = Decimal(plain.replace(",", ""))
    if not isinstance(value, Decimal):
        raise WireError("is not an amount")
    return exact(_without_noise(value))


def _without_noise(value: Decimal) -> Decimal:
    """Remove the error of binary arithmetic after the fifth decimal: 242.08793000000001 is 242.08793.

    Only if that is certain: at most 15 digits (which every double preserves) remain, and the rest is tiny.
    """
    if not value.is_finite() or value.copy_abs() >= _LIMIT:
        return value
    rounded = value.quantize(_STEP)
    if rounded == value or len(rounded.normalize().as_tuple().digits) > _EXACT_DIGITS:
        return value
    return rounded.normalize() if abs(value - rounded) < _NOISE else value


def exact(value: Decimal) -> Decimal:
    """Return the amount in fixed notation. Raise WireError above 12 digits before the point or 5 after it."""
    if not value.is_finite() or value.copy_abs() >= _LIMIT:
        raise WireError(f"is not an amount of at most {MAX_INTEGER_DIGITS} digits")
    if not value:
        value = value.copy_abs()
    if _exponent(value) > 0:
        return value.quantize(Decimal(1))
    if _exponent(value) >= -MAX_DECIMALS:
        return value
    if value.adjusted() < -MAX_DECIMALS and value:
        raise WireError(f"has more than {MAX_DECIMALS} decimals")
    rounded = value.quantize(_STEP)
    if rounded != value:
        raise WireError(f"has more than {MAX_DECIMALS} decimals")
    return rounded


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    return exponent


def text(value: object) -> str:
    """Return a non-empty string, or a whole JSON number as digits (70001 → "70001"). Else raise WireError."""
    if isinstance(value, Decimal) and value.adjusted() < 30 and value == value.to_integral_value():
        return str(int(value))
    if not isinstance(value, str) or not value:
        raise WireError("is not a text")
    return checked_text(value)


def checked_text(value: str) -> str:
    """Return the text. Raise WireError if it cannot be encoded as UTF-8 (half a surrogate pair)."""
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise WireError("is not valid text")
    return value


def render(value: Value, date_format: str) -> str:
    """Return a value as text for the carrier. Raise TypeError or ValueError if it cannot be sent."""
    if isinstance(value, date):
        return value.strftime(date_format)
    if isinstance(value, Decimal):
        return f"{exact(value):f}"
    if isinstance(value, str):
        return checked_text(str(value))
    raise TypeError(f"is a {type(value).__name__}, not a str, date or Decimal")
