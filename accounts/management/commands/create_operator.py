"""`manage.py create_operator EMAIL`: create an operator of the admin."""

import sys
import warnings
from getpass import GetPassWarning, getpass
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts.models import User, with_email
from portal.core.email_addresses import normal_email


class Command(BaseCommand):
    """Create an operator, who manages the whole installation in the admin."""

    help = "Create an operator, who may do everything in the admin. Asks for the password."
    is_operator = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="The address to sign in with.")
        add_password_option(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Check the address before asking for the password."""
        user = _build_user(options["email"].strip(), self.is_operator)
        user.set_password(read_password(user, from_stdin=options["password_from_stdin"]))
        with transaction.atomic():
            user.save()
            self.after_save(user)
        self.stdout.write(
            f"{user.email} can sign in to the admin now; the first sign-in sets up an authenticator app."
        )

    def after_save(self, user: User) -> None:
        """Complete a new user in the same transaction; for subclasses."""


def _build_user(email: str, is_operator: bool) -> User:
    user = User(email=normal_email(email), is_staff=True, is_superuser=is_operator)
    try:
        user.clean_fields(exclude={"password"})
    except ValidationError as error:
        raise CommandError(f"{email or 'nothing'} is not an e-mail address.") from error
    if User.objects.filter(with_email(email), brand=None).exists():
        raise CommandError(
            f"{email} has a place in the admin already. For a new password: manage.py set_password {email}; "
            f"for a lost authenticator app: manage.py reset_authenticator {email}."
        )
    return user


def add_password_option(parser: CommandParser) -> None:
    """Add the option to read the password from standard input, for scripts without a terminal."""
    parser.add_argument(
        "--password-from-stdin",
        action="store_true",
        help="Read the password from standard input's first line.",
    )


def read_password(user: User, *, from_stdin: bool) -> str:
    """Return a valid password for this user, asked for twice. Raises CommandError."""
    password = _read_line() if from_stdin else _prompt_twice()
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise CommandError(f"this password cannot be used. {' '.join(error.messages)}") from error
    return password


def _read_line() -> str:
    return sys.stdin.readline().rstrip("\r\n")


def _prompt_twice() -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", GetPassWarning)  # Without a terminal it would echo.
            password = getpass("Password: ")
            repeated = getpass("Password again: ")
    except (EOFError, GetPassWarning) as error:
        raise CommandError("no password was given; for scripts there is --password-from-stdin.") from error
    if password != repeated:
        raise CommandError("the two passwords are not the same.")
    return password
