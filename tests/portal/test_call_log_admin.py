"""The log of carrier calls in the admin: read, searched, summarised, never changed."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from portal.admin.pagination import BoundedPaginator
from portal.carrier.call_stats import Tally, count_calls_by_day
from portal.core.formats import zoned_time
from portal.models import Brand, CarrierCall

pytestmark = pytest.mark.database

Browse = Callable[..., Client]
LIST = "/admin/portal/carriercall/"
SYDNEY = ZoneInfo("Australia/Sydney")


def call(brand: Brand, **fields: Any) -> CarrierCall:
    values = {"method": "customer_balance", "outcome": "ok", "milliseconds": 100, **fields}
    return CarrierCall.objects.create(brand=brand, **values)


def search(client: Client, **query: str) -> list[int]:
    return [row.pk for row in client.get(LIST, query).context["cl"].result_list]


def test_search_accepts_what_support_knows(
    admin_client: Client, aurora: Brand, alice: User, charlie: User
) -> None:
    transfer = call(
        aurora, customer=alice, method="move_funds", operation="3f0c-aa", reference="K7QF-2MPX", status=200
    )
    lost = call(aurora, method="partner_balance", outcome="NoAnswer")
    other = call(charlie.brand, customer=charlie)
    assert search(admin_client) == [other.pk, lost.pk, transfer.pk]
    for term in ("3f0c-AA", "K7QF-2MPX", " k7qf-2mpx ", "ALICE@", "70001"):
        assert search(admin_client, q=term) == [transfer.pk], term
    for term in ("3f0c", "7000", "nobody@example.com"):
        assert search(admin_client, q=term) == [], term
    assert search(admin_client, method="partner_balance") == [lost.pk]
    assert search(admin_client, outcome="NoAnswer") == [lost.pk]
    assert search(admin_client, brand=str(charlie.brand_id)) == [other.pk]
    assert search(admin_client, customer=str(alice.pk)) == [transfer.pk]
    assert search(admin_client, at__gte="2999-01-01 00:00:00+00:00") == []
    page = admin_client.get(LIST).content.decode()
    assert f'<a href="/admin/billing/customer/{alice.pk}/">alice@example.com</a>' in page
    assert "sent, no answer" in page
    assert zoned_time(transfer.at, aurora, seconds=True) in page


def test_call_log_cannot_be_changed(admin_client: Client, aurora: Brand) -> None:
    row = call(aurora)
    path = f"{LIST}{row.pk}"
    assert admin_client.get(f"{path}/change/").status_code == 200
    assert admin_client.post(f"{path}/change/", {"outcome": "x"}).status_code == 403
    assert admin_client.post(f"{path}/delete/", {"post": "yes"}).status_code == 403
    assert admin_client.get(f"{LIST}add/").status_code == 403
    admin_client.post(LIST, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert CarrierCall.objects.filter(pk=row.pk, outcome="ok").exists()


def test_list_count_is_bounded_and_query_count_is_constant(
    admin_client: Client, aurora: Brand, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedPaginator, "MAX_ROWS", 250)

    def listed() -> tuple[Any, list[str]]:
        with CaptureQueriesContext(connection) as queries:
            changelist = admin_client.get(LIST, {"q": "alice"}).context["cl"]
        return changelist, [each["sql"] for each in queries]

    call(aurora, customer=alice)
    _changelist, before = listed()
    CarrierCall.objects.bulk_create(
        CarrierCall(brand=aurora, customer=alice, method="x", outcome="ok", milliseconds=1)
        for _number in range(300)
    )
    changelist, after = listed()
    assert (changelist.result_count, len(changelist.result_list)) == (250, 100)
    assert len(after) == len(before)
    counts = [sql for sql in after if "COUNT(" in sql and "portal_carriercall" in sql]
    assert counts
    assert all("LIMIT 250" in sql for sql in counts)
    assert not [sql for sql in after if '"portal_brand"."logo",' in sql or "carrier_key" in sql]


def test_statistics_follow_the_brand_time_zone_across_dst_changes(
    aurora: Brand, borealis: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On Sunday, 4 October 2026, the day has 23 hours in Sydney.
    now = datetime(2026, 10, 5, 9, tzinfo=SYDNEY)
    monkeypatch.setattr("django.utils.timezone.now", lambda: now.astimezone(UTC))
    sunday = datetime(2026, 10, 4, tzinfo=SYDNEY)
    for at in (sunday, sunday.replace(hour=23, minute=59), sunday.replace(hour=4)):
        call(aurora, at=at.astimezone(UTC), milliseconds=100)
    call(aurora, at=sunday.replace(hour=12).astimezone(UTC), milliseconds=501, outcome="NoAnswer")
    call(aurora, at=sunday.replace(hour=12).astimezone(UTC), method="move_funds", milliseconds=7)
    call(aurora, at=now.replace(hour=0).astimezone(UTC), milliseconds=3)
    call(aurora, at=(sunday - timedelta(seconds=1)).astimezone(UTC), milliseconds=5)
    call(aurora, at=datetime(2026, 9, 29, tzinfo=SYDNEY).astimezone(UTC), outcome="Rejected")
    call(aurora, at=datetime(2026, 9, 28, 23, 59, tzinfo=SYDNEY).astimezone(UTC))  # Eight days ago.
    call(borealis, at=sunday.astimezone(UTC))
    with CaptureQueriesContext(connection) as queries:
        tallies = count_calls_by_day(brand=aurora)
    assert len(queries) == 1
    assert tallies == [
        Tally(date(2026, 10, 5), "customer_balance", 1, 0, 3),
        Tally(date(2026, 10, 4), "customer_balance", 4, 1, 200),
        Tally(date(2026, 10, 4), "move_funds", 1, 0, 7),
        Tally(date(2026, 10, 3), "customer_balance", 1, 0, 5),
        Tally(date(2026, 9, 29), "customer_balance", 1, 1, 100),
    ]


def test_brand_page_shows_the_statistics(admin_client: Client, aurora: Brand) -> None:
    path = f"/admin/portal/brand/{aurora.pk}/change/"
    assert "There was none." in admin_client.get(path).content.decode()
    call(aurora, outcome="Unreachable", milliseconds=41)
    page = admin_client.get(path).content.decode()
    assert "<code>customer_balance</code></th><td>1</td><td>1</td><td>41</td>" in page
    assert f"{LIST}?brand={aurora.pk}" in page
