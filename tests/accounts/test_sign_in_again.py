"""A fresh proof before a delicate step: a code emailed at once to the customer, who stays signed in."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts.models import SignIn, SignInCode, User
from accounts.sign_in.codes import create_code
from portal.models import Attempt
from portal.security.crypto import encrypt
from tests.conftest import AURORA
from tests.support.customer_flow import code_for, send, sign_in, twin, words

pytestmark = [pytest.mark.django_db, pytest.mark.database]
ALICE, BOB = "alice@example.com", "bob@example.com"
AGAIN, CODE, STEP = "/sign-in/again/", "/sign-in/again/code/", "/account/email/"


@pytest.fixture
def client(aurora, alice, browse) -> Client:
    """Alice's browser, an hour after she signed in."""
    browser: Client = browse(AURORA)
    sign_in(browser, ALICE)
    mail.outbox.clear()
    session = browser.session
    session["signed_in_at"] -= 3600
    session.save()
    return browser


def may_change(client: Client) -> bool:
    return "Enter a new address" in words(client.get(STEP))


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**8:08d}"


def test_button_emails_a_code_at_once_and_the_code_leads_on(client):
    assert 'action="/sign-in/again/"' in client.get(STEP).content.decode()
    assert send(client, AGAIN, {})["Location"] == CODE
    assert [each.to for each in mail.outbox] == [[ALICE]]
    assert "We've emailed an 8-digit code to alice@example.com" in words(client.get(CODE))
    assert not may_change(client)
    assert send(client, CODE, {"code": code_for(ALICE)})["Location"] == STEP
    assert may_change(client)
    assert "sign_in_again" not in client.session


def test_session_stays_under_a_new_key_with_its_sign_in_and_its_end(client):
    before, row, copy = client.session, SignIn.objects.get(), twin(client)
    end = before.get_expiry_date()
    send(client, AGAIN, {})
    assert client.session.session_key == before.session_key
    send(client, CODE, {"code": code_for(ALICE)})
    after = client.session
    assert after.session_key != before.session_key
    assert after.get_expiry_date() == end
    assert after["sign_in_row"] == row.pk == SignIn.objects.get().pk
    assert copy.get("/account/").status_code == 302


def test_customer_who_cancels_stays_signed_in(client):
    send(client, AGAIN, {})
    assert 'href="/account/"' in client.get(CODE).content.decode()
    assert client.get("/account/").status_code == 200
    assert not may_change(client)


@pytest.mark.parametrize("path", [AGAIN, CODE])
def test_page_opened_directly_leads_to_the_step(client, path):
    assert client.get(path)["Location"] == STEP
    assert mail.outbox == []


def test_visitor_signs_in_first(aurora, browse):
    visitor = browse(AURORA)
    assert visitor.post(AGAIN)["Location"] == "/sign-in/?why=again&next=%2Faccount%2Femail%2F"
    assert visitor.get(CODE)["Location"] == "/sign-in/?next=/sign-in/again/code/"


def test_form_needs_its_csrf_token(aurora, alice, browse):
    assert browse(AURORA, alice, enforce_csrf_checks=True).post(AGAIN).status_code == 403
    assert mail.outbox == []


def test_brand_that_verifies_captchas_asks_for_none(client, aurora):
    aurora.recaptcha_secret_key = encrypt("a-secret")
    aurora.save()
    assert "g-recaptcha" not in client.get(STEP).content.decode()
    assert send(client, AGAIN, {})["Location"] == CODE
    assert send(client, CODE, {"code": code_for(ALICE)})["Location"] == STEP


def test_three_wrong_codes_void_it_and_offer_a_new_one(client):
    send(client, AGAIN, {})
    code = code_for(ALICE)
    pages = [send(client, CODE, {"code": wrong(code)}) for _ in range(3)]
    for page, text in zip(pages, ("have 2 tries left", "have 1 try left.", "no longer works"), strict=True):
        assert text in words(page)
    assert 'action="/sign-in/again/"' in pages[2].content.decode()
    assert "different email address" not in words(pages[2])
    assert "no longer works" in words(send(client, CODE, {"code": code}))
    assert not may_change(client)
    send(client, AGAIN, {})
    assert send(client, CODE, {"code": code_for(ALICE)})["Location"] == STEP


