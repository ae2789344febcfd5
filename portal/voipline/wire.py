"""Bytes of the carrier to Python values, and our values to text; numbers are `Decimal` all the way.

JSON: RFC 8259, UTF-8 only, stricter where it leaves room (duplicate names, NaN, absurd numbers).
"""

import json
import re
from datetime import date
from decimal import Decimal
from typing import NoReturn

Value = str | date | Decimal

MAX_INTEGER_DIGITS = 12
MAX_DECIMALS = 5

# Whatever a double can be printed as, and small enough that no number is costly to compare.
_LITERAL = re.compile(r"-?\d{1,40}(?:\.\d{1,1100})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_PLAIN = re.compile(r"-?\d{1,40}(?:\.\d{1,1100})?", re.ASCII)
# Groups of thousands: one comma alone could be a decimal comma.
_GROUPED = re.compile(r"-?[1-9]\d{0,2}(?:(?:,\d{3})+\.\d{1,1100}|(?:,\d{3}){2,})", re.ASCII)
_LIMIT = Decimal(10) ** MAX_INTEGER_DIGITS
_STEP = Decimal(1).scaleb(-MAX_DECIMALS)
_NOISE = Decimal("1e-7")  # What sums of doubles are off by stays below it.
_SURE_DIGITS = 15  # So many significant digits any double keeps.
# Blanks of any kind, and byte order marks.
_BEFORE_JSON = "\ufeff" + "".join(chr(code) for code in range(0x3001) if chr(code).isspace())


class WireError(ValueError):
    """The bytes or a value in them are not what was agreed; the text says what, without quoting the data."""


def parse(body: bytes) -> dict[str, object]:
    """The JSON object in an answer's body, every number a bounded `Decimal`; WireError for anything else.

    Blanks and byte order marks around it are left out: files that a PHP page includes leave them there.
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
        found = _DECODER.decode(text)
    except WireError:
        raise
    except RecursionError:
        raise WireError("the answer is nested too deeply") from None
    except ValueError:
        raise WireError("the answer is not JSON") from None
    if not isinstance(found, dict):
        raise WireError("the answer is not a JSON object")
    return found


def begins_as_json(body: bytes) -> bool:
    """Is it at least meant to be a JSON object or list?"""
    return body.decode(errors="replace").lstrip(_BEFORE_JSON).startswith(("{", "["))


def _number(literal: str) -> Decimal:
    if not _LITERAL.fullmatch(literal):
        raise WireError("the answer holds a number that is too long")
    return Decimal(literal)


def _constant(literal: str) -> NoReturn:
    raise WireError(f"the answer holds {literal}, which is no number")


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise WireError("the answer has the same name twice in one object")
    return found


_DECODER = json.JSONDecoder(
    parse_float=_number, parse_int=_number, parse_constant=_constant, object_pairs_hook=_pairs
)


def amount(value: object) -> Decimal:
    """A JSON number or a decimal text as an exact amount; WireError for any other.

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
    """242.08793000000001 is 242.08793: what binary arithmetic left behind the fifth decimal is cut off.

    Only where that is certain: a double holds 15 digits of any decimal number, and the rest is next to
    nothing.
    """
    if not value.is_finite() or value.copy_abs() >= _LIMIT:
        return value
    rounded = value.quantize(_STEP)
    if rounded == value or len(rounded.normalize().as_tuple().digits) > _SURE_DIGITS:
        return value
    return rounded.normalize() if abs(value - rounded) < _NOISE else value


def exact(value: Decimal) -> Decimal:
    """The same amount in fixed notation, at most 12 digits before the point and 5 after; else WireError."""
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
    """A non-empty string, or a whole JSON number as its digits (70001 → "70001"); WireError for any other."""
    if isinstance(value, Decimal) and value.adjusted() < 30 and value == value.to_integral_value():
        return str(int(value))
    if not isinstance(value, str) or not value:
        raise WireError("is not a text")
    return checked_text(value)


def checked_text(value: str) -> str:
    """The text, if it can be written as UTF-8 at all; WireError if it holds half a surrogate pair."""
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise WireError("is not valid text")
    return value


def render(value: Value, date_format: str) -> str:
    """One of our values as the carrier reads it; TypeError or ValueError where it cannot be sent."""
    if isinstance(value, date):
        return value.strftime(date_format)
    if isinstance(value, Decimal):
        return f"{exact(value):f}"
    if isinstance(value, str):
        return checked_text(str(value))
    raise TypeError(f"is a {type(value).__name__}, not a str, date or Decimal")
