"""Two nodes behind nginx, which keep nothing: any request may go to either, and either may die."""

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import requests

from tests import nodes, steps
from tests.conftest import ADMIN, AURORA
from tests.front import Visitor, code_from, leading
from tests.nodes import Node, Nodes, Person
from tests.soak import books, verdict
from tests.soak.verdict import Seen

CUSTOMERS = [Person("aurora", f"c{number}@example.com", str(number)) for number in range(760_001, 760_021)]
STAFF = [Person("aurora", f"{name}@example.com") for name in ("sam", "sue", "tess", "uma")]
ALICE, *OTHERS = CUSTOMERS


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Two nodes, twenty customers of Aurora, four people who work for it."""
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


def noting(who: Visitor, asked: list[str]) -> Visitor:
    """The same visitor, whose every answer is noted, with the node that gave it."""
    who.session.hooks["response"].append(lambda answer, **_: asked.append(answer.headers["X-Node"]))
    return who


def take_turns(asked: list[str]) -> bool:
    """Whether no two requests in a row went to one node."""
    return len(set(asked)) == 2 and all(one != other for one, other in itertools.pairwise(asked))


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


def test_staff_sign_in_and_move_funds_over_both_nodes(site, visitor):
    asked, key, carrier = list[str](), site.key_of(ALICE.email), site.stack.carrier
    sent = len(carrier.calls("move_funds"))
    sam = noting(visitor("127.0.7.2", ADMIN), asked)
    assert steps.staff_sign_in(sam, "sam@example.com").headers["Location"] == "/admin/"
    assert sam.open("/admin/").status_code == 200
    fields, _ = steps.begin_move(sam, key, "12.34")
    answer = steps.confirm_move(sam, key, fields)
    assert answer.status_code == 303
    assert "The carrier has moved the money" in sam.open(answer.headers["Location"]).text
    assert [move["state"] for move in site.moves() if move["account_number"] == ALICE.number] == ["done"]
    again = steps.confirm_move(sam, key, fields)
    assert again.headers["Location"] == answer.headers["Location"]
    assert len(carrier.calls("move_funds")) == sent + 1
    assert take_turns(asked), asked


def next_node(site: Nodes, answer: requests.Response) -> Node:
    """Who gets the next request: not the one that has just answered."""
    return next(node for node in site.nodes if node.address != answer.headers["X-Node"])


@contextmanager
def killed_over(site: Nodes, method: str, node: Node, job: Callable[[], Any]) -> Iterator[Future[Any]]:
    """A request for which a node is killed while it waits for the carrier; it is started again afterwards."""
    carrier = site.stack.carrier
    before = len(carrier.calls(method))
    carrier.fault(method, "slow", seconds=2, times=1)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(job)
        until = time.monotonic() + 10
        while len(carrier.calls(method)) == before and time.monotonic() < until:
            time.sleep(0.02)
        node.kill()
        try:
            yield answer
        finally:
            time.sleep(2)  # The carrier ends what it has begun, whoever is gone.
            node.start()
            node.ready()


def test_a_move_whose_node_died_over_it_is_unknown_after_a_minute_and_is_never_sent_again(site, visitor):
    bob, carrier = OTHERS[0], site.stack.carrier
    key, sue = site.key_of(bob.email), visitor("127.0.7.3", ADMIN)
    steps.staff_sign_in(sue, "sue@example.com")
    fields, seen = steps.begin_move(sue, key, "23.45")
    node, sent = next_node(site, seen), len(carrier.calls("move_funds"))
    with killed_over(site, "move_funds", node, lambda: steps.confirm_move(sue, key, fields)) as answer:
        assert answer.result().status_code == 502
        (move,) = (each for each in site.moves() if each["account_number"] == bob.number)
        assert move["state"] == "dispatched"
        assert steps.begin_move(sue, key, "1")[0] == {}  # Nothing more for this customer.
        site.stack.sql("UPDATE billing_move SET dispatched_at = dispatched_at - interval '61 s'")
        told = steps.confirm_move(sue, key, fields)
        assert told.status_code == 303
        assert "We do not know whether the money moved" in sue.open(told.headers["Location"]).text
    assert len(carrier.calls("move_funds")) == sent + 1


def test_a_page_whose_node_died_over_it_comes_from_the_other_once_the_claim_has_run_out(site, visitor):
    carol, carrier = OTHERS[1], site.stack.carrier
    browser = visitor("127.0.7.4")
    node = next_node(site, steps.sign_in(browser, carrier, carol.email))
    path = "/statement/?from_date=2020-01-01&to_date=2020-01-31"
    with killed_over(site, "customer_balance", node, lambda: browser.open(path)) as answer:
        (claim,) = site.rows(
            "SELECT extract(epoch FROM claimed_until - now()) AS left FROM billing_keptstatement"
            " WHERE claimed_until IS NOT NULL AND account_number = %s",
            carol.number,
        )
        assert 0 < claim["left"] < 17
        site.stack.sql("UPDATE billing_keptstatement SET claimed_until = claimed_until - interval '17 s'")
        page = answer.result()
    assert page.status_code == 200
    assert "1,000.00" in page.text
    assert [call["status"] for call in carrier.calls("customer_balance")][-1] == 200


class Crowd:
    """Visitors in threads, until they are told to stop; what they were promised, and what they saw."""

    def __init__(self, site: Nodes) -> None:
        self.site, self.over = site, threading.Event()
        self.signed_up: list[str] = []
        self.moved: list[str] = []
        self.seen: list[Seen] = []

    def _visitor(self, kind: str, address: str, host: str = AURORA) -> Visitor:
        def note(answer: requests.Response, **_: Any) -> None:
            told, now = answer.headers.get("Location", ""), time.monotonic()
            length = answer.elapsed.total_seconds()
            self.seen.append(
                Seen(kind, "aurora", "", answer.status_code, length, now, kind == "page", location=told)
            )

        made = Visitor(self.site.front, address, host)
        made.session.hooks["response"].append(note)
        return made

    def new_customers(self, nth: int) -> None:
        """One after the other signs up."""
        for each in itertools.count():
            visitor = self._visitor("sign-up", f"127.0.8{nth}.{each % 250 + 1}")
            email = f"new{nth}-{each}@example.com"
            with visitor.session, suppress(AssertionError):  # Instead of the form came a 502.
                if steps.sign_up(visitor, self.site.stack.carrier, email).status_code == 302:
                    self.signed_up.append(email)
            if self.over.is_set():
                return

    def reader(self, nth: int) -> None:
        """A customer who signs in once and then reads."""
        who = self._visitor("sign-in", f"127.0.90.{nth + 1}")
        assert steps.sign_in(who, self.site.stack.carrier, CUSTOMERS[-1 - nth].email).status_code == 302
        who.session.close()
        reading = self._visitor("page", f"127.0.90.{nth + 1}")
        reading.session.cookies = who.session.cookies
        with reading.session:
            while not self.over.is_set():
                for path in ("/", "/account/", "/statement/"):
                    reading.open(path)

    def staff(self, nth: int) -> None:
        """Moves funds to one customer after the other; no amount comes twice."""
        tess = self._visitor("staff", f"127.0.91.{nth + 1}", ADMIN)
        with tess.session:
            assert steps.staff_sign_in(tess, STAFF[2 + nth].email).status_code == 302
            for each in itertools.count(1):
                customer = OTHERS[2 + (each * 2 + nth) % 14]
                self._move(tess, self.site.key_of(customer.email), f"{each}.{nth + 1}")
                if self.over.is_set():
                    return

    def _move(self, tess: Visitor, key: int, amount: str) -> None:
        fields, _ = steps.begin_move(tess, key, amount)
        if fields:
            answer = steps.confirm_move(tess, key, fields)
            if answer.status_code == 303:
                self.moved.append(fields["operation"])


def test_a_node_killed_under_load_loses_nothing_that_was_answered(site):
    crowd, carrier, victim = Crowd(site), site.stack.carrier, site.nodes[0]
    before = {"moves": site.moves(), "partner": books.partner_of(carrier, "aurora")}
    known = {move["operation"] for move in before["moves"]}
    paid = books.read(carrier, "aurora", [each.number for each in CUSTOMERS], before["partner"])
    jobs = [job for job in (crowd.new_customers, crowd.reader, crowd.staff) for _ in range(2)]
    with ThreadPoolExecutor(len(jobs)) as pool:
        running = [pool.submit(job, nth % 2) for nth, job in enumerate(jobs)]
        time.sleep(2.5)
        victim.kill()
        time.sleep(1.5)
        alone = len(crowd.seen)
        time.sleep(1)
        served_alone = crowd.seen[alone:]
        victim.start()
        victim.ready()
        time.sleep(1.5)
        crowd.over.set()
        for each in running:
            each.result(timeout=60)
    assert {answer.status for answer in served_alone} <= {200, 302, 303}
    assert len(served_alone) > 3
    assert verdict.failures(crowd.seen, victim.ends) == []
    assert verdict.signed_out(crowd.seen) == []
    users = [row["email"] for row in site.rows("SELECT email FROM accounts_user")]
    assert len(crowd.signed_up) > 2
    assert verdict.lost("a sign-up", crowd.signed_up, users) == []
    moves = [move for move in site.moves() if move["operation"] not in known]
    assert len(crowd.moved) > 2
    assert verdict.lost("a move", crowd.moved, [move["operation"] for move in moves]) == []
    assert all(move["state"] == "done" for move in moves if move["operation"] in crowd.moved)
    now = books.read(carrier, "aurora", [each.number for each in CUSTOMERS], before["partner"])
    fresh = {number: list(amounts)[len(paid.booked[number]) :] for number, amounts in now.booked.items()}
    balances = {number: balance - sum(paid.booked[number]) for number, balance in now.balances.items()}
    assert verdict.money(moves, replace(now, booked=fresh, balances=balances), Decimal(nodes.BALANCE)) == []
