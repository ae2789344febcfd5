"""A new e-mail address: a sign-in of now, a code to the new mailbox, word to the old one."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.core.mail.backends import locmem
from django.test import Client
from django.utils import timezone

from accounts.models import SignIn, SignInCode, User
from accounts.sign_in.codes import create_code
from portal.models import Attempt
from tests.conftest import ADMIN, AURORA
from tests.support.customer_flow import code_for, send, sign_in, value_of, words

pytestmark = [pytest.mark.django_db, pytest.mark.database]
ALICE, NEW, BOB = "alice@example.com", "alice@new.example", "bob@example.com"


@pytest.fixture
def client(aurora, alice, browse) -> Client:
    """Alice's browser, a moment after she signed in."""
    made: Client = browse(AURORA)
    sign_in(made, ALICE)
    mail.outbox.clear()
    return made


def ask(client: Client, email: str = NEW) -> Any:
    return send(client, "/account/email/", {"email": email})


def change(client: Client, email: str = NEW) -> Any:
    assert ask(client, email)["Location"] == "/account/email/code/"
    return send(client, "/account/email/code/", {"code": code_for(email)})


def later(client: Client, seconds: int) -> None:
    session = client.session
    session["signed_in_at"] -= seconds
    session.save()


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**8:08d}"


def sent_to() -> list[str]:
    return [each.to[0] for each in mail.outbox]


def test_the_code_from_the_new_mailbox_changes_the_address(client, alice):
    first = alice.verified_at
    assert change(client)["Location"] == "/account/"
    page = words(client.get("/account/"))
    assert "Your e-mail address is changed" in page
    assert NEW in page
    alice.refresh_from_db()
    assert alice.email == NEW
    assert alice.verified_at > first
    assert alice.account_number == "70001"


def test_the_old_address_is_told_without_the_new_one(client):
    change(client)
    assert sent_to() == [NEW, ALICE]
    told = mail.outbox[-1]
    assert told.subject == "Your e-mail address at Aurora Phone was changed"
    assert "contact us at once" in told.body
    assert "help@aurora.example, +61 2 5550 0100" in told.body
    assert NEW not in told.body


def test_other_sessions_and_waiting_codes_end_and_this_one_stays(client, alice, browse):
    other, waiting = browse(AURORA), browse(AURORA)
    sign_in(other, ALICE)
    send(waiting, "/sign-in/", {"email": ALICE})
    old_code, key = code_for(ALICE), client.cookies["__Host-session"].value
    change(client)
    assert other.get("/account/").status_code == 302
    assert "can no longer be used" in words(send(waiting, "/sign-in/code/", {"code": old_code}))
    assert client.get("/account/").status_code == 200
    assert client.cookies["__Host-session"].value != key
    assert SignIn.objects.filter(user=alice, ended_at=None).count() == 1


def test_from_then_on_the_new_address_signs_in_and_the_old_one_does_not(client, browse):
    change(client)
    assert sign_in(browse(AURORA), NEW)["Location"] == "/"
    send(browse(AURORA), "/sign-in/", {"email": ALICE})
    assert "there is no account with it" in mail.outbox[-1].body


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_older_sign_in_is_asked_to_sign_in_again_and_nothing_is_mailed(client, method):
    later(client, 301)
    page = ask(client) if method == "post" else client.get("/account/email/")
    assert page.status_code == (403 if method == "post" else 200)
    assert "more than five minutes ago" in words(page)
    assert 'action="/sign-in/again/"' in page.content.decode()
    assert mail.outbox == []


def test_signing_in_again_leads_back_with_the_address_filled_in(client):
    later(client, 301)
    assert send(client, "/sign-in/again/", {})["Location"] == "/sign-in/?why=again"
    assert "_auth_user_id" not in client.session
    page = client.get("/sign-in/?why=again")
    assert "sign in once more" in words(page)
    assert value_of(page, "email") == ALICE
    assert sign_in(client, ALICE)["Location"] == "/account/email/"
    assert value_of(client.get("/account/email/"), "email") is None


def test_five_minutes_are_enough(client):
    later(client, 290)
    assert ask(client).status_code == 302


