"""Signing up: one call, correct messages, no lost input, and no customer overwritten."""

import re
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Submission, User
from tests.conftest import AURORA, BOREALIS
from tests.support.customer_flow import (
    DETAILS,
    PASSWORD,
    at_once,
    send,
    sign_in,
    sign_up_form,
    twin,
    value_of,
    words,
)
from tests.support.timeouts import PATIENT, eventually

pytestmark = pytest.mark.django_db


def dora() -> User:
    return User.objects.get(email__iexact="dora@example.com")


def test_sign_up_is_forwarded_once_as_typed_and_leads_to_confirmation(aurora, simulator, browse):
    token = simulator.token()
    response = send(browse(AURORA), "/sign-up/", sign_up_form(token))
    assert (response.status_code, response["Location"]) == (302, "/sign-up/confirm/")
    (call,) = simulator.calls()
    assert call["fields"] == {**DETAILS, "password": "•••", "google_captcha": token}
    assert simulator.listed("siteverify") == []
    assert simulator.post("password", partner="Aurora", email="dora@example.com", password=PASSWORD)[
        "matches"
    ]


def test_new_customer_has_no_password_or_number_before_first_sign_in(aurora, simulator, browse):
    client = browse(AURORA)
    send(client, "/sign-up/", sign_up_form(simulator.token()))
    user = dora()
    assert (user.brand, user.has_usable_password(), user.account_number) == (aurora, False, "")
    sign_in(client, user.email)
    user.refresh_from_db()
    assert (user.account_number, user.offered_account_number) == ("90001", "")


@pytest.mark.parametrize("account_type", ["prepaid", "postpaid", ""])
@pytest.mark.parametrize("outcome", ["clear", "unclear"])
def test_new_customer_has_the_account_type_of_the_brand(aurora, simulator, browse, account_type, outcome):
    aurora.account_type = account_type
    aurora.save()
    if outcome == "unclear":
        simulator.fault("register_customer", "status_after", status=500)
    client = browse(AURORA)
    send(client, "/sign-up/", sign_up_form(simulator.token()))
    assert (dora().account_type, dora().credit_limit) == (account_type, None)
    sign_in(client, "dora@example.com")
    assert dora().account_type == account_type


def test_sign_ups_are_prepaid_unless_the_brand_says_otherwise(aurora, simulator, browse):
    send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token()))
    assert dora().account_type == "prepaid"


def test_account_type_of_a_brand_does_not_change_the_customers_it_has(aurora, simulator, alice, browse):
    alice.account_type = "postpaid"
    alice.save()
    waiting = User.objects.create(brand=aurora, email="dora@example.com", first_name="Typo", password="!")
    aurora.account_type = "prepaid"
    aurora.save()
    send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token(), email="alice@example.com"))
    send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token()))
    sign_in(browse(AURORA), "alice@example.com")
    for customer, kept in ((alice, "postpaid"), (waiting, "")):
        customer.refresh_from_db()
        assert customer.account_type == kept
    assert waiting.first_name == "Dora"


def test_empty_company_is_not_sent(aurora, simulator, browse):
    send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token(), company_name=""))
    assert "company_name" not in simulator.calls()[0]["fields"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "dora"),
        ("email", "dora@" + "é" * 63 + ".example"),
        ("phone", "call me"),
        ("phone", "12"),
        ("first_name", ""),
        ("last_name", " "),
        ("password", "short"),
        ("accept_terms", ""),
        ("g-recaptcha-response", ""),
    ],
)
def test_invalid_field_uses_no_captcha_token(aurora, simulator, browse, field, value):
    form = sign_up_form(simulator.token(), **{field: value})
    response = send(browse(AURORA), "/sign-up/", {k: v for k, v in form.items() if v})
    assert response.status_code == 200
    assert response.context["form"].errors
    assert simulator.calls() == []
    assert not User.objects.exists()


