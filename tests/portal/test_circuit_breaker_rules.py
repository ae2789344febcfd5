"""Rules of the circuit breaker: what opens it, for which accounts, and what closes it, with a fake clock."""

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
    """A monotonic clock that advances only when told to."""

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
def breaker(clock: Clock) -> Breaker:
    return Breaker("aurora")


def rejected_for(breaker: Breaker, account: str | None) -> int:
    """Return for how many seconds a call of this account would be rejected; its slot is released."""
    try:
        breaker.end(breaker.begin(account), How.NOT_MADE)
    except Open as wait:
        return wait.seconds
    return 0


def make_call(breaker: Breaker, account: str | None, how: How) -> bool:
    """Make one call with this outcome; return False if it is rejected."""
    try:
        breaker.end(breaker.begin(account), how)
    except Open:
        return False
    return True


def open_breaker(breaker: Breaker, *accounts: str) -> None:
    """Let calls of these accounts fail in turn until the breaker is open."""
    for nth in range(FAILURES):
        make_call(breaker, accounts[nth % len(accounts)], How.FAILED)
    assert breaker.is_open


calls = st.lists(st.tuples(st.sampled_from([FORM, *"abcdefg"]), st.sampled_from(list(How))), max_size=40)


@given(calls)
def test_rejection_depends_on_the_calls_since_the_last_answer(calls: list[Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(circuit_breaker, "monotonic", Clock())  # It stands still: the open period never ends.
        breaker, since = Breaker("aurora"), list[Any]()
        for account, how in calls:
            if make_call(breaker, account, how):
                if how is How.ANSWERED and account is not FORM:
                    since = []
                elif how is How.UNREACHED or (how is How.FAILED and account is not FORM):
                    since.append((account, how))
            unreached = [each for each in since if each[1] is How.UNREACHED]
            accounts = {account for account, _ in since} - {FORM}
            for_all = len(unreached) >= FAILURES or len(accounts) >= FAILURES
            for each in [FORM, *"abcdefg", *OTHERS]:
                rejected = each in accounts and len(since) >= FAILURES
                assert bool(rejected_for(breaker, each)) is (for_all or rejected)


@given(st.lists(st.sampled_from([FORM, *"abc"]), min_size=FAILURES, max_size=FAILURES))
def test_five_unreached_calls_in_a_row_open_it_for_all(accounts: list[Any]) -> None:
    breaker = Breaker("aurora")
    for account in accounts:
        assert make_call(breaker, account, How.UNREACHED)
    assert all(rejected_for(breaker, each) for each in (FORM, "a", *OTHERS))


@pytest.mark.parametrize("number", range(1, FAILURES + 1))
def test_accounts_that_all_fail_are_all_rejected(breaker: Breaker, number: int) -> None:
    accounts = "abcde"[:number]
    open_breaker(breaker, *accounts)
    assert all(rejected_for(breaker, account) for account in accounts)
    assert bool(rejected_for(breaker, "z")) is (number == FAILURES)


def test_four_failures_do_not_open_it_and_an_answer_resets_the_count(breaker: Breaker) -> None:
    for _ in range(3):
        for account in "abcd":
            assert make_call(breaker, account, How.FAILED)
        assert make_call(breaker, "e", How.ANSWERED)
    for account in "abcd":
        assert make_call(breaker, account, How.FAILED)
    assert [breaker.begin("a").is_probe for _ in range(3)] == [False] * 3


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(LOST)), max_size=4), st.integers(1, 30))
def test_failures_between_answers_to_other_accounts_have_no_effect(failing: list[Any], rounds: int) -> None:
    breaker = Breaker("aurora")
    for _ in range(rounds):
        assert all(make_call(breaker, account, how) for account, how in failing)
        assert make_call(breaker, "c", How.ANSWERED)


@given(st.lists(st.sampled_from("abcd"), max_size=60))
def test_failures_of_four_accounts_do_not_affect_a_fifth(failing: list[str]) -> None:
    breaker = Breaker("aurora")
    for account in failing:
        make_call(breaker, account, How.FAILED)
    assert make_call(breaker, FORM, How.FAILED)
    assert make_call(breaker, "e", How.ANSWERED)
    assert not breaker.is_open


def test_one_probe_runs_after_30_seconds_and_its_answer_closes_it(breaker: Breaker, clock: Clock) -> None:
    open_breaker(breaker, *"abcde")
    clock.now += SECONDS - 0.5
    assert rejected_for(breaker, "z") == 1
    clock.now += 0.5
    slot = breaker.begin("z")
    assert [rejected_for(breaker, each) for each in "abz"] == [RETRY_AFTER] * 3
    breaker.end(slot, How.ANSWERED)
    assert not breaker.is_open
    assert not any(rejected_for(breaker, each) for each in (FORM, *"abcdez"))


@pytest.mark.parametrize("how", LOST)
def test_failed_probe_starts_another_30_seconds(breaker: Breaker, clock: Clock, how: How) -> None:
    open_breaker(breaker, *"abcde")
    for _ in range(3):
        clock.now += SECONDS
        assert make_call(breaker, "z", how)
        assert rejected_for(breaker, "a") == SECONDS


