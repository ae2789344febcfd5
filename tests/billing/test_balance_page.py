"""The balance page leads to what a customer does next: pay, set up the phone, or nothing."""

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from billing.models import CachedStatement
from billing.statements.periods import complete_months, this_month, today
from portal.models import Brand
from tests.billing.test_forecast import CHIPS, entries
from tests.billing.test_stale_statements import REFRESHED, joined_long_ago, seed_entries
from tests.billing.test_statement import figures, links, page, section
from tests.billing.test_statement_fetcher import pass_time
from tests.conftest import AURORA
from tests.support.customer_flow import text_of, words

pytestmark = pytest.mark.django_db
TOP_UP = "https://aurora.example/pay?a=1&b=2"
HOW = "Pay by <b>card</b> & PayID"
OPEN = "/account/open/"
TAB = " (opens in a new tab)"


def seed_balance(simulator: Any, customer: User, kind: str, balance: str, limit: str | None = None) -> None:
    """Set the customer's type and balance; calls cost 1 a day."""
    calls = entries(customer.brand, *((ago, "call", "1") for ago in range(130)))
    seed = {"partner": "Aurora", "account_number": "70001", "entries": calls, "balance": balance}
    simulator.post("seed", customers=[seed])
    customer.account_type, customer.credit_limit = kind, limit
    customer.save()


def set_paying(brand: Brand, top_up_url: str = "", how_to_pay: str = "") -> None:
    brand.top_up_url, brand.how_to_pay = top_up_url, how_to_pay
    brand.save()


def balance_card(response: Any) -> str:
    return section(response, '<section class="balance card', "</section>")


def buttons(response: Any) -> list[tuple[str, str, str]]:
    """Return class, target and words of each button on the card; each opens in a new tab."""
    button = re.compile(r'<a class="(button[^"]*)" href="([^"]*)"([^>]*)>(.*?)</a>', re.DOTALL)
    found = button.findall(balance_card(response))
    for _look, target, attributes, _label in found:
        away = "noopener" if target.startswith("/") else "noopener noreferrer"
        assert attributes == f' target="_blank" rel="{away}"'
    return [(look, html.unescape(target), text_of(label)) for look, target, _attributes, label in found]


# What to do about the balance

# By type, limit and balance: the state, and the button to the brand's own page to pay.
STATES = [
    ("prepaid", None, "31", "healthy", "Top up"),
    ("prepaid", None, "5", "low", "Top up"),
    ("prepaid", None, "0", "stopped", "Top up"),
    ("postpaid", "-55", "0", "healthy", "Make a payment"),
    ("postpaid", "-55", "-50", "low", "Pay now"),
    ("postpaid", "-55", "-55", "stopped", "Pay now"),
    ("postpaid", None, "-7", "healthy", "Make a payment"),
    ("", None, "7", "healthy", "Top up"),
    ("", None, "0", "low", "Top up"),
]


@pytest.mark.parametrize("top_up_url", ["", TOP_UP])
@pytest.mark.parametrize(("kind", "limit", "balance", "state", "pay"), STATES)
def test_low_balance_leads_to_paying_and_a_healthy_one_to_the_account(
    simulator, alice, browse, kind, limit, balance, state, pay, top_up_url
):
    seed_balance(simulator, alice, kind, balance, limit)
    set_paying(alice.brand, top_up_url, HOW)
    response = browse(AURORA, alice).get("/")
    assert f'<section class="balance card {state}"' in balance_card(response)
    account = (OPEN, f"Go to my account{TAB}")
    if state == "healthy":
        expected = [("button main", *account)]
        expected += [("button", top_up_url or OPEN, pay + TAB)]
    elif top_up_url:
        expected = [("button main", TOP_UP, pay + TAB), ("button", *account)]
    else:
        expected = [("button main", OPEN, f"{pay.removesuffix(' now')} in my phone account{TAB}")]
    assert buttons(response) == expected
    assert (f'<p class="hint">{html.escape(HOW)}</p>' in response.content.decode()) is (state != "healthy")
    assert (f'href="{html.escape(TOP_UP)}"' in response.content.decode()) is bool(top_up_url)
    assert HOW not in response.content.decode()


@pytest.mark.parametrize("top_up_url", ["", TOP_UP])
def test_page_without_figures_offers_the_account_and_no_payment(simulator, alice, browse, top_up_url):
    set_paying(alice.brand, top_up_url, HOW)
    simulator.fault("customer_balance", "status")
    response = browse(AURORA, alice).get("/")
    assert response.status_code == 503
    assert buttons(response) == [("button", OPEN, f"Go to my account{TAB}")]
    assert html.escape(HOW) not in response.content.decode()
    assert text_of(balance_card(response)).startswith("Balance We can't show your balance right now")


