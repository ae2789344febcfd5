"""Child processes that end with this one, even if it is killed: each watches a pipe that we hold open."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

from django.conf import settings

ENDED_WITHIN = 40  # Seconds for requests and jobs in progress, as TimeoutStopSec in deploy/.


@contextlib.contextmanager
def python_process(*command: str, stdout: int | None = None) -> Iterator["subprocess.Popen[bytes]"]:
    """Run our Python with these arguments as long as the context lasts.

    It runs in a separate session, so Ctrl-C reaches only this process, which then ends its children in order.
    """
    process = subprocess.Popen(  # noqa: S603 - our own commands, no shell
        [sys.executable, *command],
        cwd=settings.BASE_DIR,
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=stdout,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=ENDED_WITHIN)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def end_with_parent() -> None:
    """End this process when its standard input closes, which the system does if our parent is killed."""

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent").start()