def test_a_session_of_before_this_page_has_to_sign_in_again(aurora, alice, browse):
    assert "Sign in again" in words(browse(AURORA, alice).get("/account/email/"))


def test_an_address_of_another_customer_looks_the_same_and_changes_nothing(client, bob, alice):
    pages = {}
    for email in (NEW, BOB):
        answer = ask(client, email)
        page = words(client.get("/account/email/code/")).replace(email, "ADDRESS")
        failed = send(client, "/account/email/code/", {"code": wrong("12345678")})
        pages[email] = answer.status_code, answer["Location"], page, words(failed).replace(email, "ADDRESS")
    assert pages[NEW] == pages[BOB]
    told = mail.outbox[-1]
    assert told.to == [BOB]
    assert "There is an account with this address already, so nothing was changed" in told.body
    assert not re.search(r"\d{8}", told.body)
    assert {alice.email, bob.email} == set(User.objects.values_list("email", flat=True))


def test_the_address_of_an_inactive_customer_is_taken_too(client, bob):
    User.objects.filter(pk=bob.pk).update(is_active=False)
    ask(client, BOB.upper())
    assert "There is an account with this address already" in mail.outbox[-1].body


def test_an_address_that_is_taken_in_the_meantime_is_told_and_changes_nothing(client, aurora, make_customer):
    ask(client)
    make_customer(aurora, NEW.upper())
    code = code_for(NEW)
    assert send(client, "/account/email/code/", {"code": code})["Location"] == "/account/"
    page = words(client.get("/account/"))
    assert "Nothing was changed: another account has just taken this e-mail address" in page
    assert ALICE in page
    assert ALICE not in sent_to()


def test_other_capitals_are_a_change_and_the_same_address_is_none(client, alice):
    assert "This is your e-mail address already" in words(ask(client, ALICE))
    change(client, "Alice@example.com")
    alice.refresh_from_db()
    assert alice.email == "Alice@example.com"


def test_three_wrong_tries_end_the_code(client, alice):
    ask(client)
    code = code_for(NEW)
    answers = [words(send(client, "/account/email/code/", {"code": wrong(code)})) for _ in range(3)]
    assert ["2 more times" in answers[0], "1 more time." in answers[1], "no longer" in answers[2]] == [
        True
    ] * 3
    assert "no longer be used" in words(send(client, "/account/email/code/", {"code": code}))
    alice.refresh_from_db()
    assert alice.email == ALICE


def test_a_code_lives_ten_minutes_and_works_once(client, alice):
    ask(client)
    SignInCode.objects.update(expires_at=timezone.now() - timedelta(milliseconds=1))
    assert "no longer be used" in words(send(client, "/account/email/code/", {"code": code_for(NEW)}))
    change(client)
    page = client.get("/account/email/code/", follow=True)
    assert "No new e-mail address is waiting for a code" in words(page)


def test_a_sign_in_code_does_not_change_the_address(client, aurora, alice):
    ask(client)
    session = client.session
    row, code = create_code(brand=aurora, user=alice, browser=session["browser"])
    session["new_email"] = {"code": row.pk, "email": NEW}
    session.save()
    assert "no longer be used" in words(send(client, "/account/email/code/", {"code": code}))


def test_a_code_for_a_new_address_does_not_sign_in(aurora, alice, browse):
    stranger = browse(AURORA)
    send(stranger, "/sign-in/", {"email": ALICE})
    session = stranger.session
    row, code = create_code(brand=aurora, user=alice, browser=session["browser"], new_email=NEW)
    session["sign_in"] = {"code": row.pk, "email": ALICE}
    session.save()
    assert "no longer be used" in words(send(stranger, "/sign-in/code/", {"code": code}))


def test_another_customers_code_does_not_do(client, bob, browse):
    ask(client)
    other = browse(AURORA)
    sign_in(other, BOB)
    session = other.session
    session.update({"browser": client.session["browser"], "new_email": client.session["new_email"]})
    session.save()
    assert "no longer be used" in words(send(other, "/account/email/code/", {"code": code_for(NEW)}))


