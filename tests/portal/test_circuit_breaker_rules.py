"""The breaker by itself: what opens it, for whom, and what ends it. Time is the test's own."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.resilience import circuit_breaker
from portal.resilience.circuit_breaker import FAILURES, RETRY_AFTER, SECONDS, Breaker, How, Open

LOST = (How.UNREACHED, How.FAILED)
FORM = None
OTHERS = ["f", "g", "h"]


class Clock:
    """A monotonic clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(circuit_breaker, "monotonic", clock)
    return clock


@pytest.fixture
def guard(clock: Clock) -> Breaker:
    return Breaker("aurora")


def spared(guard: Breaker, account: str | None) -> int:
    """Seconds for which a call for this account would be spared now; its turn is given back."""
    try:
        guard.end(guard.begin(account), How.NOT_MADE)
    except Open as wait:
        return wait.seconds
    return 0


def make(guard: Breaker, account: str | None, how: How) -> bool:
    """Make one call that ends like that, unless it is spared."""
    try:
        guard.end(guard.begin(account), how)
    except Open:
        return False
    return True


def shut(guard: Breaker, *accounts: str) -> None:
    """Let calls of these accounts fail in turn until the breaker is open."""
    for nth in range(FAILURES):
        make(guard, accounts[nth % len(accounts)], How.FAILED)
    assert guard.is_open


calls = st.lists(st.tuples(st.sampled_from([FORM, *"abcdefg"]), st.sampled_from(list(How))), max_size=40)


@given(calls)
def test_who_is_spared_follows_from_the_calls_since_the_last_answer(calls: list[Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(circuit_breaker, "monotonic", Clock())  # It stands still: no break ends.
        guard, since = Breaker("aurora"), list[Any]()
        for account, how in calls:
            if make(guard, account, how):
                if how is How.ANSWERED and account is not FORM:
                    since = []
                elif how is How.UNREACHED or (how is How.FAILED and account is not FORM):
                    since.append((account, how))
            unreached = [each for each in since if each[1] is How.UNREACHED]
            accounts = {account for account, _ in since} - {FORM}
            for_all = len(unreached) >= FAILURES or len(accounts) >= FAILURES
            for each in [FORM, *"abcdefg", *OTHERS]:
                own = each in accounts and len(since) >= FAILURES
                assert bool(spared(guard, each)) is (for_all or own)


@given(st.lists(st.sampled_from([FORM, *"abc"]), min_size=FAILURES, max_size=FAILURES))
def test_five_that_did_not_reach_it_in_a_row_open_it_for_all_whoever_asked(accounts: list[Any]) -> None:
    guard = Breaker("aurora")
    for account in accounts:
        assert make(guard, account, How.UNREACHED)
    assert all(spared(guard, each) for each in (FORM, "a", *OTHERS))


@pytest.mark.parametrize("number", range(1, FAILURES + 1))
def test_where_all_that_ask_fail_all_of_them_are_spared(guard: Breaker, number: int) -> None:
    accounts = "abcde"[:number]
    shut(guard, *accounts)
    assert all(spared(guard, account) for account in accounts)
    assert bool(spared(guard, "z")) is (number == FAILURES)


def test_four_failures_open_it_for_nobody_and_an_answer_begins_the_count_again(guard: Breaker) -> None:
    for _ in range(3):
        for account in "abcd":
            assert make(guard, account, How.FAILED)
        assert make(guard, "e", How.ANSWERED)
    for account in "abcd":
        assert make(guard, account, How.FAILED)
    assert [guard.begin("a").is_probe for _ in range(3)] == [False] * 3


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(LOST)), max_size=4), st.integers(1, 30))
def test_accounts_that_fail_between_answers_to_others_change_nothing_for_anybody(
    failing: list[Any], rounds: int
) -> None:
    guard = Breaker("aurora")
    for _ in range(rounds):
        assert all(make(guard, account, how) for account, how in failing)
        assert make(guard, "c", How.ANSWERED)


@given(st.lists(st.sampled_from("abcd"), max_size=60))
def test_four_accounts_close_nothing_for_a_fifth_however_often_they_fail(failing: list[str]) -> None:
    guard = Breaker("aurora")
    for account in failing:
        make(guard, account, How.FAILED)
    assert make(guard, FORM, How.FAILED)
    assert make(guard, "e", How.ANSWERED)
    assert not guard.is_open


def test_after_half_a_minute_one_call_tries_and_its_answer_closes_it(guard: Breaker, clock: Clock) -> None:
    shut(guard, *"abcde")
    clock.now += SECONDS - 0.5
    assert spared(guard, "z") == 1
    clock.now += 0.5
    turn = guard.begin("z")
    assert [spared(guard, each) for each in "abz"] == [RETRY_AFTER] * 3
    guard.end(turn, How.ANSWERED)
    assert not guard.is_open
    assert not any(spared(guard, each) for each in (FORM, *"abcdez"))


@pytest.mark.parametrize("how", LOST)
def test_a_try_that_fails_begins_another_half_minute(guard: Breaker, clock: Clock, how: How) -> None:
    shut(guard, *"abcde")
    for _ in range(3):
        clock.now += SECONDS
        assert make(guard, "z", how)
        assert spared(guard, "a") == SECONDS


