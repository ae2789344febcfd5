"""How the demo runs gunicorn: as `make serve` does, and never longer than the demo itself."""

from typing import Any

from portal.gunicorn import *  # noqa: F403 - gunicorn reads its settings from this module's names.
from portal.management import demo_environment

# A line for each page, and none for what belongs to it.
logconfig_dict["filters"]["pages"] = {"()": "portal.management.demo_environment.WithoutStaticFiles"}  # noqa: F405
logconfig_dict["loggers"]["portal.monitoring.middleware"] = {"filters": ["pages"]}  # noqa: F405


def when_ready(server: Any) -> None:
    """Begin to watch the demo, in the master alone: workers end with their master."""
    demo_environment.end_with_parent()
