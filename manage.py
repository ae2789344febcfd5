#!/usr/bin/env python3
"""Django's command line, with the settings of this portal."""

import os
import sys


def main() -> None:
    """Run the command that stands on the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    if sys.argv[1:2] == ["demo"]:
        # The demo brings its own environment, so it must be in place before the settings are read.
        from portal.management import demo_environment

        demo_environment.prepare_environment(sys.argv[2:])
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(str(error))  # It names the setting; where it was read helps nobody.


if __name__ == "__main__":
    main()
