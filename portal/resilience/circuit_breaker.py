"""A circuit breaker for each brand: a carrier that is down is left alone for half a minute.

It counts calls since the carrier's last answer; a refusal, or an answer of the wrong shape, is an answer too.
It opens with the fifth call in a row that fails, whether it reached the carrier or not, and spares

- all calls, where five did not reach the carrier, or those that failed were of five accounts;
- else those of the accounts that failed, which may be all that ask: one account that the carrier cannot serve
  must not close the others' figures. The first of the others that is answered closes the breaker.

After half a minute one call tries: an answer closes the breaker, anything else begins another half minute. A
call that began before the break changes nothing in it.

Forms with a captcha (account None) count only where they do not reach the carrier: what a stranger types may
make a call fail or hang, and that it is answered says nothing of the figures. They are never the one that
tries. Each process knows what its own calls have met, by the monotonic clock, and asks nobody.
"""

import logging
from dataclasses import dataclass
from enum import Enum
from math import ceil
from threading import Lock
from time import monotonic

from portal.models import Brand
from portal.monitoring import metrics

logger = logging.getLogger(__name__)

FAILURES, SECONDS = 5, 30
RETRY_AFTER = 5  # Seconds after which to come again while another call tries.
_TRYING = 20  # Seconds after which a try that has not ended is given up; longer than any call.
_NEWS = 600  # Seconds for which staff are told of a break that no later call has ended.


class How(Enum):
    """How a call ended: with an answer, without reaching the carrier, with a time-out or 5xx, or not made."""

    ANSWERED, UNREACHED, FAILED, NOT_MADE = range(4)


class Open(Exception):
    """The call is spared. It is worth trying again after so many `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"left alone for {seconds} s")
        self.seconds = seconds


@dataclass(frozen=True)
class Turn:
    """Leave to make one call for an account, given after so many breaks; whether it is the one that tries."""

    account: str | None
    breaks: int
    tries: bool = False


class Breaker:
    """One brand's. Whoever gets a turn by `begin` says by `end` how its call ended."""

    def __init__(self, slug: str) -> None:
        self._slug, self._lock, self._breaks = slug, Lock(), 0
        self._reset()

    def _reset(self) -> None:
        self._failures = self._unreached = 0  # Since the last answer; the latter are among the former.
        self._accounts: set[str] = set()  # Whose these were.
        self._until, self._trying = 0.0, False  # The end of the break or, while a call tries, of its time.

    def _spares(self, account: str | None) -> bool:
        everybody = max(self._unreached, len(self._accounts)) >= FAILURES
        return self._failures >= FAILURES and (everybody or account in self._accounts)

    def begin(self, account: str | None) -> Turn:
        """Leave to make a call for an account (any text; None for a form with a captcha). Raises Open."""
        with self._lock:
            turn, left = Turn(account, self._breaks), self._until - monotonic()
            if not self._spares(account):
                return turn
            if left > 0 and not (account is None and self._trying):
                raise Open(RETRY_AFTER if self._trying else ceil(left))
            if account is None:
                return turn
            self._until, self._trying = monotonic() + _TRYING, True
            return Turn(account, self._breaks, tries=True)

    def end(self, turn: Turn, how: How) -> None:
        """Count a call that has ended."""
        with self._lock:
            if self._spares(turn.account) and turn.breaks != self._breaks:
                return
            if how is How.NOT_MADE and turn.tries:
                self._until = monotonic()  # The next call tries in its place.
            elif how is How.UNREACHED or (how is How.FAILED and turn.account is not None):
                self._fail(turn.account, how)
            elif how is How.ANSWERED and turn.account is not None:
                self._answer()

    def _fail(self, account: str | None, how: How) -> None:
        self._failures += 1
        self._unreached += how is How.UNREACHED
        self._accounts |= {account} if account is not None else set()
        if self._failures >= FAILURES:
            self._breaks += 1
            self._until, self._trying = monotonic() + SECONDS, False
            self._tell("open")

    def _answer(self) -> None:
        if self._failures >= FAILURES:
            self._tell("closed")
        metrics.BREAKER_OPEN.labels(self._slug).set(0)
        self._reset()

    def _tell(self, state: str) -> None:
        metrics.BREAKER_OPEN.labels(self._slug).set(state == "open")
        logger.warning("carrier breaker", extra={"brand": self._slug, "state": state})

    def allow_probe(self) -> None:
        """End the break for one call, which then decides."""
        with self._lock:
            self._until = monotonic()

    @property
    def is_open(self) -> bool:
        """Whether calls were spared within the last minutes, and none has been answered since."""
        return self._failures >= FAILURES and monotonic() < self._until + _NEWS


_breakers: dict[tuple[int, str], Breaker] = {}


def of(brand: Brand) -> Breaker:
    """The brand's breaker in this process."""
    return _breakers.setdefault((brand.pk, brand.slug), Breaker(brand.slug))


def forget() -> None:
    """Close all breakers; for tests."""
    _breakers.clear()
    metrics.BREAKER_OPEN.clear()
