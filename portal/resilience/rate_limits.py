"""All rate limits of the portal, and the functions that count against them.

Limits that protect a mailbox or a code (`DB_LIMITS`) are counted in the database, so that they hold for any
number of workers. The others (`REDIS_LIMITS`) are counted by the `limits` library, in memory or in Redis
(`REDIS_URL`). Browsers that have signed in with an address before are counted apart from strangers
(`accounts.sign_in.device_cookies`), who cannot lock them out.
"""

import logging
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from threading import Lock

from django.conf import settings
from django.db.models import QuerySet
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
_MEMORY_LOCK = Lock()


@dataclass(frozen=True)
class Limit:
    """At most `amount` in `seconds`, per mailbox, or per mailbox and client network.

    `unredeemed`: attempts that led to a sign-in are not counted, so that users can sign in on many devices.
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
    # The carrier emails these addresses, so attempts that certainly sent no email are not counted. The daily
    # limit is what one mailbox can bear. The hourly one stops strangers from three networks from using it up.
    "reset": (Limit(3, 15 * 60, per_network=True), Limit(10, 3600), Limit(20, 24 * 3600)),
    "sign_up": (Limit(3, 15 * 60, per_network=True), Limit(10, 3600), Limit(20, 24 * 3600)),
    "email_change": (Limit(3, 15 * 60), Limit(10, 24 * 3600)),  # Per new address.
    "email_change_by": (Limit(5, 3600), Limit(10, 24 * 3600)),  # Per customer.
    # For staff only wrong passwords are counted. The second limit stops guesses from many networks. It is far
    # above what a stranger from one network can use up, so one stranger cannot lock staff out.
    "staff_password": (Limit(5, 15 * 60, per_network=True), Limit(100, 3600)),
    # Only users who know the password get here. Three codes are valid at a time, so 30 attempts a day find
    # one with a chance of 0.009 %. Known browsers have passed both steps before; all together have 60 more.
    "staff_code": (Limit(5, 15 * 60), Limit(30, 24 * 3600)),
    "staff_code_from": (Limit(10, 15 * 60),),  # Per client network or known browser, for all users.
}

# All known browsers of a mailbox together have this multiple of the limit of one. So a stolen browser leaves
# room for another, and an attacker who keeps adding browsers meets a limit.
_ALL_KNOWN_BROWSERS = 2

_LONGEST_WINDOW = timedelta(seconds=max(limit.seconds for limits in DB_LIMITS.values() for limit in limits))

# Per scope, the narrowest first: a request that exceeds its own limit uses up nothing of the shared ones.
# `network` is the client's network, or instead a known browser or a signed-in customer. `account` is a
# customer, a partner account or an operator. `all` is the whole installation. A few networks or accounts must
# not reach a shared limit, and it must still be lower than what a carrier tolerates: the limit of a brand is
# ten to twenty times a narrow one, and `all` is what three brands may use.
REDIS_LIMITS: dict[str, dict[str, str]] = {
    # Links in the carrier's emails. Each begins a session and makes no external call.
    "confirm_link": {"network": "20/minute", "brand": "200/minute", "all": "600/minute"},
    "captcha_post": {"network": "20/minute"},  # Forms with a captcha token, before it is verified.
    # Strangers' forms that are about to reach the carrier; then customers', which strangers cannot use up.
    "carrier_form": {"brand": "200/minute", "all": "600/minute"},
    "account_open": {"account": "10/minute", "brand": "200/minute", "all": "600/minute"},
    "sign_in_post": {"network": "60/hour"},  # Each may send an email.
    # Emails sent, except to known browsers: strangers cannot damage the sender's reputation.
    "sign_in_mail": {"brand": "3000/hour", "all": "9000/hour"},
    "code_post": {"network": "30/minute"},
    # Right or wrong; wrong passwords and codes are also counted above.
    "admin_sign_in": {"network": "20/5minute"},
    "test_mail": {"account": "10/hour"},
    # Calls for statements; cached ones are not counted. A brand's limit is enough for a hundred new readers a
    # minute who open twelve months each.
    "statement": {"account": "60/minute", "brand": "1200/minute", "all": "3600/minute"},
    "refresh": {"account": "6/minute"},
    "pdf": {"account": "20/minute"},
}

# Allowed without a count while Redis is down: reading, and actions of operators.
_FAIL_OPEN = {"statement", "refresh", "pdf", "test_mail"}


class Limited(Exception):
    """Too many requests. `retry_after` is in whole seconds."""

    def __init__(self, action: str, retry_after: int) -> None:
        super().__init__(f"{action}: too many, again in {retry_after} s")
        self.retry_after = max(1, retry_after)
        metrics.LIMITED.labels(action).inc()


class LimitUnavailable(Limited):
    """Redis does not answer, so the limit cannot be checked. Nothing was done."""


def record_attempt(
    *, brand: Brand | None, action: str, email: str, network: str, device: str = ""
) -> Attempt:
    """Count one attempt for an address. The brand is None in the admin. Raise Limited if there are too many.

    With `device` (see `accounts.sign_in.device_cookies`) the attempt counts for that browser and for the
    other known browsers of the mailbox, but not for strangers. A refused attempt is not counted.

    The row is written first and counted afterwards, outside any transaction: of concurrent attempts each sees
    those before it, so no more than the limit get through.
    """
    address = _address(brand, email, known=bool(device))
    prune_attempts()
    attempt = Attempt.objects.create(
        action=action, address=address, network=device or network, at=timezone.now()
    )
    for limit in _known_browser_limits(DB_LIMITS[action]) if device else DB_LIMITS[action]:
        if retry_after := _seconds_until_allowed(attempt, limit):
            attempt.delete()
            logger.warning(
                "limit reached", extra={"brand": brand.slug if brand else "admin", "action": action}
            )
            raise Limited(action, retry_after)
    return attempt


def _address(brand: Brand | None, email: str, *, known: bool) -> str:
    """Return the key under which attempts count: those of known browsers apart from those of strangers."""
    key = (mailbox_key(email), "known") if known else (mailbox_key(email),)
    return keyed_hash("attempt", brand.pk if brand else "admin", *key)


def limited_until(*, brand: Brand, action: str, email: str) -> datetime | None:
    """Return until when some browser cannot make another attempt for this address; None if all can."""
    rows = Attempt.objects.filter(action=action)
    ends = [
        end
        for known in (False, True)
        for limit in (_known_browser_limits(DB_LIMITS[action]) if known else DB_LIMITS[action])
        for end in _ends(rows.filter(address=_address(brand, email, known=known)), limit)
    ]
    return max(ends, default=None)


def _ends(rows: QuerySet[Attempt], limit: Limit) -> Iterator[datetime]:
    """Yield when this limit ends, for each network that has reached it."""
    rows = rows.filter(at__gt=timezone.now() - timedelta(seconds=limit.seconds))
    if limit.unredeemed:
        rows = rows.filter(redeemed=False)
    times: dict[str, list[datetime]] = {}
    for network, at in rows.order_by("-at").values_list("network", "at"):
        times.setdefault(network if limit.per_network else "", []).append(at)
    for each in times.values():
        if len(each) >= limit.amount:
            yield each[limit.amount - 1] + timedelta(seconds=limit.seconds)


def lift(*, brand: Brand, action: str, email: str) -> int:
    """Forget the attempts for this address, so that it has all of its tries again. Return their number."""
    addresses = [_address(brand, email, known=known) for known in (False, True)]
    return Attempt.objects.filter(action=action, address__in=addresses).delete()[0]


def _known_browser_limits(limits: tuple[Limit, ...]) -> tuple[Limit, ...]:
    """Return the limits of each known browser, then those of all known browsers of the mailbox together."""
    each = [replace(limit, per_network=True) for limit in limits]
    shared = [limit for limit in limits if not limit.per_network]
    together = [replace(limit, amount=limit.amount * _ALL_KNOWN_BROWSERS) for limit in shared]
    return (*each, *together)


def prune_attempts() -> int:
    """Delete attempts that no limit counts any more. Return how many."""
    return Attempt.objects.filter(at__lt=timezone.now() - _LONGEST_WINDOW).delete()[0]


def _seconds_until_allowed(attempt: Attempt, limit: Limit) -> int:
    """Return the seconds until another attempt is allowed; 0 if this one is."""
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
    """Count one request in each scope of the action that is given here, and in `all`. Raise Limited.

    While Redis is down, raise LimitUnavailable, except for the actions in `_FAIL_OPEN`.
    """
    keys = {"network": network, "account": account, "brand": str(brand.pk) if brand else "", "all": "all"}
    try:
        for scope, limit in REDIS_LIMITS[action].items():
            if keys[scope] and not _hit(_parse_limit(limit), action, scope, keys[scope]):
                logger.warning("limit reached", extra={"action": action, "scope": scope})
                raise Limited(action, _parse_limit(limit).get_expiry())
    except redis_guard.Unreachable as error:
        if action not in _FAIL_OPEN:
            raise LimitUnavailable(action, 60) from error


def _hit(limit: RateLimitItem, *key: str) -> bool:
    url = settings.REDIS_URL
    # In memory, two first hits at the same time would start the library's timer twice.
    with nullcontext() if url else _MEMORY_LOCK:
        return redis_guard.call(lambda: _limiter(url).hit(limit, *key))


@cache
def _limiter(url: str) -> MovingWindowRateLimiter:
    options = settings.REDIS_OPTIONS if url else {}
    return MovingWindowRateLimiter(storage_from_string(url or "memory://", **options))


_parse_limit = cache(parse)


def forget() -> None:
    """Reset the counters in memory or in Redis. For tests."""
    _limiter(settings.REDIS_URL).storage.reset()
