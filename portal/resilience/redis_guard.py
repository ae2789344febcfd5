"""Guard calls to Redis: fail fast while it is down, retry every two seconds.

After a failure this process does not call Redis for two seconds. Then one request tries again, while all
others go on without Redis until it has answered.
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

_RETRY_SECONDS = 2  # Also the shortest time between two log lines about an outage.
_lock = Lock()
_down_until = 0.0  # 0 while Redis answers.
_logged_at = -math.inf

Result = TypeVar("Result")


class Unreachable(Exception):
    """Redis did not answer, or was not called because it has just failed."""


def call(operation: Callable[[], Result]) -> Result:
    """Return the operation's result. Raise Unreachable, at the latest after the timeouts of REDIS_OPTIONS."""
    if not _may_call():
        raise Unreachable
    try:
        result = operation()
    except RedisError as error:
        _mark_down(error)
        raise Unreachable from error
    _mark_up()
    return result


def is_available() -> bool:
    """Return True if Redis accepts a write now. While calls fail fast, return False at once."""
    try:
        call(lambda: cache.set("readyz", 1, 10))
    except Unreachable:
        return False
    return True


def as_metric() -> dict[tuple[str, ...], float]:
    """Return the value of a gauge: 1 if Redis accepts a write, else 0."""
    return {(): float(is_available())}


def _may_call() -> bool:
    global _down_until
    with _lock:
        now = time.monotonic()
        if now < _down_until:
            return False
        if _down_until:
            _down_until = now + _RETRY_SECONDS  # Only this request tries now.
        return True


def _mark_down(error: RedisError) -> None:
    global _down_until, _logged_at
    with _lock:
        now = time.monotonic()
        _down_until = now + _RETRY_SECONDS
        if now - _logged_at >= _RETRY_SECONDS:
            _logged_at = now
            logger.error("store unreachable", extra={"error": type(error).__name__})


def _mark_up() -> None:
    global _down_until
    if _down_until:
        with _lock:
            _down_until = 0.0
        logger.warning("store answers again")


def forget() -> None:
    """Call Redis again at once. For tests."""
    global _down_until, _logged_at
    _down_until, _logged_at = 0.0, -math.inf
