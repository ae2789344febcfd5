"""When an email about a balance is sent: examples in a table, and rules that always hold."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from billing.episodes import APART, Episode, Level, Notice, advance, limit

START = datetime(2026, 11, 1, tzinfo=UTC)
LOW, STOPPED = limit(Decimal(10)), limit(Decimal(0))


def notices(*course: tuple[float, str | None]) -> list[tuple[float, str]]:
    """Return (hour, notice) for a course of (hour, balance); a balance of None is unknown."""
    episode, found = Episode(), []
    for hour, value in course:
        if value is None:
            continue
        episode, notice = advance(episode, Decimal(value), LOW, STOPPED, START + timedelta(hours=hour))
        if notice:
            found.append((hour, notice))
    return found


@pytest.mark.parametrize(
    ("course", "expected"),
    [
        # It falls through both limits, is topped up, and falls again.
        (
            [(0, "50"), (1, "10"), (2, "5"), (3, "0"), (4, "-1"), (5, "60"), (40, "9"), (41, "0")],
            [(1, "low"), (3, "stopped"), (5, "restored"), (40, "low"), (41, "stopped")],
        ),
        # It jitters around a limit: 10.99 is not yet above it, 11 is.
        ([(0, "50"), (1, "10"), (2, "10.99"), (3, "9.99"), (4, "10.50"), (60, "9")], [(1, "low")]),
        ([(0, "50"), (1, "10"), (2, "11"), (30, "10")], [(1, "low"), (30, "low")]),
        ([(0, "50"), (1, "0"), (2, "0.99"), (3, "0"), (4, "0.5"), (60, "0")], [(1, "stopped")]),
        # At most one of a kind in a day. If the balance falls again, the email comes when the day is over.
        ([(0, "50"), (1, "10"), (2, "50"), (3, "10"), (24.9, "9"), (25, "9")], [(1, "low"), (25, "low")]),
        (
            [(0, "50"), (1, "0"), (2, "50"), (3, "0"), (4, "50"), (30, "50")],
            [(1, "stopped"), (2, "restored")],
        ),
        # At once from well to nothing: one notice, not two.
        ([(0, "50"), (1, "-3"), (2, "-3"), (30, "-3")], [(1, "stopped")]),
        # Back, but still low: after an email that calls stopped, none says that the balance is low.
        (
            [(0, "50"), (1, "0"), (2, "5"), (30, "5"), (31, "0")],
            [(1, "stopped"), (2, "restored"), (31, "stopped")],
        ),
        # The first reading sets the level in silence, also at nothing, and nothing is "back" after it.
        ([(0, "0"), (1, "0"), (30, "-1"), (31, "50"), (32, "9")], [(32, "low")]),
        ([(0, "5"), (1, "4"), (2, "0"), (3, "5")], [(2, "stopped"), (3, "restored")]),
        # Unknown for a day changes nothing.
        ([(0, "50"), (1, "10"), (2, None), (26, None), (27, "9"), (28, "8")], [(1, "low")]),
        ([(0, "50"), (1, None), (26, "0")], [(26, "stopped")]),
    ],
)
def test_a_balance_is_told_of_once_per_episode(
    course: list[tuple[float, str | None]], expected: list[tuple[float, str]]
) -> None:
    assert notices(*course) == expected


def test_without_a_known_limit_only_the_end_is_told() -> None:
    episode, _ = advance(Episode(), Decimal(50), None, STOPPED, START)
    episode, notice = advance(episode, Decimal(1), None, STOPPED, START)
    assert (episode.level, notice) == (Level.OK, None)
    assert advance(episode, Decimal(0), None, STOPPED, START)[1] == "stopped"


@pytest.mark.parametrize(("amount", "above"), [("10", "11"), ("100", "110"), ("0", "1"), ("-55", "-49.5")])
def test_margin_is_the_larger_of_a_tenth_and_one(amount: str, above: str) -> None:
    assert limit(Decimal(amount)).above == Decimal(above)


class Course(RuleBasedStateMachine):
    """Any course of balances and times."""

    @initialize(value=st.decimals(-20, 40, places=2))
    def begin(self, value: Decimal) -> None:
        self.now, self.sent = START, list[tuple[datetime, Notice]]()
        self.episode, notice = advance(Episode(), value, LOW, STOPPED, self.now)
        assert notice is None
        self.values = [value]
        self.stopped_since = self.now if value <= 0 else None

    @rule(value=st.decimals(-20, 40, places=2), minutes=st.integers(1, 3000))
    def read(self, value: Decimal, minutes: int) -> None:
        before = self.episode
        self.now += timedelta(minutes=minutes)
        self.episode, notice = advance(before, value, LOW, STOPPED, self.now)
        self.values.append(value)
        if notice:
            self.sent.append((self.now, notice))
        if notice == "stopped":
            assert value < STOPPED.above
        if notice == "low":
            assert STOPPED.amount < value < LOW.above
        if notice == "restored":
            assert value >= STOPPED.above

    @rule()
    def read_the_same_for_two_days(self) -> None:
        for _ in range(9):
            self.read(self.values[-1], 6 * 60)
        # By now it has been told, unless it was so from the beginning.
        assert self.episode.told >= self.episode.level

    @invariant()
    def rules_hold(self) -> None:
        for kind in ("low", "stopped"):
            times = [at for at, notice in self.sent if notice == kind]
            assert all(later - earlier >= APART for earlier, later in itertools.pairwise(times))
        ends = [notice for _at, notice in self.sent if notice != "low"]
        assert ends == (["stopped", "restored"] * len(ends))[: len(ends)]
        assert self.episode.told <= Level.STOPPED


TestCourse = Course.TestCase
