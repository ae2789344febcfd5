"""A circuit breaker for each brand: a carrier that is down is not called for half a minute.

It counts failed calls since the carrier's last answer. A refusal or an answer of the wrong shape counts as an
answer too. It opens with the fifth call in a row that fails, whether it reached the carrier or not, and skips

- all calls, if five did not reach the carrier, or if the failed calls were for five accounts;
- otherwise only calls for the accounts that failed: one account that the carrier cannot serve must not hide
  the figures of the others. The first answer to another account closes the breaker.

After half a minute one call is the probe: an answer closes the breaker, anything else begins another half
minute. A call that began before the breaker opened does not change its state.

Forms with a captcha (account None) count only if they do not reach the carrier: a stranger's input may make a
call fail or hang, and an answer to it says nothing about statements. They are never the probe. Each process
counts its own calls, by the monotonic clock, and shares nothing with other processes.
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
RETRY_AFTER = 5  # Seconds to wait while another call is the probe.
_PROBE_SECONDS = 20  # A probe that has not ended after this time is given up; longer than any call.
_SHOWN_SECONDS = 600  # Staff see an open breaker for this long if no later call has closed it.


class How(Enum):
    """The end of a call: an answer, carrier not reached, failed (timeout or 5xx), or not made."""

    ANSWERED, UNREACHED, FAILED, NOT_MADE = range(4)


class Open(Exception):
    """The breaker is open, so the call is skipped. Try again after `seconds`."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"left alone for {seconds} s")
        self.seconds = seconds


@dataclass(frozen=True)
class Permit:
    """Permission to make one call for an account. `times_opened` is that of the breaker when it was given."""

    account: str | None
    times_opened: int
    is_probe: bool = False


class Breaker:
    """One brand's breaker. Each `begin` is followed by an `end` that says how the call ended."""

    def __init__(self, slug: str) -> None:
        self._slug, self._lock, self._times_opened = slug, Lock(), 0
        self._reset()

    def _reset(self) -> None:
        self._failures = self._unreached = 0  # Since the last answer; a call not reached counts in both.
        self._failed_accounts: set[str] = set()
        self._until, self._probing = 0.0, False  # Until when calls are skipped or the probe may last.

    def _skips(self, account: str | None) -> bool:
        for_all = max(self._unreached, len(self._failed_accounts)) >= FAILURES
        return self._failures >= FAILURES and (for_all or account in self._failed_accounts)

    def begin(self, account: str | None) -> Permit:
        """Return a permit to call for an account (any text; None for a form with a captcha). Raise Open."""
        with self._lock:
            permit, remaining = Permit(account, self._times_opened), self._until - monotonic()
            if not self._skips(account):
                return permit
            if remaining > 0 and not (account is None and self._probing):
                raise Open(RETRY_AFTER if self._probing else ceil(remaining))
            if account is None:
                return permit
            self._until, self._probing = monotonic() + _PROBE_SECONDS, True
            return Permit(account, self._times_opened, is_probe=True)

    def end(self, permit: Permit, how: How) -> None:
        """Count a call that has ended."""
        with self._lock:
            if self._skips(permit.account) and permit.times_opened != self._times_opened:
                return
            if how is How.NOT_MADE and permit.is_probe:
                self._until = monotonic()  # The next call is the probe instead.
            elif how is How.UNREACHED or (how is How.FAILED and permit.account is not None):
                self._record_failure(permit.account, how)
            elif how is How.ANSWERED and permit.account is not None:
                self._record_answer()

    def _record_failure(self, account: str | None, how: How) -> None:
        self._failures += 1
        self._unreached += how is How.UNREACHED
        self._failed_accounts |= {account} if account is not None else set()
        if self._failures >= FAILURES:
            self._times_opened += 1
            self._until, self._probing = monotonic() + SECONDS, False
            self._report_state("open")

    def _record_answer(self) -> None:
        if self._failures >= FAILURES:
            self._report_state("closed")
        metrics.BREAKER_OPEN.labels(self._slug).set(0)
        self._reset()

    def _report_state(self, state: str) -> None:
        metrics.BREAKER_OPEN.labels(self._slug).set(state == "open")
        logger.warning("carrier breaker", extra={"brand": self._slug, "state": state})

    def allow_probe(self) -> None:
        """Let the next call be the probe."""
        with self._lock:
            self._until = monotonic()

    @property
    def is_open(self) -> bool:
        """True if calls were skipped within the last minutes and none has been answered since."""
        return self._failures >= FAILURES and monotonic() < self._until + _SHOWN_SECONDS


_breakers: dict[tuple[int, str], Breaker] = {}


def get_breaker(brand: Brand) -> Breaker:
    """Return the brand's breaker in this process."""
    return _breakers.setdefault((brand.pk, brand.slug), Breaker(brand.slug))


def forget() -> None:
    """Close all breakers. For tests."""
    _breakers.clear()
    metrics.BREAKER_OPEN.clear()
