"""Bounds for worker threads, so that what is slow or costly does not hold up everybody else.

Places are for threads that wait on somebody else's machine. A brand takes a place only while it has fewer
than are free. So one brand alone gets half of the places, two a third each, and there is always one left for
yet another brand.

Slots are for work that keeps a CPU busy: password hashes, files to draw. A few run at a time, the others wait
for their turn. Who waits for either holds no connection to the database.
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
    """No place is free, or not for this brand."""


class Busy(Exception):
    """No slot came free in time; nothing was done."""


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


def release_db_connections() -> None:
    """To the pool, where there is one: whoever waits for a carrier must not keep others from the database."""
    for connection in connections.all(initialized_only=True):
        if getattr(connection, "pool", None) and not connection.in_atomic_block:
            connection.close()


class Slots:
    """So many threads of this process at a time do one kind of costly work."""

    PATIENCE = 5.0  # Seconds for which a thread waits for its turn.
    _queue = threading.Lock()
    _queued = 0  # Threads that wait, of all kinds together: half of the threads at most.

    def __init__(self, number: int, name: str) -> None:
        self._free = threading.Semaphore(number)
        self._mine = threading.local()
        self._waiting = metrics.WAITING.labels(name)

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold a slot, with no connection to the database at its beginning. Raises Busy.

        A thread that holds one goes on in it: what leads to a hash can hold the slot of the hash.
        """
        release_db_connections()
        if getattr(self._mine, "held", False):
            yield
            return
        if not self._free.acquire(blocking=False):
            self._wait()
        self._mine.held = True
        try:
            yield
        finally:
            self._mine.held = False
            self._free.release()

    def _wait(self) -> None:
        with Slots._queue:
            if Slots._queued >= max(1, settings.WEB_THREADS // 2):
                raise Busy
            Slots._queued += 1
        try:
            with self._waiting.track_inprogress():
                if not self._free.acquire(timeout=self.PATIENCE):
                    raise Busy
        finally:
            with Slots._queue:
                Slots._queued -= 1


# A quarter of the threads stays free, whatever hangs. Google counts among the carriers.
CARRIERS = Bulkhead(2, "carriers")
MAIL = Bulkhead(4, "mail")
# A hash leaves Python's lock to the others while it is computed, and so does a file while it is set.
HASHING = Slots(2, "hashing")
DRAWING = Slots(1, "drawing")
