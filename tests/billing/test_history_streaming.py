"""Stream the history page through gunicorn and check the order in which its parts arrive."""

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

LONG = 9  # Seconds the slow carrier takes to answer; a call may last 15.
ROW = re.compile(rb'<th scope="row"')


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Iterator[Stack]:
    tmp = tmp_path_factory.mktemp("history")
    with running(tmp, shared, brands=[AURORA], customers={"aurora": CUSTOMERS["aurora"]}) as stack:
        yield stack


@pytest.fixture
def visit(stack: Stack) -> Callable[[], requests.Response]:
    """Return a function that opens the page as Alice, with nothing cached and the body still unread."""
    stack.fresh()
    stack.sql("DELETE FROM billing_keptstatement")
    caller = Caller(stack, AURORA, new_address())
    caller.sign_in(ALICE)
    url = f"http://127.0.0.1:{stack.port}/history/"
    return lambda: caller.http.get(url, stream=True, timeout=PATIENCE)


def read_until(chunks: Iterator[bytes], words: bytes) -> bytes:
    """Return the bytes received once they contain these words."""
    received = b""
    while words not in received:
        received += next(chunks)
    return received


def calls(stack: Stack) -> list[dict[str, Any]]:
    return stack.carrier.calls("customer_balance")


def wait_for_calls(stack: Stack, number: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while len(calls(stack)) < number:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_frame_is_sent_before_any_answer_and_four_calls_run_at_once(
    stack: Stack, visit: Callable[[], requests.Response]
) -> None:
    stack.carrier.fault("customer_balance", "slow", seconds=LONG)
    response = visit()
    chunks = response.iter_content(None)
    frame = read_until(chunks, b"<tbody")
    assert "Loading your last 12 months…".encode() in frame
    wait_for_calls(stack, 4)
    time.sleep(0.3)  # Time for a fifth call, which must not be made.
    assert [call["status"] for call in calls(stack)] == [None] * 4
    assert not ROW.search(frame)
    stack.carrier.post("faults/clear")
    page = frame + b"".join(chunks)
    assert len(ROW.findall(page)) == 12
    assert b"</figure>" in page
    assert page.rstrip().endswith(b"</html>")
    assert [call["status"] for call in calls(stack)] == [200] * 12
    assert len({call["query"]["from_date"] for call in calls(stack)}) == 12


def test_month_is_sent_while_later_months_are_being_fetched(
    stack: Stack, visit: Callable[[], requests.Response]
) -> None:
    stack.carrier.fault("customer_balance", "slow", seconds=0, times=1)
    stack.carrier.fault("customer_balance", "slow", seconds=LONG)
    chunks = visit().iter_content(None)
    received = read_until(chunks, b"</td>")
    assert len(ROW.findall(received)) < 12
    assert None in [call["status"] for call in calls(stack)]
    stack.carrier.post("faults/clear")
    assert len(ROW.findall(received + b"".join(chunks))) == 12


def test_second_visit_makes_no_call(stack: Stack, visit: Callable[[], requests.Response]) -> None:
    first, second = visit().content, visit().content
    assert len(calls(stack)) == 12
    assert len(ROW.findall(second)) == len(ROW.findall(first)) == 12
    assert visit().headers["Cache-Control"] == "no-store"


def test_disconnect_frees_the_server_and_two_visitors_share_each_call(
    stack: Stack, visit: Callable[[], requests.Response]
) -> None:
    stack.carrier.fault("customer_balance", "slow", seconds=LONG)
    disconnected = visit()
    read_until(disconnected.iter_content(None), b"<tbody")
    wait_for_calls(stack, 4)
    disconnected.close()
    other = visit().iter_content(None)
    read_until(other, b"<tbody")
    stack.carrier.post("faults/clear")
    assert len(ROW.findall(b"".join(other))) == 12
    assert len({call["query"]["from_date"] for call in calls(stack)}) == len(calls(stack)) == 12
