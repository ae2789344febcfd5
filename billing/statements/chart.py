"""Where things stand in the chart of the months: bars of what was charged, and a line of what was left.

Everything is a share of the chart's width or height, from its upper left corner; months run with the
reading direction. What is missing is left out, and nothing is ever drawn in its place.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from django.utils.translation import get_language_bidi

from billing.statements.service import StatementResult
from portal.voipline import Statement

CHARGES = ("call_charges", "other_charges", "adjustments")  # From the axis outwards.
_BAR = Decimal("0.62")  # Of a month's width.
_LINES = 5  # About so many lines across the chart.
_FINEST = Decimal("0.01")  # Between two lines: an amount is read to the cent.
_NICE = (Decimal(1), Decimal(2), Decimal(5), Decimal(10))


@dataclass(frozen=True)
class Tick:
    """A line across the chart, and the amount it stands for."""

    amount: Decimal
    y: str


@dataclass(frozen=True)
class Bar:
    """One kind of charge in one month."""

    kind: str
    x: str
    y: str
    width: str
    height: str


@dataclass(frozen=True)
class Column:
    """One month. Without a statement it has neither bars nor a point."""

    month: date
    statement: Statement | None
    middle: str
    left: str
    width: str
    bars: tuple[Bar, ...]
    point: str  # The height of the closing balance; empty where there is none.
    is_named: bool  # Each third, counted from the newest, where there is no room for more names.


@dataclass(frozen=True)
class Step:
    """From one month's closing balance to the next one's."""

    x1: str
    y1: str
    x2: str
    y2: str


@dataclass(frozen=True)
class Chart:
    """The months from left to right, and the lines of both scales from the top down.

    `edge` is where the scale's amounts stand, and `aside` how many pixels beside it.
    """

    edge: str
    aside: int
    columns: tuple[Column, ...]
    steps: tuple[Step, ...]
    charges: tuple[Tick, ...]
    balances: tuple[Tick, ...]

    @property
    def first(self) -> date:
        """The oldest month."""
        return min(column.month for column in self.columns)

    @property
    def last(self) -> date:
        """The newest month."""
        return max(column.month for column in self.columns)

    @property
    def missing(self) -> int:
        """How many months there are no figures of."""
        return sum(column.statement is None for column in self.columns)

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing to draw."""
        return self.missing == len(self.columns)


class _Scale:
    """From zero to whatever is furthest from it on either side, in round steps."""

    def __init__(self, amounts: Sequence[Decimal]) -> None:
        low, high = min([Decimal(0), *amounts]), max([Decimal(0), *amounts])
        step = _round_step((high - low or Decimal(1)) / _LINES)
        first = (low / step).to_integral_value(ROUND_FLOOR)
        last = (high / step).to_integral_value(ROUND_CEILING)
        if first == last:
            last += 1
        self.low, self.high = first * step, last * step
        amounts = [(last - number) * step for number in range(int(last - first) + 1)]
        self.ticks = tuple(Tick(amount, _share(self.y(amount))) for amount in amounts)

    def y(self, amount: Decimal) -> Decimal:
        """How far down from the top, of 1."""
        return (self.high - amount) / (self.high - self.low)


def _round_step(least: Decimal) -> Decimal:
    """The next of 1, 2, 5, 10 … that is not below."""
    unit = Decimal(1).scaleb(max(least, _FINEST).adjusted())
    return next(unit * each for each in _NICE if unit * each >= max(least, _FINEST) or each == _NICE[-1])


def draw(months: Sequence[StatementResult]) -> Chart:
    """The chart of these months, of which the newest comes first; at least one."""
    mirrored = get_language_bidi()
    ordered = list(months) if mirrored else list(reversed(months))
    known = [each.statement for each in ordered if each.statement]
    charges = _Scale([top for statement in known for top in _extent(statement)])
    balances = _Scale([statement.closing_balance for statement in known])
    columns = tuple(
        _column(number, len(ordered), each, charges, balances) for number, each in enumerate(ordered)
    )
    edge, aside = ("100%", 8) if mirrored else ("0%", -8)
    return Chart(edge, aside, columns, tuple(_steps(columns)), charges.ticks, balances.ticks)


def _amounts(statement: Statement) -> list[Decimal]:
    return [getattr(statement, name) for name in CHARGES]


def _extent(statement: Statement) -> tuple[Decimal, Decimal]:
    """How far a month's bars reach below and above zero."""
    amounts = _amounts(statement)
    return sum((a for a in amounts if a < 0), Decimal(0)), sum((a for a in amounts if a > 0), Decimal(0))


def _column(number: int, count: int, month: StatementResult, charges: _Scale, balances: _Scale) -> Column:
    width = Decimal(1) / count
    left, statement = width * number, month.statement
    return Column(
        month=month.period.from_date,
        statement=statement,
        middle=_share(left + width / 2),
        left=_share(left),
        width=_share(width),
        bars=tuple(_bars(statement, left + width * (1 - _BAR) / 2, width * _BAR, charges))
        if statement
        else (),
        point=_share(balances.y(statement.closing_balance)) if statement else "",
        is_named=(number if get_language_bidi() else count - 1 - number) % 3 == 0,
    )


def _bars(statement: Statement, left: Decimal, width: Decimal, scale: _Scale) -> Iterator[Bar]:
    """Charges above the line of zero, one on the other; what is negative below it."""
    above = below = Decimal(0)
    for kind, amount in zip(CHARGES, _amounts(statement), strict=True):
        start = above if amount > 0 else below
        if amount > 0:
            above += amount
        else:
            below += amount
        top, bottom = scale.y(max(start, start + amount)), scale.y(min(start, start + amount))
        if amount:
            yield Bar(kind, _share(left), _share(top), _share(width), _share(bottom - top))


def _steps(columns: Sequence[Column]) -> Iterator[Step]:
    """None to or from a month without figures."""
    for one, next_one in itertools.pairwise(columns):
        if one.point and next_one.point:
            yield Step(one.middle, one.point, next_one.middle, next_one.point)


def _share(part: Decimal) -> str:
    """As SVG writes it, whatever the language of the page."""
    return f"{100 * part:.3f}%"
