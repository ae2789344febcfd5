"""Forecast of when an account's calls stop, from its balance and its past spending."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Literal

from billing.statements.periods import Period
from portal.core.account_types import POSTPAID, PREPAID
from portal.voipline import Statement

_CENT = Decimal("0.01")
_MAX_DAYS = 365  # Pages say “longer than a year” beyond this.
_LOW_DAYS = 7  # A balance that lasts no longer is low: a payment may take some days.
MAX_DAYS_NAMED = 60  # Pages count days up to here, and months beyond.

# Why there is no estimate: no complete month yet, nothing charged in them, or figures that could not be read.
Why = Literal["", "new", "quiet", "missing"]
Month = tuple[Period, Statement | None]


@dataclass(frozen=True)
class Forecast:
    """Position of a balance relative to the point at which calls stop, rounded to the cent as on pages.

    `kind` is `prepaid`, `postpaid`, `no_limit` (postpaid, limit unknown) or `unknown`. `place` is `above`,
    `at` or `below` that point (zero if the point is unknown). `left`: amount until the point, if known.
    `days`: whole days until then, rounded down, or None. `around`: the last of these days, or None if it is
    more than a year away. `months`: number of months that the average spending was taken from.
    """

    kind: str
    place: str
    limit: Decimal | None = None
    left: Decimal | None = None
    days: int | None = None
    around: date | None = None
    months: int = 0
    why: Why = ""

    @property
    def state(self) -> Literal["healthy", "low", "stopped"]:
        """What needs the customer's attention: nothing, soon a payment, or a payment now.

        A postpaid balance below zero is nothing unusual, so without a limit it is healthy.
        """
        if self.kind == "no_limit":
            return "healthy"
        if self.place != "above":
            return "low" if self.kind == "unknown" else "stopped"
        return "low" if self.days is not None and self.days <= _LOW_DAYS else "healthy"

    @property
    def scale(self) -> int | None:
        """Length in days of the bar that shows the days left: 30 or 60; None if they are more, or unknown."""
        if self.place != "above" or self.days is None or self.days > MAX_DAYS_NAMED:
            return None
        return MAX_DAYS_NAMED if self.days > MAX_DAYS_NAMED // 2 else MAX_DAYS_NAMED // 2

    @property
    def share(self) -> int:
        """Part of that bar that is filled, in percent; a sliver for less than a day."""
        return max(2, round(100 * (self.days or 0) / (self.scale or 1)))


def calculate_forecast(
    *,
    balance: Decimal,
    account_type: str,
    credit_limit: Decimal | None,
    months: Sequence[Month],
    on: date,
    today: date,
) -> Forecast:
    """Return the forecast for the balance of day `on`. `months` are complete ones, the newest first.

    Prepaid accounts stop at zero, postpaid ones at their credit limit. Spending per day is the average of the
    months' call and other charges; adjustments are left out because they happen once.
    """
    stop = Decimal(0) if account_type == PREPAID else credit_limit if account_type == POSTPAID else None
    kind = account_type or "unknown"
    if stop is None:
        return Forecast("no_limit" if kind == POSTPAID else "unknown", _place(balance, Decimal(0)))
    limit = stop if kind == POSTPAID else None
    result = Forecast(kind, _place(balance, stop), limit, round_to_cents(balance) - round_to_cents(stop))
    if result.place != "above":
        return result
    return _with_estimate(result, balance - stop, months, on, today)


def round_to_cents(amount: Decimal) -> Decimal:
    """Round an amount to the cent, half up, as pages show it."""
    return amount.quantize(_CENT, ROUND_HALF_UP)


def _place(balance: Decimal, stop: Decimal) -> str:
    left = round_to_cents(balance) - round_to_cents(stop)
    return "above" if left > 0 else "below" if left < 0 else "at"


def _with_estimate(
    result: Forecast, left: Decimal, months: Sequence[Month], on: date, today: date
) -> Forecast:
    if any(statement is None for _period, statement in months):
        return replace(result, why="missing")
    open_months = _months_since_opening(months)
    if not open_months:
        return replace(result, why="new")
    daily = _daily_spending(open_months)
    if daily <= 0:
        return replace(result, why="quiet", months=len(open_months))
    days = int(Fraction(left) / daily)
    if days > _MAX_DAYS:
        return replace(result, days=days, months=len(open_months))
    around = on + timedelta(days=days)
    return replace(result, days=max(0, (around - today).days), around=around, months=len(open_months))


def _months_since_opening(months: Sequence[Month]) -> list[tuple[Period, Statement]]:
    """Return the months without the oldest ones that had no balance and no activity: not open yet."""
    statements = [(period, statement) for period, statement in months if statement]
    while statements and not (statements[-1][1].opening_balance or statements[-1][1].has_activity):
        statements.pop()
    return statements


def _daily_spending(months: Sequence[tuple[Period, Statement]]) -> Fraction:
    """Return the exact spending per day."""
    spending = sum(
        (Fraction(each.call_charges) + Fraction(each.other_charges) for _, each in months), Fraction()
    )
    return spending / sum(period.days for period, _ in months)
