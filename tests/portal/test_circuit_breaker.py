"""Circuit breaker per brand: after repeated failures, calls are rejected for 30 seconds and pages say so."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from billing.models import CachedStatement
from billing.statements.periods import Period
from portal.carrier import calls as carrier_calls
from portal.carrier.calls import CallContext
from portal.carrier.connection_check import diagnose
from portal.models import Brand, CarrierCall
from portal.resilience import circuit_breaker
from portal.resilience.circuit_breaker import How
from portal.voipline import (
    METHODS,
    BreakerOpen,
    Crowded,
    NoAnswer,
    Rejected,
    ServerError,
    Timeouts,
    Unreachable,
    UpstreamError,
)
from tests.conftest import ADMIN, AURORA
from tests.portal.test_circuit_breaker_rules import Clock
from tests.support.customer_flow import at_once, send, sign_up_form, words
from tests.support.timeouts import PATIENT, SLACK
from tests.support.transfers import staff_of

pytestmark = pytest.mark.django_db
FORMS = ["register_customer", "confirm_email", "reset_password", "login_via_url"]
JANUARY = Period(date(2020, 1, 1), date(2020, 1, 31))
QUERY = "/statement/?from_date=2020-01-01&to_date=2020-01-31"


def get_partner_balance(brand: Brand) -> Any:
    """Request the partner balance; return the answer or the error."""
    try:
        return carrier_calls.call(
            brand=brand, method="partner_balance", from_date=JANUARY.from_date, to_date=JANUARY.to_date
        )
    except UpstreamError as error:
        return error


def get_statement_of(customer: User) -> Any:
    """Request a customer's statement; return the answer or the error."""
    try:
        return carrier_calls.call(
            CallContext(customer.pk),
            brand=customer.brand,
            method="customer_balance",
            account_number=customer.account_number,
            from_date=JANUARY.from_date,
            to_date=JANUARY.to_date,
        )
    except UpstreamError as error:
        return error


def send_form(brand: Brand, method: str, token: str = "junk") -> Any:
    """Send a form as a visitor (or a customer, for the login URL); return the answer or the error."""
    names = METHODS[method].parameters
    values = {**dict.fromkeys(names, "x"), "google_captcha": token}
    try:
        return carrier_calls.call(brand=brand, method=method, **values)
    except UpstreamError as error:
        return error


def fail_calls(brand: Brand, simulator: Any, times: int = circuit_breaker.FAILURES) -> None:
    """Let so many calls for the brand's partner account fail, then let the carrier recover."""
    simulator.fault("partner_balance", "status", status=500)
    assert {type(get_partner_balance(brand)) for _ in range(times)} == {ServerError}
    simulator.post("faults/clear")


def open_breaker(brand: Brand) -> None:
    """Open the breaker for all accounts, with calls that do not reach the carrier."""
    guard = circuit_breaker.get_breaker(brand)
    with suppress(circuit_breaker.Open):
        while True:
            guard.end(guard.begin(carrier_calls.PARTNER), How.UNREACHED)


