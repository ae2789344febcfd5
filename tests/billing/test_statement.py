"""Balance and statement show the carrier's exact figures, for the right days, and never a false zero."""

import csv
import html
import io
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from accounts.models import User
from billing.models import CachedStatement
from billing.statements import periods
from billing.statements.periods import Period
from portal.core.csv_escape import escape_formula
from portal.core.formats import date_time
from portal.core.money import WORD_JOINER, format_money
from portal.resilience import circuit_breaker
from tests.conftest import AURORA, BOREALIS
from tests.support.article_statement import EXAMPLE
from tests.support.customer_flow import value_of
from tests.support.timeouts import HASTY, PATIENCE, SLACK, eventually, timeouts_for

JANUARY = "?from_date=2020-01-01&to_date=2020-01-31"
PAGES = ["/", f"/statement/{JANUARY}", f"/statement.csv{JANUARY}"]


@pytest.fixture
def set_carrier_answer(aurora: Any) -> Iterator[Callable[..., None]]:
    """Start a carrier; return a function that sets the figures with which it answers every request."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer["body"])

        def log_message(self, *_: Any) -> None: ...

    answer: dict[str, bytes] = {}
    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    aurora.carrier_url = f"http://127.0.0.1:{server.server_port}/"
    aurora.save()

    def set_answer(**changes: Any) -> None:
        figures = ", ".join(f'"{name}": {value}' for name, value in {**EXAMPLE, **changes}.items())
        answer["body"] = f'{{"code": 200, "data": {{{figures}}}}}'.encode()

    yield set_answer
    server.shutdown()
    server.server_close()


def page(response: Any) -> str:
    return html.unescape(response.content.decode()).replace(WORD_JOINER, "")


def figures(response: Any) -> dict[str, str]:
    """Return the amounts of the sum as shown, and the total of charges below it."""
    text = page(response)
    cell = r'<tr class="(\w+)"><th scope="row">[^<]+</th><td(?: class="long")?>([^<]+)</td>'
    total = re.findall(r">Total charges: ([^<]+)<", text)
    return dict([*re.findall(cell, text), *(("total_charges", amount) for amount in total)])


def links(markup: str) -> dict[str, str]:
    """Return the target of each link of some HTML by the words of the link."""
    found = re.findall(r'<a [^>]*?href="([^"]*)"[^>]*>(.*?)</a>', markup, re.DOTALL)
    return {re.sub(r"<[^>]*>", "", label): html.unescape(target) for target, label in found}


def section(response: Any, start: str, end: str) -> str:
    """Return a page's only piece of HTML that begins and ends with these."""
    (piece,) = re.findall(f"{re.escape(start)}.*?{re.escape(end)}", page(response), re.DOTALL)
    return str(piece)


def period_links(response: Any) -> dict[str, str]:
    return links(section(response, '<nav aria-label="Choose a period">', "</nav>"))


def month_links(response: Any) -> dict[str, str]:
    return links(section(response, '<section class="card" aria-labelledby="months">', "</section>"))


def requested_periods(simulator: Any) -> list[tuple[str, str]]:
    return [
        (call["query"]["from_date"], call["query"]["to_date"]) for call in simulator.calls("customer_balance")
    ]


# The figures


def test_example_of_the_article_is_right_on_the_page(simulator, alice, browse):
    response = browse(AURORA, alice).get(f"/statement/{JANUARY}")
    assert response.status_code == 200
    assert figures(response) == {
        "opening_balance": "$245.71",
        "payments": "+$57.00",
        "call_charges": "−$48.13",
        "other_charges": "−$7.50",
        "adjustments": "−$5.00",
        "closing_balance": "$242.09",
        "total_charges": "$60.63",
    }
    assert "don't add up" not in page(response)
    assert '<h2 id="figures" class="period-name">January 2020</h2>' in page(response)
    assert ">Account 70001<" in page(response)


