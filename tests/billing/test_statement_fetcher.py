"""Kept figures: what spares a call, who waits for whom, what a failure shows, and what comes late."""

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
    """All that is kept is so much older."""
    ago = timedelta(**span)
    CachedStatement.objects.update(as_of=F("as_of") - ago, attempted_at=F("attempted_at") - ago)


def read(customer: Any, period: Period = JANUARY, **options: Any) -> Any:
    return get_statement(brand=customer.brand, customer=customer, period=period, **options)


def running(brand: Any) -> Period:
    return this_month(today(brand))


@pytest.fixture
def failing_slowly(aurora: Any) -> Iterator[Callable[[float], list[int]]]:
    """Puts a carrier in place that takes so long to fail; for each call, how many there were then."""
    lock, now, seen, takes = threading.Lock(), [0], list[int](), [0.0]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with lock:
                now[0] += 1
                seen.append(now[0])
            time.sleep(takes[0])
            with lock:
                now[0] -= 1
            self.send_error(500)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    aurora.carrier_url = f"http://127.0.0.1:{server.server_port}/"
    aurora.save()

    def fail_in(seconds: float) -> list[int]:
        takes[0] = seconds
        return seen

    yield fail_in
    server.shutdown()
    server.server_close()


# What spares a call


def test_of_a_running_period_figures_spare_a_call_for_a_minute(simulator, alice):
    first = read(alice, running(alice.brand))
    pass_time(seconds=58)
    again = read(alice, running(alice.brand))
    assert (again.statement, again.period_shown, again.error) == (first.statement, first.period, "")
    assert again.as_of == first.as_of - timedelta(seconds=58)
    assert len(simulator.calls()) == 1
    pass_time(seconds=3)
    assert timezone.now() - read(alice, running(alice.brand)).as_of < timedelta(seconds=5)
    assert len(simulator.calls()) == 2


def test_of_a_period_that_is_over_they_do_for_a_day(simulator, alice):
    read(alice)
    pass_time(hours=23, minutes=59)
    assert read(alice).statement.closing_balance == Decimal("242.08793")
    assert len(simulator.calls()) == 1
    pass_time(minutes=2)
    read(alice)
    assert len(simulator.calls()) == 2


def test_figures_that_were_asked_for_while_their_period_ran_are_not_settled_by_its_end(simulator, alice, at):
    at("2020-01-31T12:59:00+00:00")  # A minute to midnight in Sydney.
    assert read(alice).is_open
    at("2020-01-31T13:01:00+00:00")
    pass_time(minutes=2)
    assert not read(alice).is_open
    assert len(simulator.calls()) == 2
    pass_time(hours=20)
    read(alice)
    assert len(simulator.calls()) == 2


def test_a_refresh_asks_in_any_case_and_of_several_for_the_first_alone(simulator, alice):
    stream = {"brand": alice.brand, "customer": alice, "periods": MONTHS[:3]}
    list(stream_statements(**stream))
    pass_time(seconds=10)
    list(stream_statements(**stream, refresh=True))
    months = [call["query"]["from_date"] for call in simulator.calls()]
    assert sorted(months[:3]) == ["2019-10-01", "2019-11-01", "2019-12-01"]
    assert months[3:] == ["2019-12-01"]


# One call for all who ask at once


def test_ten_readers_at_once_make_one_call(threads, simulator, alice):
    simulator.fault("customer_balance", "slow", seconds=0.5)
    found = at_once(10, lambda nth: read(alice))
    assert {each.statement.closing_balance for each in found} == {Decimal("242.08793")}
    assert {each.error for each in found} == {""}
    assert len(simulator.calls()) == CarrierCall.objects.count() == CachedStatement.objects.count() == 1


def test_ten_readers_at_once_share_one_failure(threads, failing_slowly, alice):
    calls = failing_slowly(1)
    found = at_once(10, lambda nth: read(alice))
    assert {(each.statement, each.error) for each in found} == {(None, "down")}
    assert len(calls) == CarrierCall.objects.count() == 1


