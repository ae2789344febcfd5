"""`manage.py create_staff EMAIL --brand SLUG`: create a staff user of some brands."""

from typing import Any

from django.core.management.base import CommandParser

from accounts.management.commands import create_operator
from accounts.models import User
from portal.management.arguments import find_brand


class Command(create_operator.Command):
    """Create a staff user, who works for one brand or more in the admin."""

    help = "Create a staff user who sees the given brands in the admin. Asks for the password."
    is_operator = False

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--brand",
            action="append",
            required=True,
            metavar="SLUG",
            help="A brand of this person; may be repeated.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Check the brands before asking for the password."""
        self.brands = [find_brand(slug) for slug in options["brand"]]
        super().handle(*args, **options)

    def after_save(self, user: User) -> None:
        user.brands.set(self.brands)
