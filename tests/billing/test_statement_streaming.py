"""The first view of figures while the carrier is slow: the frame at once, the figures when they come."""

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
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits with the frame."""
    for name in ("PAGE_FRAME", "BALANCE_FRAME"):
        monkeypatch.setattr(balance, name, replace(getattr(balance, name), if_missing=0.05))


def text(part: bytes | str) -> str:
    page = part if isinstance(part, str) else part.decode()
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


@pytest.mark.parametrize("path", PAGES)
def test_the_frame_comes_while_the_carrier_still_works_and_then_the_figures(
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
    assert "We cannot show your figures" not in text(rest)
    assert rest.rstrip().endswith("</html>")


def test_the_carrier_is_asked_once_for_a_page_in_two_parts(
    simulator: Simulator, alice: User, browse: Any, settings: Any
) -> None:
    settings.CARRIER_TIMEOUTS = PATIENT
    simulator.fault("customer_balance", "slow", seconds=0.5)
    page = text(b"".join(browse(AURORA, alice).get(JANUARY).streaming_content))
    assert "$242.09" in page
    assert len(simulator.calls("customer_balance")) == 1


@pytest.mark.parametrize("path", PAGES)
def test_a_carrier_that_hangs_gets_an_honest_end_of_the_page(
    simulator: Simulator, alice: User, browse: Any, settings: Any, path: str
) -> None:
    settings.CARRIER_TIMEOUTS = HASTY
    simulator.fault("customer_balance", "hang")
    response = browse(AURORA, alice).get(path)
    page = b"".join(response.streaming_content).decode()
    assert response.status_code == 200
    assert "We cannot show your figures at the moment." in text(page)
    assert "0.00" not in text(page)
    assert page.rstrip().endswith("</html>")


@pytest.mark.parametrize("path", PAGES)
def test_what_fails_at_once_keeps_its_status(
    simulator: Simulator, alice: User, browse: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.undo()
    simulator.fault("customer_balance", "status", status=500)
    assert browse(AURORA, alice).get(path).status_code == 503


@pytest.mark.parametrize("path", PAGES)
def test_once_figures_are_known_the_page_comes_in_one_part(
    simulator: Simulator, alice: User, browse: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    client = browse(AURORA, alice)
    first = client.get(path)
    assert not first.streaming or b"".join(first.streaming_content)
    assert not client.get(path).streaming


@pytest.mark.parametrize("path", PAGES)
def test_who_asks_for_the_headers_gets_them(
    simulator: Simulator, alice: User, browse: Any, settings: Any, path: str
) -> None:
    settings.CARRIER_TIMEOUTS = HASTY
    simulator.fault("customer_balance", "hang")
    assert browse(AURORA, alice).head(path).content == b""


def test_a_fault_of_ours_still_gives_the_page_its_end(
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
    assert "We cannot show your figures at the moment." in text(page)
    assert page.rstrip().endswith("</html>")
