"""The admin page of a customer: account, balance, transfers and sign-ins, for staff of the brand."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import SignIn, User
from billing.models import CachedStatement, Move
from tests.conftest import ADMIN, Simulator
from tests.support.customer_flow import words

Browse = Callable[..., Client]


def url(customer: User) -> str:
    return f"/admin/billing/customer/{customer.pk}/"


def make_transfer(customer: User, by: User, amount: str, **fields: Any) -> Move:
    """Store a transfer, done unless the fields say otherwise."""
    values: dict[str, Any] = {
        "brand": customer.brand,
        "customer": customer,
        "account_number": customer.account_number,
        "amount": Decimal(amount),
        "description": "Top-up by phone",
        "state": Move.State.DONE,
        "asked_by": by,
        "asked_at": timezone.now(),
    }
    return Move.objects.create(**{**values, **fields})


def test_page_shows_customer_balance_transfers_sign_ins_and_log(
    simulator: Simulator, staff_client: Client, alice: User, sam: User
) -> None:
    User.objects.filter(pk=alice.pk).update(
        company_name="Archer Ltd", phone="+61 2 5550", account_type="prepaid"
    )
    SignIn.objects.create(user=alice, at=timezone.now(), browser="Firefox", system="Linux")
    transfer = make_transfer(alice, sam, "12.50")
    staff_client.post(f"/admin/accounts/user/{alice.pk}/disable/")
    page = staff_client.get(url(alice))
    text = words(page)
    for expected in (
        "Alice Archer",
        "alice@example.com",
        "Archer Ltd",
        "+61 2 5550",
        "Account number 70001",
        "Account type Prepaid",
        "Credit limit not known",
        "Closing balance",
        "As of",
        "Aurora Phone → customer 70001",
        "$12.50",
        "Done",
        "Firefox on Linux",
        "This customer is disabled",
        "Enable customer",
        "Disabled: signed out everywhere and can't sign in.",
    ):
        assert expected in text, expected
    html = page.content.decode()
    assert f'href="/admin/billing/move/{transfer.pk}/"' in html
    assert f'href="/admin/billing/move/start/{alice.pk}/"' in html
    assert f'href="/admin/accounts/user/{alice.pk}/change/"' in html
    assert "disable/" not in html


def test_page_is_linked_from_the_list_and_the_change_form(staff_client: Client, alice: User) -> None:
    for path in ("/admin/accounts/user/", f"/admin/accounts/user/{alice.pk}/change/"):
        assert f'href="{url(alice)}"' in staff_client.get(path).content.decode()


def test_staff_see_only_customers_of_their_own_brands(
    simulator: Simulator, staff_client: Client, browse: Browse, operator: User, sam: User, charlie: User
) -> None:
    for user in (charlie, sam, operator):
        for send in (staff_client.get, staff_client.post):
            assert send(url(user)).status_code == 404
    assert browse(ADMIN, operator).get(url(charlie)).status_code == 200
    assert browse(ADMIN, operator).get(url(sam)).status_code == 404


def test_balance_is_cached_and_refreshed_at_most_six_times_a_minute(
    simulator: Simulator, staff_client: Client, alice: User
) -> None:
    for _ in range(3):
        assert staff_client.get(url(alice)).status_code == 200
    assert len(simulator.calls("customer_balance")) == 4  # And three months.
    for _ in range(6):
        assert staff_client.post(url(alice))["Location"] == url(alice)
    assert len(simulator.calls("customer_balance")) == 10
    assert "Wait " in words(staff_client.post(url(alice), follow=True))
    assert len(simulator.calls("customer_balance")) == 10


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "The carrier refused our request"),
        (429, "We're sending too many requests"),
        (503, "isn't answering properly right now"),
    ],
)
def test_last_known_balance_is_shown_with_its_age_when_the_carrier_fails(
    status: int, message: str, simulator: Simulator, staff_client: Client, alice: User
) -> None:
    simulator.fault("customer_balance", "status", status=status, times=99)
    text_without_cache = words(staff_client.get(url(alice)))
    assert message in text_without_cache
    assert "0.00" not in text_without_cache
    assert "No balance received from the carrier yet" in text_without_cache
    simulator.post("reset", seed="default")
    staff_client.post(url(alice))
    CachedStatement.objects.update(as_of=timezone.now() - timedelta(hours=5))
    simulator.fault("customer_balance", "status", status=status, times=99)
    text = words(staff_client.get(url(alice)))
    assert message in text
    assert "last read 5 hours ago" in text
    assert "Closing balance" in text


def test_page_says_when_the_carrier_does_not_find_the_account(
    simulator: Simulator, staff_client: Client, alice: User
) -> None:
    User.objects.filter(pk=alice.pk).update(account_number="99999")
    text = words(staff_client.get(url(alice)))
    assert "The carrier can't find account 99999." in text
    assert "No balance received from the carrier yet" not in text


def test_carrier_is_not_called_without_an_account_number(
    simulator: Simulator, staff_client: Client, alice: User
) -> None:
    User.objects.filter(pk=alice.pk).update(account_number="", refused_account_number="70009")
    for text in (words(staff_client.get(url(alice))), words(staff_client.post(url(alice), follow=True))):
        assert "Account number not known" in text
        assert "70009 The carrier sent this different number. We kept the old one." in text
        assert "Add an account number" in text
    assert simulator.calls() == []


@pytest.mark.parametrize(
    ("balance", "limit", "message"),
    [
        ("0", "-55", "$55.00 left before the credit limit"),
        ("-54.5", "-55", "$0.50 left before the credit limit"),
        ("-55", "-55", "The credit limit is reached."),
        ("-56", "-55", "The credit limit is reached."),
    ],
)
def test_remaining_credit_is_shown_when_balance_and_limit_are_known(
    balance: str, limit: str, message: str, simulator: Simulator, staff_client: Client, alice: User
) -> None:
    customer = {"partner": "aurora-api-key", "account_number": "70001", "email": alice.email}
    simulator.post("seed", customers=[{**customer, "balance": balance}])
    User.objects.filter(pk=alice.pk).update(credit_limit=limit, account_type="postpaid")
    assert message in words(staff_client.get(url(alice)))
    User.objects.filter(pk=alice.pk).update(account_type="prepaid")
    assert "credit limit" not in words(staff_client.get(url(alice))).replace("Credit limit", "")
    User.objects.filter(pk=alice.pk).update(account_type="postpaid", credit_limit=None)
    assert "left before" not in words(staff_client.get(url(alice)))


def test_unknown_transfer_is_shown_and_blocks_a_new_one(
    simulator: Simulator, staff_client: Client, alice: User, sam: User
) -> None:
    before = timezone.now() - timedelta(minutes=2)
    make_transfer(alice, sam, "-5", state=Move.State.DISPATCHED, dispatched_at=before)
    text = words(staff_client.get(url(alice)))
    assert "customer 70001 → Aurora Phone" in text
    assert "Unknown" in text
    assert "A transfer for this customer has no confirmed result" in text
    page = staff_client.get(url(alice)).content.decode()
    assert f'href="/admin/billing/move/start/{alice.pk}/"' not in page
    Move.objects.update(state=Move.State.FOUND_DONE)
    page = staff_client.get(url(alice)).content.decode()
    assert f'href="/admin/billing/move/start/{alice.pk}/"' in page
    assert "A transfer for this customer has no confirmed result" not in page


def test_query_count_is_constant_for_any_number_of_rows(
    simulator: Simulator, staff_client: Client, alice: User, sam: User
) -> None:
    def count_queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert staff_client.get(url(alice)).status_code == 200
        return len(captured)

    make_transfer(alice, sam, "1")
    SignIn.objects.create(user=alice, at=timezone.now())
    staff_client.get(url(alice))
    baseline = count_queries()
    for nth in range(12):
        make_transfer(alice, sam, str(nth + 2))
        SignIn.objects.create(user=alice, at=timezone.now())
    assert count_queries() == baseline


def test_sign_in_with_a_previous_address_is_not_shown_as_never(staff_client: Client, alice: User) -> None:
    SignIn.objects.create(user=alice, at=timezone.now(), browser="Firefox", system="Linux")
    User.objects.filter(pk=alice.pk).update(verified_at=None)
    text = words(staff_client.get(url(alice)))
    assert "First sign-in not yet with this address" in text
    assert "never signed in" not in text
    SignIn.objects.all().delete()
    assert "First sign-in never signed in" in words(staff_client.get(url(alice)))


# Periods and files


def test_staff_read_the_customers_own_sentence(
    simulator: Simulator, staff_client: Client, alice: User
) -> None:
    User.objects.filter(pk=alice.pk).update(account_type="prepaid")
    text = words(staff_client.get(url(alice)))
    assert re.search("The customer reads: .*will last", text)
    assert "Statement of this month" in text


def test_staff_see_and_download_any_period(simulator: Simulator, staff_client: Client, alice: User) -> None:
    query = {"from_date": "2020-01-01", "to_date": "2020-01-31"}
    page = staff_client.get(url(alice), query)
    assert "January 1, 2020 to January 31, 2020" in words(page).replace("\xa0", " ")
    assert "The customer reads" not in words(page)
    for ending, kind, start in (("pdf", "application/pdf", b"%PDF"), ("csv", "text/csv", b"\xef\xbb\xbf")):
        assert f'href="{url(alice)}statement.{ending}?from_date=2020-01-01' in page.content.decode()
        file = staff_client.get(f"{url(alice)}statement.{ending}", query)
        assert file["Content-Type"].startswith(kind)
        assert file.content.startswith(start)
        assert f"70001-2020-01.{ending}" in file["Content-Disposition"]


@pytest.mark.parametrize(
    "query",
    [
        {"from_date": "nonsense", "to_date": "2020-01-31"},
        {"from_date": "2020-02-01", "to_date": "2020-01-01"},
    ],
)
def test_impossible_period_is_named_and_shows_this_month(
    simulator: Simulator, staff_client: Client, alice: User, query: dict[str, str]
) -> None:
    for path in ("", "statement.pdf"):
        page = staff_client.get(f"{url(alice)}{path}", query)
        assert page["Content-Type"].startswith("text/html")
        assert 'class="error"' in page.content.decode()
        assert "Statement of this month" in words(page)


def test_file_of_another_brands_customer_is_missing(
    simulator: Simulator, staff_client: Client, charlie: User
) -> None:
    for ending in ("pdf", "csv"):
        assert staff_client.get(f"{url(charlie)}statement.{ending}").status_code == 404