@pytest.fixture
def pass_open_period(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Advance the breakers' clock by the open period."""
    clock = Clock()
    monkeypatch.setattr(circuit_breaker, "monotonic", clock)

    def advance() -> None:
        clock.now += circuit_breaker.SECONDS

    return advance


@pytest.fixture
def customers(
    aurora: Brand, alice: User, bob: User, make_customer: Callable[..., User], simulator: Any
) -> list[User]:
    """Six customers of Aurora; Alice and Bob are the first."""
    more = [("carol", "70003"), ("dave", "70004"), ("erin", "70005"), ("frank", "70006")]
    seeded = [
        {"partner": "Aurora", "account_number": number, "email": f"{name}@example.com"}
        for name, number in more
    ]
    simulator.post("seed", customers=seeded)
    return [alice, bob, *(make_customer(aurora, f"{name}@example.com", number) for name, number in more)]


def test_no_calls_are_made_after_five_failures(aurora, borealis, simulator):
    fail_calls(aurora, simulator, 4)
    assert not isinstance(get_partner_balance(aurora), UpstreamError)  # A success restarts the count.
    fail_calls(aurora, simulator)
    before = len(simulator.calls())
    rejected = get_partner_balance(aurora)
    assert isinstance(rejected, BreakerOpen)
    assert 0 < rejected.retry_after <= 30
    assert len(simulator.calls()) == before
    assert not isinstance(get_partner_balance(borealis), UpstreamError)
    assert [circuit_breaker.get_breaker(brand).is_open for brand in (aurora, borealis)] == [True, False]


def test_rejected_call_is_not_in_the_call_log(aurora, simulator):
    fail_calls(aurora, simulator)
    count = CarrierCall.objects.count()
    get_partner_balance(aurora)
    assert CarrierCall.objects.count() == count


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "status", "status": 401},
        {"fault": "code", "status": 422},
        {"fault": "status", "status": 429},
        {"fault": "html"},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
def test_refusal_does_not_count_as_a_failure(aurora, simulator, fault):
    simulator.fault("partner_balance", **fault)
    found = {type(get_partner_balance(aurora)) for _ in range(circuit_breaker.FAILURES + 2)}
    assert BreakerOpen not in found
    assert not circuit_breaker.get_breaker(aurora).is_open


def test_unusable_configuration_does_not_count_as_a_failure(aurora, simulator):
    aurora.overrides.create(method="customer_balance", parameters={"account_number": ""})
    for _ in range(circuit_breaker.FAILURES + 1):
        assert not isinstance(get_partner_balance(aurora), BreakerOpen)


def test_one_probe_runs_after_30_seconds_and_success_closes_breaker(
    threads, aurora, simulator, pass_open_period
):
    fail_calls(aurora, simulator)
    pass_open_period()
    simulator.fault("partner_balance", "slow", seconds=0.4)
    found = at_once(6, lambda nth: get_partner_balance(aurora))
    assert sum(isinstance(each, BreakerOpen) for each in found) == 5
    assert not isinstance(get_partner_balance(aurora), UpstreamError)
    assert not circuit_breaker.get_breaker(aurora).is_open


def test_failed_probe_starts_another_30_seconds(aurora, simulator, pass_open_period):
    fail_calls(aurora, simulator)
    pass_open_period()
    simulator.fault("partner_balance", "status", status=500)
    assert isinstance(get_partner_balance(aurora), ServerError)
    rejected = get_partner_balance(aurora)
    assert isinstance(rejected, BreakerOpen)
    assert rejected.retry_after == circuit_breaker.SECONDS


def test_probe_without_a_free_slot_is_left_to_the_next_call(aurora, simulator, pass_open_period, monkeypatch):
    fail_calls(aurora, simulator)
    pass_open_period()
    with monkeypatch.context() as patch:
        patch.setattr(carrier_calls, "voipline_call", raise_crowded)
        assert isinstance(get_partner_balance(aurora), Crowded)
    assert not isinstance(get_partner_balance(aurora), UpstreamError)


def test_connection_check_runs_while_open_and_closes_the_breaker(aurora, simulator):
    open_breaker(aurora)
    assert [finding.ok for finding in diagnose(aurora)] == [True]
    assert not isinstance(get_partner_balance(aurora), UpstreamError)


def test_pages_show_stale_figures_at_once_while_open(aurora, alice, browse, simulator, settings):
    client = browse(AURORA, alice)
    assert "242.09" in client.get(QUERY).content.decode()  # The templates are compiled too.
    hour = timedelta(hours=30)
    CachedStatement.objects.update(as_of=timezone.now() - hour, attempted_at=timezone.now() - hour)
    open_breaker(aurora)
    simulator.fault("customer_balance", "hang")
    settings.CARRIER_TIMEOUTS = PATIENT
    began = time.monotonic()
    page = client.get(QUERY)
    assert time.monotonic() - began < SLACK
    assert page.status_code == 200
    assert "242.09" in page.content.decode()


