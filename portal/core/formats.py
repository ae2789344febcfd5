"""Format dates and times in the language of the page."""

from datetime import date, datetime, tzinfo
from functools import lru_cache
from typing import Protocol

from babel.dates import format_date, format_skeleton, format_time, get_datetime_format
from django.conf import settings
from django.utils import timezone
from django.utils.translation import get_language, to_locale
from django.utils.translation import gettext as _


def day(value: date) -> str:
    """Format a date like 25 November 2026."""
    return _day(value, current_locale())


@lru_cache(maxsize=500)
def _day(value: date, locale: str) -> str:
    return str(format_date(value, "long", locale=locale))


@lru_cache(maxsize=500)
def _skeleton(skeleton: str, value: date, locale: str) -> str:
    return str(format_skeleton(skeleton, value, locale=locale))


def day_of_year(value: date) -> str:
    """Format a date of about today without its year, like 25 November."""
    return _skeleton("MMMMd", value, current_locale())


def month(value: date) -> str:
    """Format the month of a date like November 2026."""
    return _skeleton("yMMMM", value, current_locale())


def short_month_and_year(value: date) -> str:
    """Format the month of a date like Nov 2026."""
    return _skeleton("yMMM", value, current_locale())


def month_name(value: date) -> str:
    """Format the month of a date without its year, like November."""
    # Not LLLL: Babel gives all languages the stand-alone names of a process's first one.
    return str(format_date(value, "MMMM", locale=current_locale()))


def short_month(value: date) -> str:
    """Format the month of a date without its year, like Nov."""
    return str(format_date(value, "MMM", locale=current_locale()))


def year(value: date) -> str:
    """Format the year of a date, in the digits of the language."""
    return str(format_date(value, "y", locale=current_locale()))


def date_time(value: datetime) -> str:
    """Format a time in the current time zone like 25 Nov 2026, 3:05 pm."""
    at, locale = timezone.localtime(value), current_locale()
    pattern = str(get_datetime_format("medium", locale=locale))  # Like "{1}, {0}".
    return pattern.format(_clock(at, locale), format_skeleton("yMMMd", at, locale=locale))


def _clock(at: datetime, locale: str) -> str:
    return nowrap(str(format_time(at, "short", locale=locale)).replace("\u202f", " "))


def clock(value: datetime) -> str:
    """Format the time of day in the current time zone like 3:05 pm."""
    return _clock(timezone.localtime(value), current_locale())


def is_today(value: datetime) -> bool:
    """Return True if the time is on the current day of the current time zone."""
    return timezone.localdate(value) == timezone.localdate()


def updated(value: datetime) -> str:
    """Say when figures were fetched, like Updated today, 3:05 pm."""
    if is_today(value):
        return _("Updated today, %(time)s") % {"time": clock(value)}
    return _("Updated %(moment)s") % {"moment": date_time(value)}


def short_day(value: datetime) -> str:
    """Format the day of a time in the current time zone like 28 Nov 2026."""
    return str(format_skeleton("yMMMd", timezone.localtime(value), locale=current_locale()))


class HasZone(Protocol):
    """A brand or any other object with a time zone."""

    @property
    def zone(self) -> tzinfo: ...


def zoned_time(value: datetime, brand: HasZone | None = None, *, seconds: bool = False) -> str:
    """Format a time with its zone like 25 Nov 2026, 2:05 pm AEDT: the brand's zone, else the server's.

    Lines break only between date and time.
    """
    at = timezone.localtime(value, brand.zone if brand else timezone.get_default_timezone())
    locale, zone = current_locale(), at.tzname() or ""
    if zone.startswith(("+", "-")):  # Many zones have no name of their own.
        zone = f"UTC{zone}"
    clock = str(format_time(at, "medium" if seconds else "short", locale=locale)).replace("\u202f", " ")
    pattern = str(get_datetime_format("medium", locale=locale))
    return pattern.format(nowrap(f"{clock} {zone}"), nowrap(str(format_skeleton("yMMMd", at, locale=locale))))


def nowrap(text: str) -> str:
    """Replace spaces by non-breaking ones."""
    return text.replace(" ", "\u00a0")


def code_groups(code: str) -> list[str]:
    """Split a code into groups of four, which people read and type with fewer slips."""
    return [code[start : start + 4] for start in range(0, len(code), 4)]


def current_locale() -> str:
    """Return Babel's name of the current language."""
    return to_locale(get_language() or settings.LANGUAGE_CODE)
