"""What a customer can do, one function an action.

Each answers with an Outcome in the customer's words. An action that carries a captcha token happens once,
however often its form is sent.
"""

import logging
from collections.abc import Callable
from http import HTTPStatus

from accounts.models import User
from accounts.services.customers import SignUpDetails, customer_confirmed, customer_keep
from accounts.services.idempotency import once
from accounts.services.login_url import hand_over_url
from accounts.services.outcomes import (
    CAPTCHA_DOWN,
    DONE,
    Outcome,
    code_mailed,
    mail_down,
    outcome_of,
    refused,
    unavailable,
)
from accounts.sign_in.codes import sign_in_code_request
from accounts.sign_in.device_cookies import Visitor
from portal import captcha
from portal.carrier import calls as carrier_calls
from portal.mail.send import MailNotSent
from portal.models import Attempt, Brand
from portal.resilience import rate_limits
from portal.voipline import Answer, BadAnswer, Rejected, UpstreamError

logger = logging.getLogger(__name__)


def customer_sign_up(
    *, brand: Brand, details: SignUpDetails, password: str, token: str, network: str
) -> Outcome:
    """Register at the carrier, and keep the customer here when that succeeded or may have. Raises Limited."""

    def register() -> Outcome:
        values = {name: str(value) or None for name, value in details.items()}
        try:
            answer = carrier_calls.call(
                brand=brand, method="register_customer", **values, password=password, google_captcha=token
            )
        except UpstreamError as error:
            if error.may_have_happened:
                customer_keep(brand=brand, details=details, account_number=None)
            return outcome_of(error, "sign_up")
        customer_keep(brand=brand, details=details, account_number=_account_number(answer))
        return DONE

    def work() -> Outcome:
        email = details["email"]
        return _counted(register, action="sign_up", brand=brand, email=email, network=network)

    typed = [str(value) for value in details.values()]
    return once(brand=brand, kind="sign_up", token=token, typed=typed, work=work)


def _counted(
    ask: Callable[[], Outcome], *, action: str, brand: Brand, email: str, network: str, device: str = ""
) -> Outcome:
    """Ask the carrier, which mails this address: what surely mailed nobody is not counted. Raises Limited."""
    attempt = _attempt(action, brand, email, network, device)
    outcome = ask()
    if outcome.state not in ("done", "unknown"):
        attempt.delete()
    return outcome


def _attempt(action: str, brand: Brand, email: str, network: str, device: str) -> Attempt:
    """Count one for the address, then one for the carrier; neither, where there is no room for both."""
    attempt = rate_limits.count(brand=brand, action=action, email=email, network=network, device=device)
    try:
        rate_limits.hit(action="carrier_form", brand=brand)
    except rate_limits.Limited:
        attempt.delete()
        raise
    return attempt


def _account_number(answer: Answer) -> str:
    return str(answer.get("account_number", ""))


def email_confirm(
    *, brand: Brand, email: str, code: str, token: str, visitor: Visitor, by: User | None = None
) -> Outcome:
    """Confirm an address at the carrier, then mail our own code to it, unless somebody is signed in (`by`).

    The confirmation signs nobody in, and gates nothing here. A code that could not be mailed leaves the
    outcome done, with the meaning `code_limited` or `mail_down`. Raises Limited.
    """

    def work() -> Outcome:
        attempt = _attempt("confirm_email", brand, email, visitor.network, visitor.device)
        try:
            answer = carrier_calls.call(
                brand=brand, method="confirm_email", email=email, code=code, google_captcha=token
            )
        except UpstreamError as error:
            return _not_confirmed(error, attempt)
        customer_confirmed(brand=brand, email=email, account_number=_account_number(answer), by=by)
        return DONE if by else _code_after_confirmation(brand, email, visitor)

    return once(brand=brand, kind="confirm", token=token, typed=[email, code], work=work)


def _not_confirmed(error: UpstreamError, attempt: Attempt) -> Outcome:
    outcome = outcome_of(error, "confirm")
    if (
        outcome.meaning == "captcha_failed"
    ):  # No code was tried: junk tokens must not use up the owner's tries.
        attempt.delete()
    return outcome


