"""Confirming the email at the carrier: it does not sign in, and continues to a sign-in code."""

from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts.models import SignInCode, User
from portal.resilience import rate_limits
from tests.conftest import AURORA
from tests.support.customer_flow import (
    at_once,
    carrier_code,
    code_for,
    send,
    sign_up_form,
    twin,
    value_of,
    words,
)

pytestmark = pytest.mark.django_db
DORA = "dora@example.com"


@pytest.fixture
def signed_up(aurora, simulator, browse) -> Client:
    """Dora's browser after her sign-up."""
    client = browse(AURORA)
    client.get("/sign-up/")
    assert send(client, "/sign-up/", sign_up_form(simulator.token())).status_code == 302
    return client


def form(simulator, code: str = "", email: str = DORA) -> dict[str, str]:
    return {
        "email": email,
        "code": code or carrier_code(simulator, email),
        "g-recaptcha-response": simulator.token(),
    }


def is_confirmed(simulator) -> bool:
    return next(c["confirmed"] for c in simulator.listed("customers") if c["email"] == DORA)


def test_link_query_moves_into_the_session_without_using_the_code(signed_up, simulator):
    code = carrier_code(simulator, DORA)
    response = signed_up.get("/sign-up/confirm/", {"email": DORA, "code": code})
    assert (response.status_code, response["Location"]) == (302, "/sign-up/confirm/")
    page = signed_up.get("/sign-up/confirm/")
    assert (value_of(page, "email"), value_of(page, "code")) == (DORA, code)
    assert "Check these details" in words(page)
    assert "enter the code" not in words(page)
    assert simulator.calls("confirm_email") == []
    assert not is_confirmed(simulator)


def test_known_address_and_code_are_text_that_can_be_changed(signed_up, simulator):
    code = carrier_code(simulator, DORA)
    signed_up.get("/sign-up/confirm/", {"email": DORA, "code": code})
    page = signed_up.get("/sign-up/confirm/")
    assert f"Email address {DORA} Change Confirmation code {code} Change" in words(page)
    for name in ("email", "code"):
        assert f'<input type="hidden" name="{name}"' in page.content.decode()
    change = signed_up.get("/sign-up/confirm/?change=code")
    assert f"Email address {DORA} Change Confirmation code It" in words(change)
    assert (value_of(change, "email"), value_of(change, "code")) == (DORA, code)
    assert '<input type="text" name="code"' in change.content.decode()
    data = {**form(simulator), "code": code}
    assert send(signed_up, "/sign-up/confirm/?change=code", data)["Location"] == "/sign-in/code/"


def test_wrong_known_code_becomes_a_field_again(signed_up, simulator):
    signed_up.get("/sign-up/confirm/", {"email": DORA, "code": "WRONG"})
    page = send(signed_up, "/sign-up/confirm/", form(simulator, "WRONG")).content.decode()
    assert '<input type="text" name="code" value="WRONG"' in page
    assert '<input type="hidden" name="email"' in page
    assert 'href="#id_code"' in page


def test_typed_address_and_code_stay_fields_after_an_error(aurora, simulator, browse):
    data = {"email": DORA, "code": "X", "g-recaptcha-response": ""}
    page = send(browse(AURORA), "/sign-up/confirm/", data).content.decode()
    assert "?change=" not in page
    assert '<input type="email" name="email"' in page


def test_limited_link_shows_its_values_in_fields(aurora, browse, monkeypatch):
    monkeypatch.setitem(rate_limits.REDIS_LIMITS, "confirm_link", {"network": "1/hour"})
    for _ in range(2):
        page = browse(AURORA).get("/sign-up/confirm/", {"email": DORA, "code": "ABC"}).content.decode()
    assert "?change=" not in page
    assert '<input type="text" name="code" value="ABC"' in page


def test_sign_up_and_confirmation_show_their_step(aurora, alice, browse):
    for path, step in (("/sign-up/", "Your details"), ("/sign-up/confirm/", "Confirm your email")):
        page = browse(AURORA).get(path).content.decode()
        assert f'<li aria-current="step">{step}</li>' in page
        assert page.count('aria-current="step"') == 1
    assert b'class="steps"' not in browse(AURORA, alice).get("/sign-up/confirm/").content


def test_link_with_only_a_code_keeps_the_known_email(signed_up):
    signed_up.get("/sign-up/confirm/", {"code": "ABC"})
    page = signed_up.get("/sign-up/confirm/")
    assert (value_of(page, "email"), value_of(page, "code")) == (DORA, "ABC")


def test_post_confirms_and_redirects_to_an_emailed_sign_in_code(signed_up, simulator):
    data = form(simulator)
    signed_up.get("/sign-up/confirm/", {"email": DORA, "code": data["code"]})
    response = send(signed_up, "/sign-up/confirm/", data)
    assert (response.status_code, response["Location"]) == (302, "/sign-in/code/")
    assert is_confirmed(simulator)
    (call,) = simulator.calls("confirm_email")
    assert call["fields"] == {
        "email": DORA,
        "code": data["code"],
        "google_captcha": data["g-recaptcha-response"],
    }
    page = words(signed_up.get("/sign-in/code/"))
    assert "Your email address is confirmed" in page
    assert "reset your phone account password" not in page
    assert "confirm" not in signed_up.session
    assert send(signed_up, "/sign-in/code/", {"code": code_for(DORA)})["Location"] == "/"
    assert User.objects.get().confirmed_at


