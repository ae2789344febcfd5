"""Re-encrypt stored secrets with the newest key of ENCRYPTION_KEY."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography.fernet import InvalidToken
from django.apps import apps
from django.db import models

from portal.security.crypto import EncryptedSecret, SecretField, reencrypt, uses_primary_key


@dataclass
class RotationResult:
    """Counts of re-encrypted and up-to-date secrets, and the location of those that no key decrypts."""

    reencrypted: int = 0
    up_to_date: int = 0
    unreadable: list[str] = field(default_factory=list)


def reencrypt_secrets() -> RotationResult:
    """Encrypt each stored secret with the newest key. References to the environment stay as they are.

    A row is updated only if it still has the value that was read, so a secret entered in between is kept.
    """
    result = RotationResult()
    for column in _secret_columns():
        name = column.attname
        rows = column.model._base_manager.exclude(**{name: EncryptedSecret()})
        for pk, secret in rows.values_list("pk", name).iterator():
            if not secret.is_reference:
                _reencrypt_row(column, pk, secret, result)
    return result


def _secret_columns() -> Iterator["models.Field[object, object]"]:
    for model in apps.get_models():
        yield from (column for column in model._meta.local_fields if isinstance(column, SecretField))


def _reencrypt_row(
    column: "models.Field[object, object]", pk: int, secret: EncryptedSecret, result: RotationResult
) -> None:
    if uses_primary_key(secret):
        result.up_to_date += 1
        return
    try:
        reencrypted = reencrypt(secret)
    except InvalidToken:
        result.unreadable.append(f"{column.model._meta.label} {pk}, {column.name}")
        return
    unchanged = column.model._base_manager.filter(**{"pk": pk, column.attname: secret})
    result.reencrypted += unchanged.update(**{column.attname: reencrypted})
