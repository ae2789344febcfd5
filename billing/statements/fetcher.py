"""Fetch stale statements concurrently. One process fetches each row; others wait for its result.

Only the reader's own thread uses the database; the threads of the pool make calls and nothing else. If the
reader is gone before a call has ended, the call's thread stores the result and closes its connection.
"""

import contextvars
import logging
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial

from django.db import connection
from django.utils import timezone

from accounts.models import User
from billing.models import CachedStatement
from billing.statements import cache
from billing.statements.labels import classify_error
from billing.statements.periods import Period, today
from portal.carrier import calls
from portal.carrier.calls import Call, CallContext, CallResult, Value
from portal.models import Brand
from portal.resilience import bulkhead, rate_limits
from portal.voipline import CallSkipped, Carrier, RateLimited, Statement, UpstreamError
from portal.web.retry import BUSY

logger = logging.getLogger(__name__)

CONCURRENCY = 4
_POLL = 0.1  # Seconds between two reads of a row that another request has claimed.
_RESULT_FIELDS = ("figures", "as_of", "is_open", "claimed_until", "error", "attempted_at")


@dataclass(frozen=True)
class Deadlines:
    """Seconds for which a reader waits; None waits as long as a call may last.

    `if_stale`: from the start, if an older statement can be shown instead. With `any_period` one of any
    period can, as for a balance. `if_missing`: from the start, if none can be shown. `rest`: for the other
    periods, from the first result on.
    """

    if_stale: float | None = None
    if_missing: float | None = None
    rest: float | None = None
    any_period: bool = False


@dataclass(frozen=True)
class FetchResult:
    """The result for one row: no error, or the reason why there is nothing newer than the stored statement.

    `retry_after` is in seconds. `late`: the deadline has passed, and a result may still come.
    """

    error: str = ""
    retry_after: int | None = None
    late: bool = False


@dataclass(frozen=True)
class Fetched:
    """A period, the row to show for it (its own, or the newest one of an earlier end), and the result."""

    period: Period
    row: CachedStatement
    result: FetchResult


_TOO_BUSY = FetchResult("busy", BUSY)


