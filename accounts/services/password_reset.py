"""Ask the carrier to mail a way to a new password."""

import logging
from http import HTTPStatus

from accounts.services.attempts import call_counted
from accounts.services.idempotency import submit_once
from accounts.services.outcomes import DONE, Outcome, outcome_from_error
from portal.carrier import calls as carrier_calls
from portal.models import Brand
from portal.voipline import Rejected, UpstreamError

logger = logging.getLogger(__name__)


def password_reset(*, brand: Brand, email: str, token: str, network: str, device: str = "") -> Outcome:
    """Ask the carrier to mail a way to a new password. Raises Limited.

    An unknown address looks the same as a known one, and counts alike.
    """

    def reset() -> Outcome:
        try:
            carrier_calls.call(brand=brand, method="reset_password", email=email, google_captcha=token)
        except UpstreamError as error:
            return DONE if _customer_unknown(error) else outcome_from_error(error, "reset")
        return DONE

    def work() -> Outcome:
        return call_counted(reset, action="reset", brand=brand, email=email, network=network, device=device)

    return submit_once(brand=brand, kind="reset", token=token, typed=[email], work=work)


def _customer_unknown(error: UpstreamError) -> bool:
    """Also where the operator has not mapped the code yet: the page must not tell who is a customer.

    So may speak a 404 with words, a no in words alone, and a text about the address; none about the captcha.
    """
    if not isinstance(error, Rejected) or outcome_from_error(error, "reset").meaning == "captcha_failed":
        return False
    worded = bool(error.user_message or error.fields)
    in_words = error.status in (HTTPStatus.OK, HTTPStatus.NOT_FOUND) and worded
    unmapped = not error.meaning and (in_words or "email" in error.fields)
    if unmapped:
        logger.warning("reset refused in words; tell the portal what this response code or text means")
    return unmapped or error.meaning == "customer_unknown"