def test_carrier_field_messages_appear_at_the_matching_fields(aurora, simulator, browse):
    simulator.post("dialect", methods={"register_customer": {"parameters": {"email": "mail_addr"}}})
    aurora.overrides.create(method="register_customer", parameters={"email": "mail_addr"})
    response = send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token(), email="alice@example.com"))
    assert response.context["form"].errors == {"email": ["The email has already been taken."]}
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("meaning", "field", "text"),
    [
        ("email_taken", "email", "already an account with this email address. Sign in instead, or reset"),
        ("captcha_failed", "captcha", "security check didn't work. Try it again"),
    ],
)
def test_mapped_code_shows_its_own_message(aurora, simulator, browse, meaning, field, text):
    simulator.post("dialect", codes={meaning: 4103})
    aurora.response_codes.create(code="4103", meaning=meaning)
    token = "a-spent-token" if meaning == "captcha_failed" else simulator.token()
    response = send(browse(AURORA), "/sign-up/", sign_up_form(token, email="alice@example.com"))
    assert text in response.context["form"].errors[field][0]
    ways = re.findall(r'<p class="beside"><a href="([^"]+)">.*?<a href="([^"]+)">', response.content.decode())
    assert ways == ([("/sign-in/", "/password-reset/")] if meaning == "email_taken" else [])


def test_refused_captcha_is_reported_without_a_mapped_code_too(aurora, simulator, browse):
    response = send(browse(AURORA), "/sign-up/", sign_up_form("never issued"))
    assert "didn't work. Try it again" in response.context["form"].errors["captcha"][0]


@pytest.mark.parametrize(
    ("fault", "options", "status"),
    [
        ("status", {"status": 422, "message": "No."}, 200),
        ("status", {"status": 401}, 503),
        ("status", {"status": 429, "retry_after": 7}, 503),
        ("status_after", {"status": 500}, 503),
        ("drop_before", {}, 503),
        ("html", {}, 503),
    ],
)
def test_form_keeps_its_data_but_not_the_password_on_every_error(
    aurora, simulator, browse, fault, options, status
):
    simulator.fault("register_customer", fault, **options)
    client = browse(AURORA)
    client.get("/sign-up/")
    response = send(client, "/sign-up/", sign_up_form(simulator.token()))
    assert response.status_code == status
    for page in (response, client.get("/sign-up/")):
        assert {name: value_of(page, name) for name in DETAILS} == DETAILS
        assert value_of(page, "password") is None
        assert "checked" in page.content.decode()


def test_retry_after_of_the_carrier_is_passed_on(aurora, simulator, browse):
    simulator.fault("register_customer", "status", status=429, retry_after=7)
    response = send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token()))
    assert response["Retry-After"] == "7"
    assert "We're very busy right now" in words(response)


def test_unclear_sign_up_says_so_and_the_customer_can_continue(aurora, simulator, browse):
    simulator.fault("register_customer", "drop_after")
    client = browse(AURORA)
    client.get("/sign-up/")
    response = send(client, "/sign-up/", sign_up_form(simulator.token()))
    assert response.status_code == 503
    assert "We don't know yet whether your account was created" in words(response)
    assert 'href="/sign-up/confirm/"' in response.content.decode()
    assert value_of(client.get("/sign-up/confirm/"), "email") == "dora@example.com"
    assert sign_in(client, "dora@example.com")["Location"] == "/"
    assert len(simulator.calls("register_customer")) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429])
def test_definite_refusal_creates_no_row(aurora, simulator, browse, status):
    simulator.fault("register_customer", "status", status=status)
    send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token()))
    assert not User.objects.exists()


def test_unreachable_carrier_is_reported_and_changes_nothing(aurora, browse):
    response = send(browse(AURORA), "/sign-up/", sign_up_form("a-token-of-nobody"))
    assert response.status_code == 503
    assert "We can't reach the phone system right now. Nothing has changed" in words(response)
    assert not User.objects.exists()


