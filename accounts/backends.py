"""Authentication backend of the admin. Only staff have passwords."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from accounts.models import User, with_email


class StaffBackend(ModelBackend):
    """Authenticates staff and operators by email address and password. Customers have no password."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **_: Any
    ) -> User | None:
        """Return the user, or None. An unknown address takes as long as a wrong password."""
        if not username or password is None:
            return None
        user = User.objects.filter(with_email(username), brand=None).first()
        if user is None:
            User().set_password(password)
            return None
        return user if user.check_password(password) and self.user_can_authenticate(user) else None
