"""Request a sign-in code, and tell the customer of a sign-in on a new device."""

from accounts.models import SignIn, User
from accounts.services.idempotency import submit_once
from accounts.services.outcomes import CAPTCHA_DOWN, Outcome, code_mailed, mail_down, refused, unavailable
from accounts.sign_in.codes import mail_sign_in_code
from accounts.sign_in.device_cookies import Visitor
from portal import captcha
from portal.mail import outbox
from portal.mail.send import MailNotSent
from portal.models import Brand


def request_sign_in_code(
    *, brand: Brand, email: str, visitor: Visitor, captcha_token: str = "", address: str = ""
) -> Outcome:
    """Mail a sign-in code; verify the captcha token first, if the form has one. Raises Limited.

    The token is for this form of our own, so it is verified here, not at the carrier.
    """
    if not captcha_token:
        return _mail_code(brand, email, visitor)
    with submit_once(brand=brand, action="sign_in", captcha_token=captcha_token, fields=[email]) as form:
        if form.new:
            problem = _verify_captcha(brand, captcha_token, address)
            form.outcome = problem or _mail_code(brand, email, visitor)
    return form.outcome


def request_code_again(*, brand: Brand, user: User, visitor: Visitor) -> Outcome:
    """Mail a sign-in code to a signed-in customer, before a step that needs a fresh proof. Raises Limited.

    Their session takes the place of the captcha; all limits hold.
    """
    return _mail_code(brand, user.email, visitor, user)


def mail_new_device(*, brand: Brand, user: User, sign_in: SignIn) -> None:
    """Tell the customer of a sign-in on a new device, in the language of their last one."""
    outbox.add(
        brand=brand,
        to=user.email,
        template="new_sign_in",
        language=user.language,
        person=user.pk,
        device=sign_in.device,
    )


def _mail_code(brand: Brand, email: str, visitor: Visitor, customer: User | None = None) -> Outcome:
    try:
        row, sure = mail_sign_in_code(brand=brand, email=email, visitor=visitor, customer=customer)
    except MailNotSent:
        return mail_down()
    return code_mailed(row.pk, sure)


def _verify_captcha(brand: Brand, captcha_token: str, address: str) -> Outcome | None:
    """Return None for a valid token; else the outcome to show."""
    try:
        valid = captcha.verify(brand=brand, captcha_token=captcha_token, address=address, action="sign_in")
    except captcha.CaptchaUnavailable:
        return unavailable(CAPTCHA_DOWN, retry_after=60)
    return None if valid else refused("captcha_failed")
