"""`manage.py set_password EMAIL`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts.management.commands.create_operator import password_option, password_read
from accounts.management.people import find_staff
from accounts.staff import totp, two_step


class Command(BaseCommand):
    """For a forgotten password where no other operator can help."""

    help = "Set a new password for somebody who works in the admin. Asks for it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Who, and for scripts another way for the password to come in."""
        parser.add_argument("email", help="The address with which this person signs in to the admin.")
        password_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Set it, and tell the person by mail; that the mail cannot be sent changes nothing."""
        person = find_staff(options["email"].strip())
        password = password_read(person, from_stdin=options["password_from_stdin"])
        two_step.set_password(user=person, password=password)
        app = "a code" if totp.get_device(user=person) else "a new authenticator app"
        self.stdout.write(
            f"{person.email} is signed out everywhere, and signs in with the new password and {app}."
        )
        if not person.is_active:
            self.stderr.write("But they are not active: an operator has to make them so in the admin.")
        if not two_step.send_password_set_notice(user=person):
            self.stderr.write("The mail about it could not be sent: please tell the person yourself.")
