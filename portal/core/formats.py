"""Format money, dates and times in the language of the page."""

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

# In right-to-left languages an amount is isolated and runs left to right (UAX 9: LRI, RLI, PDI; LRM and RLM).
_ISOLATE, _ISOLATE_RTL, _RELEASE, _MARKS = "\u2066", "\u2067", "\u2069", "\u200e\u200f"


class HasCurrency(Protocol):
    """A brand or any other object with a currency."""

    currency: str


def money(amount: Decimal, brand: HasCurrency) -> str:
    """Format an amount in the brand's currency, rounded half up to its minor unit."""
    return _isolate(_money(amount, brand.currency, _locale()))


@lru_cache(maxsize=2000)
def _money(amount: Decimal, currency: str, locale: str) -> str:
    value = rounded(amount, currency) + 0  # Adding 0 turns -0.00 into 0.00.
    return str(format_currency(value, currency, locale=locale))


def compact_number(amount: Decimal) -> str:
    """Format an amount for the scale of a chart: without currency, large amounts abbreviated like 1.5K."""
    if amount and abs(amount) < 1:
        return _isolate(str(format_decimal(amount, "0.00", locale=_locale())))
    number, gap, word = str(format_compact_decimal(amount, fraction_digits=1, locale=_locale())).partition(
        "\xa0"
    )
    if not (word and get_language_bidi()):
        return _isolate(number + gap + word)
    return f"{_ISOLATE_RTL}{_isolate(number)}{gap}{word}{_RELEASE}"  # The number comes first, at the right.


def _isolate(text: str) -> str:
    return f"{_ISOLATE}{text.strip(_MARKS)}{_RELEASE}" if get_language_bidi() else text


def day(value: date) -> str:
    """Format a date like 25 November 2026."""
    return _day(value, _locale())


@lru_cache(maxsize=500)
def _day(value: date, locale: str) -> str:
    return str(format_date(value, "long", locale=locale))


def month(value: date) -> str:
    """Format the month of a date like November 2026."""
    return str(format_skeleton("yMMMM", value, locale=_locale()))


def short_month(value: date) -> str:
    """Format the month of a date without its year, like Nov."""
    return str(format_date(value, "MMM", locale=_locale()))


def year(value: date) -> str:
    """Format the year of a date, in the digits of the language."""
    return str(format_date(value, "y", locale=_locale()))


def date_time(value: datetime) -> str:
    """Format a time in the current time zone like 25 November 2026, 14:05."""
    at, locale = timezone.localtime(value), _locale()
    pattern = str(get_datetime_format("medium", locale=locale))  # Like "{1}, {0}".
    return pattern.format(format_time(at, "HH:mm", locale=locale), _day(at.date(), locale))


def nowrap(text: str) -> str:
    """Replace spaces by non-breaking ones."""
    return text.replace(" ", "\u00a0")


def _locale() -> str:
    return to_locale(get_language() or settings.LANGUAGE_CODE)
