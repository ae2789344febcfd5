"""The table of twelve months has the carrier's exact amounts, and is never a table of nothing."""

import csv
import io
import re
from datetime import date, datetime
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from billing.models import CachedStatement
from billing.statements import periods
from tests.billing.test_statement import figures, page, period_links, section
from tests.conftest import AURORA, BOREALIS
from tests.support.article_statement import EXAMPLE
from tests.support.customer_flow import words

pytestmark = pytest.mark.django_db
HEAD = [
    *("Account number", "From", "To", "Opening balance", "Payments", "Call charges", "Other charges"),
    *("Adjustments", "Total charges", "Closing balance", "Currency", "Updated"),
]
AMOUNTS = slice(3, 10)
ORDER = [
    *("opening_balance", "payments", "call_charges", "other_charges", "adjustments", "total_charges"),
    "closing_balance",
]
FORMULA = '=HYPERLINK("https://evil.example")<b>'


def table(response: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"), newline="")))


def cache_year(customer: User, figures: dict[str, str] = EXAMPLE) -> None:
    """Store the same amounts for each of the twelve months, as of now."""
    day = periods.today(customer.brand)
    CachedStatement.objects.bulk_create(
        CachedStatement(
            brand=customer.brand,
            customer=customer,
            account_number=customer.account_number,
            figures=figures,
            as_of=timezone.now(),
            is_open=month.to_date == day,
            **vars(month),
        )
        for month in [periods.this_month(day), *periods.complete_months(day, 11)]
    )


def test_twelve_months_are_a_table_with_the_oldest_first(simulator, alice, browse):
    response = browse(AURORA, alice).get("/history.csv")
    day = periods.today(alice.brand)
    first = periods.complete_months(day, 11)[-1].from_date
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == f'attachment; filename="aurora-70001-{first}_{day}.csv"'
    assert response.headers["Cache-Control"] == "no-store"
    assert response.content.startswith("\ufeff".encode())
    head, *rows = table(response)
    assert head == HEAD
    months = [periods.this_month(day), *periods.complete_months(day, 11)][::-1]
    assert [row[:3] for row in rows] == [
        ["70001", str(month.from_date), str(month.to_date)] for month in months
    ]
    for row in rows:
        assert all(re.fullmatch(r"-?\d+(\.\d{1,5})?", amount) for amount in row[AMOUNTS])
        assert row[-2] == "AUD"
        moment = datetime.fromisoformat(row[-1])
        assert moment.utcoffset() == moment.astimezone(alice.brand.zone).utcoffset()


def test_amounts_are_exact_and_those_of_each_months_own_file(simulator, alice, browse):
    browser = browse(AURORA, alice)
    _head, *rows = table(browser.get("/history.csv"))
    for row in (rows[0], rows[-2], rows[-1]):
        single = dict(table(browser.get(f"/statement.csv?from_date={row[1]}&to_date={row[2]}")))
        assert [single[label] for label in HEAD] == row
    CachedStatement.objects.all().delete()
    cache_year(alice)
    for row in table(browser.get("/history.csv"))[1:]:
        assert row[AMOUNTS] == [EXAMPLE[name] for name in ORDER]


def test_missing_month_has_its_days_and_empty_cells(simulator, alice, browse):
    browser = browse(AURORA, alice)
    before = table(browser.get("/history.csv"))
    CachedStatement.objects.filter(from_date=before[4][1]).delete()
    simulator.fault("customer_balance", "status", status=400)
    after = table(browser.get("/history.csv"))
    assert len(after) == 13
    assert after[4] == [*before[4][:3], *[""] * 7, "AUD", ""]
    assert after[:4] + after[5:] == before[:4] + before[5:]


def test_older_amounts_of_this_month_name_their_own_days(simulator, alice, browse, at):
    at("2026-02-10T00:00:00+00:00")
    browser = browse(AURORA, alice)
    before = table(browser.get("/history.csv"))
    at("2026-02-12T00:00:00+00:00")
    simulator.fault("customer_balance", "status", status=400)
    response = browser.get("/history.csv")
    assert table(response) == before
    assert before[-1][1:3] == ["2026-02-01", "2026-02-10"]


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        ({"status": 503}, 503, "The billing system isn't responding."),
        ({"status": 401}, 503, "There's a problem on our side."),
        ({"status": 429, "retry_after": 17}, 503, "We're very busy right now."),
        ({"status": 404, "message": "No such customer"}, 409, "We can't find phone account 70001."),
    ],
)
def test_year_without_any_amount_is_a_page_that_says_why(simulator, alice, browse, fault, status, reason):
    browser = browse(AURORA, alice)
    simulator.fault("customer_balance", "status", **fault)
    response = browser.get("/history.csv")
    assert response.status_code == status
    assert response.headers["Content-Type"].startswith("text/html")
    assert "Content-Disposition" not in response.headers
    assert reason in words(response)
    assert figures(response) == {}
    assert ('href="/history.csv">Try again</a>' in page(response)) is (status == 503)
    assert ("Retry-After" in response.headers) is (status == 503)
    if "retry_after" in fault:
        assert response.headers["Retry-After"] == str(fault["retry_after"])
    # Its links lead to statements, not to this file again.
    assert {link.partition("?")[0] for link in period_links(response).values()} == {"/statement/"}
    months = section(response, '<section class="card" aria-labelledby="months">', "</section>")
    assert 'href="?' not in months