def test_example_of_the_article_is_right_in_csv_to_the_last_digit(simulator, alice, browse):
    response = browse(AURORA, alice).get(f"/statement.csv{JANUARY}")
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="aurora-70001-2020-01.csv"'
    assert response.headers["Cache-Control"] == "no-store"
    rows = list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"), newline="")))
    name, moment = rows.pop(3)
    assert name == "Updated"
    assert timedelta() <= timezone.now() - datetime.fromisoformat(moment) < timedelta(minutes=1)
    assert rows == [
        ["Account number", "70001"],
        ["From", "2020-01-01"],
        ["To", "2020-01-31"],
        ["Currency", "AUD"],
        ["Opening balance", "245.71293"],
        ["Payments", "57"],
        ["Call charges", "48.125"],
        ["Other charges", "7.5"],
        ["Adjustments", "5"],
        ["Total charges", "60.625"],
        ["Closing balance", "242.08793"],
    ]


@pytest.mark.parametrize(
    ("first", "last", "payments", "calls"),
    [
        ("2020-01-01", "2020-01-01", "+$50.00", "$0.00"),
        ("2020-01-02", "2020-01-30", "+$7.00", "−$40.12"),
        ("2020-01-31", "2020-01-31", "$0.00", "−$8.00"),
        ("2019-12-31", "2019-12-31", "+$245.71", "$0.00"),
    ],
)
def test_both_days_belong_to_the_period(simulator, alice, browse, first, last, payments, calls):
    response = browse(AURORA, alice).get(f"/statement/?from_date={first}&to_date={last}")
    shown = figures(response)
    assert (shown["payments"], shown["call_charges"]) == (payments, calls)
    assert requested_periods(simulator) == [(first, last)]
    from_day, to_day = (f"{day.day} {day:%B %Y}" for day in map(date.fromisoformat, (first, last)))
    assert f'class="period-name">{from_day} to {to_day}</h2>' in page(response)


def test_home_shows_this_month_to_date_and_fetches_three_complete_months(simulator, alice, browse, at):
    at("2026-02-10T00:00:00+00:00")
    response = browse(AURORA, alice).get("/")
    assert sorted(requested_periods(simulator)) == [
        ("2025-11-01", "2025-11-30"),
        ("2025-12-01", "2025-12-31"),
        ("2026-01-01", "2026-01-31"),
        ("2026-02-01", "2026-02-10"),
    ]
    assert '<h2 id="figures">February so far</h2>' in page(response)
    headline = re.search(r'<p class="amount[^"]*">([^<]+)</p>', page(response))
    assert headline
    assert headline[1] == figures(response)["closing_balance"]


@pytest.mark.parametrize(
    ("currency", "language", "amount", "shown"),
    [
        ("AUD", "en-au", "-1234567.005", "−$1,234,567.01"),
        ("NZD", "en-nz", "0.005", "$0.01"),
        ("GBP", "en-gb", "-0.004", "£0.00"),
        ("USD", "en-us", "2.675", "$2.68"),
        ("USD", "en-au", "1", "USD1.00"),
        ("GBP", "en-gb", "999999999999.99499", "£999,999,999,999.99"),
    ],
)
def test_money_is_rounded_half_up_in_the_brands_currency(currency, language, amount, shown, settings):
    settings.LANGUAGE_CODE = language
    brand = SimpleNamespace(currency=currency, language=language)
    assert format_money(Decimal(amount), brand).replace("\u2060", "").replace("\xa0", "") == shown


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("en-au", "25 Nov 2026, 2:05\xa0pm"),
        ("en-gb", "25 Nov 2026, 14:05"),
        ("es", "25 nov 2026, 14:05"),
        ("zh-hans", "2026年11月25日 14:05"),
        ("ar", "25 نوفمبر 2026، 2:05\xa0م"),
    ],
)
def test_date_and_time_are_written_in_the_format_of_the_language(language, shown):
    with translation.override(language), timezone.override(UTC):
        assert date_time(datetime(2026, 11, 25, 14, 5, tzinfo=UTC)) == shown


def test_each_brand_shows_its_own_currency(simulator, charlie, browse):
    assert figures(browse(BOREALIS, charlie).get("/"))["opening_balance"].lstrip("-").startswith("£")


