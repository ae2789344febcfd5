"""Processes of this machine, as a test needs to know them."""

import contextlib
import glob
import os
import signal
from pathlib import Path


def children(pid: int) -> list[int]:
    """Whoever was started by this process and has not ended, the oldest first."""
    found = []
    for stat in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError):
            text = Path(stat).read_text()
            if int(text.rpartition(")")[2].split()[1]) == pid:
                found.append(int(text.split()[0]))
    return sorted(found)


def tell(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to all that still run."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