def test_confirmation_alone_does_not_sign_in(signed_up, simulator):
    send(signed_up, "/sign-up/confirm/", form(simulator))
    assert signed_up.get("/account/open/").status_code == 302
    assert "_auth_user_id" not in signed_up.session
    assert User.objects.get().account_number == ""


def warnings_after_sign_in(client: Any, **data: str) -> int:
    """Enter the emailed code, and return how often the next page advises a new password."""
    landed = send(client, "/sign-in/code/", {"code": code_for(DORA), **data})
    page = client.get(landed["Location"])
    advice = words(page).count("If someone else signed up for you, they may know")
    assert page.content.decode().count('<a href="/password-reset/">Choose a new phone account') == advice
    return advice


def test_other_browser_is_reassured_first_and_warned_once_after_the_sign_in(signed_up, simulator, browse):
    other = browse(AURORA)
    send(other, "/sign-up/confirm/", form(simulator))
    page = words(other.get("/sign-in/code/"))
    assert "Signed up on another device? That's fine. Carry on." in page
    assert "someone else" not in page
    assert warnings_after_sign_in(other) == 1
    assert "someone else" not in words(other.get("/account/"))


def test_browser_that_signed_up_is_neither_reassured_nor_warned(signed_up, simulator):
    send(signed_up, "/sign-up/confirm/", form(simulator))
    assert "another device" not in words(signed_up.get("/sign-in/code/"))
    assert warnings_after_sign_in(signed_up) == 0


def test_other_browser_is_warned_without_an_account_number_too(signed_up, simulator, browse):
    User.objects.update(offered_account_number="", account_number="70888")
    other = browse(AURORA)
    send(other, "/sign-up/confirm/", form(simulator))
    assert warnings_after_sign_in(other) == 1


def test_other_browser_is_warned_after_a_second_code_and_a_second_click_on_the_link(
    signed_up, aurora, simulator, browse
):
    User.objects.update(verified_at=timezone.now(), offered_account_number="")
    aurora.response_codes.create(code="409", meaning="already_confirmed")
    other, data = browse(AURORA), form(simulator)
    send(other, "/sign-up/confirm/", data)
    again = send(other, "/sign-up/confirm/", {**data, "g-recaptcha-response": simulator.token()})
    assert again["Location"] == "/sign-in/"
    send(other, "/sign-in/", {"email": DORA.upper()})
    assert warnings_after_sign_in(other) == 1


def test_first_sign_in_on_a_third_device_is_warned(signed_up, simulator, browse):
    User.objects.update(offered_account_number="")
    send(browse(AURORA), "/sign-up/confirm/", form(simulator))
    User.objects.update(offered_account_number="")
    third = browse(AURORA)
    send(third, "/sign-in/", {"email": DORA})
    assert warnings_after_sign_in(third) == 1
    fourth = browse(AURORA)
    send(fourth, "/sign-in/", {"email": DORA})
    assert warnings_after_sign_in(fourth) == 0


def test_browser_whose_sign_up_was_refused_is_advised_too(signed_up, simulator, browse):
    victim = browse(AURORA)
    assert send(victim, "/sign-up/", sign_up_form(simulator.token())).status_code == 200
    send(victim, "/sign-up/confirm/", form(simulator))
    assert warnings_after_sign_in(victim) == 1


def test_invalid_field_uses_no_captcha_token(signed_up, simulator):
    for changes in ({"email": "dora"}, {"code": " "}, {"g-recaptcha-response": ""}):
        response = send(signed_up, "/sign-up/confirm/", {**form(simulator, "X"), **changes})
        assert response.context["form"].errors
    assert simulator.calls("confirm_email") == []


@pytest.mark.parametrize(
    ("meaning", "text"),
    [
        ("code_wrong", "That code isn't right. Copy it from the latest email"),
        ("customer_unknown", "We can't find an account with these details"),
        ("captcha_failed", "security check didn't work"),
    ],
)
def test_mapped_codes_show_their_message_and_keep_the_input(aurora, simulator, browse, meaning, text):
    simulator.post("dialect", codes={meaning: 4300})
    simulator.post("seed", customers=[{"partner": "Aurora", "account_number": "9", "email": DORA}])
    aurora.response_codes.create(code="4300", meaning=meaning)
    data = form(simulator, "WRONG", {"customer_unknown": "nobody@example.com"}.get(meaning, DORA))
    if meaning == "code_wrong":
        simulator.post("seed", customers=[{"partner": "Aurora", "account_number": "9", "confirmed": False}])
    if meaning == "captcha_failed":
        data["g-recaptcha-response"] = "a-token-of-nobody"
    response = send(browse(AURORA), "/sign-up/confirm/", data)
    assert text in words(response)
    assert (value_of(response, "email"), value_of(response, "code")) == (data["email"], "WRONG")
    assert mail.outbox == []


