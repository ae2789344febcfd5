"""gunicorn's configuration for the reference, which has settings of its own: that of the portal, as JSON."""

import gc
import json
import os
from typing import Any

# Read from portal/gunicorn.py by tests.bench.pages.
globals().update(json.loads(os.environ["SAME"]))


def post_fork(server: Any, worker: Any) -> None:
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpus[(worker.age - 1) % len(cpus)]})


def post_worker_init(worker: Any) -> None:
    gc.collect()
    gc.freeze()
