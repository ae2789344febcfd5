"""Signing in to the admin: the password, then a code. And telling a person that their app was reset."""

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

HALF_OPEN = 10 * 60  # Seconds between the password and the code.


def check_password_step(*, email: str, password: str, network: str, device: str = "") -> User | None:
    """Who this is, of those who work here; None for all others, in the same time. Raises Limited and Busy.

    `device` is what limits count the browser as, see `accounts.sign_in.device_cookies`. All of it waits for
    the slot of the hash, so that a burst of tries keeps neither the database nor the interpreter from others.
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
    """The person's app, if the code is right. Raises Limited, CodeWrong, CodeUsed and SecretUnreadable.

    Each try is counted before the code is compared; one that was right, or was so before, is taken back. A
    stranger who has the password uses up none of the tries of a browser that they do not have (`device`).
    """
    tries = _tries(user, network, device)
    try:
        device = redeem_code(user=user, code=code)
    except CodeUsed:
        _refund(tries)
        raise
    except CodeWrong:
        logger.warning("admin sign-in refused", extra={"step": "code", "person": user.pk})
        raise
    _refund(tries)
    return device


def _tries(user: User, network: str, device: str) -> list[Attempt]:
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


def _refund(tries: list[Attempt]) -> None:
    for attempt in tries:
        attempt.delete()


def pending_login(user: User) -> dict[str, Any]:
    """What a session keeps of the first step: who, when, and a mark of the password. It signs nobody in."""
    return {"user": user.pk, "at": timezone.now().timestamp(), "mark": _password_fingerprint(user)}


def load_pending_login(kept: dict[str, Any]) -> User | None:
    """Who took the first step in the last ten minutes, works here still, and has the same password."""
    if abs(timezone.now().timestamp() - kept.get("at", 0)) > HALF_OPEN:
        return None
    user = User.objects.filter(brand=None, pk=int(kept.get("user", 0))).first()
    if (
        user is None
        or not is_active_staff(user)
        or not constant_time_compare(str(kept.get("mark")), _password_fingerprint(user))
    ):
        return None
    return user


def _password_fingerprint(user: User) -> str:
    return hashlib.sha256(user.get_session_auth_hash().encode()).hexdigest()


def set_password(*, user: User, password: str) -> None:
    """A new password, set from the command line: it ends the person's sessions, and half-open sign-ins."""
    with transaction.atomic():
        user.set_password(password)
        user.save(update_fields=["password"])
        record_event(user=user, kind="password_set", by=None)
    logger.warning("admin password set", extra={"person": user.pk})


def send_password_set_notice(*, user: User) -> bool:
    """Mail the person that their password was set. Whether it was sent; the password stands all the same."""
    return _tell("password_set", user, None)


def send_reset_notice(*, user: User, by: User | None) -> bool:
    """Mail the person that their app was reset. Whether it was sent; the reset stands all the same."""
    return _tell("authenticator_reset", user, by)


def _tell(template: str, user: User, by: User | None) -> bool:
    """Who works in the admin has no brand of their own: the mail comes from one of their brands, or any."""
    every = Brand.objects.defer("logo").order_by("pk")
    brand = every.filter(staff=user).first() or every.first()
    if brand is None:
        return False
    try:
        return mail.send(brand=brand, to=user.email, template=template, language=user.language, by=by)
    except mail.MailNotSent:
        return False