def test_card_beside_the_balance_has_the_signed_sum_and_the_last_statements(simulator, alice, browse):
    seed_balance(simulator, alice, "prepaid", "20")
    response = browse(AURORA, alice).get("/")
    day = today(alice.brand)
    shown = figures(response)
    assert shown == {
        "opening_balance": f"${20 + day.day}.00",
        "payments": "$0.00",
        "call_charges": f"−${day.day}.00",
        "other_charges": "$0.00",
        "closing_balance": "$20.00",
    }
    assert ">Balance today</th>" in page(response)
    recent = links(section(response, '<section class="card" aria-labelledby="recent">', "</section>"))
    months = complete_months(day, 3)
    files = {f"{kind} {month.from_date:%B %Y}" for month in months for kind in ("PDF", "CSV")}
    assert set(recent) == {"View all", *files}
    chart = section(response, '<section class="card" aria-labelledby="months">', "</section>")
    assert f"${day.day}.00 so far in {day:%B}" in text_of(chart)
    assert chart.count('<rect class="total_charges') == chart.count('<a href="/statement/?') == 4
    assert chart.count('class="total_charges running"') == 1


def test_chart_shows_cached_months_of_the_year_without_calling_for_them(simulator, alice, browse):
    browser = browse(AURORA, alice)
    b"".join(browser.get("/history/").streaming_content)
    calls = len(simulator.calls())
    chart = section(browser.get("/"), '<section class="card" aria-labelledby="months">', "</section>")
    oldest = complete_months(today(alice.brand), 11)[-1].from_date
    assert f"Monthly charges, {oldest:%B %Y} to {today(alice.brand):%B %Y}" in chart
    assert len(simulator.calls()) == calls
    CachedStatement.objects.filter(from_date=oldest).delete()
    chart = section(browser.get("/"), '<section class="card" aria-labelledby="months">', "</section>")
    assert f"{oldest:%B %Y} to" not in chart
    assert len(simulator.calls()) == calls


def test_chart_claims_nothing_for_this_month_beside_the_balance_of_an_older_one(simulator, alice, browse, at):
    at("2026-02-28T00:00:00+00:00")
    browser = browse(AURORA, alice)
    b"".join(browser.get("/history/").streaming_content)
    simulator.fault("customer_balance", "status")
    at("2026-03-02T00:00:00+00:00")
    chart = section(browser.get("/"), '<section class="card" aria-labelledby="months">', "</section>")
    assert "to March 2026" in chart
    assert text_of(chart).endswith("March 2026")
    assert "so far" not in chart
    assert "March 2026: " not in chart
    assert "running" not in chart


# First steps


def steps(response: Any) -> list[str]:
    return [
        text_of(step)
        for listed in re.findall(r'<ol class="first-steps">.*?</ol>', response.content.decode(), re.DOTALL)
        for step in re.findall(r"<li.*?</li>", listed, re.DOTALL)
    ]


def shows_amounts(response: Any) -> bool:
    text = page(response)
    chip = any(word in words(response) for word in CHIPS.values()) or 'class="chip"' in text
    assert chip is bool(figures(response)) is ('<p class="amount' in text)
    return chip


@pytest.mark.parametrize("top_up_url", ["", TOP_UP])
def test_new_customer_sees_three_steps_instead_of_zeros(simulator, alice, browse, top_up_url):
    seed_entries(simulator)
    alice.account_type = "prepaid"
    alice.save()
    set_paying(alice.brand, top_up_url, HOW)
    response = browse(AURORA, alice).get("/")
    top_up = f"Top up{TAB}" if top_up_url else f"Top up in my phone account{TAB}"
    created, credit, phone = steps(response)
    assert created.startswith("Account created")
    assert credit == f"2 Add credit Calls work once you have credit. {HOW} {top_up}"
    assert phone.startswith("3 Set up your phone")
    assert phone.endswith(f"Go to my account{TAB}")
    assert not shows_amounts(response)
    assert "run out of credit" not in words(response)
    assert page(response).count('class="button main"') == 1
    main = re.search(r'class="button main" href="([^"]*)"', response.content.decode())
    assert main
    assert html.unescape(main[1]) == (top_up_url or OPEN)
    assert HOW not in response.content.decode()


