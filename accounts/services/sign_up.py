"""Sign up: register a customer at the carrier, then store them here."""

from accounts.services.attempts import record_attempt
from accounts.services.customers import SignUpDetails, save_sign_up
from accounts.services.idempotency import submit_once
from accounts.services.outcomes import DONE, Outcome, outcome_from_error
from portal.carrier import calls
from portal.models import Brand
from portal.voipline import UpstreamError


def register_customer(
    *, brand: Brand, details: SignUpDetails, password: str, captcha_token: str, network: str
) -> Outcome:
    """Register a customer at the carrier; store them here if that succeeded or may have. Raises Limited.

    The password goes to the carrier alone.
    """
    fields = [str(value) for value in details.values()]
    with submit_once(brand=brand, action="sign_up", captcha_token=captcha_token, fields=fields) as form:
        if form.new:
            attempt = record_attempt(action="sign_up", brand=brand, email=details["email"], network=network)
            form.outcome = _register(brand, details, password, captcha_token)
            if not form.outcome.may_have_happened:
                attempt.delete()
    return form.outcome


def _register(brand: Brand, details: SignUpDetails, password: str, captcha_token: str) -> Outcome:
    values = {name: str(value) or None for name, value in details.items()}
    try:
        answer = calls.call(
            brand=brand,
            method="register_customer",
            **values,
            password=password,
            google_captcha=captcha_token,
        )
    except UpstreamError as error:
        if error.may_have_happened:
            save_sign_up(brand=brand, details=details, account_number=None)
        return outcome_from_error(error, "sign_up")
    save_sign_up(brand=brand, details=details, account_number=str(answer.get("account_number", "")))
    return DONE
