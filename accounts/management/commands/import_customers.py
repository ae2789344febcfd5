"""`manage.py import_customers SLUG FILE [--dry-run]`."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.imports import COLUMNS, REQUIRED, ImportRefused, customers_import
from portal.management.brands import brand_named


class Command(BaseCommand):
    """Makes customers of a brand from a CSV file."""

    help = (
        f"Create or fill in a brand's customers from a CSV file with a header: {', '.join(COLUMNS)} "
        f"(needed: {', '.join(REQUIRED)}). Nothing is written when any row is bad."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """The brand, the file, and whether to try only."""
        parser.add_argument("slug", help="The brand's short name.")
        parser.add_argument("file", type=Path, help="CSV in UTF-8, with commas or semicolons.")
        parser.add_argument("--dry-run", action="store_true", help="Say what would happen; write nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import, and count."""
        brand, path, dry_run = brand_named(options["slug"]), options["file"], options["dry_run"]
        try:
            counts = customers_import(brand=brand, data=path.read_bytes(), dry_run=dry_run)
        except OSError as error:
            raise CommandError(f"{path.name}: cannot be read: {error.strerror or error}") from error
        except ImportRefused as error:
            lines = "\n".join(f"{path.name}: {problem}" for problem in error.problems)
            raise CommandError(f"nothing was written.\n{lines}") from error
        self.stdout.write(
            f"{brand.slug}: created {counts.created}, updated {counts.updated}, unchanged {counts.unchanged}"
            f"{' (dry run: nothing was written)' if dry_run else ''}"
        )
