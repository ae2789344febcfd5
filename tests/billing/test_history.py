"""The history page streams its frame, then each of twelve months, and is complete HTML whatever fails."""

import html
import logging
import re
import time
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone, translation

from billing.models import CachedStatement
from billing.statements import periods
from billing.views import history
from tests.conftest import AURORA
from tests.support.timeouts import PATIENCE, PATIENT, SLACK

pytestmark = pytest.mark.django_db
ROW = re.compile(r'<tr(?: class="long")?><th scope="row".*?</tr>', re.DOTALL)
NOTICE = re.compile(r'<div class="notice unavailable".*?</div>', re.DOTALL)
RETRY = re.compile(r'href="([^"]*)">Try again</a>')


def read_all(response: Any) -> str:
    return html.unescape(b"".join(response.streaming_content).decode())


def rows(page: str) -> list[str]:
    return ROW.findall(page)


def test_frame_is_sent_before_the_carrier_is_called(simulator, alice, browse):
    chunks = browse(AURORA, alice).get("/history/").streaming_content
    frame = next(chunks).decode()
    assert "<h1>History</h1>" in frame
    assert "Loading your last 12 months…" in frame
    assert '<th scope="col">Month</th>' in frame
    assert rows(frame) == []
    assert simulator.calls() == []
    rest = b"".join(chunks).decode()
    assert rest.rstrip().endswith("</html>")
    assert len(simulator.calls("customer_balance")) == 12


def test_twelve_months_are_listed_in_order_with_links_to_statements(simulator, alice, aurora, browse):
    page = read_all(browse(AURORA, alice).get("/history/"))
    day = periods.today(aurora)
    expected = [periods.this_month(day), *periods.complete_months(day, 11)]
    days = [(str(period.from_date), str(period.to_date)) for period in expected]
    assert [period_of(row) for row in rows(page)] == days
    for row, (first, last) in zip(rows(page), days, strict=True):
        files = re.findall(r'href="/statement\.(pdf|csv)\?from_date=([0-9-]+)&to_date=([0-9-]+)"', row)
        assert files == [("pdf", first, last), ("csv", first, last)]
    requested = {
        (c["query"]["from_date"], c["query"]["to_date"]) for c in simulator.calls("customer_balance")
    }
    assert requested == set(days)
    assert page.count("<figure ") == 1
    charges, balances = re.findall(r'<svg class="plot.*?</svg>', page, re.DOTALL)
    for plot in (charges, balances):  # Each bar and each point leads to its month, the oldest first.
        assert [period_of(link) for link in re.findall(r"<a .*?</a>", plot, re.DOTALL)] == days[::-1]
    assert [row for row in rows(page) if "so far" in row] == rows(page)[:1]
    assert not [row for row in rows(page) if "Updated" in row]
    assert "Try again" not in page


def period_of(markup: str) -> tuple[str, str]:
    """Return the period of the only statement that some HTML links."""
    (found,) = re.findall(r'href="/statement/\?from_date=([0-9-]+)&to_date=([0-9-]+)"', markup)
    return found


def test_cached_months_are_not_fetched_again(simulator, alice, browse):
    first = read_all(browse(AURORA, alice).get("/history/"))
    second = read_all(browse(AURORA, alice).get("/history/"))
    assert len(simulator.calls("customer_balance")) == 12
    assert rows(second) == rows(first)


def test_complete_months_are_fetched_again_only_after_a_day(simulator, alice, browse):
    read_all(browse(AURORA, alice).get("/history/"))
    old = timezone.now() - timezone.timedelta(hours=23)
    CachedStatement.objects.update(as_of=old, attempted_at=old)
    read_all(browse(AURORA, alice).get("/history/"))
    assert len(simulator.calls("customer_balance")) == 13  # Only the current month.
    old -= timezone.timedelta(hours=2)
    CachedStatement.objects.update(as_of=old, attempted_at=old)
    read_all(browse(AURORA, alice).get("/history/"))
    assert len(simulator.calls("customer_balance")) == 25


def test_missing_month_is_marked_and_a_retry_fetches_only_that_month(simulator, alice, browse):
    client = browse(AURORA, alice)
    read_all(client.get("/history/"))
    deleted = CachedStatement.objects.order_by("-from_date")[3]
    deleted.delete()
    simulator.fault("customer_balance", "status", status=400)
    page = read_all(client.get("/history/"))
    row = rows(page)[3]
    assert "Not available" in row
    assert not re.search(r"[$0-9]", re.sub(r"<th.*?</th>", "", row))
    assert "Not available" not in "".join(rows(page)[:3] + rows(page)[4:])
    assert len(NOTICE.findall(page)) == page.count("There's a problem on our side.") == 1
    assert "<strong>1 month didn't load.</strong> There's a problem on our side." in NOTICE.findall(page)[0]
    assert RETRY.findall(page) == RETRY.findall(NOTICE.findall(page)[0]) == ["/history/"]
    assert page.count('<rect class="gap" x=') == 2  # One in each panel.
    simulator.post("faults/clear")
    before = len(simulator.calls("customer_balance"))
    assert "Not available" not in read_all(client.get("/history/"))
    assert len(simulator.calls("customer_balance")) == before + 1


def test_account_unknown_to_the_carrier_offers_no_retry(simulator, alice, browse):
    alice.account_number = "79999"
    alice.save()
    page = read_all(browse(AURORA, alice).get("/history/"))
    assert ["Not available" in row for row in rows(page)] == [True] * 12
    assert (
        "12 months didn't load.</strong> We can't find this account. Contact us." in NOTICE.findall(page)[0]
    )
    assert "Try again" not in page
    assert "<figure" not in page
    assert "$" not in page


