"""Send one HTTP request before a deadline, and report whether any byte of it may have left.

The exchange is a conversation (`conversation.py`) that is given up at its deadline. After that it never
begins to send. It uses no pool, session, cookie jar, redirect or proxy: `requests` builds the request and
urllib3 sends it.

urllib3's loggers print request targets at level DEBUG, and a GET's target contains an account number: do not
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

# Calls in flight per host and key, including those whose caller has given up.
MAX_IN_FLIGHT = 16
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "voipline-portal",
    "Connection": "close",
}


@dataclass(frozen=True)
class Fault:
    """No reply. `sent`: True if a byte of the request may have left. `reason`: a text for logs.

    `busy`: True if the request was not tried because too many others are waiting.
    """

    sent: bool
    reason: str
    busy: bool = False


_slots: dict[tuple[Origin, int], threading.BoundedSemaphore] = {}
_slots_lock = threading.Lock()


def _get_slots(request: PreparedRequest, key: str) -> threading.BoundedSemaphore:
    """Return the slots of this host and key, so that one brand's hanging calls take none of another's."""
    with _slots_lock:
        return _slots.setdefault(
            (origin(str(request.url)), hash(key)), threading.BoundedSemaphore(MAX_IN_FLIGHT)
        )


def send(
    request: PreparedRequest, timeouts: Timeouts, deadline: float, *, key: str, reach: Reach | None
) -> Reply | Fault:
    """Send the request once. Return by `deadline` (of `time.monotonic`) even if the exchange hangs.

    `key`: the caller's key at that host; calls are counted per key. `reach`: the addresses that the host may
    have, None for a host named in the portal's own settings.
    """

    def talk(conversation: Conversation[Reply | Fault]) -> Reply | Fault:
        try:
            return http_exchange.run(conversation, request, timeouts, reach)
        except BaseException as error:  # Not raised: its text may contain the URL.
            return Fault(conversation.sent, http_exchange.reason(error))

    try:
        return hold(talk, _get_slots(request, key), deadline)
    except GivenUp as error:
        return Fault(error.sent, str(error))
    except Crowded as error:
        return Fault(False, str(error), busy=True)