def test_amounts_stay_exact_in_any_notation_of_the_carrier(set_carrier_answer, alice, browse):
    set_carrier_answer(opening_balance='"-0.00001"', payments="1e3", closing_balance="939.37499")
    response = browse(AURORA, alice).get(f"/statement.csv{JANUARY}")
    rows = dict(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert (rows["Opening balance"], rows["Payments"]) == ("-0.00001", "1000")
    assert "don't add up" not in page(browse(AURORA, alice).get(f"/statement/{JANUARY}"))


@pytest.mark.parametrize("field", ["closing_balance", "total_charges"])
def test_inconsistent_sums_are_shown_with_a_notice_and_logged(
    set_carrier_answer, alice, browse, caplog, field
):
    set_carrier_answer(**{field: "60.62501"})
    response = browse(AURORA, alice).get(f"/statement/{JANUARY}")
    assert response.status_code == 200
    assert figures(response)[field] == "$60.63"
    assert "These amounts don't add up" in page(response)
    log_records = [record for record in caplog.records if record.name.startswith("billing")]
    assert [(record.levelname, record.brand) for record in log_records] == [("WARNING", "aurora")]
    assert "These amounts don't add up" in page(browse(AURORA, alice).get("/"))


@pytest.mark.parametrize(("cents", "explained"), [("0.004", True), ("0.001", False)])
def test_sum_that_looks_wrong_after_rounding_is_explained(
    set_carrier_answer, alice, browse, cents, explained
):
    each = Decimal(cents)
    set_carrier_answer(
        opening_balance=str(10 + each),
        payments=str(each),
        call_charges="1",
        other_charges="0",
        adjustments="0",
        total_charges="1",
        closing_balance=str(9 + 2 * each),
    )
    assert ("Amounts are rounded" in page(browse(AURORA, alice).get("/statement/"))) is explained


def test_answer_about_another_account_shows_no_figures(set_carrier_answer, alice, browse):
    set_carrier_answer(account_number='"70002"')
    for address in PAGES:
        response = browse(AURORA, alice).get(address)
        assert response.status_code == 503
        assert "242" not in page(response)
    set_carrier_answer(account_number='"70001"')
    assert browse(AURORA, alice).get(PAGES[0]).status_code == 200


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t1", "\r=1", "\n=1", "＝1+1", "\u00a0=1"]
)
def test_formulas_in_text_cells_are_escaped(text):
    assert escape_formula(text) == f"'{text}"
    assert escape_formula("Closing balance = 1") == "Closing balance = 1"


# Days in the brand's time zone


@pytest.mark.parametrize(
    ("moment", "zone", "day"),
    [
        ("2026-06-30T13:59:59+00:00", "Australia/Sydney", "2026-06-30"),
        ("2026-06-30T14:00:00+00:00", "Australia/Sydney", "2026-07-01"),
        ("2026-12-31T12:59:59+00:00", "Australia/Sydney", "2026-12-31"),
        ("2026-12-31T13:00:00+00:00", "Australia/Sydney", "2027-01-01"),
        ("2026-10-03T15:59:59+00:00", "Australia/Sydney", "2026-10-04"),  # A second before summer time.
        ("2026-10-04T13:00:00+00:00", "Australia/Sydney", "2026-10-05"),  # The day had 23 hours.
        ("2026-04-04T13:00:00+00:00", "Australia/Sydney", "2026-04-05"),
        ("2026-04-05T13:59:59+00:00", "Australia/Sydney", "2026-04-05"),  # The day had 25.
        ("2026-06-30T22:59:59+00:00", "Europe/London", "2026-06-30"),
        ("2026-06-30T23:00:00+00:00", "Europe/London", "2026-07-01"),
        ("2026-12-31T23:59:59+00:00", "Europe/London", "2026-12-31"),
        ("2027-01-01T00:00:00+00:00", "Europe/London", "2027-01-01"),
        ("2026-10-24T23:00:00+00:00", "Europe/London", "2026-10-25"),
        ("2026-10-25T23:59:59+00:00", "Europe/London", "2026-10-25"),
        ("2026-10-26T00:00:00+00:00", "Europe/London", "2026-10-26"),
    ],
)
def test_today_is_the_date_in_the_brands_time_zone(simulator, alice, browse, at, moment, zone, day):
    alice.brand.timezone = zone
    alice.brand.save()
    at(moment)
    browser = browse(AURORA, alice)
    browser.get("/")
    assert max(requested_periods(simulator)) == (f"{day[:8]}01", day)
    tomorrow = date.fromisoformat(day) + timedelta(days=1)
    refused = browser.get(f"/statement/?from_date={day}&to_date={tomorrow}")
    assert "Choose today or an earlier date" in page(refused)
    assert len(simulator.calls()) == 4


