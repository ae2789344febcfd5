"""Every limit of the portal, in one table.

What guards a mailbox or a code is counted in the database, so that it holds on any number of workers. The
rest is kept by the `limits` library, in memory or in Redis (`REDIS_URL`). Browsers that have signed in with
an address before are counted apart from strangers (`accounts.sign_in.device_cookies`), who cannot lock them
out.
"""

import logging
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from threading import Lock

from django.conf import settings
from django.utils import timezone
from limits import RateLimitItem, parse
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from portal.core.email_addresses import mailbox_key
from portal.models import Attempt, Brand
from portal.monitoring import metrics
from portal.resilience import redis_guard
from portal.security.crypto import keyed_hash

logger = logging.getLogger(__name__)
_LOCK = Lock()


@dataclass(frozen=True)
class Limit:
    """At most `amount` in `seconds`, per mailbox, or per mailbox and client network.

    `unredeemed`: what led to a sign-in is not counted any more, so that somebody with many devices gets on.
    """

    amount: int
    seconds: int
    per_network: bool = False
    unredeemed: bool = False


DB_LIMITS = {
    "sign_in_code": (
        Limit(3, 15 * 60, per_network=True, unredeemed=True),
        Limit(10, 3600),
        Limit(30, 24 * 3600),
    ),
    "confirm_email": (Limit(5, 15 * 60),),
    # The carrier mails these addresses, so what surely mailed nobody is not counted. The day's limit is what
    # one mailbox bears; the hour's leaves strangers from three networks unable to use it up.
    "reset": (Limit(3, 15 * 60, per_network=True), Limit(10, 3600), Limit(20, 24 * 3600)),
    "sign_up": (Limit(3, 15 * 60, per_network=True), Limit(10, 3600), Limit(20, 24 * 3600)),
    "email_change": (Limit(3, 15 * 60), Limit(10, 24 * 3600)),  # Per new address.
    "email_change_by": (Limit(5, 3600), Limit(10, 24 * 3600)),  # Per customer who asks.
    # Of staff only what was wrong is counted. The wide one holds off guesses from everywhere; it is far above
    # what a stranger from one network can use up, so that nobody is locked out by one.
    "staff_password": (Limit(5, 15 * 60, per_network=True), Limit(100, 3600)),
    # Only whoever knows the password gets here. Three codes are good at a time, so 30 tries a day find one
    # with a chance of 0.009 %. In browsers that are known both steps have been taken before; all of those
    # together have sixty more.
    "staff_code": (Limit(5, 15 * 60), Limit(30, 24 * 3600)),
    "staff_code_from": (Limit(10, 15 * 60),),  # Per client network or known browser, whoever it says it is.
}

# All known browsers of a mailbox together may do so many times what one of them may: so one in wrong hands
# leaves room for another, and whoever makes ever new ones meets a limit.
_TOGETHER = 2

_LONGEST = timedelta(seconds=max(limit.seconds for limits in DB_LIMITS.values() for limit in limits))

# Per scope, the narrowest first: whoever is refused by an own limit uses up nothing of those shared with
# others. `network` is the client's, or in its place a known browser or a customer who is signed in; `account`
# a customer, a partner account or an operator; `all` is the whole installation. A wide limit must be out of
# reach of one network or account, also of a handful, and still less than what a carrier minds: that of a
# brand is ten to twenty times a narrow one, that of all is what three brands may use.
REDIS_LIMITS: dict[str, dict[str, str]] = {
    # Links of the carrier's mail; each begins a session, and nothing is asked of anybody.
    "confirm_link": {"network": "20/minute", "brand": "200/minute", "all": "600/minute"},
    "captcha_post": {"network": "20/minute"},  # Forms with a captcha token, before anybody is asked about it.
    # Those of strangers that are about to reach the carrier; and those of customers, out of their reach.
    "carrier_form": {"brand": "200/minute", "all": "600/minute"},
    "account_open": {"account": "10/minute", "brand": "200/minute", "all": "600/minute"},
    "sign_in_post": {"network": "60/hour"},  # Each mails somebody.
    # Those of them that do, but for known browsers: strangers cannot spoil the good name of the sender.
    "sign_in_mail": {"brand": "3000/hour", "all": "9000/hour"},
    "code_post": {"network": "30/minute"},
    # Whatever is typed; what was wrong is counted apart, see above.
    "admin_sign_in": {"network": "20/5minute"},
    "test_mail": {"account": "10/hour"},
    # Calls for figures; what is kept costs nothing. Twelve months of a hundred new readers a minute fit in.
    "statement": {"account": "60/minute", "brand": "1200/minute", "all": "3600/minute"},
    "refresh": {"account": "6/minute"},
    "pdf": {"account": "20/minute"},
}

