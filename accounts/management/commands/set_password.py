"""`manage.py set_password EMAIL`: set the password of a staff user."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts.management.arguments import find_staff
from accounts.management.commands.create_operator import add_password_option, read_password
from accounts.staff import totp, two_step


class Command(BaseCommand):
    """Set the password of a staff user. For a forgotten password when no other operator can help."""

    help = "Set a new password for a staff user. Asks for it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="The address with which this person signs in to the admin.")
        add_password_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Set the password and notify the user by email. A failed email changes nothing."""
        user = find_staff(options["email"].strip())
        password = read_password(user, from_stdin=options["password_from_stdin"])
        two_step.set_password(user=user, password=password)
        app = "a code" if totp.get_device(user=user) else "a new authenticator app"
        self.stdout.write(
            f"{user.email} is signed out everywhere, and signs in with the new password and {app}."
        )
        if not user.is_active:
            self.stderr.write("But they are not active: an operator has to make them so in the admin.")
        if not two_step.send_password_set_notice(user=user):
            self.stderr.write("The mail about it could not be sent: please tell the person yourself.")
