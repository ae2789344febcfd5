"""Figures of a customer or of the partner account: kept ones where they are fresh, else asked for.

Two requests at once for the same figure make one call: whoever claims its row asks, the other waits. When
the carrier fails, the last known figures are given with their age and the reason, never a false zero.
"""

import contextvars
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from accounts.models import User
from billing.models import KeptStatement
from billing.statements import cache as statement_cache
from billing.statements.fetcher import FetchResult, StatementFetcher
from billing.statements.periods import Period, complete_months, this_month, today
from portal.models import Brand
from portal.voipline import Statement

MONTHS = 3  # Complete ones, for the pace of spending.
WITHIN = 1.5  # Seconds for which the balance waits for those months.
KNOWN = 4.0  # Seconds for which a page waits for new figures, where it has older ones to show.
SOON = 0.2  # Seconds for which a page waits with its frame, where it has none.


@dataclass(frozen=True)
class Figures:
    """A statement, or the lack of one.

    `shown` is the period that the statement is of: the one asked for, or the newest known one that stands in.
    `trouble` is `gone`, `refused`, `busy`, `down` or empty; beside a statement it says why there is no newer
    one. `retry_after` is in seconds, where the carrier named a time. `running`: the period was not over when
    it was asked for. `late`: nobody waited for longer than a page waits with its frame, and an answer may
    still come.
    """

    period: Period
    statement: Statement | None = None
    shown: Period | None = None
    as_of: datetime | None = None
    trouble: str = ""
    retry_after: int | None = None
    running: bool = False
    late: bool = False


@dataclass(frozen=True)
class Bounds:
    """How long a reader waits, in seconds; None is as long as a call may last.

    `within`: for all others, after the first. `in_all`: from the beginning. `known`: from the beginning, but
    only where older figures can be shown; with `newest` those of any period do, as a balance. `soon`: where
    none can be, for as long as a page waits with its frame.
    """

    within: float | None = None
    in_all: float | None = None
    known: float | None = None
    newest: bool = False
    soon: bool = False


PATIENT = Bounds()
PAGE = Bounds(known=KNOWN)
BALANCE = Bounds(within=WITHIN, known=KNOWN, newest=True)
# The same for a page that can be sent in two parts.
PAGE_SOON, BALANCE_SOON = replace(PAGE, soon=True), replace(BALANCE, soon=True)
_YEAR = Bounds(in_all=WITHIN)


@dataclass(frozen=True)
class LastActivity:
    """The last month known to have had some, or how many complete months are known to have had none."""

    month: Period | None = None
    quiet: int = 0


def get_statement(
    *,
    brand: Brand,
    customer: User | None,
    period: Period,
    refresh: bool = False,
    bounds: Bounds = PATIENT,
) -> Figures:
    """The figures of one period, of a customer or (None) of the partner account; see `stream_statements`."""
    read = stream_statements(brand=brand, customer=customer, periods=[period], refresh=refresh, bounds=bounds)
    with closing(read) as stream:
        return next(stream)


def stream_statements(
    *,
    brand: Brand,
    customer: User | None,
    periods: Sequence[Period],
    refresh: bool = False,
    bounds: Bounds = PATIENT,
) -> Generator[Figures, None, None]:
    """The figures of each period, in order, each as soon as it is there; at most four calls at a time.

    Kept ones are given without a call: for a minute while the period runs, for a day when it is over. With
    `refresh` the first one is asked for in any case. Past the bounds, what is still missing is given as it
    was last known; an answer that comes later is kept for the next time.
    """
    context = contextvars.copy_context()  # A page that streams is read when its request is over.
    return _stream(partial(StatementFetcher, brand, customer, periods, context), refresh, bounds)


def _stream(
    begin: Callable[[], StatementFetcher], refresh: bool, bounds: Bounds
) -> Generator[Figures, None, None]:
    asking = begin()
    until = None if bounds.in_all is None else time.monotonic() + bounds.in_all
    try:
        asking.begin(refresh)
        if bounds.known is not None and _has_something(asking, bounds):
            until = time.monotonic() + bounds.known
            soon = False
        else:
            soon = bounds.soon
            until = time.monotonic() + SOON if soon else until
        for place, row in enumerate(asking.rows):
            ending = asking.ending(place, until)
            if place == 0 and bounds.within is not None and not soon:
                until = time.monotonic() + bounds.within
            yield _known(asking, row, ending if soon else replace(ending, late=False))
    finally:
        asking.close()


def _has_something(asking: StatementFetcher, bounds: Bounds) -> bool:
    row = asking.rows[0]
    if row.figures is not None or statement_cache.fallback_row(row, asking.day):
        return True
    return bounds.newest and statement_cache.latest_balance_row(asking.brand, asking.customer) is not None


def _known(asking: StatementFetcher, row: KeptStatement, ending: FetchResult) -> Figures:
    missing = ending.trouble and row.figures is None
    found = (statement_cache.fallback_row(row, asking.day) if missing else None) or row
    return _figures(Period(row.from_date, row.to_date), found, ending)


def _figures(asked: Period, found: KeptStatement, ending: FetchResult) -> Figures:
    return Figures(
        period=asked,
        statement=statement_cache.build_statement(found),
        shown=Period(found.from_date, found.to_date),
        as_of=found.as_of,
        trouble=ending.trouble,
        retry_after=ending.retry_after,
        running=found.running,
        late=ending.late,
    )


def get_balance(
    *, brand: Brand, customer: User | None, bounds: Bounds = BALANCE
) -> tuple[Figures, list[Figures]]:
    """This month until today, whose closing balance is the balance; and the last three complete months.

    The months are waited for a moment only. Where this month cannot be had, the newest balance that is known
    stands in; `as_of` is then that balance's moment.
    """
    day = today(brand)
    periods = [this_month(day), *complete_months(day, MONTHS)]
    current, *months = stream_statements(brand=brand, customer=customer, periods=periods, bounds=bounds)
    if current.statement is None or current.shown != current.period:
        newest = statement_cache.latest_balance_row(brand, customer)
        ending = FetchResult(current.trouble, current.retry_after)
        current = _figures(current.period, newest, ending) if newest else current
    return current, months


def get_last_activity(*, brand: Brand, customer: User | None) -> LastActivity:
    """When there was last some movement in this month or the last year.

    By what is kept; only where that does not tell are the older months asked for, and waited for a moment.
    """
    day = today(brand)
    periods = [this_month(day), *complete_months(day, 12)]
    found = _movement(statement_cache.get_rows(brand, customer, periods))
    if found.month or found.quiet < MONTHS or found.quiet == len(periods) - 1:
        return found
    with closing(
        stream_statements(brand=brand, customer=customer, periods=periods[1:], bounds=_YEAR)
    ) as stream:
        for _figures_of_a_month in stream:
            pass
    return _movement(statement_cache.get_rows(brand, customer, periods))


def _movement(rows: Sequence[KeptStatement]) -> LastActivity:
    for row in rows:
        statement = statement_cache.build_statement(row)
        if statement and statement.has_activity:
            return LastActivity(Period(row.from_date, row.to_date))
    months = rows[1:]
    unknown = (nth for nth, row in enumerate(months) if row.figures is None or row.running)
    return LastActivity(quiet=next(unknown, len(months)))
