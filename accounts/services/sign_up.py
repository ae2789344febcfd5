"""Sign up: register at the carrier, and keep the customer here."""

from accounts.services.attempts import call_counted
from accounts.services.customers import SignUpDetails, save_sign_up
from accounts.services.idempotency import submit_once
from accounts.services.outcomes import DONE, Outcome, outcome_from_error
from portal.carrier import calls as carrier_calls
from portal.models import Brand
from portal.voipline import UpstreamError


def register_customer(
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
                save_sign_up(brand=brand, details=details, account_number=None)
            return outcome_from_error(error, "sign_up")
        save_sign_up(brand=brand, details=details, account_number=str(answer.get("account_number", "")))
        return DONE

    def work() -> Outcome:
        email = details["email"]
        return call_counted(register, action="sign_up", brand=brand, email=email, network=network)

    typed = [str(value) for value in details.values()]
    return submit_once(brand=brand, kind="sign_up", token=token, typed=typed, work=work)
