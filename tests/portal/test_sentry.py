"""Sentry reports: where a fault is, without personal data."""

import gzip
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import sentry_sdk

from portal.monitoring import sentry
from tests.conftest import AURORA
from tests.support.timeouts import SLACK

pytestmark = pytest.mark.django_db
CANARY = "canary-of-"  # Separate, because source lines around a fault are reported.


@pytest.fixture
def received() -> Iterator[list[str]]:
    """The reports a fake Sentry server receives, decompressed."""
    bodies: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            zipped = self.headers.get("Content-Encoding") == "gzip"
            bodies.append((gzip.decompress(body) if zipped else body).decode() + str(self.headers))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sentry.start(f"http://key@127.0.0.1:{server.server_port}/1")
        yield bodies
        sentry_sdk.get_client().close(timeout=2)
        sentry_sdk.get_global_scope().set_client(None)
        server.shutdown()


def test_error_is_reported_without_visitor_data(received, alice, browse, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        local = CANARY + "a-local-variable"
        raise RuntimeError(CANARY + local)

    monkeypatch.setattr("billing.views.balance.get_statement", broken)
    client = browse(AURORA, alice, HTTP_X_CANARY=CANARY + "a-header", REMOTE_ADDR=".".join(["127.0.0", "77"]))
    client.cookies["other"] = CANARY + "a-cookie"
    client.raise_request_exception = False
    session = client.cookies["__Host-session"].value
    answer = client.get(f"/statement/?from_date=2020-01-01&to_date=2020-01-31&canary={CANARY}a-query")
    assert answer.status_code == 500
    sentry_sdk.flush(5)
    report = "".join(received)
    assert "RuntimeError" in report
    assert "broken" in report
    for private in (
        "canary-of",
        session,
        "alice@example.com",
        "Archer",
        "70001",
        "203.0.113.77",
        "2020-01-01",
    ):
        assert private not in report, private


def test_logged_error_is_reported_with_brand_and_request_id_only(received):
    extra = {"brand": "aurora", "email": "canary@example.com", "why": "canary words", "outcome": "NoAnswer"}
    logging.getLogger("portal.carrier.calls").error("carrier call %s", "canary-argument", extra=extra)
    sentry_sdk.flush(5)
    (report,) = received
    event = json.loads(report.splitlines()[2])
    assert event["logentry"] == {"message": "carrier call %s"}
    assert event["extra"] == {"brand": "aurora", "outcome": "NoAnswer"}
    assert event["tags"]["brand"] == "aurora"
    assert "canary" not in report


def test_warning_is_not_reported(received):
    logging.getLogger("portal.carrier.calls").warning("limit reached")
    sentry_sdk.flush(5)
    assert received == []


def test_silent_sentry_does_not_delay_requests(received):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        sentry.start(f"http://key@127.0.0.1:{silent.getsockname()[1]}/1")
        began = time.monotonic()
        logging.getLogger("portal.carrier.calls").error("carrier call")
        assert time.monotonic() - began < SLACK
