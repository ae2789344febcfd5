"""Signing in by code: eight digits, ten minutes, once, three tries, this browser, this brand."""

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
from tests.conftest import AURORA, BOREALIS
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
def asked(aurora, alice, browse) -> Any:
    """Alice's browser after she asked for a code."""
    client = browse(AURORA)
    assert send(client, "/sign-in/", {"email": ALICE})["Location"] == "/sign-in/code/"
    return client


def try_code(client: Any, code: str) -> Any:
    return send(client, "/sign-in/code/", {"code": code})


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**8:08d}"


def is_signed_in(client: Any) -> bool:
    return client.get("/account/open/").status_code == 200


def test_a_mailed_code_signs_in(asked):
    assert re.fullmatch(r"\d{8}", code_for(ALICE))
    assert not is_signed_in(asked)
    assert try_code(asked, code_for(ALICE))["Location"] == "/"
    assert is_signed_in(asked)


def test_the_mail_comes_from_the_brand_and_links_to_its_own_host(asked):
    (message,) = mail.outbox
    assert message.from_email == "Aurora Phone <no-reply@aurora.example>"
    assert "https://aurora.test/" in message.body
    assert code_for(ALICE) not in message.subject


def test_codes_differ_and_fill_the_whole_range(aurora, alice, browse):
    codes = set()
    for nth in range(10):
        send(browse(AURORA, REMOTE_ADDR=f"10.0.0.{nth}"), "/sign-in/", {"email": ALICE})
        codes.add(code_for(ALICE))
    assert len(codes) == 10
    assert len({code[0] for code in codes}) > 1


def test_blanks_and_hyphens_in_a_code_do_not_matter(asked):
    code = code_for(ALICE)
    assert try_code(asked, f" {code[:4]}-{code[4:]} ").status_code == 302


@pytest.mark.parametrize("text", ["1234567", "123456789", "1234567a", "12345678 or 87654321", ""])
def test_what_is_no_code_costs_no_try(asked, text):
    assert try_code(asked, text).status_code == 200
    assert SignInCode.objects.get().tries == 0


def test_a_code_lives_ten_minutes(asked):
    row = SignInCode.objects.get()
    assert row.expires_at - row.created_at == timedelta(minutes=10)
    SignInCode.objects.update(expires_at=timezone.now() - timedelta(milliseconds=1))
    assert "can no longer be used" in words(try_code(asked, code_for(ALICE)))
    assert not is_signed_in(asked)


def test_a_code_works_once(asked):
    again = twin(asked)
    session = dict(asked.session)
    try_code(asked, code_for(ALICE))
    store = again.session
    store.update(session)
    store.save()
    again.cookies["__Host-session"] = store.session_key
    assert "can no longer be used" in words(try_code(again, code_for(ALICE)))


def test_the_third_wrong_try_ends_the_code(asked):
    code = code_for(ALICE)
    answers = [words(try_code(asked, wrong(code))) for _ in range(3)]
    assert ["2 more times" in answers[0], "1 more time." in answers[1], "no longer" in answers[2]] == [
        True
    ] * 3
    assert "no longer be used" in words(try_code(asked, code))
    assert not is_signed_in(asked)


def test_the_third_try_may_still_be_the_right_one(asked):
    code = code_for(ALICE)
    for _ in range(2):
        try_code(asked, wrong(code))
    assert try_code(asked, code).status_code == 302


def test_parallel_tries_never_exceed_three(threads, aurora, alice, asked):
    code = code_for(ALICE)
    answers = at_once(12, lambda nth: words(try_code(twin(asked), wrong(code))))
    assert sum("You can try" in answer for answer in answers) <= 3
    assert SignInCode.objects.get().tries == 3
    assert "no longer be used" in words(try_code(asked, code))


def test_parallel_right_codes_sign_in_once(threads, aurora, alice, asked):
    code = code_for(ALICE)
    answers = at_once(3, lambda nth: try_code(twin(asked), code).get("Location"))
    assert answers.count("/") == 1


