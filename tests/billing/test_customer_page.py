"""A customer's page in the admin: for whoever works for the brand, and honest where the carrier is silent."""

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
from portal.models import Brand
from tests.conftest import ADMIN, Simulator
from tests.support.customer_flow import words

Browse = Callable[..., Client]


@pytest.fixture
def sam(db: None, aurora: Brand) -> User:
    """Sam, who works for Aurora."""
    user = User.objects.create_user("sam", "sam@example.com", "correct horse battery", is_staff=True)
    user.brands.add(aurora)
    return user


@pytest.fixture
def desk(browse: Browse, sam: User) -> Client:
    """Sam's browser on the admin host."""
    return browse(ADMIN, sam)


def url(customer: User) -> str:
    return f"/admin/billing/customer/{customer.pk}/"


def moved(customer: User, by: User, amount: str, **fields: Any) -> Move:
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


def test_the_page_tells_who_what_the_carrier_says_and_what_was_done(
    simulator: Simulator, desk: Client, alice: User, sam: User
) -> None:
    User.objects.filter(pk=alice.pk).update(
        company_name="Archer Ltd", phone="+61 2 5550", account_type="prepaid"
    )
    SignIn.objects.create(user=alice, at=timezone.now(), browser="Firefox", system="Linux")
    transfer = moved(alice, sam, "12.50")
    desk.post(f"/admin/accounts/user/{alice.pk}/disable/")
    page = desk.get(url(alice))
    text = words(page)
    for told in (
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
        "Let them sign in again",
        "Disabled: signed out everywhere, and cannot sign in.",
        "Times on this page are those of Australia/Sydney.",
    ):
        assert told in text, told
    html = page.content.decode()
    assert f'href="/admin/billing/move/{transfer.pk}/"' in html
    assert f'href="/admin/billing/move/start/{alice.pk}/"' in html
    assert f'href="/admin/accounts/user/{alice.pk}/change/"' in html
    assert "disable/" not in html


def test_it_is_linked_from_the_list_and_from_the_form(desk: Client, alice: User) -> None:
    for path in ("/admin/accounts/user/", f"/admin/accounts/user/{alice.pk}/change/"):
        assert f'href="{url(alice)}"' in desk.get(path).content.decode()


def test_it_is_there_for_customers_of_ones_own_brands_alone(
    simulator: Simulator, desk: Client, browse: Browse, operator: User, sam: User, charlie: User
) -> None:
    for person in (charlie, sam, operator):
        for send in (desk.get, desk.post):
            assert send(url(person)).status_code == 404
    assert browse(ADMIN, operator).get(url(charlie)).status_code == 200
    assert browse(ADMIN, operator).get(url(sam)).status_code == 404


def test_fresh_figures_spare_the_call_and_the_button_asks_anew_six_times_a_minute(
    simulator: Simulator, desk: Client, alice: User
) -> None:
    for _ in range(3):
        assert desk.get(url(alice)).status_code == 200
    assert len(simulator.calls("customer_balance")) == 1
    for _ in range(6):
        assert desk.post(url(alice))["Location"] == url(alice)
    assert len(simulator.calls("customer_balance")) == 7
    assert "Please wait" in words(desk.post(url(alice), follow=True))
    assert len(simulator.calls("customer_balance")) == 7


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "The carrier refuses the question"),
        (429, "Too many questions"),
        (503, "no usable answer at the moment"),
    ],
)
def test_where_the_carrier_fails_the_last_known_stands_with_its_age_or_nothing_does(
    status: int, said: str, simulator: Simulator, desk: Client, alice: User
) -> None:
    simulator.fault("customer_balance", "status", status=status, times=99)
    never = words(desk.get(url(alice)))
    assert said in never
    assert "0.00" not in never
    assert "has never told it" in never
    simulator.post("reset", seed="default")
    desk.post(url(alice))
    CachedStatement.objects.update(as_of=timezone.now() - timedelta(hours=5))
    simulator.fault("customer_balance", "status", status=status, times=99)
    text = words(desk.get(url(alice)))
    assert said in text
    assert "last read 5 hours ago" in text
    assert "Closing balance" in text


