"""Two-step sign-in to the admin, session lifetimes, and resetting a lost authenticator app."""

import re
from collections.abc import Callable
from io import StringIO
from threading import Barrier
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import segno
from django.contrib.admin.models import LogEntry
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.management import CommandError, call_command
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django_otp import DEVICE_ID_SESSION_KEY

from accounts.checks import authenticators_are_usable
from accounts.models import RecoveryCode, StaffEvent, TotpDevice, User
from accounts.staff import totp
from accounts.staff.totp import CodeUsed, CodeWrong
from portal.admin import sessions
from portal.admin.reauthentication import needs_recent_authentication, recently_authenticated
from portal.brands.access import get_brands
from portal.models import Attempt, Brand
from portal.resilience import rate_limits
from portal.security.crypto import encrypt
from tests.conftest import ADMIN, AURORA, app_code, app_of, code_of
from tests.portal.test_admin import admin_paths
from tests.support.customer_flow import at_once, words
from tests.support.timeouts import PATIENCE

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"
NEW_PASSWORD = "staple battery horse"
Browse = Callable[..., Client]


@pytest.fixture
def sam(aurora: Brand) -> User:
    """Sam, who works for Aurora and has set up an app."""
    user = User(email="sam@example.com", is_staff=True)
    user.set_password(PASSWORD)
    user.save()
    user.brands.add(aurora)
    app_of(user)
    return user


def type_password(
    client: Client, email: str = "sam@example.com", password: str = PASSWORD, **more: str
) -> Any:
    return client.post("/admin/login/", {"username": email, "password": password, **more})


def type_code(client: Client, code: str) -> Any:
    return client.post("/admin/login/code/", {"code": code})


def sign_in(client: Client, email: str = "sam@example.com", code: str = "", **more: str) -> Any:
    """Do both steps. Codes may be reused, because tests are quicker than 30 seconds."""
    TotpDevice.objects.update(last_t=-1)
    assert type_password(client, email, **more)["Location"] == "/admin/login/code/"
    return type_code(client, code or app_code())


def is_signed_in(client: Client) -> bool:
    return client.get("/admin/").status_code == 200


def wait(client: Client, seconds: int, *names: str) -> None:
    """Let time pass for the timestamps in a session."""
    session = client.session
    for name in names or (sessions.SINCE, sessions.SEEN, sessions.PROVED):
        session[name] -= seconds
    session.save()


def wrong_code() -> str:
    right = {app_code(steps) for steps in range(-2, 3)}
    return next(
        code for code in ("000000", "111111", "222222", "333333", "444444", "555555") if code not in right
    )


# --- Two steps ---


@pytest.mark.parametrize("who", ["sam", "operator"])
def test_staff_and_operators_sign_in_with_password_and_code(who: str, browse: Browse, request: Any) -> None:
    person = request.getfixturevalue(who)
    app_of(person)
    client = browse(ADMIN)
    page = client.get("/admin/login/").content.decode()
    for attribute in ('type="email"', 'autocomplete="username"', 'autocomplete="current-password"'):
        assert attribute in page
    next_url = "/admin/accounts/user/?q=x"
    assert type_password(client, person.email.upper(), next=next_url)["Location"] == "/admin/login/code/"
    assert "no-store" in client.get("/admin/login/code/")["Cache-Control"]
    answer = type_code(client, f" {app_code()[:3]} {app_code()[3:]} ")
    assert answer["Location"] == next_url
    assert is_signed_in(client)
    assert StaffEvent.objects.get().kind == "signed_in"
    assert client.get("/admin/login/")["Location"] == "/admin/"


@pytest.mark.parametrize(
    "next_url",
    ["https://evil.example/admin/", "//evil.example/admin/", "/", "/language/es/", "/admin/../x", "x"],
)
def test_next_url_must_be_inside_the_admin(next_url: str, browse: Browse, sam: User) -> None:
    client = browse(ADMIN)
    assert sign_in(client, next=next_url)["Location"] == "/admin/"
    assert client.get("/admin/login/", {"next": next_url})["Location"] == "/admin/"
    proof = {"password": PASSWORD, "code": app_code(1), "next": next_url}
    assert client.post("/admin/reauthenticate/", proof)["Location"] == "/admin/"


