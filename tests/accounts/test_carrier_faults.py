"""Every carrier fault under every form: the page is correct, in time, and at most one write is made."""

import time
from typing import Any

import pytest

from accounts.models import User
from portal.simulator.faults import CARRIER
from tests.conftest import AURORA
from tests.support.customer_flow import carrier_code, send, sign_up_form, words
from tests.support.timeouts import HASTY, PATIENCE, PATIENT, SLACK, timeouts_for

pytestmark = pytest.mark.django_db
FORMS = {
    "register_customer": "/sign-up/",
    "confirm_email": "/sign-up/confirm/",
    "login_via_url": "/account/open/",
    "reset_password": "/password-reset/",
}
PAGES = {
    "done": (None, ""),
    "refused": (200, "The carrier says no."),
    "unavailable": (503, "We can't reach the phone system right now. Nothing has changed"),
    "unknown": (503, ""),  # And the text of the form, in UNCLEAR.
}
UNCLEAR = {
    "register_customer": "We don't know yet whether your account was created.",
    "confirm_email": "We don't know yet whether your address was confirmed.",
    "login_via_url": "We couldn't open your phone account. Nothing has changed. Try again in a few minutes.",
    "reset_password": "We don't know yet whether your request went through.",
}
SAME = {
    name: (name, {}, "unknown")
    for name in CARRIER
    if name
    not in {"slow", "status", "status_after", "code", "factor"}  # The last one applies to transfers only.
}
FAULTS: dict[str, tuple[str, dict[str, Any], str]] = {
    **SAME,
    "slow": ("slow", {"seconds": 0.1}, "done"),
    "too slow": ("slow", {"seconds": PATIENCE}, "unknown"),
    "drip_body": ("drip_body", {"seconds": 0.2}, "unknown"),
    "wrong_json": ("wrong_json", {"message": "array"}, "unknown"),
    "cut status": ("cut", {"message": "status"}, "unknown"),
    "cut headers": ("cut", {"message": "headers"}, "unknown"),
    "moved for good": ("redirect", {"status": 308}, "unknown"),
    **{
        f"{name} {status}": (name, {"status": status, "message": "The carrier says no."}, page)
        for name in ("status", "status_after", "code")
        for statuses, page in (
            ((400, 404, 405, 409, 418, 422), "refused"),
            ((401, 403, 429), "unavailable"),
            ((408, 500, 502, 503, 522), "unknown"),
            ((999,) if name == "code" else (), "unknown"),
        )
        for status in statuses
    },
}


@pytest.fixture
def journey(aurora, simulator, make_customer, browse, settings) -> dict[str, Any]:
    """A browser for each form, and the data to send."""
    settings.CARRIER_TIMEOUTS = PATIENT
    return {"browse": browse, "user": make_customer(aurora, "alice@example.com", "70001")}


def post(method: str, journey: dict[str, Any], simulator: Any) -> Any:
    client = journey["browse"](AURORA, journey["user"] if method == "login_via_url" else None)
    data = {"email": "alice@example.com", "code": "X", "g-recaptcha-response": simulator.token()}
    if method == "register_customer":
        data = sign_up_form(simulator.token())
    if method == "confirm_email":
        customer = {"partner": "Aurora", "account_number": "70001", "confirmed": False, "code": "X"}
        simulator.post("seed", customers=[{k: v for k, v in customer.items() if k != "code"}])
        send(client, "/sign-up/", sign_up_form(simulator.token()))
        data |= {"email": "dora@example.com", "code": carrier_code(simulator, "dora@example.com")}
    return lambda: send(client, FORMS[method], data)


@pytest.mark.parametrize("name", sorted(FAULTS))
@pytest.mark.parametrize("method", sorted(FORMS))
def test_page_is_correct_and_carrier_gets_at_most_one_write_on_fault(
    journey, simulator, settings, method, name
):
    fault, options, expected = FAULTS[name]
    submit = post(method, journey, simulator)
    simulator.fault(method, fault, **options)
    if expected == "unknown":  # Of the late faults, those that only a timeout ends.
        settings.CARRIER_TIMEOUTS = timeouts_for(fault)
    began = time.monotonic()
    response = submit()
    assert time.monotonic() - began < HASTY.total + SLACK
    if method == "reset_password" and "404" in name:
        expected = "done"  # The page must not reveal who is a customer, whether or not the code is mapped.
    status, text = PAGES[expected]
    assert response.status_code == (status or (303 if method == "login_via_url" else 302)), words(response)
    if "429" in name:
        assert response["Retry-After"] == "60"
        text = "We're very busy right now"
    if expected == "unknown":
        text = UNCLEAR[method]
    assert text in words(response)
    assert len(simulator.calls(method)) == 1
    assert len(simulator.listed("elsewhere")) == 0
    if method == "register_customer":
        is_stored = User.objects.filter(email="dora@example.com").exists()
        assert is_stored == (expected in ("done", "unknown"))


@pytest.mark.parametrize("method", sorted(FORMS))
def test_refused_connection_is_shown_as_unavailable(journey, aurora, simulator, method):
    submit = post(method, journey, simulator)
    aurora.carrier_url = "http://127.0.0.1:9/api/"
    aurora.save()
    response = submit()
    assert response.status_code == 503
    assert "We can't reach the phone system right now. Nothing has changed" in words(response)


@pytest.mark.parametrize("method", sorted(FORMS))
def test_unreadable_api_key_is_shown_as_unavailable(journey, aurora, simulator, method):
    from portal.security.crypto import EncryptedSecret

    submit = post(method, journey, simulator)
    aurora.carrier_key = EncryptedSecret("gibberish")
    aurora.save()
    calls = len(simulator.calls())
    assert submit().status_code == 503
    assert len(simulator.calls()) == calls
