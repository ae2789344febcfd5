"""When calls stop: said as far as the numbers carry it, and no further."""

import re
import time
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from billing.models import CachedStatement
from billing.statements.forecast import forecast
from billing.statements.periods import complete_months, today
from portal.models import Brand
from portal.voipline import Statement
from tests.conftest import AURORA
from tests.support.customer_flow import words
from tests.support.timeouts import PATIENCE, PATIENT, SLACK, eventually

TODAY = date(2026, 11, 26)
PERIODS = complete_months(TODAY, 3)  # Of 31, 30 and 31 days.


def month(calls: Any = 0, other: Any = 0, opening: Any = 1, **figures: Any) -> Statement:
    names = ("opening_balance", "payments", "adjustments", "call_charges", "other_charges")
    values = {name: Decimal(0) for name in (*names, "total_charges", "closing_balance")}
    told = {"opening_balance": opening, "call_charges": calls, "other_charges": other, **figures}
    return Statement(**{**values, **{name: Decimal(value) for name, value in told.items()}})


NOTHING = month(opening=0)
SPENT_92 = [month("30"), month("20", "12"), month("30")]  # One a day.


def judged(balance: Any, kind: str = "prepaid", limit: Any = None, months: Any = None, **more: Any) -> Any:
    months = SPENT_92 if months is None else months
    return forecast(
        balance=Decimal(balance),
        account_type=kind,
        credit_limit=None if limit is None else Decimal(limit),
        months=list(zip(PERIODS, months, strict=False)),
        **{"on": TODAY, "today": TODAY, **more},
    )


# Examples


@pytest.mark.parametrize(
    ("balance", "place"),
    [("0.005", "above"), ("0.00499", "at"), ("0", "at"), ("-0.00499", "at"), ("-0.005", "below")],
)
def test_a_prepaid_account_stops_at_zero_as_it_is_shown(balance, place):
    assert judged(balance).place == place


@pytest.mark.parametrize(
    ("balance", "place", "left"),
    [
        ("10", "above", "65.00"),
        ("-54.99", "above", "0.01"),
        ("-55.00499", "at", "0.00"),
        ("-54.99501", "at", "0.00"),
        ("-55.01", "below", "-0.01"),
    ],
)
def test_a_postpaid_account_stops_at_its_credit_limit(balance, place, left):
    found = judged(balance, "postpaid", "-55")
    assert (found.place, found.left, found.limit) == (place, Decimal(left), Decimal(-55))


def test_days_left_are_what_is_left_by_the_average_day_of_the_complete_months():
    found = judged("10.99")
    assert (found.days, found.around, found.months) == (10, date(2026, 12, 6), 3)
    assert judged("10", "postpaid", "-55").days == 65
    assert judged("0.99").days == 0
    assert (judged("365").days, judged("365").around) == (365, TODAY + timedelta(days=365))
    assert (judged("366").days, judged("366").around) == (366, None)


def test_adjustments_and_payments_are_no_pace():
    months = [month("30", adjustments="500", payments="9"), *SPENT_92[1:]]
    assert judged("10", months=months).days == 10


def test_months_before_the_account_was_opened_are_left_out_and_quiet_ones_later_are_not():
    assert (judged("10", months=[month("31"), NOTHING, NOTHING]).days) == 10
    assert judged("10", months=[month("31"), NOTHING, NOTHING]).months == 1
    assert judged("10", months=[month("30.5"), month(opening="5"), NOTHING]).days == 20  # 61 days.
    assert judged("10", months=[month("31"), NOTHING, month("61")]).days == 10
    payment = month(opening=0, payments="20")
    assert judged("10", months=[month("46"), month("46"), payment]).days == 10


def test_why_there_is_no_estimate_is_told():
    assert judged("10", months=[NOTHING] * 3).why == "new"
    assert judged("10", months=[month()] * 3).why == "quiet"
    assert judged("10", months=[month("-5")] * 3).why == "quiet"
    for missing in range(3):
        months: list[Any] = list(SPENT_92)
        months[missing] = None
        found = judged("10", months=months)
        assert (found.why, found.days) == ("missing", None)


