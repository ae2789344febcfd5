"""Confirm an email address at the carrier, then mail our own code to it."""

from accounts.models import User
from accounts.services.attempts import count_attempt
from accounts.services.customers import mark_confirmed
from accounts.services.idempotency import submit_once
from accounts.services.outcomes import DONE, Outcome, code_mailed, outcome_from_error
from accounts.sign_in.codes import mail_sign_in_code
from accounts.sign_in.device_cookies import Visitor
from portal.carrier import calls as carrier_calls
from portal.mail.send import MailNotSent
from portal.models import Attempt, Brand
from portal.resilience import rate_limits
from portal.voipline import UpstreamError


def confirm_email(
    *, brand: Brand, email: str, code: str, token: str, visitor: Visitor, by: User | None = None
) -> Outcome:
    """Confirm an address at the carrier, then mail our own code to it, unless somebody is signed in (`by`).

    The confirmation signs nobody in, and gates nothing here. A code that could not be mailed leaves the
    outcome done, with the meaning `code_limited` or `mail_down`. Raises Limited.
    """

    def work() -> Outcome:
        attempt = count_attempt("confirm_email", brand, email, visitor.network, visitor.device)
        try:
            answer = carrier_calls.call(
                brand=brand, method="confirm_email", email=email, code=code, google_captcha=token
            )
        except UpstreamError as error:
            return _not_confirmed(error, attempt)
        mark_confirmed(brand=brand, email=email, account_number=str(answer.get("account_number", "")), by=by)
        return DONE if by else _code_after_confirmation(brand, email, visitor)

    return submit_once(brand=brand, kind="confirm", token=token, typed=[email, code], work=work)


def _not_confirmed(error: UpstreamError, attempt: Attempt) -> Outcome:
    outcome = outcome_from_error(error, "confirm")
    if outcome.meaning == "captcha_failed":
        attempt.delete()  # No code was tried: junk tokens must not use up the owner's tries.
    return outcome


def _code_after_confirmation(brand: Brand, email: str, visitor: Visitor) -> Outcome:
    try:
        row, sure = mail_sign_in_code(brand=brand, email=email, visitor=visitor)
    except rate_limits.Limited:
        return Outcome("done", meaning="code_limited")
    except MailNotSent:
        return Outcome("done", meaning="mail_down")
    return code_mailed(row.pk, sure)
