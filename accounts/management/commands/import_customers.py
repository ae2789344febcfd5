"""`manage.py import_customers SLUG FILE [--dry-run] [--keep-good]`: import customers of a brand."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.customer_import.importer import COLUMNS, REQUIRED, ImportRefused, Report, import_customers
from portal.management.arguments import find_brand


class Command(BaseCommand):
    """Create or update the customers of a brand from a CSV file."""

    help = (
        f"Create or fill in a brand's customers from a CSV file with a header: {', '.join(COLUMNS)} "
        f"(needed: {', '.join(REQUIRED)}). Nothing is written when any row is bad, "
        "unless --keep-good is given."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="The brand's short name.")
        parser.add_argument("file", type=Path, help="CSV in UTF-8, with commas, semicolons or tabs.")
        parser.add_argument("--dry-run", action="store_true", help="Say what would happen; write nothing.")
        parser.add_argument(
            "--keep-good",
            dest="skip_invalid",
            action="store_true",
            help="Write the good rows though others are bad.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Import the file, and print problems and counts."""
        brand, path, dry_run = find_brand(options["slug"]), options["file"], options["dry_run"]
        try:
            report = import_customers(
                brand=brand, data=path.read_bytes(), dry_run=dry_run, skip_invalid=options["skip_invalid"]
            )
        except OSError as error:
            raise CommandError(f"{path.name}: cannot be read: {error.strerror or error}") from error
        except ImportRefused as error:
            lines = "\n".join(f"{path.name}: {problem}" for problem in error.problems)
            raise CommandError(f"nothing was written.\n{lines}") from error
        self._print_problems(report, path.name)
        self.stdout.write(
            f"{brand.slug}: {_summary(report)}{' (dry run: nothing was written)' if dry_run else ''}"
        )

    def _print_problems(self, report: Report, name: str) -> None:
        for row in report.rows:
            for problem in (*row.problems, *row.notes):
                self.stderr.write(f"{name}: {problem}")


def _summary(report: Report) -> str:
    counts = report.counts
    words = f"created {counts.created}, updated {counts.updated}, unchanged {counts.unchanged}"
    return f"{words}, bad {counts.bad}" if counts.bad else words
