"""/metrics: protected by its token, over all workers, and without labels a visitor can choose."""

import json
import os
import re
import subprocess
import sys

import pytest
from django.db import Error
from django.utils import timezone

from billing.models import Move
from portal.monitoring import metrics
from portal.resilience import bulkhead, circuit_breaker, rate_limits
from tests.conftest import ADMIN, AURORA
from tests.portal.test_circuit_breaker import get_partner_balance, open_breaker
from tests.support.customer_flow import send, sign_up_form
from tests.support.gunicorn_server import TOKEN, run_gunicorn

pytestmark = pytest.mark.django_db


@pytest.fixture
def read(settings, browse):
    """Read the value of a line by its name and labels; 0 if there is none."""
    settings.METRICS_TOKEN = TOKEN

    def value(line: str) -> float:
        page = browse(AURORA).get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        found = re.search(rf"^{re.escape(line)} (\S+)$", page.content.decode(), re.MULTILINE)
        return float(found[1]) if found else 0.0

    return value


@pytest.mark.parametrize("host", [AURORA, ADMIN, "unknown.test"])
def test_metrics_require_the_token_on_any_host(browse, settings, host):
    settings.METRICS_TOKEN = TOKEN
    for headers in (
        {},
        {"Authorization": TOKEN},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": "Bearer é"},
    ):
        refused = browse(host).get("/metrics", headers=headers)
        assert (refused.status_code, b"portal_" in refused.content) == (401, False)
    page = browse(host).get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert page.status_code == 200
    assert page["Cache-Control"] == "no-store"
    assert b"portal_requests_total" in page.content


def test_metrics_are_404_without_a_token_in_the_settings(aurora, browse):
    for headers in ({}, {"Authorization": "Bearer "}):
        assert browse(AURORA).get("/metrics", headers=headers).status_code == 404


def test_requests_are_counted_by_route_and_never_by_path(aurora, browse, read):
    line = 'portal_requests_total{method="GET",route="accounts:sign_in",status="2xx"}'
    before = read(line)
    client = browse(AURORA)
    client.get("/sign-in/?code=a-canary")
    client.get("/canary-of-a-path/")
    client.generic("CANARY", "/sign-in/")
    assert read(line) == before + 1
    assert "canary" not in metrics.text().lower()


def test_carrier_calls_are_counted_by_brand_method_and_outcome(aurora, browse, simulator, read):
    calls = 'portal_carrier_calls_total{brand="aurora",method="register_customer",outcome="%s"}'
    before = read(calls % "ok"), read(calls % "ServerError")
    send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token()))
    simulator.fault("register_customer", "status", status=500)
    send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token(), email="erin@example.com"))
    assert (read(calls % "ok"), read(calls % "ServerError")) == (before[0] + 1, before[1] + 1)
    assert read('portal_carrier_call_seconds_count{brand="aurora",method="register_customer"}') >= 2


def test_rate_limit_hits_are_counted(read, aurora):
    before = read('portal_limits_hit_total{action="refresh"}')
    for _ in range(6):
        rate_limits.consume(action="refresh", account="somebody")
    with pytest.raises(rate_limits.Limited):
        rate_limits.consume(action="refresh", account="somebody")
    assert read('portal_limits_hit_total{action="refresh"}') == before + 1


def test_states_are_current(aurora, borealis, alice, operator, read):
    assert read('portal_breaker_open{brand="aurora"}') == 0
    state = 'portal_moves{brand="%s",state="waiting"}'
    assert read(state % "aurora") == 0
    Move.objects.create(
        brand=aurora,
        customer=alice,
        account_number="70001",
        amount=5,
        description="x",
        asked_by=operator,
        asked_at=timezone.now(),
        state=Move.State.WAITING,
    )
    assert (read(state % "aurora"), read(state % "borealis")) == (1, 0)


def test_states_used_by_alerts_are_exported(aurora, alice, operator, simulator, read):
    open_breaker(aurora)
    assert read('portal_breaker_open{brand="aurora"}') == 1
    new = {
        "customer": alice,
        "account_number": "70001",
        "amount": 5,
        "description": "x",
        "asked_by": operator,
    }
    Move.objects.create(brand=aurora, asked_at=timezone.now(), state=Move.State.UNKNOWN, **new)
    assert read('portal_moves{brand="aurora",state="unknown"}') == 1
    before = read('portal_threads_waiting{on="carriers"}')
    with bulkhead.CARRIERS.slot(aurora):
        assert read('portal_threads_waiting{on="carriers"}') == before + 1
    assert read('portal_threads_waiting{on="carriers"}') == before


