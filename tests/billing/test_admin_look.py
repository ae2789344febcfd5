"""What all pages of the admin share: the staff's locale, the brand's clock, rounded amounts, navigation."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from accounts.models import SignIn, StaffEvent, User
from billing.models import Move, MoveEvent
from portal.models import Brand, CarrierCall
from tests.conftest import ADMIN, Simulator
from tests.support.customer_flow import words

AT = datetime(2026, 11, 29, 4, 5, 7, tzinfo=UTC)
AUSTRALIAN = {"accept-language": "en-AU,en;q=0.9"}
AMERICAN_DATE = re.compile(r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?\s\d{1,2},\s\d{4}")


@pytest.fixture
def transfer(aurora: Brand, alice: User, sam: User, operator: User) -> Move:
    """A refund by Sam; and everything else of the same time that pages show."""
    User.objects.filter(pk=alice.pk).update(verified_at=AT, confirmed_at=AT, date_joined=AT)
    User.objects.filter(pk=operator.pk).update(last_login=AT)
    Brand.objects.filter(pk=aurora.pk).update(mail_tested_at=AT)
    CarrierCall.objects.create(brand=aurora, method="customer_balance", outcome="ok", milliseconds=9, at=AT)
    SignIn.objects.create(user=alice, at=AT, browser="Firefox", system="Linux")
    StaffEvent.objects.create(user=operator, by=operator, kind="signed_in", at=AT)
    for row in (alice, aurora):
        LogEntry.objects.log_actions(operator.pk, [row], 2, "Changed.", single_object=True)
    LogEntry.objects.update(action_time=AT)
    balances = {"customer_before": "10.12345", "customer_after": "9.62345", "partner_before": "-1234.5678"}
    transfer = Move.objects.create(
        brand=aurora,
        customer=alice,
        account_number="70001",
        amount=Decimal("-1234.50"),
        description="x",
        state=Move.State.DONE,
        asked_by=sam,
        asked_at=AT,
        dispatched_at=AT,
        ended_at=AT,
        **{name: Decimal(value) for name, value in balances.items()},
    )
    MoveEvent.objects.create(
        move=transfer,
        at=AT,
        by=sam,
        state=Move.State.DONE,
        brand="aurora",
        account_number="70001",
        amount=transfer.amount,
        operation=transfer.operation,
        customer_balance=Decimal("1234.56789"),
    )
    return transfer


@pytest.mark.parametrize(
    ("path", "clock"),
    [
        ("accounts/user/", "3:05 pm AEDT"),
        ("accounts/user/CUSTOMER/change/", "3:05 pm AEDT"),
        ("accounts/user/CUSTOMER/history/", "3:05 pm AEDT"),
        ("accounts/user/OPERATOR/change/", "4:05 am UTC"),
        ("billing/customer/CUSTOMER/", "3:05 pm AEDT"),
        ("billing/move/", "3:05 pm AEDT"),
        ("billing/move/TRANSFER/", "3:05 pm AEDT"),
        ("portal/carriercall/", "3:05:07 pm AEDT"),
        ("portal/carriercall/CALL/change/", "3:05:07 pm AEDT"),
        ("portal/brand/BRAND/change/", "3:05 pm AEDT"),
        ("portal/brand/BRAND/history/", "3:05 pm AEDT"),
        ("security/", "4:05 am UTC"),
    ],
)
def test_australian_browser_reads_its_own_dates_and_the_brands_clock(
    simulator: Simulator, transfer: Move, operator: User, admin_client: Client, path: str, clock: str
) -> None:
    call = CarrierCall.objects.get(at=AT)
    keys = {
        "CUSTOMER": transfer.customer_id,
        "OPERATOR": operator.pk,
        "TRANSFER": transfer.pk,
        "CALL": call.pk,
    }
    for name, key in {**keys, "BRAND": transfer.brand_id}.items():
        path = path.replace(name, str(key))
    page = admin_client.get(f"/admin/{path}", headers=AUSTRALIAN)
    text = words(page).replace("\u00a0", " ")
    assert '<html lang="en-au"' in page.content.decode()
    assert f"29 Nov 2026, {clock}" in text
    assert not AMERICAN_DATE.search(text), AMERICAN_DATE.search(text)


def test_amounts_are_rounded_and_in_the_staffs_locale(
    simulator: Simulator, transfer: Move, admin_client: Client
) -> None:
    row = words(admin_client.get("/admin/billing/move/", headers=AUSTRALIAN))
    assert "$1,234.50 customer 70001 → Aurora Phone Done" in row.replace("done", "Done")
    text = words(admin_client.get(f"/admin/billing/move/{transfer.pk}/", headers=AUSTRALIAN))
    assert "Customer’s balance $10.12 $9.62 −$0.50" in text
    assert "Partner balance −$1,234.57 not known not known" in text
    assert "Done $1,234.57 not known" in text


@pytest.mark.parametrize(
    ("path", "title", "current"),
    [
        ("accounts/user/", "Customers and staff", "Customers"),
        ("accounts/user/?kind=customer", "Customers", "Customers"),
        ("accounts/user/?kind=staff", "Staff", "Staff"),
        ("accounts/user/?kind=operator", "Operators", "Staff"),
        ("accounts/user/?kind=nonsense", "Customers and staff", "Customers"),
        ("accounts/user/add/", "Add a customer", "Customers"),
        ("accounts/user/CUSTOMER/change/", "Customer", "Customers"),
        ("accounts/user/OPERATOR/change/", "Staff account", "Staff"),
        ("billing/customer/CUSTOMER/", "Alice Archer", "Customers"),
        ("billing/move/", "Transfers", "Transfers"),
        ("billing/partner/BRAND/", "Partner balance", "Partner balance"),
        ("portal/brand/", "Brands", "Brands"),
        ("portal/carriercall/", "Calls to the carrier", "Calls to the carrier"),
        ("security/", "Security", ""),
    ],
)
def test_page_names_its_kind_of_user_and_its_place_in_the_navigation(
    simulator: Simulator,
    alice: User,
    operator: User,
    admin_client: Client,
    path: str,
    title: str,
    current: str,
) -> None:
    for name, key in {"CUSTOMER": alice.pk, "OPERATOR": operator.pk, "BRAND": alice.brand_id}.items():
        path = path.replace(name, str(key))
    page = admin_client.get(f"/admin/{path}").content.decode()
    assert f"<h1>{title}</h1>" in page
    assert re.findall(r'aria-current="page">([^<]*)<', page) == ([current] if current else [])


def test_staff_have_customers_in_the_navigation_but_no_staff(
    staff_client: Client, browse: Callable[..., Client], aurora: Brand
) -> None:
    page = staff_client.get("/admin/").content.decode()
    assert '<a href="/admin/accounts/user/">Customers</a>' in page
    assert "kind=staff" not in page
    assert "admin-nav" not in browse(ADMIN).get("/admin/login/").content.decode()


def test_signing_out_says_so_in_the_words_of_the_sign_in(admin_client: Client) -> None:
    page: Any = admin_client.post("/admin/logout/")
    assert "You're signed out. Sign in again" in words(page)
    assert "admin-nav" not in page.content.decode()
