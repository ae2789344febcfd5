"""Go to my account: ask the carrier for a URL that signs the customer in there."""

import logging

from accounts.models import User
from accounts.services.idempotency import submit_once
from accounts.services.login_url import validate_login_url
from accounts.services.outcomes import DONE, Outcome, outcome_from_error
from portal.carrier import calls as carrier_calls
from portal.models import Brand
from portal.resilience import rate_limits
from portal.voipline import BadAnswer, UpstreamError

logger = logging.getLogger(__name__)


def account_open(*, brand: Brand, user: User, password: str, token: str) -> tuple[Outcome, str]:
    """Ask the carrier for a login URL: the outcome and the URL, which is empty for every repeated request.

    The URL is handed to the caller alone; it is not kept and not logged. Raises Limited.
    """
    urls: list[str] = []

    def work() -> Outcome:
        rate_limits.consume(action="account_open", account=f"customer {user.pk}", brand=brand)
        try:
            urls.append(_login_url(brand, user, password, token))
        except UpstreamError as error:
            return outcome_from_error(error, "open")
        return DONE

    outcome = submit_once(brand=brand, kind="open", token=token, typed=[str(user.pk)], work=work)
    return outcome, urls[0] if urls else ""


def _login_url(brand: Brand, user: User, password: str, token: str) -> str:
    method = brand.method("login_via_url")
    email = user.address_at_carrier
    offered = {"account_number": user.account_number, "email": email, "password": password}
    values = {name: value for name, value in offered.items() if value and method.wants(name)}
    about = carrier_calls.CallContext(user.pk)
    answer = carrier_calls.call(about, brand=brand, method="login_via_url", **values, google_captcha=token)
    try:
        return validate_login_url(brand, str(answer["url"]))
    except ValueError as error:
        logger.error("login URL refused", extra={"brand": brand.slug, "why": str(error)})
        raise BadAnswer(
            method="login_via_url", status=200, message=str(error), may_have_happened=True
        ) from error
