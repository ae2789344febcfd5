"""Arguments of commands that name a staff user."""

from django.core.management.base import CommandError

from accounts.models import User, with_email


def find_staff(email: str) -> User:
    """Return the staff user or operator with this email address. Raises CommandError."""
    user = User.objects.filter(with_email(email), brand=None).first()
    if user is None:
        raise CommandError(f"nobody of the admin has the address {email or 'given'}.")
    return user