@pytest.mark.parametrize("path", admin_paths())
def test_password_alone_opens_no_admin_page(path: str, browse: Browse, operator: User) -> None:
    app_of(operator)
    client = browse(ADMIN)
    assert type_password(client, operator.email).status_code == 302
    assert SESSION_KEY not in client.session
    for send in (client.get, client.post):
        answer = send(path)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/") or path == "/admin/logout/"


def test_password_alone_cannot_set_up_a_second_app(browse: Browse, sam: User) -> None:
    client = browse(ADMIN)
    type_password(client)
    for send in (client.get, client.post):
        assert send("/admin/login/enrol/", {"code": app_code()})["Location"] == "/admin/login/code/"
    assert "staff_key" not in client.session


def test_every_refused_password_shows_the_same_message(
    sam: User, alice: User, operator: User, browse: Browse
) -> None:
    User.objects.create_superuser("old", "old@example.com", PASSWORD, is_active=False)
    User.objects.create_user("plain", "plain@example.com", PASSWORD)
    attempts = (("nobody@example.com", PASSWORD), (sam.email, "wrong"), (alice.email, PASSWORD))
    attempts += (("old@example.com", PASSWORD), ("plain@example.com", PASSWORD))
    answers = [type_password(browse(ADMIN), *who) for who in attempts]
    assert {answer.status_code for answer in answers} == {200}
    assert {
        words(answer).count("can't sign in to the admin with this email address and password")
        for answer in answers
    } == {1}
    assert not any("__Host-session" in answer.cookies for answer in answers)


@pytest.mark.parametrize("forged", ["another's", "unknown", "nonsense", "none", "unconfirmed"])
def test_session_requires_the_users_own_confirmed_app(
    forged: str, browse: Browse, sam: User, operator: User
) -> None:
    others_app, client = app_of(operator), browse(ADMIN, sam)
    assert is_signed_in(client)
    session = client.session
    if forged == "unconfirmed":
        TotpDevice.objects.filter(user=sam).update(confirmed=False)
    elif forged == "none":
        del session[DEVICE_ID_SESSION_KEY]
    else:
        ids = {"another's": others_app.persistent_id, "unknown": "accounts.totpdevice/9999"}
        session[DEVICE_ID_SESSION_KEY] = ids.get(forged, "nonsense")
    session.save()
    answer = client.get("/admin/security/")
    assert answer["Location"] == "/admin/login/?next=/admin/security/&why=changed"
    assert not Session.objects.exists()


def test_pending_sign_in_ends_after_ten_minutes_or_any_change(browse: Browse, sam: User) -> None:
    def location_after(change: Callable[[], Any]) -> str:
        client = browse(ADMIN)
        type_password(client, next="/admin/security/")
        change()
        location = type_code(client, app_code())["Location"]
        assert not is_signed_in(client)
        User.objects.filter(pk=sam.pk).update(is_active=True, is_staff=True, password=sam.password)
        return str(location)

    def age_step(client: Client) -> None:
        session = client.session
        session["staff_step"] = {**session["staff_step"], "at": session["staff_step"]["at"] - 601}
        session.save()

    expected = "/admin/login/?next=%2Fadmin%2Fsecurity%2F&why=again"
    for change in ({"is_active": False}, {"is_staff": False}, {"password": "!"}):
        assert (
            location_after(lambda change=change: User.objects.filter(pk=sam.pk).update(**change)) == expected
        )
    client = browse(ADMIN)
    type_password(client)
    age_step(client)
    assert "why=again" in type_code(client, app_code())["Location"]
    assert "within 10 minutes" in words(client.get("/admin/login/", {"why": "again"}))
    assert type_code(browse(ADMIN), app_code())["Location"].startswith("/admin/login/")


def test_each_step_changes_the_session_key_and_clears_the_session(browse: Browse, sam: User) -> None:
    client = browse(ADMIN)
    keys = []
    for sensitive_step in (lambda: type_password(client), lambda: sign_in(client)):
        sensitive_step()
        keys.append(client.session.session_key)
    assert len({*keys}) == 2
    assert Session.objects.count() == 1
    assert not [name for name in dict(client.session) if name.startswith("staff_step")]
    old = browse(ADMIN)
    old.cookies["__Host-session"] = keys[1]
    assert is_signed_in(old)
    client.post("/admin/logout/")
    assert not is_signed_in(old)


