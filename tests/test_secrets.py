"""Canaries: key, token, password, code and login URL stand nowhere but where they belong."""

import logging
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.signals import got_request_exception
from django.db import connection
from django.test import Client
from django.views.debug import ExceptionReporter

from portal.crypto import seal
from portal.logs import JsonFormatter
from tests.conftest import AURORA
from tests.journey import PASSWORD, carrier_code, code_for, send, sign_up_form, words

pytestmark = pytest.mark.django_db
DORA = "dora@example.com"
KEY, SECRET = "canary-api-key", "canary-secret-key"


def database() -> str:
    """Every value of every column of every table, and the sessions decoded."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        rows = [row for table in tables for row in _rows(cursor, table)]
    return str(rows) + str([session.get_decoded() for session in Session.objects.all()])


def _rows(cursor: Any, table: str) -> list[Any]:
    cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
    return list(cursor.fetchall())


def logged(caplog: Any) -> str:
    """All lines with all their fields, except those of HTTP libraries' own debugging."""
    ours = [record for record in caplog.records if not record.name.startswith(("urllib3", "requests"))]
    return "\n".join(JsonFormatter().format(record) + str(vars(record)) for record in ours)


@pytest.fixture
def canaries(aurora, simulator) -> None:
    """Aurora with secrets that can be recognised, at the carrier too."""
    simulator.post(
        "seed",
        partners=[
            {
                "key": KEY,
                "name": "Canary",
                "site_key": "canary-site-key",
                "secret_key": SECRET,
                "login_wants": ["password"],
            }
        ],
    )
    aurora.carrier_key, aurora.recaptcha_secret_key = seal(KEY), seal(SECRET)
    aurora.recaptcha_site_key = "canary-site-key"
    aurora.save()
    aurora.overrides.create(method="login_via_url", parameters={"password": "password"})


def test_the_whole_journey_leaves_no_secret_behind(canaries, simulator, browse, caplog):
    caplog.set_level(logging.DEBUG)
    for name in ("django", "django.request", "django.template", "portal", "accounts", "portal.voipline"):
        caplog.set_level(logging.DEBUG, name)
    client = browse(AURORA)
    tokens = [simulator.token("canary-site-key") for _ in range(5)]
    pages = [client.get("/sign-up/")]
    pages += [send(client, "/sign-up/", sign_up_form(tokens[0]))]
    carriers = carrier_code(simulator, DORA)
    pages += [
        client.get("/sign-up/confirm/", {"email": DORA, "code": carriers}),
        client.get("/sign-up/confirm/"),
    ]
    data = {"email": DORA, "code": carriers, "g-recaptcha-response": tokens[1]}
    pages += [send(client, "/sign-up/confirm/", data), client.get("/sign-in/code/")]
    codes = [code_for(DORA)]
    pages += [send(client, "/sign-in/", {"email": DORA, "g-recaptcha-response": tokens[2]})]
    codes += [code_for(DORA)]
    pages += [send(client, "/sign-in/code/", {"code": "12345678"})]
    before = database()
    pages += [
        send(client, "/sign-in/code/", {"code": codes[1]}),
        client.get("/"),
        client.get("/account/open/"),
    ]
    opened = send(client, "/account/open/", {"g-recaptcha-response": tokens[3], "password": PASSWORD})
    assert opened.status_code == 303, words(opened)
    pages += [send(client, "/password-reset/", {"email": DORA, "g-recaptcha-response": tokens[4]})]
    ticket = opened["Location"].partition("ticket=")[2]

    everywhere = {
        "log": logged(caplog),
        "database": before + database(),
        "cookies": str(client.cookies),
        "pages": "".join(page.content.decode() + str(page.items()) for page in pages),
    }
    for secret in (KEY, SECRET, PASSWORD, ticket, *tokens, *codes):
        for place, text in everywhere.items():
            assert secret not in text, f"{secret} in {place}"
    assert carriers not in everywhere["log"] + everywhere["database"] + everywhere["cookies"]
    assert "carrier call" in everywhere["log"]
    for secret in (KEY, SECRET, PASSWORD, ticket, carriers, *tokens):
        assert not any(secret in str(message.message()) for message in mail.outbox)
    for code in codes:
        assert sum(code in str(message.body) for message in mail.outbox) == 1


