"""`manage.py apply_config FILE`."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.brands import config_file


class Command(BaseCommand):
    """Makes the brands as a TOML file describes them."""

    help = "Create or update brands from a TOML file. Nothing changes when anything in the file is wrong."

    def add_arguments(self, parser: CommandParser) -> None:
        """One file."""
        parser.add_argument("file", type=Path, help="TOML, as the README describes it.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Apply, and say what became of each brand."""
        try:
            applied = config_file.apply(options["file"])
        except config_file.ConfigError as error:
            raise CommandError(f"nothing was changed.\n{error}") from error
        for warning in applied.warnings:
            self.stderr.write(self.style.WARNING(f"warning: {warning}"))
        for slug, outcome in applied.brands:
            self.stdout.write(f"{slug}: {outcome}")
