"""Sessions of customers: how long they last, ending one from another device, and the email on a new one."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone, translation

from accounts.models import SignIn, User
from accounts.sign_in import history
from portal.core.formats import zoned_time
from portal.mail.outbox import send_emails
from tests.conftest import ADMIN, AURORA, BOREALIS
from tests.support.customer_flow import code_for, send, twin, words

pytestmark = [pytest.mark.django_db, pytest.mark.database]
ALICE, BOB = "alice@example.com", "bob@example.com"
COOKIE = "__Host-session"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def travel(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Return a function that sets the clock this far ahead of now."""
    real = timezone.now

    def travel(ahead: timedelta) -> None:
        monkeypatch.setattr(timezone, "now", lambda: real() + ahead)

    return travel


@pytest.fixture
def signed_in(aurora: Any, alice: User, browse: Any) -> Callable[..., Client]:
    """Return a function that makes a browser in which Alice signs in."""

    def make(host: str = AURORA, email: str = ALICE, agent: str = FIREFOX, **choice: str) -> Client:
        client: Client = browse(host, HTTP_USER_AGENT=agent)
        return enter(client, email, **choice)

    return make


def enter(client: Client, email: str = ALICE, **choice: str) -> Client:
    assert send(client, "/sign-in/", {"email": email}).status_code == 302
    landed = send(client, "/sign-in/code/", {"code": code_for(email), **choice})
    assert landed.status_code == 302
    return client


def is_signed_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def change_session(client: Client) -> None:
    """Make a request that saves the session and sets its cookie again."""
    assert client.get("/sign-in/").cookies[COOKIE]  # "You're already signed in."


def sign_out_device(client: Client, row: SignIn | int | str) -> Any:
    device = row.pk if isinstance(row, SignIn) else row
    return client.post("/account/", {"device": str(device)}, follow=True)


# How long


def test_choice_is_offered_unchecked_with_its_hint(aurora, alice, browse):
    client = browse(AURORA)
    send(client, "/sign-in/", {"email": ALICE})
    page = client.get("/sign-in/code/")
    (box,) = re.findall(r'<input[^>]*name="keep"[^>]*>', page.content.decode())
    assert "checked" not in box
    assert 'aria-describedby="id_keep_helptext"' in box
    assert 'id="id_keep_helptext"' in page.content.decode()
    assert "Keep me signed in on this device For 30 days. Don't choose this on a shared device." in words(
        page
    )
    (box,) = re.findall(
        r'<input[^>]*name="keep"[^>]*>',
        send(client, "/sign-in/code/", {"code": "00000000", "keep": "on"}).content.decode(),
    )
    assert "checked" in box


def test_session_ends_with_the_browser_by_default(signed_in):
    client = signed_in()
    change_session(client)
    cookie = client.cookies[COOKIE]
    assert (cookie["max-age"], cookie["expires"]) == ("", "")


@pytest.mark.parametrize(
    ("choice", "lasts"), [({}, timedelta(hours=12)), ({"keep": "on"}, timedelta(days=30))]
)
def test_session_ends_on_the_server_whatever_is_used(signed_in, travel, choice, lasts):
    client = signed_in(**choice)
    for part in (0.3, 0.6, 0.9):
        travel(lasts * part)
        change_session(client)
        assert is_signed_in(client)
    travel(lasts - MINUTE)
    assert is_signed_in(client)
    travel(lasts + MINUTE)
    assert not SignIn.objects.get().live
    answer = client.get("/account/")
    assert answer["Location"] == "/sign-in/?next=/account/"
    assert "If you were signed in before, your session has ended" in words(client.get(answer["Location"]))


def test_kept_session_has_a_cookie_for_30_days_from_the_sign_in(signed_in, travel):
    client = signed_in(keep="on")
    assert abs(int(client.cookies[COOKIE]["max-age"]) - 30 * 86400) < 60
    travel(20 * DAY)
    change_session(client)
    assert abs(int(client.cookies[COOKIE]["max-age"]) - 10 * 86400) < 60
    assert re.search(r"Stays signed in until \d+ \w+\.? 202\d", words(client.get("/account/")))


def test_renewed_session_keeps_its_end(signed_in, travel):
    client = signed_in()
    travel(11 * HOUR)
    client.post("/account/")
    assert client.cookies[COOKIE]["max-age"] == ""
    assert is_signed_in(client)
    travel(12 * HOUR + MINUTE)
    assert not is_signed_in(client)


def test_end_costs_no_query(signed_in, django_assert_num_queries):
    client = signed_in()
    client.get("/account/")
    with django_assert_num_queries(4):  # Brand, session, customer, sign-ins.
        client.get("/account/")


