"""When to send an email about a balance: each time it becomes low, is used up, or is back.

A pure state machine, without tables or emails. An *episode* begins when a balance falls to its limit, and
ends when it is clearly above it again. So a balance that goes up and down around the limit leads to one
email.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from typing import Literal

APART = timedelta(days=1)  # Between two notices of the same kind.
_MARGIN_SHARE, _MARGIN_LEAST = Decimal("0.1"), Decimal(1)

Notice = Literal["low", "stopped", "restored"]


class Level(IntEnum):
    """How a balance is, the worst last."""

    OK = 0
    LOW = 1
    STOPPED = 2


@dataclass(frozen=True)
class Limit:
    """A balance is `level` at `amount` or below; it is no longer once it reaches `above`."""

    amount: Decimal
    above: Decimal


def limit(amount: Decimal) -> Limit:
    """Return the limit with its margin: the larger of a tenth of the amount and 1.00."""
    return Limit(amount, amount + max(abs(amount) * _MARGIN_SHARE, _MARGIN_LEAST))


@dataclass(frozen=True)
class Episode:
    """What is known of a balance, and what was told.

    `level` is None before the first reading. `told` is the worst level that needs no further notice in this
    episode. The times are those of the last notice of each kind, in this episode or before.
    """

    level: Level | None = None
    told: Level = Level.OK
    low_at: datetime | None = None
    stopped_at: datetime | None = None


def advance(
    episode: Episode,
    value: Decimal,
    low: Limit | None,
    stopped: Limit,
    now: datetime,
    apart: timedelta = APART,
) -> tuple[Episode, Notice | None]:
    """Return the episode after a reading, and the notice to send, if any. `low` is None if unknown.

    Two notices of a kind are at least `apart`.

    The first reading sets the level in silence. An unknown balance is no reading: do not call this.
    """
    level = _level(episode.level, value, low, stopped)
    if episode.level is None:
        return replace(episode, level=level, told=level), None
    after = replace(episode, level=level)
    if level is Level.STOPPED and episode.told < Level.STOPPED and _is_apart(episode.stopped_at, now, apart):
        return replace(after, told=Level.STOPPED, stopped_at=now), "stopped"
    if level is Level.LOW and episode.told < Level.LOW and _is_apart(episode.low_at, now, apart):
        return replace(after, told=Level.LOW, low_at=now), "low"
    if level < Level.STOPPED and episode.told is Level.STOPPED:
        # Who was told that calls stopped knows of the low balance too.
        notice: Notice | None = "restored" if episode.stopped_at else None
        return replace(after, told=level), notice
    if level is Level.OK:
        return replace(after, told=Level.OK), None
    return after, None


def _level(before: Level | None, value: Decimal, low: Limit | None, stopped: Limit) -> Level:
    """Return the level of a value. A better one than before is reached only beyond its limit's margin."""
    if value <= stopped.amount or (before is Level.STOPPED and value < stopped.above):
        return Level.STOPPED
    if low is None:
        return Level.OK
    if value <= low.amount or (before in (Level.LOW, Level.STOPPED) and value < low.above):
        return Level.LOW
    return Level.OK


def _is_apart(last: datetime | None, now: datetime, apart: timedelta) -> bool:
    """Return True if the last notice of this kind was long enough ago. One in the future is: True."""
    return last is None or not timedelta() <= now - last < apart