def test_newer_sign_up_replaces_data_of_an_unverified_customer(aurora, simulator, browse):
    User.objects.create(
        brand=aurora, email="Dora@Example.com", first_name="Typo", password="!", offered_account_number="1"
    )
    send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token()))
    user = dora()
    assert (user.first_name, user.email, user.offered_account_number) == ("Dora", "dora@example.com", "90001")


def test_unclear_second_sign_up_keeps_the_first_account_number(aurora, simulator, browse):
    send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token()))
    simulator.fault("register_customer", "status", status=500)
    send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token()))
    assert dora().offered_account_number == "90001"


@pytest.mark.parametrize("known", ["verified", "numbered", "switched off"])
def test_sign_up_with_a_known_email_changes_no_customer(aurora, simulator, browse, make_customer, known):
    fields = {
        "verified": {"account_number": "777"},
        "numbered": {"verified_at": None, "account_number": "777"},
        "switched off": {"verified_at": None, "is_active": False},
    }[known]
    user = make_customer(aurora, "dora@example.com", first_name="Real", phone="1234567", **fields)
    assert send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token())).status_code == 302
    before = user.account_number
    user.refresh_from_db()
    assert (user.first_name, user.phone, user.account_number) == ("Real", "1234567", before)


def test_wrong_email_leads_back_to_the_filled_form_without_password(aurora, simulator, browse):
    client = browse(AURORA)
    send(client, "/sign-up/", sign_up_form(simulator.token(), email="doar@example.com"))
    page = client.get("/sign-up/confirm/")
    assert "doar@example.com" in words(page)
    assert "Change your details" in words(page)
    form = client.get("/sign-up/")
    assert {name: value_of(form, name) for name in DETAILS} == {**DETAILS, "email": "doar@example.com"}
    assert value_of(form, "password") is None
    send(client, "/sign-up/", sign_up_form(simulator.token()))
    assert "dora@example.com" in words(client.get("/sign-up/confirm/"))


def test_page_after_sign_up_offers_the_next_steps(aurora, simulator, browse):
    client = browse(AURORA)
    send(client, "/sign-up/", sign_up_form(simulator.token()))
    page = words(client.get("/sign-up/confirm/"))
    for text in ("Wrong email address?", "spam or junk folder", "help@aurora.example", "Already confirmed?"):
        assert text in page


def test_refused_sign_up_does_not_claim_that_an_email_was_sent(aurora, simulator, browse):
    client = browse(AURORA)
    send(client, "/sign-up/", sign_up_form(simulator.token(), email="alice@example.com"))
    assert "We've emailed" not in words(client.get("/sign-up/confirm/"))


def test_closed_sign_up_accepts_no_form(aurora, simulator, browse):
    aurora.signup_open = False
    aurora.save()
    client = browse(AURORA)
    assert "help@aurora.example" in words(client.get("/sign-up/"))
    send(client, "/sign-up/", sign_up_form(simulator.token()))
    assert simulator.calls() == []


def test_sign_up_page_redirects_a_signed_in_customer(aurora, alice, browse):
    assert browse(AURORA, alice).get("/sign-up/")["Location"] == "/"


def test_both_brands_may_have_a_customer_with_the_same_email(aurora, borealis, simulator, browse):
    for host, key in ((AURORA, "aurora-site-key"), (BOREALIS, "borealis-site-key")):
        assert send(browse(host), "/sign-up/", sign_up_form(simulator.token(key))).status_code == 302
    assert set(User.objects.values_list("brand__slug", flat=True)) == {"aurora", "borealis"}


# Submitting the same form twice


def test_resubmitted_form_makes_no_call_and_shows_the_success(aurora, simulator, browse):
    client, form = browse(AURORA), sign_up_form(simulator.token())
    answers = [send(client, "/sign-up/", form) for _ in range(2)]
    assert [answer["Location"] for answer in answers] == ["/sign-up/confirm/"] * 2
    assert len(simulator.calls()) == 1


