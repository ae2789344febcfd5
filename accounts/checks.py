"""System check: the keys of all authenticator apps can be decrypted."""

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.db import DatabaseError

from accounts.models import TotpDevice
from portal.checks import encryption_keys
from portal.security.crypto import SecretUnreadable


@checks.register(checks.Tags.database)
def authenticators_are_usable(databases: Sequence[str] | None = None, **_: Any) -> list[checks.CheckMessage]:
    """Return an error for each active user whose authenticator key cannot be decrypted."""
    if not databases or encryption_keys():
        return []
    try:
        devices = list(TotpDevice.objects.filter(user__is_active=True).select_related("user"))
    except DatabaseError:
        return []  # There is no table before the first migration.
    return [message for device in devices for message in _problems(device)]


def _problems(device: TotpDevice) -> list[checks.CheckMessage]:
    try:
        device.key.reveal()
    except SecretUnreadable as error:
        hint = f"If the former key is lost: manage.py reset_authenticator {device.user.email}"
        return [checks.Error(f"Authenticator app of {device.user}: {error}", hint=hint, id="accounts.E001")]
    return []
