"""Statements of a customer or of the partner account: cached ones if they are fresh, else fetched.

Two requests at once for the same statement make one call. If the carrier fails, the last known statement is
given with its age and the reason, never a false zero.
"""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from accounts.models import User
from billing.models import CachedStatement
from billing.statements import cache
from billing.statements.fetcher import Deadlines as Deadlines
from billing.statements.fetcher import Fetched, FetchResult, StatementFetcher
from billing.statements.periods import Period, complete_months, this_month, today
from portal.models import Brand
from portal.voipline import Statement

MONTHS = 3  # Complete months, for the pace of spending.
IF_STALE = 4.0  # Seconds for which a page waits for a new statement while it has an older one to show.
_MONTHS_WAIT = 1.5  # Seconds for which the balance waits for those months.
_FRAME = 0.2  # Seconds after which a page with nothing to show sends its frame.

PATIENT = Deadlines()
PAGE = Deadlines(if_stale=IF_STALE)
BALANCE = Deadlines(if_stale=IF_STALE, rest=_MONTHS_WAIT, any_period=True)
# For pages that can send their frame first, and the figures when they come.
PAGE_FRAME, BALANCE_FRAME = replace(PAGE, if_missing=_FRAME), replace(BALANCE, if_missing=_FRAME)
_YEAR = Deadlines(if_missing=_MONTHS_WAIT)


@dataclass(frozen=True)
class StatementResult:
    """A statement, or the reason why there is none.

    `period_shown` is the statement's own period: the requested one, or an earlier one as a fallback. `error`
    is `gone`, `refused`, `busy`, `down`, `often` (the customer's own limit) or empty; beside a statement it
    says why there is no newer one. `retry_after` is in seconds, if a time is known. `is_open`: the period was
    not over when its statement was requested. `late`: the page's frame need not wait any longer, and a result
    may still come.
    """

    period: Period
    statement: Statement | None = None
    period_shown: Period | None = None
    as_of: datetime | None = None
    error: str = ""
    retry_after: int | None = None
    is_open: bool = False
    late: bool = False


@dataclass(frozen=True)
class LastActivity:
    """The last month with any activity, or the number of complete months that are known to have had none."""

    month: Period | None = None
    quiet: int = 0


def get_statement(
    *,
    brand: Brand,
    customer: User | None,
    period: Period,
    refresh: bool = False,
    deadlines: Deadlines = PATIENT,
) -> StatementResult:
    """Return the statement of one period, of a customer or (None) of the partner account.

    See `stream_statements`.
    """
    results = stream_statements(
        brand=brand, customer=customer, periods=[period], refresh=refresh, deadlines=deadlines
    )
    with closing(results) as stream:
        return next(stream)


def stream_statements(
    *,
    brand: Brand,
    customer: User | None,
    periods: Sequence[Period],
    refresh: bool = False,
    deadlines: Deadlines = PATIENT,
) -> Generator[StatementResult, None, None]:
    """Yield the statement of each period, in order, as soon as it is there; at most four calls at a time.

    Cached statements need no call: for a minute while the period is open, for a day when it is over.
    `refresh` fetches the first one in any case. After the deadline a statement is given as it was last known;
    a result that comes later is cached for the next reader. Calls begin with the first `next()`.
    """
    return _stream(StatementFetcher(brand, customer, periods), refresh, deadlines)


def _stream(
    fetcher: StatementFetcher, refresh: bool, deadlines: Deadlines
) -> Generator[StatementResult, None, None]:
    with closing(fetcher.stream(refresh=refresh, deadlines=deadlines)) as stream:
        for fetched in stream:
            yield _build_result(fetched)


def _build_result(fetched: Fetched) -> StatementResult:
    row, result = fetched.row, fetched.result
    return StatementResult(
        period=fetched.period,
        statement=cache.build_statement(row),
        period_shown=Period(row.from_date, row.to_date),
        as_of=row.as_of,
        error=result.error,
        retry_after=result.retry_after,
        is_open=row.is_open,
        late=result.late,
    )


class Balance(NamedTuple):
    """This month until today, whose closing balance is the balance, and complete months, the newest first.

    `months` are the last ones, `older` those before them as far as they are cached.
    """

    current: StatementResult
    months: list[StatementResult]
    older: list[StatementResult]


def get_balance(
    *, brand: Brand, customer: User | None, older: int = 0, deadlines: Deadlines = BALANCE
) -> Balance:
    """Return the balance with the last three complete months, and so many `older` ones without a call.

    If this month cannot be fetched, the newest known balance is given instead; `as_of` is then its moment.
    """
    day = today(brand)
    periods = [this_month(day), *complete_months(day, MONTHS + older)]
    rows = cache.get_rows(brand, customer, periods)
    read, cached = slice(MONTHS + 1), slice(MONTHS + 1, None)
    fetcher = StatementFetcher(brand, customer, periods[read], rows[read])
    current, *months = _stream(fetcher, refresh=False, deadlines=deadlines)
    if current.statement is None or current.period_shown != current.period:
        newest = cache.get_latest_balance_row(brand, customer)
        if newest:
            result = FetchResult(current.error, current.retry_after)
            current = _build_result(Fetched(current.period, newest, result))
    as_cached = zip(periods[cached], rows[cached], strict=True)
    return Balance(
        current, months, [_build_result(Fetched(period, row, FetchResult())) for period, row in as_cached]
    )


def get_last_activity(*, brand: Brand, customer: User | None) -> LastActivity:
    """Find the last activity in this month or the last year.

    Uses cached statements; only if they do not tell, fetches the older months and waits for a moment.
    """
    day = today(brand)
    periods = [this_month(day), *complete_months(day, 12)]
    activity = _find_last_activity(cache.get_rows(brand, customer, periods))
    if activity.month or activity.quiet < MONTHS or activity.quiet == len(periods) - 1:
        return activity
    for _result in stream_statements(brand=brand, customer=customer, periods=periods[1:], deadlines=_YEAR):
        pass  # The rows are read once more below.
    return _find_last_activity(cache.get_rows(brand, customer, periods))


def _find_last_activity(rows: Sequence[CachedStatement]) -> LastActivity:
    for row in rows:
        statement = cache.build_statement(row)
        if statement and statement.has_activity:
            return LastActivity(Period(row.from_date, row.to_date))
    months = rows[1:]
    unknown = (nth for nth, row in enumerate(months) if row.figures is None or row.is_open)
    return LastActivity(quiet=next(unknown, len(months)))