def test_a_target_gets_three_mails_and_a_customer_asks_five_times(client, bob, browse):
    assert [ask(client).status_code for _ in range(4)] == [302, 302, 302, 429]
    assert [ask(client, f"x{n}@new.example").status_code for n in range(3)] == [302, 302, 429]
    assert len(mail.outbox) == 5
    other = browse(AURORA)
    sign_in(other, BOB)
    assert ask(other).status_code == 429


def test_mail_that_cannot_go_out_is_told_and_leaves_nothing(client, simulator, settings, alice):
    settings.EMAIL_BACKEND = "portal.mail.smtp_backend.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    before = Attempt.objects.count()
    page = ask(client)
    assert page.status_code == 503
    assert "We cannot send mail at the moment" in words(page)
    assert (Attempt.objects.count(), SignInCode.objects.exclude(new_email="").count()) == (before, 0)


def test_asking_does_not_shorten_the_session(client):
    before = client.session.get_expiry_date()
    ask(client)
    assert client.session.get_expiry_date() == before


def test_the_log_names_the_customer_and_no_address(client, alice, caplog):
    caplog.set_level("INFO")
    change(client)
    (line,) = [each for each in caplog.records if each.getMessage() == "e-mail address changed"]
    assert (line.customer, line.by, line.brand) == (alice.pk, "customer", "aurora")
    assert not re.search(f"{NEW}|{ALICE}", str([vars(each) for each in caplog.records]))


def test_the_page_says_that_the_telephone_account_keeps_its_own_address(client):
    assert "Your telephone account keeps its own address" in words(client.get("/account/email/"))


# Changed by staff


class Broken(locmem.EmailBackend):
    """A mail server that takes nothing."""

    def send_messages(self, messages: Any) -> int:
        raise OSError


def save(browse: Any, operator: User, customer: User, **changes: str) -> Any:
    names = ("email", "first_name", "last_name", "company_name", "phone", "account_number")
    data = {name: getattr(customer, name) for name in names} | {"is_active": "on"} | changes
    address = f"/admin/accounts/user/{customer.pk}/change/"
    return browse(ADMIN, operator).post(address, data, secure=True, follow=True)


def test_staff_who_change_an_address_have_both_told(
    browse, operator, alice, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        save(browse, operator, alice, email=NEW)
    assert sent_to() == [ALICE, NEW]
    old, new = mail.outbox
    assert "Our team has changed the e-mail address" in old.body
    assert "Our team has set this e-mail address" in new.body
    assert "https://aurora.test/sign-in/" in new.body
    assert old.from_email == "Aurora Phone <no-reply@aurora.example>"


def test_nobody_is_mailed_when_staff_change_anything_else(
    browse, operator, alice, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        save(browse, operator, alice, account_number="70009", phone="+61 2 5550 0111")
    assert mail.outbox == []
    assert LogEntry.objects.count() == 1


def test_mail_that_cannot_go_out_does_not_lose_what_staff_changed(
    browse, operator, alice, settings, transactional_db
):
    settings.EMAIL_BACKEND = f"{__name__}.Broken"
    page = save(browse, operator, alice, email=NEW)
    alice.refresh_from_db()
    assert alice.email == NEW
    assert f"at the old address ({ALICE}) and the new one ({NEW})" in words(page)


def test_a_number_that_waits_for_the_former_address_is_not_taken_by_the_new_one(client, alice, browse):
    alice.account_number, alice.offered_account_number = "", "70888"
    alice.save(update_fields=["account_number", "offered_account_number"])
    change(client)
    sign_in(browse(AURORA), NEW)
    alice.refresh_from_db()
    numbers = (alice.account_number, alice.offered_account_number, alice.refused_account_number)
    assert numbers == ("", "", "70888")


def test_nor_where_staff_changed_the_address(browse, operator, alice, caplog):
    alice.account_number, alice.offered_account_number = "", "70888"
    alice.save(update_fields=["account_number", "offered_account_number"])
    page = save(browse, operator, alice, email=NEW)
    sign_in(browse(AURORA), NEW)
    alice.refresh_from_db()
    assert (alice.account_number, alice.refused_account_number) == ("", "70888")
    assert "account number not taken over" in caplog.text
    assert page.status_code == 200