def test_another_browser_cannot_use_the_code(asked, browse, bob):
    other = browse(AURORA)
    assert try_code(other, code_for(ALICE))["Location"] == "/sign-in/?why=code"
    send(other, "/sign-in/", {"email": "bob@example.com"})
    assert try_code(other, code_for(ALICE)).status_code == 200
    assert not is_signed_in(other)


def test_another_brand_cannot_use_the_code(asked, borealis, make_customer, browse):
    make_customer(borealis, ALICE, "80002")
    code = code_for(ALICE)
    other = browse(BOREALIS)
    send(other, "/sign-in/", {"email": ALICE})
    assert try_code(other, code).status_code == 200
    assert not is_signed_in(other)


def test_a_code_of_another_brand_does_not_work_even_with_the_whole_session(asked, borealis, browse):
    session = dict(asked.session)
    other = browse(BOREALIS)
    store = other.session
    store.update({**session, "realm": f"brand-{borealis.pk}"})
    store.save()
    assert "can no longer be used" in words(try_code(other, code_for(ALICE)))


def test_a_code_for_a_customer_who_was_switched_off_does_not_sign_in(asked, alice):
    alice.is_active = False
    alice.save()
    assert try_code(asked, code_for(ALICE)).status_code == 200
    assert not is_signed_in(asked)


def test_neither_the_code_nor_its_bare_hash_is_kept(asked):
    import hashlib

    code = code_for(ALICE)
    stored = str(SignInCode.objects.values().get()) + str(asked.session.items())
    assert code not in stored
    assert code not in str(asked.cookies)
    assert hashlib.sha256(code.encode()).hexdigest() not in stored


def test_old_codes_are_cleared_away(asked, browse):
    SignInCode.objects.update(expires_at=timezone.now() - timedelta(days=2))
    Attempt.objects.update(at=timezone.now() - timedelta(days=2))
    send(browse(AURORA), "/sign-in/", {"email": ALICE})
    assert (SignInCode.objects.count(), Attempt.objects.count()) == (1, 1)


# Unknown addresses


def seen(client: Any, email: str) -> tuple[Any, ...]:
    """All that a visitor can tell two answers apart by."""
    answers = [send(client, "/sign-in/", {"email": email}), client.get("/sign-in/code/")]
    answers.append(try_code(client, "00000000"))
    answers.append(client.get("/sign-in/"))

    def headers(response: Any) -> dict[str, str]:
        told = {**response.headers, "X-Request-ID": ""}
        policy = re.sub(r"nonce-[^']+", "", response["Content-Security-Policy"])
        return {**told, "Content-Security-Policy": str(sorted(policy.split("; ")))}

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


def test_an_unknown_address_looks_like_a_known_one_and_gets_one_mail(aurora, alice, browse):
    assert seen(browse(AURORA), ALICE) == seen(browse(AURORA), "zelda@example.com")
    assert [message.to for message in mail.outbox] == [[ALICE], ["zelda@example.com"]]
    text = mail.outbox[1].body
    assert "no account" in text
    assert "/sign-up/" in text
    assert "help@aurora.example" in text
    assert not re.search(r"\b\d{8}\b", text)


def test_a_customer_who_was_switched_off_reads_whom_to_ask_and_strangers_learn_nothing(
    aurora, alice, make_customer, browse
):
    off = make_customer(aurora, "ottos@example.com", "70009", first_name="Otto", is_active=False)
    assert seen(browse(AURORA), ALICE) == seen(browse(AURORA), off.email)
    message = mail.outbox[-1]
    assert message.to == [off.email]
    for text in (message.body, message.alternatives[0].content):
        assert "Hello Otto," in text
        assert "sign in" in text
        assert "right now" in text
        assert "help@aurora.example" in text
        assert "sign-up" not in text
        assert "no account" not in text
        assert not re.search(r"\b\d{8}\b", text)
    assert SignInCode.objects.get(user=None)  # Of no use, should he be switched on again.


