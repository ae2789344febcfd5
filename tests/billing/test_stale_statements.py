"""Pages by kept figures: their moment, the reason when nothing newer comes, the button that asks anew."""

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

from billing.models import CachedStatement
from billing.statements import service as bounds
from billing.statements.periods import complete_months, this_month, today
from billing.views import balance as billing_views
from billing.views import downloads
from portal.core.formats import date_time
from tests.billing.test_statement import figures, page
from tests.billing.test_statement_fetcher import TROUBLES, pass_time
from tests.conftest import AURORA
from tests.support.customer_flow import words
from tests.support.timeouts import PATIENT, SLACK

pytestmark = [pytest.mark.django_db, pytest.mark.database]
JANUARY = "?from_date=2020-01-01&to_date=2020-01-31"
PAGES = ["/", f"/statement/{JANUARY}", "/statement/"]
NEXT = {"from_date": "2020-01-01", "to_date": "2020-01-31", "next": f"/statement/{JANUARY}"}
REASONS = {
    "down": "We get no usable figures from the billing system.",
    "refused": "This is a fault on our side",
    "busy": "Too many people are asking at the moment.",
    "gone": "Trying again does not help: please contact us",
}


def rows(response: Any) -> dict[str, str]:
    return dict(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))


def said_there(brand: Any, at: datetime) -> str:
    """The moment as the brand's pages write it, up to the hour."""
    with timezone.override(brand.zone), translation.override(brand.language):
        return date_time(at)[:-2]


# Older figures


@pytest.mark.parametrize(("fault", "trouble", "seconds"), TROUBLES, ids=lambda value: str(value))
def test_when_the_carrier_fails_pages_show_what_is_known_with_its_moment_and_the_reason(
    simulator, alice, browse, aurora, fault, trouble, seconds
):
    browser = browse(AURORA, alice)
    before = {address: figures(browser.get(address)) for address in PAGES}
    simulator.fault("customer_balance", **fault)
    pass_time(days=2)
    then = said_there(aurora, timezone.now() - timedelta(days=2))
    for address in PAGES:
        response = browser.get(address)
        assert (response.status_code, "Retry-After" in response.headers) == (200, False)
        assert figures(response) == before[address]
        said = words(response)
        assert f"These are the last figures we have, as of {then}" in said
        assert REASONS[trouble] in said
        assert ("We cannot find the telephone account 70001." in said) is (trouble == "gone")
        assert "Reference" in said
        assert said.count(f"Account 70001, as of {then}") == (2 if address == "/" else 1)


def test_of_a_running_month_what_stands_in_is_said_to_be_of_other_days(simulator, alice, browse, at):
    at("2026-02-10T00:00:00+00:00")
    browser = browse(AURORA, alice)
    before = figures(browser.get("/"))
    simulator.fault("customer_balance", "status")
    at("2026-02-12T00:00:00+00:00")
    for address in ("/", "/statement/"):
        response = browser.get(address)
        assert (response.status_code, figures(response)) == (200, before)
        assert "They are of 1 February 2026 to 10 February 2026." in words(response)
        assert "1 February 2026 to 12 February 2026" not in words(response)
    file = browser.get("/statement.csv")
    assert file.status_code == 200
    assert file.headers["Content-Disposition"].endswith('"statement-2026-02-01-2026-02-10.csv"')
    assert (rows(file)["From"], rows(file)["To"]) == ("2026-02-01", "2026-02-10")
    at("2026-03-01T00:00:00+00:00")
    pass_time(minutes=1)
    home = browser.get("/")
    assert figures(home) == before
    assert "They are of 1 February 2026 to 10 February 2026." in words(home)
    assert "This month" not in words(home)
    assert browser.get("/statement/").status_code == 503


def test_the_file_gives_older_figures_with_their_moment(simulator, alice, browse):
    browser = browse(AURORA, alice)
    first = rows(browser.get(f"/statement.csv{JANUARY}"))
    simulator.fault("customer_balance", "status")
    pass_time(days=2)
    older = rows(browser.get(f"/statement.csv{JANUARY}"))
    gone_by = datetime.fromisoformat(first.pop("As of")) - datetime.fromisoformat(older.pop("As of"))
    assert abs(gone_by - timedelta(days=2)) <= timedelta(hours=1, seconds=1)  # Less one in a night in April.
    assert older == first


