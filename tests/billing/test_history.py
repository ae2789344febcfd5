"""The page of twelve months: the frame first, each month as it comes, and an honest end whatever happens."""

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
ROW = re.compile(r'<tr role="row"><th scope="row".*?</tr>', re.DOTALL)


def whole(response: Any) -> str:
    return html.unescape(b"".join(response.streaming_content).decode())


def rows(page: str) -> list[str]:
    return ROW.findall(page)


def test_the_frame_comes_before_the_carrier_is_asked(simulator, alice, browse):
    chunks = browse(AURORA, alice).get("/history/").streaming_content
    frame = next(chunks).decode()
    assert "<h1>History</h1>" in frame
    assert "The months are arriving." in frame
    assert '<th scope="col" role="columnheader">Month</th>' in frame
    assert rows(frame) == []
    assert simulator.calls() == []
    rest = b"".join(chunks).decode()
    assert rest.rstrip().endswith("</html>")
    assert len(simulator.calls("customer_balance")) == 12


def test_twelve_months_stand_in_order_each_with_a_link_to_its_statement(simulator, alice, aurora, browse):
    page = whole(browse(AURORA, alice).get("/history/"))
    day = periods.today(aurora)
    wanted = [periods.this_month(day), *periods.complete_months(day, 11)]
    links = re.findall(r'href="/statement/\?from_date=([0-9-]+)&to_date=([0-9-]+)"', page)
    assert links == [(str(period.from_date), str(period.to_date)) for period in wanted]
    asked = {(c["query"]["from_date"], c["query"]["to_date"]) for c in simulator.calls("customer_balance")}
    assert asked == set(links)
    assert page.count('<figure class="picture"') == 1
    assert [row for row in rows(page) if "so far" in row] == rows(page)[:1]
    assert all("As of" in row for row in rows(page))


def test_what_is_kept_is_not_asked_again(simulator, alice, browse):
    first = whole(browse(AURORA, alice).get("/history/"))
    again = whole(browse(AURORA, alice).get("/history/"))
    assert len(simulator.calls("customer_balance")) == 12
    assert rows(again) == rows(first)


def test_complete_months_are_asked_again_only_after_a_day(simulator, alice, browse):
    whole(browse(AURORA, alice).get("/history/"))
    old = timezone.now() - timezone.timedelta(hours=23)
    CachedStatement.objects.update(as_of=old, attempted_at=old)
    whole(browse(AURORA, alice).get("/history/"))
    assert len(simulator.calls("customer_balance")) == 13  # The running month again.
    old -= timezone.timedelta(hours=2)
    CachedStatement.objects.update(as_of=old, attempted_at=old)
    whole(browse(AURORA, alice).get("/history/"))
    assert len(simulator.calls("customer_balance")) == 25


def test_a_missing_month_says_so_and_a_new_try_asks_for_it_alone(simulator, alice, browse):
    client = browse(AURORA, alice)
    whole(client.get("/history/"))
    lost = CachedStatement.objects.order_by("-from_date")[3]
    lost.delete()
    simulator.fault("customer_balance", "status", status=400)
    page = whole(client.get("/history/"))
    row = rows(page)[3]
    assert "<strong>Missing.</strong> The billing system refuses our question" in row
    assert '<a href="/history/">Try again</a>' in row
    assert "$" not in row
    assert "Missing." not in "".join(rows(page)[:3] + rows(page)[4:])
    assert page.count('<rect class="gap" x=') == 2  # In either panel.
    simulator.post("faults/clear")
    before = len(simulator.calls("customer_balance"))
    assert "Missing." not in whole(client.get("/history/"))
    assert len(simulator.calls("customer_balance")) == before + 1


def test_an_account_that_is_gone_is_not_to_be_tried_again(simulator, alice, browse):
    alice.account_number = "79999"
    alice.save()
    page = whole(browse(AURORA, alice).get("/history/"))
    assert all("does not know this account" in row and "Try again" not in row for row in rows(page))
    assert "There is nothing to draw" in page


def test_old_figures_of_this_month_stand_in_with_their_age_and_the_reason(simulator, alice, browse):
    client = browse(AURORA, alice)
    whole(client.get("/history/"))
    old = timezone.now() - timezone.timedelta(minutes=5)
    CachedStatement.objects.update(as_of=old, attempted_at=old)
    simulator.fault("customer_balance", "status", status=400)
    row = rows(whole(client.get("/history/")))[0]
    assert "The billing system refuses our question" in row
    assert "Missing." not in row
    assert "$" in row