def test_stale_figures_of_this_month_are_shown_with_the_error(simulator, alice, browse):
    client = browse(AURORA, alice)
    read_all(client.get("/history/"))
    old = timezone.now() - timezone.timedelta(minutes=5)
    CachedStatement.objects.update(as_of=old, attempted_at=old)
    simulator.fault("customer_balance", "status", status=400)
    page = read_all(client.get("/history/"))
    row = rows(page)[0]
    assert re.search(r"Updated today, \d+:\d\d", row)
    assert "Not available" not in row
    assert "$" in row
    assert not [row for row in rows(page)[1:] if "Updated" in row]
    (notice,) = NOTICE.findall(page)
    assert "<strong>Some months may be out of date.</strong> There's a problem on our side." in notice
    assert RETRY.findall(page) == ["/history/"]


def test_headers_forbid_caching_and_proxy_buffering(simulator, alice, browse):
    response = browse(AURORA, alice).get("/history/")
    assert response.streaming
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert response.headers["Content-Language"].startswith("en")
    assert "script-src" in response.headers["Content-Security-Policy"]
    assert response.headers["X-Request-ID"]
    response.close()


def test_head_request_makes_no_call(simulator, alice, browse):
    response = browse(AURORA, alice).head("/history/")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["Cache-Control"] == "no-store"
    assert simulator.calls() == []


def test_customer_without_account_number_sees_a_notice(simulator, aurora, make_customer, browse):
    response = browse(AURORA, make_customer(aurora, "nora@example.com")).get("/history/")
    assert "still setting up your account" in response.content.decode()
    assert simulator.calls() == []


def test_anonymous_visitor_is_sent_to_sign_in(aurora, browse):
    assert browse(AURORA).get("/history/")["Location"] == "/sign-in/?next=/history/"


def test_streamed_months_use_the_pages_language_without_leaking_it(simulator, alice, browse):
    response = browse(AURORA, alice).get("/history/", headers={"Accept-Language": "ar"})
    before = translation.get_language(), timezone.get_current_timezone_name()
    chunks = [html.unescape(chunk.decode()) for chunk in response.streaming_content]
    assert (translation.get_language(), timezone.get_current_timezone_name()) == before
    assert all("AU$" in chunk and "\u2066" in chunk for chunk in chunks[1:13])
    assert 'dir="rtl"' in chunks[0]


def test_log_lines_of_streamed_calls_have_the_request_id(simulator, alice, browse, caplog):
    caplog.set_level(logging.INFO, "portal.carrier.calls")
    from portal.monitoring.logging import RequestIdFilter

    caplog.handler.addFilter(RequestIdFilter())
    response = browse(AURORA, alice).get("/history/")
    read_all(response)
    request_ids = {
        getattr(record, "request_id", "") for record in caplog.records if record.msg == "carrier call"
    }
    assert request_ids == {response.headers["X-Request-ID"]}


@pytest.mark.usefixtures("threads")
def test_page_ends_with_a_message_when_the_database_fails_midway(simulator, alice, browse, caplog):
    response = browse(AURORA, alice).get("/history/")
    chunks = response.streaming_content
    received = [next(chunks), next(chunks), next(chunks)]
    with _without_statements_table():
        page = html.unescape(b"".join([*received, *chunks]).decode())
    assert len(rows(page)) < 12
    assert "Some months didn't load" in page
    assert "The months you can see are correct" in page
    assert response.headers["X-Request-ID"] in page
    assert page.index("</tbody>") < page.index("Some months didn't load")
    assert page.rstrip().endswith("</html>")
    assert "history broke off" in [record.message for record in caplog.records]


@contextmanager
def _without_statements_table() -> Any:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE billing_keptstatement RENAME TO billing_keptstatement_away")
        try:
            yield
        finally:
            cursor.execute("ALTER TABLE billing_keptstatement_away RENAME TO billing_keptstatement")


@pytest.mark.usefixtures("threads")
def test_page_ends_in_time_when_the_carrier_hangs(simulator, alice, browse, monkeypatch, settings):
    settings.CARRIER_TIMEOUTS = PATIENT
    monkeypatch.setattr(history, "_LONGEST", 0.5)
    simulator.fault("customer_balance", "hang")
    started = time.monotonic()
    page = read_all(browse(AURORA, alice).get("/history/"))
    assert time.monotonic() - started < SLACK
    assert sum("Not available" in row for row in rows(page)) == 12
    assert "12 months didn't load.</strong> The billing system isn't responding." in page
    assert RETRY.findall(page) == ["/history/"]
    simulator.post("faults/clear")
    _wait_for(lambda: not CachedStatement.objects.exclude(claimed_until=None).exists())
    assert len({call["query"]["from_date"] for call in simulator.calls("customer_balance")}) == 4


@pytest.mark.usefixtures("threads")
def test_disconnect_stops_further_calls_and_late_results_are_stored(simulator, alice, browse):
    simulator.fault("customer_balance", "slow", seconds=1)
    response = browse(AURORA, alice).get("/history/")
    frame, first = next(response.streaming_content), next(response.streaming_content)
    response.close()
    assert (rows(frame.decode()), len(rows(first.decode()))) == ([], 1)
    _wait_for(lambda: not CachedStatement.objects.exclude(claimed_until=None).exists())
    call_count = len(simulator.calls("customer_balance"))
    assert 4 <= call_count < 12
    assert CachedStatement.objects.exclude(figures=None).count() == call_count


def _wait_for(condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
