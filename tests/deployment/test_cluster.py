"""Two nodes behind nginx, which keep nothing: any request may go to either, and either may die."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import ADMIN, AURORA
from tests.soak import assertions, ledgers
from tests.soak.assertions import Seen
from tests.support import cluster, http_steps
from tests.support.cluster import Node, Nodes, Person
from tests.support.nginx import Visitor, code_from, leading
from tests.support.timeouts import eventually

CUSTOMERS = [Person("aurora", f"c{number}@example.com", str(number)) for number in range(760_001, 760_021)]
STAFF = [Person("aurora", f"{name}@example.com") for name in ("sam", "sue", "tess", "uma", "vera", "wes")]
ALICE, *OTHERS = CUSTOMERS
# Of the 16 threads of each node half may wait for carriers, and of those half for one brand's.
MAY_WAIT = 2 * 4


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Iterator[Nodes]:
    """Two nodes, twenty customers of Aurora, four people who work for it."""
    if lacking := cluster.missing():
        pytest.skip(lacking)
    tmp = tmp_path_factory.mktemp("nodes")
    with cluster.running(tmp, shared, [*CUSTOMERS, *STAFF]) as running, leading(running.front):
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
    assert http_steps.sign_up(dora, carrier, email).headers["Location"] == "/sign-up/confirm/"
    assert http_steps.confirm(dora, carrier, email).headers["Location"] == "/sign-in/code/"
    signed_in = dora.send("/sign-in/code/", {"code": code_from(carrier, email)})
    assert (signed_in.status_code, signed_in.headers["Location"]) == (302, "/")
    assert "Dora" in dora.open("/").text
    for path in ("/", "/statement/", "/statement.csv", "/statement.pdf", "/history/", "/account/"):
        assert dora.open(path).status_code == 200, path
    assert "ticket=" in http_steps.open_account(dora, carrier).headers["Location"]
    assert http_steps.reset_password(dora, carrier, email).headers["Location"] == "/password-reset/sent/"
    assert email in dora.open("/password-reset/sent/").text
    new = "dora@new.example"
    assert dora.send("/account/email/", {"email": new}).headers["Location"] == "/account/email/code/"
    changed = dora.send("/account/email/code/", {"code": code_from(carrier, new)})
    assert (changed.status_code, changed.headers["Location"]) == (302, "/account/")
    page = dora.open("/account/")
    assert new in page.text
    dora.post("/sign-out/", http_steps.hidden(page))
    assert dora.open("/account/").status_code == 302
    assert take_turns(asked), asked


def test_staff_sign_in_and_move_funds_over_both_nodes(site, visitor):
    asked, key, carrier = list[str](), site.key_of(ALICE.email), site.stack.carrier
    sent = len(carrier.calls("move_funds"))
    sam = noting(visitor("127.0.7.2", ADMIN), asked)
    assert http_steps.staff_sign_in(sam, "sam@example.com").headers["Location"] == "/admin/"
    assert sam.open("/admin/").status_code == 200
    fields, _ = http_steps.begin_move(sam, key, "12.34")
    answer = http_steps.confirm_move(sam, key, fields)
    assert answer.status_code == 303
    assert "The carrier has moved the money" in sam.open(answer.headers["Location"]).text
    assert [transfer["state"] for transfer in site.moves() if transfer["account_number"] == ALICE.number] == [
        "done"
    ]
    again = http_steps.confirm_move(sam, key, fields)
    assert again.headers["Location"] == answer.headers["Location"]
    assert len(carrier.calls("move_funds")) == sent + 1
    assert take_turns(asked), asked


def next_node(site: Nodes, answer: requests.Response) -> Node:
    """Who gets the next request: not the one that has just answered."""
    return next(node for node in site.nodes if node.address != answer.headers["X-Node"])


def turn_to(site: Nodes, who: Visitor, node: Node) -> None:
    """Whatever comes next goes to this node: nginx gives the other's turn to a question for its health."""
    while next_node(site, who.open("/healthz")) is not node:
        pass


def open_at(site: Nodes, node: Node, who: Visitor, path: str) -> requests.Response:
    """A page from this node."""
    turn_to(site, who, node)
    answer = who.open(path)
    assert answer.headers["X-Node"] == node.address
    return answer


