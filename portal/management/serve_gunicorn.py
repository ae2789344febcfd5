"""gunicorn's configuration for `manage.py serve`: as for a node, but it ends with its parent."""

from typing import Any

from portal.gunicorn import *  # noqa: F403 - gunicorn reads its settings from this module's names.
from portal.management import processes


def when_ready(server: Any) -> None:
    """Watch the parent, only in the master process: workers end with their master."""
    processes.end_with_parent()
