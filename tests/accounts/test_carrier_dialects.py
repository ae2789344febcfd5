"""The whole journey against a carrier with the manners of other frameworks, without a mapping."""

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
def manners(request: pytest.FixtureRequest, simulator: Simulator) -> str:
    simulator.post("dialect", manners=request.param)
    return str(request.param)


def token(simulator: Simulator) -> dict[str, str]:
    return {"g-recaptcha-response": simulator.token()}


def test_a_customer_goes_the_whole_way(
    manners: str, simulator: Simulator, aurora: Brand, browse: Any
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
    asked = send(client, "/password-reset/", {"email": EMAIL, **token(simulator)})
    assert asked["Location"] == "/password-reset/sent/"
    assert "Set a new password" in simulator.mails(EMAIL)[-1]["subject"]


def test_the_articles_figures_come_out_to_the_last_digit(
    manners: str, simulator: Simulator, aurora: Brand, alice: User, browse: Any
) -> None:
    lines = browse(AURORA, alice).get(JANUARY).content.decode().splitlines()
    assert "242.08793" in lines[-1]
    assert "48.125" in "".join(lines)
    assert all(found.ok for found in diagnose(aurora, "70001"))


def test_what_the_carrier_refuses_is_said_where_it_belongs(
    manners: str, simulator: Simulator, aurora: Brand, browse: Any
) -> None:
    answer = send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token(), email="alice@example.com"))
    assert "The email has already been taken." in words(answer)
    assert not User.objects.exists()
    if manners != "whmcs":  # Which names no field.
        assert answer.context["form"].errors == {"email": ["The email has already been taken."]}
    client = browse(AURORA)
    send(client, "/sign-up/", sign_up_form(simulator.token()))
    wrong = {"email": EMAIL, "code": "WRONG", **token(simulator)}
    assert "The code is invalid." in words(send(client, "/sign-up/confirm/", wrong))


def test_a_move_is_done_once(manners: str, simulator: Simulator, aurora: Brand) -> None:
    carl, sam = new_customer(simulator, aurora, "1234.5"), staff_of(aurora)
    transfer = ask(carl, sam, "5.25")
    assert transfer.outcome == Move.State.DONE
    assert transfer.customer_after == Decimal("1239.75")
    assert booked(simulator, carl) == [Decimal("5.25")]


def test_a_wrong_key_is_told_from_all_else(manners: str, simulator: Simulator, make_brand: Any) -> None:
    brand = make_brand("nokey", "nokey.test", carrier_key=encrypt("wrong-key"))
    assert "API key is wrong" in diagnose(brand)[0].text


def test_an_old_confirmation_and_an_unknown_address_look_as_everywhere(
    manners: str, simulator: Simulator, aurora: Brand, browse: Any
) -> None:
    client: Client = browse(AURORA)
    asked = send(client, "/password-reset/", {"email": "nobody@example.com", **token(simulator)})
    assert asked["Location"] == "/password-reset/sent/"
    old = {"email": "alice@example.com", "code": "OLD", **token(simulator)}
    assert send(browse(AURORA), "/sign-up/confirm/", old)["Location"] == "/sign-in/"
