"""Authenticator apps (TOTP) and recovery codes of staff.

App and portal share a key; from it and the time both compute six digits every 30 seconds (RFC 6238). A code
is valid once, also one step early or late, in case a clock is slightly off.
"""

import base64
import re
import secrets

from django.db import IntegrityError, transaction
from django.utils import timezone
from django_otp.oath import TOTP

from accounts.models import RecoveryCode, StaffEvent, TotpDevice, User
from portal.security import crypto
from portal.security.crypto import EncryptedSecret, keyed_hash

STEP, DIGITS, DRIFT = 30, 6, 1
KEY_BYTES = 20
RECOVERY_CODES, RECOVERY_LETTERS, _GROUP_LENGTH = 10, 20, 5
# Crockford's base32: 20 letters are 100 bits, and no two letters look alike.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD = str.maketrans("OIL", "011")


class CodeWrong(Exception):
    """The code is not one of the app at this time."""


class RecoveryCodeWrong(CodeWrong):
    """The code is not an unused recovery code."""


class CodeUsed(CodeWrong):
    """The app's current code has already been used. The next one appears in `seconds`."""

    def __init__(self) -> None:
        super().__init__("used")
        self.seconds = STEP - int(timezone.now().timestamp()) % STEP


class AlreadySetUp(Exception):
    """The user has already set up an app in another browser."""


def generate_key() -> EncryptedSecret:
    """Return a new encrypted key. The plain key is base32, as apps expect it."""
    return crypto.encrypt(base64.b32encode(secrets.token_bytes(KEY_BYTES)).decode())


def get_device(*, user: User) -> TotpDevice | None:
    """Return the user's confirmed app, or None."""
    device: TotpDevice | None = TotpDevice.objects.filter(user=user, confirmed=True).first()
    return device


def set_up_authenticator(*, user: User, key: EncryptedSecret, code: str) -> tuple[TotpDevice, list[str]]:
    """Save a first app after checking one of its codes. Return it and new recovery codes, to be shown once.

    Raises CodeWrong, AlreadySetUp and SecretUnreadable.
    """
    step = _verify_app_code(key, code)
    try:
        with transaction.atomic():
            return _create_device(user, key, step), create_recovery_codes(user=user)
    except IntegrityError as error:
        raise AlreadySetUp from error


def replace_authenticator(*, user: User, key: EncryptedSecret, code: str) -> tuple[TotpDevice, list[str]]:
    """Replace the user's app likewise; sessions of the former app end.

    Raises CodeWrong, AlreadySetUp and SecretUnreadable.
    """
    with transaction.atomic():
        TotpDevice.objects.filter(user=user).delete()
        return set_up_authenticator(user=user, key=key, code=code)


def _create_device(user: User, key: EncryptedSecret, step: int) -> TotpDevice:
    record_event(user=user, kind="enrolled", by=user)
    device: TotpDevice = TotpDevice.objects.create(
        user=user, name="authenticator app", key=key, last_t=step, confirmed=True
    )
    return device


def _verify_app_code(key: EncryptedSecret, code: str) -> int:
    totp = _totp(key)
    if not _is_app_code(code) or not totp.verify(int(code), tolerance=DRIFT):
        raise CodeWrong
    return int(totp.t())


def _totp(key: EncryptedSecret) -> TOTP:
    totp = TOTP(base64.b32decode(key.reveal()), step=STEP, digits=DIGITS)
    totp.time = timezone.now().timestamp()
    return totp


def normalise_code(typed: str) -> str:
    """Return the code without spaces and hyphens, in capitals, with misread letters corrected."""
    return re.sub(r"[\s-]", "", typed).upper().translate(_MISREAD)


def _is_app_code(code: str) -> bool:
    return len(code) == DIGITS and code.isdecimal()


def redeem_code(*, user: User, code: str) -> TotpDevice:
    """Use up a code of the user's app, or a recovery code. Return the app.

    Raises CodeWrong, CodeUsed and, if the key cannot be decrypted, SecretUnreadable.
    """
    device = get_device(user=user)
    if device is None:
        raise CodeWrong
    if _is_app_code(code):
        _redeem_app_code(device, code)
    else:
        _redeem_recovery_code(user, code)
    return device


def _redeem_app_code(device: TotpDevice, code: str) -> None:
    totp = _totp(device.key)
    if not totp.verify(int(code), tolerance=DRIFT, min_t=device.last_t + 1):
        raise CodeUsed if totp.verify(int(code), tolerance=DRIFT) else CodeWrong
    # Of two requests with the same code, only one finds the step unused.
    unused = TotpDevice.objects.filter(pk=device.pk, confirmed=True, last_t__lt=totp.t())
    if not unused.update(last_t=totp.t(), last_used_at=timezone.now()):
        raise CodeUsed


def _redeem_recovery_code(user: User, code: str) -> None:
    own = RecoveryCode.objects.filter(user=user, code_hash=_recovery_hash(user, code), used_at=None)
    if not own.update(used_at=timezone.now()):
        raise RecoveryCodeWrong
    record_event(user=user, kind="recovery_used", by=user)


def create_recovery_codes(*, user: User) -> list[str]:
    """Replace all recovery codes by ten new ones, `XXXXX-XXXXX-XXXXX-XXXXX`. Only hashes are stored."""
    codes = [_random_letters() for _ in range(RECOVERY_CODES)]
    with transaction.atomic():
        RecoveryCode.objects.filter(user=user).delete()
        RecoveryCode.objects.bulk_create(
            RecoveryCode(user=user, code_hash=_recovery_hash(user, code)) for code in codes
        )
        record_event(user=user, kind="recovery_made", by=user)
    return ["-".join(re.findall(f".{{{_GROUP_LENGTH}}}", code)) for code in codes]


def _random_letters() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(RECOVERY_LETTERS))


def count_recovery_codes(*, user: User) -> int:
    """Return the number of unused recovery codes."""
    return RecoveryCode.objects.filter(user=user, used_at=None).count()


def _recovery_hash(user: User, code: str) -> str:
    return keyed_hash("recovery-code", user.pk, code)


def reset_authenticator(*, user: User, by: User | None) -> None:
    """Delete app and recovery codes, which ends the user's sessions. The next sign-in sets up a new app."""
    with transaction.atomic():
        TotpDevice.objects.filter(user=user).delete()
        RecoveryCode.objects.filter(user=user).delete()
        record_event(user=user, kind="reset", by=by)


def record_event(*, user: User, kind: str, by: User | None) -> None:
    """Record an event of a staff user's sign-in. `by` is None for the command line."""
    StaffEvent.objects.create(user=user, kind=kind, by=by, at=timezone.now())
