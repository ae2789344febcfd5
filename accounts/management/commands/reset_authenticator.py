"""`manage.py reset_authenticator EMAIL`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts.management.people import find_staff
from accounts.staff import totp, two_step


class Command(BaseCommand):
    """For a lost phone where no other operator can help."""

    help = "Forget the authenticator app and the recovery codes of somebody who works in the admin."

    def add_arguments(self, parser: CommandParser) -> None:
        """Who."""
        parser.add_argument("email", help="The address with which this person signs in to the admin.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Reset, and tell the person by mail; that the mail cannot be sent changes nothing."""
        person = find_staff(options["email"].strip())
        totp.reset_authenticator(user=person, by=None)
        self.stdout.write(
            f"{person.email} is signed out everywhere, and sets up a new app at the next sign-in."
        )
        if not two_step.send_reset_notice(user=person, by=None):
            self.stderr.write("The mail about it could not be sent: please tell the person yourself.")
