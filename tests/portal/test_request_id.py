"""Request IDs: on each response, in log lines, and on pages that report a failure."""

import json
import logging
import re

import pytest
from django.db import Error
from django.test import Client

from portal.carrier import calls as carrier_calls
from portal.monitoring.logging import JsonFormatter, RequestIdFilter, TextFormatter
from portal.resilience import rate_limits
from portal.voipline import UpstreamError
from portal.web import request_id
from tests.conftest import ADMIN, AURORA
from tests.support.customer_flow import words

FORM = re.compile(r"[2-9C-Y]{4}-[2-9C-Y]{4}\Z")


@pytest.fixture
def lines():
    """Lines written by the portal's log handler."""
    found: list[dict[str, object]] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(json.loads(self.format(record)))

    handler = Collector()
    handler.setFormatter(JsonFormatter())
    handler.addFilter(RequestIdFilter())
    logging.getLogger().addHandler(handler)
    yield found
    logging.getLogger().removeHandler(handler)


def test_request_id_is_short_unambiguous_and_spells_no_words():
    found = {request_id.new_request_id() for _ in range(500)}
    assert len(found) == 500
    assert all(FORM.match(each) for each in found)
    assert not set("".join(found)) & set("01ILOSZB8AEU")


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        (AURORA, "/", 200),
        (AURORA, "/brand.css", 200),
        (AURORA, "/statement/", 302),
        (AURORA, "/nowhere/", 404),
        (AURORA, "/sign-out/", 405),
        (ADMIN, "/admin/login/", 200),
        ("unknown.test", "/", 400),
        ("unknown.test", "/healthz", 200),
        ("unknown.test", "/readyz", 200),
    ],
)
def test_every_response_has_a_new_request_id(aurora, host, path, status):
    sent = {"host": host, "x-request-id": "K7QF-2MPX"}
    first, second = (Client(headers=sent).get(path) for _ in range(2))
    assert first.status_code == status
    ids = [answer.headers["X-Request-ID"] for answer in (first, second)]
    assert all(FORM.match(each) for each in ids)
    assert len({*ids, "K7QF-2MPX"}) == 3


def test_only_log_lines_of_a_request_carry_its_id(aurora, browse, lines, monkeypatch):
    def fail(_: str) -> None:
        raise Error

    monkeypatch.setattr("portal.middleware.brand.get_brand_for_host", fail)
    ids = [browse(AURORA).get("/").headers["X-Request-ID"] for _ in range(2)]
    # Ours, and Django's when the response is ready.
    assert [line["logger"] for line in lines] == ["portal.middleware.brand", "django.request"] * 2
    assert [line["request_id"] for line in lines] == [ids[0], ids[0], ids[1], ids[1]]
    logging.getLogger("portal").warning("later")
    assert "request_id" not in lines[-1]


def test_text_log_line_has_the_request_id_as_a_field():
    record = logging.makeLogRecord({"name": "portal", "msg": "said"})
    token = request_id.current.set("K7QF-2MPX")
    RequestIdFilter().filter(record)
    request_id.current.reset(token)
    assert TextFormatter().format(record).endswith(" said request_id=K7QF-2MPX")


def test_carrier_thread_has_the_request_id_of_its_caller(aurora, monkeypatch):
    seen_ids = []
    monkeypatch.setattr(
        "portal.voipline.http_exchange.run", lambda *_: seen_ids.append(request_id.current.get()) or 1 / 0
    )
    token = request_id.current.set("K7QF-2MPX")
    with pytest.raises(UpstreamError):
        carrier_calls.call(brand=aurora, method="partner_balance", from_date=None, to_date=None)
    request_id.current.reset(token)
    assert set(seen_ids) == {"K7QF-2MPX"}


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        (AURORA, "/sign-out/", 405),
        ("x.test", "/", 400),
    ],
)
def test_error_page_shows_its_request_id(aurora, operator, browse, host, path, status):
    answer = browse(host, operator if host == ADMIN else None).get(path)
    assert answer.status_code == status
    assert f"Support reference: {answer.headers['X-Request-ID']}" in words(answer)


@pytest.mark.parametrize("host", [AURORA, ADMIN])
def test_page_that_does_not_exist_shows_no_reference(aurora, operator, browse, host):
    answer = browse(host, operator if host == ADMIN else None).get("/nowhere/")
    assert (answer.status_code, "Support reference" in words(answer)) == (404, False)


def test_500_page_shows_the_request_id_of_its_log_line(alice, browse, monkeypatch, lines):
    monkeypatch.setattr("billing.views.balance.periods.today", lambda *_: 1 / 0)
    client = browse(AURORA, alice)
    client.raise_request_exception = False
    answer = client.get("/")
    assert answer.status_code == 500
    shown = answer.headers["X-Request-ID"]
    assert f"Support reference: {shown}" in words(answer)
    assert [line["request_id"] for line in lines if "traceback" in line] == [shown]


def test_unavailable_form_shows_request_id_but_invalid_input_does_not(aurora, simulator, browse):
    simulator.fault("reset_password", "status", status=503)
    client, form = browse(AURORA), {"email": "alice@example.com"}
    answer = client.post("/password-reset/", {**form, "g-recaptcha-response": simulator.token()})
    assert answer.status_code == 503
    assert f"Support reference: {answer.headers['X-Request-ID']}" in words(answer)
    assert "Support reference" not in words(client.post("/password-reset/", form))


def test_rate_limit_page_shows_the_request_id(aurora, operator, browse, monkeypatch):
    monkeypatch.setitem(rate_limits.REDIS_LIMITS, "sign_in_post", {"network": "1/hour"})
    monkeypatch.setitem(rate_limits.REDIS_LIMITS, "admin_sign_in", {"network": "1/hour"})
    for host, path in ((AURORA, "/sign-in/"), (ADMIN, "/admin/login/")):
        for _ in range(2):
            answer = browse(host).post(path, {"email": "nobody@example.com"})
        assert answer.status_code == 429
        assert f"Support reference: {answer.headers['X-Request-ID']}" in words(answer)


def test_unavailable_figures_show_the_request_id(simulator, alice, browse):
    simulator.fault("customer_balance", "status", status=503)
    answer = browse(AURORA, alice).get("/")
    assert answer.status_code == 503
    assert f"Support reference: {answer.headers['X-Request-ID']}" in words(answer)
