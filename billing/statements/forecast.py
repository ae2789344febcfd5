"""When an account's calls stop: from its balance and from what is known about it, and no guess beyond."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Literal

from accounts.models import POSTPAID, PREPAID
from billing.statements.periods import Period
from portal.voipline import Statement

_CENT = Decimal("0.01")
_LONGEST = 365  # Days; what lasts longer is said to last longer than a year.
_SOON = 3

# Why there is no estimate: no complete month yet, nothing charged in them, or figures that could not be read.
Why = Literal["", "new", "quiet", "missing"]
Month = tuple[Period, Statement | None]


@dataclass(frozen=True)
class Forecast:
    """Where a balance stands on the way to the point at which calls stop, all as it is shown: to the cent.

    `kind` is `prepaid`, `postpaid`, `no_limit` (postpaid, the limit is unknown) or `unknown`. `place` is
    `above`, `at` or `below` that point; where the point is unknown, zero. `left` until the point, where it is
    known. `days`: whole ones, never more than the figures carry, or None; `around`: their last day, or None
    where it is more than a year away. `months`: how many the pace was taken from.
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
    def warns(self) -> bool:
        """Whether to look at this now: calls are or may be stopped, or will be in a few days."""
        return self.place != "above" or (self.days is not None and self.days <= _SOON)


def forecast(
    *,
    balance: Decimal,
    account_type: str,
    credit_limit: Decimal | None,
    months: Sequence[Month],
    on: date,
    today: date,
) -> Forecast:
    """Where a balance stands that was true on a day; `months` are complete ones, the newest first.

    Prepaid accounts stop at zero, postpaid ones at their credit limit. The pace is the average of the months'
    call and other charges; an adjustment happens once and is no pace.
    """
    stop = Decimal(0) if account_type == PREPAID else credit_limit if account_type == POSTPAID else None
    kind = account_type or "unknown"
    if stop is None:
        return Forecast("no_limit" if kind == POSTPAID else "unknown", _place(balance, Decimal(0)))
    limit = stop if kind == POSTPAID else None
    found = Forecast(kind, _place(balance, stop), limit, round_to_cents(balance) - round_to_cents(stop))
    if found.place != "above":
        return found
    return _estimated(found, balance - stop, months, on, today)


def round_to_cents(amount: Decimal) -> Decimal:
    """An amount as pages show it."""
    return amount.quantize(_CENT, ROUND_HALF_UP)


def _place(balance: Decimal, stop: Decimal) -> str:
    left = round_to_cents(balance) - round_to_cents(stop)
    return "above" if left > 0 else "below" if left < 0 else "at"


def _estimated(found: Forecast, left: Decimal, months: Sequence[Month], on: date, today: date) -> Forecast:
    if any(statement is None for _period, statement in months):
        return replace(found, why="missing")
    counted = _months_since_opening(months)
    if not counted:
        return replace(found, why="new")
    daily = _pace(counted)
    if daily <= 0:
        return replace(found, why="quiet", months=len(counted))
    days = int(Fraction(left) / daily)
    if days > _LONGEST:
        return replace(found, days=days, months=len(counted))
    around = on + timedelta(days=days)
    return replace(found, days=max(0, (around - today).days), around=around, months=len(counted))


def _months_since_opening(months: Sequence[Month]) -> list[tuple[Period, Statement]]:
    """Without the oldest ones in which nothing moved and nothing was there: the account was not open yet."""
    lived = [(period, statement) for period, statement in months if statement]
    while lived and not (lived[-1][1].opening_balance or lived[-1][1].has_activity):
        lived.pop()
    return lived


def _pace(months: Sequence[tuple[Period, Statement]]) -> Fraction:
    """Spending per day, exact."""
    spent = sum(
        (Fraction(each.call_charges) + Fraction(each.other_charges) for _, each in months), Fraction()
    )
    return spent / sum(period.days for period, _ in months)
