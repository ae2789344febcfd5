"""The partner balance in the admin warns when customers are cut off and makes no guess when it is unknown."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from billing.models import CachedStatement
from billing.statements.partner_balance import (
    Spending,
    get_balance_status,
    get_partner_account,
    get_spending,
    past_months,
)
from billing.statements.periods import Period
from portal.brands.launch_checklist import count_missing_of, with_checklist
from portal.carrier import calls as carrier_calls
from portal.models import Brand, CarrierCall
from portal.voipline import Statement
from tests.conftest import ADMIN, Simulator
from tests.support.customer_flow import words as text_of

Browse = Callable[..., Client]
CENT = Decimal("0.01")


def page(client: Client, brand: Brand) -> Any:
    return client.get(reverse("partner_page", args=(brand.pk,), urlconf="portal.urls.admin"))


def page_text(client: Client, brand: Brand) -> str:
    return " ".join(page(client, brand).content.decode().split())


def set_partner_balance(brand: Brand, target: Decimal) -> None:
    """Transfer to customer 70001 until the partner account has the target balance."""
    balance = get_partner_account(brand=brand, refresh=True).figures.statement.closing_balance
    carrier_calls.call(
        brand=brand, method="move_funds", account_number="70001", amount=balance - target, description="x"
    )
    CachedStatement.objects.update(as_of=timezone.now() - timedelta(minutes=2))


def statement(closing: Decimal, charges: Decimal = Decimal(0)) -> Statement:
    zero = Decimal(0)
    return Statement(closing + charges, zero, zero, charges, zero, charges, closing)


def spending_of(*charges: str | None) -> Spending:
    months = past_months(date(2026, 3, 15))
    known = [None if each is None else statement(Decimal(5), Decimal(each)) for each in charges]
    return get_spending(list(zip(months, known, strict=True)))


# Calculations


def test_past_months_are_complete_across_the_turn_of_the_year() -> None:
    assert past_months(date(2026, 2, 28)) == [
        Period(date(2025, 11, 1), date(2025, 11, 30)),
        Period(date(2025, 12, 1), date(2025, 12, 31)),
        Period(date(2026, 1, 1), date(2026, 1, 31)),
    ]


@pytest.mark.parametrize("closing", ["0", "0.00", "0.00499", "-0.00001", "-0.01", "-5000"])
def test_status_is_empty_at_a_balance_that_rounds_to_zero_or_below(closing: str) -> None:
    for spending in (spending_of("90", "90", "90"), spending_of(None, None, None)):
        assert get_balance_status(statement(Decimal(closing)), spending).state == "empty"
    assert get_balance_status(statement(Decimal("0.005")), spending_of("90", "90", "90")).state == "low"


@given(
    st.decimals(min_value=CENT, max_value=10**9, places=2),
    st.lists(st.decimals(min_value=0, max_value=10**7, places=5), min_size=3, max_size=3),
)
def test_days_are_never_more_than_the_balance_pays_for(balance: Decimal, charges: list[Decimal]) -> None:
    spending = spending_of(*map(str, charges))
    status = get_balance_status(statement(balance), spending)
    if not any(charges):
        assert (status.state, status.days) == ("ok", None)
        return
    total, span = sum(charges), spending.span
    assert status.days * total <= balance * span < (status.days + 1) * total
    assert (status.state == "low") is (balance * span < 7 * total)


def test_spending_per_day_uses_known_months_since_the_first_activity() -> None:
    # December 2025 has 31 days, January 2026 31, February 28.
    assert spending_of("31", "31", "28").per_day == 1
    assert spending_of("0", "31", "28").per_day == 1
    assert spending_of("0", "0", "28").per_day == 1
    assert spending_of("31", "0", "0").per_day == Decimal(31) / 90
    assert spending_of("31", None, "28") == Spending(spending_of("31", None, "28").months, 1)
    assert spending_of("31", None, "28").per_day == 1
    assert spending_of("0", "0", "0").per_day is None
    assert spending_of(None, None, None) == Spending((), 3)
    assert spending_of("-31", "0", "0").per_day is None


# The page


def test_page_shows_balance_days_left_and_their_basis(
    simulator: Simulator, staff_client: Client, aurora: Brand
) -> None:
    text = page_text(staff_client, aurora)
    account = get_partner_account(brand=aurora)
    charges = [each for _month, each in account.status.spending.months]
    assert len(charges) == 3
    assert account.status.spending.total == sum(charges)
    assert f"about {account.status.days} days at the current rate" in text
    assert re.search("As of [^<]* AE[DS]T", text)
    assert "in the 3 complete months below" in text
    assert "cut off" not in text
    assert len(simulator.calls("partner_balance")) == 4
    page(staff_client, aurora)
    assert len(simulator.calls("partner_balance")) == 4


@pytest.mark.parametrize("left", ["0", "-0.01", "-1234.5", "0.004"])
def test_page_is_red_and_says_what_to_do_at_zero_and_below(
    left: str, simulator: Simulator, staff_client: Client, aurora: Brand
) -> None:
    set_partner_balance(aurora, Decimal(left))
    text = page_text(staff_client, aurora)
    assert "All customers of Aurora Phone are cut off." in text
    assert 'class="partner-state partner-empty" role="alert"' in text
    assert "Top up the partner account at the carrier now." in text


def test_page_warns_with_less_than_seven_days_left(
    simulator: Simulator, staff_client: Client, aurora: Brand
) -> None:
    pace = get_partner_account(brand=aurora).status.spending.per_day.quantize(CENT)
    for days, state, words in (
        (Decimal("6.5"), "low", "about 6 days"),
        (Decimal("0.5"), "low", "less than a day"),
        (Decimal("7.5"), "ok", "about 7 days"),
    ):
        set_partner_balance(aurora, pace * days)
        text = page_text(staff_client, aurora)
        assert f"partner-state partner-{state}" in text
        assert words in text
        assert ("before that" in text) is (state == "low")


def test_page_shows_no_days_left_without_past_spending(
    simulator: Simulator, make_brand: Callable[..., Brand], sam: User, staff_client: Client
) -> None:
    cirrus = make_brand("cirrus", "cirrus.test")
    sam.brands.add(cirrus)
    partner = {"key": "cirrus-api-key", "name": "C", "site_key": "c", "secret_key": "c"}
    customer = {"partner": "cirrus-api-key", "account_number": "1", "email": "a@example.com"}
    simulator.post("seed", partners=[partner], customers=[customer])
    assert "are cut off." in page_text(staff_client, cirrus)
    carrier_calls.call(
        brand=cirrus, method="move_funds", account_number="1", amount=Decimal(-9), description="x"
    )
    CachedStatement.objects.update(as_of=timezone.now() - timedelta(minutes=2))
    text = page_text(staff_client, cirrus)
    assert "We don't know how long it will last." in text
    assert "We can't estimate how long the balance will last" in text
    assert " days at the current rate" not in text


def test_last_known_balance_is_shown_with_its_age_while_carrier_is_down(
    simulator: Simulator, staff_client: Client, aurora: Brand
) -> None:
    set_partner_balance(aurora, Decimal(0))
    page_text(staff_client, aurora)
    CachedStatement.objects.update(as_of=timezone.now() - timedelta(hours=5))
    simulator.fault("partner_balance", "status", status=503, times=99)
    response = page(staff_client, aurora)
    text = " ".join(response.content.decode().split())
    assert response.status_code == 200
    assert "When this was last read, all customers of Aurora Phone were cut off." in text
    assert "last read 5 hours ago" in text
    assert "are cut off." not in text.replace("all customers are cut off", "")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "The carrier refused our request"),
        (429, "sending too many requests right now"),
        (500, "isn't answering properly"),
    ],
)
def test_page_says_unknown_when_nothing_can_be_read(
    status: int, words: str, simulator: Simulator, staff_client: Client, aurora: Brand
) -> None:
    simulator.fault("partner_balance", "status", status=status, times=99)
    response = page(staff_client, aurora)
    text = " ".join(response.content.decode().split())
    assert response.status_code == 503
    assert "We don't know Aurora Phone's partner balance, so calls may be blocked." in text
    assert words in text
    assert "couldn't read the last 3 full months" in text
    assert "0.00" not in text


def test_page_says_that_a_month_is_missing(simulator: Simulator, staff_client: Client, aurora: Brand) -> None:
    get_partner_account(brand=aurora)
    oldest = CachedStatement.objects.order_by("from_date").first()
    CachedStatement.objects.filter(pk=oldest.pk).delete()
    simulator.fault("partner_balance", "status", status=503, times=99)
    text = page_text(staff_client, aurora)
    assert "1 of the last three months couldn't be read" in text
    assert "in the 2 complete months below" in text


def test_cache_separates_the_partner_accounts_of_brands(
    simulator: Simulator, aurora: Brand, borealis: Brand
) -> None:
    balances = [
        get_partner_account(brand=brand).figures.statement.closing_balance
        for brand in (aurora, borealis, aurora)
    ]
    assert balances[0] == balances[2] != balances[1]
    assert len(CachedStatement.objects.filter(brand=borealis, customer=None)) > 0


def test_refresh_calls_the_carrier_and_is_rate_limited(
    simulator: Simulator, staff_client: Client, aurora: Brand
) -> None:
    url = f"/admin/billing/partner/{aurora.pk}/"
    staff_client.get(url)
    for _number in range(6):
        assert staff_client.post(url).status_code == 302
    assert len(simulator.calls("partner_balance")) == 4 + 6
    text = staff_client.post(url, follow=True).content.decode()
    assert "Wait " in text
    assert len(simulator.calls("partner_balance")) == 4 + 6


# Access


def test_staff_see_their_own_brands_and_operators_all(
    simulator: Simulator, staff_client: Client, browse: Browse, sam: User, operator: User, borealis: Brand
) -> None:
    assert page(staff_client, borealis).status_code == 404
    assert staff_client.post(f"/admin/billing/partner/{borealis.pk}/").status_code == 404
    assert simulator.calls() == []
    (own,) = sam.brands.all()
    listed = staff_client.get("/admin/billing/partner/")
    assert listed.headers["Location"] == f"/admin/billing/partner/{own.pk}/"
    assert page(browse(ADMIN, operator), borealis).status_code == 200
    sam.brands.clear()
    assert page(staff_client, own).status_code == 404
    assert "You don't have a brand yet" in staff_client.get("/admin/billing/partner/").content.decode()


def test_list_shows_cached_balances_without_a_call(
    simulator: Simulator, browse: Browse, operator: User, aurora: Brand, make_brand: Callable[..., Brand]
) -> None:
    set_partner_balance(aurora, Decimal(0))
    get_partner_account(brand=aurora)
    make_brand("cirrus", "cirrus.test")
    before = len(simulator.calls())
    client = browse(ADMIN, operator)
    text = " ".join(client.get("/admin/billing/partner/").content.decode().split())
    assert '<tr class="partner-empty">' in text
    assert "All customers cut off" in text
    assert '<tr class="partner-unknown">' in text
    assert len(simulator.calls()) == before

    def count_queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            client.get("/admin/billing/partner/")
        return len(captured)

    baseline = count_queries()
    for number in range(5):
        make_brand(f"b{number}", f"b{number}.test")
    assert count_queries() == baseline


def test_page_shows_statistics_of_carrier_calls(
    simulator: Simulator, staff_client: Client, aurora: Brand
) -> None:
    CarrierCall.objects.create(brand=aurora, method="move_funds", outcome="NoAnswer", milliseconds=999)
    text = page_text(staff_client, aurora)
    row = text.split("<code>move_funds</code></th>")[1].split("</tr>")[0]
    assert row == "<td>1</td><td>1</td><td>999</td>"
    assert f'href="/admin/portal/carriercall/?brand={aurora.pk}"' in text


# Launch checklist


def test_empty_partner_account_is_a_to_do_on_brand_page_and_list(
    simulator: Simulator, admin_client: Client, aurora: Brand, borealis: Brand, django_assert_num_queries: Any
) -> None:
    warning = "The partner balance is at zero or below, so the carrier cuts off all customers."

    def warning_and_to_do_count() -> tuple[bool, int]:
        get_partner_account(brand=aurora, refresh=True)
        text = text_of(admin_client.get(f"/admin/portal/brand/{aurora.pk}/change/"))
        return warning in text, count_missing_of(with_checklist(Brand.objects.filter(pk=aurora.pk)).get())

    warned, before = warning_and_to_do_count()
    assert not warned
    for left, is_empty in (("0.004", True), ("-5", True), ("0.01", False)):
        set_partner_balance(aurora, Decimal(left))
        assert warning_and_to_do_count() == (is_empty, before + is_empty)
    with django_assert_num_queries(3):  # Brands with their balances, hosts, codes; for any number of brands.
        assert [count_missing_of(brand) for brand in with_checklist(Brand.objects.order_by("slug"))]
