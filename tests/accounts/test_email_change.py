"""Changing the email: needs a recent sign-in and a code from the new mailbox, and informs the old one."""

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
from portal.mail.outbox import send_emails
from portal.models import Attempt
from tests.conftest import ADMIN, AURORA
from tests.support.customer_flow import code_for, send, sign_in, words

pytestmark = [pytest.mark.django_db, pytest.mark.database]
ALICE, NEW, BOB = "alice@example.com", "alice@new.example", "bob@example.com"


@pytest.fixture
def client(aurora, alice, browse) -> Client:
    """Alice's browser, just after she signed in."""
    browser: Client = browse(AURORA)
    sign_in(browser, ALICE)
    mail.outbox.clear()
    return browser


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


def test_code_from_the_new_mailbox_changes_the_email(client, alice):
    first = alice.verified_at
    assert change(client)["Location"] == "/account/"
    page = words(client.get("/account/"))
    assert "Your email address has been changed" in page
    assert NEW in page
    alice.refresh_from_db()
    assert alice.email == NEW
    assert alice.verified_at > first
    assert alice.account_number == "70001"


def test_old_email_is_notified_without_naming_the_new_one(client):
    change(client)
    send_emails()
    notice = mail.outbox[-1]
    assert notice.to == [ALICE]
    assert notice.subject == "Your Aurora Phone email address was changed"
    assert "Contact us straight away" in notice.body
    assert "help@aurora.example, +61 2 5550 0100" in notice.body
    assert NEW not in notice.body


def test_address_is_not_changed_if_the_old_one_cannot_be_told(client, alice, monkeypatch):
    def fail(**_):
        raise RuntimeError("of the database")

    monkeypatch.setattr("portal.mail.outbox.add", fail)
    with pytest.raises(RuntimeError):
        change(client)
    alice.refresh_from_db()
    assert alice.email == ALICE


def test_email_change_ends_other_sessions_and_pending_codes(client, alice, browse):
    other, waiting = browse(AURORA), browse(AURORA)
    sign_in(other, ALICE)
    send(waiting, "/sign-in/", {"email": ALICE})
    old_code, key = code_for(ALICE), client.cookies["__Host-session"].value
    change(client)
    assert other.get("/account/").status_code == 302
    assert "no longer works" in words(send(waiting, "/sign-in/code/", {"code": old_code}))
    assert client.get("/account/").status_code == 200
    assert client.cookies["__Host-session"].value != key
    assert SignIn.objects.filter(user=alice, ended_at=None).count() == 1


def test_only_the_new_email_signs_in_afterwards(client, browse):
    change(client)
    assert sign_in(browse(AURORA), NEW)["Location"] == "/"
    send(browse(AURORA), "/sign-in/", {"email": ALICE})
    assert "There's no account with this email address" in mail.outbox[-1].body


@pytest.mark.parametrize("method", ["get", "post"])
def test_older_sign_in_must_sign_in_again_before_any_email_is_sent(client, method):
    later(client, 301)
    page = ask(client) if method == "post" else client.get("/account/email/")
    assert page.status_code == (403 if method == "post" else 200)
    assert "we check first that it's you" in words(page)
    assert 'action="/sign-in/again/"' in page.content.decode()
    assert mail.outbox == []


def test_sign_in_within_five_minutes_is_recent_enough(client):
    later(client, 290)
    assert ask(client).status_code == 302


def test_session_without_sign_in_time_has_to_sign_in_again(aurora, alice, browse):
    assert "we check first that it's you" in words(browse(AURORA, alice).get("/account/email/"))


def test_email_of_another_customer_looks_the_same_and_changes_nothing(client, bob, alice):
    pages = {}
    for email in (NEW, BOB):
        answer = ask(client, email)
        page = words(client.get("/account/email/code/")).replace(email, "ADDRESS")
        failed = send(client, "/account/email/code/", {"code": wrong("12345678")})
        pages[email] = answer.status_code, answer["Location"], page, words(failed).replace(email, "ADDRESS")
    assert pages[NEW] == pages[BOB]
    notice = mail.outbox[-1]
    assert notice.to == [BOB]
    assert "already has an account with Aurora Phone, so nothing has changed" in notice.body
    assert not re.search(r"^ {4}|\d{8}", notice.body, re.MULTILINE)
    assert {alice.email, bob.email} == set(User.objects.values_list("email", flat=True))


