"""Limit how many worker threads do something slow or costly, so that other requests are still served.

A `Bulkhead` is for threads that wait for another machine. A brand gets a slot only while it holds fewer slots
than are free. So one brand alone gets half of the slots, two brands get a third each, and one slot is always
left for another brand.

`Slots` are for work that keeps a CPU busy: password hashes and drawing files. A few threads run at a time,
and the others wait. A thread that waits for either holds no database connection.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connections

from portal.models import Brand
from portal.monitoring import metrics


class BulkheadFull(Exception):
    """No slot is free, or none for this brand."""


class Busy(Exception):
    """No slot became free in time. Nothing was done."""


class Bulkhead:
    """Slots in this process: one for every `divisor` threads, and at least one."""

    def __init__(self, divisor: int, name: str) -> None:
        self._divisor = divisor
        self._waiting = metrics.WAITING.labels(name)
        self._lock = threading.Lock()
        self._taken: Counter[int] = Counter()

    @contextmanager
    def slot(self, brand: Brand) -> Iterator[None]:
        """Release the database connections and hold a slot. Raise BulkheadFull at once if none is free."""
        with self._lock:
            if not self._has_room(brand.pk):
                raise BulkheadFull
            self._taken[brand.pk] += 1
        self._waiting.inc()
        try:
            release_db_connections()
            yield
        finally:
            self._waiting.dec()
            with self._lock:
                self._taken[brand.pk] -= 1

    def has_room(self, brand: Brand) -> bool:
        """Return True if the brand would get a slot now."""
        with self._lock:
            return self._has_room(brand.pk)

    def _has_room(self, brand: int) -> bool:
        free = max(1, settings.WEB_THREADS // self._divisor) - self._taken.total()
        return self._taken[brand] < free

    def taken(self) -> int:
        """Return how many slots are taken."""
        with self._lock:
            return self._taken.total()


def release_db_connections() -> None:
    """Return this thread's connections to the pool, if there is one.

    A thread that waits for a carrier must not keep other threads from the database.
    """
    for connection in connections.all(initialized_only=True):
        if getattr(connection, "pool", None) and not connection.in_atomic_block:
            connection.close()


class Slots:
    """Slots for one kind of costly work: at most `number` threads of this process do it at a time."""

    MAX_WAIT = 5.0  # Seconds that a thread waits for a slot.
    _queue_lock = threading.Lock()
    _queued = 0  # Waiting threads of all kinds together: at most half of the threads.

    def __init__(self, number: int, name: str) -> None:
        self._free = threading.Semaphore(number)
        self._local = threading.local()
        self._waiting = metrics.WAITING.labels(name)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Release the database connections and hold a slot. Raise Busy if none becomes free in time.

        Reentrant: a thread that already holds a slot does not need a second one.
        """
        release_db_connections()
        if getattr(self._local, "held", False):
            yield
            return
        if not self._free.acquire(blocking=False):
            self._wait()
        self._local.held = True
        try:
            yield
        finally:
            self._local.held = False
            self._free.release()

    def _wait(self) -> None:
        with Slots._queue_lock:
            if Slots._queued >= max(1, settings.WEB_THREADS // 2):
                raise Busy
            Slots._queued += 1
        try:
            with self._waiting.track_inprogress():
                if not self._free.acquire(timeout=self.MAX_WAIT):
                    raise Busy
        finally:
            with Slots._queue_lock:
                Slots._queued -= 1


# A quarter of the threads stays free even if carriers and mail servers hang. Google counts as a carrier.
CARRIERS = Bulkhead(2, "carriers")
MAIL = Bulkhead(4, "mail")
# Hashing and drawing release the GIL while they compute.
HASHING = Slots(2, "hashing")
DRAWING = Slots(1, "drawing")
