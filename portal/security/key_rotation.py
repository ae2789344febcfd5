"""Bringing stored secrets under the newest key of ENCRYPTION_KEY."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography.fernet import InvalidToken
from django.apps import apps
from django.db import models

from portal.security.crypto import EncryptedSecret, SecretField, reencrypt, uses_primary_key


@dataclass
class Reencrypted:
    """How many secrets were encrypted anew, how many were fresh, and where those stand that no key opens."""

    reencrypted: int = 0
    fresh: int = 0
    unreadable: list[str] = field(default_factory=list)


def reencrypt_secrets() -> Reencrypted:
    """Encrypt each stored secret with the newest key; references to the environment stay as they are.

    Row by row, and only where the row still holds what was read: a key entered meanwhile stays.
    """
    done = Reencrypted()
    for column in _columns():
        name = column.attname
        rows = column.model._base_manager.exclude(**{name: EncryptedSecret()})
        for pk, sealed in rows.values_list("pk", name).iterator():
            if sealed.is_reference:
                continue
            _renew(column, pk, sealed, done)
    return done


def _columns() -> Iterator["models.Field[object, object]"]:
    for model in apps.get_models():
        yield from (column for column in model._meta.local_fields if isinstance(column, SecretField))


def _renew(
    column: "models.Field[object, object]", pk: int, sealed: EncryptedSecret, done: Reencrypted
) -> None:
    if uses_primary_key(sealed):
        done.fresh += 1
        return
    try:
        fresh = reencrypt(sealed)
    except InvalidToken:
        done.unreadable.append(f"{column.model._meta.label} {pk}, {column.name}")
        return
    own = column.model._base_manager.filter(**{"pk": pk, column.attname: sealed})
    done.reencrypted += own.update(**{column.attname: fresh})
