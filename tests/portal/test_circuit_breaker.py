"""A carrier that fails is left alone for half a minute, brand by brand; pages are honest, and at once."""

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


def ask(brand: Brand) -> Any:
    """Ask for the partner's balance: the answer, or the error."""
    try:
        return carrier_calls.call(
            brand=brand, method="partner_balance", from_date=JANUARY.from_date, to_date=JANUARY.to_date
        )
    except UpstreamError as error:
        return error


def ask_for(customer: User) -> Any:
    """Ask for a customer's figures: the answer, or the error."""
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


def form(brand: Brand, method: str, token: str = "junk") -> Any:
    """Send what a stranger, or for the hand-over a customer, has filled in: the answer, or the error."""
    names = METHODS[method].parameters
    values = {**dict.fromkeys(names, "x"), "google_captcha": token}
    try:
        return carrier_calls.call(brand=brand, method=method, **values)
    except UpstreamError as error:
        return error


def fail(brand: Brand, simulator: Any, times: int = circuit_breaker.FAILURES) -> None:
    """Let so many calls for the partner account of this brand fail, and the carrier be well again."""
    simulator.fault("partner_balance", "status", status=500)
    assert {type(ask(brand)) for _ in range(times)} == {ServerError}
    simulator.post("faults/clear")


def shut(brand: Brand) -> None:
    """Open the breaker for all, as calls do that do not reach the carrier."""
    guard = circuit_breaker.get_breaker(brand)
    with suppress(circuit_breaker.Open):
        while True:
            guard.end(guard.begin(carrier_calls.PARTNER), How.UNREACHED)