def test_session_from_before_ends_two_weeks_after_its_sign_in(signed_in, travel):
    client = signed_in()
    row = SignIn.objects.get()
    SignIn.objects.update(expires_at=None, session_key="", device_id="")
    session = client.session
    del session["ends_with_browser"]
    session.set_expiry(row.at + 14 * DAY)
    session.save()
    page = client.get("/account/")
    assert "when you close" not in words(page)
    assert re.search(r"Stays signed in until \d", words(page))
    travel(14 * DAY - MINUTE)
    change_session(client)
    assert int(client.cookies[COOKIE]["max-age"]) < 120
    assert is_signed_in(client)
    travel(14 * DAY + MINUTE)
    assert not is_signed_in(client)


def test_version_before_can_still_record_sign_ins(signed_in, alice):
    """It does not know the new columns."""
    client = signed_in()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_signin (user_id, at, browser, system) VALUES (%s, %s, 'Edge', 'Mac')",
            [alice.pk, timezone.now()],
        )
    row = SignIn.objects.get(browser="Edge")
    assert (row.session_key, row.device_id, row.ends_at - row.at) == ("", "", 14 * DAY)
    assert "Edge on Mac" in words(client.get("/account/")).partition("Earlier sign-ins")[0]


# Ending one


def test_one_device_is_signed_out_at_once_and_no_other(signed_in, bob):
    other, third, current = signed_in(keep="on"), signed_in(), signed_in()
    bobs = signed_in(email=BOB)
    row = SignIn.objects.filter(user__email=ALICE).order_by("pk")[0]
    page = sign_out_device(current, row)
    assert "Firefox on Windows is now signed out." in words(page)
    assert [is_signed_in(each) for each in (other, third, current, bobs)] == [False, True, True, True]
    row.refresh_from_db()
    assert (row.live, row.session_key) == (False, "")
    assert f'value="{row.pk}"' not in page.content.decode()


def test_signing_out_this_device_signs_out(signed_in):
    other, current = signed_in(), signed_in()
    key = current.session.session_key
    page = sign_out_device(current, current.session["sign_in_row"])
    assert "You've signed out." in words(page)
    assert not is_signed_in(current)
    assert not Session.objects.filter(session_key=key).exists()
    assert is_signed_in(other)


@pytest.mark.parametrize("whose", ["another customer's", "another brand's", "nobody's", "no number", "ended"])
def test_other_sign_ins_cannot_be_ended_and_look_as_if_there_were_none(
    signed_in, bob, borealis, charlie, whose
):
    bobs, charlies = signed_in(email=BOB), signed_in(BOREALIS, charlie.email)
    gone, current = signed_in(), signed_in()
    gone.post("/sign-out/")
    rows = {
        "another customer's": bobs.session["sign_in_row"],
        "another brand's": charlies.session["sign_in_row"],
        "nobody's": 10**30,
        "no number": "x",
        "ended": SignIn.objects.get(ended_at__isnull=False).pk,
    }
    page = sign_out_device(current, rows[whose])
    assert "We couldn't find that device. It may already be signed out." in words(page)
    assert all(map(is_signed_in, (bobs, current)))
    assert is_signed_in(charlies)
    assert SignIn.objects.filter(ended_at=None).count() == 3


def test_sign_in_from_before_has_no_button_and_ends_with_all_others(signed_in):
    old, current = signed_in(), signed_in()
    row = SignIn.objects.get(pk=old.session["sign_in_row"])
    SignIn.objects.filter(pk=row.pk).update(session_key="", expires_at=None)
    assert f'value="{row.pk}"' not in current.get("/account/").content.decode()
    sign_out_device(current, row)
    assert is_signed_in(old)
    current.post("/account/")
    assert not is_signed_in(old)


@pytest.mark.parametrize("key", ["stale", ""])
def test_device_whose_session_is_not_found_is_signed_out_with_all_others(signed_in, key):
    """A failure between a new key and its record, or a node of the version before, leaves a stale one."""
    other, current = signed_in(keep="on"), signed_in()
    row = SignIn.objects.get(pk=other.session["sign_in_row"])
    SignIn.objects.filter(pk=row.pk).update(session_key=key and "x" * 32)
    page = sign_out_device(current, row)
    assert is_signed_in(other) is not key
    assert is_signed_in(current)
    assert ("You've signed out everywhere else." in words(page)) is bool(key)


def test_device_is_found_after_its_session_has_a_new_key(signed_in):
    other, current = signed_in(), signed_in()
    row = SignIn.objects.get(pk=other.session["sign_in_row"])
    send(other, "/sign-in/again/", {})
    send(other, "/sign-in/again/code/", {"code": code_for(ALICE)})
    assert SignIn.objects.get(pk=row.pk).session_key == other.session.session_key != row.session_key
    sign_out_device(current, row)
    assert not is_signed_in(other)


def test_session_ended_while_it_gets_a_new_key_stays_ended(signed_in, monkeypatch):
    """The other device marks the sign-in as ended just before this one records its new key."""
    client = signed_in()
    move = history.move_sign_in

    def late(*, user: User, sign_in: int, session_key: str) -> bool:
        history.end_device(user=user, sign_in=sign_in)
        return move(user=user, sign_in=sign_in, session_key=session_key)

    monkeypatch.setattr(history, "move_sign_in", late)
    client.post("/account/")
    monkeypatch.undo()
    assert not is_signed_in(client)