def test_admin_session_is_invalid_on_a_brand_host(browse: Browse, sam: User, aurora: Brand) -> None:
    client = browse(ADMIN)
    sign_in(client)
    client.defaults["HTTP_HOST"] = AURORA
    assert client.get("/account/").status_code == 302
    assert client.get("/admin/login/code/").status_code == 404


# --- Codes ---


@pytest.mark.parametrize(("steps", "right"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_code_is_valid_one_step_before_and_after(
    steps: int, right: bool, sam: User, monkeypatch: Any
) -> None:
    if right:
        assert totp.redeem_code(user=sam, code=app_code(steps)).user == sam
    else:
        with pytest.raises(CodeWrong):
            totp.redeem_code(user=sam, code=app_code(steps))


def test_code_works_once_and_no_older_code_after_it(browse: Browse, sam: User) -> None:
    totp.redeem_code(user=sam, code=app_code(0))
    with pytest.raises(CodeUsed) as caught:
        totp.redeem_code(user=sam, code=app_code(0))
    assert 0 < caught.value.seconds <= 30
    with pytest.raises(CodeUsed):
        totp.redeem_code(user=sam, code=app_code(-1))
    client = browse(ADMIN)
    type_password(client)
    for _ in range(6):  # A code that was already used is not counted as wrong.
        page = type_code(client, app_code())
        assert re.search(r"You've already used this code\. Wait \d+ seconds? for a new one", words(page))
        assert app_code() not in page.content.decode()
    assert type_code(client, app_code(1))["Location"] == "/admin/"


def test_concurrent_uses_of_a_code_succeed_once(threads: None, sam: User, monkeypatch: Any) -> None:
    code, reading, all_read = app_code(), totp._totp, Barrier(5)

    def read(key: Any) -> Any:
        """Wait until all have read that the step is unused."""
        all_read.wait(PATIENCE)
        return reading(key)

    monkeypatch.setattr(totp, "_totp", read)

    def redeem(_nth: int) -> bool:
        try:
            return bool(totp.redeem_code(user=sam, code=code))
        except CodeUsed:
            return False

    assert sorted(at_once(5, redeem)) == [False] * 4 + [True]


def test_concurrent_uses_of_a_recovery_code_succeed_once(threads: None, sam: User) -> None:
    code = totp.normalise_code(totp.create_recovery_codes(user=sam)[0])

    def redeem(_nth: int) -> bool:
        try:
            return bool(totp.redeem_code(user=sam, code=code))
        except CodeWrong:
            return False

    assert sorted(at_once(5, redeem)) == [False] * 4 + [True]


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "0" * 20, "٠٠٠٠٠x"])
def test_malformed_code_does_not_sign_in(typed: str, browse: Browse, sam: User) -> None:
    client = browse(ADMIN)
    type_password(client)
    assert type_code(client, typed).status_code == 200
    assert not is_signed_in(client)


def test_digits_of_another_script_are_accepted(browse: Browse, sam: User) -> None:
    client = browse(ADMIN)
    arabic = app_code().translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩"))
    assert sign_in(client, code=arabic)["Location"] == "/admin/"


def test_undecryptable_key_is_reported_and_recovery_code_works(browse: Browse, sam: User) -> None:
    codes = totp.create_recovery_codes(user=sam)
    TotpDevice.objects.filter(user=sam).update(key=type(encrypt("x"))("gAAAAA-of-another-key"))
    client = browse(ADMIN)
    type_password(client)
    assert "ENCRYPTION_KEY" in words(type_code(client, app_code()))
    assert type_code(client, codes[0])["Location"] == "/admin/security/"


def test_system_check_names_users_with_undecryptable_keys(sam: User) -> None:
    assert authenticators_are_usable(databases=["default"]) == []
    TotpDevice.objects.filter(user=sam).update(key=type(encrypt("x"))("gAAAAA-of-another-key"))
    (found,) = authenticators_are_usable(databases=["default"])
    assert "sam@example.com" in found.msg
    assert "ENCRYPTION_KEY" in found.msg
    assert "reset_authenticator sam@example.com" in str(found.hint)
    User.objects.filter(pk=sam.pk).update(is_active=False)
    assert authenticators_are_usable(databases=["default"]) == []


# --- Setting up ---