def test_readers_beyond_a_bound_do_not_wait_for_a_carrier_that_hangs(threads, simulator, alice, settings):
    settings.WEB_THREADS = 16  # Of which half wait, and for one brand half of that.
    simulator.fault("customer_balance", "hang")

    def timed(nth):
        began = time.monotonic()
        return read(alice).error, time.monotonic() - began

    found = sorted(at_once(4 + 4, timed), key=lambda each: each[1])
    assert [trouble for trouble, _ in found] == ["busy"] * 4 + ["down"] * 4
    assert CarrierCall.objects.count() == 1


def test_two_refreshes_at_once_make_one_call_and_both_get_what_is_new(threads, simulator, alice):
    read(alice)
    before = timezone.now()
    simulator.fault("customer_balance", "slow", seconds=0.5)
    found = at_once(2, lambda nth: read(alice, refresh=True))
    assert all(each.as_of > before for each in found)
    assert len(simulator.calls()) == 2


def test_two_readers_of_a_year_share_its_calls(threads, simulator, alice):
    simulator.fault("customer_balance", "slow", seconds=0.1)
    stream = {"brand": alice.brand, "customer": alice, "periods": MONTHS}
    found = at_once(2, lambda nth: list(stream_statements(**stream)))
    assert found[0] == found[1]
    assert [each.period for each in found[0]] == MONTHS
    assert len(simulator.calls()) == 12


def test_what_another_has_stored_since_a_row_was_read_is_not_asked_for_again(simulator, alice):
    rows = [statement_cache.get_rows(alice.brand, alice, [JANUARY])[0]]
    read(alice)
    rows += statement_cache.get_rows(alice.brand, alice, [JANUARY])
    read(alice, refresh=True)
    soon = timezone.now() + timedelta(seconds=5)
    assert [statement_cache.claim(row, soon) for row in rows] == [False, False]
    assert statement_cache.claim(statement_cache.get_rows(alice.brand, alice, [JANUARY])[0], soon)


def test_the_claim_of_a_process_that_died_is_taken_over(simulator, alice, settings):
    settings.CARRIER_TIMEOUTS = Timeouts(connect=2, read=2, total=2)
    row = statement_cache.get_rows(alice.brand, alice, [JANUARY])[0]
    assert statement_cache.claim(row, timezone.now() + statement_cache.longest_claim())
    assert (read(alice).error, simulator.calls()) == ("down", [])  # It may be alive, and waiting.
    CachedStatement.objects.update(claimed_until=timezone.now() + timedelta(seconds=0.5))
    assert read(alice).statement
    assert CachedStatement.objects.get().claimed_until is None
    CachedStatement.objects.update(claimed_until=timezone.now() - timedelta(seconds=1), as_of=None)
    assert read(alice).statement
    assert len(simulator.calls()) == 2


# When the carrier fails

TROUBLES = [
    ({"fault": "status", "status": 500}, "down", None),
    ({"fault": "html"}, "down", None),
    ({"fault": "wrong_json", "message": "missing"}, "down", None),
    ({"fault": "status", "status": 401}, "refused", None),
    ({"fault": "status", "status": 422}, "refused", None),
    ({"fault": "status", "status": 429, "retry_after": 17}, "busy", 17),
    ({"fault": "status", "status": 404, "message": "No such customer"}, "gone", None),
]


@pytest.mark.parametrize(("fault", "trouble", "seconds"), TROUBLES, ids=lambda value: str(value))
def test_a_failure_keeps_what_was_known_and_says_why(simulator, alice, fault, trouble, seconds):
    first = read(alice)
    simulator.fault("customer_balance", **fault)
    pass_time(days=3)
    found = read(alice)
    assert (found.statement, found.period_shown) == (first.statement, JANUARY)
    assert found.as_of == first.as_of - timedelta(days=3)
    assert (found.error, found.retry_after) == (trouble, seconds)
    simulator.post("faults/clear")
    pass_time(seconds=11)
    assert read(alice).error == ""