def test_every_address_costs_the_same_statements_and_the_same_mail(aurora, alice, make_customer, browse):
    """Counted as well as timed: on a busy machine a time proves little."""
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


def test_an_unknown_address_takes_as_long_as_a_known_one(aurora, alice, make_customer, browse):
    for nth in range(30):
        make_customer(aurora, f"known{nth}@example.com")
        make_customer(aurora, f"off{nth}@example.com", is_active=False)
    spent: dict[str, list[float]] = {"known": [], "other": [], "off": []}
    for nth in range(30):
        for at, (kind, times) in enumerate(spent.items()):
            client = browse(AURORA, REMOTE_ADDR=f"10.4.{at}.{nth}")
            began = thread_time()  # What this thread works, whatever else the machine does.
            send(client, "/sign-in/", {"email": f"{kind}{nth}@example.com"})
            times.append(thread_time() - began)
    medians = [median(times) for times in spent.values()]
    assert max(medians) - min(medians) < 0.05


def test_no_code_signs_in_for_an_unknown_address(aurora, alice, browse):
    client = browse(AURORA)
    send(client, "/sign-in/", {"email": "nobody@example.com"})
    row = SignInCode.objects.get()
    assert (row.user, len(row.code_hash)) == (None, 64)


def test_a_customer_of_another_brand_is_unknown_here(aurora, charlie, browse):
    send(browse(AURORA), "/sign-in/", {"email": charlie.email})
    assert "no account" in mail.outbox[0].body