def test_code_lasts_ten_minutes_and_works_once(client):
    send(client, AGAIN, {})
    session = client.session["sign_in_again"]
    SignInCode.objects.update(expires_at=timezone.now() - timedelta(milliseconds=1))
    assert "no longer works" in words(send(client, CODE, {"code": code_for(ALICE)}))
    SignInCode.objects.update(expires_at=timezone.now() + timedelta(minutes=1))
    assert send(client, CODE, {"code": code_for(ALICE)})["Location"] == STEP
    store = client.session
    store["sign_in_again"] = session
    store.save()
    assert "no longer works" in words(send(client, CODE, {"code": code_for(ALICE)}))


@pytest.mark.parametrize("mistake", ["", "1234"])
def test_malformed_code_does_not_count(client, mistake):
    send(client, AGAIN, {})
    assert "There's a problem" in words(send(client, CODE, {"code": mistake}))
    assert SignInCode.objects.latest("pk").tries == 0


def test_code_of_another_customer_of_this_browser_is_refused_and_switches_nobody(client, aurora, bob):
    send(client, AGAIN, {})
    session = client.session
    row, code = create_code(brand=aurora, user=bob, browser=session["browser"])
    session["sign_in_again"] = row.pk
    session.save()
    assert "no longer works" in words(send(client, CODE, {"code": code}))
    assert ALICE in words(client.get("/account/"))
    assert not may_change(client)


def test_code_for_a_new_address_proves_nothing(client, aurora, alice):
    send(client, AGAIN, {})
    session = client.session
    row, code = create_code(
        brand=aurora, user=alice, browser=session["browser"], new_email="alice@new.example"
    )
    session["sign_in_again"] = row.pk
    session.save()
    assert "no longer works" in words(send(client, CODE, {"code": code}))
    assert not may_change(client)


def test_code_works_only_in_the_session_that_asked(client, browse):
    send(client, AGAIN, {})
    other = browse(AURORA)
    sign_in(other, ALICE)
    assert send(other, CODE, {"code": code_for(ALICE)})["Location"] == STEP
    assert SignInCode.objects.filter(pk=client.session["sign_in_again"], used_at=None).exists()


def test_session_that_was_ended_elsewhere_is_not_renewed(client, browse):
    send(client, AGAIN, {})
    code = code_for(ALICE)
    other = browse(AURORA)
    sign_in(other, ALICE)
    other.post("/account/")
    assert send(client, CODE, {"code": code})["Location"].startswith("/sign-in/")
    assert client.get("/account/").status_code == 302


def test_limits_are_those_of_a_sign_in(client):
    Attempt.objects.all().delete()
    assert [send(client, AGAIN, {}).status_code for _ in range(4)] == [302, 302, 302, 429]
    assert len(mail.outbox) == 3
    assert client.get("/account/").status_code == 200


def test_codes_are_limited(client):
    send(client, AGAIN, {})
    answers = [send(client, CODE, {"code": "00000000"}).status_code for _ in range(31)]
    assert (answers[0], answers[-1]) == (200, 429)


def test_stranger_cannot_use_up_the_known_browser_s_codes(client, browse):
    statuses = [
        send(browse(AURORA, REMOTE_ADDR=f"10.7.0.{nth}"), "/sign-in/", {"email": ALICE}).status_code
        for nth in range(11)
    ]
    assert statuses[-1] == 429
    assert send(client, AGAIN, {})["Location"] == CODE


def test_used_code_is_not_counted_among_unused_ones(client):
    Attempt.objects.all().delete()
    for _ in range(4):
        assert send(client, AGAIN, {})["Location"] == CODE
        assert send(client, CODE, {"code": code_for(ALICE)})["Location"] == STEP


def test_email_failure_is_told_and_changes_nothing(client, settings):
    settings.EMAIL_BACKEND = "portal.mail.smtp_backend.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    before = Attempt.objects.count(), SignInCode.objects.count()
    page = send(client, AGAIN, {})
    assert page.status_code == 503
    assert "We can't send email right now" in words(page)
    assert (Attempt.objects.count(), SignInCode.objects.count()) == before
    assert client.get("/account/").status_code == 200


def test_no_new_sign_in_is_recorded_or_emailed(client):
    send(client, AGAIN, {})
    send(client, CODE, {"code": code_for(ALICE)})
    assert SignIn.objects.count() == 1
    assert [each.subject for each in mail.outbox] == ["Your Aurora Phone sign-in code"]


def test_account_number_that_waited_is_taken_with_the_warning(client, alice):
    User.objects.update(account_number="", offered_account_number="70999")
    send(client, AGAIN, {})
    landed: Any = send(client, CODE, {"code": code_for(ALICE)})
    page = client.get(landed["Location"])
    assert words(page).count("they may know its password") == 1
    assert '<a href="/password-reset/">' in page.content.decode()