def test_every_figure_says_of_when_it_is_in_the_brands_time(simulator, alice, browse, aurora):
    now = said_there(aurora, timezone.now())
    for address in PAGES:
        said = words(browse(AURORA, alice).get(address))
        assert said.count(f"Account 70001, as of {now}") == (2 if address == "/" else 1)
        assert "These are the last figures we have" not in said
    offset = datetime.fromisoformat(
        rows(browse(AURORA, alice).get(f"/statement.csv{JANUARY}"))["As of"]
    ).utcoffset()
    assert offset == timezone.now().astimezone(aurora.zone).utcoffset()


# The button


def the_form(response: Any) -> dict[str, str]:
    form = re.search(r'<form method="post" action="/statement/refresh/".*?</form>', page(response), re.DOTALL)
    assert form
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[0]))


@pytest.mark.parametrize("address", PAGES)
def test_the_button_gets_new_figures_and_leads_back(simulator, alice, address):
    browser = Client(enforce_csrf_checks=True, headers={"host": AURORA})
    browser.force_login(alice)
    session = browser.session
    session["realm"] = f"brand-{alice.brand_id}"
    session.save()
    sent = the_form(browser.get(address))
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


def test_a_refresh_that_fails_shows_the_last_known_figures_without_a_second_try(simulator, alice, browse):
    browser = browse(AURORA, alice)
    before = figures(browser.get(f"/statement/{JANUARY}"))
    simulator.fault("customer_balance", "status", status=401)
    shown = browser.post("/statement/refresh/", NEXT, follow=True)
    assert (shown.status_code, figures(shown)) == (200, before)
    assert REASONS["refused"] in words(shown)
    assert len(simulator.calls()) == 2


def test_the_seventh_refresh_in_a_minute_is_kindly_put_off(simulator, alice, bob, browse):
    browser = browse(AURORA, alice)
    kindly = "You have asked for new figures several times just now. Please wait a minute"
    for nth in range(7):
        response = browser.post("/statement/refresh/", NEXT, follow=True)
        assert (response.status_code, figures(response)["payments"]) == (200, "$57.00")
        assert (kindly in words(response)) is (nth == 6)
    assert len(simulator.calls()) == 6
    assert kindly not in words(browser.get(f"/statement/{JANUARY}"))
    assert kindly not in words(browse(AURORA, bob).post("/statement/refresh/", NEXT, follow=True))


@pytest.mark.parametrize(
    "wanted", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:1", "", "x" * 600]
)
def test_a_refresh_leads_nowhere_else(simulator, alice, browse, wanted):
    response = browse(AURORA, alice).post("/statement/refresh/", {**NEXT, "next": wanted})
    assert (response.status_code, response["Location"]) == (302, "/")


def test_a_refresh_of_no_period_or_of_no_account_asks_nobody(simulator, alice, aurora, make_customer, browse):
    browser = browse(AURORA, alice)
    for change in ({"from_date": "2999-01-01"}, {"to_date": ""}, {"from_date": "2010-01-01"}):
        assert browser.post("/statement/refresh/", {**NEXT, **change})["Location"] == NEXT["next"]
    assert browser.get("/statement/refresh/")["Location"] == "/"
    nobody = browse(AURORA, make_customer(aurora, "new@example.com"))
    assert nobody.post("/statement/refresh/", NEXT).status_code == 302
    stranger = browse(AURORA).post("/statement/refresh/", NEXT)
    assert stranger["Location"].startswith("/sign-in/")
    assert simulator.calls() == []
    assert "Get new figures" not in words(nobody.get("/"))


# No movement


def seeded(simulator: Any, *entries: tuple[Any, str]) -> None:
    made = [{"date": day.isoformat(), "kind": kind, "amount": "5"} for day, kind in entries]
    customer = {"partner": "Aurora", "account_number": "70001", "entries": made}
    simulator.post("seed", customers=[customer])


