"""The only bridge between Django and the carrier's client: a brand in, an answer or UpstreamError out."""

import logging
import time
from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from django.conf import settings

from portal.crypto import SecretUnreadable
from portal.models import Brand
from portal.voipline import Answer, Carrier, Secret, Unreachable, UpstreamError
from portal.voipline import call as voipline_call

logger = logging.getLogger(__name__)

Value = str | Decimal | date | None


def carrier_of(brand: Brand) -> Carrier:
    """The brand's connection. Raises SecretUnreadable, MappingError or ValueError if it is not usable."""
    return Carrier(
        url=brand.carrier_url,
        key=Secret(brand.reveal("carrier_key")),
        methods=brand.methods(),
        codes=brand.codes(),
        timeouts=settings.CARRIER_TIMEOUTS,
    )


def call(*, brand: Brand, method: str, **values: Value) -> Answer:
    """Call one of the seven methods for a brand; it returns within 15 seconds.

    Raises UpstreamError. What cannot be sent, because of the brand's configuration or because a value is
    none that the carrier takes, is logged for the operator and reported as Unreachable: nothing was sent.
    """
    began = time.monotonic()
    try:
        answer = _call(brand, method, values)
    except UpstreamError as error:
        _log(brand, method, type(error).__name__, error.status, began, error.message)
        raise
    _log(brand, method, "ok", 200, began)
    return answer


def _call(brand: Brand, method: str, values: Mapping[str, Value]) -> Answer:
    try:
        return voipline_call(carrier_of(brand), method, **values)
    except (SecretUnreadable, ValueError) as error:
        raise Unreachable(method, None, f"{method}: nothing was sent: {error}") from error


def _log(brand: Brand, method: str, outcome: str, status: int | None, began: float, why: str = "") -> None:
    logger.log(
        logging.WARNING if why else logging.INFO,
        "carrier call",
        extra={
            "brand": brand.slug,
            "method": method,
            "outcome": outcome,
            "status": status,
            "milliseconds": round((time.monotonic() - began) * 1000),
            **({"why": why} if why else {}),
        },
    )
