"""Pages show cached figures with their date and any error, and a button refreshes them."""

import csv
import io
import re
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone, translation

from accounts.models import User
from billing.models import CachedStatement
from billing.statements import service
from billing.statements.periods import complete_months, this_month, today
from billing.views import balance as billing_views
from billing.views import downloads
from portal.core.formats import date_time
from tests.billing.test_statement import figures, page
from tests.billing.test_statement_fetcher import CARRIER_ERRORS, pass_time
from tests.conftest import AURORA
from tests.support.customer_flow import words
from tests.support.timeouts import PATIENT, SLACK

pytestmark = [pytest.mark.django_db, pytest.mark.database]
JANUARY = "?from_date=2020-01-01&to_date=2020-01-31"
PAGES = ["/", f"/statement/{JANUARY}", "/statement/"]
NEXT = {"from_date": "2020-01-01", "to_date": "2020-01-31", "next": f"/statement/{JANUARY}"}
REFRESHED = "You're seeing your latest amounts."
REASONS = {
    "down": "The billing system isn't responding.",
    "refused": "There's a problem on our side",
    "busy": "We're very busy right now.",
    "gone": "It may have been closed or given a new number. Contact us and we'll check.",
}


def rows(response: Any) -> dict[str, str]:
    return dict(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))


def brand_time(brand: Any, at: datetime) -> str:
    """Return a pattern of the time in the brand's format and time zone, whatever the minutes."""
    with timezone.override(brand.zone), translation.override(brand.language):
        text = " ".join(date_time(at).split())
    return re.sub(r":\d\d", r":\\d\\d", re.escape(text).replace("\\ ", " "))


# Stale figures


@pytest.mark.parametrize(("fault", "error", "retry_after"), CARRIER_ERRORS, ids=lambda value: str(value))
def test_pages_show_stale_figures_with_date_and_error_when_carrier_fails(
    simulator, alice, browse, aurora, fault, error, retry_after
):
    browser = browse(AURORA, alice)
    before = {address: figures(browser.get(address)) for address in PAGES}
    simulator.fault("customer_balance", **fault)
    pass_time(days=2)
    expected_time = brand_time(aurora, timezone.now() - timedelta(days=2))
    for address in PAGES:
        response = browser.get(address)
        assert (response.status_code, "Retry-After" in response.headers) == (200, False)
        assert figures(response) == before[address]
        text = words(response)
        assert re.search(f"This is the latest we have, from {expected_time}", text)
        assert REASONS[error] in text
        assert ("We can't find phone account 70001." in text) is (error == "gone")
        assert "Support reference:" in text
        assert len(re.findall(f"Updated {expected_time} Refresh", text)) == text.count("Updated") == 1
        assert "70001" in text


def test_stale_figures_of_the_current_month_name_the_days_they_cover(simulator, alice, browse, at):
    at("2026-02-10T00:00:00+00:00")
    browser = browse(AURORA, alice)
    before = {address: figures(browser.get(address)) for address in ("/", "/statement/")}
    simulator.fault("customer_balance", "status")
    at("2026-02-12T00:00:00+00:00")
    for address in ("/", "/statement/"):
        response = browser.get(address)
        assert (response.status_code, figures(response)) == (200, before[address])
        assert ">1 February 2026 to 10 February 2026</h2>" in page(response)
        assert "Balance today" not in words(response)
        assert "It covers 1 February 2026 to 10 February 2026." in words(response)
        assert "1 February 2026 to 12 February 2026" not in words(response)
    file = browser.get("/statement.csv")
    assert file.status_code == 200
    assert file.headers["Content-Disposition"].endswith('"aurora-70001-2026-02-01_2026-02-10.csv"')
    assert (rows(file)["From"], rows(file)["To"]) == ("2026-02-01", "2026-02-10")
    at("2026-03-01T00:00:00+00:00")
    pass_time(minutes=1)
    home = browser.get("/")
    assert figures(home) == before["/"]
    assert "It covers 1 February 2026 to 10 February 2026." in words(home)
    assert "so far" not in words(home)
    assert 'class="total_charges running"' not in page(home)
    assert browser.get("/statement/").status_code == 503


def test_csv_gives_stale_figures_with_their_date(simulator, alice, browse):
    browser = browse(AURORA, alice)
    first = rows(browser.get(f"/statement.csv{JANUARY}"))
    simulator.fault("customer_balance", "status")
    pass_time(days=2)
    stale = rows(browser.get(f"/statement.csv{JANUARY}"))
    elapsed = datetime.fromisoformat(first.pop("Updated")) - datetime.fromisoformat(stale.pop("Updated"))
    # An hour less when summer time ends.
    assert abs(elapsed - timedelta(days=2)) <= timedelta(hours=1, seconds=1)
    assert stale == first


