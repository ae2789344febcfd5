"""Signing in by a mailed code. Our own code, sent to the stored address, is the only proof of a customer."""

import hmac
import logging
import secrets

from django.db.models import F
from django.utils import timezone

from accounts.customers import customer_find, customer_verified
from accounts.models import SignInCode, User
from portal import mail, ratelimit
from portal.crypto import keyed_hash
from portal.models import Brand

logger = logging.getLogger(__name__)


class CodeRefused(Exception):
    """The code does not sign in; `tries_left` is 0 when the code itself is of no more use."""

    def __init__(self, tries_left: int) -> None:
        super().__init__(f"{tries_left} tries left")
        self.tries_left = tries_left


def sign_in_code_request(*, brand: Brand, email: str, network: str, browser: str) -> SignInCode:
    """Mail a code to the customer with this address; to any other address, a mail that says so.

    `browser` is a secret of the visitor's session: only with it the code signs in. Both cases take the same
    path. Raises Limited and MailNotSent; with either, nothing is counted or left behind.
    """
    attempt = ratelimit.count(brand=brand, action="sign_in_code", email=email, network=network)
    user = customer_find(brand=brand, email=email)
    code = f"{secrets.randbelow(10**SignInCode.DIGITS):0{SignInCode.DIGITS}d}"
    row = _store(brand, user, browser, code)
    template = "accounts/mail/sign_in_code" if user else "accounts/mail/no_account"
    try:
        mail.send(brand=brand, to=user.email if user else email, template=template, code=code, user=user)
    except mail.MailNotSent:
        row.delete()
        attempt.delete()
        raise
    return row


def _store(brand: Brand, user: User | None, browser: str, code: str) -> SignInCode:
    now = timezone.now()
    SignInCode.objects.filter(expires_at__lt=now - SignInCode.KEPT).delete()
    return SignInCode.objects.create(
        brand=brand,
        user=user,
        code_hash=_code_hash(brand, browser, code),
        browser_hash=keyed_hash("browser", browser),
        created_at=now,
        expires_at=now + SignInCode.LIFETIME,
    )


def _code_hash(brand: Brand, browser: str, code: str) -> str:
    return keyed_hash("sign-in-code", brand.pk, browser, code)


def sign_in_code_redeem(*, brand: Brand, code_id: int, browser: str, code: str) -> User:
    """The customer whose code this is. Raises CodeRefused.

    Each try is counted before the code is compared, by an update that only one request can win.
    """
    mine = SignInCode.objects.filter(pk=code_id, brand=brand, browser_hash=keyed_hash("browser", browser))
    usable = mine.filter(used_at=None, expires_at__gt=timezone.now(), tries__lt=SignInCode.TRIES)
    if not usable.update(tries=F("tries") + 1):
        raise CodeRefused(0)
    row = mine.select_related("user").get()
    right = hmac.compare_digest(row.code_hash, _code_hash(brand, browser, code))
    if not right or row.user is None or not row.user.is_active:
        logger.warning("sign-in code refused", extra={"brand": brand.slug, "tries": row.tries})
        raise CodeRefused(SignInCode.TRIES - row.tries)
    if not mine.filter(used_at=None).update(used_at=timezone.now()):
        raise CodeRefused(0)
    return customer_verified(user=row.user)
