"""Twelve months under gunicorn: what reaches the visitor when, told by the order of things."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.browser.accounts import ALICE, CUSTOMERS
from tests.browser.actor import Caller, new_address
from tests.support.live_stack import AURORA, Stack, running
from tests.support.timeouts import PATIENCE

LONG = 9  # Seconds that the carrier would take; a call may last 15.
ROW = re.compile(rb'<th scope="row"')


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Iterator[Stack]:
    tmp = tmp_path_factory.mktemp("history")
    with running(tmp, shared, brands=[AURORA], customers={"aurora": CUSTOMERS["aurora"]}) as stack:
        yield stack


@pytest.fixture
def visit(stack: Stack) -> Callable[[], requests.Response]:
    """Opens the page as Alice, of whom nothing is kept, and reads nothing of it yet."""
    stack.fresh()
    stack.sql("DELETE FROM billing_keptstatement")
    caller = Caller(stack, AURORA, new_address())
    caller.sign_in(ALICE)
    url = f"http://127.0.0.1:{stack.port}/history/"
    return lambda: caller.http.get(url, stream=True, timeout=PATIENCE)


def read_until(chunks: Iterator[bytes], words: bytes) -> bytes:
    """What has come when these words have."""
    came = b""
    while words not in came:
        came += next(chunks)
    return came


def calls(stack: Stack) -> list[dict[str, Any]]:
    return stack.carrier.calls("customer_balance")


def wait_for_calls(stack: Stack, number: int) -> None:
    until = time.monotonic() + PATIENCE
    while len(calls(stack)) < number:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_the_frame_is_there_before_the_carrier_has_answered_and_four_are_asked_at_once(
    stack: Stack, visit: Callable[[], requests.Response]
) -> None:
    stack.carrier.fault("customer_balance", "slow", seconds=LONG)
    response = visit()
    chunks = response.iter_content(None)
    frame = read_until(chunks, b"<tbody")
    assert b"The months are arriving." in frame
    wait_for_calls(stack, 4)
    time.sleep(0.3)  # Room for a fifth, which must not come.
    assert [call["status"] for call in calls(stack)] == [None] * 4
    assert not ROW.search(frame)
    stack.carrier.post("faults/clear")
    page = frame + b"".join(chunks)
    assert len(ROW.findall(page)) == 12
    assert b"</figure>" in page
    assert page.rstrip().endswith(b"</html>")
    assert [call["status"] for call in calls(stack)] == [200] * 12
    assert len({call["query"]["from_date"] for call in calls(stack)}) == 12


def test_a_month_is_there_while_later_ones_are_still_asked_for(
    stack: Stack, visit: Callable[[], requests.Response]
) -> None:
    stack.carrier.fault("customer_balance", "slow", seconds=0, times=1)
    stack.carrier.fault("customer_balance", "slow", seconds=LONG)
    chunks = visit().iter_content(None)
    came = read_until(chunks, b"</td>")
    assert len(ROW.findall(came)) < 12
    assert None in [call["status"] for call in calls(stack)]
    stack.carrier.post("faults/clear")
    assert len(ROW.findall(came + b"".join(chunks))) == 12


def test_a_second_visit_makes_no_call(stack: Stack, visit: Callable[[], requests.Response]) -> None:
    first, again = visit().content, visit().content
    assert len(calls(stack)) == 12
    assert len(ROW.findall(again)) == len(ROW.findall(first)) == 12
    assert visit().headers["Cache-Control"] == "no-store"


def test_a_visitor_who_leaves_frees_the_server_and_two_at_once_make_one_call_each(
    stack: Stack, visit: Callable[[], requests.Response]
) -> None:
    stack.carrier.fault("customer_balance", "slow", seconds=LONG)
    gone = visit()
    read_until(gone.iter_content(None), b"<tbody")
    wait_for_calls(stack, 4)
    gone.close()
    other = visit().iter_content(None)
    read_until(other, b"<tbody")
    stack.carrier.post("faults/clear")
    assert len(ROW.findall(b"".join(other))) == 12
    assert len({call["query"]["from_date"] for call in calls(stack)}) == len(calls(stack)) == 12
