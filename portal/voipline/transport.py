"""One HTTP exchange in a bounded time, and the knowledge whether any byte of the request left.

The exchange is a conversation (`conversation.py`) that is given up at its deadline; one that was given up
never begins to send. There is no pool, no session, no cookie jar, no redirect and no proxy; `requests` builds
the request and urllib3 carries it.

urllib3's loggers print request targets at level DEBUG, and a GET's target holds an account number: do not
turn them on in production.
"""

import threading
from dataclasses import dataclass

from requests import PreparedRequest

from portal.voipline import http_exchange
from portal.voipline.allowed_addresses import Reach
from portal.voipline.carrier import Timeouts
from portal.voipline.conversation import Conversation, Crowded, GivenUp, hold
from portal.voipline.http_exchange import Reply
from portal.voipline.urls import Origin, origin

# Calls in flight per host and key, those included that nobody waits for any more.
MAX_IN_FLIGHT = 16
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "voipline-portal",
    "Connection": "close",
}


@dataclass(frozen=True)
class Fault:
    """No reply. `sent`: may a byte of the request have left? `reason`: what happened, in words.

    `crowded`: it was not even tried.
    """

    sent: bool
    reason: str
    crowded: bool = False


_gates: dict[tuple[Origin, int], threading.BoundedSemaphore] = {}
_gates_lock = threading.Lock()


def _gate(request: PreparedRequest, key: str) -> threading.BoundedSemaphore:
    """One bound per host and key, so that one brand's hanging calls take no place of another's."""
    with _gates_lock:
        return _gates.setdefault(
            (origin(str(request.url)), hash(key)), threading.BoundedSemaphore(MAX_IN_FLIGHT)
        )


def send(
    request: PreparedRequest, timeouts: Timeouts, deadline: float, *, key: str, reach: Reach | None
) -> Reply | Fault:
    """Send the request once. Returns by `deadline` (of `time.monotonic`), whatever hangs.

    `key`: the caller's key at that host, under which calls are counted. `reach`: where the host may be; None
    for a host that the installation itself names.
    """

    def talk(conversation: Conversation[Reply | Fault]) -> Reply | Fault:
        try:
            return http_exchange.run(conversation, request, timeouts, reach)
        except BaseException as error:  # its text may hold the URL, so it goes no further than this
            return Fault(conversation.sent, http_exchange.reason(error))

    try:
        return hold(talk, _gate(request, key), deadline)
    except GivenUp as late:
        return Fault(late.sent, str(late))
    except Crowded as full:
        return Fault(False, str(full), crowded=True)