def test_probe_that_never_ends_is_replaced_in_time(breaker: Breaker, clock: Clock) -> None:
    open_breaker(breaker, *"abcde")
    clock.now += SECONDS
    breaker.begin("a")
    clock.now += circuit_breaker._PROBE_SECONDS - 0.1
    assert rejected_for(breaker, "b") == RETRY_AFTER
    clock.now += 0.1
    assert make_call(breaker, "b", How.ANSWERED)
    assert not breaker.is_open


def test_probe_that_was_not_made_is_left_to_the_next_call(breaker: Breaker, clock: Clock) -> None:
    open_breaker(breaker, *"abcde")
    clock.now += SECONDS
    assert make_call(breaker, "a", How.NOT_MADE)
    assert make_call(breaker, "b", How.ANSWERED)
    assert not breaker.is_open


@pytest.mark.parametrize("how", How)
def test_calls_begun_before_opening_do_not_change_the_state(breaker: Breaker, clock: Clock, how: How) -> None:
    late = [breaker.begin(account) for account in (FORM, "a", "z")]
    open_breaker(breaker, *"abcde")
    clock.now += SECONDS - 1
    for slot in late:
        breaker.end(slot, how)
    assert [rejected_for(breaker, each) for each in (FORM, *"az")] == [1, 1, 1]
    clock.now += 1
    breaker.begin("a")
    breaker.end(late[1], how)
    assert rejected_for(breaker, "z") == RETRY_AFTER


def test_other_accounts_still_count_while_only_some_are_rejected(breaker: Breaker) -> None:
    begin_call = {account: breaker.begin(account) for account in "abcdef"}
    open_breaker(breaker, "a")
    breaker.end(begin_call["a"], How.ANSWERED)
    assert rejected_for(breaker, "a")
    for account in "bcd":
        breaker.end(begin_call[account], How.FAILED)
    assert (bool(rejected_for(breaker, "d")), rejected_for(breaker, "e")) == (True, 0)
    breaker.end(begin_call["e"], How.FAILED)
    breaker.end(begin_call["f"], How.ANSWERED)
    assert rejected_for(breaker, "z")


def test_answer_to_another_account_closes_the_breaker(breaker: Breaker) -> None:
    open_breaker(breaker, "a", "b")
    assert make_call(breaker, "c", How.ANSWERED)
    assert not breaker.is_open
    assert make_call(breaker, "a", How.FAILED)


def test_forms_wait_for_the_open_period_and_are_never_the_probe(breaker: Breaker, clock: Clock) -> None:
    open_breaker(breaker, *"abcde")
    assert rejected_for(breaker, FORM) == SECONDS
    clock.now += SECONDS
    for how in (How.NOT_MADE, How.FAILED, How.ANSWERED):
        assert make_call(breaker, FORM, how)
    slot = breaker.begin("a")
    assert make_call(breaker, FORM, How.ANSWERED)
    assert (breaker.is_open, rejected_for(breaker, "b")) == (True, RETRY_AFTER)
    breaker.end(slot, How.FAILED)
    assert rejected_for(breaker, FORM) == SECONDS


def test_allow_probe_lets_one_call_through(breaker: Breaker, clock: Clock) -> None:
    open_breaker(breaker, *"abcde")
    for nth, how in enumerate((How.FAILED, How.ANSWERED)):
        clock.now += 1 + nth
        breaker.allow_probe()
        slot = breaker.begin("z")
        assert rejected_for(breaker, "a") == RETRY_AFTER
        breaker.end(slot, how)
        assert breaker.is_open is (how is How.FAILED)


def test_unused_open_breaker_expires(breaker: Breaker, clock: Clock) -> None:
    open_breaker(breaker, *"abcde")
    clock.now += SECONDS + circuit_breaker._SHOWN_SECONDS - 1
    assert breaker.is_open
    clock.now += 1
    assert not breaker.is_open
    assert make_call(breaker, "a", How.FAILED)
    assert breaker.is_open


steps = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.sampled_from([FORM, *"abcdef"])),
        st.tuples(st.just("end"), st.integers(0, 30), st.sampled_from(list(How))),
        st.tuples(st.just("wait"), st.sampled_from([1.0, 7.0, 30.0])),
    ),
    max_size=120,
)


@given(steps, st.booleans())
def test_at_most_one_probe_runs_at_a_time(steps: list[Any], is_open: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock()
        patch.setattr(circuit_breaker, "monotonic", clock)
        breaker, running, probed_at = Breaker("aurora"), list[Any](), -1000.0
        for account in "abcde" if is_open else "":
            make_call(breaker, account, How.FAILED)
        for step in steps:
            if step[0] == "wait":
                clock.now += step[1]
            elif step[0] == "end" and running:
                slot = running.pop(step[1] % len(running))
                breaker.end(slot, step[2])
                probed_at = -1000.0 if slot.is_probe else probed_at
            elif step[0] == "begin":
                probed_at = begin_call(breaker, clock, step[1], running, probed_at)


def begin_call(
    breaker: Breaker, clock: Callable[[], float], account: str | None, running: list[Any], probed_at: float
) -> float:
    """Begin a call unless it is rejected; return when the newest probe began."""
    try:
        slot = breaker.begin(account)
    except Open:
        return probed_at
    running.append(slot)
    if not slot.is_probe:
        return probed_at
    assert account is not FORM
    assert clock() - probed_at >= circuit_breaker._PROBE_SECONDS
    return clock()
