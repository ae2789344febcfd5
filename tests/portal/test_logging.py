"""Logging: nothing a visitor sends can look like a log line of ours, and no address or secret is written."""

import json
import logging
import socket
import sys
import threading
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.test import Client

from portal.monitoring.logging import JsonFormatter, TextFormatter
from tests.conftest import AURORA
from tests.support.gunicorn_server import run_gunicorn
from tests.support.timeouts import PATIENCE

FORGED = "2026-01-31T10:00:00.000+00:00 INFO portal.carrier.calls carrier call brand=aurora status=200"
ENDS = ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"]


def record(message: str = "an event", error: Exception | None = None, **extra: Any) -> logging.LogRecord:
    log_record = logging.makeLogRecord({"msg": message, "name": "portal", "levelname": "ERROR", **extra})
    try:
        if error:
            raise error
    except Exception:
        log_record.exc_info = sys.exc_info()
    return log_record


@pytest.mark.parametrize("end", ENDS)
def test_messages_and_fields_cannot_start_a_new_line(end):
    for log_record in (record(f"x{end}{FORGED}"), record(who=f"x{end}{FORGED}")):
        assert len(TextFormatter().format(log_record).splitlines()) == 1


@pytest.mark.parametrize("end", ENDS)
def test_every_line_of_a_traceback_is_marked(end):
    lines = TextFormatter().format(record(error=ValueError(f"x{end}{FORGED}{end}\x1b[2J"))).splitlines()
    assert lines[0].endswith("ERROR portal an event")
    assert len(lines) > 3
    assert all(line.startswith("  | ") for line in lines[1:])
    assert "\x1b" not in "".join(lines)


def test_record_without_an_error_is_one_line():
    assert TextFormatter().format(record(status=200)).endswith("ERROR portal an event status=200")


@pytest.mark.parametrize("end", ENDS)
def test_json_record_with_traceback_is_one_line(end):
    text = JsonFormatter().format(record(error=ValueError(f"x{end}{FORGED}")))
    assert len(text.split("\n")) == 1
    assert FORGED in json.loads(text)["traceback"]


def test_unparsable_response_headers_are_not_logged(caplog):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with listener.accept()[0] as connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nCANARY\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with requests.Session() as session:
            session.trust_env = False
            assert (
                session.get(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout=PATIENCE).status_code
                == 200
            )
        thread.join()
    assert "CANARY" not in caplog.text


BROKEN_REQUESTS = [
    b"GET /sign-up/confirm/?email=a@example.com&code=CANARY&x=\xf6 HTTP/1.1\r\nHost: x.test\r\n\r\n",
    b"GET /?CANARY HTTP/9.9\r\nHost: x.test\r\n\r\n",
    b"CANARY{} / HTTP/1.1\r\nHost: x.test\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x.test\r\nAuthorization CANARY\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x.test\r\nTransfer-Encoding: CANARY\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x.test\r\nX: a\r\n CANARY\r\n\r\n",
]


def test_content_of_unparsable_requests_is_not_logged(tmp_path):
    with run_gunicorn(tmp_path, WEB_CONCURRENCY="1") as portal:
        for request in BROKEN_REQUESTS:
            assert portal.raw(request).startswith(b"HTTP/1.1 "), request
        log = portal.wait_for_log("Invalid request", len(BROKEN_REQUESTS))
    assert "CANARY" not in log
    assert "127.0.0.1" not in log.partition("Listening at")[2].partition("\n")[2]


def test_gunicorn_error_log_has_the_traceback_but_not_the_url(tmp_path):
    broken = "def pre_request(worker, request): raise RuntimeError('in the hook')\n"
    (tmp_path / "config.py").write_text(f"from portal.gunicorn import *\n{broken}")
    with run_gunicorn(tmp_path, str(tmp_path / "config.py"), WEB_CONCURRENCY="1") as portal:
        assert portal.get("/?code=CANARY").status_code == 500
        log = portal.wait_for_log("RuntimeError: in the hook")
    assert "Error handling request" in log
    assert "CANARY" not in log


