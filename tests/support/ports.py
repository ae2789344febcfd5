"""Ports for test servers: no other process gets one between its choice and its use.

Asking the system for a port and releasing it is a race: it may give the same one to the next process that
asks. So these are below the system's own range, and each worker has a range of its own.
"""

import os
import socket
from itertools import cycle

_FIRST, _EACH = 20_000, 1_000  # Linux and macOS assign from 32768 and 49152 on.
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 12
_range = cycle(range(_FIRST + _worker * _EACH, _FIRST + (_worker + 1) * _EACH))


def is_free(port: int) -> bool:
    """Return True if a server could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a free port that this worker has not used for a long time."""
    return next(port for port in _range if is_free(port))
