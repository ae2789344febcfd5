"""People of the admin as commands name them: by their address."""

from django.core.management.base import CommandError

from accounts.models import User, with_email


def find_staff(email: str) -> User:
    """Who works in the admin under this address, operators among them. Raises CommandError."""
    person = User.objects.filter(with_email(email), brand=None).first()
    if person is None:
        raise CommandError(f"nobody of the admin has the address {email or 'given'}.")
    return person
