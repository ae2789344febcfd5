"""The log of carrier calls: one row per call, without parameters, and never the cause of a failure."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from portal.carrier import calls as carrier_calls
from portal.carrier.call_log import log_call, prune_call_log
from portal.carrier.calls import CallContext
from portal.models import CarrierCall
from portal.voipline import NoAnswer, UpstreamError
from tests.conftest import AURORA
from tests.support.customer_flow import PASSWORD, sign_up_form
from tests.support.leak_detector import database
from tests.support.timeouts import timeouts_for

pytestmark = pytest.mark.django_db
JANUARY = "/statement/?from_date=2020-01-01&to_date=2020-01-31"


def test_call_is_logged_as_one_row_with_customer_method_and_outcome(simulator, alice, browse):
    before = timezone.now()
    response = browse(AURORA, alice).get(JANUARY)
    row = CarrierCall.objects.get()
    assert (row.brand, row.customer_id, row.method) == (alice.brand, alice.pk, "customer_balance")
    assert (row.outcome, row.status, row.operation) == ("ok", 200, "")
    assert row.reference == response.headers["X-Request-ID"]
    assert before <= row.at <= timezone.now()
    assert 0 <= row.milliseconds < 3000


@pytest.mark.parametrize(
    ("fault", "outcome", "status"),
    [
        ({"fault": "status", "status": 401}, "NotAuthorised", 401),
        ({"fault": "status", "status": 429}, "RateLimited", 429),
        ({"fault": "code", "status": 422}, "Rejected", 422),
        ({"fault": "status", "status": 503}, "ServerError", 503),
        ({"fault": "html"}, "BadAnswer", 200),
        ({"fault": "hang"}, "NoAnswer", None),
    ],
    ids=lambda value: str(value),
)
def test_failed_call_is_one_row_regardless_of_retries(
    simulator, alice, browse, settings, fault, outcome, status
):
    settings.CARRIER_TIMEOUTS = timeouts_for(fault["fault"])
    simulator.fault("customer_balance", **fault)
    assert browse(AURORA, alice).get(JANUARY).status_code == 503
    row = CarrierCall.objects.get()
    assert (row.outcome, row.status) == (outcome, status)


def test_unsent_call_is_logged_as_such(alice):
    alice.brand.overrides.create(method="customer_balance", parameters={"account_number": ""})
    with pytest.raises(UpstreamError):
        carrier_calls.call(brand=alice.brand, method="partner_balance")
    with pytest.raises(UpstreamError):
        carrier_calls.call(
            CallContext(alice.pk, "an-operation"), brand=alice.brand, method="reset_password", email="x"
        )
    rows = CarrierCall.objects.order_by("pk").values_list("customer_id", "operation", "outcome", "status")
    assert list(rows) == [(None, "", "Unreachable", None), (alice.pk, "an-operation", "Unreachable", None)]


def test_call_log_contains_no_parameter_and_no_secret(simulator, aurora, browse):
    token = simulator.token()
    client = browse(AURORA)
    assert client.post("/sign-up/", sign_up_form(token)).status_code == 302
    carrier_calls.call(
        brand=aurora,
        method="move_funds",
        account_number="70001",
        amount=Decimal("13.37"),
        description="a canary of words",
    )
    assert CarrierCall.objects.count() == 2
    rows = str(list(CarrierCall.objects.values()))
    for secret in (token, PASSWORD, "dora@example.com", "Deer", "70001", "13.37", "canary", "aurora-api-key"):
        assert secret not in rows
        assert secret not in repr([carrier_calls.Call(aurora, "move_funds", {"x": secret}, lambda: None)])
    assert token not in database()


def test_failure_to_write_the_call_log_is_harmless(simulator, alice, browse, caplog):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE portal_carriercall RENAME TO away")
    page = browse(AURORA, alice).get(JANUARY)
    assert page.status_code == 200
    assert "242.09" in page.content.decode()
    simulator.fault("customer_balance", "status", status=401)
    assert browse(AURORA, alice).get("/statement/").status_code == 503
    errors = [record for record in caplog.records if record.message == "call not written down"]
    assert [(record.levelname, record.method) for record in errors] == [("ERROR", "customer_balance")] * 2
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE away RENAME TO portal_carriercall")
    assert CarrierCall.objects.count() == 0


def test_call_is_logged_before_its_result_is_returned(simulator, aurora):
    simulator.fault("move_funds", "drop_after")
    moved = {"account_number": "70001", "amount": Decimal(1), "description": "x"}
    with pytest.raises(NoAnswer) as caught:
        carrier_calls.call(CallContext(operation="op"), brand=aurora, method="move_funds", **moved)
    assert caught.value.may_have_happened
    assert len(simulator.calls("move_funds")) == CarrierCall.objects.filter(operation="op").count() == 1


def test_rows_older_than_30_days_are_deleted(aurora):
    for days in (29, 31, 400):
        at = timezone.now() - timedelta(days=days)
        log_call(CarrierCall(brand=aurora, method="x", outcome="ok", milliseconds=days, at=at))
    assert prune_call_log() == 2
    assert CarrierCall.objects.get().milliseconds == 29
