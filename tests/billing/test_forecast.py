"""The forecast of when calls stop promises no more than the figures support."""

import re
import time
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from billing.models import CachedStatement
from billing.statements.forecast import calculate_forecast
from billing.statements.forecast_text import describe_forecast
from billing.statements.periods import complete_months, today
from portal.core.money import WORD_JOINER, format_money
from portal.models import Brand
from portal.voipline import Statement
from tests.billing.test_statement import section
from tests.conftest import AURORA
from tests.support.customer_flow import text_of, words
from tests.support.timeouts import PATIENCE, PATIENT, SLACK, eventually

TODAY = date(2026, 11, 26)
PERIODS = complete_months(TODAY, 3)  # 31, 30 and 31 days.


def month(calls: Any = 0, other: Any = 0, opening: Any = 1, **figures: Any) -> Statement:
    names = ("opening_balance", "payments", "adjustments", "call_charges", "other_charges")
    values = {name: Decimal(0) for name in (*names, "total_charges", "closing_balance")}
    overrides = {"opening_balance": opening, "call_charges": calls, "other_charges": other, **figures}
    return Statement(**{**values, **{name: Decimal(value) for name, value in overrides.items()}})


EMPTY_MONTH = month(opening=0)
SPENT_92 = [month("30"), month("20", "12"), month("30")]  # Charges of 1 a day.