def test_presets_are_valid_on_every_day_of_a_century():
    day = date(2000, 1, 1)
    while day.year < 2101:
        presets = periods.presets(day)
        assert presets["this_month"] == periods.Period(day.replace(day=1), day)
        last_month = presets["last_month"]
        assert last_month.from_date.day == 1
        assert last_month.to_date == day.replace(day=1) - timedelta(days=1)
        assert last_month.from_date == last_month.to_date.replace(day=1)
        last_3_months = presets["last_3_months"]
        assert last_3_months.to_date == last_month.to_date
        assert last_3_months.from_date.day == 1
        months = (day.year - last_3_months.from_date.year) * 12 + day.month - last_3_months.from_date.month
        assert months == 3
        assert presets["this_year"] == periods.Period(date(day.year, 1, 1), day)
        last_year = periods.Period(date(day.year - 1, 1, 1), date(day.year - 1, 12, 31))
        assert presets["last_year"] == last_year
        for period in presets.values():
            assert period.from_date <= period.to_date <= day
            assert (period.to_date - period.from_date).days < periods.LONGEST_DAYS
        day += timedelta(days=1)


def test_each_preset_link_works_and_the_current_one_is_marked(simulator, alice, browse, at):
    at("2024-03-30T00:00:00+00:00")
    browser = browse(AURORA, alice)
    offered = period_links(browser.get("/statement/"))
    assert offered == {
        "This month": "/statement/?from_date=2024-03-01&to_date=2024-03-30",
        "Last month": "/statement/?from_date=2024-02-01&to_date=2024-02-29",
        "Last 3 full months": "/statement/?from_date=2023-12-01&to_date=2024-02-29",
        "This year": "/statement/?from_date=2024-01-01&to_date=2024-03-30",
        "Last year": "/statement/?from_date=2023-01-01&to_date=2023-12-31",
    }
    for label, link in offered.items():
        response = browser.get(link)
        assert response.status_code == 200
        nav = section(response, '<nav aria-label="Choose a period">', "</nav>")
        assert re.findall(r'aria-current="true">([^<]+)', nav) == [label]
        assert f'href="{link}" aria-current="true"' in nav
        assert '<details class="custom"><summary>' in page(response)


def test_each_month_of_the_last_year_has_its_statement_and_files(simulator, alice, browse, at):
    at("2024-03-30T00:00:00+00:00")
    browser = browse(AURORA, alice)
    response = browser.get("/statement/")
    months = periods.complete_months(date(2024, 3, 30), 11)
    expected = {"See history": "/history/", "Download 12 months as CSV": "/history.csv"}
    for month in months:
        name, query = f"{month.from_date:%B %Y}", f"?from_date={month.from_date}&to_date={month.to_date}"
        expected |= {name: f"/statement/{query}"}
        expected |= {f"{kind} {name}": f"/statement.{kind.lower()}{query}" for kind in ("PDF", "CSV")}
    assert month_links(response) == expected
    oldest = months[-1]
    for label in (f"{oldest.from_date:%B %Y}", f"CSV {oldest.from_date:%B %Y}"):
        assert browser.get(expected[label]).status_code == 200
    assert requested_periods(simulator)[-1] == (str(oldest.from_date), str(oldest.to_date))


