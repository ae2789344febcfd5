"""Ask for a sign-in code."""

from accounts.services.idempotency import submit_once
from accounts.services.outcomes import CAPTCHA_DOWN, Outcome, code_mailed, mail_down, refused, unavailable
from accounts.sign_in.codes import mail_sign_in_code
from accounts.sign_in.device_cookies import Visitor
from portal import captcha
from portal.mail.send import MailNotSent
from portal.models import Brand


def request_sign_in_code(
    *, brand: Brand, email: str, visitor: Visitor, token: str = "", address: str = ""
) -> Outcome:
    """Mail a code. A token, which belongs to this form alone, is verified first, here. Raises Limited."""

    def work() -> Outcome:
        if token and (problem := _captcha_problem(brand, token, address)):
            return problem
        try:
            row, sure = mail_sign_in_code(brand=brand, email=email, visitor=visitor)
        except MailNotSent:
            return mail_down()
        return code_mailed(row.pk, sure)

    return (
        submit_once(brand=brand, kind="sign_in", token=token, typed=[email], work=work) if token else work()
    )


def _captcha_problem(brand: Brand, token: str, address: str) -> Outcome | None:
    try:
        good = captcha.verify(brand=brand, token=token, address=address, action="sign_in")
    except captcha.CaptchaUnavailable:
        return unavailable(CAPTCHA_DOWN, retry_after=60)
    return None if good else refused("captcha_failed")
