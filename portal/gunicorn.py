"""How `make serve` runs gunicorn: threads, because a request may wait for the carrier."""

import os
import shutil
import sys
from typing import Any

from portal.monitoring import metrics_folder

# Before anything imports the metrics: where the workers keep them (prometheus_client, multiprocess mode).
# A folder of this node's own, whatever the environment says: on_exit removes it.
_METRICS = os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics_folder.new()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
os.environ["PORTAL_PAGES"] = "True"  # Before the settings are read: see portal.core.database.

from django.conf import settings
from gunicorn.glogging import Logger  # type: ignore[import-untyped]

bind = settings.BIND
workers = settings.WEB_CONCURRENCY
threads = settings.WEB_THREADS
worker_class = "gthread"
timeout = 60  # Seconds without a sign of life of the worker; longer than any request may take.
graceful_timeout = 30
keepalive = 5
# The socket of gunicorn's own console has one place per user: a second node would take the first one's.
control_socket_disable = True
# gunicorn's own lines look like ours.
logconfig_dict = settings.LOGGING
# No header of a proxy changes what gunicorn believes: portal.middleware alone decides what is trusted.
forwarder_headers = ""
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}


class WithoutAccessLog(Logger):  # type: ignore[misc]
    """The one line a request is our own: addresses like the one in a confirmation mail carry codes."""

    def access(self, *_: Any) -> None:
        """Nothing: gunicorn composes the line as soon as there is a `logconfig_dict`, shown or not."""


logger_class = WithoutAccessLog


def pre_request(worker: Any, req: Any) -> None:
    """End the connection behind a body in chunks.

    gunicorn reads what a page left of a body only after its answer. Where that is malformed it would answer
    the same request again, and whoever keeps the connection would take this for the answer to the next one.
    """
    if any(name == "TRANSFER-ENCODING" for name, _ in req.headers):
        req.force_close()


SWITCH_SECONDS = 0.0002  # Python's default is 0.005.


def post_worker_init(worker: Any) -> None:
    """Let a thread that computes give way to pages more often."""
    sys.setswitchinterval(SWITCH_SECONDS)


def child_exit(server: Any, worker: Any) -> None:
    """A worker that has ended waits on nobody; what it counted stays."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def on_exit(server: Any) -> None:
    """Nothing of the metrics stays."""
    shutil.rmtree(_METRICS, ignore_errors=True)
