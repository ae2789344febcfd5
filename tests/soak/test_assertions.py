"""The soak's checks, each with something planted that it has to find: one that cannot fail says nothing."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.soak import assertions
from tests.soak.assertions import Books, Seen
from tests.soak.faults import FAULTS

NUMBER, OTHER, STRANGE = "810000001", "810000002", "820000001"
ALICE, BOB = "a@aurora.soak.example", "b@aurora.soak.example"
OWNERS = {NUMBER: ("aurora", ALICE), OTHER: ("aurora", BOB), STRANGE: ("borealis", "c@borealis.soak.example")}
PAGE = Seen("home", "aurora", ALICE, 200, 0.1, 100.0, signed_in=True)
START = Decimal(1000)
FIVE, SIX = Decimal(5), Decimal(6)


def books(*booked: Decimal, **changes: Any) -> Books:
    """What was booked to one account, with sums that hold."""
    total = sum(booked, Decimal(0))
    right = Books({NUMBER: booked}, booked, {NUMBER: START + total}, total)
    return replace(right, **changes)


def transfer(state: str, amount: Decimal = FIVE) -> dict[str, Any]:
    return {"account_number": NUMBER, "amount": amount, "state": state}


@pytest.mark.parametrize(
    ("status", "at", "found"),
    [
        (200, 100.0, 0),
        (503, 100.0, 0),
        (500, 11.0, 1),
        (502, 100.0, 1),
        (504, 100.0, 1),
        (0, 100.0, 1),
        (502, 9.9, 1),
        (502, 11.0, 0),
        (0, 11.5, 0),
        (502, 12.1 + assertions.AFTER_AN_END, 1),
    ],
)
def test_a_failure_is_found_and_502_is_allowed_around_the_end_of_a_node_alone(status, at, found):
    assert len(assertions.failures([replace(PAGE, status=status, at=at)], [(10.0, 12.0)])) == found


def test_tracebacks_are_found_in_either_form():
    log = (
        "INFO fine\nERROR no\n  | Traceback (most recent call last):\n  |   File x\n  | KeyError: 'y'\n"
        "INFO on\n"
        "Traceback (most recent call last):\n  File z\nSystemError: w\n"
    )
    assert assertions.tracebacks(log) == ["KeyError: 'y'", "SystemError: w"]
    assert assertions.tracebacks("INFO fine\n") == []


def test_whoever_is_led_to_the_sign_in_was_signed_out():
    led = replace(PAGE, status=302, location="/sign-in/?next=/")
    assert len(assertions.signed_out([PAGE, led, replace(led, signed_in=False)])) == 1
    assert len(assertions.signed_out([replace(led, who="", location="/admin/login/?next=/admin/")])) == 1


@pytest.mark.parametrize(
    ("said", "who", "found"),
    [
        (f"Aurora Phone {NUMBER} {ALICE}", ALICE, 0),
        (f"Aurora Phone {OTHER} {BOB}", "", 0),  # Staff see all customers of their brand.
        (f"the number {OTHER}", ALICE, 1),
        (f"the address {BOB}", ALICE, 1),
        (f"a guest reads {NUMBER}", "nobody", 1),
        ("Borealis Phone", ALICE, 1),
        (f"staff read {STRANGE} c@borealis.soak.example", "", 2),
        ("a number that nobody has: 810000999", "", 1),
    ],
)
def test_whatever_is_somebody_elses_is_found_on_a_page(said, who, found):
    assert (
        len(assertions.strangers([replace(PAGE, who=who, named=assertions.named_on(said))], OWNERS)) == found
    )


@pytest.mark.parametrize(
    ("transfers", "carrier", "found"),
    [
        ([transfer("done"), transfer("refused", SIX)], books(FIVE), 0),
        ([transfer("unknown"), transfer("dispatched", SIX)], books(FIVE), 0),
        ([transfer("done")], books(), 1),
        ([transfer("done")], books(FIVE, FIVE), 1),
        ([transfer("unknown")], books(FIVE, FIVE), 1),
        ([transfer("not_sent")], books(FIVE), 1),
        ([transfer("refused")], books(FIVE), 1),
        ([], books(FIVE), 1),
        ([transfer("done")], books(FIVE, balances={NUMBER: START}), 1),
        ([transfer("done")], books(FIVE, taken=[]), 1),
        ([transfer("done")], books(FIVE, partner=SIX), 1),
    ],
)
def test_money_that_was_lost_or_doubled_is_found(transfers, carrier, found):
    assert len(assertions.money(transfers, carrier, START)) == found


def test_what_was_promised_and_is_not_there_is_found():
    assert len(assertions.lost("a sign-up", [ALICE, BOB], [ALICE])) == 1
    assert assertions.lost("a sign-up", [ALICE], [ALICE, BOB]) == []


def test_slow_answers_and_too_few_of_them_are_found():
    quick = [replace(PAGE, seconds=0.1)] * 19
    assert len(assertions.slow(quick, "home", 0.5)) == 1
    assert assertions.slow([*quick, PAGE], "home", 0.5) == []
    assert len(assertions.slow([*quick, PAGE, *[replace(PAGE, seconds=2)] * 3], "home", 0.5)) == 1


@pytest.mark.parametrize(("status", "found"), [(200, 0), (302, 0), (0, 1), (403, 1), (429, 1), (503, 1)])
def test_a_probe_that_is_refused_is_found_however_quick(status, found):
    answers = [*[PAGE] * assertions.LEAST, *[replace(PAGE, status=status, seconds=0.001)] * 2]
    assert len(assertions.slow(answers, "home", 0.5)) == found


def test_an_error_after_all_faults_ended_is_found():
    late = [replace(PAGE, at=200.0), replace(PAGE, status=503, at=199.0)]
    assert assertions.not_recovered(late, 199.5) == []
    assert len(assertions.not_recovered(late, 198.0)) == 1
    assert len(assertions.not_recovered(late, 300.0)) == 1  # Nobody was there to see.


# --- Single faults and bursts ----------------------------------------------------------------------

READER = replace(PAGE, kind=f"{assertions.READ} customer 0 of aurora", seconds=0.1)
SENDER = replace(PAGE, kind=f"{assertions.FORM} of aurora", who="nobody", signed_in=False)
ENDED = 150.0  # When the fault was over; PAGE came before.


def survived(*answers: Seen, **how: Any) -> assertions.Survived:
    """What is said of a fault with enough answers and these."""
    wanted = {"kills": False, "well": True, **how}
    return assertions.survived("a fault", [READER] * assertions.LEAST + list(answers), ENDED, 0, **wanted)


@pytest.mark.parametrize(
    ("answer", "how", "found"),
    [
        (READER, {}, 0),
        (replace(READER, status=503), {}, 0),
        (replace(READER, status=500), {}, 1),
        (replace(READER, status=0), {}, 1),
        (replace(READER, status=502), {"kills": True}, 1),  # nginx asks the other node again.
        (replace(READER, status=0), {"kills": True}, 0),  # It cannot when a part of the page has left.
        (replace(SENDER, status=502), {"kills": True}, 0),  # Nobody may.
        (replace(SENDER, status=502), {}, 1),
        (replace(SENDER, status=500), {"kills": True}, 1),
        (replace(PAGE, status=500), {}, 0),  # Not of the load: other checks see it.
        (replace(READER, status=503, at=ENDED + 14), {}, 0),
        (replace(READER, status=503, at=ENDED + 16), {}, 1),
        (replace(READER, status=302, at=ENDED + 16), {}, 1),
        (replace(SENDER, status=503, at=ENDED + 16), {}, 0),
        (READER, {"well": False}, 1),
    ],
)
def test_a_fault_is_survived_with_nothing_lost_and_all_well_in_time(answer, how, found):
    assert len(assertions.not_survived(survived(answer, **how), 15)) == found


def test_a_fault_that_nobody_met_and_pages_of_somebody_else_are_found():
    few = assertions.survived("a fault", [READER], ENDED, 0, kills=False, well=True)
    assert len(assertions.not_survived(few, 15)) == 1
    strange = assertions.survived("a fault", [READER] * assertions.LEAST, ENDED, 2, kills=False, well=True)
    assert len(assertions.not_survived(strange, 15)) == 1


def test_all_is_well_when_every_reader_was_served_twice_and_asked_after_the_fault():
    other = replace(READER, kind=f"{assertions.FIGURES} of aurora")
    after = [replace(each, at=ENDED + 1) for each in (READER, READER, other, other)]
    assert assertions.are_served(after, ENDED, readers=2)
    assert not assertions.are_served(after[:3], ENDED, readers=2)
    assert not assertions.are_served(after, ENDED, readers=3)
    assert not assertions.are_served([*after, replace(READER, at=ENDED + 2, status=503)], ENDED, readers=2)
    assert not assertions.are_served([replace(each, seconds=2) for each in after], ENDED, readers=2)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, 0),
        ({"own": {200: 6, 403: 2, 429: 2, 503: 90}}, 0),
        ({"visitors": {200: 100, 503: 1}}, 1),
        ({"visitors": {200: 100, 503: 1, 0: 1}}, 2),
        ({"visitors": {200: assertions.LEAST - 1}}, 1),
        ({"own": {503: 99, 500: 1}}, 1),
        ({"own": {503: 99, 0: 1}}, 1),
        ({"busy": 0.31}, 1),
    ],
)
def test_a_burst_is_borne_with_every_ordinary_page_there_and_hardly_later(changes, found):
    burst = assertions.Burst("a burst", quiet=0.03, busy=0.29, visitors={200: 100}, own={503: 100})
    assert len(assertions.not_borne(replace(burst, **changes), 10)) == found


def test_there_are_thirty_single_faults_of_different_names_and_ten_that_stop_what_runs():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 30
    assert sum(fault.of_the_ten for fault in FAULTS) >= 10
