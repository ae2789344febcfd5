"""Where a breaker's state is: in Redis, the same for all processes, or in this one.

With pybreaker's own storage for Redis a write that fails goes unnoticed. Its breaker, told that the state has
not changed, then calls itself without end; here it raises. `whose` are the accounts of the calls that failed.
"""

from datetime import UTC, datetime
from typing import cast

from pybreaker import (
    STATE_CLOSED,
    STATE_HALF_OPEN,
    STATE_OPEN,
    CircuitBreakerStorage,
    CircuitMemoryStorage,
)
from redis import Redis


class InRedis(CircuitBreakerStorage):
    """In Redis. Whatever it refuses raises."""

    success_counter = 1  # One answer closes a breaker, so none are counted.

    def __init__(self, redis: Redis, name: str) -> None:
        super().__init__(name)
        self._redis = redis

    def _read(self, what: str) -> str:
        found = cast(bytes | None, self._redis.get(f"{self.name}:{what}"))
        return found.decode() if found else ""

    @property
    def state(self) -> str:
        found = self._read("state")
        return found if found in (STATE_OPEN, STATE_HALF_OPEN) else STATE_CLOSED

    @state.setter
    def state(self, state: str) -> None:
        self._redis.set(f"{self.name}:state", state)

    @property
    def counter(self) -> int:
        return int(self._read("failures") or 0)

    def increment_counter(self) -> None:
        self._redis.incr(f"{self.name}:failures")

    def reset_counter(self) -> None:
        self._redis.delete(f"{self.name}:failures", f"{self.name}:whose")

    @property
    def whose(self) -> set[str]:
        return {each.decode() for each in cast(set[bytes], self._redis.smembers(f"{self.name}:whose"))}

    def add(self, of: str) -> None:
        self._redis.sadd(f"{self.name}:whose", of)

    @property
    def opened_at(self) -> datetime | None:
        found = self._read("opened_at")
        return datetime.fromtimestamp(float(found), UTC) if found else None

    @opened_at.setter
    def opened_at(self, moment: datetime) -> None:
        self._redis.set(f"{self.name}:opened_at", moment.timestamp())


class InMemory(CircuitMemoryStorage):
    """In this process."""

    def __init__(self) -> None:
        super().__init__(STATE_CLOSED)
        self.whose: set[str] = set()

    def reset_counter(self) -> None:
        super().reset_counter()
        self.whose = set()

    def add(self, of: str) -> None:
        self.whose = self.whose | {of}
