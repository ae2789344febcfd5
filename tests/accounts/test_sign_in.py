"""Signing in by code: eight digits, valid ten minutes, once, three attempts, bound to browser and brand."""

import re
import socket
from collections.abc import Iterator
from datetime import timedelta
from http.cookies import SimpleCookie
from statistics import median
from time import perf_counter, thread_time
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core import mail
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import SignInCode
from portal.models import Attempt
from tests.conftest import ADMIN, AURORA, BOREALIS
from tests.support.customer_flow import (
    DETAILS,
    at_once,
    code_for,
    send,
    sign_in,
    sign_up_form,
    twin,
    value_of,
    words,
)
from tests.support.timeouts import SLACK
from tests.support.urls import routes

pytestmark = pytest.mark.django_db
ALICE = "alice@example.com"


@pytest.fixture
def code_page(aurora, alice, browse) -> Any:
    """Alice's browser after she requested a code."""
    client = browse(AURORA)
    assert send(client, "/sign-in/", {"email": ALICE})["Location"] == "/sign-in/code/"
    return client


def try_code(client: Any, code: str) -> Any:
    return send(client, "/sign-in/code/", {"code": code})


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**8:08d}"


def is_signed_in(client: Any) -> bool:
    return client.get("/account/open/").status_code == 200


def test_emailed_code_signs_in(code_page):
    assert re.fullmatch(r"\d{8}", code_for(ALICE))
    assert not is_signed_in(code_page)
    assert try_code(code_page, code_for(ALICE))["Location"] == "/"
    assert is_signed_in(code_page)


def test_email_is_from_the_brand_and_links_to_its_host(code_page):
    (message,) = mail.outbox
    assert message.from_email == "Aurora Phone <no-reply@aurora.example>"
    assert "https://aurora.test/" in message.body
    assert code_for(ALICE) not in message.subject


def test_codes_are_random_over_the_whole_range(aurora, alice, browse):
    codes = set()
    for nth in range(10):
        send(browse(AURORA, REMOTE_ADDR=f"10.0.0.{nth}"), "/sign-in/", {"email": ALICE})
        codes.add(code_for(ALICE))
    assert len(codes) == 10
    assert len({code[0] for code in codes}) > 1


def test_spaces_and_hyphens_in_a_code_are_ignored(code_page):
    code = code_for(ALICE)
    assert try_code(code_page, f" {code[:4]}-{code[4:]} ").status_code == 302


@pytest.mark.parametrize("text", ["1234567", "123456789", "1234567a", "12345678 or 87654321", ""])
def test_malformed_code_does_not_count_as_an_attempt(code_page, text):
    assert try_code(code_page, text).status_code == 200
    assert SignInCode.objects.get().tries == 0


def test_code_is_valid_for_ten_minutes(code_page):
    row = SignInCode.objects.get()
    assert row.expires_at - row.created_at == timedelta(minutes=10)
    SignInCode.objects.update(expires_at=timezone.now() - timedelta(milliseconds=1))
    assert "no longer works" in words(try_code(code_page, code_for(ALICE)))
    assert not is_signed_in(code_page)


def test_code_works_once(code_page):
    second = twin(code_page)
    session = dict(code_page.session)
    try_code(code_page, code_for(ALICE))
    store = second.session
    store.update(session)
    store.save()
    second.cookies["__Host-session"] = store.session_key
    assert "no longer works" in words(try_code(second, code_for(ALICE)))


def test_third_wrong_attempt_invalidates_the_code(code_page):
    code = code_for(ALICE)
    answers = [words(try_code(code_page, wrong(code))) for _ in range(3)]
    for answer, text in zip(
        answers, ("have 2 tries left", "have 1 try left.", "no longer works"), strict=True
    ):
        assert text in answer
    assert "no longer works" in words(try_code(code_page, code))
    assert not is_signed_in(code_page)


def test_third_attempt_may_still_succeed(code_page):
    code = code_for(ALICE)
    for _ in range(2):
        try_code(code_page, wrong(code))
    assert try_code(code_page, code).status_code == 302


