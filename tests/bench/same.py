"""The portal's gunicorn configuration for the reference, which has settings of its own."""

import os
from typing import Any

bind = os.environ["BIND"]
workers = int(os.environ["WEB_CONCURRENCY"])
threads = int(os.environ.get("WEB_THREADS") or 64)
worker_class = "gthread"
timeout, graceful_timeout, keepalive, accesslog = 60, 30, 5, None


def post_fork(server: Any, worker: Any) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpus[(worker.age - 1) % len(cpus)]})
