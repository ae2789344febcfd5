"""The authenticator app of somebody who works in the admin: its key, its codes, and the codes for its loss.

The app and we share a key; every 30 seconds both make six digits of it and of the time (RFC 6238). A code is
good for the step before and the one after too, for clocks that are a little off, and once.
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
RECOVERY_CODES, RECOVERY_LETTERS, _GROUP = 10, 20, 5
# Crockford's base32: 20 letters are 100 bits, and no two letters are taken for one another.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD = str.maketrans("OIL", "011")


class CodeWrong(Exception):
    """Not a code of the app at this time."""


class RecoveryCodeWrong(CodeWrong):
    """None of the recovery codes that are still good."""


class CodeUsed(CodeWrong):
    """The app's present code, but it has served already; the next one comes in `seconds`."""

    def __init__(self) -> None:
        super().__init__("used")
        self.seconds = STEP - int(timezone.now().timestamp()) % STEP


class AlreadySetUp(Exception):
    """Meanwhile the person has set up an app in another browser."""


def generate_key() -> EncryptedSecret:
    """A new key, encrypted; inside it is base32, as apps take it."""
    return crypto.encrypt(base64.b32encode(secrets.token_bytes(KEY_BYTES)).decode())


def get_device(*, user: User) -> TotpDevice | None:
    """The person's app; None while there is none."""
    device: TotpDevice | None = TotpDevice.objects.filter(user=user, confirmed=True).first()
    return device


def set_up_authenticator(*, user: User, key: EncryptedSecret, code: str) -> tuple[TotpDevice, list[str]]:
    """Keep the key of a first app, once a code of it was typed; also the recovery codes, to be shown once.

    Raises CodeWrong, AlreadySetUp and SecretUnreadable.
    """
    step = _step_of(key, code)
    try:
        with transaction.atomic():
            return _device_new(user, key, step), create_recovery_codes(user=user)
    except IntegrityError as error:
        raise AlreadySetUp from error


def replace_authenticator(*, user: User, key: EncryptedSecret, code: str) -> tuple[TotpDevice, list[str]]:
    """The same for a new app in the place of the former, whose sessions end.

    Raises CodeWrong, AlreadySetUp and SecretUnreadable.
    """
    with transaction.atomic():
        TotpDevice.objects.filter(user=user).delete()
        return set_up_authenticator(user=user, key=key, code=code)


def _device_new(user: User, key: EncryptedSecret, step: int) -> TotpDevice:
    record_event(user=user, kind="enrolled", by=user)
    device: TotpDevice = TotpDevice.objects.create(
        user=user, name="authenticator app", key=key, last_t=step, confirmed=True
    )
    return device


def _step_of(key: EncryptedSecret, code: str) -> int:
    totp = _totp(key)
    if not _is_app_code(code) or not totp.verify(int(code), tolerance=DRIFT):
        raise CodeWrong
    return int(totp.t())


def _totp(key: EncryptedSecret) -> TOTP:
    totp = TOTP(base64.b32decode(key.reveal()), step=STEP, digits=DIGITS)
    totp.time = timezone.now().timestamp()
    return totp


def normalise_code(typed: str) -> str:
    """What was typed without spaces and hyphens, in capitals, and with misread letters put right."""
    return re.sub(r"[\s-]", "", typed).upper().translate(_MISREAD)


def _is_app_code(code: str) -> bool:
    return len(code) == DIGITS and code.isdecimal()


def redeem_code(*, user: User, code: str) -> TotpDevice:
    """The person's app, if this is its code or a recovery code in its place; both are good once.

    Raises CodeWrong, CodeUsed and, where the key cannot be decrypted, SecretUnreadable.
    """
    device = get_device(user=user)
    if device is None:
        raise CodeWrong
    if _is_app_code(code):
        _app_code_redeem(device, code)
    else:
        _recovery_code_redeem(user, code)
    return device


def _app_code_redeem(device: TotpDevice, code: str) -> None:
    totp = _totp(device.key)
    if not totp.verify(int(code), tolerance=DRIFT, min_t=device.last_t + 1):
        raise CodeUsed if totp.verify(int(code), tolerance=DRIFT) else CodeWrong
    # Of two requests with one code only one finds the step unused.
    unused = TotpDevice.objects.filter(pk=device.pk, confirmed=True, last_t__lt=totp.t())
    if not unused.update(last_t=totp.t(), last_used_at=timezone.now()):
        raise CodeUsed


def _recovery_code_redeem(user: User, code: str) -> None:
    own = RecoveryCode.objects.filter(user=user, code_hash=_recovery_hash(user, code), used_at=None)
    if not own.update(used_at=timezone.now()):
        raise RecoveryCodeWrong
    record_event(user=user, kind="recovery_used", by=user)


def create_recovery_codes(*, user: User) -> list[str]:
    """Ten new ones, `XXXXX-XXXXX-XXXXX-XXXXX`, in the place of all former; only their hashes are kept."""
    codes = [_letters() for _ in range(RECOVERY_CODES)]
    with transaction.atomic():
        RecoveryCode.objects.filter(user=user).delete()
        RecoveryCode.objects.bulk_create(
            RecoveryCode(user=user, code_hash=_recovery_hash(user, code)) for code in codes
        )
        record_event(user=user, kind="recovery_made", by=user)
    return ["-".join(re.findall(f".{{{_GROUP}}}", code)) for code in codes]


def _letters() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(RECOVERY_LETTERS))


def count_recovery_codes(*, user: User) -> int:
    """How many are still good."""
    return RecoveryCode.objects.filter(user=user, used_at=None).count()


def _recovery_hash(user: User, code: str) -> str:
    return keyed_hash("recovery-code", user.pk, code)


def reset_authenticator(*, user: User, by: User | None) -> None:
    """Forget app and recovery codes, which ends the person's sessions; the next sign-in sets up a new app."""
    with transaction.atomic():
        TotpDevice.objects.filter(user=user).delete()
        RecoveryCode.objects.filter(user=user).delete()
        record_event(user=user, kind="reset", by=by)


def record_event(*, user: User, kind: str, by: User | None) -> None:
    """Write down what happened to somebody's way in; `by` is None for the command line."""
    StaffEvent.objects.create(user=user, kind=kind, by=by, at=timezone.now())