def test_head_response_has_content_length_and_no_warning(tmp_path):
    with run_gunicorn(tmp_path, WEB_CONCURRENCY="1") as portal:
        page = portal.get("/").content
        answers = [
            portal.raw(b"HEAD %s HTTP/1.1\r\nHost: x.test\r\nConnection: close\r\n\r\n" % path)
            for path in (b"/", b"/healthz")
        ]
        log = portal.wait_for_log("portal.monitoring.middleware request", 2)
    for answer, length in zip(answers, (len(page), len("ok\n")), strict=True):
        head, _, nothing = answer.partition(b"\r\n\r\n")
        assert f"Content-Length: {length}".encode() in head
        assert not nothing
    assert "WSGI app sent body bytes" not in log


def test_gunicorn_writes_no_access_log(tmp_path):
    shown = 'logconfig_dict["loggers"]["gunicorn.access"] = {"level": "INFO", "handlers": ["stderr"]}\n'
    (tmp_path / "config.py").write_text(f"from portal.gunicorn import *\n{shown}")
    with run_gunicorn(tmp_path, str(tmp_path / "config.py"), WEB_CONCURRENCY="1") as portal:
        assert portal.get("/?code=CANARY").status_code == 503
        portal.get("/?code=CANARY")
        log = portal.wait_for_log("portal.monitoring.middleware request", 2)
    assert "gunicorn.access" not in log
    assert "CANARY" not in log


def test_json_line_has_event_and_fields_unescaped():
    log_record = record("é %s", args=("é",), created=0, when=timedelta(1), request=object(), account="70001")
    assert json.loads(JsonFormatter().format(log_record)) == {
        "time": "1970-01-01T00:00:00.000+00:00",
        "level": "ERROR",
        "logger": "portal",
        "event": "é é",
        "when": "1 day, 0:00:00",
        "account": "70001",
    }
    assert "é" in JsonFormatter().format(log_record)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [TextFormatter().format(record) for record in caplog.records]


@pytest.mark.django_db
def test_django_logs_no_second_line_about_a_refused_request(aurora, browse, caplog):
    caplog.set_level("INFO")
    client = browse(AURORA)
    answers = [client.get("/nowhere/CANARY/"), client.put("/language/CANARY/"), client.get("/brand/logo")]
    assert [answer.status_code for answer in answers] == [404, 405, 404]
    assert all(" INFO portal.monitoring.middleware request " in line for line in lines(caplog))
    assert len(caplog.records) == len(answers)
    assert "CANARY" not in caplog.text


@pytest.mark.django_db
def test_path_of_a_failed_request_is_not_logged(aurora, browse, caplog, monkeypatch):
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("portal.brands.views.get_next_url", broken)
    client = browse(AURORA)
    client.raise_request_exception = False
    assert client.get("/language/es/?CANARY").status_code == 500
    (line,) = [line for line in lines(caplog) if " ERROR django.request " in line]
    assert " ERROR django.request Internal Server Error: language status_code=500 " in line
    assert "RuntimeError: a bug" in line
    assert "/language/es/" not in line


@pytest.mark.django_db
@pytest.mark.parametrize("header", ["Origin", "Referer"])
def test_csrf_failure_is_logged_with_its_reason_but_not_its_url(aurora, caplog, header):
    client = Client(enforce_csrf_checks=True, HTTP_HOST=AURORA)
    elsewhere = {header: "https://elsewhere.test/?CANARY"}
    client.cookies["__Host-csrf"] = "a" * 32
    assert client.post("/sign-in/", {}, secure=True, headers=elsewhere).status_code == 403
    (line,) = [line for line in lines(caplog) if "django.security.csrf" in line]
    assert f"Forbidden ({header} checking failed): accounts:sign_in" in line
    assert "CANARY" not in line
    assert "elsewhere" not in line
