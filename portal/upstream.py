"""The only bridge between Django and the carrier's client: a brand in, an answer or UpstreamError out."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from django.conf import settings
from django.utils import timezone

from portal import reference
from portal.crypto import SecretUnreadable
from portal.journal import CarrierCall, journal_write
from portal.models import Brand
from portal.voipline import Answer, Carrier, Secret, Unreachable, UpstreamError
from portal.voipline import call as voipline_call

logger = logging.getLogger(__name__)

Value = str | Decimal | date | None


@dataclass(frozen=True)
class About:
    """For the journal alone: the key of the user whom a call concerns, and the operation of a move."""

    customer: int | None = None
    operation: str = ""


NOBODY = About()


@dataclass(frozen=True)
class Call:
    """One call made ready. `send` touches no database, so that a thread of its own may do it."""

    brand: Brand
    method: str
    values: Mapping[str, Value] = field(repr=False)
    carrier: Callable[[], Carrier] = field(repr=False)
    about: About = NOBODY

    def send(self) -> "Sent":
        """Make the call; it ends within 15 seconds, and never raises UpstreamError."""
        asked, began = timezone.now(), time.monotonic()
        outcome: Answer | UpstreamError
        try:
            outcome = voipline_call(self.carrier(), self.method, **self.values)
        except (SecretUnreadable, ValueError) as error:
            outcome = Unreachable(self.method, None, f"{self.method}: nothing was sent: {error}")
        except UpstreamError as error:
            outcome = error
        return Sent(self, outcome, round((time.monotonic() - began) * 1000), asked, timezone.now())


@dataclass(frozen=True)
class Sent:
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
        journal_write(
            CarrierCall(
                brand=self.call.brand,
                customer_id=self.call.about.customer,
                method=self.call.method,
                outcome=name,
                status=status,
                milliseconds=self.milliseconds,
                operation=self.call.about.operation,
                reference=reference.current.get(),
                at=self.at,
            )
        )
        if isinstance(self.outcome, UpstreamError):
            raise self.outcome
        return self.outcome


def carrier_of(brand: Brand) -> Carrier:
    """The brand's connection. Raises SecretUnreadable, MappingError or ValueError if it is not usable."""
    return Carrier(
        url=brand.carrier_url,
        key=Secret(brand.reveal("carrier_key")),
        methods=brand.methods(),
        codes=brand.codes(),
        timeouts=settings.CARRIER_TIMEOUTS,
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


def call(about: About = NOBODY, /, *, brand: Brand, method: str, **values: Value) -> Answer:
    """Call one of the seven methods for a brand; it returns within 15 seconds.

    Raises UpstreamError. What cannot be sent, because of the brand's configuration or because a value is
    none that the carrier takes, is logged for the operator and reported as Unreachable: nothing was sent.
    """
    return Call(brand, method, values, connection(brand), about).send().answer()


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
