"""A reseller's own account at the carrier: what is left of it, and for how many days.

At zero or below, the carrier cuts off all of the reseller's customers, whatever their own balances say.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.translation import gettext

from billing.models import KeptStatement
from billing.statements import cache as statement_cache
from billing.statements.forecast import round_to_cents
from billing.statements.periods import Period, complete_months, this_month, today
from billing.statements.service import KNOWN, MONTHS, Bounds, Figures, stream_statements
from portal.brands.launch_checklist import Item
from portal.models import Brand
from portal.voipline import Statement

LOW_DAYS = 7
# The page waits so long for complete months, once this month's figures are there; the rest is for next time.
_BOUNDS = Bounds(within=3.0, known=KNOWN)

State = Literal["empty", "low", "ok", "unknown"]


@dataclass(frozen=True)
class Spending:
    """What left the account in the complete months that are known, the oldest first: all charges.

    Adjustments are among the charges; we take moves to customers to be among them, which the carrier does not
    document. A month before the first movement is no part of the pace. `missing`: how many of the months
    nobody knows.
    """

    months: tuple[tuple[Period, Decimal], ...] = ()
    missing: int = 0

    @property
    def total(self) -> Decimal:
        """What left in all of these months."""
        return sum((charges for _month, charges in self.months), Decimal(0))

    @property
    def span(self) -> int:
        """How many days these months have."""
        return sum(month.days for month, _charges in self.months)

    @property
    def per_day(self) -> Decimal | None:
        """The pace; None where nothing left, or nobody knows."""
        return self.total / self.span if self.total > 0 else None

    def lasts(self, balance: Decimal) -> int | None:
        """For how many whole days a balance lasts at this pace, exactly."""
        return int(balance * self.span // self.total) if self.total > 0 else None


@dataclass(frozen=True)
class BalanceStatus:
    """How things stand with a balance.

    `cut`: at zero or below. `low`: less than seven days are left. `fine`: neither is known. `unknown`: nobody
    knows the balance. `days` is rounded down; None where there is no pace.
    """

    state: State
    spending: Spending
    days: int | None = None


@dataclass(frozen=True)
class Account:
    """The figures of this month, as they are known, and what they mean."""

    brand: Brand
    figures: Figures
    status: BalanceStatus


def get_partner_account(*, brand: Brand, refresh: bool = False) -> Account:
    """The partner account now; see `statements.service`. With `refresh` the carrier is always called."""
    now = this_month(today(brand))
    months = past_months(now.to_date)
    figures, *past = stream_statements(
        brand=brand, customer=None, periods=[now, *months], refresh=refresh, bounds=_BOUNDS
    )
    spending = get_spending([(each.period, each.statement) for each in past])
    return Account(brand, figures, get_balance_status(figures.statement, spending))


def list_partner_accounts(*, brands: QuerySet[Brand]) -> list[Account]:
    """The partner accounts of these brands as they were last read, without asking the carrier."""
    listed = list(brands.annotate(newest=Subquery(_newest().values("pk")[:1])))
    now = KeptStatement.objects.in_bulk([brand.newest for brand in listed if brand.newest])
    past = _past(listed)
    return [_known(brand, now.get(brand.newest), past) for brand in listed]


def newest_balance() -> Subquery:
    """For queries of brands: the partner balance as last read, a decimal text; None where it never was."""
    return Subquery(_newest().values("figures__closing_balance")[:1])


def _newest() -> QuerySet[KeptStatement]:
    rows = KeptStatement.objects.filter(brand=OuterRef("pk"), customer=None, running=True)
    return rows.filter(figures__isnull=False).order_by("-as_of")


def check_partner_balance(brand: Brand) -> Iterator[Item]:
    """For the list of what is left to do: with an empty partner account nobody can call."""
    balance = getattr(brand, "partner_balance", None)  # See `newest_balance`.
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


def _past(brands: Iterable[Brand]) -> dict[tuple[int, Period], Statement | None]:
    begins = {month.from_date for brand in brands for month in past_months(today(brand))}
    rows = KeptStatement.objects.filter(brand__in=brands, customer=None, from_date__in=begins, running=False)
    return {
        (row.brand_id, Period(row.from_date, row.to_date)): statement_cache.build_statement(row)
        for row in rows
    }


def _known(
    brand: Brand, row: KeptStatement | None, past: dict[tuple[int, Period], Statement | None]
) -> Account:
    months = past_months(today(brand))
    spending = get_spending([(month, past.get((brand.pk, month))) for month in months])
    if row is None:
        return Account(brand, Figures(this_month(today(brand))), get_balance_status(None, spending))
    statement, period = statement_cache.build_statement(row), Period(row.from_date, row.to_date)
    return Account(
        brand, Figures(period, statement, period, row.as_of), get_balance_status(statement, spending)
    )


def past_months(day: date) -> list[Period]:
    """The last three months that were over before the day's, the oldest first."""
    return complete_months(day, MONTHS)[::-1]


def get_spending(months: Sequence[tuple[Period, Statement | None]]) -> Spending:
    """What left the account in these months, the oldest first; None for a month that nobody knows."""
    known = [(month, statement) for month, statement in months if statement]
    while known and not known[0][1].has_activity:
        known.pop(0)
    charges = tuple((month, statement.total_charges) for month, statement in known)
    return Spending(charges, sum(statement is None for _month, statement in months))


def get_balance_status(statement: Statement | None, spending: Spending) -> BalanceStatus:
    """What a balance means at this pace; it is judged as it is shown, to the cent."""
    if statement is None:
        return BalanceStatus("unknown", spending)
    if round_to_cents(statement.closing_balance) <= 0:
        return BalanceStatus("empty", spending, 0)
    days = spending.lasts(statement.closing_balance)
    return BalanceStatus("low" if days is not None and days < LOW_DAYS else "ok", spending, days)