@pytest.mark.parametrize(("fault", "trouble", "seconds"), TROUBLES, ids=lambda value: str(value))
def test_a_failure_where_nothing_is_known_gives_nothing(simulator, alice, fault, trouble, seconds):
    simulator.fault("customer_balance", **fault)
    for _ in range(2):  # Each asks anew: there is nothing else to show.
        found = read(alice)
        assert (found.statement, found.as_of, found.error) == (None, None, trouble)
        assert found.retry_after == seconds
    assert len(simulator.calls()) == 2
    assert CachedStatement.objects.get().claimed_until is None


def test_after_a_failure_nobody_asks_for_ten_seconds_unless_by_a_refresh(simulator, alice):
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


def test_past_the_limit_of_calls_what_is_known_is_shown_and_nobody_asked(simulator, alice, bob):
    read(alice)
    for _ in range(59):
        rate_limits.consume(action="statement", account=f"customer {alice.pk}")
    pass_time(days=2)
    found = read(alice)
    assert (bool(found.statement), found.error, found.retry_after) == (True, "busy", 60)
    assert len(simulator.calls()) == 1
    assert CachedStatement.objects.get().error == ""  # The refusal is told, and not written down.
    assert CachedStatement.objects.get().claimed_until is None
    assert read(bob).error == ""


def test_a_connection_that_is_not_usable_is_a_failure_like_any(simulator, alice):
    alice.brand.overrides.create(method="customer_balance", parameters={"account_number": ""})
    periods = [JANUARY, MONTHS[1]]
    found = list(stream_statements(brand=alice.brand, customer=alice, periods=periods))
    assert [(each.statement, each.error) for each in found] == [(None, "down")] * 2


# Clocks that were wrong: what is stored as still to come counts as past

AHEAD = timedelta(hours=1)


def test_figures_from_an_hour_ahead_are_not_fresh(simulator, alice):
    for period in (JANUARY, running(alice.brand)):
        read(alice, period)
        CachedStatement.objects.update(as_of=timezone.now() + AHEAD, attempted_at=timezone.now() + AHEAD)
        before = len(simulator.calls())
        assert read(alice, period).as_of <= timezone.now()
        assert len(simulator.calls()) == before + 1


def test_a_failure_from_an_hour_ahead_spares_no_call(simulator, alice):
    read(alice)
    at = timezone.now()
    CachedStatement.objects.update(as_of=at - timedelta(days=2), attempted_at=at + AHEAD, error="down")
    assert read(alice).error == ""
    assert len(simulator.calls()) == 2


@pytest.mark.parametrize("refresh", [False, True])
def test_a_claim_until_an_hour_from_now_is_none(simulator, alice, refresh):
    read(alice)
    long_ago = timezone.now() - timedelta(days=2)
    CachedStatement.objects.update(claimed_until=timezone.now() + AHEAD, as_of=long_ago)
    found = read(alice, refresh=refresh)
    assert (found.error, found.as_of > long_ago + timedelta(days=1)) == ("", True)
    assert CachedStatement.objects.get().claimed_until is None
    assert len(simulator.calls()) == 2


def test_a_claim_is_good_for_as_long_as_the_last_of_a_years_calls_may_take(alice):
    row = statement_cache.get_rows(alice.brand, alice, [JANUARY])[0]
    assert statement_cache.claim(row, timezone.now() + statement_cache.longest_claim())
    assert not statement_cache.claim(
        statement_cache.get_rows(alice.brand, alice, [JANUARY])[0], timezone.now()
    )


def test_two_refreshes_of_figures_from_an_hour_ahead_both_get_what_is_new(threads, simulator, alice):
    read(alice)
    CachedStatement.objects.update(as_of=timezone.now() + AHEAD, attempted_at=timezone.now() + AHEAD)
    before = timezone.now()
    simulator.fault("customer_balance", "slow", seconds=0.5)
    found = at_once(2, lambda nth: read(alice, refresh=True))
    assert all(before < each.as_of <= timezone.now() for each in found)
    assert len(simulator.calls()) == 2


