"""Geometry of a monthly chart: bars of the charges, and a line of the closing balances.

All positions are percentages of the chart's width or height, from its upper left corner. Months run in the
reading direction. Missing months are left blank.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from django.utils.translation import get_language_bidi

from billing.statements.periods import Period
from billing.statements.service import StatementResult
from portal.voipline import Statement

CHARGES = ("call_charges", "other_charges", "adjustments")  # In the order of stacking from zero.
_BAR_WIDTH = Decimal("0.62")  # Of a month's width.
_TICKS = 5  # Approximate number of lines across the chart.
_MIN_STEP = Decimal("0.01")  # Between two lines: amounts are shown to the cent.
_STEP_SIZES = (Decimal(1), Decimal(2), Decimal(5), Decimal(10))
_ABBREVIATED_FROM = 1000  # Amounts are then shown with few digits, like 1.2K.


@dataclass(frozen=True)
class Tick:
    """A horizontal line of a scale: its amount and position."""

    amount: Decimal
    y: str


@dataclass(frozen=True)
class Bar:
    """A bar: one kind of charge in one month."""

    kind: str
    x: str
    y: str
    width: str
    height: str


@dataclass(frozen=True)
class Column:
    """A month of the chart. Without a statement it has neither bars nor a point.

    `top` is the position of the highest bar's upper end, `is_running` true for the newest month, which is not
    over. `side` tells at which side of its bar a long text has room: `start`, `middle` or `end`.
    """

    period: Period
    statement: Statement | None
    is_running: bool
    side: str
    top: str
    middle: str
    left: str
    width: str
    bars: tuple[Bar, ...]
    point: str  # Position of the closing balance; empty if there is none.
    is_named: bool  # Every third month from the newest keeps its name if there is little room.


@dataclass(frozen=True)
class Step:
    """A line from one month's closing balance to the next month's."""

    x1: str
    y1: str
    x2: str
    y2: str


@dataclass(frozen=True)
class Chart:
    """The months from left to right, and the lines of both scales from top to bottom.

    `edge` is the position of the scale's amounts, `aside` their distance from it in pixels.
    """

    edge: str
    aside: int
    columns: tuple[Column, ...]
    steps: tuple[Step, ...]
    charges: tuple[Tick, ...]
    balances: tuple[Tick, ...]

    @property
    def first(self) -> date:
        """First day of the oldest month."""
        return min(column.period.from_date for column in self.columns)

    @property
    def last(self) -> date:
        """First day of the newest month."""
        return max(column.period.from_date for column in self.columns)

    @property
    def running(self) -> Column:
        """Newest month, which is not over."""
        return next(column for column in self.columns if column.is_running)

    @property
    def missing(self) -> int:
        """Number of months without a statement."""
        return sum(column.statement is None for column in self.columns)

    @property
    def is_blank(self) -> bool:
        """True if no month has a statement."""
        return self.missing == len(self.columns)


class _Scale:
    """A scale in round steps that includes all amounts, and zero for bars."""

    def __init__(self, amounts: Sequence[Decimal], *, from_zero: bool) -> None:
        amounts = [Decimal(0), *amounts] if from_zero or not amounts else amounts
        low, high = min(amounts), max(amounts)
        step = _round_step(max((high - low or Decimal(1)) / _TICKS, _least_step(low, high)))
        first = (low / step).to_integral_value(ROUND_FLOOR)
        last = (high / step).to_integral_value(ROUND_CEILING)
        if first == last:
            last += 1
        self.low, self.high = first * step, last * step
        amounts = [(last - number) * step for number in range(int(last - first) + 1)]
        self.ticks = tuple(Tick(amount, _percent(self.y(amount))) for amount in amounts)

    def y(self, amount: Decimal) -> Decimal:
        """Return the distance of an amount from the top, as a fraction of the height."""
        return (self.high - amount) / (self.high - self.low)


def _least_step(low: Decimal, high: Decimal) -> Decimal:
    """Return the smallest step whose amounts look different: two digits of the largest, if abbreviated."""
    largest = max(abs(low), abs(high))
    return Decimal(1).scaleb(largest.adjusted() - 1) if largest >= _ABBREVIATED_FROM else _MIN_STEP


def _round_step(least: Decimal) -> Decimal:
    """Return the smallest of …, 1, 2, 5, 10, … that is not below `least`."""
    unit = Decimal(1).scaleb(least.adjusted())
    return next(unit * each for each in _STEP_SIZES if unit * each >= least or each == _STEP_SIZES[-1])


def draw_chart(months: Sequence[StatementResult], kinds: Sequence[str] = CHARGES) -> Chart:
    """Return the chart of these months (at least one), the newest first, which is not over.

    `kinds` are the amounts of a statement that are stacked as bars.
    """
    mirrored = get_language_bidi()
    ordered = list(months) if mirrored else list(reversed(months))
    known = [each.statement for each in ordered if each.statement]
    charges = _Scale([end for statement in known for end in _extent(statement, kinds)], from_zero=True)
    balances = _Scale([statement.closing_balance for statement in known], from_zero=False)
    newest = 0 if mirrored else len(ordered) - 1
    columns = tuple(
        _column(number, newest, len(ordered), each, kinds, charges, balances)
        for number, each in enumerate(ordered)
    )
    edge, aside = ("100%", 8) if mirrored else ("0%", -8)
    return Chart(edge, aside, columns, tuple(_steps(columns)), charges.ticks, balances.ticks)


def _amounts(statement: Statement, kinds: Sequence[str]) -> list[Decimal]:
    return [getattr(statement, name) for name in kinds]


def _extent(statement: Statement, kinds: Sequence[str]) -> tuple[Decimal, Decimal]:
    """Return the sums of a month's negative and positive amounts: the extent of its bars."""
    amounts = _amounts(statement, kinds)
    return sum((a for a in amounts if a < 0), Decimal(0)), sum((a for a in amounts if a > 0), Decimal(0))


