"""Periods of a statement: two dates, both included, in the brand's time zone."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from portal.models import Brand

EARLIEST = date(2000, 1, 1)
LONGEST_DAYS = 366


@dataclass(frozen=True)
class Period:
    """Two days, both included."""

    from_date: date
    to_date: date

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.to_date - self.from_date).days + 1

    @property
    def query(self) -> str:
        """Query of /statement/ and its files."""
        return f"from_date={self.from_date}&to_date={self.to_date}"

    @property
    def is_month(self) -> bool:
        """True for a whole calendar month."""
        return self.from_date.day == 1 and self == complete_months(self.to_date + timedelta(days=1), 1)[0]


def today(brand: Brand) -> date:
    """Return today's date in the brand's time zone."""
    return datetime.now(brand.zone).date()


def _months_back(day: date, months: int) -> date:
    """Return the first day of the month that is `months` before the day's month."""
    index = day.year * 12 + day.month - 1 - months
    return date(index // 12, index % 12 + 1, 1)


def this_month(day: date) -> Period:
    """Return the period from the first of the month until the day."""
    return Period(_months_back(day, 0), day)


def complete_months(day: date, count: int) -> list[Period]:
    """Return the last `count` complete months before the day's month, the newest first."""
    first = [_months_back(day, number) for number in range(count + 1)]
    return [Period(first[number + 1], first[number] - timedelta(days=1)) for number in range(count)]


def presets(day: date) -> dict[str, Period]:
    """Return the periods offered with one click; a current one ends on the given day."""
    last_month, _between, third = complete_months(day, 3)
    return {
        "this_month": this_month(day),
        "last_month": last_month,
        "last_3_months": Period(third.from_date, last_month.to_date),
        "this_year": Period(date(day.year, 1, 1), day),
        "last_year": Period(date(day.year - 1, 1, 1), date(day.year - 1, 12, 31)),
    }
