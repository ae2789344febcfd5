"""The calls for figures that are not fresh: who makes them, who waits for whose, and what comes late.

Only the reader's own thread asks the database; threads of the pool make calls and nothing else. Where the
reader is gone before a call has ended, the call's thread keeps what came, and closes its connection.
"""

import contextvars
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property, partial

from django.db import connection
from django.utils import timezone

from accounts.models import User
from billing.models import KeptStatement
from billing.statements import cache as statement_cache
from billing.statements.labels import classify_error
from billing.statements.periods import Period, today
from portal.carrier import calls as carrier_calls
from portal.carrier.calls import Call, CallContext, CallResult, Value
from portal.models import Brand
from portal.resilience import bulkhead, rate_limits
from portal.voipline import CallSkipped, Carrier, RateLimited, Statement, UpstreamError
from portal.web.retry import BUSY

logger = logging.getLogger(__name__)

AT_ONCE = 4
_PAUSE = 0.1  # Seconds between two looks at a row that another request has claimed.
_TOLD = ("figures", "as_of", "running", "claimed_until", "trouble", "tried_at")


@dataclass(frozen=True)
class FetchResult:
    """How it went for one row: without trouble, or why there is nothing newer than what is kept.

    `late`: nobody knows yet; the time to wait was over before.
    """

    trouble: str = ""
    retry_after: int | None = None
    late: bool = False


_CROWDED = FetchResult("busy", BUSY)