def test_form_is_answered_at_once_with_retry_after_while_open(aurora, browse, simulator):
    open_breaker(aurora)
    answer = send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token()))
    assert answer.status_code == 503
    assert 0 < int(answer["Retry-After"]) <= 30
    assert "Nothing has changed" in words(answer)
    assert simulator.calls("register_customer") == []


def test_operator_index_names_failing_carriers(aurora, borealis, simulator, admin_client):
    assert "carrier isn't responding" not in words(admin_client.get("/admin/"))
    fail_calls(aurora, simulator)
    page = words(admin_client.get("/admin/"))
    assert "Aurora Phone's carrier isn't responding" in page
    assert "Borealis Phone's carrier" not in page


def test_staff_index_names_only_their_own_failing_carrier(aurora, borealis, simulator, browse):
    aurora_staff = browse(ADMIN, staff_of(aurora))
    borealis_staff = browse(ADMIN, staff_of(borealis, "bea@example.com"))
    fail_calls(aurora, simulator)
    assert "Aurora Phone's carrier isn't responding" in words(aurora_staff.get("/admin/"))
    assert "carrier isn't responding" not in words(borealis_staff.get("/admin/"))


def test_brand_page_says_that_its_carrier_is_failing(aurora, simulator, admin_client):
    address = f"/admin/portal/brand/{aurora.pk}/change/"
    assert "We retry every 30 seconds" not in words(admin_client.get(address))
    fail_calls(aurora, simulator)
    assert "The carrier has failed several times in a row. We retry every 30 seconds" in words(
        admin_client.get(address)
    )


def test_hanging_carrier_counts_as_failing(aurora, simulator, settings):
    settings.CARRIER_TIMEOUTS = Timeouts(connect=1, read=0.3, total=1)
    simulator.fault("partner_balance", "hang")
    assert {type(get_partner_balance(aurora)) for _ in range(circuit_breaker.FAILURES)} == {NoAnswer}
    assert isinstance(get_partner_balance(aurora), BreakerOpen)


@pytest.mark.parametrize("method", FORMS)
@pytest.mark.parametrize("fault", ["status", "hang"])
def test_failing_forms_do_not_open_the_breaker_for_statements(
    aurora, alice, simulator, settings, method, fault
):
    usual = settings.CARRIER_TIMEOUTS
    if fault == "hang":
        settings.CARRIER_TIMEOUTS = Timeouts(connect=3, read=0.1, total=3)
    simulator.fault(method, fault, **({"status": 500} if fault == "status" else {}))
    found = {type(send_form(aurora, method)) for _ in range(circuit_breaker.FAILURES + 1)}
    assert found == {ServerError if fault == "status" else NoAnswer}
    settings.CARRIER_TIMEOUTS = usual
    assert not isinstance(get_statement_of(alice), UpstreamError)
    assert not circuit_breaker.get_breaker(aurora).is_open


@pytest.mark.parametrize("method", FORMS)
def test_answered_form_does_not_reset_the_failure_count(aurora, simulator, method):
    fail_calls(aurora, simulator, circuit_breaker.FAILURES - 1)
    assert isinstance(send_form(aurora, method), Rejected)
    fail_calls(aurora, simulator, 1)
    assert isinstance(get_partner_balance(aurora), BreakerOpen)


def test_forms_after_30_seconds_neither_close_breaker_nor_take_the_probe(aurora, simulator, pass_open_period):
    open_breaker(aurora)
    assert isinstance(send_form(aurora, "reset_password"), BreakerOpen)
    pass_open_period()
    for _ in range(2):
        assert isinstance(send_form(aurora, "reset_password"), Rejected)
    assert circuit_breaker.get_breaker(aurora).is_open
    assert not isinstance(get_partner_balance(aurora), UpstreamError)
    assert not circuit_breaker.get_breaker(aurora).is_open


