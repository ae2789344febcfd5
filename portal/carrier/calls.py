"""Call the carrier for a brand. The only module that connects Django with the carrier's client."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from django.conf import settings
from django.utils import timezone

from portal.carrier.call_log import log_call
from portal.models import Brand, CarrierCall
from portal.monitoring import metrics
from portal.resilience import bulkhead, circuit_breaker
from portal.resilience.circuit_breaker import How
from portal.security.crypto import SecretUnreadable
from portal.voipline import (
    METHODS,
    Answer,
    BreakerOpen,
    CallSkipped,
    Carrier,
    Crowded,
    NoAnswer,
    Secret,
    ServerError,
    Unreachable,
    UpstreamError,
)
from portal.voipline import call as voipline_call
from portal.web import request_id
from portal.web.retry import BUSY

logger = logging.getLogger(__name__)

Value = str | Decimal | date | None


@dataclass(frozen=True)
class CallContext:
    """Context of a call for its log and the circuit breaker: primary key of the user, operation of a move."""

    customer: int | None = None
    operation: str = ""


NO_CONTEXT = CallContext()
PARTNER = "partner"  # The breaker's account name for calls that concern no customer.


@dataclass(frozen=True)
class Call:
    """A call ready to be sent. `send` does not use the database, so it may run in another thread."""

    brand: Brand
    method: str
    values: Mapping[str, Value] = field(repr=False)
    carrier: Callable[[], Carrier] = field(repr=False)
    context: CallContext = NO_CONTEXT

    def send(self) -> "CallResult":
        """Make the call, unless the breaker is open. Return within 15 seconds in any case."""
        started_at, start = timezone.now(), time.monotonic()
        breaker = circuit_breaker.get_breaker(self.brand)
        try:
            turn = breaker.begin(self._account)
        except circuit_breaker.Open as error:
            return self.skipped(BreakerOpen(self.method, "the last calls failed", retry_after=error.seconds))
        outcome, how = self._call_client()
        breaker.end(turn, how)
        return CallResult(self, outcome, round((time.monotonic() - start) * 1000), started_at, timezone.now())

    def _call_client(self) -> tuple[Answer | UpstreamError, How]:
        try:
            answer = voipline_call(self.carrier(), self.method, **self.values)
        except (SecretUnreadable, ValueError) as error:
            return Unreachable(self.method, None, f"{self.method}: nothing was sent: {error}"), How.NOT_MADE
        except UpstreamError as error:
            return error, _how(error)
        return answer, How.ANSWERED

    @property
    def _account(self) -> str | None:
        """The account for the breaker; None for a form, since any visitor can make one fail."""
        is_form = "google_captcha" in METHODS[self.method].parameters
        return None if is_form else str(self.context.customer or PARTNER)

    def skipped(self, error: CallSkipped) -> "CallResult":
        """Return the result of this call if it is not made, with `error` as its outcome."""
        now = timezone.now()
        return CallResult(self, error, 0, now, now)


@dataclass(frozen=True)
class CallResult:
    """A finished call and its outcome. It began at `started_at` and ended at `at`."""

    call: Call
    outcome: Answer | UpstreamError
    milliseconds: int
    started_at: datetime
    at: datetime

    def answer(self) -> Answer:
        """Log and store the call and return its answer. Raise UpstreamError if it failed."""
        error = self.outcome if isinstance(self.outcome, UpstreamError) else None
        name, status = (type(error).__name__, error.status) if error else ("ok", 200)
        _log(self.call, name, status, self.milliseconds, error.message if error else "")
        labels = self.call.brand.slug, self.call.method
        metrics.CALLS.labels(*labels, name).inc()
        if not isinstance(error, CallSkipped):  # A skipped call is only in the log and the counter.
            metrics.CALL_SECONDS.labels(*labels).observe(self.milliseconds / 1000)
            self._store(name, status)
        if isinstance(self.outcome, UpstreamError):
            raise self.outcome
        return self.outcome

    def _store(self, outcome: str, status: int | None) -> None:
        log_call(
            CarrierCall(
                brand=self.call.brand,
                customer_id=self.call.context.customer,
                method=self.call.method,
                outcome=outcome,
                status=status,
                milliseconds=self.milliseconds,
                operation=self.call.context.operation,
                reference=request_id.current.get(),
                at=self.at,
            )
        )


def build_carrier(brand: Brand) -> Carrier:
    """Return the client's settings for the brand. Raise SecretUnreadable, MappingError or ValueError."""
    return Carrier(
        url=brand.carrier_url,
        key=Secret(brand.reveal("carrier_key")),
        methods=brand.methods(),
        codes=brand.codes(),
        timeouts=settings.CARRIER_TIMEOUTS,
        reach=settings.CARRIER_REACH,
    )


def prepare_carrier(brand: Brand) -> Callable[[], Carrier]:
    """Read the client's settings now and return a function that returns them, or raises, in any thread."""
    try:
        carrier = build_carrier(brand)
    except (SecretUnreadable, ValueError) as error:
        reason = error

        def fail() -> Carrier:
            raise reason

        return fail
    return lambda: carrier


def call(context: CallContext = NO_CONTEXT, /, *, brand: Brand, method: str, **values: Value) -> Answer:
    """Call one of the seven methods for a brand, in a slot of the bulkhead. Return within 15 seconds.

    Raise UpstreamError. A call that cannot be sent, because of the brand's configuration or an invalid
    value, is logged for the operator and raised as Unreachable: nothing was sent.
    """
    prepared = Call(brand, method, values, prepare_carrier(brand), context)
    try:
        with bulkhead.CARRIERS.slot(brand):
            result = prepared.send()
    except bulkhead.BulkheadFull:
        why = "too many are waiting on carriers"
        result = prepared.skipped(Crowded(method, why, retry_after=BUSY))
    return result.answer()


def _how(error: UpstreamError) -> How:
    """Return the result for the breaker: a refusal or an answer of the wrong shape counts as an answer."""
    if isinstance(error, CallSkipped):
        return How.NOT_MADE
    if isinstance(error, Unreachable):
        return How.UNREACHED
    return How.FAILED if isinstance(error, NoAnswer | ServerError) else How.ANSWERED


def _log(call: Call, outcome: str, status: int | None, milliseconds: int, why: str) -> None:
    logger.log(
        logging.WARNING if why else logging.INFO,
        "carrier call",
        extra={
            "brand": call.brand.slug,
            "method": call.method,
            "outcome": outcome,
            "status": status,
            "milliseconds": milliseconds,
            **({"why": why} if why else {}),
        },
    )