@pytest.mark.parametrize("path", ["/statement/", "/statement.csv"])
def test_custom_dates_stay_open_with_what_was_entered_and_the_error(simulator, alice, browse, path):
    response = browse(AURORA, alice).get(path, {"from_date": "2020-02-01", "to_date": "2020-01-31"})
    custom = section(response, '<details class="custom', "</details>")
    assert custom.startswith('<details class="custom chosen" open>')
    assert "“From” must be the same as or before “To”" in custom
    assert (value_of(response, "from_date"), value_of(response, "to_date")) == ("2020-02-01", "2020-01-31")
    assert 'action="/statement/"' in custom
    assert 'aria-current="true"' not in section(response, '<nav aria-label="Choose a period">', "</nav>")
    assert set(period_links(response).values()) == set(
        period_links(browse(AURORA, alice).get("/statement/")).values()
    )


def test_custom_period_is_marked_as_chosen_without_an_error(simulator, alice, browse):
    response = browse(AURORA, alice).get("/statement/?from_date=2020-01-05&to_date=2020-01-06")
    custom = section(response, '<details class="custom', "</details>")
    assert custom.startswith('<details class="custom chosen" open>')
    assert "errorlist" not in custom
    assert (value_of(response, "from_date"), value_of(response, "to_date")) == ("2020-01-05", "2020-01-06")
    assert 'aria-current="true"' not in section(response, '<nav aria-label="Choose a period">', "</nav>")


# Invalid periods

MALFORMED = [
    "2026-1-1",
    "2026-02-30",
    "0000-01-01",
    "26-01-01",
    "2026/01/01",
    "01.01.2026",
    "20260101",
    "2026-W01-1",
    "2026-01-01T00:00",
    "2026-01-01 ",
    "+2026-01-01",
    "٢٠٢٦-٠١-٠١",
    "２０２６-01-01",
    "2026-01-01\x00",
    "\x00",
    "2026-01-01'--",
    "today",
    "9" * 5000,
]


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("2020-02-01", "2020-01-31", "“From” must be the same as or before “To”"),
        ("1999-12-31", "2000-01-01", "Choose a date from 1 January 2000"),
        ("2020-01-01", "2021-01-01", "Choose a period of one year or less"),
        ("2000-01-01", "2026-01-01", "Choose a period of one year or less"),
        ("2020-01-01", "9999-12-31", "Choose today or an earlier date"),
        ("", "", "Choose a date."),
        ("2020-01-01", "", "Choose a date."),
        *((text, "2026-01-01", "Enter a date like") for text in MALFORMED),
        *(("2026-01-01", text, "Enter a date like") for text in MALFORMED[:3]),
    ],
)
def test_invalid_period_is_refused_at_the_field_without_a_call(simulator, alice, browse, first, last, words):
    browser = browse(AURORA, alice)
    query = {"from_date": first, "to_date": last}
    for path, status in (("/statement/", 200), ("/statement.csv", 400)):
        response = browser.get(path, query)
        assert response.status_code == status
        assert "text/html" in response.headers["Content-Type"]
        assert words in page(response)
        assert 'class="errorlist"' in page(response)
        assert figures(response) == {}
    assert simulator.calls() == []


@pytest.mark.parametrize(
    "query",
    [
        "?from_date=2020-01-01",
        "?to_date=2020-01-01",
        "?from_date=2020-01-01&from_date=2020-01-01&to_date=2020-01-31",
        "?from_date=2020-01-01&to_date=2020-01-31&to_date=",
        "?from_date[]=2020-01-01&to_date=2020-01-31",
        "?from_date=%ff%fe&to_date=2020-01-31",
    ],
)
def test_missing_or_repeated_date_is_refused_without_a_call(simulator, alice, browse, query):
    assert 'class="errorlist"' in page(browse(AURORA, alice).get(f"/statement/{query}"))
    assert browse(AURORA, alice).get(f"/statement.csv{query}").status_code == 400
    assert simulator.calls() == []


def test_366_days_and_the_first_day_of_2000_are_allowed(simulator, alice, browse):
    browser = browse(AURORA, alice)
    for first, last in (
        ("2000-01-01", "2000-12-31"),
        ("2020-01-01", "2020-12-31"),
        ("2021-01-01", "2022-01-01"),
    ):
        assert figures(browser.get(f"/statement/?from_date={first}&to_date={last}"))
    assert len(simulator.calls()) == 3


