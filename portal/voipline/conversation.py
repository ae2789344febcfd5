"""A conversation with somebody else's machine in a bounded time, and the knowledge whether anything was sent.

The timeouts of a socket apply to each wait for data, and name look-up has none. So a conversation runs in a
thread of its own. When the time is up the caller shuts its socket and goes on; nothing is sent after that.
"""

import contextvars
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Generic, TypeVar, cast

from portal.voipline.allowed_addresses import Reach

Result = TypeVar("Result")


class GivenUp(Exception):
    """The time is up, or nobody waits any more. `sent`: may something have been sent before?"""

    def __init__(self, sent: bool) -> None:
        super().__init__("the time for the whole call is up")
        self.sent = sent


class Crowded(Exception):
    """It was not even tried: too many conversations of this kind go on already."""


class PrivateAddress(OSError):
    """The host has no address that a connection may go to."""


class Conversation(Generic[Result]):
    """What the caller who waits and the thread that talks share; each step excludes the others.

    After the deadline nothing is sent, though nobody has given up yet: a process that was stopped goes on in
    any order.
    """

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._line: socket.socket | None = None
        self._given_up = False
        self._result: Result | None = None
        self._error: BaseException | None = None
        self.sent = False

    def connect(self, host: str, port: int, timeout: float, reach: Reach | None = None) -> socket.socket:
        """Connect to the first address of the host that takes it up, within `timeout` seconds for each.

        With `reach` only to addresses that it allows. Raises OSError as sockets do, PrivateAddress, GivenUp.
        """
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        fault = PrivateAddress("all addresses are private") if found else OSError("no address")
        for family, _kind, _protocol, _name, address in found:
            # The very address that is checked is connected to, so that no name can change in between.
            if reach and not reach.allows(host, str(address[0])):
                continue
            try:
                return self._line_to(family, address, timeout)
            except OSError as error:
                fault = error
        raise fault

    def _line_to(self, family: int, address: tuple[Any, ...], timeout: float) -> socket.socket:
        left = self._seconds_left()
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(min(timeout, left))
            sock.connect(address)
            sock.settimeout(timeout)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connected(sock)
        except BaseException:
            sock.close()
            raise
        return sock

    def _seconds_left(self) -> float:
        left = self._deadline - time.monotonic()
        if self._given_up or left <= 0:
            raise GivenUp(self.sent)
        return left

    def _connected(self, sock: socket.socket) -> None:
        # A duplicate is kept: shutting it shuts the connection, under TLS as well. There is one only: whoever
        # connects a second time would send a second time.
        with self._lock:
            if self._given_up or self._line:
                raise GivenUp(self.sent)
            self._line = sock.dup()

    def sending(self) -> None:
        """The first byte of what counts is about to be handed to the socket. Raises GivenUp."""
        with self._lock:
            self._seconds_left()
            self.sent = True

    def end(self, result: Result | None = None, error: BaseException | None = None) -> None:
        """The thread is done: whatever still holds the connection, it is shut."""
        with self._lock:
            if self._line:
                self._shut(self._line)
                self._line.close()
            if not self._given_up:
                self._result, self._error = result, error
            self._over.set()

    def wait(self) -> None:
        """Until the conversation has ended, or the time is up."""
        self._over.wait(max(0.0, self._deadline - time.monotonic()))

    def give_up(self) -> None:
        """Shut the connection and let nothing more be sent, unless the conversation has ended."""
        with self._lock:
            if self._over.is_set():
                return
            self._given_up, self._error = True, GivenUp(self.sent)
            if self._line:
                self._shut(self._line)

    def outcome(self) -> Result:
        """What the thread returned. Raises what it raised, or GivenUp."""
        if self._error:
            raise self._error
        return cast(Result, self._result)

    @staticmethod
    def _shut(line: socket.socket) -> None:
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)


def hold(
    talk: Callable[[Conversation[Result]], Result], places: threading.BoundedSemaphore, deadline: float
) -> Result:
    """Run `talk` in a thread that holds one of the places until it has ended, and give what it returns.

    Returns by `deadline` (of `time.monotonic`), whatever hangs. Raises what `talk` raises, GivenUp, Crowded.
    """
    if not places.acquire(blocking=False):
        raise Crowded("too many calls are waiting already")
    conversation: Conversation[Result] = Conversation(deadline)
    try:
        # What the caller logs under is what the thread logs under.
        run = contextvars.copy_context().run
        work = (_work, talk, places, conversation)
        threading.Thread(target=run, args=work, name="conversation", daemon=True).start()
    except RuntimeError:
        places.release()
        raise Crowded("the system gives no more threads") from None
    try:
        conversation.wait()
    finally:
        conversation.give_up()
    return conversation.outcome()


def _work(
    talk: Callable[[Conversation[Result]], Result],
    places: threading.BoundedSemaphore,
    conversation: Conversation[Result],
) -> None:
    result, error = None, None
    try:
        result = talk(conversation)
    except BaseException as caught:  # whatever it is: the thread ends here, and the caller gets it
        error = caught
    places.release()
    conversation.end(result, error)
