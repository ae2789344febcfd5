"""Which hosts have no DNS entry, asked with a bounded wait."""

import socket
import threading
import time
from collections.abc import Sequence

from portal.net import is_loopback

WITHIN = 2.0  # Seconds, for all hosts together.


def without_dns(hosts: Sequence[str], within: float = WITHIN) -> list[str]:
    """Those of `hosts` for which the resolver says that there is no such name.

    A resolver that does not answer in time says nothing, so such a host is not among them. Names of this
    machine are not asked for.
    """
    missing: list[str] = []
    # Daemons: a resolver that hangs must hold up neither the page nor the end of the process.
    threads = [
        threading.Thread(target=_ask, args=(host, missing), daemon=True)
        for host in hosts
        if not is_loopback(host)
    ]
    until = time.monotonic() + within
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    told = set(missing)
    return [host for host in hosts if host in told]


def _ask(host: str, missing: list[str]) -> None:
    try:
        socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)):
            missing.append(host)
    except UnicodeError:
        missing.append(host)