class StatementFetcher:
    """Statements of one customer or (None) of the partner account, one for each period.

    `rows` are the periods' rows, if the caller has read them already.
    Create it in the request: `stream` makes and logs its calls in that context, also after the request.
    """

    def __init__(
        self,
        brand: Brand,
        customer: User | None,
        periods: Sequence[Period],
        rows: list[CachedStatement] | None = None,
    ) -> None:
        self.brand, self.customer, self.periods = brand, customer, periods
        self.context = contextvars.copy_context()
        self.today = today(brand)
        self.rows = rows or []
        self.attempted_before: list[object] = []  # `attempted_at` of each row when it was read.
        self.stale: set[int] = set()  # Indexes of `rows`, as the keys below.
        self.forced: int | None = None
        self.futures: dict[int, Future[CallResult]] = {}
        self.results: dict[int, FetchResult] = {}
        self.pool = ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="figures")

    def stream(self, *, refresh: bool, deadlines: Deadlines) -> Generator[Fetched, None, None]:
        """Yield the result for each period, in order, as soon as it is there; four calls at a time.

        `refresh` fetches the first period even if it is fresh. A result that comes after its deadline is
        stored for the next reader.
        """
        self.rows = self.rows or cache.get_rows(self.brand, self.customer, self.periods)
        self.attempted_before = [row.attempted_at for row in self.rows]
        try:
            self._start_calls(refresh)
            seconds = deadlines.if_missing
            has_older = deadlines.if_stale is not None and self._has_older(deadlines.any_period)
            if has_older:
                seconds = deadlines.if_stale
            reads_again = deadlines.if_missing is not None and not has_older
            until = None if seconds is None else time.monotonic() + seconds
            for index, (period, row) in enumerate(zip(self.periods, self.rows, strict=True)):
                result = self._get_result(index, until)
                if index == 0 and deadlines.rest is not None and not reads_again:
                    until = time.monotonic() + deadlines.rest
                is_missing = result.error and row.figures is None
                shown = (cache.get_fallback_row(row, self.today) if is_missing else None) or row
                yield Fetched(period, shown, result if reads_again else replace(result, late=False))
        finally:
            self._close()

    def _has_older(self, any_period: bool) -> bool:
        row = self.rows[0]
        if row.figures is not None or cache.get_fallback_row(row, self.today):
            return True
        return any_period and cache.get_latest_balance_row(self.brand, self.customer) is not None

    @cached_property
    def _carrier(self) -> Callable[[], Carrier]:
        return calls.prepare_carrier(self.brand)

    def _start_calls(self, refresh: bool) -> None:
        self.forced = 0 if refresh else None
        has_room = bulkhead.CARRIERS.has_room(self.brand)  # Else no thread could wait for the calls.
        for index, row in enumerate(self.rows):
            if index != self.forced and cache.has_just_failed(row):
                self.results[index] = FetchResult(row.error)
            elif index == self.forced or not cache.is_fresh(row, self.today):
                self.stale.add(index)
                if has_room:
                    self._start_call(index)
                else:
                    self.results[index] = _TOO_BUSY

    def _start_call(self, index: int) -> None:
        """Start the call for an unclaimed row. The limit comes first, so that a refusal leaves no row."""
        row = self.rows[index]
        if cache.is_claimed(row):
            return
        account = f"customer {self.customer.pk}" if self.customer else f"partner {self.brand.pk}"
        try:
            rate_limits.consume(action="statement", account=account, brand=self.brand)
        except rate_limits.Limited as limited:
            self.results[index] = FetchResult("busy", limited.retry_after)
            return
        waves = min(index // CONCURRENCY + 1, cache.WAVES)
        if cache.claim(row, timezone.now() + cache.longest_claim(waves)):
            self.futures[index] = self.pool.submit(self.context.copy().run, self._prepare_call(row).send)

    def _prepare_call(self, row: CachedStatement) -> Call:
        period: dict[str, Value] = {"from_date": row.from_date, "to_date": row.to_date}
        if self.customer is None:
            return Call(self.brand, "partner_balance", period, self._carrier)
        values = {"account_number": row.account_number, **period}
        return Call(self.brand, "customer_balance", values, self._carrier, CallContext(self.customer.pk))

    def _get_result(self, index: int, until: float | None) -> FetchResult:
        """Wait for the row's result until then; without a deadline as long as a call may last."""
        row = self.rows[index]
        try:
            with bulkhead.CARRIERS.slot(self.brand) if self._must_wait(index) else nullcontext():
                call_result = self._wait(index, until)
        except bulkhead.BulkheadFull:
            return _TOO_BUSY
        except TimeoutError:
            return FetchResult("down", late=True)
        if call_result:
            del self.futures[index]
            return self._store_result(row, call_result)
        if index in self.results:
            return self.results[index]
        if self._is_current(index):
            return FetchResult()
        return FetchResult(row.error or "down", late=not self._was_attempted(index))

    def _must_wait(self, index: int) -> bool:
        if future := self.futures.get(index):
            return not future.done()
        return index in self.stale and index not in self.results

    def _wait(self, index: int, until: float | None) -> CallResult | None:
        """Return the result of our own call; None if another reader made the call, or there was none."""
        if index in self.stale and not self._is_own(index):
            self._wait_for_other_reader(index, until)
        if index not in self.futures:
            return None
        return self.futures[index].result(None if until is None else max(0, until - time.monotonic()))

    def _is_own(self, index: int) -> bool:
        return index in self.futures or index in self.results

    def _is_current(self, index: int) -> bool:
        row = self.rows[index]
        if row.figures is not None and self._was_attempted(index) and not row.error:
            return True
        return index != self.forced and cache.is_fresh(row, self.today)

    def _was_attempted(self, index: int) -> bool:
        """True if a call for the row has ended since the row was read; independent of any clock."""
        return self.rows[index].attempted_at != self.attempted_before[index]

    def _wait_for_other_reader(self, index: int, until: float | None) -> None:
        """Wait for the result of the reader that has claimed the row; make the call if it gives up."""
        row, last = self.rows[index], time.monotonic() + cache.longest_claim(1).total_seconds()
        while time.monotonic() < (last if until is None else min(last, until)):
            time.sleep(_POLL)
            try:
                row.refresh_from_db(fields=_RESULT_FIELDS)
            except CachedStatement.DoesNotExist:  # Removed: this account has too many newer ones.
                return
            bulkhead.release_db_connections()
            if self._is_current(index) or self._was_attempted(index):
                return
            self._start_call(index)
            if self._is_own(index):
                return

    def _store_result(self, row: CachedStatement, call_result: CallResult) -> FetchResult:
        try:
            statement = Statement.from_answer(self.context.copy().run(call_result.answer))
        except UpstreamError as error:
            row_error = classify_error(error)
            cache.store_failure(row, row_error)
            retry_after = error.retry_after if isinstance(error, RateLimited | CallSkipped) else None
            return FetchResult(row_error, retry_after)
        if not statement.is_consistent:
            logger.warning("statement does not add up", extra={"brand": self.brand.slug})
        cache.store_statement(row, statement, at=call_result.started_at, is_open=row.to_date >= self.today)
        return FetchResult()

    def _close(self) -> None:
        """Release the claims of calls that have not begun; store the results of the others when they come."""
        reader = threading.get_ident()
        for index, future in self.futures.items():
            if future.cancel():
                cache.release_claim(self.rows[index])
            else:
                future.add_done_callback(partial(self._store_late_result, self.rows[index], reader))
        self.pool.shutdown(wait=False)

    def _store_late_result(self, row: CachedStatement, reader: int, future: "Future[CallResult]") -> None:
        """Runs in the call's own thread, or in the reader's if the call has ended already."""
        try:
            self._store_result(row, future.result())
        except Exception:  # The claim expires by itself.
            logger.exception("late figures not kept", extra={"brand": self.brand.slug})
        finally:
            if threading.get_ident() != reader:
                connection.close()