def _read_qr_code(page: HttpResponse) -> dict[str, str]:
    """Check that the QR code, read back from its path, is the URI with the key shown as text."""
    text = page.content.decode()
    key = "".join(re.findall(r"<span>([A-Z2-7]{4})</span>", text))
    found = re.search(r'<svg viewBox="0 0 (\d+) \d+".*<path d="([^"]+)"/>', text)
    assert found, text
    runs = re.findall(r"M(\d+) (\d+)h(\d+)v1h-\3z", found[2])
    dark = {(int(x) + sensitive_step, int(y)) for x, y, width in runs for sensitive_step in range(int(width))}
    address = f"otpauth://totp/{ADMIN}:sam%40example.com?secret={key}&issuer={ADMIN}&algorithm=SHA1&digits=6&period=30"
    matrix = segno.make(address, error="m", micro=False).matrix
    assert {(x + 4, y + 4) for y, row in enumerate(matrix) for x, bit in enumerate(row) if bit} == dark
    assert int(found[1]) == len(matrix) + 8
    return {"key": key, "address": address}


def test_first_sign_in_sets_up_an_app_and_shows_recovery_codes_once(browse: Browse, sam: User) -> None:
    TotpDevice.objects.all().delete()
    client = browse(ADMIN)
    assert type_password(client, next="/admin/security/")["Location"] == "/admin/login/enrol/"
    page = client.get("/admin/login/enrol/")
    key = _read_qr_code(page)["key"]
    assert len(key) == 32
    location_after = client.post(
        "/admin/login/enrol/", {"code": "000000" if code_of(key) != "000000" else "111111"}
    )
    assert _read_qr_code(location_after)["key"] == key
    assert "That code isn't right." in words(location_after)
    assert not is_signed_in(client)
    assert not TotpDevice.objects.exists()
    assert key not in str(dict(client.session))
    done = client.post("/admin/login/enrol/", {"code": code_of(key)})
    codes = re.findall(r"<li>([0-9A-Z]{5}(?:-[0-9A-Z]{5}){3})</li>", done.content.decode())
    assert len({*codes}) == 10
    assert 'href="/admin/security/"' in done.content.decode()
    assert is_signed_in(client)
    device = TotpDevice.objects.get()
    assert device.key.reveal() == key
    assert key not in device.key.stored
    assert RecoveryCode.objects.count() == 10
    assert not any(code in str(list(RecoveryCode.objects.values())) for code in codes)
    kinds = list(StaffEvent.objects.values_list("kind", flat=True))
    assert sorted(kinds) == ["enrolled", "recovery_made", "signed_in"]
    other = browse(ADMIN)
    type_password(other)
    assert "already used this code" in words(type_code(other, code_of(key)))
    for path in ("/admin/security/", "/admin/login/enrol/", "/admin/login/code/"):
        text = client.get(path, follow=True).content.decode()
        assert not any(secret in text for secret in (key, key[:4] + "</span>", *codes))
    assert type_code(other, codes[0].lower().replace("-", " "))["Location"] == "/admin/security/"


def test_concurrent_enrolments_have_own_keys_and_the_first_wins(browse: Browse, sam: User) -> None:
    TotpDevice.objects.all().delete()
    first, second = browse(ADMIN), browse(ADMIN)
    keys = []
    for client in (first, second):
        type_password(client)
        keys.append(_read_qr_code(client.get("/admin/login/enrol/"))["key"])
    assert keys[0] != keys[1]
    assert words(second.post("/admin/login/enrol/", {"code": code_of(keys[0])})).count("isn't right") == 1
    assert second.post("/admin/login/enrol/", {"code": code_of(keys[1])}).status_code == 200
    assert first.post("/admin/login/enrol/", {"code": code_of(keys[0])})["Location"] == "/admin/login/code/"
    assert TotpDevice.objects.get().key.reveal() == keys[1]
    assert not is_signed_in(first)


def test_recovery_code_works_once_warns_and_is_logged(browse: Browse, sam: User) -> None:
    codes = totp.create_recovery_codes(user=sam)
    client = browse(ADMIN)
    type_password(client)
    assert "20 letters" in words(type_code(client, "ABCDE"))
    assert 'inputmode="text"' in client.get("/admin/login/code/?with=recovery").content.decode()
    arrived = client.post("/admin/login/code/", {"code": codes[3]}, follow=True)
    assert arrived.redirect_chain == [("/admin/security/", 302)]
    assert "You have 9 left" in words(arrived)
    assert StaffEvent.objects.filter(kind="recovery_used").count() == 1
    other = browse(ADMIN)
    type_password(other)
    assert "isn't right, or you've already used it" in words(type_code(other, codes[3]))
    assert type_code(other, codes[4])["Location"] == "/admin/security/"