def test_email_of_an_inactive_customer_is_taken_too(client, bob):
    User.objects.filter(pk=bob.pk).update(is_active=False)
    ask(client, BOB.upper())
    assert "already has an account with Aurora Phone" in mail.outbox[-1].body


def test_email_taken_before_confirmation_is_reported(client, aurora, make_customer):
    ask(client)
    make_customer(aurora, NEW.upper())
    code = code_for(NEW)
    assert send(client, "/account/email/code/", {"code": code})["Location"] == "/account/"
    page = words(client.get("/account/"))
    assert "We couldn't change your email address, because another account uses it now" in page
    assert ALICE in page
    assert ALICE not in sent_to()


def test_changed_case_is_a_change_and_the_same_email_is_not(client, alice):
    assert "That's already your email address" in words(ask(client, ALICE))
    change(client, "Alice@example.com")
    alice.refresh_from_db()
    assert alice.email == "Alice@example.com"


def test_three_wrong_attempts_invalidate_the_code(client, alice):
    ask(client)
    code = code_for(NEW)
    answers = [words(send(client, "/account/email/code/", {"code": wrong(code)})) for _ in range(3)]
    for answer, text in zip(
        answers, ("have 2 tries left", "have 1 try left.", "no longer works"), strict=True
    ):
        assert text in answer
    assert "no longer works" in words(send(client, "/account/email/code/", {"code": code}))
    alice.refresh_from_db()
    assert alice.email == ALICE


def test_code_is_valid_for_ten_minutes_and_once(client, alice):
    ask(client)
    SignInCode.objects.update(expires_at=timezone.now() - timedelta(milliseconds=1))
    assert "no longer works" in words(send(client, "/account/email/code/", {"code": code_for(NEW)}))
    change(client)
    page = client.get("/account/email/code/", follow=True)
    assert "Enter your new email address first" in words(page)


def test_sign_in_code_does_not_change_the_email(client, aurora, alice):
    ask(client)
    session = client.session
    row, code = create_code(brand=aurora, user=alice, browser=session["browser"])
    session["new_email"] = {"code": row.pk, "email": NEW}
    session.save()
    assert "no longer works" in words(send(client, "/account/email/code/", {"code": code}))


def test_email_change_code_does_not_sign_in(aurora, alice, browse):
    other = browse(AURORA)
    send(other, "/sign-in/", {"email": ALICE})
    session = other.session
    row, code = create_code(brand=aurora, user=alice, browser=session["browser"], new_email=NEW)
    session["sign_in"] = {"code": row.pk, "email": ALICE}
    session.save()
    assert "no longer works" in words(send(other, "/sign-in/code/", {"code": code}))


def test_code_of_another_customer_is_refused(client, bob, browse):
    ask(client)
    other = browse(AURORA)
    sign_in(other, BOB)
    session = other.session
    session.update({"browser": client.session["browser"], "new_email": client.session["new_email"]})
    session.save()
    assert "no longer works" in words(send(other, "/account/email/code/", {"code": code_for(NEW)}))


def test_email_change_is_limited_per_target_and_per_customer(client, bob, browse):
    assert [ask(client).status_code for _ in range(4)] == [302, 302, 302, 429]
    assert [ask(client, f"x{n}@new.example").status_code for n in range(3)] == [302, 302, 429]
    assert len(mail.outbox) == 5
    other = browse(AURORA)
    sign_in(other, BOB)
    assert ask(other).status_code == 429


