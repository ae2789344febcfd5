"""Places for worker threads that wait on somebody else's machine: a slow one must not hold up everybody.

A brand takes a place only while it has fewer than are free. So one brand alone gets half of the places, two
a third each, and there is always one left for yet another brand.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connections

from portal import metrics
from portal.models import Brand

RETRY_AFTER = 5  # Seconds; a call lasts 15 at the most, and most that wait have begun a while ago.


class Full(Exception):
    """No place is free, or not for this brand."""


class Bulkhead:
    """So many places in this process: the `part`-th part of its threads, and one at least."""

    def __init__(self, part: int, name: str) -> None:
        self._part = part
        self._waiting = metrics.WAITING.labels(name)
        self._lock = threading.Lock()
        self._taken: Counter[int] = Counter()

    @contextmanager
    def place(self, brand: Brand) -> Iterator[None]:
        """Hold a place, and no connection to the database meanwhile. Raises Full, at once."""
        with self._lock:
            if not self._has_room(brand.pk):
                raise Full
            self._taken[brand.pk] += 1
        self._waiting.inc()
        try:
            give_back_connections()
            yield
        finally:
            self._waiting.dec()
            with self._lock:
                self._taken[brand.pk] -= 1

    def has_room(self, brand: Brand) -> bool:
        """Whether the brand would get a place now."""
        with self._lock:
            return self._has_room(brand.pk)

    def _has_room(self, brand: int) -> bool:
        free = max(1, settings.WEB_THREADS // self._part) - self._taken.total()
        return self._taken[brand] < free

    def taken(self) -> int:
        """How many places are taken."""
        with self._lock:
            return self._taken.total()


def give_back_connections() -> None:
    """To the pool, where there is one: whoever waits for a carrier must not keep others from the database."""
    for connection in connections.all(initialized_only=True):
        if getattr(connection, "pool", None) and not connection.in_atomic_block:
            connection.close()


# A quarter of the threads stays free, whatever hangs. Google counts among the carriers.
CARRIERS = Bulkhead(2, "carriers")
MAIL = Bulkhead(4, "mail")