class StatementFetcher:
    """One reader's rows, and the calls that are under way for those it claimed.

    `context` is the one in which calls are made and written down, so that they keep the request's reference.
    """

    def __init__(
        self,
        brand: Brand,
        customer: User | None,
        periods: Sequence[Period],
        context: contextvars.Context,
    ) -> None:
        self.brand, self.customer, self.context = brand, customer, context
        self.day, self.rows = today(brand), statement_cache.get_rows(brand, customer, periods)
        self.tried = [row.tried_at for row in self.rows]
        self.wanted: list[KeptStatement] = []
        self.forced: list[KeptStatement] = []
        self.flights: dict[int, Future[CallResult]] = {}  # By the row's place in `rows`, as `told`.
        self.told: dict[int, FetchResult] = {}
        self.pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="figures")

    @cached_property
    def _carrier(self) -> Callable[[], Carrier]:
        return carrier_calls.prepare_carrier(self.brand)

    def begin(self, refresh: bool) -> None:
        """Claim what is to be asked for, and start its calls; with `refresh` the first row in any case."""
        self.forced = self.rows[:1] if refresh else []
        room = bulkhead.CARRIERS.has_room(self.brand)  # Else nobody would wait for the calls.
        for place, row in enumerate(self.rows):
            if row not in self.forced and statement_cache.has_just_failed(row):
                self.told[place] = FetchResult(row.trouble)
            elif row in self.forced or not statement_cache.is_fresh(row, self.day):
                self.wanted.append(row)
                if room:
                    self._ask(place)
                else:
                    self.told[place] = _CROWDED

    def _ask(self, place: int) -> None:
        """Begin the call for a row nobody has claimed. The limit is asked first: a refusal leaves no row."""
        row = self.rows[place]
        if statement_cache.is_claimed(row):
            return
        try:
            whose = f"customer {self.customer.pk}" if self.customer else f"partner {self.brand.pk}"
            rate_limits.consume(action="statement", account=whose, brand=self.brand)
        except rate_limits.Limited as limited:
            self.told[place] = FetchResult("busy", limited.retry_after)
            return
        waves = min(place // AT_ONCE + 1, statement_cache.WAVES)
        if statement_cache.claim(row, timezone.now() + statement_cache.longest_claim(waves)):
            self.flights[place] = self.pool.submit(self.context.copy().run, self._call(row).send)

    def _call(self, row: KeptStatement) -> Call:
        period: dict[str, Value] = {"from_date": row.from_date, "to_date": row.to_date}
        if self.customer is None:
            return Call(self.brand, "partner_balance", period, self._carrier)
        values = {"account_number": row.account_number, **period}
        return Call(self.brand, "customer_balance", values, self._carrier, CallContext(self.customer.pk))

    def ending(self, place: int, until: float | None) -> FetchResult:
        """How it went for the row at this place, waited for until then; else as long as a call may last."""
        row = self.rows[place]
        try:
            with bulkhead.CARRIERS.place(self.brand) if self._has_to_wait(place) else nullcontext():
                sent = self._waited_for(place, until)
        except bulkhead.BulkheadFull:
            return _CROWDED
        except TimeoutError:
            return FetchResult("down", late=True)
        if sent:
            del self.flights[place]
            return self._land(row, sent)
        if place in self.told:
            return self.told[place]
        if self._is_there(place):
            return FetchResult()
        return FetchResult(row.trouble or "down", late=not self._has_been_tried(place))

    def _has_to_wait(self, place: int) -> bool:
        if flight := self.flights.get(place):
            return not flight.done()
        return self.rows[place] in self.wanted and place not in self.told

    def _waited_for(self, place: int, until: float | None) -> CallResult | None:
        """The call for the row, made by us; None where another reader made it, or nobody did."""
        if self.rows[place] in self.wanted and not self._is_mine(place):
            self._wait_for_another(place, until)
        if place not in self.flights:
            return None
        return self.flights[place].result(None if until is None else max(0, until - time.monotonic()))

    def _is_mine(self, place: int) -> bool:
        return place in self.flights or place in self.told

    def _is_there(self, place: int) -> bool:
        row = self.rows[place]
        if row.figures is not None and self._has_been_tried(place) and not row.trouble:
            return True
        return row not in self.forced and statement_cache.is_fresh(row, self.day)

    def _has_been_tried(self, place: int) -> bool:
        """Whether somebody's call for the row has ended since we read it, whatever any clock says."""
        return self.rows[place].tried_at != self.tried[place]

    def _wait_for_another(self, place: int, until: float | None) -> None:
        """Another reader asks for this row: wait for its end, or take its place if it has none."""
        row, last = self.rows[place], time.monotonic() + statement_cache.longest_claim(1).total_seconds()
        while time.monotonic() < (last if until is None else min(last, until)):
            time.sleep(_PAUSE)
            try:
                row.refresh_from_db(fields=_TOLD)
            except KeptStatement.DoesNotExist:  # Removed: too many newer ones of this account.
                return
            bulkhead.release_db_connections()
            if self._is_there(place) or self._has_been_tried(place):
                return
            self._ask(place)
            if self._is_mine(place):
                return

    def _land(self, row: KeptStatement, sent: CallResult) -> FetchResult:
        try:
            statement = Statement.from_answer(self.context.copy().run(sent.answer))
        except UpstreamError as error:
            trouble = classify_error(error)
            statement_cache.store_failure(row, trouble)
            return FetchResult(
                trouble, error.retry_after if isinstance(error, RateLimited | CallSkipped) else None
            )
        if not statement.is_consistent:
            logger.warning("statement does not add up", extra={"brand": self.brand.slug})
        statement_cache.store_statement(row, statement, at=sent.started_at, running=row.to_date >= self.day)
        return FetchResult()

    def close(self) -> None:
        """Give back what nobody waits for any more; of a call that is under way, the answer is kept."""
        here = threading.get_ident()
        for place, flight in self.flights.items():
            if flight.cancel():
                statement_cache.release_claim(self.rows[place])
            else:
                flight.add_done_callback(partial(self._land_late, self.rows[place], here))
        self.pool.shutdown(wait=False)

    def _land_late(self, row: KeptStatement, reader: int, flight: "Future[CallResult]") -> None:
        """In the call's own thread, or in the reader's where the call has ended already."""
        try:
            self._land(row, flight.result())
        except Exception:  # The claim runs out by itself.
            logger.exception("late figures not kept", extra={"brand": self.brand.slug})
        finally:
            if threading.get_ident() != reader:
                connection.close()
