"""gunicorn's configuration for `make serve`. It uses threads, because a request may wait for the carrier."""

import os
import shutil
import sys
from typing import Any

from portal.monitoring import metrics_folder

# Must be set before metrics are imported (prometheus_client, multiprocess mode). The folder is always new,
# whatever the environment says, because on_exit removes it.
_METRICS_FOLDER = os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics_folder.new()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
os.environ["PORTAL_PAGES"] = "True"  # Must be set before the settings are read; see portal.core.database.

from django.conf import settings
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

bind = settings.BIND
workers = settings.WEB_CONCURRENCY
threads = settings.WEB_THREADS
worker_class = "gthread"
timeout = 60  # Seconds without a heartbeat of the worker; longer than any request may take.
graceful_timeout = 30
keepalive = 5
# gunicorn's control socket has one path per user: a second node would replace the first one's.
control_socket_disable = True
# Format gunicorn's log lines like ours.
logconfig_dict = settings.LOGGING
# gunicorn trusts no proxy headers: only portal.middleware decides which to trust.
forwarder_headers = ""
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}


class WithoutAccessLog(Logger):  # type: ignore[misc]
    """A logger without an access log: URLs such as confirmation links contain codes. We log requests."""

    def access(self, *_: Any) -> None:
        """Do nothing. With a `logconfig_dict` gunicorn would format the line even if it is not shown."""


logger_class = WithoutAccessLog


def pre_request(worker: Any, req: Any) -> None:
    """Close the connection after a request with a chunked body.

    gunicorn reads the rest of a body only after its response. If the rest is malformed, it would send a
    second response, and a proxy that reuses the connection would take this for the response to the next
    request.
    """
    if any(name == "TRANSFER-ENCODING" for name, _ in req.headers):
        req.force_close()


SWITCH_SECONDS = 0.0002  # Python's default is 0.005.


def post_worker_init(worker: Any) -> None:
    """Switch threads more often, so that a computing thread does not hold up pages."""
    sys.setswitchinterval(SWITCH_SECONDS)


def child_exit(server: Any, worker: Any) -> None:
    """Remove the gauges of a worker that has ended. Its counters remain."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(server: Any) -> None:
    """Delete the metrics folder."""
    shutil.rmtree(_METRICS_FOLDER, ignore_errors=True)