def test_signing_in_again_in_a_browser_ends_its_earlier_session(signed_in):
    client = signed_in()
    copy = twin(client)
    del client.cookies[COOKIE]  # The browser was closed.
    enter(client)
    assert not is_signed_in(copy)
    page = words(client.get("/account/"))
    assert page.count("Signs out when you close the browser") == 1
    assert "Firefox on Windows" in page.partition("Earlier sign-ins")[2]


def test_live_sign_ins_are_pruned_last_and_end_with_their_row(signed_in, alice):
    kept = signed_in(keep="on")
    later = timezone.now() + MINUTE
    SignIn.objects.bulk_create(SignIn(user=alice, at=later, expires_at=later - HOUR) for _ in range(60))
    signed_in()
    assert SignIn.objects.count() == 50
    assert is_signed_in(kept)
    SignIn.objects.bulk_create(SignIn(user=alice, at=later, expires_at=later + HOUR) for _ in range(60))
    signed_in()
    assert SignIn.objects.count() == 50
    assert not is_signed_in(kept)


def test_session_keys_are_on_no_page_and_in_no_log(signed_in, browse, operator, alice, caplog):
    caplog.set_level("DEBUG")
    other, current = signed_in(), signed_in()
    keys = set(SignIn.objects.values_list("session_key", flat=True))
    assert keys == {other.session.session_key, current.session.session_key}
    pages = [current.get("/account/"), browse(ADMIN, operator).get(f"/admin/billing/customer/{alice.pk}/")]
    sign_out_device(current, other.session["sign_in_row"])
    text = "".join(page.content.decode() for page in pages) + caplog.text
    assert not [key for key in keys if key in text]


# The email


def notices() -> list[Any]:
    """Let the worker send what waits; return the notices."""
    send_emails()
    return [each for each in mail.outbox if each.subject == "New sign-in to your Aurora Phone account"]


def forget_mails() -> None:
    send_emails()
    mail.outbox.clear()


def test_sign_in_on_a_new_device_is_emailed(signed_in, alice):
    User.objects.update(language="en-au")
    signed_in()
    (notice,) = notices()
    assert notice.to == [ALICE]
    for text in (notice.body, notice.alternatives[0].content):
        assert "Firefox on Windows" in text
        assert re.search(r"\d+\xa0\w+\xa020\d\d, \d+:\d\d\xa0[ap]m\xa0AE[DS]T", text)
        assert "sign out that device" in text
        assert "secure your email account" in text
        assert "https://aurora.test/account/" in text
        assert not re.search(r"\b\d{8}\b", text)
    assert set(re.findall(r"https?://[^/]+(/[^\s\"]*)", notice.body)) == {"/", "/account/"}


def test_time_in_the_email_is_that_of_the_brand_s_zone(signed_in):
    signed_in()
    (row,) = SignIn.objects.all()
    with translation.override("en-au"):
        assert zoned_time(row.at, row.user.brand) in notices()[0].body


def test_device_that_was_signed_out_from_another_is_new_once(signed_in):
    other, current = signed_in(), signed_in()
    sign_out_device(current, other.session["sign_in_row"])
    forget_mails()
    enter(other)
    assert len(notices()) == 1
    other.post("/sign-out/")
    forget_mails()
    enter(other)
    assert notices() == []


def test_known_device_and_first_sign_in_are_not_emailed(aurora, alice, make_customer, browse):
    client = browse(AURORA)
    enter(client)
    client.post("/sign-out/")
    forget_mails()
    enter(client)
    make_customer(aurora, "new@example.com", verified_at=None)
    enter(browse(AURORA), "new@example.com")
    assert notices() == []


def test_device_of_another_address_is_new(signed_in, bob):
    client = signed_in()
    client.post("/sign-out/")
    forget_mails()
    enter(client, BOB)
    assert [each.to for each in notices()] == [[BOB]]


def test_email_is_in_the_language_of_the_sign_in_before(signed_in, alice):
    User.objects.update(language="es")
    client = signed_in()
    send_emails()
    assert "Aurora Phone" in mail.outbox[-1].subject
    assert 'lang="es"' in mail.outbox[-1].alternatives[0].content
    assert is_signed_in(client)


def test_mail_server_that_is_down_changes_nothing(aurora, alice, browse, settings, caplog):
    client = browse(AURORA)
    send(client, "/sign-in/", {"email": ALICE})
    settings.EMAIL_BACKEND = "portal.mail.smtp_backend.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    answer = send(client, "/sign-in/code/", {"code": code_for(ALICE)})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert send_emails() == 0
    assert "mail not sent" in caplog.text
    assert is_signed_in(client)
