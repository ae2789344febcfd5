"""Every limit of the portal, in one table.

What guards a mailbox or a code is counted in the database, so that it holds on any number of workers. The
rest is kept by the `limits` library, in memory or in Redis (`REDIS_URL`).
"""

import logging
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from threading import Lock

from django.conf import settings
from django.utils import timezone
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from portal.crypto import keyed_hash
from portal.models import Attempt, Brand

logger = logging.getLogger(__name__)
_LOCK = Lock()


@dataclass(frozen=True)
class Limit:
    """At most `amount` in `seconds`, per address, or per address and client network."""

    amount: int
    seconds: int
    per_network: bool = False


COUNTED = {
    "sign_in_code": (Limit(3, 15 * 60, per_network=True), Limit(10, 3600), Limit(30, 24 * 3600)),
    "confirm_email": (Limit(5, 15 * 60),),
    "email_change": (Limit(3, 15 * 60), Limit(10, 24 * 3600)),  # Per new address.
    "email_change_by": (Limit(5, 3600), Limit(10, 24 * 3600)),  # Per customer who asks.
    # Of staff only what was wrong is counted. The wide one holds off guesses from everywhere; it is far above
    # what a stranger from one network can use up, so that nobody is locked out by one.
    "staff_password": (Limit(5, 15 * 60, per_network=True), Limit(100, 3600)),
    # Only whoever knows the password gets here. Three codes are good at a time, so 30 tries a day find one
    # with a chance of 0.009 %.
    "staff_code": (Limit(5, 15 * 60), Limit(30, 24 * 3600)),
    "staff_code_from": (Limit(10, 15 * 60),),  # Per client network, whoever it says it is.
}

_LONGEST = timedelta(seconds=max(limit.seconds for limits in COUNTED.values() for limit in limits))

# Per client network; test mails per operator, statements and refreshes per customer or partner account.
KEPT = {
    "captcha_post": "20/minute",  # Forms that carry a captcha token, before anybody is asked about it.
    "sign_in_post": "60/hour",  # Each mails somebody.
    "code_post": "30/minute",
    "admin_sign_in": "20/5minute",  # Whatever is typed; what was wrong is counted apart, see above.
    "test_mail": "10/hour",
    "statement": "60/minute",  # Calls to the carrier; what is kept costs nothing.
    "refresh": "6/minute",
    "pdf": "20/minute",
}


class Limited(Exception):
    """Too many; `retry_after` is in whole seconds."""

    def __init__(self, action: str, retry_after: int) -> None:
        super().__init__(f"{action}: too many, again in {retry_after} s")
        self.retry_after = max(1, retry_after)


def count(*, brand: Brand | None, action: str, email: str, network: str) -> Attempt:
    """Count one attempt for an address; the brand is None in the admin. Raises Limited.

    A refused attempt is not counted.

    The row is written first and counted after, outside any transaction: of many at the same moment each
    sees those before it, so no more than the limit get through.
    """
    address = keyed_hash("attempt", brand.pk if brand else "admin", email.casefold())
    prune()
    attempt = Attempt.objects.create(action=action, address=address, network=network, at=timezone.now())
    for limit in COUNTED[action]:
        if retry_after := _exceeded(attempt, limit):
            attempt.delete()
            logger.warning(
                "limit reached", extra={"brand": brand.slug if brand else "admin", "action": action}
            )
            raise Limited(action, retry_after)
    return attempt


def prune() -> int:
    """Remove tries that no limit counts any more; how many."""
    return Attempt.objects.filter(at__lt=timezone.now() - _LONGEST).delete()[0]


def _exceeded(attempt: Attempt, limit: Limit) -> int:
    """Seconds until there is room again; 0 while there is room."""
    window = Attempt.objects.filter(
        action=attempt.action, address=attempt.address, at__gt=attempt.at - timedelta(seconds=limit.seconds)
    )
    if limit.per_network:
        window = window.filter(network=attempt.network)
    times = list(window.order_by("-at", "-pk").values_list("at", flat=True)[: limit.amount + 1])
    if len(times) <= limit.amount:
        return 0
    return int((times[-2] - attempt.at).total_seconds()) + limit.seconds + 1


def hit(*, action: str, network: str) -> None:
    """Count one request of a client network. Raises Limited; also when the store cannot be reached."""
    try:
        # In memory, two first hits at once would start the library's one timer twice.
        with nullcontext() if settings.REDIS_URL else _LOCK:
            allowed = _limiter().hit(_item(action), action, network)
    except StorageError as error:
        logger.error("limit store unreachable", extra={"action": action, "error": type(error).__name__})
        raise Limited(action, 60) from error
    if not allowed:
        logger.warning("limit reached", extra={"action": action})
        raise Limited(action, _item(action).get_expiry())


@lru_cache(maxsize=1)
def _limiter() -> MovingWindowRateLimiter:
    return MovingWindowRateLimiter(
        storage_from_string(settings.REDIS_URL or "memory://", wrap_exceptions=True)
    )


@lru_cache(maxsize=16)
def _item(action: str) -> RateLimitItem:
    return parse(KEPT[action])


def forget() -> None:
    """Empty the kept counters; for tests."""
    _limiter().storage.reset()
