"""Initial data: two partners with two customers each, and ledgers with entries in every month."""

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import fields
from datetime import date
from decimal import Decimal
from typing import Any, get_args

from portal.simulator import schema
from portal.simulator.world import Account, Customer, Entry, Kind, Partner, World

MONTHS_BACK = 18
BUILT_IN = (
    (
        "Aurora",
        "AUD",
        (("70001", "alice@example.com", "Alice", "Archer"), ("70002", "bob@example.com", "Bob", "Baker")),
    ),
    (
        "Borealis",
        "GBP",
        # Alice is a customer of both, under one address.
        (
            ("80001", "charlie@example.com", "Charlie", "Cole"),
            ("80002", "alice@example.com", "Alice", "Archer"),
        ),
    ),
)
# The contract's example: 245.71293 + 57 - (48.125 + 7.5 + 5) = 242.08793
JANUARY_2020: tuple[tuple[date, Kind, str], ...] = (
    (date(2019, 12, 31), "payment", "245.71293"),
    (date(2020, 1, 1), "payment", "50"),
    (date(2020, 1, 9), "call", "40.12345"),
    (date(2020, 1, 15), "other", "7.5"),
    (date(2020, 1, 17), "adjustment", "5"),
    (date(2020, 1, 20), "payment", "7"),
    (date(2020, 1, 31), "call", "8.00155"),
)


def restart(world: World, name: str = "default") -> None:
    with world.lock:
        world.clear()
        if name == "default":
            add_built_in(world)
            apply_seed(world, world.start_seed or {})


def add_built_in(world: World) -> None:
    for name, currency, people in BUILT_IN:
        slug = name.lower()
        partner = Partner(
            key=f"{slug}-api-key",
            name=name,
            site_key=f"{slug}-site-key",
            secret_key=f"{slug}-secret-key",
            currency=currency,
            confirm_url=f"http://{slug}.localhost:8000/sign-up/confirm/?email={{email}}&code={{code}}",
            from_email=f"{name} at the carrier <{slug}@carrier.example>",
            ledger=list(generate_entries(name, world.today(), scale=20)),
        )
        world.partners[partner.key] = partner
        for person in people:
            world.customers.append(built_in_customer(partner, world.today(), *person))


def built_in_customer(
    partner: Partner, today: date, number: str, email: str, first: str, last: str
) -> Customer:
    example = [Entry(on, kind, Decimal(amount)) for on, kind, amount in JANUARY_2020]
    return Customer(
        partner=partner,
        account_number=number,
        email=email,
        first_name=first,
        last_name=last,
        phone="+61 2 5550 0100",
        password=f"{first.lower()}-password",
        confirmed=True,
        credit_limit=Decimal(-55),
        ledger=(example if number == "70001" else []) + list(generate_entries(number, today)),
    )


def generate_entries(account: str, today: date, scale: int = 1) -> Iterator[Entry]:
    """Yield eighteen months of entries until today, always the same for the same account and day."""
    for months_ago in range(MONTHS_BACK, -1, -1):
        year, month = divmod(today.year * 12 + today.month - 1 - months_ago, 12)
        for day, kind, amount in generate_month(account, year, month + 1):
            if date(year, month + 1, day) <= today:
                yield Entry(date(year, month + 1, day), kind, amount * scale)


@functools.lru_cache(2000)  # Tests reset the simulator thousands of times.
def generate_month(account: str, year: int, month: int) -> tuple[tuple[int, Kind, Decimal], ...]:
    def pseudo_random(what: str, below: int) -> int:
        digest = hashlib.sha256(f"{account}/{year}-{month}/{what}".encode()).digest()
        return int.from_bytes(digest[:6], "big") % below

    calls = (
        (day, Decimal(pseudo_random(f"call {day}", 1_000_000)) / 100_000) for day in (2, 6, 11, 17, 23, 27)
    )
    entries: list[tuple[int, Kind, Decimal]] = [
        (1, "payment", Decimal(40 + pseudo_random("payment", 30))),
        (1, "other", Decimal("7.5")),
        *((day, "call", amount) for day, amount in calls),
    ]
    if month % 3 == 0:
        entries.append((14, "adjustment", Decimal(pseudo_random("adjustment", 1000) - 300) / 100))
    return tuple(entries)


