"""Confirm an email address at the carrier, then mail our own sign-in code to it."""

from accounts.models import User
from accounts.services.attempts import record_attempt
from accounts.services.customers import mark_confirmed
from accounts.services.idempotency import submit_once
from accounts.services.outcomes import DONE, Outcome, code_mailed, outcome_from_error
from accounts.sign_in.codes import mail_sign_in_code
from accounts.sign_in.device_cookies import Visitor
from portal.carrier import calls
from portal.mail.send import MailNotSent
from portal.models import Brand
from portal.resilience import rate_limits
from portal.voipline import UpstreamError


def confirm_email(
    *, brand: Brand, email: str, code: str, captcha_token: str, visitor: Visitor, by: User | None = None
) -> Outcome:
    """Confirm an address at the carrier, then mail a sign-in code to it, unless `by` is signed in.

    The confirmation itself signs nobody in and is no condition for signing in. If the code could not be
    mailed, the outcome is still done, with the meaning `code_limited` or `mail_down`. Raises Limited.
    """
    with submit_once(
        brand=brand, action="confirm", captcha_token=captcha_token, fields=[email, code]
    ) as form:
        if form.new:
            attempt = record_attempt(
                action="confirm_email",
                brand=brand,
                email=email,
                network=visitor.network,
                device=visitor.device,
            )
            outcome = _confirm(brand, email, code, captcha_token, by)
            if outcome.meaning == "captcha_failed":
                attempt.delete()  # No code was tried: junk tokens must not use up the owner's tries.
            form.outcome = _mail_code(brand, email, visitor) if outcome.done and by is None else outcome
    return form.outcome


def _confirm(brand: Brand, email: str, code: str, captcha_token: str, by: User | None) -> Outcome:
    try:
        answer = calls.call(
            brand=brand, method="confirm_email", email=email, code=code, google_captcha=captcha_token
        )
    except UpstreamError as error:
        return outcome_from_error(error, "confirm")
    mark_confirmed(brand=brand, email=email, account_number=str(answer.get("account_number", "")), by=by)
    return DONE


def _mail_code(brand: Brand, email: str, visitor: Visitor) -> Outcome:
    try:
        row, sure = mail_sign_in_code(brand=brand, email=email, visitor=visitor)
    except rate_limits.Limited as limited:
        return Outcome("done", meaning="code_limited", retry_after=limited.retry_after)
    except MailNotSent:
        return Outcome("done", meaning="mail_down")
    return code_mailed(row.pk, sure)