# The carrier fails

FAULTS: list[dict[str, Any]] = [
    *(
        {"fault": name}
        for name in ("hang", "drip_status", "drip_headers", "drip_body", "drop_before", "drop_after")
    ),
    *({"fault": name} for name in ("html", "html_error", "empty", "truncated", "huge", "gzip_bomb")),
    {"fault": "slow", "seconds": PATIENCE},
    *({"fault": "cut", "message": part} for part in ("status", "headers", "body")),
    *({"fault": "status", "status": status} for status in (201, 400, 401, 403, 404, 409, 422, 429, 500, 503)),
    {"fault": "status_after", "status": 500},
    *({"fault": "code", "status": code} for code in (0, 201, 401, 422, 500, 4711)),
    *({"fault": "redirect", "status": status} for status in (301, 302, 303, 307, 308)),
    *(
        {"fault": "wrong_json", "message": kind}
        for kind in ("array", "string", "nan", "infinity", "exponent", "duplicate", "missing", "types")
    ),
    *({"fault": "wrong_json", "message": kind} for kind in ("null_data", "no_data")),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: "-".join(map(str, fault.values())))
def test_page_shows_an_error_and_no_figures_for_each_carrier_fault(simulator, alice, browse, settings, fault):
    settings.CARRIER_TIMEOUTS = timeouts_for(fault["fault"])
    browser = browse(AURORA, alice)
    simulator.fault("customer_balance", **fault)
    # Four of these at once would keep the simulator busy for long after the test.
    pages = PAGES[1:] if fault["fault"] in ("huge", "gzip_bomb") else PAGES
    for address in pages:
        circuit_breaker.forget()
        before, calls = len(simulator.calls()), 4 if address == "/" else 1
        started = time.monotonic()
        response = browser.get(address)
        assert time.monotonic() - started < HASTY.total + SLACK
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        assert "We can't show your balance right now" in page(response)
        assert figures(response) == {}
        assert not re.search(r"\d\.\d\d(?!\d|rem)", page(response))
        # The client may have timed out before the simulator read the request.
        assert eventually(lambda: calls <= len(simulator.calls()) - before)  # noqa: B023 - called within this iteration
        assert len(simulator.calls()) - before <= 3 * calls
    simulator.post("faults/clear")
    assert simulator.listed("elsewhere") == []


def test_retry_after_of_the_carrier_is_passed_on(simulator, alice, browse):
    simulator.fault("customer_balance", "status", status=429, retry_after=17)
    for address in PAGES:
        assert browse(AURORA, alice).get(address).headers["Retry-After"] == "17"


def test_rest_of_the_portal_works_while_the_carrier_is_down(alice, browse):
    browser = browse(AURORA, alice)
    assert browser.get("/").status_code == 503  # Nothing listens at the carrier's address.
    for path in ("/account/open/", "/password-reset/", "/brand.css", "/statement/?from_date=&to_date="):
        assert browser.get(path).status_code == 200
    assert "Go to my account" in page(browser.get("/"))
    assert browser.post("/sign-out/").status_code == 302
    assert browser.get("/sign-in/").status_code == 200


def test_invalid_connection_settings_give_the_error_page(alice, browse):
    alice.brand.overrides.create(method="customer_balance", parameters={"account_number": ""})
    assert browse(AURORA, alice).get("/").status_code == 503


def test_brief_carrier_fault_is_retried_unnoticed(simulator, alice, browse):
    simulator.fault("customer_balance", "status", status=503, times=2)
    assert figures(browse(AURORA, alice).get(f"/statement/{JANUARY}"))["closing_balance"] == "$242.09"
    assert len(simulator.calls()) == 3


# Access


