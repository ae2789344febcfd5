"""One HTTP exchange in a bounded time, and the knowledge whether any byte of the request left.

The socket timeouts of `requests` apply to each wait for data, and name resolution has none. So the exchange
runs in a thread of its own; when the time is up the caller marks it abandoned, cuts its connection and goes
on. An abandoned exchange never begins to send. There is no pool, no session, no cookie jar, no redirect and
no proxy; `requests` builds the request and urllib3 carries it.

urllib3's loggers print request targets at level DEBUG, and a GET's target holds an account number: do not
turn them on in production.
"""

import contextvars
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from requests import PreparedRequest

from portal.voipline import exchange
from portal.voipline.carrier import Timeouts
from portal.voipline.exchange import Reply
from portal.voipline.urls import Origin, origin

# Calls in flight per partner account, those included that nobody waits for any more.
MAX_IN_FLIGHT = 16


@dataclass(frozen=True)
class Fault:
    """No reply. `sent`: may a byte of the request have left? `reason`: what happened, in words.

    `crowded`: it was not even tried.
    """

    sent: bool
    reason: str
    crowded: bool = False


class Abandoned(Exception):
    """Nobody waits for this exchange any more, so it must not go on."""


class Flight:
    """One exchange, shared by the caller who waits and the thread that works.

    It is connecting until `depart`, then sending. Each step and `abandon` exclude one another. After the
    deadline nothing departs, though nobody has abandoned it: a process that was stopped goes on in any order.
    """

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._lock = threading.Lock()
        self._landed = threading.Event()
        self._line: socket.socket | None = None
        self._abandoned = False
        self.sent = False
        self.outcome: Reply | Fault | None = None

    def board(self, sock: socket.socket) -> None:
        """A connection stands. A duplicate is kept: cutting it cuts the connection, under TLS as well."""
        with self._lock:
            if self._abandoned or self._line:
                raise Abandoned
            self._line = sock.dup()

    def depart(self) -> None:
        """The first byte is about to be handed to the socket."""
        with self._lock:
            if self._abandoned or time.monotonic() > self._deadline:
                raise Abandoned
            self.sent = True

    def land(self, outcome: Reply | str) -> None:
        """The exchange is over, with a reply or the reason why there is none."""
        with self._lock:
            self.outcome = outcome if isinstance(outcome, Reply) else Fault(self.sent, outcome)
            if self._line:
                self._line.close()
        self._landed.set()

    def wait(self, seconds: float) -> None:
        self._landed.wait(max(0.0, seconds))

    def abandon(self) -> Reply | Fault:
        """Stop waiting: the outcome if there is one, else the exchange is cut wherever it stands."""
        with self._lock:
            if self.outcome:
                return self.outcome
            self._abandoned = True
            if self._line:
                with suppress(OSError):
                    self._line.shutdown(socket.SHUT_RDWR)
            return Fault(self.sent, "the time for the whole call is up")


_gates: dict[tuple[Origin, int], threading.BoundedSemaphore] = {}
_gates_lock = threading.Lock()


def _gate(request: PreparedRequest) -> threading.BoundedSemaphore:
    """One bound per host and key, so that one brand's hanging calls take no place of another's."""
    key = origin(str(request.url)), hash(request.headers.get("token"))
    with _gates_lock:
        return _gates.setdefault(key, threading.BoundedSemaphore(MAX_IN_FLIGHT))


def fly(request: PreparedRequest, timeouts: Timeouts, deadline: float) -> Reply | Fault:
    """Send the request once. Returns by `deadline` (of `time.monotonic`), whatever hangs."""
    gate = _gate(request)
    if not gate.acquire(blocking=False):
        return Fault(False, "too many calls are waiting on the carrier", crowded=True)
    flight = Flight(deadline)

    def work() -> None:
        outcome = _outcome(lambda: exchange.run(flight, request, timeouts))
        gate.release()
        flight.land(outcome)

    try:
        # What the caller logs under is what the thread logs under.
        run = contextvars.copy_context().run
        threading.Thread(target=run, args=(work,), name="voipline", daemon=True).start()
    except RuntimeError:
        gate.release()
        return Fault(False, "the system gives no more threads")
    try:
        flight.wait(deadline - time.monotonic())
    finally:
        outcome = flight.abandon()
    return outcome


def _outcome(run: Callable[[], Reply]) -> Reply | str:
    try:
        return run()
    except BaseException as error:  # whatever it is: the thread ends here, and the caller gets a Fault
        return exchange.reason(error)