def test_each_customer_of_each_brand_gets_their_own_year(simulator, alice, bob, charlie, browse):
    for nth, customer in enumerate((alice, bob, charlie)):
        cache_year(customer, {**EXAMPLE, "closing_balance": f"{nth}.00001"})
    for nth, (host, customer) in enumerate(((AURORA, alice), (AURORA, bob), (BOREALIS, charlie))):
        _head, *rows = table(browse(host, customer).get("/history.csv"))
        assert {(row[0], row[9], row[10]) for row in rows} == {
            (customer.account_number, f"{nth}.00001", customer.brand.currency)
        }
    assert simulator.calls() == []


def test_year_needs_a_customer_with_a_number(simulator, aurora, make_customer, browse):
    response = browse(AURORA, make_customer(aurora, "new@example.com")).get("/history.csv")
    assert response.status_code == 409
    assert "still setting up your account" in words(response)
    assert browse(AURORA).get("/history.csv")["Location"] == "/sign-in/?next=/history.csv"
    assert simulator.calls() == []


def test_year_can_only_be_read(simulator, alice, browse):
    assert browse(AURORA, alice).post("/history.csv").status_code == 405
    assert browse(AURORA, alice).head("/history.csv").status_code == 200


def test_cached_year_takes_few_queries_and_no_call(simulator, alice, browse, django_assert_max_num_queries):
    browser = browse(AURORA, alice)
    browser.get("/history.csv")
    calls = len(simulator.calls())
    with django_assert_max_num_queries(5):
        assert len(table(browser.get("/history.csv"))) == 13
    assert len(simulator.calls()) == calls == 12


def test_account_number_like_a_formula_is_harmless_in_files_and_pages(simulator, alice, browse):
    alice.account_number = FORMULA  # None would be sent to the carrier, but its figures may be cached.
    alice.save()
    cache_year(alice)
    browser = browse(AURORA, alice)
    _head, *rows = table(browser.get("/history.csv"))
    assert {row[0] for row in rows} == {f"'{FORMULA}"}
    single = table(browser.get("/statement.csv"))
    assert single[0] == ["Account number", f"'{FORMULA}"]
    for address in ("/", "/statement/"):
        response = browser.get(address)
        assert FORMULA in words(response)
        assert FORMULA not in response.content.decode()
    history = b"".join(browser.get("/history/").streaming_content).decode()
    assert FORMULA not in history
    assert simulator.calls() == []


def test_labels_and_texts_are_in_the_readers_language_and_amounts_are_not(simulator, alice, browse):
    cache_year(alice)
    head, *rows = table(browse(AURORA, alice).get("/history.csv", headers={"Accept-Language": "es"}))
    assert head[3] == "Saldo inicial"
    assert {tuple(row[AMOUNTS]) for row in rows} == {tuple(EXAMPLE[name] for name in ORDER)}
    assert date.fromisoformat(rows[0][1]).day == 1


def test_head_needs_no_call(simulator, alice, browse):
    response = browse(AURORA, alice).head("/history.csv")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert simulator.calls("customer_balance") == []
