"""Helpers of transfer tests: staff, a new customer, and the carrier's bookings."""

import itertools
import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from accounts.models import StaffEvent, User
from billing.models import Move, MovePolicy
from billing.transfers.policy import get_policy
from billing.transfers.service import request_transfer
from portal.models import Brand
from tests.conftest import Simulator

# Carrier faults of a transfer; after most of them it is unclear whether it took place.
FAULTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("status", {"status": 422}),
    ("status", {"status": 503}),
    ("redirect", {"status": 307}),
    ("status_after", {"status": 500}),
    ("drop_before", {}),
    ("drop_after", {}),
    ("truncated", {}),
    ("html", {}),
    ("cut", {"message": "status"}),
    ("wrong_json", {"message": "missing"}),
    ("hang", {}),
)
_numbers = itertools.count(710_000)


def staff_of(brand: Brand | None, email: str = "sam@example.com") -> User:
    """Create a staff user of a brand, 30 days old."""
    person = User(email=email, is_staff=True, date_joined=timezone.now() - timedelta(days=30))
    person.set_unusable_password()
    person.save()
    if brand:
        person.brands.add(brand)
    return person


def new_customer(simulator: Simulator, brand: Brand, balance: str = "10") -> User:
    """Create a customer here and at the carrier, which no other test uses."""
    number = str(next(_numbers))
    customer = User(brand=brand, email=f"c{number}@example.com", account_number=number)
    customer.set_unusable_password()
    customer.save()
    seed = {"partner": f"{brand.slug}-api-key", "account_number": number, "email": customer.email}
    simulator.post("seed", customers=[{**seed, "balance": balance}])
    return customer


def ask(customer: User, by: User, amount: str = "5", **more: Any) -> Move:
    """Request a transfer; its description is its operation, which identifies it at the carrier."""
    operation = more.pop("operation", None) or uuid.uuid4()
    return request_transfer(
        brand=customer.brand,
        customer=customer,
        amount=Decimal(amount),
        description=str(operation),
        operation=operation,
        by=by,
        **more,
    )


def puts(simulator: Simulator) -> list[str]:
    """Return the operations that reached the carrier, in order."""
    return [call["fields"]["description"] for call in simulator.calls("move_funds")]


def booked(simulator: Simulator, customer: User) -> list[Decimal]:
    """Return the amounts the carrier transferred to a customer, oldest first."""
    ledger = simulator.customer(customer.account_number)["ledger"]
    payments = [line.split() for line in ledger if " payment " in line and "2000-01-01" not in line]
    return [Decimal(amount) for _day, _kind, amount in payments]


def rules(brand: Brand, **values: Any) -> None:
    """Change the brand's transfer policy."""
    get_policy(brand)
    MovePolicy.objects.filter(brand=brand).update(**values)


def operator_of(email: str) -> User:
    """Create another operator, 30 days old."""
    person = staff_of(None, email)
    User.objects.filter(pk=person.pk).update(is_superuser=True)
    person.refresh_from_db()
    return person


def handed_over(person: User, kind: str, by: User | None, hours: float = 0) -> None:
    """Log that this user's password was set or app reset, so many hours ago."""
    at = timezone.now() - timedelta(hours=hours)
    StaffEvent.objects.create(user=person, kind=kind, by=by, at=at)
