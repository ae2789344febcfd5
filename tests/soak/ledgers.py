"""Read a brand's bookings from its carrier."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from tests.conftest import Simulator
from tests.soak.assertions import Ledger

LONG_AGO = "2000-01-01"  # Date of a customer's initial balance.


def get_partner(carrier: Simulator, slug: str) -> Mapping[str, Any]:
    """Return the partner account: balance and ledger."""
    return next(each for each in carrier.listed("partners") if each["key"] == f"{slug}-api-key")


def read(carrier: Simulator, slug: str, numbers: Iterable[str], before: Mapping[str, Any]) -> Ledger:
    """Return bookings for these accounts, and for the partner account since `before`."""
    account_numbers, now = set(numbers), get_partner(carrier, slug)
    accounts = {
        each["account_number"]: each
        for each in carrier.listed("customers")
        if each["partner"] == now["key"] and each["account_number"] in account_numbers
    }
    return Ledger(
        booked={number: _payments(each["ledger"]) for number, each in accounts.items()},
        taken=[Decimal(line.split()[2]) for line in now["ledger"][len(before["ledger"]) :]],
        balances={number: Decimal(each["balance"]) for number, each in accounts.items()},
        partner=Decimal(before["balance"]) - Decimal(now["balance"]),
    )


def _payments(ledger: Iterable[str]) -> list[Decimal]:
    lines = [line.split() for line in ledger if LONG_AGO not in line]
    return [Decimal(amount) for _day, kind, amount in lines if kind == "payment"]


def owners(carriers: Mapping[str, Simulator]) -> dict[str, tuple[str, str]]:
    """Return account number → (brand, email)."""
    return {
        each["account_number"]: (slug, each["email"])
        for slug, carrier in carriers.items()
        for each in carrier.listed("customers")
        if each["partner"] == f"{slug}-api-key"
    }