def test_the_headers_are_those_of_a_private_page_and_no_proxy_holds_it_back(simulator, alice, browse):
    response = browse(AURORA, alice).get("/history/")
    assert response.streaming
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert response.headers["Content-Language"].startswith("en")
    assert "script-src" in response.headers["Content-Security-Policy"]
    assert response.headers["X-Request-ID"]
    response.close()


def test_whoever_asks_for_the_headers_alone_costs_no_call(simulator, alice, browse):
    response = browse(AURORA, alice).head("/history/")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["Cache-Control"] == "no-store"
    assert simulator.calls() == []


def test_who_has_no_account_number_is_told_so(simulator, aurora, make_customer, browse):
    response = browse(AURORA, make_customer(aurora, "nora@example.com")).get("/history/")
    assert "not known to us yet" in response.content.decode()
    assert simulator.calls() == []


def test_strangers_sign_in_first(aurora, browse):
    assert browse(AURORA).get("/history/")["Location"] == "/sign-in/?next=/history/"


def test_each_month_is_written_in_the_pages_language_which_stays_nowhere(simulator, alice, browse):
    response = browse(AURORA, alice).get("/history/", headers={"Accept-Language": "ar"})
    before = translation.get_language(), timezone.get_current_timezone_name()
    chunks = [html.unescape(chunk.decode()) for chunk in response.streaming_content]
    assert (translation.get_language(), timezone.get_current_timezone_name()) == before
    assert all("AU$" in chunk and "\u2066" in chunk for chunk in chunks[1:13])
    assert 'dir="rtl"' in chunks[0]


def test_the_log_lines_of_what_comes_late_name_the_request(simulator, alice, browse, caplog):
    caplog.set_level(logging.INFO, "portal.carrier.calls")
    from portal.monitoring.logging import RequestIdFilter

    caplog.handler.addFilter(RequestIdFilter())
    response = browse(AURORA, alice).get("/history/")
    whole(response)
    told = {getattr(record, "request_id", "") for record in caplog.records if record.msg == "carrier call"}
    assert told == {response.headers["X-Request-ID"]}


@pytest.mark.usefixtures("threads")
def test_when_our_records_fail_in_the_middle_the_page_ends_in_a_sentence(simulator, alice, browse, caplog):
    response = browse(AURORA, alice).get("/history/")
    chunks = response.streaming_content
    shown = [next(chunks), next(chunks), next(chunks)]
    with _records_away():
        page = html.unescape(b"".join([*shown, *chunks]).decode())
    assert len(rows(page)) < 12
    assert "Not all months could be shown." in page
    assert "What you see in the table is right" in page
    assert response.headers["X-Request-ID"] in page
    assert page.index("</tbody>") < page.index("Not all months")
    assert page.rstrip().endswith("</html>")
    assert "history broke off" in [record.message for record in caplog.records]


@contextmanager
def _records_away() -> Any:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE billing_keptstatement RENAME TO billing_keptstatement_away")
        try:
            yield
        finally:
            cursor.execute("ALTER TABLE billing_keptstatement_away RENAME TO billing_keptstatement")


@pytest.mark.usefixtures("threads")
def test_a_carrier_that_hangs_does_not_hold_the_page_for_ever(
    simulator, alice, browse, monkeypatch, settings
):
    settings.CARRIER_TIMEOUTS = PATIENT
    monkeypatch.setattr(history, "_LONGEST", 0.5)
    simulator.fault("customer_balance", "hang")
    began = time.monotonic()
    page = whole(browse(AURORA, alice).get("/history/"))
    assert time.monotonic() - began < SLACK
    assert sum("Missing." in row for row in rows(page)) == 12
    simulator.post("faults/clear")
    _wait_for(lambda: not CachedStatement.objects.exclude(claimed_until=None).exists())
    assert len({call["query"]["from_date"] for call in simulator.calls("customer_balance")}) == 4


@pytest.mark.usefixtures("threads")
def test_a_visitor_who_leaves_costs_no_more_calls_and_what_comes_is_kept(simulator, alice, browse):
    simulator.fault("customer_balance", "slow", seconds=1)
    response = browse(AURORA, alice).get("/history/")
    frame, first = next(response.streaming_content), next(response.streaming_content)
    response.close()
    assert (rows(frame.decode()), len(rows(first.decode()))) == ([], 1)
    _wait_for(lambda: not CachedStatement.objects.exclude(claimed_until=None).exists())
    made = len(simulator.calls("customer_balance"))
    assert 4 <= made < 12
    assert CachedStatement.objects.exclude(figures=None).count() == made


def _wait_for(done: Any) -> None:
    until = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < until
        time.sleep(0.05)