def test_concurrent_attempts_never_exceed_three(threads, aurora, alice, code_page):
    code = code_for(ALICE)
    answers = at_once(12, lambda nth: words(try_code(twin(code_page), wrong(code))))
    assert sum("isn't right. You have" in answer for answer in answers) <= 3
    assert SignInCode.objects.get().tries == 3
    assert "no longer works" in words(try_code(code_page, code))


def test_concurrent_correct_codes_sign_in_once(threads, aurora, alice, code_page):
    code = code_for(ALICE)
    answers = at_once(3, lambda nth: try_code(twin(code_page), code).get("Location"))
    assert answers.count("/") == 1


def test_code_cannot_be_used_in_another_browser(code_page, browse, bob):
    other = browse(AURORA)
    assert try_code(other, code_for(ALICE))["Location"] == "/sign-in/?why=code"
    send(other, "/sign-in/", {"email": "bob@example.com"})
    assert try_code(other, code_for(ALICE)).status_code == 200
    assert not is_signed_in(other)


def test_code_cannot_be_used_at_another_brand(code_page, borealis, make_customer, browse):
    make_customer(borealis, ALICE, "80002")
    code = code_for(ALICE)
    other = browse(BOREALIS)
    send(other, "/sign-in/", {"email": ALICE})
    assert try_code(other, code).status_code == 200
    assert not is_signed_in(other)


def test_code_fails_at_another_brand_even_with_a_copied_session(code_page, borealis, browse):
    session = dict(code_page.session)
    other = browse(BOREALIS)
    store = other.session
    store.update({**session, "realm": f"brand-{borealis.pk}"})
    store.save()
    assert "no longer works" in words(try_code(other, code_for(ALICE)))


def test_code_of_a_disabled_customer_does_not_sign_in(code_page, alice):
    alice.is_active = False
    alice.save()
    assert try_code(code_page, code_for(ALICE)).status_code == 200
    assert not is_signed_in(code_page)


def test_neither_the_code_nor_its_plain_hash_is_stored(code_page):
    import hashlib

    code = code_for(ALICE)
    stored = str(SignInCode.objects.values().get()) + str(code_page.session.items())
    assert code not in stored
    assert code not in str(code_page.cookies)
    assert hashlib.sha256(code.encode()).hexdigest() not in stored


def test_old_codes_are_deleted(code_page, browse):
    SignInCode.objects.update(expires_at=timezone.now() - timedelta(days=2))
    Attempt.objects.update(at=timezone.now() - timedelta(days=2))
    send(browse(AURORA), "/sign-in/", {"email": ALICE})
    assert (SignInCode.objects.count(), Attempt.objects.count()) == (1, 1)


# Unknown addresses


def visible_answers(client: Any, email: str) -> tuple[Any, ...]:
    """Return everything by which a visitor could tell two answers apart."""
    answers = [send(client, "/sign-in/", {"email": email}), client.get("/sign-in/code/")]
    answers.append(try_code(client, "00000000"))
    answers.append(client.get("/sign-in/"))

    def headers(response: Any) -> dict[str, str]:
        values = {**response.headers, "X-Request-ID": ""}
        policy = re.sub(r"nonce-[^']+", "", response["Content-Security-Policy"])
        return {**values, "Content-Security-Policy": str(sorted(policy.split("; ")))}

    def body(response: Any) -> str:
        text = response.content.decode().replace(email, "EMAIL")
        return re.sub(r'(csrfmiddlewaretoken" value|nonce)="[^"]*"', "", text)

    cookies = {
        name: re.sub(r"[^;]+", "", morsel.OutputString(), count=1) for name, morsel in client.cookies.items()
    }
    return (
        [(a.status_code, headers(a), body(a)) for a in answers],
        sorted(client.session.keys()),
        re.sub(r"\d\d:\d\d:\d\d", "", str(cookies)),
    )