def test_new_recovery_codes_and_new_app_replace_the_former(browse: Browse, sam: User) -> None:
    former = totp.create_recovery_codes(user=sam)
    client, elsewhere = browse(ADMIN, sam), browse(ADMIN, sam)
    page = client.post("/admin/security/recovery-codes/")
    assert len(re.findall(r"<li>[0-9A-Z-]{23}</li>", page.content.decode())) == 10
    with pytest.raises(CodeWrong):
        totp.redeem_code(user=sam, code=totp.normalise_code(former[0]))
    key = _read_qr_code(client.get("/admin/security/app/"))["key"]
    assert is_signed_in(elsewhere)
    done = client.post("/admin/security/app/", {"code": code_of(key)})
    assert len(re.findall(r"<li>[0-9A-Z-]{23}</li>", done.content.decode())) == 10
    assert is_signed_in(client)
    assert not is_signed_in(elsewhere)
    assert TotpDevice.objects.get().key.reveal() == key
    assert key not in str(dict(client.session))


# --- Limits ---


def test_wrong_passwords_are_limited_per_email_and_network(browse: Browse, sam: User, operator: User) -> None:
    app_of(operator)
    for address in (sam.email, "nobody@example.com"):
        client = browse(ADMIN)
        assert [type_password(client, address, "wrong").status_code for _ in range(5)] == [200] * 5
        refused = type_password(client, address)
        assert refused.status_code == 429
        assert int(refused["Retry-After"]) > 0
        assert "tries to sign in. Wait 1" in words(refused)
    elsewhere = browse(ADMIN, REMOTE_ADDR="198.51.100.7")
    assert sign_in(elsewhere)["Location"] == "/admin/"
    assert sign_in(browse(ADMIN), operator.email)["Location"] == "/admin/"


def test_successful_sign_ins_are_not_counted(browse: Browse, sam: User) -> None:
    for nth in range(7):
        assert sign_in(browse(ADMIN, REMOTE_ADDR=f"198.51.100.{nth}"))["Location"] == "/admin/"
    assert not Attempt.objects.exists()


def test_network_may_send_twenty_forms_in_five_minutes(browse: Browse, operator: User) -> None:
    app_of(operator)
    statuses = [type_password(browse(ADMIN), f"u{nth}@example.com").status_code for nth in range(21)]
    assert statuses == [200] * 20 + [429]


def test_wrong_codes_are_limited_per_user_over_all_networks(browse: Browse, sam: User) -> None:
    for nth in range(5):
        client = browse(ADMIN, REMOTE_ADDR=f"198.51.100.{nth}")
        type_password(client)
        assert type_code(client, wrong_code()).status_code == 200
    client = browse(ADMIN, REMOTE_ADDR="198.51.100.99")
    type_password(client)
    assert type_code(client, app_code()).status_code == 429
    inside = browse(ADMIN, sam)
    assert (
        inside.post("/admin/reauthenticate/", {"password": PASSWORD, "code": app_code()}).status_code == 429
    )


def test_wrong_codes_are_limited_per_network_over_all_users(
    browse: Browse, sam: User, operator: User
) -> None:
    app_of(operator)
    Attempt.objects.all().delete()
    for email in (sam.email, operator.email):
        for _ in range(5):
            client = browse(ADMIN)
            type_password(client, email)
            type_code(client, wrong_code())
            rate_limits.forget()
    third = User.objects.create_superuser("third", "third@example.com", PASSWORD)
    app_of(third)
    client = browse(ADMIN)
    type_password(client, third.email)
    assert type_code(client, app_code()).status_code == 429


def test_forged_client_address_does_not_start_a_new_count(browse: Browse, sam: User) -> None:
    def attempt(nth: int) -> int:
        client = browse(ADMIN)
        data = {"username": sam.email, "password": "wrong"}
        headers = {"x-forwarded-for": f"203.0.113.{nth}"}
        return client.post("/admin/login/", data, headers=headers).status_code

    assert [attempt(nth) for nth in range(6)] == [200] * 5 + [429]


# --- Sessions ---


