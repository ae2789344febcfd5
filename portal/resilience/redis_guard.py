"""The shared store, Redis: while it does not answer, nobody waits for it.

After a failure this process leaves it alone for two seconds. Then one request asks again, while all others go
on without it until it has answered.
"""

import logging
import math
import time
from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from django.core.cache import cache
from redis import RedisError

logger = logging.getLogger(__name__)

_PAUSE = 2  # Seconds; also the least time between two lines about it in the log.
_lock = Lock()
_down_until = 0.0  # 0 while it answers.
_told_at = -math.inf

Answer = TypeVar("Answer")


class Unreachable(Exception):
    """The store did not answer, or is left alone because it did not just before."""


def call(question: Callable[[], Answer]) -> Answer:
    """What the store answers. Raises Unreachable, at the latest after the time-outs of REDIS_OPTIONS."""
    if not _may_ask():
        raise Unreachable
    try:
        answer = question()
    except RedisError as error:
        _failed(error)
        raise Unreachable from error
    _answered()
    return answer


def is_available() -> bool:
    """Whether it takes something now; False at once while it is left alone."""
    try:
        call(lambda: cache.set("readyz", 1, 10))
    except Unreachable:
        return False
    return True


def as_metric() -> dict[tuple[str, ...], float]:
    """1 while it takes something, else 0."""
    return {(): float(is_available())}


def _may_ask() -> bool:
    global _down_until
    with _lock:
        now = time.monotonic()
        if now < _down_until:
            return False
        if _down_until:
            _down_until = now + _PAUSE  # This request tries; no other while it does.
        return True


def _failed(error: RedisError) -> None:
    global _down_until, _told_at
    with _lock:
        now = time.monotonic()
        _down_until = now + _PAUSE
        if now - _told_at >= _PAUSE:
            _told_at = now
            logger.error("store unreachable", extra={"error": type(error).__name__})


def _answered() -> None:
    global _down_until
    if _down_until:
        with _lock:
            _down_until = 0.0
        logger.warning("store answers again")


def forget() -> None:
    """Ask again at once; for tests."""
    global _down_until, _told_at
    _down_until, _told_at = 0.0, -math.inf