def test_breaker_is_reported_open_until_the_carrier_answers(aurora, simulator, read):
    open_breaker(aurora)
    assert read('portal_breaker_open{brand="aurora"}') == 1
    circuit_breaker.get_breaker(aurora).allow_probe()
    get_partner_balance(aurora)
    assert read('portal_breaker_open{brand="aurora"}') == 0


@pytest.mark.parametrize("states", [(1, 0), (0, 1), (1, 0, 1)])
def test_newest_breaker_state_of_all_workers_is_reported(tmp_path, states):
    one = "import sys, portal.monitoring.metrics as m; m.BREAKER_OPEN.labels('aurora').set(int(sys.argv[1]))"
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for word in states:
        subprocess.run([sys.executable, "-c", one, str(word)], env=environment, check=True)
    output = subprocess.check_output(
        [sys.executable, "-c", "import portal.monitoring.metrics as m; print(m.text())"],
        env=environment,
        text=True,
    )
    assert f'portal_breaker_open{{brand="aurora"}} {states[-1]:.1f}' in output.splitlines()


def test_failed_email_is_counted(aurora, alice, browse, read, settings):
    settings.EMAIL_BACKEND = "portal.mail.smtp_backend.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    line = 'portal_mails_failed_total{brand="aurora"}'
    before = read(line)
    assert send(browse(AURORA), "/sign-in/", {"email": alice.email}).status_code == 503
    assert read(line) == before + 1


def test_request_duration_is_reported_by_route(aurora, browse, read):
    line = 'portal_request_seconds_%s{route="accounts:sign_up"}'
    number, seconds = read(line % "count"), read(line % "sum")
    browse(AURORA).get("/sign-up/")
    assert read(line % "count") == number + 1
    assert seconds < read(line % "sum") < seconds + 10


@pytest.mark.parametrize("trouble", [Error, RuntimeError])
def test_unavailable_state_does_not_affect_other_metrics(monkeypatch, caplog, trouble):
    def fail() -> dict[tuple[str, ...], float]:
        raise trouble

    for collector in list(metrics._CALLBACK_GAUGES._collector_to_names):
        monkeypatch.setattr(collector, "_get_values", fail)
    assert "portal_requests_total" in metrics.text()
    assert "metric not known" in caplog.text


def test_metrics_cover_all_workers_and_leave_no_files(tmp_path):
    with run_gunicorn(tmp_path, WEB_CONCURRENCY="3", LOG_FORMAT="json") as portal:
        # No table yet; the response is the error page.
        assert {portal.get("/").status_code for _ in range(30)} == {503}
        line = 'portal_requests_total{method="GET",route="none",status="5xx"}'
        assert {portal.metric(line) for _ in range(6)} == {30.0}
        assert list(tmp_path.glob("portal-node-metrics-*/*.db"))
        output = portal.log.read_text().splitlines()
        lines = [json.loads(line) for line in output if line.startswith("{")]
        assert "gunicorn" not in "".join(line for line in output if not line.startswith("{"))
        assert {"gunicorn.error", "portal.monitoring.middleware"} <= {line["logger"] for line in lines}
        output = next(line for line in lines if line["event"] == "request")
        assert (output["route"], output["method"], output["status"]) == ("none", "GET", 503)
        assert output["request_id"]
    assert not list(tmp_path.glob("portal-node-metrics-*"))


def test_start_removes_only_the_metrics_folders_of_killed_nodes(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    shared = {"TMPDIR": str(tmp_path), "WEB_CONCURRENCY": "1"}
    with run_gunicorn(first, **shared) as running:
        (own,) = tmp_path.glob("portal-node-metrics-*")
        killed, young = tmp_path / "portal-node-metrics-killed", tmp_path / "portal-node-metrics-young"
        killed.mkdir()
        young.mkdir()  # Its node may be about to lock it.
        for folder in (own, killed):
            os.utime(folder, (0, 0))
        with run_gunicorn(second, **shared):
            assert not killed.exists()
            assert young.exists()
            running.get("/")
            assert running.metric('portal_requests_total{method="GET",route="none",status="5xx"}') == 1


def test_metrics_folder_named_by_the_operator_is_not_cleared(tmp_path):
    own, temporary = tmp_path / "own", tmp_path / "temporary"
    own.mkdir()
    temporary.mkdir()
    (own / "db.sqlite3").write_text("precious")
    names = {"PROMETHEUS_MULTIPROC_DIR": str(own), "TMPDIR": str(temporary)}
    with run_gunicorn(tmp_path, WEB_CONCURRENCY="1", **names) as portal:
        portal.get("/")
        assert portal.metric('portal_requests_total{method="GET",route="none",status="5xx"}') == 1
    assert [path.name for path in own.iterdir()] == ["db.sqlite3"]
    assert not list(temporary.glob("portal-node-metrics-*"))
