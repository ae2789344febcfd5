"""Device cookies: a browser that has signed in before has rate limits of its own, against lock-outs."""

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail, signing
from django.db.models import F
from django.test import Client

from accounts.models import User
from accounts.sign_in.device_cookies import add_device
from portal.models import Attempt
from portal.resilience import rate_limits
from tests.accounts.test_staff_sign_in import PASSWORD, type_code, type_password, wrong_code
from tests.accounts.test_staff_sign_in import sign_in as staff_sign_in
from tests.conftest import ADMIN, AURORA, BOREALIS, app_code, app_of
from tests.support.customer_flow import code_for, send, sign_in

pytestmark = pytest.mark.django_db
ALICE, BOB, NEW = "alice@example.com", "bob@example.com", "alice@new.example"
COOKIE = "__Host-device"


def ask(client: Client, email: str = ALICE, **headers: str) -> int:
    """Request a code and return the status."""
    return send(client, "/sign-in/", {"email": email}, **headers).status_code


def flood(browse: Any, email: str = ALICE, host: str = AURORA) -> None:
    """Use up an email's codes from as many networks as needed."""
    answers = [ask(browse(host, REMOTE_ADDR=f"10.7.0.{nth}"), email) for nth in range(11)]
    assert answers[-1] == 429


def flood_from_same_network(browse: Any) -> None:
    """Use up the limits of one network."""
    other = browse(AURORA)
    ask(other, BOB)
    codes = [send(other, "/sign-in/code/", {"code": "00000000"}).status_code for _ in range(31)]
    forms = [ask(browse(AURORA), f"x{nth}@example.com") for nth in range(61)]
    assert (codes[-1], forms[-1]) == (429, 429)


def signed_out_browser(browse: Any, email: str = ALICE, host: str = AURORA) -> Client:
    """A browser that has signed in and out."""
    client: Client = browse(host)
    assert sign_in(client, email).status_code == 302
    client.post("/sign-out/")
    return client


def with_cookie(browse: Any, value: str, host: str = AURORA) -> Client:
    """Another browser with this cookie."""
    client: Client = browse(host)
    client.cookies[COOKIE] = value
    return client


def test_known_browser_cannot_be_locked_out_by_other_networks(aurora, alice, browse):
    known = signed_out_browser(browse)
    Attempt.objects.all().delete()
    flood(browse)
    assert ask(browse(AURORA)) == 429
    assert sign_in(known, ALICE)["Location"] == "/"


def test_known_browser_cannot_be_locked_out_by_its_own_network(aurora, alice, browse):
    known = signed_out_browser(browse)
    flood_from_same_network(browse)
    assert sign_in(known, ALICE)["Location"] == "/"


def test_known_browser_has_the_same_limits_counted_separately(aurora, alice, browse):
    known = signed_out_browser(browse)
    Attempt.objects.all().delete()
    assert [ask(known) for _ in range(4)] == [302, 302, 302, 429]
    assert [ask(browse(AURORA)) for _ in range(4)] == [302, 302, 302, 429]


def test_signing_in_again_does_not_reset_the_limits(aurora, alice, browse):
    known = signed_out_browser(browse)
    Attempt.objects.all().delete()
    mail.outbox.clear()
    for _ in range(11):  # Every five minutes.
        for _ in range(3):
            if ask(known) == 302:
                send(known, "/sign-in/code/", {"code": code_for(ALICE)})
                known.post(
                    "/account/"
                )  # Signing out everywhere else changes the password fingerprint in the cookie.
                known.post("/sign-out/")
        Attempt.objects.update(at=F("at") - timedelta(minutes=5))
    assert len(mail.outbox) == 10
    assert ask(known) == 429
    Attempt.objects.update(at=F("at") - timedelta(minutes=60))
    assert ask(known) == 302


def known_browsers(browse: Any, user: User, number: int) -> list[Client]:
    """Return so many browsers in which the user has signed in."""
    return [with_cookie(browse, add_device(user=user, cookie="")[0]) for _ in range(number)]


def test_known_browsers_of_a_customer_share_a_limit(aurora, alice, browse):
    found = known_browsers(browse, alice, 9)
    assert sum(ask(client) == 302 for client in found for _ in range(4)) == 20  # An hour.
    for _ in range(3):
        Attempt.objects.update(at=F("at") - timedelta(minutes=61))
        sent = sum(ask(client) == 302 for client in found for _ in range(4))
    assert sent == 0  # A day: after sixty.
    assert len(mail.outbox) == 60
    assert ask(browse(AURORA)) == 302  # Unknown browsers have a limit of their own.


def test_stolen_known_browser_does_not_lock_out_another_one(aurora, alice, browse):
    known, stolen = known_browsers(browse, alice, 2)
    for _ in range(4):
        Attempt.objects.update(at=F("at") - timedelta(minutes=14))
        used_up = [ask(stolen) for _ in range(4)]
    assert used_up[-1] == 429
    assert sign_in(known, ALICE)["Location"] == "/"