def test_first_payment_or_call_ends_the_first_steps(simulator, alice, browse):
    alice.account_type = "prepaid"
    alice.save()
    for kind in ("payment", "call"):
        CachedStatement.objects.all().delete()
        seed_entries(simulator, (today(alice.brand), kind))
        response = browse(AURORA, alice).get("/")
        assert (steps(response), shows_amounts(response)) == ([], True)


def test_new_postpaid_customer_is_not_asked_for_credit(simulator, alice, browse):
    seed_entries(simulator)
    alice.account_type, alice.credit_limit = "postpaid", -55
    alice.save()
    response = browse(AURORA, alice).get("/")
    _created, phone, call = steps(response)
    assert phone.startswith("2 Set up your phone")
    assert call.startswith("3 Make your first call")
    assert "Add credit" not in words(response)
    assert page(response).count('class="button main"') == 1


def test_only_a_new_customer_sees_the_first_steps(simulator, alice, browse):
    seed_entries(simulator)
    browser = browse(AURORA, alice)
    alice.account_type = "prepaid"
    alice.date_joined = timezone.now() - timedelta(days=59)
    alice.save()
    assert len(steps(browser.get("/"))) == 3
    alice.date_joined -= timedelta(days=2)
    alice.save()
    assert (steps(browser.get("/")), shows_amounts(browser.get("/"))) == ([], True)


@pytest.mark.parametrize("number", [0, 2])
def test_unknown_month_is_not_taken_for_a_first_day(simulator, alice, browse, number):
    seed_entries(simulator)
    alice.account_type = "prepaid"
    alice.save()
    browser = browse(AURORA, alice)
    assert len(steps(browser.get("/"))) == 3
    CachedStatement.objects.filter(
        from_date=complete_months(today(alice.brand), 3)[number].from_date
    ).delete()
    simulator.fault("customer_balance", "status", status=400)
    response = browser.get("/")
    assert (response.status_code, steps(response), shows_amounts(response)) == (200, [], True)


def test_first_steps_with_an_old_balance_say_so(simulator, alice, browse):
    seed_entries(simulator)
    browser = browse(AURORA, alice)
    assert "This is the latest we have" not in words(browser.get("/"))
    simulator.fault("customer_balance", "status")
    pass_time(hours=1)
    response = browser.get("/")
    assert len(steps(response)) == 3
    assert "This is the latest we have, from" in words(response)
    assert "The billing system isn't responding." in words(response)


def test_customer_without_a_number_sees_what_happens_next(simulator, aurora, make_customer, browse):
    customer = make_customer(aurora, "new@example.com")
    response = browse(AURORA, customer).get("/")
    created, number, credit = steps(response)
    assert created.startswith("Account created")
    assert number.startswith("2 We set up your phone account")
    assert "help@aurora.example" in number
    assert credit.startswith("3 Add credit and start calling")
    assert not shows_amounts(response)
    assert "Refresh" not in words(response)
    customer.refused_account_number = "70001"
    customer.save()
    response = browse(AURORA, customer).get("/")
    assert steps(response) == []
    assert "There's a problem with your account number" in words(response)
    assert simulator.calls() == []


def test_months_before_the_account_existed_are_no_statements(simulator, alice, browse):
    months = complete_months(today(alice.brand), 3)
    seed_entries(simulator, (months[0].from_date, "payment"))
    joined_long_ago(alice)
    response = browse(AURORA, alice).get("/")
    recent = links(section(response, '<section class="card" aria-labelledby="recent">', "</section>"))
    name = f"{months[0].from_date:%B %Y}"
    assert set(recent) == {"View all", f"PDF {name}", f"CSV {name}"}


# Refresh


def test_refresh_says_that_it_worked_only_if_it_did(simulator, alice, browse):
    browser, month = browse(AURORA, alice), this_month(today(alice.brand))
    form = {"from_date": str(month.from_date), "to_date": str(month.to_date), "next": "/"}
    browser.get("/")
    assert REFRESHED in words(browser.post("/statement/refresh/", form, follow=True))
    assert REFRESHED not in words(browser.get("/"))
    simulator.fault("customer_balance", "status")
    failed = words(browser.post("/statement/refresh/", form, follow=True))
    assert REFRESHED not in failed
    assert "This is the latest we have, from" in failed
    CachedStatement.objects.all().delete()
    nothing = browser.post("/statement/refresh/", form, follow=True)
    assert (nothing.status_code, REFRESHED in words(nothing)) == (503, False)
