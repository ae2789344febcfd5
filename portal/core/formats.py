"""Money, dates and times as the page's language writes them."""

from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Protocol

from babel.dates import format_date, format_skeleton, format_time, get_datetime_format
from babel.numbers import format_compact_decimal, format_currency, format_decimal
from django.conf import settings
from django.utils import timezone
from django.utils.translation import get_language, get_language_bidi, to_locale

from portal.core.money import rounded

# From right to left, an amount stays in one piece from left to right (UAX 9: LRI, PDI; LRM and RLM).
_ISOLATE, _ISOLATE_RTL, _RELEASE, _MARKS = "\u2066", "\u2067", "\u2069", "\u200e\u200f"


class HasCurrency(Protocol):
    """A brand, of which only the currency counts."""

    currency: str


def money(amount: Decimal, brand: HasCurrency) -> str:
    """An amount in the brand's currency, rounded half up to its minor unit, in the page's language."""
    return _in_one_piece(_money(amount, brand.currency, _locale()))


@lru_cache(maxsize=2000)
def _money(amount: Decimal, currency: str, locale: str) -> str:
    shown = rounded(amount, currency) + 0  # Adding 0 turns -0.00 into 0.00.
    return str(format_currency(shown, currency, locale=locale))


def compact_number(amount: Decimal) -> str:
    """An amount for the scale of a chart: without currency, and large ones in short, like 1.5K."""
    if amount and abs(amount) < 1:
        return _in_one_piece(str(format_decimal(amount, "0.00", locale=_locale())))
    number, gap, word = str(format_compact_decimal(amount, fraction_digits=1, locale=_locale())).partition(
        "\xa0"
    )
    if not (word and get_language_bidi()):
        return _in_one_piece(number + gap + word)
    return f"{_ISOLATE_RTL}{_in_one_piece(number)}{gap}{word}{_RELEASE}"  # First the number, at the right.


def _in_one_piece(text: str) -> str:
    return f"{_ISOLATE}{text.strip(_MARKS)}{_RELEASE}" if get_language_bidi() else text


def day(value: date) -> str:
    """A date in words, like 25 November 2026."""
    return _day(value, _locale())


@lru_cache(maxsize=500)
def _day(value: date, locale: str) -> str:
    return str(format_date(value, "long", locale=locale))


def month(value: date) -> str:
    """The month of a date in words, like November 2026."""
    return str(format_skeleton("yMMMM", value, locale=_locale()))


def short_month(value: date) -> str:
    """The day's month without its year, like Nov."""
    return str(format_date(value, "MMM", locale=_locale()))


def year(value: date) -> str:
    """The day's year, in the language's digits."""
    return str(format_date(value, "y", locale=_locale()))


def date_time(value: datetime) -> str:
    """A point in time, in the current time zone, like 25 November 2026, 14:05."""
    at, locale = timezone.localtime(value), _locale()
    both = str(get_datetime_format("medium", locale=locale))  # Like "{1}, {0}".
    return both.format(format_time(at, "HH:mm", locale=locale), _day(at.date(), locale))


def nowrap(text: str) -> str:
    """Text that stays in one line, however it is quoted: its blanks do not break."""
    return text.replace(" ", "\u00a0")


def _locale() -> str:
    return to_locale(get_language() or settings.LANGUAGE_CODE)