@pytest.mark.parametrize("refused", ["", "70001"])
def test_customer_without_account_number_sees_a_notice_without_a_call(
    simulator, aurora, make_customer, browse, refused
):
    customer = make_customer(aurora, "new@example.com", refused_account_number=refused)
    notice = "There's a problem with your account number" if refused else "still setting up your account"
    home = notice if refused else "We're still setting up your account"
    for address, status, text in zip(PAGES, (200, 200, 409), (home, notice, notice), strict=True):
        response = browse(AURORA, customer).get(address)
        assert response.status_code == status
        assert text in page(response)
        assert "help@aurora.example" in page(response)
        assert figures(response) == {}
    assert simulator.calls() == []


@pytest.mark.parametrize("address", PAGES[1:])
def test_anonymous_visitor_is_sent_to_sign_in_without_a_call(simulator, aurora, browse, address):
    response = browse(AURORA).get(address)
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/sign-in/?next=")
    assert browse(AURORA).get("/").status_code == 200
    assert simulator.calls() == []


@pytest.mark.parametrize("address", PAGES)
def test_pages_refuse_post_and_allow_head(simulator, alice, browse, address):
    assert browse(AURORA, alice).post(address).status_code == 405
    assert browse(AURORA, alice).head(address).status_code == 200


@pytest.mark.parametrize(("address", "most"), [(PAGES[0], 5), (PAGES[1], 5), (PAGES[2], 5)])
def test_signed_in_page_takes_few_queries_when_figures_are_cached(
    simulator, alice, browse, address, most, django_assert_max_num_queries
):
    alice.brand.overrides.create(method="move_funds", path="elsewhere")
    alice.brand.response_codes.create(code="4103", meaning="email_taken")
    browser = browse(AURORA, alice)
    browser.get(address)
    calls = len(simulator.calls())
    with django_assert_max_num_queries(most):
        assert browser.get(address).status_code == 200
    assert len(simulator.calls()) == calls


def test_home_page_and_statement_take_the_same_number_of_queries(simulator, alice, browse):
    browser, counts = browse(AURORA, alice), []
    for address in PAGES:
        browser.get(address)
        with CaptureQueriesContext(connection) as captured:
            browser.get(address)
        counts.append(len(captured))
    assert len(set(counts)) == 1


@pytest.mark.parametrize("address", PAGES)
def test_query_count_is_the_same_with_a_thousand_customers_and_statements(
    simulator, alice, browse, address, django_assert_num_queries
):
    browser = browse(AURORA, alice)
    browser.get(address)
    with CaptureQueriesContext(connection) as captured:
        browser.get(address)
    others = [
        User(brand=alice.brand, email=f"c{nth}@example.com", account_number=str(nth), password="!")
        for nth in range(1000)
    ]
    months = [Period(date(1900 + nth // 12, nth % 12 + 1, 1), date(2019, 1, 1)) for nth in range(1000)]
    accounts = zip([*User.objects.bulk_create(others), *[alice] * 1000], [*months, *months], strict=True)
    CachedStatement.objects.bulk_create(
        CachedStatement(
            brand=alice.brand,
            customer=customer,
            account_number=customer.account_number,
            figures=EXAMPLE,
            as_of=timezone.now(),
            **vars(month),
        )
        for customer, month in accounts
    )
    with django_assert_num_queries(len(captured)):
        assert browser.get(address).status_code == 200


def test_uncached_page_takes_few_queries_for_each_call(
    simulator, alice, browse, django_assert_max_num_queries
):
    browser = browse(AURORA, alice)
    with django_assert_max_num_queries(
        9 + 4 * 7
    ):  # For each: a row and its savepoint, the call log, the result.
        assert browser.get("/").status_code == 200


def test_welcome_page_takes_one_query(aurora, browse, django_assert_num_queries):
    with django_assert_num_queries(1):
        browse(AURORA).get("/")


def test_two_customers_see_their_own_figures(simulator, alice, bob, browse):
    simulator.post("seed", customers=[_customer_seed("70001", "11.11"), _customer_seed("70002", "22.22")])
    balances = [figures(browse(AURORA, user).get("/"))["closing_balance"] for user in (alice, bob, alice)]
    assert balances == ["$11.11", "$22.22", "$11.11"]


def _customer_seed(number: str, balance: str) -> dict[str, Any]:
    return {"partner": "Aurora", "account_number": number, "balance": balance}