# Rows are bounded, whatever somebody asks for

MADE_UP = [Period(date(2001, 1, 1), date(2001, 1, 2) + timedelta(days=day)) for day in range(60)]


def test_a_customer_who_makes_up_periods_makes_no_more_rows_than_the_limit_allows_calls(
    simulator, alice, monkeypatch
):
    monkeypatch.setitem(rate_limits.REDIS_LIMITS, "statement", {"account": "10/hour"})
    found = [read(alice, period) for period in MADE_UP]
    assert [each.error for each in found] == [*[""] * 10, *["busy"] * 50]
    assert {each.retry_after for each in found[10:]} == {3600}
    assert CachedStatement.objects.count() == len(simulator.calls()) == 10


def test_of_made_up_periods_the_newest_of_each_account_are_kept(simulator, alice, bob, monkeypatch):
    monkeypatch.setattr(statement_cache, "_ODD_MOST", 5)
    kept_anyway = [*MONTHS[:3], running(alice.brand)]
    for period in (*kept_anyway, *MADE_UP[:3]):
        read(bob, period)
        read(alice, period)
    for period in MADE_UP[3:12]:
        read(alice, period)
    left = [Period(row.from_date, row.to_date) for row in CachedStatement.objects.filter(customer=alice)]
    assert sorted(left, key=str) == sorted([*kept_anyway, *MADE_UP[7:12]], key=str)
    assert CachedStatement.objects.filter(customer=bob).count() == 7
    assert read(alice, MADE_UP[0]).error == ""


def test_whoever_waits_for_a_row_that_is_removed_is_told_so(simulator, alice, monkeypatch):
    row = statement_cache.get_rows(alice.brand, alice, [JANUARY])[0]
    assert statement_cache.claim(row, timezone.now() + statement_cache.longest_claim())
    with monkeypatch.context() as patch:
        patch.setattr("billing.statements.fetcher.time.sleep", lambda _: CachedStatement.objects.all().delete())
        found = read(alice)
    assert (found.statement, found.error) == (None, "down")


# What stands in


def test_for_a_running_month_its_newest_known_day_stands_in(simulator, alice, at):
    at("2026-02-09T00:00:00+00:00")
    read(alice, Period(date(2026, 2, 1), date(2026, 2, 8)))
    before = read(alice, Period(date(2026, 2, 1), date(2026, 2, 9)))
    read(alice, Period(date(2026, 1, 1), date(2026, 2, 9)))
    at("2026-02-11T00:00:00+00:00")
    simulator.fault("customer_balance", "status")
    found = read(alice, Period(date(2026, 2, 1), date(2026, 2, 11)))
    assert (found.statement, found.as_of, found.error) == (before.statement, before.as_of, "down")
    assert (found.period.to_date.day, found.period_shown) == (11, before.period)
    assert read(alice, Period(date(2026, 2, 1), date(2026, 2, 10))).statement is None  # That is over.


def test_for_the_balance_the_newest_known_one_stands_in_with_its_moment(simulator, alice, at):
    at("2026-01-31T00:00:00+00:00")
    january = Period(date(2026, 1, 1), date(2026, 1, 31))
    before = read(alice, january)
    at("2026-02-01T00:00:00+00:00")
    simulator.fault("customer_balance", "status")
    current, months = get_balance(brand=alice.brand, customer=alice)
    assert (current.statement, current.as_of, current.error) == (before.statement, before.as_of, "down")
    assert (current.period_shown, current.period) == (january, Period(date(2026, 2, 1), date(2026, 2, 1)))
    assert [bool(each.statement) for each in months] == [True, False, False]
    assert months[0].is_open  # Its last hours are not in it.
    # Once the month has been asked for after its end, its closing balance is that of its last moment.
    simulator.post("faults/clear")
    pass_time(minutes=2)
    read(alice, january)
    simulator.fault("customer_balance", "status")
    current, months = get_balance(brand=alice.brand, customer=alice)
    assert current.as_of == datetime(2026, 1, 31, 13, tzinfo=UTC)  # Midnight in Sydney.
    assert (current.period_shown, months[0].is_open) == (january, False)
    # A balance of long ago is none.
    at("2026-06-01T00:00:00+00:00")
    assert get_balance(brand=alice.brand, customer=alice)[0].statement is None


