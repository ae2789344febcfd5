"""Periods of a statement: two dates, both included, in the brand's time zone."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from portal.models import Brand

EARLIEST = date(2000, 1, 1)
LONGEST_DAYS = 366


@dataclass(frozen=True)
class Period:
    """From one day to another, both included."""

    from_date: date
    to_date: date

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.to_date - self.from_date).days + 1


def today(brand: Brand) -> date:
    """The day it is where the brand is."""
    return datetime.now(brand.zone).date()


def _months_back(day: date, months: int) -> date:
    """The first day of the month so many months before the day's."""
    index = day.year * 12 + day.month - 1 - months
    return date(index // 12, index % 12 + 1, 1)


def this_month(day: date) -> Period:
    """From the first of the month until the day."""
    return Period(_months_back(day, 0), day)


def complete_months(day: date, count: int) -> list[Period]:
    """The last months that were over before the day's, the newest first."""
    first = [_months_back(day, back) for back in range(count + 1)]
    return [Period(first[back + 1], first[back] - timedelta(days=1)) for back in range(count)]


def presets(day: date) -> dict[str, Period]:
    """The periods offered with one click; each that is not over yet ends today."""
    return {
        "this_month": this_month(day),
        "last_month": complete_months(day, 1)[0],
        "last_3_months": Period(_months_back(day, 2), day),
        "this_year": Period(date(day.year, 1, 1), day),
    }
