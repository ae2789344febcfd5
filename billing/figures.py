"""Figures of a customer or of the partner account: kept ones where they are fresh, else asked for.

Two requests at once for the same figure make one call: whoever claims its row asks, the other waits. When
the carrier fails, the last known figures are given with their age and the reason, never a false zero.
"""

import contextvars
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from accounts.models import User
from billing import kept
from billing.asking import Asking, Ending
from billing.models import KeptStatement
from billing.periods import Period, complete_months, this_month, today
from portal.models import Brand
from portal.voipline import Statement

MONTHS = 3  # Complete ones, for the pace of spending.
WITHIN = 1.5  # Seconds for which the balance waits for those months.


@dataclass(frozen=True)
class Figures:
    """A statement, or the lack of one.

    `shown` is the period that the statement is of: the one asked for, or the newest known one that stands in.
    `trouble` is `gone`, `refused`, `busy`, `down` or empty; beside a statement it says why there is no newer
    one. `retry_after` is in seconds, where the carrier named a time. `running`: the period was not over when
    it was asked for.
    """

    period: Period
    statement: Statement | None = None
    shown: Period | None = None
    as_of: datetime | None = None
    trouble: str = ""
    retry_after: int | None = None
    running: bool = False


@dataclass(frozen=True)
class Movement:
    """The last month known to have had some, or how many complete months are known to have had none."""

    month: Period | None = None
    quiet: int = 0


def figures_read(*, brand: Brand, customer: User | None, period: Period, refresh: bool = False) -> Figures:
    """The figures of one period, of a customer or (None) of the partner account; see `figures_stream`."""
    with closing(figures_stream(brand=brand, customer=customer, periods=[period], refresh=refresh)) as stream:
        return next(stream)


def figures_stream(
    *,
    brand: Brand,
    customer: User | None,
    periods: Sequence[Period],
    refresh: bool = False,
    within: float | None = None,
    in_all: float | None = None,
) -> Generator[Figures, None, None]:
    """The figures of each period, in order, each as soon as it is there; at most four calls at a time.

    Kept ones are given without a call: for a minute while the period runs, for a day when it is over. With
    `refresh` the first one is asked for in any case. `within` seconds after the first, what is still missing
    is given as it was last known; an answer that comes later is kept for the next time. `in_all` is such a
    bound for all of them, the first included.
    """
    context = contextvars.copy_context()  # A page that streams is read when its request is over.
    return _stream(brand, customer, periods, refresh, within, in_all, context)


def _stream(
    brand: Brand,
    customer: User | None,
    periods: Sequence[Period],
    refresh: bool,
    within: float | None,
    in_all: float | None,
    context: contextvars.Context,
) -> Generator[Figures, None, None]:
    asking = Asking(brand, customer, periods, context)
    until = None if in_all is None else time.monotonic() + in_all
    try:
        asking.begin(refresh)
        for place, row in enumerate(asking.rows):
            ending = asking.ending(place, until)
            if place == 0 and within is not None:
                until = time.monotonic() + within
            yield _known(asking, row, ending)
    finally:
        asking.close()


def _known(asking: Asking, row: KeptStatement, ending: Ending) -> Figures:
    missing = ending.trouble and row.figures is None
    found = (kept.stand_in(row, asking.day) if missing else None) or row
    return _figures(Period(row.from_date, row.to_date), found, ending)


def _figures(asked: Period, found: KeptStatement, ending: Ending) -> Figures:
    return Figures(
        period=asked,
        statement=kept.statement_of(found),
        shown=Period(found.from_date, found.to_date),
        as_of=found.as_of,
        trouble=ending.trouble,
        retry_after=ending.retry_after,
        running=found.running,
    )


def balance_read(*, brand: Brand, customer: User | None) -> tuple[Figures, list[Figures]]:
    """This month until today, whose closing balance is the balance; and the last three complete months.

    The months are waited for a moment only. Where this month cannot be had, the newest balance that is known
    stands in; `as_of` is then that balance's moment.
    """
    day = today(brand)
    periods = [this_month(day), *complete_months(day, MONTHS)]
    current, *months = figures_stream(brand=brand, customer=customer, periods=periods, within=WITHIN)
    if current.statement is None or current.shown != current.period:
        newest = kept.newest_known(brand, customer)
        ending = Ending(current.trouble, current.retry_after)
        current = _figures(current.period, newest, ending) if newest else current
    return current, months


def movement_read(*, brand: Brand, customer: User | None) -> Movement:
    """When there was last some movement, by what is kept of this month and of the last year; asks nobody."""
    day = today(brand)
    running, *months = kept.rows_of(brand, customer, [this_month(day), *complete_months(day, 12)])
    for row in (running, *months):
        statement = kept.statement_of(row)
        if statement and statement.moved:
            return Movement(Period(row.from_date, row.to_date))
    unknown = (nth for nth, row in enumerate(months) if row.figures is None or row.running)
    return Movement(quiet=next(unknown, len(months)))