def test_unmapped_wrong_code_shows_the_carrier_message_at_the_field(signed_up, simulator):
    response = send(signed_up, "/sign-up/confirm/", form(simulator, "WRONG"))
    assert response.context["form"].errors == {"code": ["The code is invalid."]}


def test_sixth_attempt_per_email_within_15_minutes_makes_no_call(signed_up, simulator, browse):
    for nth in range(6):
        response = send(
            browse(AURORA, REMOTE_ADDR=f"10.0.0.{nth}"), "/sign-up/confirm/", form(simulator, "NO")
        )
        assert response.status_code == (200 if nth < 5 else 429)
    assert 0 < int(response["Retry-After"]) <= 901
    assert (value_of(response, "email"), value_of(response, "code")) == (DORA, "NO")
    assert len(simulator.calls("confirm_email")) == 5


def test_rate_limited_confirmation_does_not_use_up_its_token(signed_up, simulator, browse):
    from portal.models import Attempt

    for _ in range(5):
        send(signed_up, "/sign-up/confirm/", form(simulator, "NO"))
    data = form(simulator)
    assert send(signed_up, "/sign-up/confirm/", data).status_code == 429
    Attempt.objects.all().delete()
    assert send(signed_up, "/sign-up/confirm/", data).status_code == 302


def test_resubmission_makes_no_call_and_sends_no_second_code(signed_up, simulator):
    data = form(simulator)
    answers = [send(signed_up, "/sign-up/confirm/", data) for _ in range(7)]
    assert {answer.get("Location") for answer in answers} == {"/sign-in/code/"}
    assert len(simulator.calls("confirm_email")) == len(mail.outbox) == 1
    assert send(signed_up, "/sign-in/code/", {"code": code_for(DORA)})["Location"] == "/"


def test_ten_concurrent_posts_make_one_call_and_send_one_working_code(threads, aurora, simulator, signed_up):
    signed_up.get("/sign-up/confirm/")
    data = form(simulator)
    simulator.fault("confirm_email", "slow", seconds=0.3)
    answers = at_once(10, lambda nth: send(twin(signed_up), "/sign-up/confirm/", data))
    assert {answer.get("Location") for answer in answers} == {"/sign-in/code/"}
    assert len(simulator.calls("confirm_email")) == len(mail.outbox) == 1
    assert send(signed_up, "/sign-in/code/", {"code": code_for(DORA)})["Location"] == "/"


@pytest.mark.parametrize("shown", [0, 1])
def test_either_of_two_concurrent_confirmations_can_sign_in(
    threads, aurora, simulator, signed_up, browse, shown
):
    client = browse(AURORA)
    client.get("/sign-up/confirm/")
    assert "__Host-session" not in client.cookies  # A page that only asks stores nothing.
    data, same_browser = form(simulator), [twin(client), twin(client)]
    at_once(2, lambda nth: send(same_browser[nth], "/sign-up/confirm/", data))
    code = {"code": code_for(DORA)}
    assert send(same_browser[shown], "/sign-in/code/", code)["Location"] == "/"


def test_email_failure_is_reported_and_the_confirmation_is_kept(signed_up, simulator, settings):
    settings.EMAIL_BACKEND = "portal.mail.smtp_backend.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    response = send(signed_up, "/sign-up/confirm/", form(simulator))
    assert response.status_code == 503
    assert "Your email address is confirmed." in words(response)
    assert "We can't send email right now" in words(response)
    assert User.objects.get().confirmed_at
    assert not SignInCode.objects.exists()


def test_confirmation_is_kept_when_the_code_limit_is_reached(signed_up, simulator):
    for _ in range(3):
        send(signed_up, "/sign-in/", {"email": DORA})
    response = send(signed_up, "/sign-up/confirm/", form(simulator))
    assert response["Location"] == "/sign-in/"
    page = words(signed_up.get("/sign-in/"))
    assert "Your email address is confirmed." in page
    assert "You've asked for too many codes. Wait 15 minutes, then try again." in page


def html(response) -> str:
    return response.content.decode()


def test_code_page_offers_a_new_code_and_another_address_apart(signed_up):
    send(signed_up, "/sign-in/", {"email": DORA})
    page = html(signed_up.get("/sign-in/code/"))
    assert '<a href="/sign-in/">Send a new code</a>' in page
    assert '<a href="/sign-in/?other">Use a different email address</a>' in page
    assert f'value="{DORA}"' in html(signed_up.get("/sign-in/"))
    assert DORA not in html(signed_up.get("/sign-in/?other"))


def test_signed_in_customer_confirms_without_a_new_code(aurora, simulator, signed_up, browse):
    user = User.objects.get()
    response = send(browse(AURORA, user), "/sign-up/confirm/", form(simulator))
    assert (response["Location"], mail.outbox) == ("/", [])
