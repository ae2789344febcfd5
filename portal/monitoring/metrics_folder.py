"""The folder in which a node's workers keep what they count; those of killed nodes are removed."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

_PREFIX = "portal-node-metrics-"
_LONG_AGO = 60  # Seconds; a younger folder may belong to a node that has not locked it yet.
_locks: list[int] = []  # Held until the last process of this node has ended, however it ends.


def new() -> str:
    """Make this node's folder, after removing those whose nodes have ended without doing so."""
    _remove_abandoned()
    folder = tempfile.mkdtemp(prefix=_PREFIX)
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    _locks.append(handle)
    return folder


def _remove_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime < _LONG_AGO:
                continue
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # Raises while its node lives.
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)
