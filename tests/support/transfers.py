"""What the tests of moves of funds share: people, a new customer, and what stands in the carrier's books."""

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

# What a carrier may do to a move; in most of them it is not clear whether the move took place.
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
    """Somebody who has worked for a brand for a while."""
    person = User(email=email, is_staff=True, date_joined=timezone.now() - timedelta(days=30))
    person.set_unusable_password()
    person.save()
    if brand:
        person.brands.add(brand)
    return person


def new_customer(simulator: Simulator, brand: Brand, balance: str = "10") -> User:
    """A customer here and at the carrier, whom no other test knows."""
    number = str(next(_numbers))
    customer = User(brand=brand, email=f"c{number}@example.com", account_number=number)
    customer.set_unusable_password()
    customer.save()
    seed = {"partner": f"{brand.slug}-api-key", "account_number": number, "email": customer.email}
    simulator.post("seed", customers=[{**seed, "balance": balance}])
    return customer


def ask(customer: User, by: User, amount: str = "5", **more: Any) -> Move:
    """Ask for a move; its description is its operation, by which the carrier's books name it."""
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
    """The operations that reached the carrier, in order."""
    return [call["fields"]["description"] for call in simulator.calls("move_funds")]


def booked(simulator: Simulator, customer: User) -> list[Decimal]:
    """The amounts that the carrier has moved to a customer, first to last."""
    ledger = simulator.customer(customer.account_number)["ledger"]
    payments = [line.split() for line in ledger if " payment " in line and "2000-01-01" not in line]
    return [Decimal(amount) for _day, _kind, amount in payments]


def rules(brand: Brand, **values: Any) -> None:
    """What the brand allows, other than by default."""
    get_policy(brand)
    MovePolicy.objects.filter(brand=brand).update(**values)


def operator_of(email: str) -> User:
    """Another operator, who has been here for a while."""
    person = staff_of(None, email)
    User.objects.filter(pk=person.pk).update(is_superuser=True)
    person.refresh_from_db()
    return person


def handed_over(person: User, kind: str, by: User | None, hours: float = 0) -> None:
    """Somebody set this person's password or reset their app, so many hours ago."""
    at = timezone.now() - timedelta(hours=hours)
    StaffEvent.objects.create(user=person, kind=kind, by=by, at=at)
