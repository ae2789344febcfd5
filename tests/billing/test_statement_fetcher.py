"""Statements are cached, fetched once for all readers, replaced by stale ones on failure, and stored late."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from billing.models import CachedStatement
from billing.statements import cache as statement_cache
from billing.statements.periods import Period, complete_months, this_month, today
from billing.statements.service import Deadlines, get_balance, get_statement, stream_statements
from portal.models import CarrierCall
from portal.resilience import circuit_breaker, rate_limits
from portal.voipline import Timeouts
from portal.web import request_id
from tests.support.customer_flow import at_once
from tests.support.timeouts import PATIENCE, PATIENT, eventually

pytestmark = pytest.mark.django_db
JANUARY = Period(date(2020, 1, 1), date(2020, 1, 31))
MONTHS = complete_months(date(2020, 1, 31), 12)


def pass_time(**span: int) -> None:
    """Make all cached statements older by this span."""
    ago = timedelta(**span)
    CachedStatement.objects.update(as_of=F("as_of") - ago, attempted_at=F("attempted_at") - ago)


def read(customer: Any, period: Period = JANUARY, **options: Any) -> Any:
    return get_statement(brand=customer.brand, customer=customer, period=period, **options)


def current_month(brand: Any) -> Period:
    return this_month(today(brand))


@pytest.fixture
def slow_failing_carrier(aurora: Any) -> Iterator[Callable[[float], list[int]]]:
    """Start a carrier that fails after a delay; return a function that sets the delay in seconds.

    That function returns a list with the number of calls in progress at the start of each call.
    """
    lock, active, concurrency, delay = threading.Lock(), [0], list[int](), [0.0]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with lock:
                active[0] += 1
                concurrency.append(active[0])
            time.sleep(delay[0])
            with lock:
                active[0] -= 1
            self.send_error(500)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    aurora.carrier_url = f"http://127.0.0.1:{server.server_port}/"
    aurora.save()

    def fail_in(seconds: float) -> list[int]:
        delay[0] = seconds
        return concurrency

    yield fail_in
    server.shutdown()
    server.server_close()


# Freshness


def test_figures_of_an_open_period_are_fresh_for_a_minute(simulator, alice):
    first = read(alice, current_month(alice.brand))
    pass_time(seconds=58)
    cached = read(alice, current_month(alice.brand))
    assert (cached.statement, cached.period_shown, cached.error) == (first.statement, first.period, "")
    assert cached.as_of == first.as_of - timedelta(seconds=58)
    assert len(simulator.calls()) == 1
    pass_time(seconds=3)
    assert timezone.now() - read(alice, current_month(alice.brand)).as_of < timedelta(seconds=5)
    assert len(simulator.calls()) == 2


def test_figures_of_a_complete_period_are_fresh_for_a_day(simulator, alice):
    read(alice)
    pass_time(hours=23, minutes=59)
    assert read(alice).statement.closing_balance == Decimal("242.08793")
    assert len(simulator.calls()) == 1
    pass_time(minutes=2)
    read(alice)
    assert len(simulator.calls()) == 2


def test_figures_fetched_before_their_period_ended_are_fetched_again(simulator, alice, at):
    at("2020-01-31T12:59:00+00:00")  # A minute to midnight in Sydney.
    assert read(alice).is_open
    at("2020-01-31T13:01:00+00:00")
    pass_time(minutes=2)
    assert not read(alice).is_open
    assert len(simulator.calls()) == 2
    pass_time(hours=20)
    read(alice)
    assert len(simulator.calls()) == 2


def test_refresh_always_calls_but_only_for_the_first_of_several_periods(simulator, alice):
    stream = {"brand": alice.brand, "customer": alice, "periods": MONTHS[:3]}
    list(stream_statements(**stream))
    pass_time(seconds=10)
    list(stream_statements(**stream, refresh=True))
    months = [call["query"]["from_date"] for call in simulator.calls()]
    assert sorted(months[:3]) == ["2019-10-01", "2019-11-01", "2019-12-01"]
    assert months[3:] == ["2019-12-01"]


# One call for concurrent readers


def test_ten_readers_at_once_make_one_call(threads, simulator, alice):
    simulator.fault("customer_balance", "slow", seconds=0.5)
    results = at_once(10, lambda nth: read(alice))
    assert {each.statement.closing_balance for each in results} == {Decimal("242.08793")}
    assert {each.error for each in results} == {""}
    assert len(simulator.calls()) == CarrierCall.objects.count() == CachedStatement.objects.count() == 1


def test_ten_readers_at_once_share_one_failure(threads, slow_failing_carrier, alice):
    concurrency = slow_failing_carrier(1)
    results = at_once(10, lambda nth: read(alice))
    assert {(each.statement, each.error) for each in results} == {(None, "down")}
    assert len(concurrency) == CarrierCall.objects.count() == 1


def test_readers_above_the_limit_do_not_wait_for_a_hanging_carrier(threads, simulator, alice, settings):
    settings.WEB_THREADS = 16  # Half of them may wait, and half of that for one brand.
    simulator.fault("customer_balance", "hang")

    def timed(nth):
        started = time.monotonic()
        return read(alice).error, time.monotonic() - started

    results = sorted(at_once(4 + 4, timed), key=lambda each: each[1])
    assert [error for error, _ in results] == ["busy"] * 4 + ["down"] * 4
    assert CarrierCall.objects.count() == 1


def test_two_refreshes_at_once_share_one_call_and_its_result(threads, simulator, alice):
    read(alice)
    before = timezone.now()
    simulator.fault("customer_balance", "slow", seconds=0.5)
    results = at_once(2, lambda nth: read(alice, refresh=True))
    assert all(each.as_of > before for each in results)
    assert len(simulator.calls()) == 2


def test_two_readers_of_a_year_share_its_calls(threads, simulator, alice):
    simulator.fault("customer_balance", "slow", seconds=0.1)
    stream = {"brand": alice.brand, "customer": alice, "periods": MONTHS}
    results = at_once(2, lambda nth: list(stream_statements(**stream)))
    assert results[0] == results[1]
    assert [each.period for each in results[0]] == MONTHS
    assert len(simulator.calls()) == 12


def test_row_that_changed_since_it_was_read_cannot_be_claimed(simulator, alice):
    rows = [statement_cache.get_rows(alice.brand, alice, [JANUARY])[0]]
    read(alice)
    rows += statement_cache.get_rows(alice.brand, alice, [JANUARY])
    read(alice, refresh=True)
    soon = timezone.now() + timedelta(seconds=5)
    assert [statement_cache.claim(row, soon) for row in rows] == [False, False]
    assert statement_cache.claim(statement_cache.get_rows(alice.brand, alice, [JANUARY])[0], soon)


def test_expired_claim_of_a_dead_process_is_taken_over(simulator, alice, settings):
    settings.CARRIER_TIMEOUTS = Timeouts(connect=2, read=2, total=2)
    row = statement_cache.get_rows(alice.brand, alice, [JANUARY])[0]
    assert statement_cache.claim(row, timezone.now() + statement_cache.longest_claim())
    assert (read(alice).error, simulator.calls()) == ("down", [])  # The process may be alive and waiting.
    CachedStatement.objects.update(claimed_until=timezone.now() + timedelta(seconds=0.5))
    assert read(alice).statement
    assert CachedStatement.objects.get().claimed_until is None
    CachedStatement.objects.update(claimed_until=timezone.now() - timedelta(seconds=1), as_of=None)
    assert read(alice).statement
    assert len(simulator.calls()) == 2


# When the carrier fails

CARRIER_ERRORS = [
    ({"fault": "status", "status": 500}, "down", None),
    ({"fault": "html"}, "down", None),
    ({"fault": "wrong_json", "message": "missing"}, "down", None),
    ({"fault": "status", "status": 401}, "refused", None),
    ({"fault": "status", "status": 422}, "refused", None),
    ({"fault": "status", "status": 429, "retry_after": 17}, "busy", 17),
    ({"fault": "status", "status": 404, "message": "No such customer"}, "gone", None),
]


@pytest.mark.parametrize(("fault", "error", "retry_after"), CARRIER_ERRORS, ids=lambda value: str(value))
def test_failure_returns_stale_figures_with_the_error(simulator, alice, fault, error, retry_after):
    first = read(alice)
    simulator.fault("customer_balance", **fault)
    pass_time(days=3)
    result = read(alice)
    assert (result.statement, result.period_shown) == (first.statement, JANUARY)
    assert result.as_of == first.as_of - timedelta(days=3)
    assert (result.error, result.retry_after) == (error, retry_after)
    simulator.post("faults/clear")
    pass_time(seconds=11)
    assert read(alice).error == ""


@pytest.mark.parametrize(("fault", "error", "retry_after"), CARRIER_ERRORS, ids=lambda value: str(value))
def test_failure_without_cached_figures_returns_only_the_error(simulator, alice, fault, error, retry_after):
    simulator.fault("customer_balance", **fault)
    for _ in range(2):  # Each calls again: there is nothing else to show.
        result = read(alice)
        assert (result.statement, result.as_of, result.error) == (None, None, error)
        assert result.retry_after == retry_after
    assert len(simulator.calls()) == 2
    assert CachedStatement.objects.get().claimed_until is None


def test_failure_is_not_retried_for_ten_seconds_except_by_a_refresh(simulator, alice):
    read(alice)
    pass_time(days=2)
    simulator.fault("customer_balance", "status", status=500)
    assert [read(alice).error for _ in range(3)] == ["down"] * 3
    assert len(simulator.calls()) == 2
    assert read(alice, refresh=True).error == "down"
    assert len(simulator.calls()) == 3
    pass_time(seconds=11)
    read(alice)
    assert len(simulator.calls()) == 4


def test_rate_limited_reader_gets_stale_figures_without_a_call(simulator, alice, bob):
    read(alice)
    for _ in range(59):
        rate_limits.consume(action="statement", account=f"customer {alice.pk}")
    pass_time(days=2)
    result = read(alice)
    assert (bool(result.statement), result.error, result.retry_after) == (True, "busy", 60)
    assert len(simulator.calls()) == 1
    assert CachedStatement.objects.get().error == ""  # The refusal is returned, but not stored.
    assert CachedStatement.objects.get().claimed_until is None
    assert read(bob).error == ""


def test_invalid_connection_settings_count_as_a_failure(simulator, alice):
    alice.brand.overrides.create(method="customer_balance", parameters={"account_number": ""})
    periods = [JANUARY, MONTHS[1]]
    results = list(stream_statements(brand=alice.brand, customer=alice, periods=periods))
    assert [(each.statement, each.error) for each in results] == [(None, "down")] * 2


# Wrong clocks: a stored time in the future is not trusted

HOUR = timedelta(hours=1)


def test_figures_dated_in_the_future_are_not_fresh(simulator, alice):
    for period in (JANUARY, current_month(alice.brand)):
        read(alice, period)
        CachedStatement.objects.update(as_of=timezone.now() + HOUR, attempted_at=timezone.now() + HOUR)
        before = len(simulator.calls())
        assert read(alice, period).as_of <= timezone.now()
        assert len(simulator.calls()) == before + 1


def test_failure_dated_in_the_future_does_not_prevent_a_call(simulator, alice):
    read(alice)
    at = timezone.now()
    CachedStatement.objects.update(as_of=at - timedelta(days=2), attempted_at=at + HOUR, error="down")
    assert read(alice).error == ""
    assert len(simulator.calls()) == 2


@pytest.mark.parametrize("refresh", [False, True])
def test_claim_until_an_hour_from_now_is_ignored(simulator, alice, refresh):
    read(alice)
    long_ago = timezone.now() - timedelta(days=2)
    CachedStatement.objects.update(claimed_until=timezone.now() + HOUR, as_of=long_ago)
    result = read(alice, refresh=refresh)
    assert (result.error, result.as_of > long_ago + timedelta(days=1)) == ("", True)
    assert CachedStatement.objects.get().claimed_until is None
    assert len(simulator.calls()) == 2


def test_claim_of_the_longest_allowed_duration_is_respected(alice):
    row = statement_cache.get_rows(alice.brand, alice, [JANUARY])[0]
    assert statement_cache.claim(row, timezone.now() + statement_cache.longest_claim())
    assert not statement_cache.claim(
        statement_cache.get_rows(alice.brand, alice, [JANUARY])[0], timezone.now()
    )


def test_two_refreshes_of_figures_dated_in_the_future_get_new_ones(threads, simulator, alice):
    read(alice)
    CachedStatement.objects.update(as_of=timezone.now() + HOUR, attempted_at=timezone.now() + HOUR)
    before = timezone.now()
    simulator.fault("customer_balance", "slow", seconds=0.5)
    results = at_once(2, lambda nth: read(alice, refresh=True))
    assert all(before < each.as_of <= timezone.now() for each in results)
    assert len(simulator.calls()) == 2


# The number of rows is limited

CUSTOM_PERIODS = [Period(date(2001, 1, 1), date(2001, 1, 2) + timedelta(days=day)) for day in range(60)]


def test_custom_periods_create_no_more_rows_than_calls_are_allowed(simulator, alice, monkeypatch):
    monkeypatch.setitem(rate_limits.REDIS_LIMITS, "statement", {"account": "10/hour"})
    results = [read(alice, period) for period in CUSTOM_PERIODS]
    assert [each.error for each in results] == [*[""] * 10, *["busy"] * 50]
    assert {each.retry_after for each in results[10:]} == {3600}
    assert CachedStatement.objects.count() == len(simulator.calls()) == 10


def test_newest_custom_periods_of_each_account_are_retained(simulator, alice, bob, monkeypatch):
    monkeypatch.setattr(statement_cache, "_CUSTOM_MOST", 5)
    months = [*MONTHS[:3], current_month(alice.brand)]
    for period in (*months, *CUSTOM_PERIODS[:3]):
        read(bob, period)
        read(alice, period)
    for period in CUSTOM_PERIODS[3:12]:
        read(alice, period)
    remaining = [Period(row.from_date, row.to_date) for row in CachedStatement.objects.filter(customer=alice)]
    assert sorted(remaining, key=str) == sorted([*months, *CUSTOM_PERIODS[7:12]], key=str)
    assert CachedStatement.objects.filter(customer=bob).count() == 7
    assert read(alice, CUSTOM_PERIODS[0]).error == ""


def test_reader_waiting_for_a_deleted_row_gets_an_error(simulator, alice, monkeypatch):
    row = statement_cache.get_rows(alice.brand, alice, [JANUARY])[0]
    assert statement_cache.claim(row, timezone.now() + statement_cache.longest_claim())
    with monkeypatch.context() as patch:
        patch.setattr(
            "billing.statements.fetcher.time.sleep", lambda _: CachedStatement.objects.all().delete()
        )
        result = read(alice)
    assert (result.statement, result.error) == (None, "down")


# Fallbacks


def test_open_month_falls_back_to_its_newest_known_day(simulator, alice, at):
    at("2026-02-09T00:00:00+00:00")
    read(alice, Period(date(2026, 2, 1), date(2026, 2, 8)))
    before = read(alice, Period(date(2026, 2, 1), date(2026, 2, 9)))
    read(alice, Period(date(2026, 1, 1), date(2026, 2, 9)))
    at("2026-02-11T00:00:00+00:00")
    simulator.fault("customer_balance", "status")
    result = read(alice, Period(date(2026, 2, 1), date(2026, 2, 11)))
    assert (result.statement, result.as_of, result.error) == (before.statement, before.as_of, "down")
    assert (result.period.to_date.day, result.period_shown) == (11, before.period)
    assert read(alice, Period(date(2026, 2, 1), date(2026, 2, 10))).statement is None  # It has ended.


def test_balance_falls_back_to_the_newest_known_one_with_its_date(simulator, alice, at):
    at("2026-01-31T00:00:00+00:00")
    january = Period(date(2026, 1, 1), date(2026, 1, 31))
    before = read(alice, january)
    at("2026-02-01T00:00:00+00:00")
    simulator.fault("customer_balance", "status")
    current, months, _ = get_balance(brand=alice.brand, customer=alice)
    assert (current.statement, current.as_of, current.error) == (before.statement, before.as_of, "down")
    assert (current.period_shown, current.period) == (january, Period(date(2026, 2, 1), date(2026, 2, 1)))
    assert [bool(each.statement) for each in months] == [True, False, False]
    assert months[0].is_open  # Its last hours are missing.
    # Once a month has been fetched after its end, its closing balance is that of its last moment.
    simulator.post("faults/clear")
    pass_time(minutes=2)
    read(alice, january)
    simulator.fault("customer_balance", "status")
    current, months, _ = get_balance(brand=alice.brand, customer=alice)
    assert current.as_of == datetime(2026, 1, 31, 13, tzinfo=UTC)  # Midnight in Sydney.
    assert (current.period_shown, months[0].is_open) == (january, False)
    # A balance of four months ago is too old.
    at("2026-06-01T00:00:00+00:00")
    assert get_balance(brand=alice.brand, customer=alice)[0].statement is None


# Separation of accounts


def test_new_account_number_never_shows_figures_of_the_previous_one(simulator, alice):
    simulator.post("seed", customers=[{"partner": "Aurora", "account_number": "70009", "email": "a@b.cd"}])
    first = read(alice)
    alice.account_number = "70009"
    alice.save()
    assert read(alice).statement.closing_balance == 0
    alice.account_number = "70008"
    alice.save()
    simulator.fault("customer_balance", "status")
    assert read(alice).statement is None
    assert get_balance(brand=alice.brand, customer=alice)[0].statement is None
    alice.account_number = "70001"
    assert read(alice).statement == first.statement
    assert len({call["query"]["account_number"] for call in simulator.calls()}) == 3


def test_cache_separates_customers_brands_and_partner_accounts(simulator, alice, bob, charlie):
    aurora, borealis = alice.brand, charlie.brand
    period = current_month(aurora)
    accounts = [(aurora, alice), (aurora, bob), (borealis, charlie), (aurora, None), (borealis, None)]
    for _ in range(2):
        results = [
            get_statement(brand=brand, customer=customer, period=period) for brand, customer in accounts
        ]
        assert len({each.statement for each in results}) == 5
    assert len(simulator.calls("customer_balance")) == 3
    assert len(simulator.calls("partner_balance")) == 2
    assert CachedStatement.objects.filter(customer=None).count() == 2
    expected = [("customer_balance", customer.pk) for customer in (alice, bob, charlie)] + [
        ("partner_balance", None)
    ] * 2
    rows = CarrierCall.objects.order_by("pk").values_list("method", "customer_id")
    assert list(rows) == expected
    simulator.fault("partner_balance", "status")
    pass_time(minutes=5)
    assert get_statement(brand=aurora, customer=None, period=period).error == "down"


@pytest.mark.parametrize("amount", ["987654321098.12345", "-987654321098.12345", "0.00001", "-0.00001"])
def test_cached_amounts_are_exact_to_the_last_digit(simulator, alice, amount):
    entries = [{"date": "2020-01-05", "kind": "payment", "amount": amount}]
    customer = {"partner": "Aurora", "account_number": "70001", "entries": entries}
    simulator.post("seed", customers=[customer])
    statement = read(alice).statement
    assert str(statement.payments) == str(statement.closing_balance) == str(Decimal(amount))
    assert statement_cache.build_statement(CachedStatement.objects.get()) == statement
    assert read(alice).statement == statement
    assert statement.is_consistent
    assert len(simulator.calls()) == 1


# Concurrent calls and late answers


def test_reader_of_a_year_makes_at_most_four_calls_at_a_time(slow_failing_carrier, alice, monkeypatch):
    concurrency = slow_failing_carrier(0.5)
    monkeypatch.setattr(circuit_breaker, "FAILURES", 12)
    results = list(stream_statements(brand=alice.brand, customer=alice, periods=MONTHS))
    assert (len(results), len(concurrency), max(concurrency)) == (12, 12, 4)


def test_each_result_is_yielded_as_soon_as_it_arrives(simulator, alice, settings):
    settings.CARRIER_TIMEOUTS = PATIENT
    read(alice, MONTHS[0])
    simulator.fault("customer_balance", "slow", seconds=PATIENCE)
    deadlines = Deadlines(rest=PATIENCE)
    stream = stream_statements(brand=alice.brand, customer=alice, periods=MONTHS[:2], deadlines=deadlines)
    assert next(stream).statement
    assert eventually(lambda: [call["status"] for call in simulator.calls()] == [200, None])
    simulator.post("faults/clear")
    assert next(stream).statement
    assert list(stream) == []


def test_deadline_yields_cached_figures_and_late_answers_are_stored(threads, simulator, alice, settings):
    settings.CARRIER_TIMEOUTS = PATIENT
    read(alice, MONTHS[0])
    known = read(alice, MONTHS[1])
    pass_time(hours=30)
    read(alice, MONTHS[0])
    simulator.fault("customer_balance", "slow", seconds=PATIENCE)
    stream = {"brand": alice.brand, "customer": alice, "periods": MONTHS[:6], "deadlines": Deadlines(rest=1)}
    token = request_id.current.set("K7QF-2MPX")
    reader = stream_statements(**stream)
    request_id.current.reset(token)  # As when a page is streamed: the request ends before the stream is read.
    results = list(reader)
    assert eventually(lambda: [call["status"] for call in simulator.calls()[-4:]] == [None] * 4)
    assert [each.error for each in results] == ["", *["down"] * 5]
    assert [bool(each.statement) for each in results] == [True, True, *[False] * 4]
    assert results[1].as_of == known.as_of - timedelta(hours=30)
    # Four calls were under way; the fifth had not begun and is not claimed.
    assert CachedStatement.objects.exclude(claimed_until=None).count() == 4
    assert not CachedStatement.objects.exclude(error="").exists()
    simulator.post("faults/clear")
    assert eventually(lambda: not CachedStatement.objects.exclude(claimed_until=None).exists())
    assert CachedStatement.objects.exclude(figures=None).count() == 5
    late = CarrierCall.objects.filter(reference="K7QF-2MPX", customer_id=alice.pk, outcome="ok")
    assert late.count() == 4
    before = len(simulator.calls())
    stream["deadlines"] = Deadlines(rest=PATIENCE)
    assert [each.error for each in stream_statements(**stream)] == [""] * 6
    assert len(simulator.calls()) == before + 1


def test_reader_that_stops_leaves_no_claim_and_late_answers_are_stored(threads, simulator, alice):
    simulator.fault("customer_balance", "slow", seconds=1)
    stream = stream_statements(brand=alice.brand, customer=alice, periods=MONTHS)
    next(stream)
    stream.close()
    assert CachedStatement.objects.exclude(claimed_until=None).count() <= 4
    assert eventually(lambda: not CachedStatement.objects.exclude(claimed_until=None).exists())
    stored = CachedStatement.objects.exclude(figures=None).count()
    assert 4 <= stored == len(simulator.calls()) == CarrierCall.objects.count() <= 8
    assert not CachedStatement.objects.exclude(error="").exists()


def test_answers_received_before_the_reader_stops_are_stored_at_once(simulator, alice):
    read(alice, MONTHS[0])
    stream = stream_statements(brand=alice.brand, customer=alice, periods=MONTHS[:4])
    next(stream)
    assert eventually(lambda: [call["status"] for call in simulator.calls()] == [200] * 4)
    time.sleep(1)  # By then our threads have read the answers.
    stream.close()
    assert CachedStatement.objects.exclude(figures=None).count() == 4
    assert CarrierCall.objects.count() == 4


def test_late_failure_releases_the_claim(threads, simulator, alice):
    read(alice, MONTHS[0])
    simulator.fault("customer_balance", "hang")
    periods = MONTHS[:3]
    list(stream_statements(brand=alice.brand, customer=alice, periods=periods, deadlines=Deadlines(rest=0.1)))
    assert CachedStatement.objects.exclude(claimed_until=None).count() == 2
    assert eventually(lambda: CachedStatement.objects.filter(claimed_until=None, error="down").count() == 2)


def test_custom_periods_are_retained_for_a_week_and_open_months_for_40_days(simulator, alice):
    day = today(alice.brand)
    custom = Period(date(2020, 1, 3), date(2020, 1, 20))
    for period in (JANUARY, custom, this_month(day)):
        read(alice, period)

    def remaining() -> set[date]:
        return set(CachedStatement.objects.values_list("from_date", flat=True))

    pass_time(days=6)
    assert (statement_cache.prune_statements(), len(remaining())) == (0, 3)
    pass_time(days=2)
    assert (statement_cache.prune_statements(), remaining()) == (1, {JANUARY.from_date, day.replace(day=1)})
    pass_time(days=33)
    assert (statement_cache.prune_statements(), remaining()) == (1, {JANUARY.from_date})


def test_statements_not_requested_for_400_days_are_deleted(simulator, alice):
    read(alice)
    statement_cache.claim(
        statement_cache.get_rows(alice.brand, alice, [MONTHS[1]])[0], timezone.now() - timedelta(days=401)
    )
    assert (statement_cache.prune_statements(), CachedStatement.objects.get().from_date) == (
        1,
        JANUARY.from_date,
    )
    pass_time(days=399)
    assert statement_cache.prune_statements() == 0
    pass_time(days=2)
    assert (statement_cache.prune_statements(), CachedStatement.objects.count()) == (1, 0)