def test_browser_is_known_only_for_the_email_it_signed_in_with(aurora, alice, bob, browse):
    known = signed_out_browser(browse)
    flood(browse, BOB)
    assert ask(known, BOB) == 429


def test_device_cookie_is_set_only_after_a_code_was_redeemed(aurora, alice, browse):
    client = browse(AURORA)
    ask(client)
    ask(client, "nobody@example.com")
    send(client, "/sign-in/code/", {"code": "00000000"})
    assert COOKIE not in client.cookies
    ask(client)
    answer = send(client, "/sign-in/code/", {"code": code_for(ALICE)})
    cookie = answer.cookies[COOKIE]
    assert (cookie["secure"], cookie["httponly"], cookie["samesite"]) == (True, True, "Lax")
    assert (cookie["path"], cookie["domain"], cookie["max-age"]) == ("/", "", 365 * 24 * 3600)
    assert "alice" not in str(signing.loads(cookie.value, salt="accounts.devices"))
    assert answer["Cache-Control"] == "no-store"


def test_device_cookie_does_not_sign_in(aurora, alice, browse):
    stolen = with_cookie(browse, signed_out_browser(browse).cookies[COOKIE].value)
    assert stolen.get("/account/")["Location"].startswith("/sign-in/")


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value[:-1] + ("A" if value[-1] != "A" else "B"),
        lambda value: "A" + value,
        lambda value: value.rpartition(":")[0],
        lambda value: signing.dumps(signing.loads(value, salt="accounts.devices"), salt="another"),
        lambda value: signing.dumps(
            signing.loads(value, salt="accounts.devices"), key="a stranger's", salt="accounts.devices"
        ),
        lambda value: "",
    ],
    ids=["altered", "longer", "unsigned", "other salt", "other key", "empty"],
)
def test_forged_device_cookie_is_ignored(aurora, alice, browse, change):
    value = signed_out_browser(browse).cookies[COOKIE].value
    flood(browse)
    assert ask(with_cookie(browse, change(value))) == 429
    assert ask(with_cookie(browse, value)) == 302


def test_device_cookie_of_another_brand_is_ignored(aurora, borealis, alice, browse, make_customer):
    make_customer(borealis, ALICE)
    value = signed_out_browser(browse).cookies[COOKIE].value
    flood(browse, host=BOREALIS)
    assert ask(with_cookie(browse, value, BOREALIS)) == 429


def test_signing_out_everywhere_invalidates_other_device_cookies(aurora, alice, browse):
    other, current = signed_out_browser(browse), browse(AURORA)
    sign_in(current, ALICE)
    current.post("/account/")
    current.post("/sign-out/")
    Attempt.objects.all().delete()
    flood(browse)
    assert ask(other) == 429
    assert ask(current) == 302


def test_email_change_replaces_the_email_in_the_device_cookie(aurora, alice, browse):
    client = browse(AURORA)
    sign_in(client, ALICE)
    send(client, "/account/email/", {"email": NEW})
    assert send(client, "/account/email/code/", {"code": code_for(NEW)})["Location"] == "/account/"
    client.post("/sign-out/")
    Attempt.objects.all().delete()
    for email, status in ((NEW, 302), (ALICE, 429)):
        flood(browse, email)
        assert ask(client, email) == status


def test_device_cookie_remembers_the_last_five_emails(aurora, browse, make_customer):
    client = browse(AURORA)
    emails = [f"person{nth}@example.com" for nth in range(6)]
    for email in emails:
        make_customer(aurora, email)
        sign_in(client, email)
        client.post("/sign-out/")
    Attempt.objects.all().delete()
    for email, status in ((emails[0], 429), (emails[1], 302), (emails[5], 302)):
        flood(browse, email)
        assert ask(client, email) == status


def test_known_browser_cannot_tell_known_from_unknown_emails(aurora, alice, bob, browse):
    known = signed_out_browser(browse)
    answers = []
    for email in (BOB, "nobody@example.com"):
        answer = send(known, "/sign-in/", {"email": email})
        answers.append((answer.status_code, answer["Location"], list(answer.cookies)))
    assert answers[0] == answers[1]
    assert COOKIE not in answers[0][2]


def test_password_resets_are_counted_per_known_browser_too(aurora, alice, simulator, browse):
    def reset(client: Client) -> int:
        form = {"email": ALICE, "g-recaptcha-response": simulator.token()}
        return send(client, "/password-reset/", form).status_code

    known = signed_out_browser(browse)
    others = [reset(browse(AURORA, REMOTE_ADDR=f"10.8.0.{nth}")) for nth in range(11)]
    assert others[-1] == 429
    assert reset(known) == 302