def test_carrier_unreachable_by_forms_opens_the_breaker_for_all(aurora, alice, simulator):
    Brand.objects.filter(pk=aurora.pk).update(carrier_url="http://127.0.0.1:9/")
    aurora.refresh_from_db()
    found = {type(send_form(aurora, "reset_password")) for _ in range(circuit_breaker.FAILURES)}
    assert found == {Unreachable}
    assert isinstance(get_statement_of(alice), BreakerOpen)


def raise_crowded(*_: Any, **__: Any) -> None:
    raise Crowded("partner_balance", "too many names are being resolved", retry_after=5)


def test_calls_without_a_free_slot_do_not_count_as_failures(aurora, simulator, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(carrier_calls, "voipline_call", raise_crowded)
        assert {type(get_partner_balance(aurora)) for _ in range(circuit_breaker.FAILURES)} == {Crowded}
    assert not isinstance(get_partner_balance(aurora), UpstreamError)


# Failures per account


def test_failures_of_one_customer_affect_only_that_customer(aurora, alice, bob, simulator):
    simulator.fault("customer_balance", "status", status=500)
    assert {type(get_statement_of(alice)) for _ in range(circuit_breaker.FAILURES)} == {ServerError}
    assert isinstance(get_statement_of(alice), BreakerOpen)
    simulator.post("faults/clear")
    assert isinstance(send_form(aurora, "reset_password"), Rejected)
    assert isinstance(get_statement_of(alice), BreakerOpen)
    assert not isinstance(get_statement_of(bob), UpstreamError)  # An answer: the carrier can be reached.
    assert not isinstance(get_statement_of(alice), UpstreamError)


def test_two_customers_who_keep_reloading_do_not_affect_others(customers, browse, simulator):
    alice, bob, *others = (browse(AURORA, each) for each in customers)
    for nth in range(1, 7):
        simulator.fault("customer_balance", "status", status=500)
        assert {each.get(QUERY).status_code for each in (alice, bob) * 3} == {503}
        simulator.post("faults/clear")
        days = f"/statement/?from_date=2020-01-01&to_date=2020-01-{nth:02}"
        assert {each.get(days).status_code for each in others} == {200}


def test_failures_of_five_customers_open_the_breaker_for_all(
    aurora, customers, browse, simulator, pass_open_period
):
    *failing, last = (browse(AURORA, each) for each in customers)
    simulator.fault("customer_balance", "status", status=500)
    assert {each.get(QUERY).status_code for each in failing} == {503}
    simulator.post("faults/clear")
    before = len(simulator.calls())
    for rejected in (last.get(QUERY), send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token()))):
        assert (rejected.status_code, rejected["Retry-After"]) == (503, str(circuit_breaker.SECONDS))
    assert isinstance(get_partner_balance(aurora), BreakerOpen)
    assert len(simulator.calls()) == before
    pass_open_period()
    assert {each.get(QUERY).status_code for each in (last, *failing)} == {200}


def test_failures_of_two_customers_affect_both_but_not_the_partner(aurora, alice, bob, simulator):
    simulator.fault("customer_balance", "status", status=500)
    for each in (alice, bob, alice, alice, alice):
        assert isinstance(get_statement_of(each), ServerError)
    simulator.post("faults/clear")
    assert isinstance(get_statement_of(alice), BreakerOpen)
    assert isinstance(get_statement_of(bob), BreakerOpen)
    assert not isinstance(get_partner_balance(aurora), UpstreamError)


@pytest.mark.parametrize("step", [-3600, 3600])
def test_wall_clock_changes_do_not_affect_the_breaker(
    aurora, alice, simulator, pass_open_period, monkeypatch, step
):
    open_breaker(aurora)
    real = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: real() + timedelta(seconds=step))
    monkeypatch.setattr(time, "time", lambda at=time.time: at() + step)
    assert isinstance(get_statement_of(alice), BreakerOpen)
    pass_open_period()
    assert not isinstance(get_statement_of(alice), UpstreamError)
    assert not isinstance(get_statement_of(alice), UpstreamError)