def test_email_failure_is_reported_and_nothing_is_stored(client, simulator, settings, alice):
    settings.EMAIL_BACKEND = "portal.mail.smtp_backend.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    before = Attempt.objects.count()
    page = ask(client)
    assert page.status_code == 503
    assert "We can't send email right now" in words(page)
    assert (Attempt.objects.count(), SignInCode.objects.exclude(new_email="").count()) == (before, 0)


def test_requesting_a_change_does_not_shorten_the_session(client):
    before = client.session.get_expiry_date()
    ask(client)
    assert client.session.get_expiry_date() == before


def test_log_names_the_customer_but_no_email(client, alice, caplog):
    caplog.set_level("INFO")
    change(client)
    (line,) = [each for each in caplog.records if each.getMessage() == "e-mail address changed"]
    assert (line.customer, line.by, line.brand) == (alice.pk, "customer", "aurora")
    assert not re.search(f"{NEW}|{ALICE}", str([vars(each) for each in caplog.records]))


def test_page_says_that_the_telephone_account_keeps_its_own_email(client):
    assert "but not the email address on your phone account" in words(client.get("/account/email/"))


# Changed by staff


class FailingBackend(locmem.EmailBackend):
    """An email backend that always fails."""

    def send_messages(self, messages: Any) -> int:
        raise OSError


def save(browse: Any, operator: User, customer: User, **changes: str) -> Any:
    names = ("email", "first_name", "last_name", "company_name", "phone", "account_number")
    data = {name: getattr(customer, name) for name in names} | {"is_active": "on"} | changes
    address = f"/admin/accounts/user/{customer.pk}/change/"
    return browse(ADMIN, operator).post(address, data, secure=True, follow=True)


def test_both_emails_are_notified_when_staff_change_an_email(
    browse, operator, alice, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        save(browse, operator, alice, email=NEW)
    assert sent_to() == [ALICE, NEW]
    old, new = mail.outbox
    assert "We changed the email address" in old.body
    assert "This is now the email address" in new.body
    assert "https://aurora.test/sign-in/" in new.body
    assert old.from_email == "Aurora Phone <no-reply@aurora.example>"


def test_no_email_is_sent_when_staff_change_other_fields(
    browse, operator, alice, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        save(browse, operator, alice, account_number="70009", phone="+61 2 5550 0111")
    assert mail.outbox == []
    assert LogEntry.objects.count() == 1


def test_email_failure_does_not_undo_a_change_by_staff(browse, operator, alice, settings, transactional_db):
    settings.EMAIL_BACKEND = f"{__name__}.FailingBackend"
    page = save(browse, operator, alice, email=NEW)
    alice.refresh_from_db()
    assert alice.email == NEW
    assert f"at the old address ({ALICE}) and the new one ({NEW})" in words(page)


def test_pending_account_number_is_not_applied_after_email_change(client, alice, browse):
    alice.account_number, alice.offered_account_number = "", "70888"
    alice.save(update_fields=["account_number", "offered_account_number"])
    change(client)
    sign_in(browse(AURORA), NEW)
    alice.refresh_from_db()
    numbers = (alice.account_number, alice.offered_account_number, alice.refused_account_number)
    assert numbers == ("", "", "70888")


def test_pending_account_number_is_not_applied_after_change_by_staff(browse, operator, alice, caplog):
    alice.account_number, alice.offered_account_number = "", "70888"
    alice.save(update_fields=["account_number", "offered_account_number"])
    page = save(browse, operator, alice, email=NEW)
    sign_in(browse(AURORA), NEW)
    alice.refresh_from_db()
    assert (alice.account_number, alice.refused_account_number) == ("", "70888")
    assert "account number not taken over" in caplog.text
    assert page.status_code == 200


def test_email_with_the_code_names_the_device_in_the_customers_language(aurora, alice, browse):
    alice.language = "es"
    alice.save()
    client = browse(AURORA, alice)
    session = client.session
    session["signed_in_at"] = timezone.now().timestamp()
    session.save()
    header = "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0"
    client.post("/account/email/", {"email": NEW}, headers={"User-Agent": header})
    (message,) = mail.outbox
    assert "Firefox en Windows" in message.body