def test_resubmitted_refused_form_shows_the_same_refusal(aurora, simulator, browse):
    client, form = browse(AURORA), sign_up_form(simulator.token(), email="alice@example.com")
    answers = [send(client, "/sign-up/", form) for _ in range(2)]
    # Each says it twice: in the summary and at the field.
    assert [words(answer).count("has already been taken") for answer in answers] == [2, 2]
    assert len(simulator.calls()) == 1


def test_used_captcha_with_corrected_data_asks_for_a_new_captcha(aurora, simulator, browse):
    client, token = browse(AURORA), simulator.token()
    send(client, "/sign-up/", sign_up_form(token, email="doar@example.com"))
    response = send(client, "/sign-up/", sign_up_form(token))
    assert "didn't work. Try it again" in response.context["form"].errors["captcha"][0]
    assert value_of(response, "email") == "dora@example.com"
    assert len(simulator.calls()) == 1
    assert "doar@example.com" in words(client.get("/sign-up/confirm/"))


def test_submission_row_is_deleted_after_ten_minutes(aurora, simulator, browse):
    form = sign_up_form(simulator.token())
    send(browse(AURORA), "/sign-up/", form)
    Submission.objects.update(created_at=timezone.now() - Submission.LIFETIME)
    send(
        browse(AURORA),
        "/password-reset/",
        {"email": "a@b.example", "g-recaptcha-response": simulator.token()},
    )
    assert Submission.objects.count() == 1


def test_ten_concurrent_posts_make_one_call_and_all_succeed(threads, aurora, simulator, browse):
    client, form = browse(AURORA), sign_up_form(simulator.token())
    simulator.fault("register_customer", "slow", seconds=0.3)
    answers = at_once(10, lambda nth: send(twin(client), "/sign-up/", form))
    assert {answer.get("Location") for answer in answers} == {"/sign-up/confirm/"}
    assert len(simulator.calls()) == 1
    assert User.objects.count() == 1


def test_second_post_says_wait_while_the_first_hangs(
    threads, aurora, simulator, browse, settings, monkeypatch
):
    monkeypatch.setattr("accounts.services.idempotency._PATIENCE", 0.2)
    settings.CARRIER_TIMEOUTS = PATIENT
    simulator.fault("register_customer", "hang")
    client, form = browse(AURORA), sign_up_form(simulator.token())

    def post(nth: int) -> Any:
        if not nth:
            return send(twin(client), "/sign-up/", form)
        assert eventually(simulator.calls)  # The first call has arrived.
        answer = send(twin(client), "/sign-up/", form)
        simulator.post("faults/clear")  # This ends the hanging call without an answer.
        return answer

    first, second = at_once(2, post)
    assert (first.status_code, second.status_code) == (503, 202)
    assert "still working on this" in words(second)
    assert "We don't know yet whether your account was created" in words(send(client, "/sign-up/", form))
    assert len(simulator.calls()) == 1


def test_killed_process_leaves_an_unclear_outcome_not_an_endless_wait(aurora, simulator, browse, settings):
    client, form = browse(AURORA), sign_up_form(simulator.token())
    send(client, "/sign-up/", form)
    row = Submission.objects.get()
    row.outcome, row.created_at = (
        {"form": row.outcome["form"]},
        timezone.now() - timezone.timedelta(minutes=2),
    )
    row.save()
    assert "We don't know yet whether your account was created" in words(send(client, "/sign-up/", form))


def test_form_data_is_kept_when_the_carrier_is_down(aurora, simulator, browse):
    simulator.fault("register_customer", "status", status=503)
    client = browse(AURORA)
    client.get("/sign-up/")
    assert send(client, "/sign-up/", sign_up_form(simulator.token())).status_code == 503
    assert "__Host-session" in client.cookies
    assert value_of(client.get("/sign-up/"), "email") == DETAILS["email"]
