"""Secrets in the database: encrypted with `ENCRYPTION_KEY`, or a reference to an environment variable."""

import base64
import contextlib
import hashlib
import hmac
import os
import re
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models
from django.utils.translation import gettext as _

_REFERENCE = re.compile(r"env:(PORTAL_SECRET_[A-Z0-9_]+)\Z")
_MIN_PASSPHRASE_LENGTH = 16


class SecretUnreadable(Exception):
    """A stored secret cannot be read. The text names the environment variable that must be corrected."""


def _fernet(key: str) -> Fernet:
    try:
        return Fernet(key)
    except ValueError:
        pass
    if len(key) < _MIN_PASSPHRASE_LENGTH:
        raise ImproperlyConfigured(
            "ENCRYPTION_KEY: an entry is neither a Fernet key nor a passphrase of at least "
            f"{_MIN_PASSPHRASE_LENGTH} characters."
        )
    derived = hashlib.scrypt(key.encode(), salt=b"portal.crypto", n=2**14, r=8, p=1, dklen=32)
    return Fernet(base64.urlsafe_b64encode(derived))


@lru_cache(maxsize=4)
def _multi_fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([_fernet(key.strip()) for key in keys])


def fernet() -> MultiFernet:
    """Return the keys of `ENCRYPTION_KEY`: the first encrypts, any of them may decrypt."""
    return _multi_fernet(tuple(settings.ENCRYPTION_KEYS))


def uses_primary_key(secret: "EncryptedSecret") -> bool:
    """Return True if the first key of `ENCRYPTION_KEY` decrypts the secret."""
    try:
        _multi_fernet(tuple(settings.ENCRYPTION_KEYS[:1])).decrypt(secret.stored.encode())
    except InvalidToken:
        return False
    return True


def reencrypt(secret: "EncryptedSecret") -> "EncryptedSecret":
    """Encrypt the secret with the first key of `ENCRYPTION_KEY`. Raise InvalidToken if no key decrypts it."""
    return EncryptedSecret(fernet().rotate(secret.stored.encode()).decode())


def keyed_hash(purpose: str, *parts: object) -> str:
    """Return an HMAC-SHA256 with `SECRET_KEY`: 64 hexadecimal digits.

    For values that we look up but that a database dump must not reveal: codes, tokens, addresses.
    """
    message = "\x1f".join([purpose, *map(str, parts)]).encode()
    return hmac.new(settings.SECRET_KEY.encode(), message, hashlib.sha256).hexdigest()


class EncryptedSecret:
    """A stored secret. It prints as dots; `reveal()` returns the text."""

    def __init__(self, stored: str = "") -> None:
        self.stored = stored

    def __bool__(self) -> bool:
        return bool(self.stored)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EncryptedSecret) and other.stored == self.stored

    def __hash__(self) -> int:
        return hash(self.stored)

    def __repr__(self) -> str:
        return "•••" if self.stored else "(none)"

    __str__ = __repr__

    @property
    def is_reference(self) -> bool:
        """True if it names an environment variable and so is not encrypted."""
        return bool(_REFERENCE.match(self.stored))

    def reveal(self) -> str:
        """Return the secret in plain text. Raise SecretUnreadable, which names the variable to check."""
        if not self.stored:
            return ""
        if reference := _REFERENCE.match(self.stored):
            return _from_environment(reference.group(1))
        try:
            return fernet().decrypt(self.stored.encode()).decode()
        except InvalidToken as error:
            raise SecretUnreadable(
                _("ENCRYPTION_KEY has no key that decrypts it. Put the old key back behind the new one")
            ) from error


class RedactedTuple(tuple[str, ...]):
    """Secrets for the page that shows them once. They print as dots, because logs may print a context."""

    def __repr__(self) -> str:
        return "•••"

    __str__ = __repr__


def _from_environment(name: str) -> str:
    if value := os.environ.get(name, "").strip():
        return value
    raise SecretUnreadable(_("the environment variable %(name)s isn't set") % {"name": name})


def encrypt(text: str) -> EncryptedSecret:
    """Encrypt a secret for the database; `env:PORTAL_SECRET_…` stays a reference.

    Raise ValueError for a reference to any other variable: a form must not reveal SECRET_KEY.
    """
    text = text.strip()
    if text.startswith("env:"):
        if not _REFERENCE.match(text):
            raise ValueError(_("a reference must look like env:PORTAL_SECRET_NAME (capitals, digits, _)"))
        return EncryptedSecret(text)
    return EncryptedSecret(fernet().encrypt(text.encode()).decode() if text else "")


class SecretField(models.TextField):  # type: ignore[type-arg]
    """A text column for an `EncryptedSecret`. A plain string is refused, so it is never stored by mistake."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"blank": True, "default": EncryptedSecret, **kwargs})

    def from_db_value(self, value: str | None, *_: object) -> EncryptedSecret:
        return EncryptedSecret(value or "")

    def to_python(self, value: Any) -> EncryptedSecret:
        return value if isinstance(value, EncryptedSecret) else EncryptedSecret(value or "")

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Use the newest key: a row that was read before a key rotation may be saved after it."""
        secret = super().pre_save(model_instance, add)
        if isinstance(secret, EncryptedSecret) and not secret.is_reference and not uses_primary_key(secret):
            with contextlib.suppress(InvalidToken):  # Empty, or no key decrypts it: leave it unchanged.
                secret = reencrypt(secret)
                setattr(model_instance, self.attname, secret)
        return secret

    def get_prep_value(self, value: Any) -> str:
        """Return the text for the column. Raise TypeError for anything but an EncryptedSecret."""
        if not isinstance(value, EncryptedSecret):
            raise TypeError(
                f"{self.name} takes portal.security.crypto.encrypt(text), not {type(value).__name__}"
            )
        return value.stored

    def value_to_string(self, obj: models.Model) -> str:
        """Return the ciphertext, for dumpdata."""
        stored: str = self.value_from_object(obj).stored
        return stored