def test_session_ends_after_15_idle_minutes_and_says_why(browse: Browse, sam: User) -> None:
    client = browse(ADMIN)
    sign_in(client)
    wait(client, 14 * 60, sessions.SEEN)
    assert is_signed_in(client)  # This restarts the 15 minutes.
    wait(client, 14 * 60, sessions.SEEN)
    assert client.get("/admin/still-here/").status_code == 204
    wait(client, 15 * 60 + 1, sessions.SEEN)
    over = client.get("/admin/security/")
    assert over["Location"] == "/admin/login/?next=/admin/security/&why=idle"
    assert not Session.objects.exists()
    page = client.get(over["Location"])
    assert "nothing had been done here for 15 minutes" in words(page)
    assert 'value="/admin/security/"' in page.content.decode()


def test_form_sent_after_session_end_is_reported_as_not_done(browse: Browse, sam: User) -> None:
    client = browse(ADMIN)
    sign_in(client)
    wait(client, 15 * 60 + 1)
    page = "/admin/accounts/user/?p=1"
    sent = client.post("/admin/accounts/user/", {"x": "y"}, headers={"referer": f"https://{ADMIN}{page}"})
    query = parse_qs(urlsplit(sent["Location"]).query)
    assert query == {"next": [page], "why": ["idle-sent"]}
    assert "so we didn't save it" in words(client.get(sent["Location"]))
    sign_in(client)
    wait(client, 15 * 60 + 1)
    sent = client.post("/admin/accounts/user/", {}, headers={"referer": "https://evil.example/admin/x/"})
    assert parse_qs(urlsplit(sent["Location"]).query)["next"] == ["/admin/"]


def test_session_ends_after_8_hours_of_use(browse: Browse, sam: User) -> None:
    client = browse(ADMIN)
    sign_in(client)
    assert client.session.get_expiry_age() <= 8 * 3600
    wait(client, 8 * 3600 - 60, sessions.SINCE)
    assert is_signed_in(client)
    wait(client, 61, sessions.SINCE)
    assert client.get("/admin/")["Location"] == "/admin/login/?next=/admin/&why=long"
    assert "8 hours at most" in words(client.get("/admin/login/?why=long"))


def test_session_without_start_time_is_invalid(browse: Browse, sam: User) -> None:
    for name in (sessions.SINCE, sessions.SEEN):
        client = browse(ADMIN, sam)
        session = client.session
        del session[name]
        session.save()
        assert not is_signed_in(client)


def test_last_activity_is_written_at_most_once_a_minute(
    browse: Browse, sam: User, django_assert_num_queries: Any
) -> None:
    client = browse(ADMIN)
    sign_in(client)
    before = client.session[sessions.SEEN]
    client.get("/admin/still-here/")
    assert client.session[sessions.SEEN] == before
    wait(client, 61, sessions.SEEN)
    client.get("/admin/still-here/")
    assert client.session[sessions.SEEN] >= before


def test_customer_session_still_lasts_two_weeks(browse: Browse, alice: User) -> None:
    client = browse(AURORA, alice)
    assert client.get("/account/").status_code == 200
    assert sessions.SEEN not in client.session


@pytest.mark.parametrize(
    "change",
    [
        {"is_active": False},
        {"is_staff": False, "is_superuser": False},
        {"password": "!x"},
    ],
)
def test_user_who_lost_access_is_signed_out_at_once(
    change: dict[str, Any], browse: Browse, sam: User
) -> None:
    client = browse(ADMIN)
    sign_in(client)
    assert is_signed_in(client)
    User.objects.filter(pk=sam.pk).update(**change)
    assert not is_signed_in(client)
    assert client.post("/admin/security/recovery-codes/").status_code == 302
    assert not RecoveryCode.objects.exists()


def test_password_change_needs_reauthentication_and_ends_other_sessions(browse: Browse, sam: User) -> None:
    client, elsewhere = browse(ADMIN, sam), browse(ADMIN, sam)
    form = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    wait(client, 301, sessions.PROVED)
    refused = client.post(
        "/admin/password_change/", form, headers={"referer": f"https://{ADMIN}/admin/password_change/"}
    )
    assert refused["Location"] == "/admin/reauthenticate/?next=%2Fadmin%2Fpassword_change%2F&why=sent"
    assert is_signed_in(elsewhere)
    proof = {"password": PASSWORD, "code": app_code()}
    key = client.session.session_key
    assert client.post(refused["Location"], proof)["Location"] == "/admin/password_change/"
    assert client.session.session_key != key
    assert client.post("/admin/password_change/", form)["Location"] == "/admin/security/"
    assert is_signed_in(client)
    assert not is_signed_in(elsewhere)
    sam.refresh_from_db()
    assert sam.check_password(NEW_PASSWORD)
    assert "Changed Password." in [entry.get_change_message() for entry in LogEntry.objects.all()]


