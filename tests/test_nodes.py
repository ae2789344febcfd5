"""Two nodes behind nginx, which keep nothing: any request may go to either, and either may die."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests import nodes, steps
from tests.conftest import ADMIN, AURORA
from tests.front import Visitor, code_from, leading
from tests.nodes import Nodes, Person

CUSTOMERS = [Person("aurora", f"c{number}@example.com", str(number)) for number in range(760_001, 760_021)]
STAFF = [Person("aurora", f"{name}@example.com") for name in ("sam", "sue", "tess")]
ALICE, *OTHERS = CUSTOMERS


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Two nodes, twenty customers of Aurora, three people who work for it."""
    if lacking := nodes.missing():
        pytest.skip(lacking)
    tmp, base = tmp_path_factory.mktemp("nodes"), tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with nodes.running(tmp, shared, [*CUSTOMERS, *STAFF]) as running, leading(running.front):
        yield running


@pytest.fixture
def visitor(site: Nodes) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors, each from an address of its own."""
    with ExitStack() as closing:

        def make(address: str, host: str = AURORA) -> Visitor:
            made = Visitor(site.front, address, host)
            closing.callback(made.session.close)
            return made

        yield make


@pytest.fixture
def nodes_asked() -> list[str]:
    """Which node answered, request by request."""
    return []


def noting(who: Visitor, asked: list[str]) -> Visitor:
    """The same visitor, whose every answer is noted, with the node that gave it."""
    who.session.hooks["response"].append(lambda answer, **_: asked.append(answer.headers["X-Node"]))
    return who


def take_turns(asked: list[str]) -> bool:
    """Whether no two requests in a row went to one node."""
    return len(set(asked)) == 2 and all(one != other for one, other in zip(asked, asked[1:], strict=False))


def test_a_journey_whose_every_request_goes_to_the_other_node(site, visitor):
    carrier, asked = site.stack.carrier, list[str]()
    dora, email = noting(visitor("127.0.7.1"), asked), "dora@example.com"
    assert steps.sign_up(dora, carrier, email).headers["Location"] == "/sign-up/confirm/"
    assert steps.confirm(dora, carrier, email).headers["Location"] == "/sign-in/code/"
    signed_in = dora.send("/sign-in/code/", {"code": code_from(carrier, email)})
    assert (signed_in.status_code, signed_in.headers["Location"]) == (302, "/")
    assert "Dora" in dora.open("/").text
    for path in ("/", "/statement/", "/statement.csv", "/statement.pdf", "/history/", "/account/"):
        assert dora.open(path).status_code == 200, path
    assert "ticket=" in steps.open_account(dora, carrier).headers["Location"]
    assert steps.reset_password(dora, carrier, email).headers["Location"] == "/password-reset/sent/"
    assert email in dora.open("/password-reset/sent/").text
    new = "dora@new.example"
    assert dora.send("/account/email/", {"email": new}).headers["Location"] == "/account/email/code/"
    changed = dora.send("/account/email/code/", {"code": code_from(carrier, new)})
    assert (changed.status_code, changed.headers["Location"]) == (302, "/account/")
    page = dora.open("/account/")
    assert new in page.text
    dora.post("/sign-out/", steps.hidden(page))
    assert dora.open("/account/").status_code == 302
    assert take_turns(asked), asked
