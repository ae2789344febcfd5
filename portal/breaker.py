"""A circuit breaker per brand: a carrier that fails five calls in a row is left alone for half a minute.

Then one call at a time tries again; the first that is answered closes the breaker. A refusal (4xx) or an
answer of another shape is an answer: it says nothing about the next call. `portal.upstream` says which calls
count. Where all failures were those of one customer's account, only calls for that one are spared, and the
next call for another decides: with an answer the breaker closes, with a failure all are spared.

The state is in Redis, where there is one, and so the same for all workers and nodes; else, and while Redis is
down or takes nothing, each process has its own.

pybreaker keeps count. Its own way of making a call holds a lock until the call has ended, so that one brand's
calls would be made one by one: it is told how calls ended instead.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from typing import TypeVar

from django.conf import settings
from pybreaker import (
    STATE_CLOSED,
    STATE_OPEN,
    CircuitBreaker,
    CircuitBreakerError,
    CircuitBreakerListener,
)
from redis import Redis

from portal import store
from portal.breaker_books import InMemory, InRedis
from portal.models import Brand

logger = logging.getLogger(__name__)

FAILURES = 5
SECONDS = 30
_PROBE = 20  # Seconds for which nobody else tries; longer than any call.
RETRY_AFTER = 5  # Seconds after which to come again while another call tries.

Found = TypeVar("Found")


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


class _Guard:
    """A brand's breaker, where its state is, and whether the caller may be the one who tries."""

    def __init__(self, slug: str, storage: InRedis | InMemory, may_try: Callable[[], bool]) -> None:
        self.storage, self.may_try = storage, may_try
        self.breaker = CircuitBreaker(
            FAILURES, SECONDS, state_storage=storage, listeners=[_Told()], name=slug
        )

    def seconds_left(self, of: str, tries: bool) -> int:
        state = self.storage.state
        if state == STATE_CLOSED or self._is_anothers(of):
            return 0
        if state == STATE_OPEN and (left := self._break()) > 0:
            return left
        return RETRY_AFTER if tries and not self.may_try() else 0

    def _is_anothers(self, of: str) -> bool:
        """Whether all that failed was one account's, and not this one's."""
        whose = self.storage.whose
        return len(whose) == 1 and not whose & {"", of}

    def _break(self) -> int:
        """Seconds of the break; none or fewer when it is over."""
        opened = self.storage.opened_at
        return SECONDS - int((datetime.now(UTC) - opened).total_seconds()) if opened else 0

    def open_since(self) -> datetime | None:
        if self.storage.state == STATE_CLOSED:
            return None
        return self.storage.opened_at or datetime.now(UTC)

    def let_one_through(self) -> None:
        if self.storage.state == STATE_OPEN:
            self.breaker.half_open()

    def note(self, failed: bool, of: str) -> None:
        if self.storage.state != STATE_CLOSED and self._is_anothers(of):
            self._decide(failed, of)
            return

        def ended() -> None:
            if failed:
                self.storage.add(of)
                raise _Failed

        with suppress(_Failed, CircuitBreakerError):
            self.breaker.call(ended)

    def _decide(self, failed: bool, of: str) -> None:
        if failed:
            self.storage.add(of)
            self.breaker.open()
        else:
            self.breaker.close()


def seconds_left(brand: Brand, *, of: str = "", tries: bool = True) -> int:
    """How long the brand's carrier is left alone. 0: make the call, and `note` how it ended.

    `of` is whose account the call concerns, empty where it is nobody's. A call that does not try is not the
    one that decides after half a minute: it goes through then, and takes nobody's turn.
    """
    return _at(brand, lambda guard: guard.seconds_left(of, tries))


def note(brand: Brand, *, failed: bool, of: str = "") -> None:
    """Say how a call ended. One that began before the break and ends in it changes nothing."""
    _at(brand, lambda guard: guard.note(failed, of))


def let_one_through(brand: Brand) -> None:
    """End the break for one call, which then decides."""
    _at(brand, _Guard.let_one_through)


def open_since(brands: Iterable[Brand]) -> dict[int, datetime]:
    """The brands whose carrier is left alone, or is being tried: key → the moment of the last failure."""
    found = ((brand.pk, _at(brand, _Guard.open_since)) for brand in brands)
    return {pk: moment for pk, moment in found if moment}


def as_metric() -> dict[tuple[str, ...], float]:
    """For each brand 1 while its carrier is left alone, else 0."""
    brands = list(Brand.objects.only("slug"))
    down = open_since(brands)
    return {(brand.slug,): float(brand.pk in down) for brand in brands}


def _at(brand: Brand, act: Callable[[_Guard], Found]) -> Found:
    """Act at the brand's breaker: the shared one or, while Redis does not answer or takes nothing, our own.

    It raises nothing, whatever happens in Redis: what came of a call must not depend on it.
    """
    if url := settings.REDIS_URL:
        try:
            return store.ask(lambda: act(_shared(url, brand.pk, brand.slug)))
        except store.Unreachable:
            pass
        except Exception:
            logger.exception("breaker not shared", extra={"brand": brand.slug})
    return act(_own(brand.pk, brand.slug))


def _shared(url: str, pk: int, slug: str) -> _Guard:
    # Asked by a write: one that is full, or has become another's replica, still answers questions.
    _redis(url).set("portal-breaker:asked", 1, ex=_PROBE)
    return _in_redis(url, pk, slug)


@cache
def _redis(url: str) -> Redis:
    return Redis.from_url(url, **settings.REDIS_OPTIONS)


@cache
def _in_redis(url: str, pk: int, slug: str) -> _Guard:
    redis, name = _redis(url), f"portal-breaker:{pk}"
    return _Guard(
        slug,
        InRedis(redis, name),
        lambda: bool(redis.set(f"{name}:probe", 1, nx=True, ex=_PROBE)),
    )


@cache
def _own(pk: int, slug: str) -> _Guard:
    return _Guard(slug, InMemory(), _Turn().take)


def forget() -> None:
    """Close all breakers; for tests."""
    if settings.REDIS_URL:
        redis = _redis(settings.REDIS_URL)
        if keys := list(redis.scan_iter("portal-breaker:*")):
            redis.delete(*keys)
    for each in (_own, _in_redis):
        each.cache_clear()