def _column(
    number: int,
    newest: int,
    count: int,
    month: StatementResult,
    kinds: Sequence[str],
    charges: _Scale,
    balances: _Scale,
) -> Column:
    width = Decimal(1) / count
    left, statement = width * number, month.statement
    edge, bar_width = left + width * (1 - _BAR_WIDTH) / 2, width * _BAR_WIDTH
    return Column(
        period=month.period,
        statement=statement,
        is_running=number == newest,
        side="start" if number < count / 4 else "end" if number >= count * 3 / 4 else "middle",
        top=_percent(charges.y(_extent(statement, kinds)[1])) if statement else "",
        middle=_percent(left + width / 2),
        left=_percent(left),
        width=_percent(width),
        bars=tuple(_bars(statement, kinds, edge, bar_width, charges)) if statement else (),
        point=_percent(balances.y(statement.closing_balance)) if statement else "",
        is_named=abs(newest - number) % 3 == 0,
    )


def _bars(
    statement: Statement, kinds: Sequence[str], left: Decimal, width: Decimal, scale: _Scale
) -> Iterator[Bar]:
    """Yield the bars: positive amounts stacked above zero, negative ones below it."""
    above = below = Decimal(0)
    for kind, amount in zip(kinds, _amounts(statement, kinds), strict=True):
        start = above if amount > 0 else below
        if amount > 0:
            above += amount
        else:
            below += amount
        top, bottom = scale.y(max(start, start + amount)), scale.y(min(start, start + amount))
        if amount:
            yield Bar(kind, _percent(left), _percent(top), _percent(width), _percent(bottom - top))


def _steps(columns: Sequence[Column]) -> Iterator[Step]:
    """Yield lines between adjacent months that both have a statement."""
    for column, next_column in itertools.pairwise(columns):
        if column.point and next_column.point:
            yield Step(column.middle, column.point, next_column.middle, next_column.point)


def _percent(part: Decimal) -> str:
    """Format a fraction as an SVG percentage, independent of the language."""
    return f"{100 * part:.3f}%"
