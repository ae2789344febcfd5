"""gunicorn's configuration for the demo: as for `make serve`, but it ends with the demo."""

from typing import Any

from portal.gunicorn import *  # noqa: F403 - gunicorn reads its settings from this module's names.
from portal.management import demo_environment

# Log pages, but not the files that belong to them.
logconfig_dict["filters"]["pages"] = {"()": "portal.management.demo_environment.WithoutStaticFiles"}  # noqa: F405
logconfig_dict["loggers"]["portal.monitoring.middleware"] = {"filters": ["pages"]}  # noqa: F405


def when_ready(server: Any) -> None:
    """Watch the demo, only in the master process: workers end with their master."""
    demo_environment.end_with_parent()