@pytest.mark.parametrize("first", [0, 1], ids=["first-node", "other-node"])
def test_twenty_forms_a_minute_are_taken_from_a_network_over_both_nodes(site, visitor, first):
    mallory = visitor(f"127.0.7.{10 + first}")
    fields, asked = http_steps.hidden(mallory.open("/password-reset/")), list[str]()
    turn_to(site, mallory, site.nodes[first])
    noting(mallory, asked)

    def post(nth: int) -> int:
        typed = {"email": f"nobody{first}-{nth}@example.com", "g-recaptcha-response": "junk"}
        return mallory.post("/password-reset/", {**fields, **typed}).status_code

    statuses = [post(nth) for nth in range(22)]
    assert asked[0] == asked[20] == site.nodes[first].address
    assert take_turns(asked), asked
    assert 429 not in statuses[:20]
    assert statuses[20:] == [429, 429]


@pytest.mark.parametrize("first", [0, 1], ids=["first-node", "other-node"])
def test_ten_codes_an_hour_are_mailed_to_an_address_over_both_nodes(site, visitor, first):
    email, carrier, asked, statuses = f"flooded{first}@example.com", site.stack.carrier, list[str](), []
    for network, codes in enumerate((3, 3, 3, 1, 2), 1):  # No network gets more than three.
        browser = noting(visitor(f"127.0.{10 + first}.{network}"), asked)
        fields = http_steps.hidden(browser.open("/sign-in/"))
        if codes == 2:
            turn_to(site, browser, site.nodes[first])
        posts = [browser.post("/sign-in/", {**fields, "email": email}) for _ in range(codes)]
        statuses += [answer.status_code for answer in posts]
    assert posts[0].headers["X-Node"] == site.nodes[first].address
    assert take_turns(asked), asked
    assert statuses == [302] * 10 + [429] * 2
    assert len(carrier.mails(email)) == 10


def test_what_failed_at_one_node_closes_nothing_at_the_other(site, visitor):
    carrier, (one, other) = site.stack.carrier, site.nodes
    dan, eve = visitor("127.0.7.5"), visitor("127.0.7.6")
    http_steps.sign_in(dan, carrier, OTHERS[2].email)
    http_steps.sign_in(eve, carrier, OTHERS[3].email)
    carrier.fault("customer_balance", "status", status=500)
    before = len(carrier.calls())
    for day, who in enumerate((dan, eve, dan, eve, dan, eve), 1):
        assert open_at(site, one, who, a_day(2019, day)).status_code == 503
    assert len(carrier.calls()) == before + 5  # The sixth is spared: each node is one process.
    carrier.post("faults/clear")
    assert {open_at(site, other, who, a_day(2019, 7)).status_code for who in (dan, eve)} == {200}
    spared = open_at(site, one, dan, a_day(2019, 8))
    assert spared.status_code == 503
    assert 0 < int(spared.headers["Retry-After"]) <= 30


def a_day(year: int, day: int) -> str:
    """The statement of one day; no test asks twice for the same."""
    return "/statement/?from_date={0}&to_date={0}".format(f"{year}-{day // 28 + 1:02}-{day % 28 + 1:02}")


def test_sign_in_and_health_answer_at_once_while_all_who_may_wait_for_a_carrier_that_hangs(site, visitor):
    carrier, tabs = site.stack.carrier, list[Visitor]()
    for nth, customer in enumerate(OTHERS[4:8], 1):
        first, *more = (visitor(f"127.0.12.{nth}") for _ in range(10))
        http_steps.sign_in(first, carrier, customer.email)
        for tab in more:
            tab.session.cookies.update(first.session.cookies)
        tabs += [first, *more]
    before, probe = len(carrier.calls("customer_balance")), visitor("127.0.7.7")
    carrier.fault("customer_balance", "hang")
    with ThreadPoolExecutor(len(tabs)) as pool:
        pages = [pool.submit(tab.open, a_day(2018, nth)) for nth, tab in enumerate(tabs)]
        try:
            until = time.monotonic() + 8
            while sum(not page.done() for page in pages) > MAY_WAIT and time.monotonic() < until:
                time.sleep(0.02)
            waiting = sum(not page.done() for page in pages)
            seen = [probed(probe, path) for _ in range(20) for path in ("/sign-in/", "/healthz")]
        finally:
            carrier.post("faults/clear")
    # Far from the fifteen seconds of whoever waits for the carrier.
    assert [each for kind in ("/sign-in/", "/healthz") for each in assertions.slow(seen, kind, 5)] == []
    assert {each.status for each in seen} == {200}
    assert waiting == MAY_WAIT
    assert len(carrier.calls("customer_balance")) - before >= MAY_WAIT