@pytest.fixture
def silent_server() -> Iterator[int]:
    """The port of a mail server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("email", [ALICE, "nobody@example.com"])
def test_a_mail_server_that_says_nothing_holds_nobody_longer_than_the_timeout(
    aurora, alice, browse, settings, silent_server, email
):
    assert settings.EMAIL_TIMEOUT <= 10
    settings.EMAIL_BACKEND = "portal.mail.smtp_backend.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", silent_server, 0.5
    began = perf_counter()
    response = send(browse(AURORA), "/sign-in/", {"email": email})
    assert 0.5 <= perf_counter() - began < SLACK
    assert (response.status_code, response["Retry-After"]) == (503, "120")
    assert "We cannot send mail at the moment" in words(response)
    assert (SignInCode.objects.count(), Attempt.objects.count()) == (0, 0)


@pytest.mark.parametrize("email", [ALICE, "nobody@example.com"])
def test_when_no_mail_goes_out_both_get_the_same_page_and_nothing_is_counted(
    aurora, alice, browse, settings, email
):
    settings.EMAIL_BACKEND = "portal.mail.smtp_backend.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    response = send(browse(AURORA), "/sign-in/", {"email": email})
    assert response.status_code == 503
    assert "We cannot send mail at the moment" in words(response)
    assert value_of(response, "email") == email
    assert (SignInCode.objects.count(), Attempt.objects.count()) == (0, 0)


def test_a_page_that_says_that_nothing_works_comes_although_its_session_cannot_be_kept(
    aurora, browse, monkeypatch, caplog
):
    def gone(*_: Any, **__: Any) -> None:
        raise OperationalError

    client = browse(AURORA)
    client.raise_request_exception = False
    monkeypatch.setattr(SessionStore, "save", gone)
    response = send(client, "/sign-up/", sign_up_form("a-token-of-nobody"))  # Nobody listens there.
    assert response.status_code == 503
    assert "Nothing was changed" in words(response)
    assert "session not kept" in [record.msg for record in caplog.records]


# Sessions


def test_the_session_key_changes_at_sign_in_and_nothing_of_before_remains(asked):
    before = asked.session.session_key
    try_code(asked, code_for(ALICE))
    assert asked.session.session_key != before
    assert not Session.objects.filter(session_key=before).exists()
    assert not {"sign_in", "sign_up", "browser", "confirm", "next"} & set(asked.session.keys())


def test_after_sign_out_the_old_cookie_is_dead(asked):
    try_code(asked, code_for(ALICE))
    stolen = twin(asked)
    assert is_signed_in(stolen)
    response = asked.post("/sign-out/")
    assert response["Location"] == "/"
    assert not is_signed_in(stolen)
    assert not is_signed_in(asked)


def test_sign_out_is_no_link(aurora, alice, browse):
    client = browse(AURORA, alice)
    assert client.get("/sign-out/").status_code == 405
    assert is_signed_in(client)


@pytest.mark.parametrize("direction", ["aurora to borealis", "borealis to aurora"])
def test_a_session_cookie_is_nothing_on_the_other_brand(aurora, borealis, alice, charlie, browse, direction):
    here, there = (AURORA, BOREALIS) if direction.startswith("aurora") else (BOREALIS, AURORA)
    client, other = browse(here, alice if here == AURORA else charlie), browse(there)
    assert is_signed_in(client)
    other.cookies = SimpleCookie({name: morsel.value for name, morsel in client.cookies.items()})
    assert not is_signed_in(other)
    assert "Sign in" in words(other.get("/"))


def test_a_switched_off_customers_session_ends_at_once(aurora, alice, browse):
    client = browse(AURORA, alice)
    alice.is_active = False
    alice.save()
    assert not is_signed_in(client)


# The page that was wanted


def test_after_the_sign_in_the_customer_is_back_at_the_page_that_was_wanted(aurora, alice, browse):
    client = browse(AURORA)
    response = client.get("/statement/?from_date=2020-01-01&to_date=2020-01-31")
    page = client.get(response["Location"])
    again = send(client, "/sign-in/", {"email": "no address", "next": value_of(page, "next")})
    send(client, "/sign-in/", {"email": ALICE, "next": value_of(again, "next")})
    client.get("/sign-in/")  # For a new code, as the code's page offers it.
    answer = sign_in(client, ALICE)
    assert answer["Location"] == "/statement/?from_date=2020-01-01&to_date=2020-01-31"


def test_it_comes_after_a_sign_up_too(aurora, simulator, browse):
    client = browse(AURORA)
    page = client.get("/statement/", follow=True)
    link = re.search(r'href="(/sign-up/\?[^"]*)"', page.content.decode())[1]
    assert send(client, link, sign_up_form(simulator.token())).status_code == 302
    assert sign_in(client, DETAILS["email"])["Location"] == "/statement/"


def test_looking_at_pages_begins_no_session(aurora, browse):
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


def test_a_link_of_the_carriers_mail_begins_a_session_of_a_day(aurora, browse):
    browse(AURORA).get("/sign-up/confirm/?email=dora@example.com&code=x")
    left = Session.objects.get().expire_date - timezone.now()
    assert left <= timedelta(days=1)


@pytest.mark.parametrize(
    "wanted",
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
def test_no_other_host_can_be_wanted(aurora, alice, browse, wanted):
    client = browse(AURORA)
    assert value_of(client.get("/sign-in/?next=/account/"), "next") == "/account/"
    assert 'name="next"' not in client.get("/sign-in/", {"next": wanted}).content.decode()
    send(client, f"/sign-in/?{urlencode({'next': wanted})}", {"email": ALICE, "next": wanted})
    assert try_code(client, code_for(ALICE))["Location"] == "/"
    assert client.get("/sign-in/", {"next": wanted})["Location"] == "/"


def test_the_sign_in_page_sends_a_signed_in_customer_on(aurora, alice, browse):
    assert browse(AURORA, alice).get("/sign-in/?next=/statement/")["Location"] == "/statement/"


def test_a_customer_is_told_of_a_refused_account_number(aurora, alice, browse):
    alice.refused_account_number = "666"
    alice.save()
    client = browse(AURORA)
    sign_in(client, ALICE)
    page = words(client.get("/account/open/"))
    assert "another account number" in page
    assert "help@aurora.example" in page
    assert "666" not in page
