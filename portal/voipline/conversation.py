"""Talk to another server with one deadline for everything, and record whether anything was sent.

A socket's timeout applies to each wait for data, and a name look-up has none. So a conversation (one
connection, from name look-up to the last byte) runs in its own thread. At the deadline the caller shuts the
socket down and continues; nothing is sent after that.
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
    """The deadline has passed or the caller no longer waits. `sent`: True if something may have been sent."""

    def __init__(self, sent: bool) -> None:
        super().__init__("the time for the whole call is up")
        self.sent = sent


class Crowded(Exception):
    """The conversation was not started: too many of its kind are open already."""


class PrivateAddress(OSError):
    """The host has no address that a connection may go to."""


class Conversation(Generic[Result]):
    """State shared by the waiting caller and the talking thread, guarded by one lock.

    After the deadline nothing is sent, even before the caller gives up: after SIGSTOP and SIGCONT the two
    threads continue in any order.
    """

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._socket: socket.socket | None = None
        self._given_up = False
        self._result: Result | None = None
        self._error: BaseException | None = None
        self.sent = False

    def connect(self, host: str, port: int, timeout: float, reach: Reach | None = None) -> socket.socket:
        """Connect to the first address of the host that accepts, within `timeout` seconds for each.

        With `reach`, try only addresses that it allows. Raise OSError as sockets do, PrivateAddress, GivenUp.
        """
        addresses = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        failure = PrivateAddress("all addresses are private") if addresses else OSError("no address")
        for family, _kind, _protocol, _name, address in addresses:
            # Connect to the address that was checked, so that a changed DNS answer cannot get past the check.
            if reach and not reach.allows(host, str(address[0])):
                continue
            try:
                return self._connect_to(family, address, timeout)
            except OSError as error:
                failure = error
        raise failure

    def _connect_to(self, family: int, address: tuple[Any, ...], timeout: float) -> socket.socket:
        seconds_left = self._seconds_left()
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(min(timeout, seconds_left))
            sock.connect(address)
            sock.settimeout(timeout)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connected(sock)
        except BaseException:
            sock.close()
            raise
        return sock

    def _seconds_left(self) -> float:
        seconds_left = self._deadline - time.monotonic()
        if self._given_up or seconds_left <= 0:
            raise GivenUp(self.sent)
        return seconds_left

    def _connected(self, sock: socket.socket) -> None:
        # Keep a duplicate: shutting it down ends the connection, under TLS as well. Allow one connection
        # only: a second one could send the request twice.
        with self._lock:
            if self._given_up or self._socket:
                raise GivenUp(self.sent)
            self._socket = sock.dup()

    def sending(self) -> None:
        """Record that the first byte is about to be sent. Raise GivenUp if it is too late for that."""
        with self._lock:
            self._seconds_left()
            self.sent = True

    def end(self, result: Result | None = None, error: BaseException | None = None) -> None:
        """Record what the thread returned or raised, and shut the connection down."""
        with self._lock:
            if self._socket:
                self._shut(self._socket)
                self._socket.close()
            if not self._given_up:
                self._result, self._error = result, error
            self._ended.set()

    def wait(self) -> None:
        """Wait until the conversation has ended or the deadline has passed."""
        self._ended.wait(max(0.0, self._deadline - time.monotonic()))

    def give_up(self) -> None:
        """Shut the connection down and let nothing more be sent, unless the conversation has ended."""
        with self._lock:
            if self._ended.is_set():
                return
            self._given_up, self._error = True, GivenUp(self.sent)
            if self._socket:
                self._shut(self._socket)

    def outcome(self) -> Result:
        """Return what the thread returned. Raise what it raised, or GivenUp."""
        if self._error:
            raise self._error
        return cast(Result, self._result)

    @staticmethod
    def _shut(sock: socket.socket) -> None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def hold(
    talk: Callable[[Conversation[Result]], Result], slots: threading.BoundedSemaphore, deadline: float
) -> Result:
    """Run `talk` in its own thread and return what it returns. The thread holds one of `slots` until it ends.

    Return by `deadline` (of `time.monotonic`) even if `talk` hangs. Raise its errors, GivenUp or Crowded.
    """
    if not slots.acquire(blocking=False):
        raise Crowded("too many calls are waiting already")
    conversation: Conversation[Result] = Conversation(deadline)
    try:
        # The thread logs under the same request ID as the caller.
        run = contextvars.copy_context().run
        work = (_work, talk, slots, conversation)
        threading.Thread(target=run, args=work, name="conversation", daemon=True).start()
    except RuntimeError:
        slots.release()
        raise Crowded("the system gives no more threads") from None
    try:
        conversation.wait()
    finally:
        conversation.give_up()
    return conversation.outcome()


def _work(
    talk: Callable[[Conversation[Result]], Result],
    slots: threading.BoundedSemaphore,
    conversation: Conversation[Result],
) -> None:
    result, error = None, None
    try:
        result = talk(conversation)
    except BaseException as caught:  # The caller raises it again.
        error = caught
    slots.release()
    conversation.end(result, error)
