"""Figures of a customer or of the partner account: kept ones where they are fresh, else asked for.

Two requests at once for the same figure make one call: whoever claims its row asks, the other waits. When
the carrier fails, the last known figures are given with their age and the reason, never a false zero.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from django.conf import settings
from django.db import connection
from django.utils import timezone

from accounts.models import User
from billing import kept
from billing.models import KeptStatement
from billing.periods import Period, today
from billing.services import statement_trouble
from portal import ratelimit, upstream
from portal.models import Brand
from portal.upstream import About, Call, Sent, Value
from portal.voipline import Carrier, RateLimited, Statement, UpstreamError

logger = logging.getLogger(__name__)

AT_ONCE = 4
_PAUSE = 0.1  # Seconds between two looks at a row that another request has claimed.


@dataclass(frozen=True)
class Figures:
    """A statement, or the lack of one.

    `shown` is the period that the statement is of: the one asked for, or the newest known one that stands in.
    `trouble` is `gone`, `refused`, `busy`, `down` or empty; beside a statement it says why there is no newer
    one. `retry_after` is in seconds, where the carrier named a time.
    """

    period: Period
    statement: Statement | None = None
    shown: Period | None = None
    as_of: datetime | None = None
    trouble: str = ""
    retry_after: int | None = None


def figures_read(*, brand: Brand, customer: User | None, period: Period, refresh: bool = False) -> Figures:
    """The figures of one period, of a customer or (None) of the partner account; see `figures_stream`."""
    return next(figures_stream(brand=brand, customer=customer, periods=[period], refresh=refresh))


def figures_stream(
    *,
    brand: Brand,
    customer: User | None,
    periods: Sequence[Period],
    refresh: bool = False,
    within: float | None = None,
    in_all: float | None = None,
) -> Iterator[Figures]:
    """The figures of each period, in order, each as soon as it is there; at most four calls at a time.

    Kept ones are given without a call: for a minute while the period runs, for a day when it is over. With
    `refresh` the first one is asked for in any case. `within` seconds after the first, what is still missing
    is given as it was last known; an answer that comes later is kept for the next time. `in_all` is such a
    bound for all of them, the first included.
    """
    asking = _Asking(brand, customer, periods)
    end = None if in_all is None else time.monotonic() + in_all
    try:
        asking.begin(refresh)
        first, *others = asking.rows
        yield asking.settled(first, end)
        until = end if within is None else time.monotonic() + within
        for row in others:
            yield asking.settled(row, until)
    finally:
        asking.close()


class _Asking:
    """One reader's rows, and the calls that are under way for those it claimed."""

    def __init__(self, brand: Brand, customer: User | None, periods: Sequence[Period]) -> None:
        self.brand, self.customer, self.periods = brand, customer, periods
        self.asked_at, self.day = timezone.now(), today(brand)
        self.rows = kept.rows_of(brand, customer, periods)
        self.flights: dict[int, Future[Sent]] = {}
        self.pool = ThreadPoolExecutor(AT_ONCE) if len(self.rows) > 1 else None

    @cached_property
    def carrier(self) -> Callable[[], Carrier]:
        return upstream.connection(self.brand)

    def begin(self, refresh: bool) -> None:
        """Claim what is not fresh, and start its calls."""
        for number, row in enumerate(self.rows):
            if (refresh and not number) or not kept.is_fresh(row, self.day):
                self._ask(row)

    def _ask(self, row: KeptStatement) -> None:
        longest = timedelta(seconds=2 * settings.CARRIER_TIMEOUTS.total * -(-len(self.rows) // AT_ONCE))
        if not kept.claim(row, timezone.now() + longest):
            return
        try:
            whose = f"customer {self.customer.pk}" if self.customer else f"partner {self.brand.pk}"
            ratelimit.hit(action="statement", network=whose)
        except ratelimit.Limited as limited:
            self.flights[row.pk] = _failed(limited)
            return
        self.flights[row.pk] = self._start(upstream.in_context(self._call(row).send))

    def _start(self, send: Callable[[], Sent]) -> "Future[Sent]":
        if self.pool:
            return self.pool.submit(send)
        done: Future[Sent] = Future()
        done.set_result(send())
        return done

    def _call(self, row: KeptStatement) -> Call:
        period: dict[str, Value] = {"from_date": row.from_date, "to_date": row.to_date}
        if self.customer is None:
            return Call(self.brand, "partner_balance", period, self.carrier)
        values = {"account_number": row.account_number, **period}
        return Call(self.brand, "customer_balance", values, self.carrier, About(self.customer.pk))

    def settled(self, row: KeptStatement, until: float | None) -> Figures:
        """The row's figures, waited for until then; without a limit, as long as a call may last."""
        if row.pk not in self.flights and not self._is_there(row):
            self._wait_for_another(row, until)
        if row.pk not in self.flights:
            return self._known(row, "" if self._is_there(row) else row.trouble or "down")
        flight = self.flights[row.pk]
        try:
            return self._landed(
                row, flight.result(None if until is None else max(0, until - time.monotonic()))
            )
        except TimeoutError:
            return self._known(row, "down")
        except ratelimit.Limited as limited:
            del self.flights[row.pk]
            kept.fail(row, "busy")
            return self._known(row, "busy", limited.retry_after)

    def _landed(self, row: KeptStatement, sent: Sent) -> Figures:
        self.flights.pop(row.pk, None)
        try:
            statement = Statement.from_answer(sent.answer())
        except UpstreamError as error:
            trouble = statement_trouble(error)
            kept.fail(row, trouble)
            return self._known(row, trouble, error.retry_after if isinstance(error, RateLimited) else None)
        if not statement.sums_hold:
            logger.warning("statement does not add up", extra={"brand": self.brand.slug})
        kept.store(row, statement, self.day)
        return self._known(row, "")

    def _is_there(self, row: KeptStatement) -> bool:
        return kept.is_fresh(row, self.day) or bool(row.as_of and row.as_of >= self.asked_at)

    def _wait_for_another(self, row: KeptStatement, until: float | None) -> None:
        """Another request asks for this row: wait for its end, or take its place if it has none."""
        last = time.monotonic() + settings.CARRIER_TIMEOUTS.total + 1
        while time.monotonic() < min(last, until or last):
            time.sleep(_PAUSE)
            row.refresh_from_db(
                fields=["figures", "as_of", "running", "claimed_until", "trouble", "tried_at"]
            )
            if self._is_there(row) or (row.tried_at and row.tried_at >= self.asked_at):
                return
            if row.claimed_until is None or row.claimed_until < timezone.now():
                self._ask(row)
            if row.pk in self.flights:
                return

    def _known(self, row: KeptStatement, trouble: str, retry_after: int | None = None) -> Figures:
        found = row if row.figures is not None or not trouble else kept.stand_in(row, self.day) or row
        shown = Period(found.from_date, found.to_date)
        asked = Period(row.from_date, row.to_date)
        return Figures(asked, kept.statement_of(found), shown, found.as_of, trouble, retry_after)

    def close(self) -> None:
        """Give back what nobody waits for any more; a call that is under way is kept when it ends."""
        for row in self.rows:
            flight = self.flights.get(row.pk)
            if flight is not None and flight.cancel():
                kept.fail(row, "down")
            elif flight is not None:
                flight.add_done_callback(lambda done, row=row: self._land_late(row, done))  # type: ignore[misc]
        if self.pool:
            self.pool.shutdown(wait=False)

    def _land_late(self, row: KeptStatement, done: "Future[Sent]") -> None:
        """In the call's own thread, or at once where it has ended already."""
        own_thread = not done.cancelled() and self.pool is not None
        try:
            self._landed(row, done.result())
        except Exception:
            logger.exception("late figures not kept", extra={"brand": self.brand.slug})
        finally:
            if own_thread:
                connection.close()


def _failed(error: Exception) -> "Future[Sent]":
    flight: Future[Sent] = Future()
    flight.set_exception(error)
    return flight
