"""Statistics of calls to the carrier, per method and day."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Avg, Count, Q
from django.utils import timezone

from portal.models import Brand, CarrierCall

DAYS = 7


@dataclass(frozen=True)
class Tally:
    """One method's calls on one day; `milliseconds` is their mean."""

    day: date
    method: str
    calls: int
    failed: int
    milliseconds: int


def count_calls_by_day(*, brand: Brand, days: int = DAYS) -> list[Tally]:
    """Count calls per method and day for the last `days` days, newest first, in the brand's time zone.

    One query with a filtered sum per day, so that no database has to convert each row's time to a day.
    """
    today = timezone.localdate(timezone=brand.zone)
    day_list = [today - timedelta(days=offset) for offset in range(days)]
    calls = CarrierCall.objects.filter(brand=brand, at__gte=_day_start(day_list[-1], brand)).order_by(
        "method"
    )
    sums = {name: value for day in day_list for name, value in _sums(day, brand).items()}
    rows: list[dict[str, Any]] = list(calls.values("method").annotate(**sums))  # type: ignore[arg-type]
    return [_tally(row, day) for day in day_list for row in rows if row[f"{day:n%Y%m%d}"]]


def _day_start(day: date, brand: Brand) -> datetime:
    return datetime.combine(day, time(), brand.zone)


def _sums(day: date, brand: Brand) -> dict[str, Any]:
    on_day = Q(at__gte=_day_start(day, brand), at__lt=_day_start(day + timedelta(days=1), brand))
    return {
        f"{day:n%Y%m%d}": Count("pk", filter=on_day),
        f"{day:f%Y%m%d}": Count("pk", filter=on_day & ~Q(outcome="ok")),
        f"{day:m%Y%m%d}": Avg("milliseconds", filter=on_day),
    }


def _tally(row: dict[str, Any], day: date) -> Tally:
    number, failed, mean = (row[f"{day:{letter}%Y%m%d}"] for letter in "nfm")
    return Tally(day, row["method"], number, failed, round(mean))