def test_a_month_without_movement_names_the_last_one_that_had_some(simulator, alice, browse, aurora):
    months = complete_months(today(aurora), 3)
    seeded(simulator, (months[1].from_date, "payment"))
    response = browse(AURORA, alice).get("/")
    name = f"{months[1].from_date:%B %Y}"
    assert f"No movement in this period. The last month that we know had some is {name}." in words(response)
    link = f"?from_date={months[1].from_date}&to_date={months[1].to_date}"
    assert f'<a href="/statement/{link}">Show its statement</a>' in page(response)
    assert figures(browse(AURORA, alice).get(f"/statement/{link}"))["payments"] == "$5.00"
    elsewhere = words(browse(AURORA, alice).get("/statement/?from_date=2001-01-01&to_date=2001-01-02"))
    assert f"had some is {name}." in elsewhere
    assert "No movement" not in words(browse(AURORA, alice).get(f"/statement/{link}"))


def test_movement_of_this_month_counts_too(simulator, alice, browse, aurora):
    day = today(aurora)
    seeded(simulator, (day, "call"))
    browser = browse(AURORA, alice)
    browser.get("/")
    quiet = words(browser.get("/statement/?from_date=2001-01-01&to_date=2001-01-02"))
    assert f"The last month that we know had some is {day:%B %Y}." in quiet


def test_where_three_months_were_quiet_the_year_is_asked_once_and_names_an_older_one(
    simulator, alice, browse, aurora
):
    month = complete_months(today(aurora), 7)[6]
    seeded(simulator, (month.from_date, "call"))
    browser = browse(AURORA, alice)
    assert f"had some is {month.from_date:%B %Y}." in words(browser.get("/"))
    calls = len(simulator.calls("customer_balance"))
    assert f"had some is {month.from_date:%B %Y}." in words(browser.get("/"))
    assert len(simulator.calls("customer_balance")) == calls == 13


@pytest.mark.parametrize("address", ["/", "/statement/", "/statement.csv"])
def test_a_carrier_that_hangs_holds_no_page_that_has_something_to_show(
    threads, simulator, alice, browse, settings, monkeypatch, address
):
    browser = browse(AURORA, alice)
    browser.get("/")
    pass_time(hours=2)
    settings.CARRIER_TIMEOUTS = PATIENT
    short = {name: replace(getattr(bounds, name), known=0.3) for name in ("PAGE", "BALANCE")}
    monkeypatch.setattr(bounds, "BALANCE", short["BALANCE"])
    for views in (billing_views, downloads):
        monkeypatch.setattr(views, "PAGE", short["PAGE"])
    simulator.fault("customer_balance", "hang")
    began = time.monotonic()
    response = browser.get(address)
    assert time.monotonic() - began < SLACK
    assert response.status_code == 200
    simulator.post("faults/clear")


def test_where_none_moved_it_says_of_how_many_months_that_is_known(simulator, alice, browse, aurora):
    seeded(simulator)
    browser = browse(AURORA, alice)
    alone = words(browser.get("/statement/?from_date=2001-01-01&to_date=2001-01-02"))
    assert "No movement in this period. 1 January" not in alone
    assert re.search(r"No movement in this period\. (?!The|In the)", alone)
    assert "In the last 12 complete months there was none either." in words(browser.get("/"))
    CachedStatement.objects.filter(from_date=complete_months(today(aurora), 2)[1].from_date).delete()
    one = words(browser.get("/statement/?from_date=2001-01-01&to_date=2001-01-02"))
    assert "In the last complete month there was none either." in one
    CachedStatement.objects.exclude(from_date=this_month(today(aurora)).from_date).update(is_open=True)
    assert "none either" not in words(
        browser.get("/statement/?from_date=2001-01-03&to_date=2001-01-04")
    )  # Incomplete ones tell nothing of their end.


def test_a_quiet_home_takes_five_queries_when_all_is_kept(
    simulator, alice, browse, django_assert_max_num_queries
):
    seeded(simulator)
    browser = browse(AURORA, alice)
    browser.get("/")
    with django_assert_max_num_queries(5):
        assert "No movement" in words(browser.get("/"))
