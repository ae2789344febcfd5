"""`manage.py create_staff EMAIL --brand SLUG`."""

from typing import Any

from django.core.management.base import CommandParser

from accounts.management.commands import create_operator
from accounts.models import User
from portal.management.arguments import find_brand


class Command(create_operator.Command):
    """Makes a person who works for one brand or more, in the admin."""

    help = "Create somebody who sees the given brands in the admin. Asks for the password."
    is_operator = False

    def add_arguments(self, parser: CommandParser) -> None:
        """The brands too."""
        super().add_arguments(parser)
        parser.add_argument(
            "--brand",
            action="append",
            required=True,
            metavar="SLUG",
            help="A brand of this person; may be repeated.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Look for the brands before asking for anything."""
        self.brands = [find_brand(slug) for slug in options["brand"]]
        super().handle(*args, **options)

    def saved(self, user: User) -> None:
        """Give the person the brands."""
        user.brands.set(self.brands)