def probed(probe: Visitor, path: str) -> Seen:
    """How a page was answered, and whether at all."""
    begun, status = time.monotonic(), 0
    with suppress(requests.RequestException):
        status = probe.open(path).status_code
    ended = time.monotonic()
    return Seen(path, "aurora", "", status, ended - begun, ended)


@contextmanager
def killed_over(site: Nodes, method: str, node: Node, job: Callable[[], Any]) -> Iterator[Future[Any]]:
    """A request for which a node is killed while it waits for the carrier; it is started again afterwards."""
    carrier = site.stack.carrier
    before = len(carrier.calls(method))
    carrier.fault(method, "slow", seconds=4, times=1)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(job)
        assert eventually(lambda: len(carrier.calls(method)) > before)
        node.kill()
        try:
            yield answer
        finally:
            time.sleep(4)  # The carrier ends what it has begun, whoever is gone.
            node.start()
            node.ready()


def test_a_move_whose_node_died_over_it_is_unknown_after_a_minute_and_is_never_sent_again(site, visitor):
    bob, carrier = OTHERS[0], site.stack.carrier
    key, sue = site.key_of(bob.email), visitor("127.0.7.3", ADMIN)
    http_steps.staff_sign_in(sue, "sue@example.com")
    fields, seen = http_steps.begin_move(sue, key, "23.45")
    node, sent = next_node(site, seen), len(carrier.calls("move_funds"))
    with killed_over(site, "move_funds", node, lambda: http_steps.confirm_move(sue, key, fields)) as answer:
        assert answer.result().status_code == 502
        (transfer,) = (each for each in site.moves() if each["account_number"] == bob.number)
        assert transfer["state"] == "dispatched"
        assert http_steps.begin_move(sue, key, "1")[0] == {}  # Nothing more for this customer.
        site.stack.sql("UPDATE billing_move SET dispatched_at = dispatched_at - interval '61 s'")
        told = http_steps.confirm_move(sue, key, fields)
        assert told.status_code == 303
        assert "We do not know whether the money moved" in sue.open(told.headers["Location"]).text
    assert len(carrier.calls("move_funds")) == sent + 1


