"""How `make serve` runs gunicorn: threads, because a request may wait for the carrier; one CPU per worker."""

import os
from typing import Any

from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

bind = settings.BIND
workers = settings.WEB_CONCURRENCY
threads = settings.WEB_THREADS
worker_class = "gthread"
timeout = 60  # Seconds without a sign of life of the worker; longer than any request may take.
graceful_timeout = 30
keepalive = 5
# No access log: addresses like the one in a confirmation mail carry codes.
accesslog = None
# No header of a proxy changes what gunicorn believes: portal.middleware alone decides what is trusted.
forwarder_headers = ""
forwarded_allow_ips = ""
secure_scheme_headers: dict[str, str] = {}


def post_fork(server: Any, worker: Any) -> None:
    """Keep each worker on one CPU: threads that fight for one interpreter lock across CPUs lose time."""
    if settings.WEB_CONCURRENCY > 1 and hasattr(os, "sched_setaffinity"):
        cpus = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cpus[(worker.age - 1) % len(cpus)]})
