#!/usr/bin/env python3
"""Django's command line with the settings of the portal."""

import os
import sys


def main() -> None:
    """Run the command given on the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    if sys.argv[1:2] == ["demo"]:
        # The demo sets its own environment, which must be done before the settings are read.
        from portal.management import demo_environment

        demo_environment.prepare_environment(sys.argv[2:])
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(str(error))  # The message names the setting; a traceback would not help.


if __name__ == "__main__":
    main()