def test_an_account_that_the_carrier_does_not_find_is_said_so(
    simulator: Simulator, desk: Client, alice: User
) -> None:
    User.objects.filter(pk=alice.pk).update(account_number="99999")
    text = words(desk.get(url(alice)))
    assert "The carrier does not find the account 99999." in text
    assert "has never told it" not in text


def test_without_an_account_number_nothing_is_asked(simulator: Simulator, desk: Client, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(account_number="", refused_account_number="70009")
    for text in (words(desk.get(url(alice))), words(desk.post(url(alice), follow=True))):
        assert "Account number not known" in text
        assert "70009 The carrier gave this one" in text
        assert "Without an account number nobody can ask the carrier" in text
    assert simulator.calls() == []


@pytest.mark.parametrize(
    ("balance", "limit", "said"),
    [
        ("0", "-55", "$55.00 are left until the credit limit."),
        ("-54.5", "-55", "$0.50 are left until the credit limit."),
        ("-55", "-55", "The credit limit is reached."),
        ("-56", "-55", "The credit limit is reached."),
    ],
)
def test_what_is_left_of_a_postpaid_account_is_said_where_both_numbers_are_known(
    balance: str, limit: str, said: str, simulator: Simulator, desk: Client, alice: User
) -> None:
    customer = {"partner": "aurora-api-key", "account_number": "70001", "email": alice.email}
    simulator.post("seed", customers=[{**customer, "balance": balance}])
    User.objects.filter(pk=alice.pk).update(credit_limit=limit, account_type="postpaid")
    assert said in words(desk.get(url(alice)))
    User.objects.filter(pk=alice.pk).update(account_type="prepaid")
    assert "credit limit" not in words(desk.get(url(alice))).replace("Credit limit", "")
    User.objects.filter(pk=alice.pk).update(account_type="postpaid", credit_limit=None)
    assert "left until" not in words(desk.get(url(alice)))


def test_a_move_that_nobody_knows_the_end_of_is_said_to_be_unknown(
    simulator: Simulator, desk: Client, alice: User, sam: User
) -> None:
    before = timezone.now() - timedelta(minutes=2)
    moved(alice, sam, "-5", state=Move.State.DISPATCHED, dispatched_at=before)
    text = words(desk.get(url(alice)))
    assert "customer 70001 → Aurora Phone" in text
    assert "Unknown" in text
    assert "A move of funds of this customer is unknown" in text
    page = desk.get(url(alice)).content.decode()
    assert f'href="/admin/billing/move/start/{alice.pk}/"' not in page
    Move.objects.update(state=Move.State.FOUND_DONE)
    page = desk.get(url(alice)).content.decode()
    assert f'href="/admin/billing/move/start/{alice.pk}/"' in page
    assert "A move of funds of this customer is unknown" not in page


def test_ten_of_each_take_as_many_queries_as_one(
    simulator: Simulator, desk: Client, alice: User, sam: User
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert desk.get(url(alice)).status_code == 200
        return len(captured)

    moved(alice, sam, "1")
    SignIn.objects.create(user=alice, at=timezone.now())
    desk.get(url(alice))
    few = queries()
    for nth in range(12):
        moved(alice, sam, str(nth + 2))
        SignIn.objects.create(user=alice, at=timezone.now())
    assert queries() == few


def test_whoever_has_signed_in_with_another_address_did_not_never_sign_in(desk: Client, alice: User) -> None:
    SignIn.objects.create(user=alice, at=timezone.now(), browser="Firefox", system="Linux")
    User.objects.filter(pk=alice.pk).update(verified_at=None)
    told = words(desk.get(url(alice)))
    assert "First sign-in not yet with this address" in told
    assert "never signed in" not in told
    SignIn.objects.all().delete()
    assert "First sign-in never signed in" in words(desk.get(url(alice)))