@pytest.fixture
def pass_break(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Lets half a minute pass for breakers."""
    clock = Clock()
    monkeypatch.setattr(circuit_breaker, "monotonic", clock)

    def go_on() -> None:
        clock.now += circuit_breaker.SECONDS

    return go_on


@pytest.fixture
def customers(
    aurora: Brand, alice: User, bob: User, make_customer: Callable[..., User], simulator: Any
) -> list[User]:
    """Six of Aurora, Alice and Bob the first."""
    more = [("carol", "70003"), ("dave", "70004"), ("erin", "70005"), ("frank", "70006")]
    seeded = [
        {"partner": "Aurora", "account_number": number, "email": f"{name}@example.com"}
        for name, number in more
    ]
    simulator.post("seed", customers=seeded)
    return [alice, bob, *(make_customer(aurora, f"{name}@example.com", number) for name, number in more)]


def test_after_five_failures_the_carrier_is_asked_no_more(aurora, borealis, simulator):
    fail(aurora, simulator, 4)
    assert not isinstance(ask(aurora), UpstreamError)  # A success begins the count anew.
    fail(aurora, simulator)
    before = len(simulator.calls())
    spared = ask(aurora)
    assert isinstance(spared, BreakerOpen)
    assert 0 < spared.retry_after <= 30
    assert len(simulator.calls()) == before
    assert not isinstance(ask(borealis), UpstreamError)
    assert [circuit_breaker.get_breaker(brand).is_open for brand in (aurora, borealis)] == [True, False]


def test_a_call_that_was_spared_is_not_in_the_journal_of_calls(aurora, simulator):
    fail(aurora, simulator)
    count = CarrierCall.objects.count()
    ask(aurora)
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
def test_an_answer_that_refuses_is_an_answer(aurora, simulator, fault):
    simulator.fault("partner_balance", **fault)
    found = {type(ask(aurora)) for _ in range(circuit_breaker.FAILURES + 2)}
    assert BreakerOpen not in found
    assert not circuit_breaker.get_breaker(aurora).is_open


def test_a_connection_that_cannot_be_used_as_configured_says_nothing_of_the_carrier(aurora, simulator):
    aurora.overrides.create(method="customer_balance", parameters={"account_number": ""})
    for _ in range(circuit_breaker.FAILURES + 1):
        assert not isinstance(ask(aurora), BreakerOpen)


def test_after_half_a_minute_one_call_tries_and_its_success_ends_the_break(
    threads, aurora, simulator, pass_break
):
    fail(aurora, simulator)
    pass_break()
    simulator.fault("partner_balance", "slow", seconds=0.4)
    found = at_once(6, lambda nth: ask(aurora))
    assert sum(isinstance(each, BreakerOpen) for each in found) == 5
    assert not isinstance(ask(aurora), UpstreamError)
    assert not circuit_breaker.get_breaker(aurora).is_open


def test_a_try_that_fails_begins_another_half_minute(aurora, simulator, pass_break):
    fail(aurora, simulator)
    pass_break()
    simulator.fault("partner_balance", "status", status=500)
    assert isinstance(ask(aurora), ServerError)
    again = ask(aurora)
    assert isinstance(again, BreakerOpen)
    assert again.retry_after == circuit_breaker.SECONDS


def test_a_try_that_finds_no_place_leaves_it_to_the_next(aurora, simulator, pass_break, monkeypatch):
    fail(aurora, simulator)
    pass_break()
    with monkeypatch.context() as patch:
        patch.setattr(carrier_calls, "voipline_call", crowded)
        assert isinstance(ask(aurora), Crowded)
    assert not isinstance(ask(aurora), UpstreamError)


def test_the_check_of_a_connection_asks_in_the_break_too_and_ends_it(aurora, simulator):
    shut(aurora)
    assert [finding.ok for finding in diagnose(aurora)] == [True]
    assert not isinstance(ask(aurora), UpstreamError)


def test_in_the_break_pages_show_the_last_known_figures_at_once(aurora, alice, browse, simulator, settings):
    client = browse(AURORA, alice)
    assert "242.09" in client.get(QUERY).content.decode()  # Its templates are compiled, too.
    hour = timedelta(hours=30)
    CachedStatement.objects.update(as_of=timezone.now() - hour, attempted_at=timezone.now() - hour)
    shut(aurora)
    simulator.fault("customer_balance", "hang")
    settings.CARRIER_TIMEOUTS = PATIENT
    began = time.monotonic()
    page = client.get(QUERY)
    assert time.monotonic() - began < SLACK
    assert page.status_code == 200
    assert "242.09" in page.content.decode()


def test_in_the_break_a_form_is_answered_at_once_with_a_time_to_come_again(aurora, browse, simulator):
    shut(aurora)
    answer = send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token()))
    assert answer.status_code == 503
    assert 0 < int(answer["Retry-After"]) <= 30
    assert "Nothing was changed" in words(answer)
    assert simulator.calls("register_customer") == []


def test_staff_see_on_their_first_page_whose_carrier_is_down(aurora, borealis, simulator, admin_client):
    assert "has failed several times in a row" not in words(admin_client.get("/admin/"))
    fail(aurora, simulator)
    page = words(admin_client.get("/admin/"))
    assert "The carrier of Aurora Phone has failed several times in a row" in page
    assert "The carrier of Borealis Phone" not in page


def test_a_resellers_staff_see_it_of_their_own_carrier_alone(aurora, borealis, simulator, browse):
    of_aurora = browse(ADMIN, staff_of(aurora))
    of_borealis = browse(ADMIN, staff_of(borealis, "bea@example.com"))
    fail(aurora, simulator)
    assert "The carrier of Aurora Phone has failed several times in a row" in words(of_aurora.get("/admin/"))
    assert "has failed several times in a row" not in words(of_borealis.get("/admin/"))


def test_the_brands_page_says_that_its_carrier_is_down(aurora, simulator, admin_client):
    address = f"/admin/portal/brand/{aurora.pk}/change/"
    assert "left alone" not in words(admin_client.get(address))
    fail(aurora, simulator)
    assert "The carrier failed several times in a row and is left alone" in words(admin_client.get(address))


def test_a_hanging_carrier_counts_as_failing(aurora, simulator, settings):
    settings.CARRIER_TIMEOUTS = Timeouts(connect=1, read=0.3, total=1)
    simulator.fault("partner_balance", "hang")
    assert {type(ask(aurora)) for _ in range(circuit_breaker.FAILURES)} == {NoAnswer}
    assert isinstance(ask(aurora), BreakerOpen)


@pytest.mark.parametrize("method", FORMS)
@pytest.mark.parametrize("fault", ["status", "hang"])
def test_nobody_closes_figures_for_others_by_forms(aurora, alice, simulator, settings, method, fault):
    usual = settings.CARRIER_TIMEOUTS
    if fault == "hang":
        settings.CARRIER_TIMEOUTS = Timeouts(connect=3, read=0.1, total=3)
    simulator.fault(method, fault, **({"status": 500} if fault == "status" else {}))
    found = {type(form(aurora, method)) for _ in range(circuit_breaker.FAILURES + 1)}
    assert found == {ServerError if fault == "status" else NoAnswer}
    settings.CARRIER_TIMEOUTS = usual
    assert not isinstance(ask_for(alice), UpstreamError)
    assert not circuit_breaker.get_breaker(aurora).is_open


@pytest.mark.parametrize("method", FORMS)
def test_a_form_that_is_answered_hides_no_failing_figures(aurora, simulator, method):
    fail(aurora, simulator, circuit_breaker.FAILURES - 1)
    assert isinstance(form(aurora, method), Rejected)
    fail(aurora, simulator, 1)
    assert isinstance(ask(aurora), BreakerOpen)


def test_after_half_a_minute_forms_go_on_and_neither_end_the_break_nor_take_its_one_try(
    aurora, simulator, pass_break
):
    shut(aurora)
    assert isinstance(form(aurora, "reset_password"), BreakerOpen)
    pass_break()
    for _ in range(2):
        assert isinstance(form(aurora, "reset_password"), Rejected)
    assert circuit_breaker.get_breaker(aurora).is_open
    assert not isinstance(ask(aurora), UpstreamError)
    assert not circuit_breaker.get_breaker(aurora).is_open


def test_a_carrier_that_no_form_reaches_is_left_alone_by_all(aurora, alice, simulator):
    Brand.objects.filter(pk=aurora.pk).update(carrier_url="http://127.0.0.1:9/")
    aurora.refresh_from_db()
    found = {type(form(aurora, "reset_password")) for _ in range(circuit_breaker.FAILURES)}
    assert found == {Unreachable}
    assert isinstance(ask_for(alice), BreakerOpen)


def crowded(*_: Any, **__: Any) -> None:
    raise Crowded("partner_balance", "too many names are being resolved", retry_after=5)


def test_calls_that_found_no_place_to_wait_say_nothing_of_the_carrier(aurora, simulator, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(carrier_calls, "voipline_call", crowded)
        assert {type(ask(aurora)) for _ in range(circuit_breaker.FAILURES)} == {Crowded}
    assert not isinstance(ask(aurora), UpstreamError)


# Whose calls failed


def test_one_customers_failures_close_the_figures_of_that_customer_alone(aurora, alice, bob, simulator):
    simulator.fault("customer_balance", "status", status=500)
    assert {type(ask_for(alice)) for _ in range(circuit_breaker.FAILURES)} == {ServerError}
    assert isinstance(ask_for(alice), BreakerOpen)
    simulator.post("faults/clear")
    assert isinstance(form(aurora, "reset_password"), Rejected)
    assert isinstance(ask_for(alice), BreakerOpen)
    assert not isinstance(ask_for(bob), UpstreamError)  # An answer: the carrier is there.
    assert not isinstance(ask_for(alice), UpstreamError)


def test_two_customers_who_reload_without_end_close_nothing_for_the_others(customers, browse, simulator):
    alice, bob, *others = (browse(AURORA, each) for each in customers)
    for nth in range(1, 7):
        simulator.fault("customer_balance", "status", status=500)
        assert {each.get(QUERY).status_code for each in (alice, bob) * 3} == {503}
        simulator.post("faults/clear")
        days = f"/statement/?from_date=2020-01-01&to_date=2020-01-{nth:02}"
        assert {each.get(days).status_code for each in others} == {200}


def test_five_customers_failures_in_turn_close_it_for_all_until_one_is_answered(
    aurora, customers, browse, simulator, pass_break
):
    *failing, last = (browse(AURORA, each) for each in customers)
    simulator.fault("customer_balance", "status", status=500)
    assert {each.get(QUERY).status_code for each in failing} == {503}
    simulator.post("faults/clear")
    before = len(simulator.calls())
    for spared in (last.get(QUERY), send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token()))):
        assert (spared.status_code, spared["Retry-After"]) == (503, str(circuit_breaker.SECONDS))
    assert isinstance(ask(aurora), BreakerOpen)
    assert len(simulator.calls()) == before
    pass_break()
    assert {each.get(QUERY).status_code for each in (last, *failing)} == {200}


def test_where_fewer_ask_the_failures_of_all_of_them_close_it(aurora, alice, bob, simulator):
    simulator.fault("customer_balance", "status", status=500)
    for each in (alice, bob, alice, alice, alice):
        assert isinstance(ask_for(each), ServerError)
    simulator.post("faults/clear")
    assert isinstance(ask_for(alice), BreakerOpen)
    assert isinstance(ask_for(bob), BreakerOpen)
    assert not isinstance(ask(aurora), UpstreamError)


@pytest.mark.parametrize("step", [-3600, 3600])
def test_no_step_of_the_clock_opens_a_breaker_or_keeps_it_open(
    aurora, alice, simulator, pass_break, monkeypatch, step
):
    shut(aurora)
    real = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: real() + timedelta(seconds=step))
    monkeypatch.setattr(time, "time", lambda at=time.time: at() + step)
    assert isinstance(ask_for(alice), BreakerOpen)
    pass_break()
    assert not isinstance(ask_for(alice), UpstreamError)
    assert not isinstance(ask_for(alice), UpstreamError)
