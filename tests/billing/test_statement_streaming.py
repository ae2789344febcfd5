"""Without cached figures, statement pages send their frame at once and the figures when they arrive."""

import html
import re
from dataclasses import replace
from typing import Any

import pytest

from accounts.models import User
from billing.views import balance
from portal.models import Brand
from tests.conftest import AURORA, Simulator
from tests.support.timeouts import HASTY, PATIENT

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("threads")]
JANUARY = "/statement/?from_date=2020-01-01&to_date=2020-01-31"
PAGES = ["/", JANUARY]


@pytest.fixture(autouse=True)
def quick_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send the frame almost at once."""
    for name in ("PAGE_FRAME", "BALANCE_FRAME"):
        monkeypatch.setattr(balance, name, replace(getattr(balance, name), if_missing=0.05))


def text(part: bytes | str) -> str:
    page = part if isinstance(part, str) else part.decode()
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


@pytest.mark.parametrize("path", PAGES)
def test_frame_is_sent_first_and_figures_when_the_carrier_answers(
    simulator: Simulator, alice: User, browse: Any, settings: Any, path: str
) -> None:
    settings.CARRIER_TIMEOUTS = PATIENT
    simulator.fault("customer_balance", "slow", seconds=PATIENT.total)
    response = browse(AURORA, alice).get(path)
    assert response.streaming
    parts = iter(response.streaming_content)
    frame = next(parts).decode()
    assert "getting your latest amounts" in text(frame)
    assert 'href="/history/"' in frame  # The navigation is there.
    assert "242.09" not in frame
    simulator.post("faults/clear")
    rest = b"".join(parts).decode()
    assert "A$" in text(rest) or "$" in text(rest)
    assert "We can't show your balance" not in text(rest)
    assert rest.rstrip().endswith("</html>")


def test_page_in_two_parts_makes_one_call(
    simulator: Simulator, alice: User, browse: Any, settings: Any
) -> None:
    settings.CARRIER_TIMEOUTS = PATIENT
    simulator.fault("customer_balance", "slow", seconds=0.5)
    page = text(b"".join(browse(AURORA, alice).get(JANUARY).streaming_content))
    assert "$242.09" in page
    assert len(simulator.calls("customer_balance")) == 1


@pytest.mark.parametrize("path", PAGES)
def test_page_ends_with_an_error_when_the_carrier_hangs(
    simulator: Simulator, alice: User, browse: Any, settings: Any, path: str
) -> None:
    settings.CARRIER_TIMEOUTS = HASTY
    simulator.fault("customer_balance", "hang")
    response = browse(AURORA, alice).get(path)
    page = b"".join(response.streaming_content).decode()
    assert response.status_code == 200
    assert "We can't show your balance right now" in text(page)
    assert "0.00" not in text(page)
    assert page.rstrip().endswith("</html>")


@pytest.mark.parametrize("path", PAGES)
def test_immediate_failure_has_an_error_status(
    simulator: Simulator, alice: User, browse: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.undo()
    simulator.fault("customer_balance", "status", status=500)
    assert browse(AURORA, alice).get(path).status_code == 503


@pytest.mark.parametrize("path", PAGES)
def test_page_with_cached_figures_is_not_streamed(
    simulator: Simulator, alice: User, browse: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    client = browse(AURORA, alice)
    first = client.get(path)
    assert not first.streaming or b"".join(first.streaming_content)
    assert not client.get(path).streaming


@pytest.mark.parametrize("path", PAGES)
def test_head_request_has_an_empty_body(
    simulator: Simulator, alice: User, browse: Any, settings: Any, path: str
) -> None:
    settings.CARRIER_TIMEOUTS = HASTY
    simulator.fault("customer_balance", "hang")
    assert browse(AURORA, alice).head(path).content == b""


def test_page_is_complete_after_an_internal_error(
    simulator: Simulator,
    aurora: Brand,
    alice: User,
    browse: Any,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.CARRIER_TIMEOUTS = HASTY
    simulator.fault("customer_balance", "hang")
    response = browse(AURORA, alice).get("/")

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("ours")

    monkeypatch.setattr("billing.views.context.build_figures_context", fail)
    page = b"".join(response.streaming_content).decode()
    assert "We can't show your balance right now" in text(page)
    assert page.rstrip().endswith("</html>")
