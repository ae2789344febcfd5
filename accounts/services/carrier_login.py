"""Go to my account: ask the carrier for a URL that signs the customer in there."""

import logging

from accounts.models import User
from accounts.services.idempotency import submit_once
from accounts.services.login_url import validate_login_url
from accounts.services.outcomes import DONE, Outcome, outcome_from_error
from portal.carrier import calls
from portal.models import Brand
from portal.resilience import rate_limits
from portal.voipline import BadAnswer, UpstreamError

logger = logging.getLogger(__name__)


def request_login_url(*, brand: Brand, user: User, password: str, captcha_token: str) -> tuple[Outcome, str]:
    """Ask the carrier for a login URL; return (outcome, URL). The URL is empty for every repeated request.

    The URL is returned to the caller alone: it is neither stored nor logged. Raises Limited.
    """
    url = ""
    with submit_once(brand=brand, action="open", captcha_token=captcha_token, fields=[str(user.pk)]) as form:
        if form.new:
            rate_limits.consume(action="account_open", account=f"customer {user.pk}", brand=brand)
            try:
                url = _get_login_url(brand, user, password, captcha_token)
                form.outcome = DONE
            except UpstreamError as error:
                form.outcome = outcome_from_error(error, "open")
    return form.outcome, url


def _get_login_url(brand: Brand, user: User, password: str, captcha_token: str) -> str:
    method = brand.method("login_via_url")
    email = user.address_at_carrier
    offered = {"account_number": user.account_number, "email": email, "password": password}
    values = {name: value for name, value in offered.items() if value and method.wants(name)}
    context = calls.CallContext(user.pk)
    answer = calls.call(context, brand=brand, method="login_via_url", **values, google_captcha=captcha_token)
    try:
        return validate_login_url(brand, str(answer["url"]))
    except ValueError as error:
        logger.error("login URL refused", extra={"brand": brand.slug, "why": str(error)})
        raise BadAnswer(
            method="login_via_url", status=200, message=str(error), may_have_happened=True
        ) from error
