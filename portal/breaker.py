"""A circuit breaker per brand: a carrier that fails five calls in a row is left alone for half a minute.

Then one call at a time tries again; the first that is answered closes the breaker. A refusal (4xx) or an
answer of another shape is an answer: it says nothing about the next call. The state is in Redis, where there
is one, and so the same for all workers and nodes; else, and while Redis is down, each process has its own.

pybreaker keeps count. Its own way of making a call holds a lock until the call has ended, so that one brand's
calls would be made one by one: it is told how calls ended instead.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from django.conf import settings
from pybreaker import (
    CircuitBreaker,
    CircuitBreakerError,
    CircuitBreakerListener,
    CircuitMemoryStorage,
    CircuitRedisStorage,
)
from redis import Redis, RedisError

from portal import store
from portal.models import Brand

logger = logging.getLogger(__name__)

FAILURES = 5
SECONDS = 30
_PROBE = 20  # Seconds for which nobody else tries; longer than any call.
RETRY_AFTER = 5  # Seconds after which to come again while another call tries.


class _Failed(Exception):
    """What pybreaker is told of a failed call."""


class _Told(CircuitBreakerListener):
    def state_change(self, cb: CircuitBreaker, old_state: object, new_state: object) -> None:
        extra = {"brand": cb.name, "state": getattr(new_state, "name", "")}
        logger.warning("carrier breaker", extra=extra)


class _Turn:
    """A turn that one thread of this process takes at a time."""

    def __init__(self) -> None:
        self._lock, self._until = threading.Lock(), 0.0

    def take(self) -> bool:
        with self._lock:
            free = time.monotonic() > self._until
            self._until = time.monotonic() + _PROBE if free else self._until
            return free


@dataclass(frozen=True)
class _Guard:
    """A brand's breaker, and whether the caller is the one who may try while it is open."""

    breaker: CircuitBreaker
    may_try: Callable[[], bool]


def seconds_left(brand: Brand) -> int:
    """How long the brand's carrier is left alone. 0: make the call, and `note` how it ended."""
    guard = _guard(brand)
    state = guard.breaker.current_state
    if state == "closed":
        return 0
    if state == "open" and (left := _left(guard.breaker)) > 0:
        return left
    return 0 if guard.may_try() else RETRY_AFTER


def _left(breaker: CircuitBreaker) -> int:
    """Seconds of the break; none or fewer when it is over."""
    opened = breaker._state_storage.opened_at
    return SECONDS - int((datetime.now(UTC) - opened).total_seconds()) if opened else 0


def note(brand: Brand, *, failed: bool) -> None:
    """Say how a call ended. One that began before the break and ends in it changes nothing."""

    def ended() -> None:
        if failed:
            raise _Failed

    with suppress(_Failed, CircuitBreakerError):
        _guard(brand).breaker.call(ended)


def let_one_through(brand: Brand) -> None:
    """End the break for one call, which then decides."""
    breaker = _guard(brand).breaker
    if breaker.current_state == "open":
        breaker.half_open()


def open_since(brands: Iterable[Brand]) -> dict[int, datetime]:
    """The brands whose carrier is left alone, or is being tried: key → the moment of the last failure."""
    found = {brand.pk: _guard(brand).breaker for brand in brands}
    return {
        pk: breaker._state_storage.opened_at or datetime.now(UTC)
        for pk, breaker in found.items()
        if breaker.current_state != "closed"
    }


def as_metric() -> dict[tuple[str, ...], float]:
    """For each brand 1 while its carrier is left alone, else 0."""
    brands = list(Brand.objects.only("slug"))
    down = open_since(brands)
    return {(brand.slug,): float(brand.pk in down) for brand in brands}


def _guard(brand: Brand) -> _Guard:
    url = settings.REDIS_URL
    with suppress(store.Unreachable):
        if url and store.ask(_redis(url).ping):
            return store.ask(lambda: _shared(url, brand.pk, brand.slug))
    return _own(brand.pk, brand.slug)


@cache
def _redis(url: str) -> Redis:
    return Redis.from_url(url, **settings.REDIS_OPTIONS)


@cache
def _own(pk: int, slug: str) -> _Guard:
    return _Guard(_breaker(slug, CircuitMemoryStorage("closed")), _Turn().take)


@cache
def _shared(url: str, pk: int, slug: str) -> _Guard:
    redis, name = _redis(url), f"portal-breaker:{pk}"

    def may_try() -> bool:
        try:
            return bool(redis.set(f"{name}:probe", 1, nx=True, ex=_PROBE))
        except RedisError:
            return True

    return _Guard(_breaker(slug, CircuitRedisStorage("closed", redis, namespace=name)), may_try)


def _breaker(slug: str, storage: CircuitMemoryStorage | CircuitRedisStorage) -> CircuitBreaker:
    return CircuitBreaker(FAILURES, SECONDS, state_storage=storage, listeners=[_Told()], name=slug)


def forget() -> None:
    """Close all breakers; for tests."""
    if settings.REDIS_URL:
        redis = _redis(settings.REDIS_URL)
        if keys := list(redis.scan_iter("portal-breaker:*")):
            redis.delete(*keys)
    for each in (_own, _shared):
        each.cache_clear()