def test_by_old_figures_the_days_are_counted_from_then():
    old = judged("10", on=TODAY - timedelta(days=4))
    assert (old.days, old.around) == (6, date(2026, 12, 2))
    gone = judged("10", on=TODAY - timedelta(days=30))
    assert gone.days == 0
    assert gone.warns


# Properties

amounts = st.decimals("-999999999999", "999999999999", places=5)
near_zero = st.decimals("-60", "60", places=5)
balances = amounts | near_zero
charges = st.decimals("0", "99999999", places=5) | st.sampled_from([Decimal(0), Decimal("0.00001")])
statements = st.builds(
    lambda calls, other, opening, paid: month(calls, other, opening, payments=paid),
    *(charges, charges, near_zero, near_zero),
)
some_months = st.lists(statements | st.none() | st.just(NOTHING), min_size=3, max_size=3)
kinds = st.sampled_from(["", "prepaid", "postpaid"])
limits = st.none() | near_zero | amounts


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


@examples(deadline=None)
@given(balances, kinds, limits, some_months)
def test_nothing_is_promised_where_the_stop_is_not_known(balance, kind, limit, months):
    found = judged(balance, kind, limit, months)
    known = kind == "prepaid" or (kind == "postpaid" and limit is not None)
    assert known is (found.kind in ("prepaid", "postpaid"))
    if not known:
        told = (found.days, found.around, found.left, found.limit, found.why, found.months)
        assert told == (None, None, None, None, "", 0)


@examples(deadline=None)
@given(balances, kinds, limits, some_months)
def test_at_or_below_the_stop_no_days_are_left_and_it_warns(balance, kind, limit, months):
    found = judged(balance, kind, limit, months)
    stop = cents(limit) if kind == "postpaid" and limit is not None else Decimal(0)
    assert found.place == ("above" if cents(balance) > stop else "below" if cents(balance) < stop else "at")
    if found.place != "above":
        assert (found.days, found.around, found.why) == (None, None, "")
        assert found.warns


@examples(deadline=None)
@given(balances, limits, some_months, kinds)
def test_never_more_days_are_told_than_the_exact_quotient_and_never_a_day_less(balance, limit, months, kind):
    found = judged(balance, kind, limit, months)
    if found.days is None:
        return
    lived = list(zip(PERIODS, months, strict=True))[: found.months]
    spent = sum(Fraction(each.call_charges) + Fraction(each.other_charges) for _, each in lived)
    left = Fraction(balance) - Fraction(limit if kind == "postpaid" else 0)
    exact = left * sum(period.days for period, _ in lived) / spent
    assert found.days <= exact < found.days + 1
    assert found.around == (None if found.days > 365 else TODAY + timedelta(days=found.days))


@examples(deadline=None)
@given(balances, balances, kinds, limits, some_months)
def test_with_more_balance_it_never_looks_worse(one, other, kind, limit, months):
    worse, better = (judged(each, kind, limit, months) for each in sorted((one, other)))
    order = ("below", "at", "above")
    assert order.index(worse.place) <= order.index(better.place)
    if worse.days is not None:
        assert better.days is not None
        assert better.days >= worse.days
    assert worse.warns or not better.warns


@examples(deadline=None)
@given(balances, kinds, limits, some_months)
def test_an_estimate_or_the_reason_for_none_is_given_above_a_known_stop(balance, kind, limit, months):
    found = judged(balance, kind, limit, months)
    if found.place == "above" and found.kind in ("prepaid", "postpaid"):
        assert (found.days is None) is (found.why != "")


# What the page makes of it


def entries(brand: Brand, *amounts: tuple[int, str, str]) -> list[dict[str, str]]:
    """So many days ago, what, how much."""
    return [
        {"date": (today(brand) - timedelta(days=ago)).isoformat(), "kind": kind, "amount": amount}
        for ago, kind, amount in amounts
    ]


