"""Balance of a reseller's own account at the carrier, and for how many days it lasts.

At zero or below, the carrier cuts off all of the reseller's customers, regardless of their own balances.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.translation import gettext

from billing.models import CachedStatement
from billing.statements import cache as statement_cache
from billing.statements.forecast import round_to_cents
from billing.statements.periods import Period, complete_months, this_month, today
from billing.statements.service import IF_STALE, MONTHS, Deadlines, StatementResult, stream_statements
from portal.brands.launch_checklist import Item
from portal.models import Brand
from portal.voipline import Statement

LOW_DAYS = 7
# How long the page waits for complete months once this month's statement is there; later ones are cached.
_DEADLINES = Deadlines(if_stale=IF_STALE, rest=3.0)

State = Literal["empty", "low", "ok", "unknown"]


@dataclass(frozen=True)
class Spending:
    """Total charges of the account in the known complete months, the oldest first.

    The charges include adjustments. We assume that they include transfers to customers, which the carrier
    does not document. Months before the first activity are left out. `missing`: number of unknown months.
    """

    months: tuple[tuple[Period, Decimal], ...] = ()
    missing: int = 0

    @property
    def total(self) -> Decimal:
        """Sum of the charges of all months."""
        return sum((charges for _month, charges in self.months), Decimal(0))

    @property
    def span(self) -> int:
        """Number of days of all months."""
        return sum(month.days for month, _charges in self.months)

    @property
    def per_day(self) -> Decimal | None:
        """Average spending per day; None if there was none or it is unknown."""
        return self.total / self.span if self.total > 0 else None

    def days_left(self, balance: Decimal) -> int | None:
        """Return the exact number of whole days a balance lasts; None without spending."""
        return int(balance * self.span // self.total) if self.total > 0 else None


@dataclass(frozen=True)
class BalanceStatus:
    """Status of a balance.

    `empty`: at zero or below. `low`: less than seven days are left. `ok`: neither is known. `unknown`: the
    balance is unknown. `days` is rounded down; None without spending.
    """

    state: State
    spending: Spending
    days: int | None = None


@dataclass(frozen=True)
class Account:
    """Partner account of a brand: this month's statement, as far as known, and its status."""

    brand: Brand
    figures: StatementResult
    status: BalanceStatus


def get_partner_account(*, brand: Brand, refresh: bool = False) -> Account:
    """Return the current partner account; see `statements.service`. `refresh` always calls the carrier."""
    now = this_month(today(brand))
    months = past_months(now.to_date)
    figures, *past = stream_statements(
        brand=brand, customer=None, periods=[now, *months], refresh=refresh, deadlines=_DEADLINES
    )
    spending = get_spending([(each.period, each.statement) for each in past])
    return Account(brand, figures, get_balance_status(figures.statement, spending))


def list_partner_accounts(*, brands: QuerySet[Brand]) -> list[Account]:
    """Return the partner accounts of these brands as last fetched, without calling the carrier."""
    listed = list(brands.annotate(latest=Subquery(_latest_rows().values("pk")[:1])))
    now = CachedStatement.objects.in_bulk([brand.latest for brand in listed if brand.latest])
    past = _past_statements(listed)
    return [_stored_account(brand, now.get(brand.latest), past) for brand in listed]


def latest_balance() -> Subquery:
    """Return a subquery of brands for the last fetched partner balance: a decimal text, or None."""
    return Subquery(_latest_rows().values("figures__closing_balance")[:1])


def _latest_rows() -> QuerySet[CachedStatement]:
    rows = CachedStatement.objects.filter(brand=OuterRef("pk"), customer=None, is_open=True)
    return rows.filter(figures__isnull=False).order_by("-as_of")


def check_partner_balance(brand: Brand) -> Iterator[Item]:
    """Yield the partner balance as an item of the launch checklist: if it is empty, no customer can call."""
    balance = getattr(brand, "partner_balance", None)  # See `latest_balance`.
    if balance is None:
        return
    if round_to_cents(Decimal(balance)) > 0:
        yield Item("partner", "ok", gettext("The partner account has a balance."), "", "carrier")
        return
    yield Item(
        "partner",
        "missing",
        gettext("The partner balance is at zero or below, so the carrier cuts off all customers."),
        gettext("Top up at the carrier, then open “Partner balance” and read it again."),
        "carrier",
    )


def _past_statements(brands: Iterable[Brand]) -> dict[tuple[int, Period], Statement | None]:
    first_days = {month.from_date for brand in brands for month in past_months(today(brand))}
    rows = CachedStatement.objects.filter(
        brand__in=brands, customer=None, from_date__in=first_days, is_open=False
    )
    return {
        (row.brand_id, Period(row.from_date, row.to_date)): statement_cache.build_statement(row)
        for row in rows
    }


def _stored_account(
    brand: Brand, row: CachedStatement | None, past: dict[tuple[int, Period], Statement | None]
) -> Account:
    months = past_months(today(brand))
    spending = get_spending([(month, past.get((brand.pk, month))) for month in months])
    if row is None:
        return Account(brand, StatementResult(this_month(today(brand))), get_balance_status(None, spending))
    statement, period = statement_cache.build_statement(row), Period(row.from_date, row.to_date)
    return Account(
        brand, StatementResult(period, statement, period, row.as_of), get_balance_status(statement, spending)
    )


def past_months(day: date) -> list[Period]:
    """Return the last three complete months before the day's month, the oldest first."""
    return complete_months(day, MONTHS)[::-1]


def get_spending(months: Sequence[tuple[Period, Statement | None]]) -> Spending:
    """Return the spending in these months, the oldest first. The statement of an unknown month is None."""
    known = [(month, statement) for month, statement in months if statement]
    while known and not known[0][1].has_activity:
        known.pop(0)
    charges = tuple((month, statement.total_charges) for month, statement in known)
    return Spending(charges, sum(statement is None for _month, statement in months))


def get_balance_status(statement: Statement | None, spending: Spending) -> BalanceStatus:
    """Return the status of a balance, rounded to the cent as pages show it."""
    if statement is None:
        return BalanceStatus("unknown", spending)
    if round_to_cents(statement.closing_balance) <= 0:
        return BalanceStatus("empty", spending, 0)
    days = spending.days_left(statement.closing_balance)
    return BalanceStatus("low" if days is not None and days < LOW_DAYS else "ok", spending, days)