# --- Reauthentication ---


@needs_recent_authentication
def sensitive_step(request: Any) -> HttpResponse:
    """Any sensitive step."""
    return HttpResponse("done")


@pytest.fixture
def request_step(browse: Browse, sam: User, settings: Any) -> Callable[..., Any]:
    """Request the step so many seconds after the last authentication."""
    settings.ROOT_URLCONF = settings.ADMIN_URLCONF

    def send(method: str, seconds: int, **headers: str) -> HttpResponse:
        request = getattr(RequestFactory(headers={"host": ADMIN}), method)(
            "/admin/step/?x=1", headers=headers
        )
        request.session = {sessions.PROVED: sessions.now() - seconds}
        assert recently_authenticated(request) is (seconds <= 300)
        return sensitive_step(request)

    return send


def test_sensitive_step_needs_authentication_within_five_minutes(request_step: Callable[..., Any]) -> None:
    assert request_step("get", 299).content == b"done"
    assert request_step("post", 299).content == b"done"
    assert unquote(request_step("get", 301)["Location"]) == "/admin/reauthenticate/?next=/admin/step/?x=1"
    to_referer = request_step("post", 301, referer=f"http://{ADMIN}/admin/move/7/")
    assert unquote(to_referer["Location"]) == "/admin/reauthenticate/?next=/admin/move/7/&why=sent"
    foreign = request_step("post", 301, referer="http://evil.example/admin/move/7/")
    assert unquote(foreign["Location"]) == "/admin/reauthenticate/?next=/admin/&why=sent"


@pytest.mark.parametrize("path", ["/admin/security/recovery-codes/", "/admin/security/app/"])
def test_changing_own_credentials_needs_reauthentication(path: str, browse: Browse, sam: User) -> None:
    client = browse(ADMIN, sam)
    wait(client, 301, sessions.PROVED)
    assert client.post(path)["Location"].startswith("/admin/reauthenticate/?next=")
    assert not RecoveryCode.objects.exists()


def test_reauthentication_needs_own_password_and_code(browse: Browse, sam: User, operator: User) -> None:
    operator.set_password(NEW_PASSWORD)
    operator.save()
    client = browse(ADMIN, sam)
    wait(client, 301, sessions.PROVED)
    url = "/admin/reauthenticate/?next=/admin/security/app/"
    assert "Nothing has been done yet" in words(client.get(f"{url}&why=sent"))
    assert "That isn't your password" in words(client.post(url, {"password": "wrong", "code": app_code()}))
    assert "That isn't your password" in words(
        client.post(url, {"password": NEW_PASSWORD, "code": app_code()})
    )
    assert "isn't right" in words(client.post(url, {"password": PASSWORD, "code": wrong_code()}))
    assert not recently_authenticated_in(client)
    right = {"password": PASSWORD, "code": app_code()}
    assert client.post(url, right)["Location"] == "/admin/security/app/"
    assert recently_authenticated_in(client)
    wait(client, 301, sessions.PROVED)
    assert "Wait" in words(client.post(url, right))  # The app may show another code by now.


def recently_authenticated_in(client: Client) -> bool:
    return sessions.proved_recently(client.session)


# --- A lost phone ---


def test_another_operator_resets_a_lost_app(
    browse: Browse, sam: User, operator: User, mailoutbox: list[Any]
) -> None:
    totp.create_recovery_codes(user=sam)
    lost, client = browse(ADMIN, sam), browse(ADMIN, operator)
    page = f"/admin/accounts/user/{sam.pk}/change/"
    reset = f"/admin/accounts/user/{sam.pk}/reset-authenticator/"
    assert reset in client.get(page).content.decode()
    assert "signed out everywhere at once" in words(client.get(reset))
    assert is_signed_in(lost)
    assert client.post(reset)["Location"] == page
    assert not is_signed_in(lost)
    assert not TotpDevice.objects.filter(user=sam).exists()
    assert not RecoveryCode.objects.exists()
    event = StaffEvent.objects.filter(user=sam).first()
    assert (event.kind, event.by) == ("reset", operator)
    assert "Authenticator app: reset" in LogEntry.objects.get().get_change_message()
    assert mailoutbox[0].to == [sam.email]
    assert operator.email in mailoutbox[0].body
    shown = words(client.get(page))
    assert "authenticator app reset (by olga@example.com)" in shown
    assert type_password(browse(ADMIN))["Location"] == "/admin/login/enrol/"


