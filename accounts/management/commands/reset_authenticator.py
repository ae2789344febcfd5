"""`manage.py reset_authenticator EMAIL`: reset the second factor of a staff user."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts.management.arguments import find_staff
from accounts.staff import totp, two_step


class Command(BaseCommand):
    """Reset the authenticator app of a staff user. For a lost phone when no other operator can help."""

    help = "Delete the authenticator app and the recovery codes of a staff user."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="The address with which this person signs in to the admin.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Reset the app and notify the user by email. A failed email changes nothing."""
        user = find_staff(options["email"].strip())
        totp.reset_authenticator(user=user, by=None)
        self.stdout.write(
            f"{user.email} is signed out everywhere, and sets up a new app at the next sign-in."
        )
        if not two_step.send_reset_notice(user=user, by=None):
            self.stderr.write("The mail about it could not be sent: please tell the person yourself.")