def test_password_guesses_do_not_lock_staff_out_of_a_known_browser(aurora, operator, browse, monkeypatch):
    limits = (rate_limits.Limit(5, 900, per_network=True), rate_limits.Limit(6, 3600))
    monkeypatch.setitem(rate_limits.DB_LIMITS, "staff_password", limits)
    app_of(operator)
    known = browse(ADMIN)
    assert staff_sign_in(known, operator.email)["Location"] == "/admin/"
    guesses = [
        type_password(browse(ADMIN, REMOTE_ADDR=f"10.9.0.{nth}"), operator.email, "wrong") for nth in range(7)
    ]
    assert guesses[-1].status_code == 429
    proof = {"password": PASSWORD, "code": app_code(1)}
    assert known.post("/admin/reauthenticate/", proof).status_code == 302
    known.post("/admin/logout/")
    assert type_password(browse(ADMIN), operator.email).status_code == 429
    assert staff_sign_in(known, operator.email)["Location"] == "/admin/"


def signed_out_staff_browser(browse: Any, email: str) -> Client:
    """A browser that has signed in to the admin and out again."""
    client: Client = browse(ADMIN)
    assert staff_sign_in(client, email)["Location"] == "/admin/"
    client.post("/admin/logout/")
    return client


def test_attempts_in_the_same_network_do_not_lock_staff_out(operator, browse):
    app_of(operator)
    known = signed_out_staff_browser(browse, operator.email)
    guesses = [type_password(browse(ADMIN), f"x{nth}@example.com", "wrong").status_code for nth in range(21)]
    assert guesses[-1] == 429
    assert type_password(browse(ADMIN), operator.email).status_code == 429
    assert staff_sign_in(known, f" {operator.email.upper()}")["Location"] == "/admin/"
    assert (
        known.post("/admin/reauthenticate/", {"password": PASSWORD, "code": app_code(1)}).status_code == 302
    )


def test_wrong_codes_in_the_same_network_do_not_lock_staff_out(aurora, operator, browse):
    app_of(operator)
    known = signed_out_staff_browser(browse, operator.email)
    for nth in range(2):
        other = User.objects.create_user(f"x{nth}", f"x{nth}@example.com", PASSWORD, is_staff=True)
        other.brands.add(aurora)
        app_of(other)
        client = browse(ADMIN)
        type_password(client, other.email)
        assert [type_code(client, wrong_code()).status_code for _ in range(5)] == [200] * 5
    rate_limits.forget()  # Of the two limits per network, the one for codes remains.
    attacker = browse(ADMIN)
    type_password(attacker, operator.email)
    assert type_code(attacker, app_code()).status_code == 429
    assert staff_sign_in(known, operator.email)["Location"] == "/admin/"


def test_attacker_with_password_cannot_lock_staff_out_of_second_step(operator, browse):
    app_of(operator)
    known = signed_out_staff_browser(browse, operator.email)
    attacker = browse(ADMIN, REMOTE_ADDR="10.9.9.9")
    type_password(attacker, operator.email)
    for _ in range(6):  # Thirty a day.
        tried = [type_code(attacker, wrong_code()).status_code for _ in range(5)]
        Attempt.objects.update(at=F("at") - timedelta(minutes=16))
        rate_limits.forget()
    assert tried == [200] * 5
    assert type_code(attacker, app_code()).status_code == 429
    assert staff_sign_in(known, operator.email)["Location"] == "/admin/"
    assert (
        known.post("/admin/reauthenticate/", {"password": PASSWORD, "code": app_code(1)}).status_code == 302
    )
    other = browse(ADMIN, REMOTE_ADDR="10.9.9.10")
    type_password(other, operator.email)
    assert type_code(other, app_code(1)).status_code == 429


def test_wrong_codes_in_a_known_staff_browser_are_limited(operator, browse):
    app_of(operator)
    known = signed_out_staff_browser(browse, operator.email)
    type_password(known, operator.email)
    answers = [type_code(known, wrong_code()).status_code for _ in range(6)]
    assert answers == [200] * 5 + [429]
    assert staff_sign_in(browse(ADMIN), operator.email)["Location"] == "/admin/"


def test_forms_from_a_known_staff_browser_are_limited(operator, browse):
    app_of(operator)
    known = signed_out_staff_browser(browse, operator.email)
    rate_limits.forget()
    answers = [type_password(known, operator.email).status_code for _ in range(21)]
    assert answers == [302] * 20 + [429]
    assert type_password(browse(ADMIN), operator.email).status_code == 302


def test_password_alone_does_not_make_a_staff_browser_known(operator, browse):
    app_of(operator)
    client = browse(ADMIN)
    assert type_password(client, operator.email).status_code == 302
    assert type_code(client, wrong_code()).status_code == 200
    assert COOKIE not in client.cookies
