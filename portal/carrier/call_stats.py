"""The journal of calls to the carrier in sums: what each method did on each of the last days."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Avg, Count, Q
from django.utils import timezone

from portal.models import Brand, CarrierCall

DAYS = 7


@dataclass(frozen=True)
class Tally:
    """One method's calls of one day; `milliseconds` is their mean."""

    day: date
    method: str
    calls: int
    failed: int
    milliseconds: int


def count_calls_by_day(*, brand: Brand, days: int = DAYS) -> list[Tally]:
    """The last days as they begin and end where the brand is, the newest first; one query.

    Each day is a sum of its own in it: no database has to work out for each row what day it was there.
    """
    today = timezone.localdate(timezone=brand.zone)
    listed = [today - timedelta(days=back) for back in range(days)]
    calls = CarrierCall.objects.filter(brand=brand, at__gte=_begin(listed[-1], brand)).order_by("method")
    sums = {name: value for day in listed for name, value in _sums(day, brand).items()}
    rows: list[dict[str, Any]] = list(calls.values("method").annotate(**sums))  # type: ignore[arg-type]
    return [_tally(row, day) for day in listed for row in rows if row[f"{day:n%Y%m%d}"]]


def _begin(day: date, brand: Brand) -> datetime:
    return datetime.combine(day, time(), brand.zone)


def _sums(day: date, brand: Brand) -> dict[str, Any]:
    that_day = Q(at__gte=_begin(day, brand), at__lt=_begin(day + timedelta(days=1), brand))
    return {
        f"{day:n%Y%m%d}": Count("pk", filter=that_day),
        f"{day:f%Y%m%d}": Count("pk", filter=that_day & ~Q(outcome="ok")),
        f"{day:m%Y%m%d}": Avg("milliseconds", filter=that_day),
    }


def _tally(row: dict[str, Any], day: date) -> Tally:
    number, failed, mean = (row[f"{day:{letter}%Y%m%d}"] for letter in "nfm")
    return Tally(day, row["method"], number, failed, round(mean))