SAID = [
    ("prepaid", None, "31", r"You have credit\. Calls .* in about 31 days \(around \d+ \w+ 20\d\d\)\."),
    ("prepaid", None, "0.5", r"You have credit\. .* within a day\."),
    ("prepaid", None, "99999", r"You have credit\. .* in more than a year\."),
    ("prepaid", None, "0", r"There is no credit left\. A prepaid account stops at zero: .* may not work"),
    ("prepaid", None, "0.004", r"There is no credit left\. A prepaid account"),
    ("prepaid", None, "-0.01", r"Your balance is below zero\. A prepaid account stops there: .* do not work"),
    (
        "postpaid",
        "-55",
        "-20",
        r"You have \$35\.00 left\. .* your balance is -\$55\.00: .* in about 35 days",
    ),
    ("postpaid", "-55", "-54.5", r"You have \$0\.50 left\. .* within a day\."),
    ("postpaid", "-55", "99999", r"You have \$100,054\.00 left\. .* in more than a year\."),
    ("postpaid", "-55", "-55", r"Your balance is at your credit limit of -\$55\.00\. .* may not work"),
    ("postpaid", "-55", "-56", r"Your balance is below your credit limit of -\$55\.00\. .* do not work"),
    ("postpaid", None, "7", r"You have credit\. Your account is postpaid, .* we do not know this limit"),
    ("postpaid", None, "0", r"Your balance is zero\. Your account is postpaid, .* may have stopped"),
    ("postpaid", None, "-7", r"Your balance is below zero\. Your account is postpaid, .* may have stopped"),
    ("", "-55", "7", r"You have credit\. We do not know whether your account is prepaid or postpaid"),
    ("", None, "0", r"Your balance is zero\. If your account is prepaid, .* may not work"),
    ("", "-55", "-7", r"Your balance is below zero, so calls in and out may have stopped"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("kind", "limit", "balance", "said"), SAID, ids=lambda value: str(value)[:12])
def test_the_first_sentence_under_the_balance_says_when_calls_stop(
    simulator, alice, browse, kind, limit, balance, said
):
    spent = entries(alice.brand, *((ago, "call", "1") for ago in range(130)))
    customer = {"partner": "Aurora", "account_number": "70001", "entries": spent, "balance": balance}
    simulator.post("seed", customers=[customer])
    alice.account_type, alice.credit_limit = kind, limit
    alice.save()
    page = browse(AURORA, alice).get("/")
    first = words(page).partition("Your balance ")[2].partition("Account 70001, as of")[0]
    assert re.search(rf"^-?\$\S+ {said}", first), first
    promised = any(word in first for word in ("in about", "within a day", "more than a year"))
    assert promised is ("It is an estimate." in first)
    warns = judged(balance, kind, limit, [month(calls="31")] * 3).warns
    assert ('class="state warns"' in page.content.decode()) is warns


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ((0, "payment", "5"), "your account has no complete month yet"),
        ((45, "payment", "5"), "nothing was charged in the last complete months"),
    ],
)
def test_why_there_is_no_estimate_is_said_on_the_page(simulator, alice, browse, made, reason):
    alice.account_type = "prepaid"
    alice.save()
    customer = {"partner": "Aurora", "account_number": "70001", "entries": entries(alice.brand, made)}
    simulator.post("seed", customers=[customer])
    said = words(browse(AURORA, alice).get("/"))
    assert f"There is no estimate of how long that lasts: {reason}" in said


@pytest.mark.django_db
def test_a_slow_month_holds_no_page_and_its_estimate_is_said_to_be_missing(
    threads, simulator, alice, browse, settings
):
    settings.CARRIER_TIMEOUTS = PATIENT
    simulator.post("seed", customers=[{"partner": "Aurora", "account_number": "70001", "balance": "50"}])
    alice.account_type = "prepaid"
    alice.save()
    browser = browse(AURORA, alice)
    assert "It is an estimate." in words(browser.get("/"))
    CachedStatement.objects.exclude(from_date=today(alice.brand).replace(day=1)).delete()
    simulator.fault("customer_balance", "slow", seconds=PATIENCE)
    began = time.monotonic()
    page = browser.get("/")
    assert 1.4 < time.monotonic() - began < SLACK
    assert page.status_code == 200
    assert "the figures of the last months are missing at the moment" in words(page)
    simulator.post("faults/clear")
    assert eventually(lambda: CachedStatement.objects.exclude(figures=None).count() == 4)