def test_faults_leave_no_secret_in_the_log(canaries, simulator, browse, caplog):
    caplog.set_level(logging.DEBUG)
    token = simulator.token("canary-site-key")
    for fault in ("drop_after", "html", "truncated", "redirect", "wrong_json"):
        simulator.fault("register_customer", fault, **({"message": "types"} if fault == "wrong_json" else {}))
        send(browse(AURORA), "/sign-up/", sign_up_form(f"{token}-{fault}"))
    for secret in (KEY, PASSWORD, token):
        assert secret not in logged(caplog) + database()


@pytest.fixture
def reports() -> Any:
    """The error reports, as text and as HTML, of every request that ends in an exception."""
    texts: list[str] = []

    def note(sender: Any, request: Any, **_: Any) -> None:
        import sys

        reporter = ExceptionReporter(request, *sys.exc_info(), is_email=True)
        texts.extend((reporter.get_traceback_text(), reporter.get_traceback_html()))

    got_request_exception.connect(note)
    yield texts
    got_request_exception.disconnect(note)


def break_carrier(monkeypatch: Any) -> None:
    def broken(*args: object, **values: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("portal.upstream.voipline_call", broken)


def test_an_error_report_tells_neither_what_was_typed_nor_who_it_was(
    canaries, simulator, browse, monkeypatch, reports, caplog
):
    caplog.set_level(logging.DEBUG)
    break_carrier(monkeypatch)
    client: Client = browse(AURORA)
    client.raise_request_exception = False
    client.get("/sign-up/")
    cookie = client.cookies["__Host-session"].value
    token = simulator.token("canary-site-key")
    sign_up = send(client, "/sign-up/", sign_up_form(token))
    confirm = {"email": DORA, "code": "canary-carrier-code", "g-recaptcha-response": token + "2"}
    confirmation = send(client, "/sign-up/confirm/", confirm)
    assert (sign_up.status_code, confirmation.status_code) == (500, 500)
    assert "Something went wrong on our side" in words(sign_up)
    assert len(reports) == 4
    for text in (*reports, logged(caplog)):
        assert "a bug" in text
        for secret in (KEY, PASSWORD, token, "canary-carrier-code", cookie, DORA, "0199"):
            assert secret not in text


def test_a_code_being_signed_in_with_is_in_no_error_report(aurora, alice, browse, monkeypatch, reports):
    client = browse(AURORA)
    client.raise_request_exception = False
    send(client, "/sign-in/", {"email": alice.email})
    code = code_for(alice.email)

    def broken(*args: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("accounts.codes.customer_verified", broken)
    assert send(client, "/sign-in/code/", {"code": code}).status_code == 500
    assert len(reports) == 2
    for text in reports:
        assert code not in text
        assert client.cookies["__Host-session"].value not in text


def test_a_link_whose_session_cannot_be_kept_puts_its_code_into_no_error_report(
    aurora, browse, monkeypatch, reports
):
    def broken(*args: object, **_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.save", broken)
    client = browse(AURORA)
    client.raise_request_exception = False
    client.get("/sign-up/confirm/", {"email": DORA, "code": "canary-carrier-code"})
    assert len(reports) == 2
    for text in reports:
        assert "canary-carrier-code" not in text


def test_after_an_unforeseen_failure_the_same_form_reports_an_unclear_outcome(
    canaries, simulator, browse, monkeypatch
):
    client = browse(AURORA)
    client.raise_request_exception = False
    form = sign_up_form(simulator.token("canary-site-key"))
    with monkeypatch.context() as patch:
        break_carrier(patch)
        assert send(client, "/sign-up/", form).status_code == 500
    response = send(client, "/sign-up/", form)
    assert response.status_code == 503
    assert "may have worked" in words(response)
    assert simulator.calls() == []