def test_a_try_that_never_ends_gives_its_turn_back_in_time(guard: Breaker, clock: Clock) -> None:
    shut(guard, *"abcde")
    clock.now += SECONDS
    guard.begin("a")
    clock.now += circuit_breaker._PROBE_SECONDS - 0.1
    assert spared(guard, "b") == RETRY_AFTER
    clock.now += 0.1
    assert make(guard, "b", How.ANSWERED)
    assert not guard.is_open


def test_a_try_that_was_not_made_leaves_its_turn_to_the_next(guard: Breaker, clock: Clock) -> None:
    shut(guard, *"abcde")
    clock.now += SECONDS
    assert make(guard, "a", How.NOT_MADE)
    assert make(guard, "b", How.ANSWERED)
    assert not guard.is_open


@pytest.mark.parametrize("how", How)
def test_calls_that_began_before_the_break_change_nothing_in_it(
    guard: Breaker, clock: Clock, how: How
) -> None:
    late = [guard.begin(account) for account in (FORM, "a", "z")]
    shut(guard, *"abcde")
    clock.now += SECONDS - 1
    for turn in late:
        guard.end(turn, how)
    assert [spared(guard, each) for each in (FORM, *"az")] == [1, 1, 1]
    clock.now += 1
    guard.begin("a")
    guard.end(late[1], how)
    assert spared(guard, "z") == RETRY_AFTER


def test_what_other_accounts_meet_counts_while_only_some_are_spared(guard: Breaker) -> None:
    begun = {account: guard.begin(account) for account in "abcdef"}
    shut(guard, "a")
    guard.end(begun["a"], How.ANSWERED)
    assert spared(guard, "a")
    for account in "bcd":
        guard.end(begun[account], How.FAILED)
    assert (bool(spared(guard, "d")), spared(guard, "e")) == (True, 0)
    guard.end(begun["e"], How.FAILED)
    guard.end(begun["f"], How.ANSWERED)
    assert spared(guard, "z")


def test_an_answer_to_another_account_ends_the_break_of_those_that_failed(guard: Breaker) -> None:
    shut(guard, "a", "b")
    assert make(guard, "c", How.ANSWERED)
    assert not guard.is_open
    assert make(guard, "a", How.FAILED)


def test_forms_wait_for_the_end_of_the_break_and_are_never_the_try(guard: Breaker, clock: Clock) -> None:
    shut(guard, *"abcde")
    assert spared(guard, FORM) == SECONDS
    clock.now += SECONDS
    for how in (How.NOT_MADE, How.FAILED, How.ANSWERED):
        assert make(guard, FORM, how)
    turn = guard.begin("a")
    assert make(guard, FORM, How.ANSWERED)
    assert (guard.is_open, spared(guard, "b")) == (True, RETRY_AFTER)
    guard.end(turn, How.FAILED)
    assert spared(guard, FORM) == SECONDS


def test_whoever_ends_the_break_lets_one_call_through(guard: Breaker, clock: Clock) -> None:
    shut(guard, *"abcde")
    for nth, how in enumerate((How.FAILED, How.ANSWERED)):
        clock.now += 1 + nth
        guard.allow_probe()
        turn = guard.begin("z")
        assert spared(guard, "a") == RETRY_AFTER
        guard.end(turn, how)
        assert guard.is_open is (how is How.FAILED)


def test_a_break_that_nobody_has_looked_at_since_is_no_news_for_ever(guard: Breaker, clock: Clock) -> None:
    shut(guard, *"abcde")
    clock.now += SECONDS + circuit_breaker._SHOWN_SECONDS - 1
    assert guard.is_open
    clock.now += 1
    assert not guard.is_open
    assert make(guard, "a", How.FAILED)
    assert guard.is_open


steps = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.sampled_from([FORM, *"abcdef"])),
        st.tuples(st.just("end"), st.integers(0, 30), st.sampled_from(list(How))),
        st.tuples(st.just("wait"), st.sampled_from([1.0, 7.0, 30.0])),
    ),
    max_size=120,
)


@given(steps, st.booleans())
def test_however_calls_overlap_at_most_one_tries_at_a_time(steps: list[Any], is_shut: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock()
        patch.setattr(circuit_breaker, "monotonic", clock)
        guard, under_way, tried = Breaker("aurora"), list[Any](), -1000.0
        for account in "abcde" if is_shut else "":
            make(guard, account, How.FAILED)
        for step in steps:
            if step[0] == "wait":
                clock.now += step[1]
            elif step[0] == "end" and under_way:
                turn = under_way.pop(step[1] % len(under_way))
                guard.end(turn, step[2])
                tried = -1000.0 if turn.is_probe else tried
            elif step[0] == "begin":
                tried = begun(guard, clock, step[1], under_way, tried)


def begun(
    guard: Breaker, clock: Callable[[], float], account: str | None, under_way: list[Any], tried: float
) -> float:
    """Begin a call where it is not spared; when the newest try began."""
    try:
        turn = guard.begin(account)
    except Open:
        return tried
    under_way.append(turn)
    if not turn.is_probe:
        return tried
    assert account is not FORM
    assert clock() - tried >= circuit_breaker._PROBE_SECONDS
    return clock()
