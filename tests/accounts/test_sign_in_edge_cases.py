"""Sign-in edge cases: many devices, used codes, old links, and a carrier email that differs."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts.models import SignInCode, User
from portal.models import Attempt, Brand
from tests.conftest import AURORA, Simulator
from tests.support.customer_flow import (
    DETAILS,
    carrier_code,
    code_for,
    send,
    sign_in,
    sign_up_form,
    value_of,
    words,
)

pytestmark = pytest.mark.django_db
ALICE = "alice@example.com"
LONG = {"hour": timedelta(minutes=16), "day": timedelta(minutes=61)}


def token(simulator: Simulator) -> dict[str, str]:
    return {"g-recaptcha-response": simulator.token()}


# --- Many devices ---


def test_more_than_three_devices_can_sign_in_within_15_minutes(alice: User, browse: Any) -> None:
    for _ in range(6):
        assert sign_in(browse(AURORA), ALICE)["Location"] == "/"


def test_unused_codes_still_count_against_the_limit(alice: User, browse: Any) -> None:
    for _ in range(2):
        sign_in(browse(AURORA), ALICE)
    statuses = [send(browse(AURORA), "/sign-in/", {"email": ALICE}).status_code for _ in range(4)]
    assert statuses == [302, 302, 302, 429]


@pytest.mark.parametrize(("window", "most"), [("hour", 10), ("day", 30)])
def test_hourly_and_daily_limits_include_used_codes(alice: User, browse: Any, window: str, most: int) -> None:
    for _ in range(most):
        sign_in(browse(AURORA), ALICE)
        if window == "day":
            Attempt.objects.update(at=timezone.now() - LONG["day"])
    Attempt.objects.update(at=timezone.now() - LONG[window])
    assert Attempt.objects.filter(redeemed=True).count() == most
    assert send(browse(AURORA), "/sign-in/", {"email": ALICE}).status_code == 429


def test_code_works_after_its_attempt_row_is_deleted(alice: User, browse: Any) -> None:
    client = browse(AURORA)
    send(client, "/sign-in/", {"email": ALICE})
    Attempt.objects.all().delete()
    assert send(client, "/sign-in/code/", {"code": code_for(ALICE)})["Location"] == "/"


# --- A used-up code ---


def test_used_sign_in_code_offers_a_new_code(alice: User, browse: Any) -> None:
    client: Client = browse(AURORA)
    send(client, "/sign-in/", {"email": ALICE})
    SignInCode.objects.update(expires_at=timezone.now())
    page = send(client, "/sign-in/code/", {"code": code_for(ALICE)})
    assert "no longer works" in words(page)
    assert "Email me a new code" in words(page)
    assert page.content.decode().count('<button class="main"') == 1
    assert 'name="code"' not in page.content.decode()
    before = len(mail.outbox)
    assert send(client, "/sign-in/", {"email": value_of(page, "email") or ""})["Location"] == "/sign-in/code/"
    assert len(mail.outbox) == before + 1
    assert send(client, "/sign-in/code/", {"code": code_for(ALICE)})["Location"] == "/"


# --- An old confirmation link ---


def test_used_email_change_code_offers_a_new_code(alice: User, browse: Any) -> None:
    client: Client = browse(AURORA)
    sign_in(client, ALICE)
    send(client, "/account/email/", {"email": "new@example.com"})
    SignInCode.objects.update(expires_at=timezone.now())
    page = send(client, "/account/email/code/", {"code": code_for("new@example.com")})
    assert "Email me a new code" in words(page)
    send(client, "/account/email/", {"email": value_of(page, "email") or ""})
    send(client, "/account/email/code/", {"code": code_for("new@example.com")})
    alice.refresh_from_db()
    assert alice.email == "new@example.com"


@pytest.mark.parametrize("status", [404, 409])
def test_other_conflict_does_not_count_as_confirmed(
    aurora: Brand, simulator: Simulator, browse: Any, status: int
) -> None:
    client: Client = browse(AURORA)
    simulator.fault("confirm_email", "status", status=status, message="This code has expired")
    data = {"email": DETAILS["email"], "code": "X", **token(simulator)}
    assert "This code has expired" in words(send(client, "/sign-up/confirm/", data))


@pytest.mark.parametrize("mapped", [True, False])
def test_old_confirmation_link_leads_to_the_sign_in(
    aurora: Brand, simulator: Simulator, browse: Any, mapped: bool
) -> None:
    if mapped:
        aurora.response_codes.create(code="409", meaning="already_confirmed")
    client: Client = browse(AURORA)
    send(client, "/sign-up/", sign_up_form(simulator.token()))
    data = {"email": DETAILS["email"], "code": carrier_code(simulator, DETAILS["email"])}
    send(client, "/sign-up/confirm/", {**data, **token(simulator)})
    later: Client = browse(AURORA)
    later.get("/sign-up/confirm/", data)
    answer = send(later, "/sign-up/confirm/", {**data, **token(simulator)})
    assert answer["Location"] == "/sign-in/"
    page = later.get("/sign-in/")
    assert "Already confirmed. Sign in." in words(page)
    assert value_of(page, "email") == DETAILS["email"]


# --- The email known to the carrier ---


def test_password_reset_sends_the_email_known_to_the_carrier(
    aurora: Brand, alice: User, simulator: Simulator, browse: Any
) -> None:
    alice.email, alice.carrier_email = "new@example.com", ALICE
    alice.save()
    client: Client = browse(AURORA, alice)
    page = client.get("/password-reset/")
    assert f"We'll send the email to {ALICE}, the address the phone system has for you." in words(page)
    assert "not the address you sign in with" in words(page)
    assert 'name="email"' not in page.content.decode()
    answer = send(client, "/password-reset/", {"email": "mallory@example.com", **token(simulator)})
    assert answer["Location"] == "/password-reset/sent/"
    [call] = simulator.calls("reset_password")
    assert call["fields"]["email"] == ALICE
    assert ALICE in words(client.get("/password-reset/sent/"))


def test_page_is_the_same_for_every_email_when_signed_out(
    alice: User, simulator: Simulator, browse: Any
) -> None:
    for email in (ALICE, "nobody@example.com"):
        client: Client = browse(AURORA)
        answer = send(client, "/password-reset/", {"email": email, **token(simulator)})
        assert answer["Location"] == "/password-reset/sent/"
        assert words(client.get("/password-reset/sent/")).replace(email, "") == words(
            get_sent_page(browse, simulator)
        ).replace("other@example.com", "")


def get_sent_page(browse: Any, simulator: Simulator) -> Any:
    client: Client = browse(AURORA)
    send(client, "/password-reset/", {"email": "other@example.com", **token(simulator)})
    return client.get("/password-reset/sent/")


def test_email_change_keeps_the_email_known_to_the_carrier(alice: User, browse: Any) -> None:
    client: Client = browse(AURORA)
    sign_in(client, ALICE)
    for new, known in (("first@example.com", ALICE), ("second@example.com", ALICE), (ALICE, "")):
        send(client, "/account/email/", {"email": new})
        send(client, "/account/email/code/", {"code": code_for(new)})
        alice.refresh_from_db()
        assert (alice.email, alice.carrier_email) == (new, known)


def test_carrier_login_by_email_uses_the_email_known_to_the_carrier(
    aurora: Brand, alice: User, simulator: Simulator, browse: Any
) -> None:
    names = {"account_number": "", "email": "email"}
    aurora.overrides.create(method="login_via_url", parameters=names)
    simulator.post("dialect", methods={"login_via_url": {"parameters": names}})
    simulator.post("seed", partners=[{"key": "aurora-api-key", "login_wants": ["email"]}])
    alice.email, alice.carrier_email = "new@example.com", ALICE
    alice.save()
    answer = send(browse(AURORA, alice), "/account/open/", token(simulator))
    assert "/carrier/login?ticket=" in answer["Location"]
