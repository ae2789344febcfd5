"""Template filters: money and dates as the page's language writes them."""

from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

from babel.dates import format_date, format_skeleton, format_time, get_datetime_format
from babel.numbers import format_compact_decimal, format_currency, format_decimal
from django import template
from django.conf import settings
from django.utils import timezone
from django.utils.translation import get_language, get_language_bidi, to_locale

from portal.core.money import rounded
from portal.i18n import language
from portal.models import Brand

register = template.Library()

# From right to left, an amount stays in one piece from left to right (UAX 9: LRI, PDI; LRM and RLM).
_ISOLATE, _ISOLATE_RTL, _RELEASE, _MARKS = "\u2066", "\u2067", "\u2069", "\u200e\u200f"


@register.filter
def money(amount: Decimal, brand: Brand) -> str:
    """An amount in the brand's currency, rounded half up to its minor unit, in the page's language."""
    return _in_one_piece(_money(amount, brand.currency, _locale()))


@lru_cache(maxsize=2000)
def _money(amount: Decimal, currency: str, locale: str) -> str:
    shown = rounded(amount, currency) + 0  # Adding 0 turns -0.00 into 0.00.
    return str(format_currency(shown, currency, locale=locale))


@register.filter
def brief(amount: Decimal) -> str:
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


@register.filter
def day(value: date) -> str:
    """A date in words, like 25 November 2026."""
    return _day(value, _locale())


@lru_cache(maxsize=500)
def _day(value: date, locale: str) -> str:
    return str(format_date(value, "long", locale=locale))


@register.filter
def month(value: date) -> str:
    """The month of a date in words, like November 2026."""
    return str(format_skeleton("yMMMM", value, locale=_locale()))


@register.filter
def month_in_short(value: date) -> str:
    """The day's month without its year, like Nov."""
    return str(format_date(value, "MMM", locale=_locale()))


@register.filter
def year(value: date) -> str:
    """The day's year, in the language's digits."""
    return str(format_date(value, "y", locale=_locale()))


@register.filter
def moment(value: datetime) -> str:
    """A point in time, in the current time zone, like 25 November 2026, 14:05."""
    at, locale = timezone.localtime(value), _locale()
    both = str(get_datetime_format("medium", locale=locale))  # Like "{1}, {0}".
    return both.format(format_time(at, "HH:mm", locale=locale), _day(at.date(), locale))


@register.filter
def joined(text: str) -> str:
    """Text that stays in one line, however it is quoted: its blanks do not break."""
    return text.replace(" ", "\u00a0")


@register.simple_tag
def language_choices() -> list[dict[str, str | bool]]:
    """What the language switcher offers; see `portal.i18n.language.choices`."""
    return language.choices()


def _locale() -> str:
    return to_locale(get_language() or settings.LANGUAGE_CODE)