def test_unknown_email_looks_like_a_known_one_and_gets_one_email(aurora, alice, browse):
    assert visible_answers(browse(AURORA), ALICE) == visible_answers(browse(AURORA), "zelda@example.com")
    assert [message.to for message in mail.outbox] == [[ALICE], ["zelda@example.com"]]
    text = mail.outbox[1].body
    assert "no Aurora Phone account" in text
    assert "/sign-up/" in text
    assert "help@aurora.example" in text
    assert not re.search(r"^ {4}\d|class=.code|\b\d{8}\b", text, re.MULTILINE)


def test_disabled_customer_is_sent_to_support_and_page_reveals_nothing(aurora, alice, make_customer, browse):
    off = make_customer(aurora, "ottos@example.com", "70009", first_name="Otto", is_active=False)
    assert visible_answers(browse(AURORA), ALICE) == visible_answers(browse(AURORA), off.email)
    message = mail.outbox[-1]
    assert message.to == [off.email]
    for text in (message.body, message.alternatives[0].content):
        assert "Otto" not in text
        assert "sign in" in text
        assert "right now" in text
        assert "help@aurora.example" in text
        assert "sign-up" not in text
        assert "no account" not in text
        assert not re.search(r"^ {4}\d|class=.code|\b\d{8}\b", text, re.MULTILINE)
    assert SignInCode.objects.get(user=None)  # Useless, even if he is enabled again.


def test_every_email_costs_the_same_queries_and_one_email(aurora, alice, make_customer, browse):
    """Queries are compared rather than time, because timing is unreliable on a busy machine."""
    make_customer(aurora, "off@example.com", is_active=False)

    def cost(email: str) -> list[str]:
        client = browse(AURORA)
        client.get("/sign-in/")
        with CaptureQueriesContext(connection) as queries:
            send(client, "/sign-in/", {"email": email})
        return [str(re.findall(r'^\w+|"[a-z_]+"', query["sql"])) for query in queries]

    known, unknown, off = map(cost, (ALICE, "nobody@example.com", "off@example.com"))
    assert known == unknown == off
    assert len(known) > 5
    assert [len(message.alternatives) for message in mail.outbox] == [1, 1, 1]


def test_unknown_email_takes_as_long_as_a_known_one(aurora, alice, make_customer, browse):
    for nth in range(30):
        make_customer(aurora, f"known{nth}@example.com")
        make_customer(aurora, f"off{nth}@example.com", is_active=False)
    spent: dict[str, list[float]] = {"known": [], "other": [], "off": []}
    for nth in range(30):
        for at, (kind, times) in enumerate(spent.items()):
            client = browse(AURORA, REMOTE_ADDR=f"10.4.{at}.{nth}")
            began = thread_time()  # CPU time of this thread, whatever else the machine does.
            send(client, "/sign-in/", {"email": f"{kind}{nth}@example.com"})
            times.append(thread_time() - began)
    medians = [median(times) for times in spent.values()]
    assert max(medians) - min(medians) < 0.05


def test_no_code_signs_in_for_an_unknown_email(aurora, alice, browse):
    client = browse(AURORA)
    send(client, "/sign-in/", {"email": "nobody@example.com"})
    row = SignInCode.objects.get()
    assert (row.user, len(row.code_hash)) == (None, 64)


def test_customer_of_another_brand_is_unknown(aurora, charlie, browse):
    send(browse(AURORA), "/sign-in/", {"email": charlie.email})
    assert "no account" in mail.outbox[0].body


