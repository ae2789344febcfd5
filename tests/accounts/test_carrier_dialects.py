"""The customer journey against a carrier that answers like other web frameworks, without a mapping."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from billing.models import Move
from portal.carrier.connection_check import diagnose
from portal.models import Brand
from portal.security.crypto import encrypt
from tests.conftest import AURORA, Simulator
from tests.support.customer_flow import DETAILS, carrier_code, code_for, send, sign_up_form, words
from tests.support.transfers import ask, booked, new_customer, staff_of

pytestmark = pytest.mark.django_db
JANUARY = "/statement.csv?from_date=2020-01-01&to_date=2020-01-31"
EMAIL = DETAILS["email"]


@pytest.fixture(params=["laravel", "whmcs", "php"])
def dialect(request: pytest.FixtureRequest, simulator: Simulator) -> str:
    simulator.post("dialect", manners=request.param)
    return str(request.param)


def token(simulator: Simulator) -> dict[str, str]:
    return {"g-recaptcha-response": simulator.token()}


def test_customer_completes_the_whole_journey(
    dialect: str, simulator: Simulator, aurora: Brand, browse: Any
) -> None:
    client: Client = browse(AURORA)
    assert send(client, "/sign-up/", sign_up_form(simulator.token()))["Location"] == "/sign-up/confirm/"
    code = {"email": EMAIL, "code": carrier_code(simulator, EMAIL)}
    assert send(client, "/sign-up/confirm/", {**code, **token(simulator)})["Location"] == "/sign-in/code/"
    assert send(client, "/sign-in/code/", {"code": code_for(EMAIL)})["Location"] == "/"
    assert User.objects.get(email=EMAIL).account_number == "90001"
    assert "$0.00" in words(client.get("/"))
    opened = send(client, "/account/open/", token(simulator))
    assert opened["Location"].startswith(f"{simulator.url}/carrier/login?ticket=")
    answer = send(client, "/password-reset/", {"email": EMAIL, **token(simulator)})
    assert answer["Location"] == "/password-reset/sent/"
    assert "Set a new password" in simulator.mails(EMAIL)[-1]["subject"]


def test_article_figures_are_shown_to_the_last_digit(
    dialect: str, simulator: Simulator, aurora: Brand, alice: User, browse: Any
) -> None:
    lines = browse(AURORA, alice).get(JANUARY).content.decode().splitlines()
    assert "242.08793" in lines[-1]
    assert "48.125" in "".join(lines)
    assert all(found.ok for found in diagnose(aurora, "70001"))


def test_carrier_refusals_appear_at_the_matching_field(
    dialect: str, simulator: Simulator, aurora: Brand, browse: Any
) -> None:
    answer = send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token(), email="alice@example.com"))
    assert "The email has already been taken." in words(answer)
    assert not User.objects.exists()
    if dialect != "whmcs":  # No field is named in it.
        assert answer.context["form"].errors == {"email": ["The email has already been taken."]}
    client = browse(AURORA)
    send(client, "/sign-up/", sign_up_form(simulator.token()))
    wrong = {"email": EMAIL, "code": "WRONG", **token(simulator)}
    assert "The code is invalid." in words(send(client, "/sign-up/confirm/", wrong))


def test_transfer_is_booked_once(dialect: str, simulator: Simulator, aurora: Brand) -> None:
    carl, sam = new_customer(simulator, aurora, "1234.5"), staff_of(aurora)
    transfer = ask(carl, sam, "5.25")
    assert transfer.outcome == Move.State.DONE
    assert transfer.customer_after == Decimal("1239.75")
    assert booked(simulator, carl) == [Decimal("5.25")]


def test_wrong_api_key_is_distinguished_from_other_errors(
    dialect: str, simulator: Simulator, make_brand: Any
) -> None:
    brand = make_brand("nokey", "nokey.test", carrier_key=encrypt("wrong-key"))
    assert "API key is wrong" in diagnose(brand)[0].text


def test_used_confirmation_and_unknown_email_look_as_with_any_carrier(
    dialect: str, simulator: Simulator, aurora: Brand, browse: Any
) -> None:
    client: Client = browse(AURORA)
    answer = send(client, "/password-reset/", {"email": "nobody@example.com", **token(simulator)})
    assert answer["Location"] == "/password-reset/sent/"
    old = {"email": "alice@example.com", "code": "OLD", **token(simulator)}
    assert send(browse(AURORA), "/sign-up/confirm/", old)["Location"] == "/sign-in/"