# What goes on while the store is down: reading, and what operators alone can do.
_OPEN = {"statement", "refresh", "pdf", "test_mail"}


class Limited(Exception):
    """Too many; `retry_after` is in whole seconds."""

    def __init__(self, action: str, retry_after: int) -> None:
        super().__init__(f"{action}: too many, again in {retry_after} s")
        self.retry_after = max(1, retry_after)
        metrics.LIMITED.labels(action).inc()


class LimitUnavailable(Limited):
    """The store does not answer, so nobody can tell whether it is too many, and nothing was done."""


def record_attempt(
    *, brand: Brand | None, action: str, email: str, network: str, device: str = ""
) -> Attempt:
    """Count one attempt for an address; the brand is None in the admin. Raises Limited.

    With `device` (see `accounts.sign_in.device_cookies`) it counts among those of that browser, and of the
    other known browsers of the mailbox, but not among strangers'. A refused attempt is not counted.

    The row is written first and counted after, outside any transaction: of many at the same moment each
    sees those before it, so no more than the limit get through.
    """
    whose = (mailbox_key(email), "known") if device else (mailbox_key(email),)
    address = keyed_hash("attempt", brand.pk if brand else "admin", *whose)
    prune_attempts()
    attempt = Attempt.objects.create(
        action=action, address=address, network=device or network, at=timezone.now()
    )
    for limit in _of_known(DB_LIMITS[action]) if device else DB_LIMITS[action]:
        if retry_after := _exceeded(attempt, limit):
            attempt.delete()
            logger.warning(
                "limit reached", extra={"brand": brand.slug if brand else "admin", "action": action}
            )
            raise Limited(action, retry_after)
    return attempt


def _of_known(limits: tuple[Limit, ...]) -> tuple[Limit, ...]:
    """The same for known browsers: what holds for each of them, then what holds for all together."""
    each = [replace(limit, per_network=True) for limit in limits]
    together = [replace(limit, amount=limit.amount * _TOGETHER) for limit in limits if not limit.per_network]
    return (*each, *together)


def prune_attempts() -> int:
    """Remove tries that no limit counts any more; how many."""
    return Attempt.objects.filter(at__lt=timezone.now() - _LONGEST).delete()[0]


def _exceeded(attempt: Attempt, limit: Limit) -> int:
    """Seconds until there is room again; 0 while there is room."""
    window = Attempt.objects.filter(
        action=attempt.action, address=attempt.address, at__gt=attempt.at - timedelta(seconds=limit.seconds)
    )
    if limit.per_network:
        window = window.filter(network=attempt.network)
    if limit.unredeemed:
        window = window.filter(redeemed=False)
    times = list(window.order_by("-at", "-pk").values_list("at", flat=True)[: limit.amount + 1])
    if len(times) <= limit.amount:
        return 0
    return int((times[-2] - attempt.at).total_seconds()) + limit.seconds + 1


def consume(*, action: str, network: str = "", account: str = "", brand: Brand | None = None) -> None:
    """Count one request in each scope of the action that is named here, and in that of all. Raises Limited.

    While the store is down it raises Unchecked, or lets through what only reads.
    """
    whose = {"network": network, "account": account, "brand": str(brand.pk) if brand else "", "all": "all"}
    try:
        for scope, limit in REDIS_LIMITS[action].items():
            if whose[scope] and not _allowed(_item(limit), action, scope, whose[scope]):
                logger.warning("limit reached", extra={"action": action, "scope": scope})
                raise Limited(action, _item(limit).get_expiry())
    except redis_guard.Unreachable as error:
        if action not in _OPEN:
            raise LimitUnavailable(action, 60) from error


def _allowed(item: RateLimitItem, *whose: str) -> bool:
    url = settings.REDIS_URL
    # In memory, two first hits at once would start the library's one timer twice.
    with nullcontext() if url else _LOCK:
        return redis_guard.call(lambda: _limiter(url).hit(item, *whose))


@cache
def _limiter(url: str) -> MovingWindowRateLimiter:
    options = settings.REDIS_OPTIONS if url else {}
    return MovingWindowRateLimiter(storage_from_string(url or "memory://", **options))


_item = cache(parse)


def forget() -> None:
    """Empty the kept counters; for tests."""
    _limiter(settings.REDIS_URL).storage.reset()