@pytest.fixture
def silent_server() -> Iterator[int]:
    """The port of a mail server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("email", [ALICE, "nobody@example.com"])
def test_silent_mail_server_delays_a_request_only_until_the_timeout(
    aurora, alice, browse, settings, silent_server, email
):
    assert settings.EMAIL_TIMEOUT <= 10
    settings.EMAIL_BACKEND = "portal.mail.smtp_backend.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", silent_server, 0.5
    began = perf_counter()
    response = send(browse(AURORA), "/sign-in/", {"email": email})
    assert 0.5 <= perf_counter() - began < SLACK
    assert (response.status_code, response["Retry-After"]) == (503, "120")
    assert "We can't send email right now" in words(response)
    assert (SignInCode.objects.count(), Attempt.objects.count()) == (0, 0)


@pytest.mark.parametrize("email", [ALICE, "nobody@example.com"])
def test_email_failure_looks_the_same_for_any_email_and_is_not_counted(
    aurora, alice, browse, settings, email
):
    settings.EMAIL_BACKEND = "portal.mail.smtp_backend.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    response = send(browse(AURORA), "/sign-in/", {"email": email})
    assert response.status_code == 503
    assert "We can't send email right now" in words(response)
    assert value_of(response, "email") == email
    assert (SignInCode.objects.count(), Attempt.objects.count()) == (0, 0)


def test_error_page_is_shown_although_its_session_cannot_be_saved(aurora, browse, monkeypatch, caplog):
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError

    client = browse(AURORA)
    client.raise_request_exception = False
    monkeypatch.setattr(SessionStore, "save", fail)
    response = send(client, "/sign-up/", sign_up_form("a-token-of-nobody"))  # Nothing listens there.
    assert response.status_code == 503
    assert "We can't reach the phone system right now. Nothing has changed" in words(response)
    assert "session not kept" in [record.msg for record in caplog.records]


# Sessions


def test_sign_in_changes_the_session_key_and_clears_the_session(code_page):
    before = code_page.session.session_key
    try_code(code_page, code_for(ALICE))
    assert code_page.session.session_key != before
    assert not Session.objects.filter(session_key=before).exists()
    assert not {"sign_in", "sign_up", "browser", "confirm", "next"} & set(code_page.session.keys())


def test_old_session_cookie_is_invalid_after_sign_out(code_page):
    try_code(code_page, code_for(ALICE))
    stolen = twin(code_page)
    assert is_signed_in(stolen)
    response = code_page.post("/sign-out/")
    assert response["Location"] == "/"
    assert not is_signed_in(stolen)
    assert not is_signed_in(code_page)


def test_sign_out_requires_post(aurora, alice, browse):
    client = browse(AURORA, alice)
    assert client.get("/sign-out/").status_code == 405
    assert is_signed_in(client)


@pytest.mark.parametrize("direction", ["aurora to borealis", "borealis to aurora"])
def test_session_cookie_is_invalid_at_the_other_brand(aurora, borealis, alice, charlie, browse, direction):
    own_host, other_host = (AURORA, BOREALIS) if direction.startswith("aurora") else (BOREALIS, AURORA)
    client, other = browse(own_host, alice if own_host == AURORA else charlie), browse(other_host)
    assert is_signed_in(client)
    other.cookies = SimpleCookie({name: morsel.value for name, morsel in client.cookies.items()})
    assert not is_signed_in(other)
    assert "Sign in" in words(other.get("/"))


def test_session_of_a_disabled_customer_ends_at_once(aurora, alice, browse):
    client = browse(AURORA, alice)
    alice.is_active = False
    alice.save()
    assert not is_signed_in(client)


# Redirect to the requested page


def test_sign_in_redirects_to_the_requested_page(aurora, alice, browse):
    client = browse(AURORA)
    response = client.get("/statement/?from_date=2020-01-01&to_date=2020-01-31")
    page = client.get(response["Location"])
    second = send(client, "/sign-in/", {"email": "no address", "next": value_of(page, "next")})
    send(client, "/sign-in/", {"email": ALICE, "next": value_of(second, "next")})
    client.get("/sign-in/")  # For a new code, as the code page offers it.
    answer = sign_in(client, ALICE)
    assert answer["Location"] == "/statement/?from_date=2020-01-01&to_date=2020-01-31"


def test_sign_up_redirects_to_the_requested_page_too(aurora, simulator, browse):
    client = browse(AURORA)
    page = client.get("/statement/", follow=True)
    link = re.search(r'href="(/sign-up/\?[^"]*)"', page.content.decode())[1]
    assert send(client, link, sign_up_form(simulator.token())).status_code == 302
    assert sign_in(client, DETAILS["email"])["Location"] == "/statement/"


def test_welcome_page_takes_the_address_right_there(aurora, alice, browse):
    client = browse(AURORA)
    page = client.get("/").content.decode()
    form = re.search(r'<form method="post" action="/sign-in/".*?</form>', page, re.DOTALL)[0]
    assert 'name="email"' in form
    assert "Email me a code" in form
    assert 'href="/sign-up/"' in form
    assert sign_in(client, ALICE)["Location"] == "/"


def test_welcome_page_offers_no_closed_sign_up(aurora, browse):
    type(aurora).objects.update(signup_open=False)
    assert 'href="/sign-up/"' not in browse(AURORA).get("/").content.decode()


def test_welcome_page_fills_in_the_address_that_this_browser_gave(aurora, browse):
    client = browse(AURORA)
    send(client, "/sign-in/", {"email": ALICE})
    assert value_of(client.get("/"), "email") == ALICE
    assert value_of(browse(AURORA).get("/"), "email") is None


@pytest.mark.parametrize("path", ["/account/", "/account/email/", "/account/open/"])
def test_form_without_a_session_is_said_to_be_lost(aurora, browse, path):
    answer = send(browse(AURORA), path, {"email": "a@b.example"})
    assert answer["Location"] == f"/sign-in/?next={path}&why=sent"
    page = browse(AURORA).get(answer["Location"])
    assert "We didn't save the form you just sent. Sign in and send it again." in words(page)
    assert value_of(page, "next") == path
    assert browse(AURORA).get(path)["Location"] == f"/sign-in/?next={path}"


def test_redirect_to_the_sign_in_of_staff_is_djangos(admin_client, browse):
    answer = browse(ADMIN).post("/admin/portal/brand/")
    assert "why=sent" not in answer["Location"]


def test_viewing_pages_starts_no_session(aurora, browse):
    client = browse(AURORA)
    for path in (
        "/statement/?from_date=2020-01-01",
        "/sign-in/?next=/statement/",
        "/sign-up/?next=/account/",
    ):
        assert client.get(path, follow=True).status_code == 200
    for path in routes("portal.urls.brand"):
        client.get("/" + re.sub(r"<[^>]*>", "es", path))
    assert not Session.objects.exists()
    assert "__Host-session" not in client.cookies


def test_link_in_carrier_email_starts_a_session_of_one_day(aurora, browse):
    browse(AURORA).get("/sign-up/confirm/?email=dora@example.com&code=x")
    left = Session.objects.get().expire_date - timezone.now()
    assert left <= timedelta(days=1)


@pytest.mark.parametrize(
    "next_url",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "http://aurora.test/",
        "https://borealis.test/",
        "statement",
        "",
        "/" + "a" * 600,
    ],
)
def test_next_url_of_another_host_is_ignored(aurora, alice, browse, next_url):
    client = browse(AURORA)
    assert value_of(client.get("/sign-in/?next=/account/"), "next") == "/account/"
    assert 'name="next"' not in client.get("/sign-in/", {"next": next_url}).content.decode()
    send(client, f"/sign-in/?{urlencode({'next': next_url})}", {"email": ALICE, "next": next_url})
    assert try_code(client, code_for(ALICE))["Location"] == "/"
    assert client.get("/sign-in/", {"next": next_url})["Location"] == "/"


def test_sign_in_page_redirects_a_signed_in_customer(aurora, alice, browse):
    assert browse(AURORA, alice).get("/sign-in/?next=/statement/")["Location"] == "/statement/"


def test_customer_is_informed_of_a_refused_account_number(aurora, alice, browse):
    alice.refused_account_number = "666"
    alice.save()
    client = browse(AURORA)
    sign_in(client, ALICE)
    page = words(client.get("/account/open/"))
    assert "a different account number" in page
    assert "help@aurora.example" in page
    assert "666" not in page
