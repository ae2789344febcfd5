"""Manage the folder in which a node's workers store metrics, and remove those of killed nodes."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

_PREFIX = "portal-node-metrics-"
_MIN_AGE = 60  # Seconds; a younger folder may belong to a node that has not locked it yet.
_locks: list[int] = []  # Held until the last process of this node ends, even if it is killed.


def new() -> str:
    """Create this node's folder and return its path. Remove folders that ended nodes have left."""
    _remove_abandoned()
    folder = tempfile.mkdtemp(prefix=_PREFIX)
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    _locks.append(handle)
    return folder


def _remove_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime < _MIN_AGE:
                continue
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # Raises while its node runs.
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)
