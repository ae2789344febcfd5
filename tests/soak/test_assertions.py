"""The soak's checks: each must find a planted error."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.soak import assertions
from tests.soak.assertions import Answer, Ledger
from tests.soak.faults import FAULTS

NUMBER, OTHER, FOREIGN = "810000001", "810000002", "820000001"
ALICE, BOB = "a@aurora.soak.example", "b@aurora.soak.example"
OWNERS = {NUMBER: ("aurora", ALICE), OTHER: ("aurora", BOB), FOREIGN: ("borealis", "c@borealis.soak.example")}
PAGE = Answer("home", "aurora", ALICE, 200, 0.1, 100.0, signed_in=True)
START = Decimal(1000)
FIVE, SIX = Decimal(5), Decimal(6)


def ledger(*booked: Decimal, **changes: Any) -> Ledger:
    """Bookings of one account, with consistent sums."""
    total = sum(booked, Decimal(0))
    consistent = Ledger({NUMBER: booked}, booked, {NUMBER: START + total}, total)
    return replace(consistent, **changes)


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
def test_failures_are_found_and_502_is_allowed_only_while_a_node_ends(status, at, found):
    assert len(assertions.failures([replace(PAGE, status=status, at=at)], [(10.0, 12.0)])) == found


def test_tracebacks_are_found_in_either_log_format():
    log = (
        "INFO fine\nERROR no\n  | Traceback (most recent call last):\n  |   File x\n  | KeyError: 'y'\n"
        "INFO on\n"
        "Traceback (most recent call last):\n  File z\nSystemError: w\n"
    )
    assert assertions.tracebacks(log) == ["KeyError: 'y'", "SystemError: w"]
    assert assertions.tracebacks("INFO fine\n") == []


def test_redirect_of_a_signed_in_visitor_to_sign_in_is_found():
    redirected = replace(PAGE, status=302, location="/sign-in/?next=/")
    assert len(assertions.signed_out([PAGE, redirected, replace(redirected, signed_in=False)])) == 1
    assert (
        len(assertions.signed_out([replace(redirected, who="", location="/admin/login/?next=/admin/")])) == 1
    )


@pytest.mark.parametrize(
    ("text", "who", "found"),
    [
        (f"Aurora Phone {NUMBER} {ALICE}", ALICE, 0),
        (f"Aurora Phone {OTHER} {BOB}", "", 0),  # Staff see all customers of their brand.
        (f"the number {OTHER}", ALICE, 1),
        (f"the address {BOB}", ALICE, 1),
        (f"a guest reads {NUMBER}", "nobody", 1),
        ("Borealis Phone", ALICE, 1),
        (f"staff read {FOREIGN} c@borealis.soak.example", "", 2),
        ("a number that nobody has: 810000999", "", 1),
    ],
)
def test_data_of_others_on_a_page_is_found(text, who, found):
    assert (
        len(assertions.foreign_data([replace(PAGE, who=who, named=assertions.names_in(text))], OWNERS))
        == found
    )


@pytest.mark.parametrize(
    ("transfers", "carrier", "found"),
    [
        ([transfer("done"), transfer("refused", SIX)], ledger(FIVE), 0),
        ([transfer("unknown"), transfer("dispatched", SIX)], ledger(FIVE), 0),
        ([transfer("done")], ledger(), 1),
        ([transfer("done")], ledger(FIVE, FIVE), 1),
        ([transfer("unknown")], ledger(FIVE, FIVE), 1),
        ([transfer("not_sent")], ledger(FIVE), 1),
        ([transfer("refused")], ledger(FIVE), 1),
        ([], ledger(FIVE), 1),
        ([transfer("done")], ledger(FIVE, balances={NUMBER: START}), 1),
        ([transfer("done")], ledger(FIVE, taken=[]), 1),
        ([transfer("done")], ledger(FIVE, partner=SIX), 1),
    ],
)
def test_lost_or_doubled_money_is_found(transfers, carrier, found):
    assert len(assertions.transfer_findings(transfers, carrier, START)) == found


def test_lost_success_is_found():
    assert len(assertions.lost("a sign-up", [ALICE, BOB], [ALICE])) == 1
    assert assertions.lost("a sign-up", [ALICE], [ALICE, BOB]) == []


def test_slow_answers_and_too_few_answers_are_found():
    quick = [replace(PAGE, seconds=0.1)] * 19
    assert len(assertions.slow(quick, "home", 0.5)) == 1
    assert assertions.slow([*quick, PAGE], "home", 0.5) == []
    assert len(assertions.slow([*quick, PAGE, *[replace(PAGE, seconds=2)] * 3], "home", 0.5)) == 1


@pytest.mark.parametrize(("status", "found"), [(200, 0), (302, 0), (0, 1), (403, 1), (429, 1), (503, 1)])
def test_refused_probe_is_found_however_quick(status, found):
    answers = [*[PAGE] * assertions.LEAST, *[replace(PAGE, status=status, seconds=0.001)] * 2]
    assert len(assertions.slow(answers, "home", 0.5)) == found


def test_error_after_all_faults_ended_is_found():
    late = [replace(PAGE, at=200.0), replace(PAGE, status=503, at=199.0)]
    assert assertions.not_recovered(late, 199.5) == []
    assert len(assertions.not_recovered(late, 198.0)) == 1
    assert len(assertions.not_recovered(late, 300.0)) == 1  # There were no answers at all.


# --- Single faults and bursts ----------------------------------------------------------------------

READER = replace(PAGE, kind=f"{assertions.READ} customer 0 of aurora", seconds=0.1)
SENDER = replace(PAGE, kind=f"{assertions.FORM} of aurora", who="nobody", signed_in=False)
ENDED = 150.0  # When the fault was over; PAGE came before.


def evaluate_fault(*answers: Answer, **how: Any) -> assertions.FaultResult:
    """Evaluate a fault with enough answers and these."""
    options = {"kills": False, "well": True, **how}
    return assertions.evaluate_fault(
        "a fault", [READER] * assertions.LEAST + list(answers), ENDED, 0, **options
    )


@pytest.mark.parametrize(
    ("answer", "how", "found"),
    [
        (READER, {}, 0),
        (replace(READER, status=503), {}, 0),
        (replace(READER, status=500), {}, 1),
        (replace(READER, status=0), {}, 1),
        (replace(READER, status=502), {"kills": True}, 1),  # nginx retries at the other node.
        (replace(READER, status=0), {"kills": True}, 0),  # It cannot once a part of the page was sent.
        (replace(SENDER, status=502), {"kills": True}, 0),  # It must not.
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
def test_lost_answers_and_late_recovery_are_found(answer, how, found):
    assert len(assertions.fault_findings(evaluate_fault(answer, **how), 15)) == found


def test_too_few_answers_and_foreign_data_are_found():
    too_few = assertions.evaluate_fault("a fault", [READER], ENDED, 0, kills=False, well=True)
    assert len(assertions.fault_findings(too_few, 15)) == 1
    foreign = assertions.evaluate_fault(
        "a fault", [READER] * assertions.LEAST, ENDED, 2, kills=False, well=True
    )
    assert len(assertions.fault_findings(foreign, 15)) == 1


def test_recovery_needs_every_reader_to_be_served_twice_after_the_fault():
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
def test_burst_that_harms_ordinary_pages_is_found(changes, found):
    burst = assertions.Burst("a burst", quiet=0.03, busy=0.29, visitors={200: 100}, own={503: 100})
    assert len(assertions.burst_findings(replace(burst, **changes), 10)) == found


def test_there_are_at_least_30_faults_and_10_that_stop_a_service():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 30
    assert sum(fault.stops_service for fault in FAULTS) >= 10