PARTNER: dict[str, schema.Kinds] = {
    "key": str,
    "name": str,
    "site_key": str,
    "secret_key": str,
    "currency": str,
    "ips": list,
    "captcha_kind": str,
    "login_wants": list,
    "confirm_url": str,
    "from_email": str,
    "register_returns_account_number": bool,
    "confirm_returns_account_number": bool,
    "codes_in_body": bool,
    "moves_backwards": bool,
    "welcome_credit": str,
    "balance": str,
}
CUSTOMER: dict[str, schema.Kinds] = {
    **dict.fromkeys(("partner", "account_number", "email", "first_name", "last_name", "company_name"), str),
    **dict.fromkeys(("phone", "password", "balance", "credit_limit"), str),
    "confirmed": bool,
    "entries": list,
}
CHOICES = {
    "currency": ("AUD", "NZD", "USD", "GBP"),
    "captcha_kind": ("v2-checkbox", "v2-invisible", "v3"),
}


def apply_seed(world: World, value: object) -> None:
    """Add new partners and customers; change the given members of known ones (by key or account number)."""
    given = schema.members(value, "seed", {"partners": list, "customers": list})
    with world.lock:
        previous = dict(world.partners), list(world.customers)
        try:
            for number, table in enumerate(given.get("partners", [])):
                apply_partner(world, table, f"partners[{number}]")
            for number, table in enumerate(given.get("customers", [])):
                apply_customer(world, table, f"customers[{number}]")
        except schema.InvalidInput:
            world.partners, world.customers = previous
            raise


def apply_partner(world: World, value: object, where: str) -> None:
    given = schema.members(value, where, PARTNER, ("key",))
    for name, choices in CHOICES.items():
        schema.choice(given.get(name, choices[0]), f"{where}.{name}", choices)
    schema.texts(given.get("ips", []), f"{where}.ips")
    schema.texts(given.get("login_wants", []), f"{where}.login_wants", ("email", "password"))
    if "welcome_credit" in given:
        given["welcome_credit"] = schema.amount(given["welcome_credit"], f"{where}.welcome_credit")
    balance = given.pop("balance", None)
    partner = world.partners.get(given["key"])
    if partner:
        set_members(partner, given)
    else:
        schema.members(
            given, where, {**PARTNER, "welcome_credit": Decimal}, ("name", "site_key", "secret_key")
        )
        partner = Partner(**given)
        # Replace the mapping, because requests read it without the lock.
        world.partners = {**world.partners, given["key"]: partner}
    fill_ledger(partner, balance, None, where)


def apply_customer(world: World, value: object, where: str) -> None:
    given = schema.members(value, where, CUSTOMER, ("partner", "account_number"))
    partner = world.partner(given["partner"])
    if partner is None:
        raise schema.InvalidInput(f"{where}.partner: no partner {given['partner']!r}")
    given["partner"] = partner
    balance, entries = given.pop("balance", None), given.pop("entries", None)
    if "credit_limit" in given:
        given["credit_limit"] = schema.amount(given["credit_limit"], f"{where}.credit_limit")
    customer = world.customer(partner, given["account_number"])
    if customer is None:
        if "email" not in given:
            raise schema.InvalidInput(f"{where}: 'email' is missing")
        customer = Customer(**{"confirmed": True, **given})
        world.customers.append(customer)
    set_members(customer, given)
    fill_ledger(customer, balance, entries, where)


def set_members(account: Partner | Customer, given: dict[str, Any]) -> None:
    for name in {entry.name for entry in fields(account)} & set(given):
        setattr(account, name, given[name])


def fill_ledger(account: Account, balance: str | None, entries: list[Any] | None, where: str) -> None:
    if entries is not None:
        account.ledger = [read_entry(entry, f"{where}.entries[{n}]") for n, entry in enumerate(entries)]
    if balance is not None:
        # Reach the wanted balance with an old payment of the difference.
        difference = schema.amount(balance, f"{where}.balance") - account.balance()
        account.ledger.insert(0, Entry(date(2000, 1, 1), "payment", difference))


def read_entry(value: object, where: str) -> Entry:
    given = schema.members(
        value, where, {"date": str, "kind": str, "amount": str}, ("date", "kind", "amount")
    )
    kind: Kind = schema.choice(given["kind"], f"{where}.kind", get_args(Kind))  # type: ignore[assignment]
    try:
        on = date.fromisoformat(given["date"])
    except ValueError as error:
        raise schema.InvalidInput(f"{where}.date: {error}") from error
    return Entry(on, kind, schema.amount(given["amount"], f"{where}.amount"))