def test_figures_are_dated_in_the_brands_time_zone(simulator, alice, browse, aurora):
    clock = brand_time(aurora, timezone.now()).partition(", ")[2]
    for address in PAGES:
        text = words(browse(AURORA, alice).get(address))
        assert len(re.findall(f"Updated today, {clock} Refresh", text)) == text.count("Updated") == 1
        assert "70001" in text
        assert "This is the latest we have" not in text
    offset = datetime.fromisoformat(
        rows(browse(AURORA, alice).get(f"/statement.csv{JANUARY}"))["Updated"]
    ).utcoffset()
    assert offset == timezone.now().astimezone(aurora.zone).utcoffset()


# The button


def refresh_form_fields(response: Any) -> dict[str, str]:
    form = re.search(r'<form method="post" action="/statement/refresh/".*?</form>', page(response), re.DOTALL)
    assert form
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[0]))


@pytest.mark.parametrize("address", PAGES)
def test_refresh_button_fetches_figures_and_redirects_back(simulator, alice, address):
    browser = Client(enforce_csrf_checks=True, headers={"host": AURORA})
    browser.force_login(alice)
    session = browser.session
    session["realm"] = f"brand-{alice.brand_id}"
    session.save()
    sent = refresh_form_fields(browser.get(address))
    pass_time(seconds=20)
    before = len(simulator.calls())
    headers = {"referer": f"https://{AURORA}{address}"}
    without = {name: value for name, value in sent.items() if name != "csrfmiddlewaretoken"}
    assert browser.post("/statement/refresh/", without, headers=headers).status_code == 403
    assert len(simulator.calls()) == before
    response = browser.post("/statement/refresh/", sent, headers=headers)
    assert (response.status_code, response["Location"]) == (302, address)
    assert len(simulator.calls()) == before + 1
    assert simulator.calls()[-1]["query"]["from_date"] == sent["from_date"]
    newest = CachedStatement.objects.get(from_date=sent["from_date"])
    assert timezone.now() - newest.as_of < timedelta(seconds=5)
    browser.get(address)
    assert len(simulator.calls()) == before + 1


def test_failed_refresh_shows_the_last_known_figures_without_a_retry(simulator, alice, browse):
    browser = browse(AURORA, alice)
    before = figures(browser.get(f"/statement/{JANUARY}"))
    simulator.fault("customer_balance", "status", status=401)
    shown = browser.post("/statement/refresh/", NEXT, follow=True)
    assert (shown.status_code, figures(shown)) == (200, before)
    assert REASONS["refused"] in words(shown)
    assert REFRESHED not in words(shown)
    assert len(simulator.calls()) == 2


def test_seventh_refresh_in_a_minute_is_refused_with_a_notice(simulator, alice, bob, browse):
    browser = browse(AURORA, alice)
    notice = "You've refreshed several times. Wait a minute"
    for nth in range(7):
        response = browser.post("/statement/refresh/", NEXT, follow=True)
        assert (response.status_code, figures(response)["payments"]) == (200, "+$57.00")
        assert (notice in words(response)) is (nth == 6)
        assert (REFRESHED in words(response)) is (nth < 6)
    assert len(simulator.calls()) == 6
    again = words(browser.get(f"/statement/{JANUARY}"))
    assert notice not in again
    assert REFRESHED not in again
    assert notice not in words(browse(AURORA, bob).post("/statement/refresh/", NEXT, follow=True))


@pytest.mark.parametrize(
    "next_url", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:1", "", "x" * 600]
)
def test_refresh_does_not_redirect_to_other_sites(simulator, alice, browse, next_url):
    response = browse(AURORA, alice).post("/statement/refresh/", {**NEXT, "next": next_url})
    assert (response.status_code, response["Location"]) == (302, "/")


def test_refresh_without_valid_period_or_account_makes_no_call(
    simulator, alice, aurora, make_customer, browse
):
    browser = browse(AURORA, alice)
    for change in ({"from_date": "2999-01-01"}, {"to_date": ""}, {"from_date": "2010-01-01"}):
        assert browser.post("/statement/refresh/", {**NEXT, **change})["Location"] == NEXT["next"]
    assert browser.get("/statement/refresh/")["Location"] == "/"
    new_client = browse(AURORA, make_customer(aurora, "new@example.com"))
    assert new_client.post("/statement/refresh/", NEXT).status_code == 302
    anonymous = browse(AURORA).post("/statement/refresh/", NEXT)
    assert anonymous["Location"].startswith("/sign-in/")
    assert simulator.calls() == []
    assert "Refresh" not in words(new_client.get("/"))


# No movement