# Whose they are


def test_another_account_number_never_shows_the_formers_figures(simulator, alice):
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


def test_customers_brands_and_partner_accounts_are_kept_apart(simulator, alice, bob, charlie):
    aurora, borealis = alice.brand, charlie.brand
    period = running(aurora)
    asked = [(aurora, alice), (aurora, bob), (borealis, charlie), (aurora, None), (borealis, None)]
    for _ in range(2):
        found = [get_statement(brand=brand, customer=who, period=period) for brand, who in asked]
        assert len({each.statement for each in found}) == 5
    assert len(simulator.calls("customer_balance")) == 3
    assert len(simulator.calls("partner_balance")) == 2
    assert CachedStatement.objects.filter(customer=None).count() == 2
    expected = [("customer_balance", who.pk) for who in (alice, bob, charlie)] + [
        ("partner_balance", None)
    ] * 2
    rows = CarrierCall.objects.order_by("pk").values_list("method", "customer_id")
    assert list(rows) == expected
    simulator.fault("partner_balance", "status")
    pass_time(minutes=5)
    assert get_statement(brand=aurora, customer=None, period=period).error == "down"


@pytest.mark.parametrize("amount", ["987654321098.12345", "-987654321098.12345", "0.00001", "-0.00001"])
def test_what_is_kept_is_exact_to_the_last_digit(simulator, alice, amount):
    entries = [{"date": "2020-01-05", "kind": "payment", "amount": amount}]
    seeded = {"partner": "Aurora", "account_number": "70001", "entries": entries}
    simulator.post("seed", customers=[seeded])
    came = read(alice).statement
    assert str(came.payments) == str(came.closing_balance) == str(Decimal(amount))
    assert statement_cache.build_statement(CachedStatement.objects.get()) == came
    assert read(alice).statement == came
    assert came.is_consistent
    assert len(simulator.calls()) == 1


# Several at once, and what comes late


def test_a_reader_of_a_year_makes_at_most_four_calls_at_a_time(failing_slowly, alice, monkeypatch):
    calls = failing_slowly(0.5)
    monkeypatch.setattr(circuit_breaker, "FAILURES", 12)
    found = list(stream_statements(brand=alice.brand, customer=alice, periods=MONTHS))
    assert (len(found), len(calls), max(calls)) == (12, 12, 4)


def test_each_figure_is_given_as_soon_as_it_is_there(simulator, alice, settings):
    settings.CARRIER_TIMEOUTS = PATIENT
    read(alice, MONTHS[0])
    simulator.fault("customer_balance", "slow", seconds=PATIENCE)
    bounds = Deadlines(within=PATIENCE)
    stream = stream_statements(brand=alice.brand, customer=alice, periods=MONTHS[:2], bounds=bounds)
    assert next(stream).statement
    assert eventually(lambda: [call["status"] for call in simulator.calls()] == [200, None])
    simulator.post("faults/clear")
    assert next(stream).statement
    assert list(stream) == []


