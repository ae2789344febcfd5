"""The only bridge between Django and the carrier's client: a brand in, an answer or UpstreamError out."""

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
    """For journal and breaker: the key of the user whom a call concerns, and the operation of a move."""

    customer: int | None = None
    operation: str = ""


NOBODY = CallContext()
PARTNER = "partner"  # The account of calls that concern no customer, for the breaker.


@dataclass(frozen=True)
class Call:
    """One call made ready. `send` touches no database, so that a thread of its own may do it."""

    brand: Brand
    method: str
    values: Mapping[str, Value] = field(repr=False)
    carrier: Callable[[], Carrier] = field(repr=False)
    about: CallContext = NOBODY

    def send(self) -> "CallResult":
        """Make the call, unless the breaker is open; it ends within 15 seconds, whatever comes of it."""
        asked, began = timezone.now(), time.monotonic()
        guard = circuit_breaker.get_breaker(self.brand)
        try:
            turn = guard.begin(self._account)
        except circuit_breaker.Open as wait:
            return self.spared(BreakerOpen(self.method, "the last calls failed", retry_after=wait.seconds))
        outcome, how = self._made()
        guard.end(turn, how)
        return CallResult(self, outcome, round((time.monotonic() - began) * 1000), asked, timezone.now())

    def _made(self) -> tuple[Answer | UpstreamError, How]:
        try:
            answer = voipline_call(self.carrier(), self.method, **self.values)
        except (SecretUnreadable, ValueError) as error:
            return Unreachable(self.method, None, f"{self.method}: nothing was sent: {error}"), How.NOT_MADE
        except UpstreamError as error:
            return error, _how(error)
        return answer, How.ANSWERED

    @property
    def _account(self) -> str | None:
        """Whose account the call concerns, for the breaker; None for a form, which anybody can make fail."""
        is_form = "google_captcha" in METHODS[self.method].parameters
        return None if is_form else str(self.about.customer or PARTNER)

    def spared(self, why: CallSkipped) -> "CallResult":
        """What `send` would give, had it been made and ended like that."""
        now = timezone.now()
        return CallResult(self, why, 0, now, now)


@dataclass(frozen=True)
class CallResult:
    """A call that has been made, how it ended, and when: `asked` at its beginning, `at` at its end."""

    call: Call
    outcome: Answer | UpstreamError
    milliseconds: int
    asked: datetime
    at: datetime

    def answer(self) -> Answer:
        """Write the call into log and journal, and give its answer. Raises UpstreamError."""
        error = self.outcome if isinstance(self.outcome, UpstreamError) else None
        name, status = (type(error).__name__, error.status) if error else ("ok", 200)
        _log(self.call, name, status, self.milliseconds, error.message if error else "")
        labels = self.call.brand.slug, self.call.method
        metrics.CALLS.labels(*labels, name).inc()
        if not isinstance(error, CallSkipped):  # Else no call was made; log and metrics say so.
            metrics.CALL_SECONDS.labels(*labels).observe(self.milliseconds / 1000)
            self._journal(name, status)
        if isinstance(self.outcome, UpstreamError):
            raise self.outcome
        return self.outcome

    def _journal(self, outcome: str, status: int | None) -> None:
        log_call(
            CarrierCall(
                brand=self.call.brand,
                customer_id=self.call.about.customer,
                method=self.call.method,
                outcome=outcome,
                status=status,
                milliseconds=self.milliseconds,
                operation=self.call.about.operation,
                reference=request_id.current.get(),
                at=self.at,
            )
        )


def carrier_of(brand: Brand) -> Carrier:
    """The brand's connection. Raises SecretUnreadable, MappingError or ValueError if it is not usable."""
    return Carrier(
        url=brand.carrier_url,
        key=Secret(brand.reveal("carrier_key")),
        methods=brand.methods(),
        codes=brand.codes(),
        timeouts=settings.CARRIER_TIMEOUTS,
        reach=settings.CARRIER_REACH,
    )


def connection(brand: Brand) -> Callable[[], Carrier]:
    """The brand's connection, read now: it can be used by any thread, and raises only when it is used."""
    try:
        carrier = carrier_of(brand)
    except (SecretUnreadable, ValueError) as error:
        problem = error

        def unusable() -> Carrier:
            raise problem

        return unusable
    return lambda: carrier


def call(about: CallContext = NOBODY, /, *, brand: Brand, method: str, **values: Value) -> Answer:
    """Call one of the seven methods for a brand; it returns within 15 seconds, on a place of the bulkhead.

    Raises UpstreamError. What cannot be sent, because of the brand's configuration or because a value is
    none that the carrier takes, is logged for the operator and reported as Unreachable: nothing was sent.
    """
    made = Call(brand, method, values, connection(brand), about)
    try:
        with bulkhead.CARRIERS.slot(brand):
            sent = made.send()
    except bulkhead.BulkheadFull:
        why = "too many are waiting on carriers"
        sent = made.spared(Crowded(method, why, retry_after=BUSY))
    return sent.answer()


def _how(error: UpstreamError) -> How:
    """What an error says of the carrier as a whole: a refusal, or a wrong shape, is an answer."""
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
