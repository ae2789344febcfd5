"""Ask the carrier to mail a customer a way to a new password."""

import logging
from http import HTTPStatus

from accounts.services.attempts import record_attempt
from accounts.services.idempotency import submit_once
from accounts.services.outcomes import DONE, Outcome, outcome_from_error
from portal.carrier import calls
from portal.models import Brand
from portal.voipline import Rejected, UpstreamError

logger = logging.getLogger(__name__)


def request_password_reset(
    *, brand: Brand, email: str, captcha_token: str, network: str, device: str = ""
) -> Outcome:
    """Ask the carrier to mail a way to a new password. Raises Limited.

    An unknown address gets the same outcome as a known one, and is counted alike.
    """
    with submit_once(brand=brand, action="reset", captcha_token=captcha_token, fields=[email]) as form:
        if form.new:
            attempt = record_attempt(action="reset", brand=brand, email=email, network=network, device=device)
            form.outcome = _reset(brand, email, captcha_token)
            if not form.outcome.may_have_happened:
                attempt.delete()
    return form.outcome


def _reset(brand: Brand, email: str, captcha_token: str) -> Outcome:
    try:
        calls.call(brand=brand, method="reset_password", email=email, google_captcha=captcha_token)
    except UpstreamError as error:
        return DONE if _is_unknown_customer(error) else outcome_from_error(error, "reset")
    return DONE


def _is_unknown_customer(error: UpstreamError) -> bool:
    """True also where the operator has not mapped the code yet: the page must not reveal who is a customer.

    Without a mapping it is a 404 or a 200 with the carrier's own words, or a text about the address; never
    one about the captcha.
    """
    if not isinstance(error, Rejected) or outcome_from_error(error, "reset").meaning == "captcha_failed":
        return False
    has_words = bool(error.user_message or error.fields)
    in_words = error.status in (HTTPStatus.OK, HTTPStatus.NOT_FOUND) and has_words
    unmapped = not error.meaning and (in_words or "email" in error.fields)
    if unmapped:
        logger.warning("reset refused in words; tell the portal what this response code or text means")
    return unmapped or error.meaning == "customer_unknown"
