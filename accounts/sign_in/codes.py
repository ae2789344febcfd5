"""Sign-in codes. Our own code, emailed to the stored address, is the only way to prove a customer."""

import hmac
import logging
import secrets

from django.db.models import F
from django.utils import timezone
from django.utils.translation import get_language

from accounts.models import SignInCode, User
from accounts.services.customers import find_customer, mark_verified
from accounts.sign_in.device_cookies import Visitor
from accounts.sign_in.history import name_device
from portal.mail import send as mail
from portal.models import Attempt, Brand
from portal.resilience import rate_limits
from portal.security.crypto import keyed_hash

logger = logging.getLogger(__name__)


class CodeRefused(Exception):
    """The code is wrong. `tries_left` is 0 once the code can no longer be used.

    `older`: it is an earlier code of the same browser.
    """

    def __init__(self, tries_left: int, *, older: bool = False) -> None:
        super().__init__(f"{tries_left} tries left")
        self.tries_left = tries_left
        self.older = older


def mail_sign_in_code(
    *, brand: Brand, email: str, visitor: Visitor, customer: User | None = None
) -> tuple[SignInCode, bool]:
    """Email a code to the customer with this address; to any other address, email why there is none.

    `customer` is the one who is signed in, if any.

    Return the code's row, and True if the mail server confirmed the message (see `mail.send`). The code is
    valid only in the visitor's browser. All cases take the same path. Raises Limited and MailNotSent; with
    either, nothing is counted and no rows are left.
    """
    attempt = _record_attempt(brand, email, visitor)
    customer = customer or find_customer(brand=brand, email=email)
    user = customer if customer and customer.is_active else None
    row, code = create_code(brand=brand, user=user, browser=visitor.browser, attempt=attempt)
    try:
        confirmed = mail.send(
            brand=brand,
            to=customer.email if customer else email,
            template=_template_for(customer),
            language=get_language() or "",
            person=customer.pk if customer else None,
            code=code,
            asked_at=row.created_at,
            device=lambda: name_device(*visitor.client),
        )
    except mail.MailNotSent:
        row.delete()
        attempt.delete()
        raise
    return row, confirmed


def _template_for(customer: User | None) -> str:
    if customer is None:
        return "no_account"
    return "sign_in_code" if customer.is_active else "account_off"


def _record_attempt(brand: Brand, email: str, visitor: Visitor) -> Attempt:
    """Count an attempt for the address, and an email of the brand; neither, if one limit is reached.

    A browser that has signed in with the address before is exempt from the limit that all others share.
    """
    network, device = visitor.network, visitor.device
    action = "sign_in_code"
    attempt = rate_limits.record_attempt(
        brand=brand, action=action, email=email, network=network, device=device
    )
    try:
        if not device:
            rate_limits.consume(action="sign_in_mail", brand=brand)
    except rate_limits.Limited:
        attempt.delete()
        raise
    return attempt


def create_code(
    *,
    brand: Brand,
    user: User | None,
    browser: str,
    new_email: str = "",
    attempt: Attempt | None = None,
) -> tuple[SignInCode, str]:
    """Create a code. Return its row, which has only a keyed hash of it, and the code.

    `attempt` is the rate-limit row that counted it.
    """
    now = timezone.now()
    code = f"{secrets.randbelow(10**SignInCode.DIGITS):0{SignInCode.DIGITS}d}"
    SignInCode.objects.filter(expires_at__lt=now - SignInCode.RETENTION).delete()
    row = SignInCode.objects.create(
        brand=brand,
        user=user,
        new_email=new_email,
        code_hash=_code_hash(brand, browser, new_email, code),
        browser_hash=keyed_hash("browser", browser),
        created_at=now,
        expires_at=now + SignInCode.LIFETIME,
        attempt=attempt,
    )
    return row, code


def _code_hash(brand: Brand, browser: str, new_email: str, code: str) -> str:
    if new_email:
        return keyed_hash("email-code", brand.pk, browser, new_email, code)
    return keyed_hash("sign-in-code", brand.pk, browser, code)


def redeem_sign_in_code(
    *, brand: Brand, code_id: int, browser: str, code: str, user: User | None = None
) -> User:
    """Use up a sign-in code, and return its customer: `user`, if one is signed in. Raises CodeRefused."""
    row = redeem_code(brand=brand, code_id=code_id, browser=browser, code=code, user=user)
    assert row.user  # redeem_code refuses a row without a user.
    if row.attempt_id:
        Attempt.objects.filter(pk=row.attempt_id).update(redeemed=True)
    return mark_verified(user=row.user)


def redeem_code(
    *, brand: Brand, code_id: int, browser: str, code: str, user: User | None, new_email: bool = False
) -> SignInCode:
    """Use up a code, and return its row. Raises CodeRefused.

    With `user` only a code of this customer counts, and with `new_email` one for their new address. Each try
    is counted before the code is compared, by an update that only one request can win.
    """
    own = SignInCode.objects.filter(brand=brand, browser_hash=keyed_hash("browser", browser))
    own = own.exclude(new_email="") if new_email else own.filter(new_email="")
    own = own.filter(user=user) if user else own
    mine = own.filter(pk=code_id)
    usable = mine.filter(used_at=None, expires_at__gt=timezone.now(), tries__lt=SignInCode.TRIES)
    if not usable.update(tries=F("tries") + 1):
        raise CodeRefused(0)
    row = mine.select_related("user").get()
    if not _matches(brand, browser, row, code) or row.user is None or not row.user.is_active:
        logger.warning("code refused", extra={"brand": brand.slug, "tries": row.tries})
        older = any(_matches(brand, browser, other, code) for other in own.exclude(pk=row.pk))
        raise CodeRefused(SignInCode.TRIES - row.tries, older=older)
    if not mine.filter(used_at=None).update(used_at=timezone.now()):
        raise CodeRefused(0)
    return row


def _matches(brand: Brand, browser: str, row: SignInCode, code: str) -> bool:
    return hmac.compare_digest(row.code_hash, _code_hash(brand, browser, row.new_email, code))