def joined_long_ago(customer: User) -> None:
    """Make the customer no new one, who would see first steps instead of zeros."""
    customer.date_joined -= timedelta(days=61)
    customer.save()


def seed_entries(simulator: Any, *entries: tuple[Any, str]) -> None:
    ledger = [{"date": day.isoformat(), "kind": kind, "amount": "5"} for day, kind in entries]
    customer = {"partner": "Aurora", "account_number": "70001", "entries": ledger}
    simulator.post("seed", customers=[customer])


def test_month_without_movement_names_the_last_month_with_some(simulator, alice, browse, aurora):
    months = complete_months(today(aurora), 3)
    seed_entries(simulator, (months[1].from_date, "payment"))
    response = browse(AURORA, alice).get("/")
    name = f"{months[1].from_date:%B %Y}"
    assert f"No payments or charges in this period. Your last activity was in {name}." in words(response)
    link = f"?from_date={months[1].from_date}&to_date={months[1].to_date}"
    assert f'<a href="/statement/{link}">View that statement</a>' in page(response)
    assert figures(browse(AURORA, alice).get(f"/statement/{link}"))["payments"] == "+$5.00"
    elsewhere = words(browse(AURORA, alice).get("/statement/?from_date=2001-01-01&to_date=2001-01-02"))
    assert f"Your last activity was in {name}." in elsewhere
    assert "No payments or charges" not in words(browse(AURORA, alice).get(f"/statement/{link}"))


def test_movement_of_this_month_counts(simulator, alice, browse, aurora):
    day = today(aurora)
    seed_entries(simulator, (day, "call"))
    browser = browse(AURORA, alice)
    browser.get("/")
    quiet = words(browser.get("/statement/?from_date=2001-01-01&to_date=2001-01-02"))
    assert f"Your last activity was in {day:%B %Y}." in quiet


def test_after_three_quiet_months_the_year_is_searched_once(simulator, alice, browse, aurora):
    month = complete_months(today(aurora), 7)[6]
    seed_entries(simulator, (month.from_date, "call"))
    browser = browse(AURORA, alice)
    assert f"Your last activity was in {month.from_date:%B %Y}." in words(browser.get("/"))
    calls = len(simulator.calls("customer_balance"))
    assert f"Your last activity was in {month.from_date:%B %Y}." in words(browser.get("/"))
    assert len(simulator.calls("customer_balance")) == calls == 13


@pytest.mark.parametrize("address", ["/", "/statement/", "/statement.csv"])
def test_page_with_cached_figures_does_not_wait_for_a_hanging_carrier(
    threads, simulator, alice, browse, settings, monkeypatch, address
):
    browser = browse(AURORA, alice)
    browser.get("/")
    pass_time(hours=2)
    settings.CARRIER_TIMEOUTS = PATIENT
    deadlines = {name: replace(getattr(service, name), if_stale=0.3) for name in ("PAGE", "BALANCE")}
    monkeypatch.setattr(service, "BALANCE", deadlines["BALANCE"])
    for views in (billing_views, downloads):
        monkeypatch.setattr(views, "PAGE", deadlines["PAGE"])
    simulator.fault("customer_balance", "hang")
    started = time.monotonic()
    response = browser.get(address)
    assert time.monotonic() - started < SLACK
    assert response.status_code == 200
    simulator.post("faults/clear")


def test_page_says_how_many_months_are_known_to_have_no_movement(simulator, alice, browse, aurora):
    seed_entries(simulator)
    joined_long_ago(alice)
    browser = browse(AURORA, alice)
    without_history = words(browser.get("/statement/?from_date=2001-01-01&to_date=2001-01-02"))
    assert "No payments or charges in this period. 1 January" not in without_history
    assert re.search(r"No payments or charges in this period\. (?!Your|There)", without_history)
    assert "There was nothing in the last 12 months either." in words(browser.get("/"))
    CachedStatement.objects.filter(from_date=complete_months(today(aurora), 2)[1].from_date).delete()
    after_one_month = words(browser.get("/statement/?from_date=2001-01-01&to_date=2001-01-02"))
    assert "There was nothing last month either." in after_one_month
    CachedStatement.objects.exclude(from_date=this_month(today(aurora)).from_date).update(is_open=True)
    assert "There was nothing" not in words(
        browser.get("/statement/?from_date=2001-01-03&to_date=2001-01-04")
    )  # Figures from before the end of a month do not show how it ended.


def test_quiet_home_page_takes_six_queries_when_cached(
    simulator, alice, browse, django_assert_max_num_queries
):
    seed_entries(simulator)
    joined_long_ago(alice)
    browser = browse(AURORA, alice)
    browser.get("/")
    with django_assert_max_num_queries(6):
        assert "No payments or charges" in words(browser.get("/"))