def test_past_its_deadline_a_reader_gets_what_is_known_and_the_answer_is_kept_for_the_next(
    threads, simulator, alice, settings
):
    settings.CARRIER_TIMEOUTS = PATIENT
    read(alice, MONTHS[0])
    known = read(alice, MONTHS[1])
    pass_time(hours=30)
    read(alice, MONTHS[0])
    simulator.fault("customer_balance", "slow", seconds=PATIENCE)
    stream = {"brand": alice.brand, "customer": alice, "periods": MONTHS[:6], "bounds": Deadlines(within=1)}
    token = request_id.current.set("K7QF-2MPX")
    reader = stream_statements(**stream)
    request_id.current.reset(token)  # As when a page is streamed: the request is over before it is read.
    found = list(reader)
    assert eventually(lambda: [call["status"] for call in simulator.calls()[-4:]] == [None] * 4)
    assert [each.error for each in found] == ["", *["down"] * 5]
    assert [bool(each.statement) for each in found] == [True, True, *[False] * 4]
    assert found[1].as_of == known.as_of - timedelta(hours=30)
    # Four calls were under way; the fifth had not begun, and is nobody's.
    assert CachedStatement.objects.exclude(claimed_until=None).count() == 4
    assert not CachedStatement.objects.exclude(error="").exists()
    simulator.post("faults/clear")
    assert eventually(lambda: not CachedStatement.objects.exclude(claimed_until=None).exists())
    assert CachedStatement.objects.exclude(figures=None).count() == 5
    late = CarrierCall.objects.filter(reference="K7QF-2MPX", customer_id=alice.pk, outcome="ok")
    assert late.count() == 4
    before = len(simulator.calls())
    stream["bounds"] = Deadlines(within=PATIENCE)
    assert [each.error for each in stream_statements(**stream)] == [""] * 6
    assert len(simulator.calls()) == before + 1


def test_whoever_goes_away_leaves_no_claim_behind_and_what_comes_is_kept(threads, simulator, alice):
    simulator.fault("customer_balance", "slow", seconds=1)
    stream = stream_statements(brand=alice.brand, customer=alice, periods=MONTHS)
    next(stream)
    stream.close()
    assert CachedStatement.objects.exclude(claimed_until=None).count() <= 4
    assert eventually(lambda: not CachedStatement.objects.exclude(claimed_until=None).exists())
    came = CachedStatement.objects.exclude(figures=None).count()
    assert 4 <= came == len(simulator.calls()) == CarrierCall.objects.count() <= 8
    assert not CachedStatement.objects.exclude(error="").exists()


def test_what_had_come_when_the_reader_went_is_kept_at_once(simulator, alice):
    read(alice, MONTHS[0])
    stream = stream_statements(brand=alice.brand, customer=alice, periods=MONTHS[:4])
    next(stream)
    assert eventually(lambda: [call["status"] for call in simulator.calls()] == [200] * 4)
    time.sleep(1)  # Then the threads here have read them.
    stream.close()
    assert CachedStatement.objects.exclude(figures=None).count() == 4
    assert CarrierCall.objects.count() == 4


def test_a_failure_that_comes_late_gives_the_claim_back_too(threads, simulator, alice):
    read(alice, MONTHS[0])
    simulator.fault("customer_balance", "hang")
    periods = MONTHS[:3]
    list(stream_statements(brand=alice.brand, customer=alice, periods=periods, bounds=Deadlines(within=0.1)))
    assert CachedStatement.objects.exclude(claimed_until=None).count() == 2
    assert eventually(lambda: CachedStatement.objects.filter(claimed_until=None, error="down").count() == 2)


def test_a_period_that_is_no_month_is_kept_for_a_week_and_a_running_one_for_40_days(simulator, alice):
    day = today(alice.brand)
    odd = Period(date(2020, 1, 3), date(2020, 1, 20))
    for period in (JANUARY, odd, this_month(day)):
        read(alice, period)

    def left() -> set[date]:
        return set(CachedStatement.objects.values_list("from_date", flat=True))

    pass_time(days=6)
    assert (statement_cache.prune_statements(), len(left())) == (0, 3)
    pass_time(days=2)
    assert (statement_cache.prune_statements(), left()) == (1, {JANUARY.from_date, day.replace(day=1)})
    pass_time(days=33)
    assert (statement_cache.prune_statements(), left()) == (1, {JANUARY.from_date})


def test_what_nobody_has_asked_for_in_400_days_is_removed(simulator, alice):
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
