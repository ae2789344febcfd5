"""`manage.py serve`: a node and a worker, for an installation on one machine. `make serve` runs it."""

import signal
import sys
import time
from types import FrameType
from typing import Any

from django.core.management import BaseCommand, CommandError

from portal.management.processes import python_process

_NODE = ("-m", "gunicorn", "-c", "portal/management/serve_gunicorn.py", "portal.wsgi")
_WORKER = ("manage.py", "run_worker", "--with-parent")


class Command(BaseCommand):
    """Run both until SIGTERM or Ctrl-C. If one ends, end the other too, so that a supervisor notices."""

    help = "Run a node on BIND, and a worker for background jobs beside it."
    requires_system_checks: list[str] = []  # The node makes them.

    def handle(self, *args: Any, **options: Any) -> None:
        signal.signal(signal.SIGTERM, _exit)
        signal.signal(signal.SIGINT, _exit)
        with python_process(*_WORKER) as worker, python_process(*_NODE) as node:
            while True:
                for name, process in (("node", node), ("worker", worker)):
                    if process.poll() is not None:
                        raise CommandError(f"The {name} ended by itself; its output above says why.")
                time.sleep(0.5)


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(0)
