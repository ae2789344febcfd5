"""`manage.py check_carrier SLUG [--account N]`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.diagnosis import diagnose
from portal.management.brands import brand_named


class Command(BaseCommand):
    """Says whether a brand's connection to the carrier works, and if not, what to do."""

    help = "Ask the carrier for a balance, and say in words what is wrong. It only reads."

    def add_arguments(self, parser: CommandParser) -> None:
        """The brand, and perhaps a customer of it."""
        parser.add_argument("slug", help="The brand's short name.")
        parser.add_argument("--account", default="", metavar="N", help="Ask for this customer's balance too.")

    def handle(self, *args: Any, **options: Any) -> None:
        """One line for each call; exit status 1 when one of them failed."""
        findings = diagnose(brand_named(options["slug"]), options["account"])
        for finding in findings:
            self.stdout.write(f"{finding.method}: {'ok' if finding.ok else 'FAILED'}. {finding.text}")
        if not all(finding.ok for finding in findings):
            raise CommandError("the connection to the carrier does not work as it should.")
