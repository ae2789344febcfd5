"""`manage.py apply_config FILE`: create or update brands from a TOML file."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.brands import config_file


class Command(BaseCommand):
    """Create or update brands from a TOML file (docs/connect-a-brand.md)."""

    help = "Create or update brands from a TOML file. Nothing changes when anything in the file is wrong."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="TOML, as docs/connect-a-brand.md describes it.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Apply the file, and print what was done with each brand."""
        try:
            applied = config_file.apply(options["file"])
        except config_file.ConfigError as error:
            raise CommandError(f"nothing was changed.\n{error}") from error
        for warning in applied.warnings:
            self.stderr.write(self.style.WARNING(f"warning: {warning}"))
        for slug, outcome in applied.brands:
            self.stdout.write(f"{slug}: {outcome}")
