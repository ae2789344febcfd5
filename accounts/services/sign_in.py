"""Request a sign-in code."""

from accounts.services.idempotency import submit_once
from accounts.services.outcomes import CAPTCHA_DOWN, Outcome, code_mailed, mail_down, refused, unavailable
from accounts.sign_in.codes import mail_sign_in_code
from accounts.sign_in.device_cookies import Visitor
from portal import captcha
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


def _mail_code(brand: Brand, email: str, visitor: Visitor) -> Outcome:
    try:
        row, sure = mail_sign_in_code(brand=brand, email=email, visitor=visitor)
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
