"""gunicorn's configuration for the demo: as for `make serve`, with fewer lines in the log."""

from portal.management.serve_gunicorn import *  # noqa: F403 - gunicorn reads its settings from this module's names.

# Log pages, but not the files that belong to them.
logconfig_dict["filters"]["pages"] = {"()": "portal.management.demo_environment.WithoutStaticFiles"}  # noqa: F405
logconfig_dict["loggers"]["portal.monitoring.middleware"] = {"filters": ["pages"]}  # noqa: F405