def make_forecast(
    balance: Any, kind: str = "prepaid", limit: Any = None, months: Any = None, **more: Any
) -> Any:
    months = SPENT_92 if months is None else months
    return calculate_forecast(
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
def test_prepaid_account_stops_at_a_balance_that_rounds_to_zero(balance, place):
    assert make_forecast(balance).place == place


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
def test_postpaid_account_stops_at_its_credit_limit(balance, place, left):
    result = make_forecast(balance, "postpaid", "-55")
    assert (result.place, result.left, result.limit) == (place, Decimal(left), Decimal(-55))


def test_days_left_use_the_average_daily_charges_of_complete_months():
    result = make_forecast("10.99")
    assert (result.days, result.around, result.months) == (10, date(2026, 12, 6), 3)
    assert make_forecast("10", "postpaid", "-55").days == 65
    assert make_forecast("0.99").days == 0
    assert (make_forecast("365").days, make_forecast("365").around) == (365, TODAY + timedelta(days=365))
    assert (make_forecast("366").days, make_forecast("366").around) == (366, None)


def test_adjustments_and_payments_do_not_count_as_charges():
    months = [month("30", adjustments="500", payments="9"), *SPENT_92[1:]]
    assert make_forecast("10", months=months).days == 10


def test_months_before_opening_are_excluded_and_later_quiet_ones_count():
    assert (make_forecast("10", months=[month("31"), EMPTY_MONTH, EMPTY_MONTH]).days) == 10
    assert make_forecast("10", months=[month("31"), EMPTY_MONTH, EMPTY_MONTH]).months == 1
    assert make_forecast("10", months=[month("30.5"), month(opening="5"), EMPTY_MONTH]).days == 20  # 61 days.
    assert make_forecast("10", months=[month("31"), EMPTY_MONTH, month("61")]).days == 10
    payment = month(opening=0, payments="20")
    assert make_forecast("10", months=[month("46"), month("46"), payment]).days == 10


def test_forecast_gives_the_reason_for_no_estimate():
    assert make_forecast("10", months=[EMPTY_MONTH] * 3).why == "new"
    assert make_forecast("10", months=[month()] * 3).why == "quiet"
    assert make_forecast("10", months=[month("-5")] * 3).why == "quiet"
    for missing in range(3):
        months: list[Any] = list(SPENT_92)
        months[missing] = None
        result = make_forecast("10", months=months)
        assert (result.why, result.days) == ("missing", None)


def test_days_are_counted_from_the_date_of_stale_figures():
    old = make_forecast("10", on=TODAY - timedelta(days=4))
    assert (old.days, old.around) == (6, date(2026, 12, 2))
    gone = make_forecast("10", on=TODAY - timedelta(days=30))
    assert (gone.days, gone.state) == (0, "low")


@pytest.mark.parametrize(
    ("balance", "state"),
    [("8", "healthy"), ("7.99", "low"), ("0.01", "low"), ("0.004", "stopped"), ("-0.01", "stopped")],
)
def test_balance_is_low_in_its_last_seven_days_and_stopped_after_them(balance, state):
    assert make_forecast(balance).state == state
    assert make_forecast(Decimal(balance) - 55, "postpaid", "-55").state == state


@pytest.mark.parametrize(
    ("days", "scale", "share"),
    [(0, 30, 2), (1, 30, 3), (15, 30, 50), (30, 30, 100), (31, 60, 52), (60, 60, 100), (61, None, None)],
)
def test_bar_of_days_is_thirty_or_sixty_days_long(days, scale, share):
    result = make_forecast(Decimal(days) + Decimal("0.5"))
    assert (result.days, result.scale) == (days, scale)
    assert share is None or result.share == share


# Properties

amounts = st.decimals("-999999999999", "999999999999", places=5)
near_zero = st.decimals("-60", "60", places=5)
balances = amounts | near_zero
charges = st.decimals("0", "99999999", places=5) | st.sampled_from([Decimal(0), Decimal("0.00001")])
statements = st.builds(
    lambda calls, other, opening, paid: month(calls, other, opening, payments=paid),
    *(charges, charges, near_zero, near_zero),
)
some_months = st.lists(statements | st.none() | st.just(EMPTY_MONTH), min_size=3, max_size=3)
kinds = st.sampled_from(["", "prepaid", "postpaid"])
limits = st.none() | near_zero | amounts


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


@examples(deadline=None)
@given(balances, kinds, limits, some_months)
def test_forecast_is_empty_when_the_stopping_balance_is_unknown(balance, kind, limit, months):
    result = make_forecast(balance, kind, limit, months)
    known = kind == "prepaid" or (kind == "postpaid" and limit is not None)
    assert known is (result.kind in ("prepaid", "postpaid"))
    if not known:
        estimate = (result.days, result.around, result.left, result.limit, result.why, result.months)
        assert estimate == (None, None, None, None, "", 0)


@examples(deadline=None)
@given(balances, kinds, limits, some_months)
def test_forecast_says_that_calls_stop_at_or_below_the_stopping_balance(balance, kind, limit, months):
    result = make_forecast(balance, kind, limit, months)
    stop = cents(limit) if kind == "postpaid" and limit is not None else Decimal(0)
    assert result.place == ("above" if cents(balance) > stop else "below" if cents(balance) < stop else "at")
    if result.place != "above":
        assert (result.days, result.around, result.why) == (None, None, "")
        # Below zero is nothing unusual on a postpaid account. Of unknown type, it may have stopped.
        assert result.state == {"no_limit": "healthy", "unknown": "low"}.get(result.kind, "stopped")
        assert result.scale is None
    else:
        assert result.state == ("low" if result.days is not None and result.days <= 7 else "healthy")


@examples(deadline=None)
@given(balances | st.decimals("0", "200", places=5), kinds, limits, some_months | st.just(SPENT_92))
def test_text_names_days_up_to_sixty_and_the_bar_ends_with_them(balance, kind, limit, months):
    result = make_forecast(balance, kind, limit, months)
    with translation.override("en-au"):
        text, note = describe_forecast(result, Brand(currency="AUD"))
    is_named = re.search(r"<strong>about \d+ days?</strong>|<strong>within a day</strong>", text)
    assert bool(is_named) is (result.days is not None and result.days <= 60)
    in_months = re.search(r"<strong>about (\d+) months</strong>", text)
    assert bool(in_months) is (result.days is not None and 60 < result.days <= 365)
    assert not in_months or 2 <= int(in_months[1]) <= 12
    assert ("<strong>" in text) is (result.days is not None) is ("Estimate based on" in note)
    assert (result.scale is None) is (not is_named)
    if result.scale:
        assert result.scale in (30, 60)
        assert 0 <= result.days <= result.scale
        assert 2 <= result.share <= 100
        assert abs(result.share - 100 * result.days / result.scale) <= 2


@examples(deadline=None)
@given(balances, limits, some_months, kinds)
def test_days_are_the_exact_quotient_rounded_down(balance, limit, months, kind):
    result = make_forecast(balance, kind, limit, months)
    if result.days is None:
        return
    counted = list(zip(PERIODS, months, strict=True))[: result.months]
    spent = sum(Fraction(each.call_charges) + Fraction(each.other_charges) for _, each in counted)
    left = Fraction(balance) - Fraction(limit if kind == "postpaid" else 0)
    exact = left * sum(period.days for period, _ in counted) / spent
    assert result.days <= exact < result.days + 1
    assert result.around == (None if result.days > 365 else TODAY + timedelta(days=result.days))


@examples(deadline=None)
@given(balances, balances, kinds, limits, some_months)
def test_higher_balance_never_gives_a_worse_forecast(one, other, kind, limit, months):
    worse, better = (make_forecast(each, kind, limit, months) for each in sorted((one, other)))
    order = ("below", "at", "above")
    assert order.index(worse.place) <= order.index(better.place)
    if worse.days is not None:
        assert better.days is not None
        assert better.days >= worse.days
    states = ("stopped", "low", "healthy")
    assert states.index(worse.state) <= states.index(better.state)


@examples(deadline=None)
@given(balances, kinds, limits, some_months)
def test_forecast_has_days_or_a_reason_above_the_stopping_balance(balance, kind, limit, months):
    result = make_forecast(balance, kind, limit, months)
    if result.place == "above" and result.kind in ("prepaid", "postpaid"):
        assert (result.days is None) is (result.why != "")


# The page


def entries(brand: Brand, *amounts: tuple[int, str, str]) -> list[dict[str, str]]:
    """Return carrier entries from tuples of days ago, kind and amount."""
    return [
        {"date": (today(brand) - timedelta(days=ago)).isoformat(), "kind": kind, "amount": amount}
        for ago, kind, amount in amounts
    ]


SENTENCES = [
    (
        "prepaid",
        None,
        "31",
        r"At your current rate, your balance will last about 31 days, "
        r"until around \d+ \w+\. Then calls stop\.",
    ),
    (
        "prepaid",
        None,
        "0.5",
        r"At your current rate, your balance will run out within a day\. Then calls stop\.",
    ),
    (
        "prepaid",
        None,
        "61.9",
        r"At your current rate, your balance will last about 2 months, until around \w+ \d+\. Then calls",
    ),
    ("prepaid", None, "99999", r"At your current rate, your balance will last more than a year\. Then calls"),
    ("prepaid", None, "0", r"You've run out of credit\. You may not be able to .* until you top up\."),
    ("prepaid", None, "0.004", r"You've run out of credit\. You may not be able to .* until you top up\."),
    ("prepaid", None, "-0.01", r"Your balance is below zero, so you can't make or receive calls\. Top up"),
    (
        "postpaid",
        "-55",
        "-20",
        r"You have \$35\.00 left before you reach your credit limit of \$55\.00\. "
        r".* calls will stop in about 35 days, around \d+ \w+\.",
    ),
    ("postpaid", "-55", "-54.5", r"You have \$0\.50 left .* calls will stop within a day\."),
    ("postpaid", "-55", "67", r"You have \$122\.00 left .* that's in about 4 months, around \w+ \d+\."),
    ("postpaid", "-55", "99999", r"You have \$100,054\.00 left .* that's in more than a year\."),
    (
        "postpaid",
        "-55",
        "-55",
        r"You've reached your credit limit of \$55\.00\. You may not be able to .* pay\.",
    ),
    ("postpaid", "-55", "-56", r"You're over your credit limit of \$55\.00, so you can't make .* Pay now"),
    ("postpaid", None, "7", r"Calls stop at your credit limit\. We don't have that limit on file"),
    (
        "postpaid",
        None,
        "0",
        r"Your balance is zero\. Calls stop at .* limit, which we don't have on file\. If calls",
    ),
    (
        "postpaid",
        None,
        "-7",
        r"Your balance is below zero\. Calls stop at .* limit, which we don't have on file\.",
    ),
    ("", "-55", "7", r"We can't estimate how long your balance will last\. To set this up, contact us\."),
    (
        "",
        None,
        "0",
        r"Your balance is zero\. If you're on a prepaid plan, calls may not work until you top up\.",
    ),
    ("", "-55", "-7", r"Your balance is below zero, so calls may have stopped\."),
]


# By kind, then by state: the word beside the heading. There is none if the type does not tell.
CHIPS = {
    ("prepaid", "healthy"): "In credit",
    ("prepaid", "low"): "Low balance",
    ("prepaid", "stopped"): "No credit left",
    ("postpaid", "healthy"): "Within limit",
    ("postpaid", "low"): "Near your limit",
    ("postpaid", "stopped"): "Limit reached",
    ("unknown", "low"): "Low balance",
}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "limit", "balance", "sentence"), SENTENCES, ids=lambda value: str(value)[:12]
)
def test_first_sentence_under_the_balance_says_when_calls_stop(
    simulator, alice, browse, kind, limit, balance, sentence
):
    spent = entries(alice.brand, *((ago, "call", "1") for ago in range(130)))
    customer = {"partner": "Aurora", "account_number": "70001", "entries": spent, "balance": balance}
    simulator.post("seed", customers=[customer])
    alice.account_type, alice.credit_limit = kind, limit
    alice.save()
    page = browse(AURORA, alice).get("/")
    forecast = make_forecast(balance, kind, limit, [month(calls="31")] * 3)
    card = text_of(section(page, f'<section class="balance card {forecast.state}"', "</section>"))
    with translation.override(alice.brand.language):
        amount = format_money(Decimal(balance), alice.brand).replace(WORD_JOINER, "")
    chip = CHIPS.get((forecast.kind, forecast.state), "")
    head = " ".join(f"Balance {chip} {amount}".split())
    assert re.search(rf"^{re.escape(head)} {sentence}", card), card
    has_estimate = any(
        word in card
        for word in ("will last about", "in about", "within a day", "more than a year", "that's about")
    )
    assert has_estimate is ("Estimate based on your average daily spend" in card)
    assert bool(re.search(r"day(s)? left", card)) is (forecast.scale is not None)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ((0, "payment", "5"), "We'll estimate how long your balance will last after your first full month."),
        (
            (45, "payment", "5"),
            "We can't estimate how long your balance will last, because you've had no recent charges.",
        ),
    ],
)
def test_page_gives_the_reason_for_no_estimate(simulator, alice, browse, entry, reason):
    alice.account_type = "prepaid"
    alice.save()
    customer = {"partner": "Aurora", "account_number": "70001", "entries": entries(alice.brand, entry)}
    simulator.post("seed", customers=[customer])
    text = words(browse(AURORA, alice).get("/"))
    assert reason in text


@pytest.mark.django_db
def test_page_does_not_wait_for_a_slow_month_and_says_it_is_missing(
    threads, simulator, alice, browse, settings
):
    settings.CARRIER_TIMEOUTS = PATIENT
    simulator.post("seed", customers=[{"partner": "Aurora", "account_number": "70001", "balance": "50"}])
    alice.account_type = "prepaid"
    alice.save()
    browser = browse(AURORA, alice)
    assert "Estimate based on your average daily spend" in words(browser.get("/"))
    CachedStatement.objects.exclude(from_date=today(alice.brand).replace(day=1)).delete()
    simulator.fault("customer_balance", "slow", seconds=PATIENCE)
    started = time.monotonic()
    page = browser.get("/")
    assert 1.4 < time.monotonic() - started < SLACK
    assert page.status_code == 200
    assert "because some months didn't load." in words(page)
    simulator.post("faults/clear")
    assert eventually(lambda: CachedStatement.objects.exclude(figures=None).count() == 4)