def test_a_page_whose_node_died_over_it_comes_from_the_other_once_the_claim_has_run_out(site, visitor):
    carol, carrier = OTHERS[1], site.stack.carrier
    browser = visitor("127.0.7.4")
    node = next_node(site, http_steps.sign_in(browser, carrier, carol.email))
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
    """Visitors in threads, until they are told to stop; what they were promised, and what they saw.

    `pause`: seconds between two sign-ups or moves of one person; without, they soon meet the limits.
    """

    def __init__(self, site: Nodes, pause: float = 0) -> None:
        self.site, self.pause, self.over = site, pause, threading.Event()
        self.signed_up: list[str] = []
        self.moved: list[str] = []
        self.inside: list[str] = []  # Those who have signed in: a form that is lost there would end them.
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

    @contextmanager
    def about(self, *numbers: int) -> Iterator[None]:
        """Of each kind one for each number; no number comes twice in a site's life."""
        jobs = [(job, nth) for job in (self.new_customers, self.reader, self.staff) for nth in numbers]
        with ThreadPoolExecutor(len(jobs)) as pool:
            running = [pool.submit(job, nth) for job, nth in jobs]
            try:
                yield
            finally:
                self.over.set()
            for each in running:
                each.result(timeout=60)

    def new_customers(self, nth: int) -> None:
        """One after the other signs up."""
        for each in itertools.count():
            visitor = self._visitor("sign-up", f"127.0.8{nth}.{each % 250 + 1}")
            email = f"new{nth}-{each}@example.com"
            with visitor.session, suppress(AssertionError):  # Instead of the form came a 502.
                if http_steps.sign_up(visitor, self.site.stack.carrier, email).status_code == 302:
                    self.signed_up.append(email)
            if self.over.wait(self.pause):
                return

    def reader(self, nth: int) -> None:
        """A customer who signs in once and then reads."""
        who = self._visitor("sign-in", f"127.0.90.{nth + 1}")
        assert http_steps.sign_in(who, self.site.stack.carrier, CUSTOMERS[-1 - nth].email).status_code == 302
        self.inside.append(f"reader {nth}")
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
            assert http_steps.staff_sign_in(tess, STAFF[2 + nth].email).status_code == 302
            self.inside.append(f"staff {nth}")
            for each in itertools.count(1):
                # No two share a customer: a move that a node's death left open stops the next one.
                customer = OTHERS[2 + nth // 2 * 8 + (each * 2 + nth) % 8]
                self._move(tess, self.site.key_of(customer.email), f"{each}.{nth + 1}")
                if self.over.wait(self.pause):
                    return

    def _move(self, tess: Visitor, key: int, amount: str) -> None:
        fields, _ = http_steps.begin_move(tess, key, amount)
        if fields:
            answer = http_steps.confirm_move(tess, key, fields)
            if answer.status_code == 303:
                self.moved.append(fields["operation"])


def test_a_node_killed_under_load_loses_nothing_that_was_answered(site):
    crowd, carrier, victim = Crowd(site), site.stack.carrier, site.nodes[0]
    before = {"moves": site.moves(), "partner": ledgers.partner_of(carrier, "aurora")}
    known = {transfer["operation"] for transfer in before["moves"]}
    paid = ledgers.read(carrier, "aurora", [each.number for each in CUSTOMERS], before["partner"])
    with crowd.about(0, 1):
        assert eventually(lambda: len(crowd.seen) > 20 and len(crowd.inside) == 4)
        victim.kill()
        time.sleep(1.5)  # Until nginx leaves it alone.
        alone = len(crowd.seen)
        assert eventually(lambda: len(crowd.seen) > alone + 3)
        served_alone = crowd.seen[alone:]
        victim.start()
        victim.ready()
        assert eventually(lambda: min(len(crowd.signed_up), len(crowd.moved)) > 2)
    assert {answer.status for answer in served_alone} <= {200, 302, 303}
    assert assertions.failures(crowd.seen, victim.ends) == []
    assert assertions.signed_out(crowd.seen) == []
    users = [row["email"] for row in site.rows("SELECT email FROM accounts_user")]
    assert assertions.lost("a sign-up", crowd.signed_up, users) == []
    transfers = [transfer for transfer in site.moves() if transfer["operation"] not in known]
    assert assertions.lost("a move", crowd.moved, [transfer["operation"] for transfer in transfers]) == []
    assert all(transfer["state"] == "done" for transfer in transfers if transfer["operation"] in crowd.moved)
    now = ledgers.read(carrier, "aurora", [each.number for each in CUSTOMERS], before["partner"])
    fresh = {number: list(amounts)[len(paid.booked[number]) :] for number, amounts in now.booked.items()}
    balances = {number: balance - sum(paid.booked[number]) for number, balance in now.balances.items()}
    assert (
        assertions.money(transfers, replace(now, booked=fresh, balances=balances), Decimal(cluster.BALANCE))
        == []
    )


def test_tables_are_migrated_for_a_later_version_while_both_nodes_serve(site, tmp_path):
    crowd, later = Crowd(site, pause=1.5), cluster.later_version(tmp_path / "later")
    with crowd.about(2, 3):
        kinds = {"sign-up", "page", "staff"}
        assert eventually(lambda: kinds <= {each.kind for each in crowd.seen})
        begun = time.monotonic()
        site.migrate(later)
        ended = time.monotonic()
        assert eventually(lambda: kinds <= {each.kind for each in crowd.seen if each.at > ended})
    tables = site.rows("SELECT table_name AS name FROM information_schema.tables")
    assert {f"{app}_later" for app in cluster.CHANGED} <= {row["name"] for row in tables}
    assert "page" in {each.kind for each in crowd.seen if begun < each.at < ended}
    assert {each.status for each in crowd.seen} <= {200, 302, 303}
    assert assertions.signed_out(crowd.seen) == []
    site.nodes[0].kill()
    site.nodes[0].start()  # What it knows of migrations it knows anew.
    site.nodes[0].ready()
    assert [requests.get(f"http://{node.address}/readyz").text for node in site.nodes] == ["ready\n"] * 2
