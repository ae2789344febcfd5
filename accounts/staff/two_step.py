"""Steps of the admin's sign-in (password, then code), and notices to staff about their account."""

import hashlib
import logging
from typing import Any

from django.contrib.auth import authenticate
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts.models import TotpDevice, User
from accounts.staff.totp import CodeUsed, CodeWrong, record_event, redeem_code
from portal.brands.access import is_active_staff
from portal.mail import send as mail
from portal.models import Attempt, Brand
from portal.resilience import rate_limits
from portal.resilience.bulkhead import HASHING

logger = logging.getLogger(__name__)

PENDING_SECONDS = 10 * 60  # Seconds between the password and the code.


def check_password_step(*, email: str, password: str, network: str, device: str = "") -> User | None:
    """Return the staff user, or None after the same time. Raises Limited and Busy.

    `device` is the name under which limits count the browser, see `accounts.sign_in.device_cookies`. The
    whole check waits for a hashing slot, so that a burst of tries does not block database and interpreter.
    """
    with HASHING.slot():
        attempt = rate_limits.record_attempt(
            brand=None, action="staff_password", email=email, network=network, device=device
        )
        user = authenticate(username=email, password=password)
        if not isinstance(user, User) or not is_active_staff(user):
            logger.warning("admin sign-in refused", extra={"step": "password"})
            return None
        attempt.delete()
        return user


def check_code_step(*, user: User, code: str, network: str, device: str = "") -> TotpDevice:
    """Return the user's app if the code is right. Raises Limited, CodeWrong, CodeUsed and SecretUnreadable.

    Each try is counted before the code is compared; a right or already used code is not counted in the end.
    An attacker with the password does not use up the tries of the user's own browser (`device`).
    """
    attempts = _record_attempts(user, network, device)
    try:
        device = redeem_code(user=user, code=code)
    except CodeUsed:
        _refund(attempts)
        raise
    except CodeWrong:
        logger.warning("admin sign-in refused", extra={"step": "code", "person": user.pk})
        raise
    _refund(attempts)
    return device


def _record_attempts(user: User, network: str, device: str) -> list[Attempt]:
    person, source = f"person {user.pk}", device or network
    own = rate_limits.record_attempt(
        brand=None, action="staff_code", email=person, network=network, device=device
    )
    try:
        return [
            own,
            rate_limits.record_attempt(brand=None, action="staff_code_from", email=source, network=source),
        ]
    except rate_limits.Limited:
        own.delete()
        raise


def _refund(attempts: list[Attempt]) -> None:
    for attempt in attempts:
        attempt.delete()


def build_pending_login(user: User) -> dict[str, Any]:
    """Return session data of the first step: user, time and password fingerprint. It is no sign-in."""
    return {"user": user.pk, "at": timezone.now().timestamp(), "mark": _password_fingerprint(user)}


def load_pending_login(data: dict[str, Any]) -> User | None:
    """Return the user of a first step in the last ten minutes, if still active with the same password."""
    if abs(timezone.now().timestamp() - data.get("at", 0)) > PENDING_SECONDS:
        return None
    user = User.objects.filter(brand=None, pk=int(data.get("user", 0))).first()
    if (
        user is None
        or not is_active_staff(user)
        or not constant_time_compare(str(data.get("mark")), _password_fingerprint(user))
    ):
        return None
    return user


def _password_fingerprint(user: User) -> str:
    return hashlib.sha256(user.get_session_auth_hash().encode()).hexdigest()


def set_password(*, user: User, password: str) -> None:
    """Set a password from the command line. Ends the user's sessions and pending sign-ins."""
    with transaction.atomic():
        user.set_password(password)
        user.save(update_fields=["password"])
        record_event(user=user, kind="password_set", by=None)
    logger.warning("admin password set", extra={"person": user.pk})


def send_password_set_notice(*, user: User) -> bool:
    """Email the user that their password was set. Return True if sent; the password is valid anyway."""
    return _send_notice("password_set", user, None)


def send_reset_notice(*, user: User, by: User | None) -> bool:
    """Email the user that their app was reset. Return True if sent; the reset is valid anyway."""
    return _send_notice("authenticator_reset", user, by)


def _send_notice(template: str, user: User, by: User | None) -> bool:
    """Send an email from one of the user's brands, else from the first brand: staff belong to no brand."""
    brands = Brand.objects.defer("logo").order_by("pk")
    brand = brands.filter(staff=user).first() or brands.first()
    if brand is None:
        return False
    try:
        return mail.send(
            brand=brand, to=user.email, template=template, language=user.language, person=user.pk, by=by
        )
    except mail.MailNotSent:
        return False