def test_reset_needs_another_operator_and_reauthentication(
    browse: Browse, sam: User, operator: User, alice: User
) -> None:
    client = browse(ADMIN, operator)
    address = "/admin/accounts/user/%d/reset-authenticator/"
    assert client.post(address % operator.pk)["Location"] == "/admin/security/"
    assert client.post(address % alice.pk).status_code == 404
    reset = f"/admin/accounts/user/{sam.pk}/reset-authenticator/"
    for path in (reset, f"/admin/accounts/user/{sam.pk}/password/"):
        wait(client, 301, sessions.PROVED)
        assert client.post(path)["Location"].startswith("/admin/reauthenticate/")
        session = client.session
        sessions.prove(session)
        session.save()
    other = User.objects.create(email="other@example.com", is_staff=True)
    assert browse(ADMIN, sam).post(reset.replace(str(sam.pk), str(other.pk))).status_code in (403, 404)
    assert TotpDevice.objects.filter(user__in=(sam, operator)).count() == 2


def test_reset_is_kept_when_no_email_can_be_sent(browse: Browse, operator: User, settings: Any) -> None:
    lost = User.objects.create_superuser("lost", "lost@example.com", PASSWORD)
    app_of(lost)
    answer = browse(ADMIN, operator).post(f"/admin/accounts/user/{lost.pk}/reset-authenticator/", follow=True)
    assert "Tell them yourself" in words(answer)
    assert not TotpDevice.objects.filter(user=lost).exists()


def test_reset_command_works_and_is_logged(sam: User, browse: Browse, aurora: Brand) -> None:
    client, out = browse(ADMIN, sam), StringIO()
    call_command("reset_authenticator", "SAM@example.com", stdout=out)
    assert "signed out everywhere" in out.getvalue()
    assert not is_signed_in(client)
    event = StaffEvent.objects.get()
    assert (event.kind, event.by) == ("reset", None)
    assert "The person who runs the installation" in str(mail.outbox[0].body)
    assert mail.outbox[0].from_email == aurora.from_email
    with pytest.raises(CommandError, match="nobody of the admin"):
        call_command("reset_authenticator", "alice@example.com")


def test_create_staff_command_needs_existing_brands(
    aurora: Brand, borealis: Brand, monkeypatch: Any, browse: Browse
) -> None:
    monkeypatch.setattr("accounts.management.commands.create_operator.getpass", lambda _prompt: PASSWORD)
    with pytest.raises(CommandError, match="There is no brand cirrus"):
        call_command("create_staff", "sue@example.com", brand=["cirrus"])
    assert not User.objects.exists()
    call_command("create_staff", "sue@example.com", brand=["aurora"], stdout=StringIO())
    sue = User.objects.get()
    assert (sue.is_staff, sue.is_superuser) == (True, False)
    assert list(get_brands(sue)) == [aurora]
    assert type_password(browse(ADMIN), sue.email)["Location"] == "/admin/login/enrol/"


def test_devices_and_codes_cannot_be_edited_in_the_admin() -> None:
    assert not [
        path
        for path in admin_paths()
        if "totpdevice" in path or "recoverycode" in path or "staffevent" in path
    ]


def test_changing_admin_rights_needs_reauthentication(browse: Browse, sam: User, operator: User) -> None:
    client = browse(ADMIN, operator)
    page = f"/admin/accounts/user/{sam.pk}/change/"
    form = {"email": sam.email, "is_active": "on", "is_superuser": "on"}
    wait(client, 301, sessions.PROVED)
    response = client.post(page, form)
    assert response.status_code == 303
    assert response["Location"].startswith("/admin/reauthenticate/")
    sam.refresh_from_db()
    assert not sam.is_superuser
    wait(client, -301, sessions.PROVED)
    client.post(page, form)
    sam.refresh_from_db()
    assert sam.is_superuser
