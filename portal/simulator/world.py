"""The simulator's state, in memory, behind one lock.

A World has partners; a partner has customers; both have a ledger. It also stores captcha tokens, tickets
(secrets in links), mails and received calls.
"""

import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from portal.simulator.dialect import DEFAULT, Dialect
from portal.simulator.faults import Fault

Kind = Literal["payment", "adjustment", "call", "other"]
MIN_PASSWORD_LENGTH = 8
KINDS = ("payment", "adjustment", "call", "other")


@dataclass(frozen=True)
class Entry:
    on: date
    kind: Kind
    amount: Decimal

    @property
    def effect(self) -> Decimal:
        """The change of the balance: only payments raise it; an adjustment is a charge."""
        return self.amount if self.kind == "payment" else -self.amount


@dataclass(kw_only=True)
class Account:
    ledger: list[Entry] = field(default_factory=list)

    def balance(self) -> Decimal:
        return sum((entry.effect for entry in self.ledger), Decimal())

    def statement(self, first: date, last: date) -> dict[str, Decimal]:
        """Return the statement for a period that includes both days."""
        opening = sum((entry.effect for entry in self.ledger if entry.on < first), Decimal())
        sums = dict.fromkeys(KINDS, Decimal())
        for entry in self.ledger:
            if first <= entry.on <= last:
                sums[entry.kind] += entry.amount
        total = sums["call"] + sums["other"] + sums["adjustment"]
        return {
            "opening_balance": opening,
            "payments": sums["payment"],
            "adjustments": sums["adjustment"],
            "call_charges": sums["call"],
            "other_charges": sums["other"],
            "total_charges": total,
            "closing_balance": opening + sums["payment"] - total,
        }


@dataclass(kw_only=True)
class Partner(Account):
    """One reseller's account at the carrier, with the settings in which partners differ."""

    key: str
    name: str
    site_key: str
    secret_key: str
    currency: str = "AUD"
    ips: list[str] = field(default_factory=lambda: ["127.0.0.1", "::1"])
    captcha_kind: str = "v2-checkbox"
    login_wants: list[str] = field(default_factory=list)
    confirm_url: str = "http://127.0.0.1:8000/sign-up/confirm/?email={email}&code={code}"
    from_email: str = "Carrier <no-reply@carrier.example>"
    register_returns_account_number: bool = True
    confirm_returns_account_number: bool = True
    codes_in_body: bool = False
    welcome_credit: Decimal = Decimal()
    # Not in the article: a partner for whom a positive amount moves the other way.
    moves_backwards: bool = False


@dataclass(kw_only=True)
class Customer(Account):
    partner: Partner
    account_number: str
    email: str
    first_name: str = ""
    last_name: str = ""
    company_name: str = ""
    phone: str = ""
    password: str = ""
    confirmed: bool = False
    code: str = ""
    credit_limit: Decimal = Decimal()

    @property
    def full_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


@dataclass
class Token:
    """Google's token for a passed captcha: valid once, for two minutes, for one site key."""

    value: str
    site_key: str
    hostname: str
    action: str
    issued: float
    used: bool = False


@dataclass
class Ticket:
    """The secret in a link. `login` is valid once and briefly, `reset` until the password is set."""

    purpose: Literal["login", "reset", "session"]
    customer: Customer
    issued: float
    used: bool = False


@dataclass
class Mail:
    id: int
    sender: str
    to: list[str]
    subject: str
    text: str
    html: str | None
    headers: dict[str, str]
    source: Literal["carrier", "smtp"]
    at: datetime


@dataclass
class World:
    base_url: str = ""
    start_dialect: Dialect = DEFAULT
    start_seed: object = None
    lock: threading.RLock = field(default_factory=threading.RLock)
    released: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Delete everything, and return to the initial dialect."""
        self.clear_faults()
        self.skew = 0.0
        self.dialect = self.start_dialect
        self.partners: dict[str, Partner] = {}
        self.customers: list[Customer] = []
        self.tokens: dict[str, Token] = {}
        self.tickets: dict[str, Ticket] = {}
        self.mails: list[Mail] = []
        self.authenticators: dict[str, str] = {}  # Name → the app's key in base32.
        self.calls: list[dict[str, Any]] = []
        self.verifications: list[dict[str, Any]] = []
        self.elsewhere: list[dict[str, Any]] = []

    def now(self) -> float:
        return time.time() + self.skew

    def today(self) -> date:
        return datetime.fromtimestamp(self.now()).date()

    # Partners and customers

    def partner(self, reference: str) -> Partner | None:
        """Return a partner by key or, for tests, by name."""
        by_name = (partner for partner in self.partners.values() if partner.name == reference)
        return self.partners.get(reference) or next(by_name, None)

    def partner_by_site_key(self, site_key: str) -> Partner | None:
        return next((p for p in self.partners.values() if p.site_key == site_key), None)

    def customers_of(self, partner: Partner) -> Iterator[Customer]:
        return (customer for customer in self.customers if customer.partner is partner)

    def customer(self, partner: Partner, account_number: str) -> Customer | None:
        own = self.customers_of(partner)
        return next((customer for customer in own if customer.account_number == account_number), None)

    def customer_by_email(self, partner: Partner, email: str) -> Customer | None:
        own = self.customers_of(partner)
        return next((customer for customer in own if customer.email.lower() == email.lower()), None)

    def next_account_number(self) -> str:
        taken = [int(c.account_number) for c in self.customers if c.account_number.isdecimal()]
        return str(max([90000, *taken]) + 1)

    # Links

    def issue_ticket(self, purpose: Literal["login", "reset", "session"], customer: Customer) -> str:
        secret = secrets.token_urlsafe(24)
        self.tickets[secret] = Ticket(purpose, customer, self.now())
        return secret

    def ticket(self, purpose: str, secret: str, lifetime: float) -> Ticket | None:
        """Return the ticket if it has this purpose, is unused and has not expired."""
        ticket = self.tickets.get(secret)
        if ticket is None or ticket.purpose != purpose or ticket.used:
            return None
        return ticket if self.now() - ticket.issued <= lifetime else None

    # Faults

    def take_fault(self, *names: str, kinds: set[str] | None = None) -> Fault | None:
        """Return and count down the fault of the first of these names that has one, if of these kinds."""
        with self.lock:
            name = next((name for name in names if name in self.faults), None)
            if name is None or (kinds and self.faults[name].name not in kinds):
                return None
            fault = self.faults[name]
            if fault.times is not None:
                fault.times -= 1
                if fault.times == 0:
                    del self.faults[name]
            return fault

    def clear_faults(self) -> None:
        self.faults: dict[str, Fault] = {}
        self.released.set()
        self.released = threading.Event()