def _code_after_confirmation(brand: Brand, email: str, visitor: Visitor) -> Outcome:
    try:
        row, sure = sign_in_code_request(brand=brand, email=email, visitor=visitor)
    except rate_limits.Limited:
        return Outcome("done", meaning="code_limited")
    except MailNotSent:
        return Outcome("done", meaning="mail_down")
    return code_mailed(row.pk, sure)


def sign_in_request(
    *, brand: Brand, email: str, visitor: Visitor, token: str = "", address: str = ""
) -> Outcome:
    """Mail a code. A token, which belongs to this form alone, is verified first, here. Raises Limited."""

    def work() -> Outcome:
        if token and (problem := _captcha_problem(brand, token, address)):
            return problem
        try:
            row, sure = sign_in_code_request(brand=brand, email=email, visitor=visitor)
        except MailNotSent:
            return mail_down()
        return code_mailed(row.pk, sure)

    return once(brand=brand, kind="sign_in", token=token, typed=[email], work=work) if token else work()


def _captcha_problem(brand: Brand, token: str, address: str) -> Outcome | None:
    try:
        good = captcha.verify(brand=brand, token=token, address=address, action="sign_in")
    except captcha.CaptchaUnavailable:
        return unavailable(CAPTCHA_DOWN, retry_after=60)
    return None if good else refused("captcha_failed")


def password_reset(*, brand: Brand, email: str, token: str, network: str, device: str = "") -> Outcome:
    """Ask the carrier to mail a way to a new password. Raises Limited.

    An unknown address looks the same as a known one, and counts alike.
    """

    def reset() -> Outcome:
        try:
            carrier_calls.call(brand=brand, method="reset_password", email=email, google_captcha=token)
        except UpstreamError as error:
            return DONE if _customer_unknown(error) else outcome_of(error, "reset")
        return DONE

    def work() -> Outcome:
        return _counted(reset, action="reset", brand=brand, email=email, network=network, device=device)

    return once(brand=brand, kind="reset", token=token, typed=[email], work=work)


def _customer_unknown(error: UpstreamError) -> bool:
    """Also where the operator has not mapped the code yet: the page must not tell who is a customer.

    So may speak a 404 with words, a no in words alone, and a text about the address; none about the captcha.
    """
    if not isinstance(error, Rejected) or outcome_of(error, "reset").meaning == "captcha_failed":
        return False
    worded = bool(error.user_message or error.fields)
    in_words = error.status in (HTTPStatus.OK, HTTPStatus.NOT_FOUND) and worded
    unmapped = not error.meaning and (in_words or "email" in error.fields)
    if unmapped:
        logger.warning("reset refused in words; tell the portal what this response code or text means")
    return unmapped or error.meaning == "customer_unknown"


def account_open(*, brand: Brand, user: User, password: str, token: str) -> tuple[Outcome, str]:
    """Ask the carrier for a login URL: the outcome and the URL, which is empty for every repeated request.

    The URL is handed to the caller alone; it is not kept and not logged. Raises Limited.
    """
    urls: list[str] = []

    def work() -> Outcome:
        rate_limits.hit(action="account_open", account=f"customer {user.pk}", brand=brand)
        try:
            urls.append(_login_url(brand, user, password, token))
        except UpstreamError as error:
            return outcome_of(error, "open")
        return DONE

    outcome = once(brand=brand, kind="open", token=token, typed=[str(user.pk)], work=work)
    return outcome, urls[0] if urls else ""


def _login_url(brand: Brand, user: User, password: str, token: str) -> str:
    method = brand.method("login_via_url")
    email = user.address_at_carrier
    offered = {"account_number": user.account_number, "email": email, "password": password}
    values = {name: value for name, value in offered.items() if value and method.wants(name)}
    about = carrier_calls.About(user.pk)
    answer = carrier_calls.call(about, brand=brand, method="login_via_url", **values, google_captcha=token)
    try:
        return hand_over_url(brand, str(answer["url"]))
    except ValueError as error:
        logger.error("login URL refused", extra={"brand": brand.slug, "why": str(error)})
        raise BadAnswer(
            method="login_via_url", status=200, message=str(error), may_have_happened=True
        ) from error
