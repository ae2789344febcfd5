"""Resetting the carrier password: forwarded once, and the same page for every email."""

import pytest

from tests.conftest import AURORA
from tests.support.customer_flow import at_once, send, twin, value_of, words

pytestmark = pytest.mark.django_db
ALICE = "alice@example.com"


def form(simulator, email: str = ALICE) -> dict[str, str]:
    return {"email": email, "g-recaptcha-response": simulator.token()}


def test_reset_is_forwarded_once_and_the_carrier_sends_the_link(aurora, simulator, browse):
    client, data = browse(AURORA), form(simulator)
    assert send(client, "/password-reset/", data)["Location"] == "/password-reset/sent/"
    (call,) = simulator.calls()
    assert call["fields"] == {"email": ALICE, "google_captcha": data["g-recaptcha-response"]}
    assert simulator.mails(ALICE)[0]["subject"] == "Set a new password"
    assert ALICE in words(client.get("/password-reset/sent/"))
    assert simulator.listed("siteverify") == []


def test_mapped_unknown_email_sees_the_same_page(aurora, simulator, browse):
    simulator.post("dialect", codes={"customer_unknown": 4404})
    aurora.response_codes.create(code="4404", meaning="customer_unknown")
    pages = []
    for email in (ALICE, "nobody@example.com"):
        client = browse(AURORA)
        response = send(client, "/password-reset/", form(simulator, email))
        sent = words(client.get("/password-reset/sent/")).replace(email, "EMAIL")
        pages.append((response.status_code, response["Location"], sent))
    assert pages[0] == pages[1]


def test_mapped_captcha_failure_asks_for_a_new_captcha(aurora, simulator, browse):
    simulator.post("dialect", codes={"captcha_failed": 4001})
    aurora.response_codes.create(code="4001", meaning="captcha_failed")
    data = {"email": ALICE, "g-recaptcha-response": "a-token-of-nobody"}
    response = send(browse(AURORA), "/password-reset/", data)
    assert "didn't work. Try it again" in words(response)
    assert value_of(response, "email") == ALICE


def test_invalid_field_uses_no_captcha_token(aurora, simulator, browse):
    for changes in ({"email": "alice"}, {"g-recaptcha-response": ""}):
        send(browse(AURORA), "/password-reset/", {**form(simulator), **changes})
    assert simulator.calls() == []


def test_resubmission_makes_no_call(aurora, simulator, browse):
    client, data = browse(AURORA), form(simulator)
    answers = [send(client, "/password-reset/", data) for _ in range(2)]
    assert {answer["Location"] for answer in answers} == {"/password-reset/sent/"}
    assert len(simulator.calls()) == 1


def test_ten_concurrent_posts_make_one_call(threads, aurora, simulator, browse):
    client, data = browse(AURORA), form(simulator)
    simulator.fault("reset_password", "slow", seconds=0.3)
    answers = at_once(10, lambda nth: send(twin(client), "/password-reset/", data))
    assert {answer.get("Location") for answer in answers} == {"/password-reset/sent/"}
    assert len(simulator.calls()) == 1


def test_page_shows_the_email_of_a_signed_in_customer(aurora, alice, browse):
    assert f"We'll send the email to {ALICE}" in words(browse(AURORA, alice).get("/password-reset/"))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, '{"result": "error", "message": "Client Not Found"}'),
        (200, '{"success": false, "error": "User not found"}'),
        (404, '{"message": "User not found"}'),
        (404, '{"errors": {"email": ["No such user"]}}'),
        (422, '{"errors": {"email": ["We can\'t find a user with that email address."]}}'),
    ],
)
def test_page_never_reveals_who_is_a_customer(aurora, simulator, browse, status, body):
    simulator.fault("reset_password", "body", status=status, text=body)
    answer = send(browse(AURORA), "/password-reset/", form(simulator))
    assert answer["Location"] == "/password-reset/sent/"


def test_captcha_refused_only_by_message_is_reported(aurora, simulator, browse):
    simulator.fault("reset_password", "body", text='{"error": "reCAPTCHA verification failed"}')
    answer = send(browse(AURORA), "/password-reset/", form(simulator))
    assert "security check didn't work" in words(answer)
