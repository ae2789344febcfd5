"""Two stateless nodes behind nginx: any request may go to either, and either may die."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import ADMIN, AURORA
from tests.soak import assertions, ledgers
from tests.soak.assertions import Answer
from tests.support import cluster, http_steps
from tests.support.cluster import Cluster, Node, Person
from tests.support.nginx import Visitor, code_from, hosts_redirected_to
from tests.support.timeouts import eventually

CUSTOMERS = [Person("aurora", f"c{number}@example.com", str(number)) for number in range(760_001, 760_021)]
STAFF = [Person("aurora", f"{name}@example.com") for name in ("sam", "sue", "tess", "uma", "vera", "wes")]
ALICE, *OTHERS = CUSTOMERS
# Half of the 16 threads per node may wait for carriers, and half of those for one brand.
MAY_WAIT = 2 * 4


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Iterator[Cluster]:
    """Two nodes, twenty customers of Aurora and four of its staff."""
    if lacking := cluster.missing_services():
        pytest.skip(lacking)
    tmp = tmp_path_factory.mktemp("nodes")
    with cluster.running(tmp, shared, [*CUSTOMERS, *STAFF]) as running, hosts_redirected_to(running.front):
        yield running


@pytest.fixture
def visitor(site: Cluster) -> Iterator[Callable[..., Visitor]]:
    """Make visitors, each from its own IP address."""
    with ExitStack() as closing:

        def make(address: str, host: str = AURORA) -> Visitor:
            new_visitor = Visitor(site.front, address, host)
            closing.callback(new_visitor.session.close)
            return new_visitor

        yield make


def record_nodes(who: Visitor, nodes_used: list[str]) -> Visitor:
    """Record the node of every response to this visitor."""
    who.session.hooks["response"].append(lambda answer, **_: nodes_used.append(answer.headers["X-Node"]))
    return who


def alternates(nodes_used: list[str]) -> bool:
    """Return True if no two consecutive requests went to the same node."""
    return len(set(nodes_used)) == 2 and all(one != other for one, other in itertools.pairwise(nodes_used))


def test_customer_journey_alternates_between_the_nodes(site, visitor):
    carrier, nodes_used = site.stack.carrier, list[str]()
    dora, email = record_nodes(visitor("127.0.7.1"), nodes_used), "dora@example.com"
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
    assert alternates(nodes_used), nodes_used


def test_staff_sign_in_and_transfer_funds_over_both_nodes(site, visitor):
    nodes_used, key, carrier = list[str](), site.key_of(ALICE.email), site.stack.carrier
    sent = len(carrier.calls("move_funds"))
    sam = record_nodes(visitor("127.0.7.2", ADMIN), nodes_used)
    assert http_steps.staff_sign_in(sam, "sam@example.com").headers["Location"] == "/admin/"
    assert sam.open("/admin/").status_code == 200
    fields, _ = http_steps.begin_transfer(sam, key, "12.34")
    answer = http_steps.confirm_transfer(sam, key, fields)
    assert answer.status_code == 303
    assert "The carrier made the transfer" in sam.open(answer.headers["Location"]).text
    assert [
        transfer["state"] for transfer in site.transfers() if transfer["account_number"] == ALICE.number
    ] == ["done"]
    second = http_steps.confirm_transfer(sam, key, fields)
    assert second.headers["Location"] == answer.headers["Location"]
    assert len(carrier.calls("move_funds")) == sent + 1
    assert alternates(nodes_used), nodes_used


def next_node(site: Cluster, answer: requests.Response) -> Node:
    """Return the node that gets the next request: not the one that has just answered."""
    return next(node for node in site.nodes if node.address != answer.headers["X-Node"])


def route_next_to(site: Cluster, who: Visitor, node: Node) -> None:
    """Let the next request go to this node; a health check takes the other node's turn."""
    while next_node(site, who.open("/healthz")) is not node:
        pass


def open_at(site: Cluster, node: Node, who: Visitor, path: str) -> requests.Response:
    """Request a page from this node."""
    route_next_to(site, who, node)
    answer = who.open(path)
    assert answer.headers["X-Node"] == node.address
    return answer


@pytest.mark.parametrize("first", [0, 1], ids=["first-node", "other-node"])
def test_form_limit_per_network_is_shared_by_the_nodes(site, visitor, first):
    mallory = visitor(f"127.0.7.{10 + first}")
    fields, nodes_used = http_steps.hidden(mallory.open("/password-reset/")), list[str]()
    route_next_to(site, mallory, site.nodes[first])
    record_nodes(mallory, nodes_used)

    def post(nth: int) -> int:
        typed = {"email": f"nobody{first}-{nth}@example.com", "g-recaptcha-response": "junk"}
        return mallory.post("/password-reset/", {**fields, **typed}).status_code

    statuses = [post(nth) for nth in range(22)]
    assert nodes_used[0] == nodes_used[20] == site.nodes[first].address
    assert alternates(nodes_used), nodes_used
    assert 429 not in statuses[:20]
    assert statuses[20:] == [429, 429]


@pytest.mark.parametrize("first", [0, 1], ids=["first-node", "other-node"])
def test_code_limit_per_email_is_shared_by_the_nodes(site, visitor, first):
    email, carrier, nodes_used, statuses = f"flooded{first}@example.com", site.stack.carrier, list[str](), []
    for network, codes in enumerate((3, 3, 3, 1, 2), 1):  # No network gets more than three.
        browser = record_nodes(visitor(f"127.0.{10 + first}.{network}"), nodes_used)
        fields = http_steps.hidden(browser.open("/sign-in/"))
        if codes == 2:
            route_next_to(site, browser, site.nodes[first])
        posts = [browser.post("/sign-in/", {**fields, "email": email}) for _ in range(codes)]
        statuses += [answer.status_code for answer in posts]
    assert posts[0].headers["X-Node"] == site.nodes[first].address
    assert alternates(nodes_used), nodes_used
    assert statuses == [302] * 10 + [429] * 2
    assert len(carrier.mails(email)) == 10


def test_open_breaker_at_one_node_does_not_affect_the_other(site, visitor):
    carrier, (one, other) = site.stack.carrier, site.nodes
    dan, eve = visitor("127.0.7.5"), visitor("127.0.7.6")
    http_steps.sign_in(dan, carrier, OTHERS[2].email)
    http_steps.sign_in(eve, carrier, OTHERS[3].email)
    carrier.fault("customer_balance", "status", status=500)
    before = len(carrier.calls())
    for day, who in enumerate((dan, eve, dan, eve, dan, eve), 1):
        assert open_at(site, one, who, a_day(2019, day)).status_code == 503
    assert len(carrier.calls()) == before + 5  # The sixth is rejected: each node is one process.
    carrier.post("faults/clear")
    assert {open_at(site, other, who, a_day(2019, 7)).status_code for who in (dan, eve)} == {200}
    rejected = open_at(site, one, dan, a_day(2019, 8))
    assert rejected.status_code == 503
    assert 0 < int(rejected.headers["Retry-After"]) <= 30


def a_day(year: int, day: int) -> str:
    """Return the URL of one day's statement; no test requests the same day twice."""
    return "/statement/?from_date={0}&to_date={0}".format(f"{year}-{day // 28 + 1:02}-{day % 28 + 1:02}")


def test_sign_in_and_health_stay_fast_while_a_carrier_hangs(site, visitor):
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
            answers = [probe_page(probe, path) for _ in range(20) for path in ("/sign-in/", "/healthz")]
        finally:
            carrier.post("faults/clear")
    # Far from the fifteen seconds of a call to the carrier.
    assert [each for kind in ("/sign-in/", "/healthz") for each in assertions.slow(answers, kind, 5)] == []
    assert {each.status for each in answers} == {200}
    assert waiting == MAY_WAIT
    assert len(carrier.calls("customer_balance")) - before >= MAY_WAIT


def probe_page(probe: Visitor, path: str) -> Answer:
    """Return how a page was answered, and whether at all."""
    begun, status = time.monotonic(), 0
    with suppress(requests.RequestException):
        status = probe.open(path).status_code
    ended = time.monotonic()
    return Answer(path, "aurora", "", status, ended - begun, ended)


@contextmanager
def kill_during(site: Cluster, method: str, node: Node, job: Callable[[], Any]) -> Iterator[Future[Any]]:
    """Kill a node while a request waits there for the carrier, and start it again afterwards."""
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
            time.sleep(4)  # The carrier finishes what it has begun, even if the client is gone.
            node.start()
            node.ready()


def test_transfer_of_a_killed_node_becomes_unknown_and_is_never_resent(site, visitor):
    bob, carrier = OTHERS[0], site.stack.carrier
    key, sue = site.key_of(bob.email), visitor("127.0.7.3", ADMIN)
    http_steps.staff_sign_in(sue, "sue@example.com")
    fields, answers = http_steps.begin_transfer(sue, key, "23.45")
    node, sent = next_node(site, answers), len(carrier.calls("move_funds"))
    with kill_during(
        site, "move_funds", node, lambda: http_steps.confirm_transfer(sue, key, fields)
    ) as answer:
        assert answer.result().status_code == 502
        (transfer,) = (each for each in site.transfers() if each["account_number"] == bob.number)
        assert transfer["state"] == "dispatched"
        assert http_steps.begin_transfer(sue, key, "1")[0] == {}  # No further transfer for this customer.
        site.stack.sql("UPDATE billing_move SET dispatched_at = dispatched_at - interval '61 s'")
        location = http_steps.confirm_transfer(sue, key, fields)
        assert location.status_code == 303
        page = unescape(sue.open(location.headers["Location"]).text)
        assert "We can't tell whether this transfer went through" in page
    assert len(carrier.calls("move_funds")) == sent + 1


def test_other_node_serves_the_page_once_the_dead_nodes_claim_expires(site, visitor):
    carol, carrier = OTHERS[1], site.stack.carrier
    browser = visitor("127.0.7.4")
    node = next_node(site, http_steps.sign_in(browser, carrier, carol.email))
    path = "/statement/?from_date=2020-01-01&to_date=2020-01-31"
    with kill_during(site, "customer_balance", node, lambda: browser.open(path)) as answer:
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


class BackgroundLoad:
    """Visitors in threads until stopped; collects what they were promised and what they saw.

    `pause`: seconds between two sign-ups or transfers of a visitor; without it they soon reach the limits.
    """

    def __init__(self, site: Cluster, pause: float = 0) -> None:
        self.site, self.pause, self.over = site, pause, threading.Event()
        self.signed_up: list[str] = []
        self.transferred: list[str] = []
        self.signed_in: list[str] = []  # Signed-in visitors: a lost form would stop them.
        self.seen: list[Answer] = []

    def _visitor(self, kind: str, address: str, host: str = AURORA) -> Visitor:
        def record(answer: requests.Response, **_: Any) -> None:
            location, now = answer.headers.get("Location", ""), time.monotonic()
            length = answer.elapsed.total_seconds()
            self.seen.append(
                Answer(kind, "aurora", "", answer.status_code, length, now, kind == "page", location=location)
            )

        new_visitor = Visitor(self.site.front, address, host)
        new_visitor.session.hooks["response"].append(record)
        return new_visitor

    @contextmanager
    def running(self, *numbers: int) -> Iterator[None]:
        """Run one visitor of each kind for each number; no number is used twice per site."""
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
        """Sign up one new customer after another."""
        for each in itertools.count():
            visitor = self._visitor("sign-up", f"127.0.8{nth}.{each % 250 + 1}")
            email = f"new{nth}-{each}@example.com"
            with visitor.session, suppress(AssertionError):  # A 502 came instead of the form.
                if http_steps.sign_up(visitor, self.site.stack.carrier, email).status_code == 302:
                    self.signed_up.append(email)
            if self.over.wait(self.pause):
                return

    def reader(self, nth: int) -> None:
        """A customer who signs in once and then reads pages."""
        who = self._visitor("sign-in", f"127.0.90.{nth + 1}")
        assert http_steps.sign_in(who, self.site.stack.carrier, CUSTOMERS[-1 - nth].email).status_code == 302
        self.signed_in.append(f"reader {nth}")
        who.session.close()
        reading = self._visitor("page", f"127.0.90.{nth + 1}")
        reading.session.cookies = who.session.cookies
        with reading.session:
            while not self.over.is_set():
                for path in ("/", "/account/", "/statement/"):
                    reading.open(path)

    def staff(self, nth: int) -> None:
        """Transfer funds to one customer after another, each amount once."""
        tess = self._visitor("staff", f"127.0.91.{nth + 1}", ADMIN)
        with tess.session:
            assert http_steps.staff_sign_in(tess, STAFF[2 + nth].email).status_code == 302
            self.signed_in.append(f"staff {nth}")
            for each in itertools.count(1):
                # No two share a customer: a transfer left open by a killed node blocks the next one.
                customer = OTHERS[2 + nth // 2 * 8 + (each * 2 + nth) % 8]
                self._move(tess, self.site.key_of(customer.email), f"{each}.{nth + 1}")
                if self.over.wait(self.pause):
                    return

    def _move(self, tess: Visitor, key: int, amount: str) -> None:
        fields, _ = http_steps.begin_transfer(tess, key, amount)
        if fields:
            answer = http_steps.confirm_transfer(tess, key, fields)
            if answer.status_code == 303:
                self.transferred.append(fields["operation"])


def test_node_killed_under_load_loses_no_answered_request(site):
    load, carrier, victim = BackgroundLoad(site), site.stack.carrier, site.nodes[0]
    before = {"transfers": site.transfers(), "partner": ledgers.get_partner(carrier, "aurora")}
    known = {transfer["operation"] for transfer in before["transfers"]}
    paid = ledgers.read(carrier, "aurora", [each.number for each in CUSTOMERS], before["partner"])
    with load.running(0, 1):
        assert eventually(lambda: len(load.seen) > 20 and len(load.signed_in) == 4)
        victim.kill()
        time.sleep(1.5)  # Until nginx no longer uses it.
        alone = len(load.seen)
        assert eventually(lambda: len(load.seen) > alone + 3)
        served_alone = load.seen[alone:]
        victim.start()
        victim.ready()
        assert eventually(lambda: min(len(load.signed_up), len(load.transferred)) > 2)
    assert {answer.status for answer in served_alone} <= {200, 302, 303}
    assert assertions.failures(load.seen, victim.ends) == []
    assert assertions.signed_out(load.seen) == []
    users = [row["email"] for row in site.rows("SELECT email FROM accounts_user")]
    assert assertions.lost("a sign-up", load.signed_up, users) == []
    transfers = [transfer for transfer in site.transfers() if transfer["operation"] not in known]
    assert (
        assertions.lost("a transfer", load.transferred, [transfer["operation"] for transfer in transfers])
        == []
    )
    assert all(
        transfer["state"] == "done" for transfer in transfers if transfer["operation"] in load.transferred
    )
    now = ledgers.read(carrier, "aurora", [each.number for each in CUSTOMERS], before["partner"])
    fresh = {number: list(amounts)[len(paid.booked[number]) :] for number, amounts in now.booked.items()}
    balances = {number: balance - sum(paid.booked[number]) for number, balance in now.balances.items()}
    assert (
        assertions.transfer_findings(
            transfers, replace(now, booked=fresh, balances=balances), Decimal(cluster.BALANCE)
        )
        == []
    )


def test_migrations_of_a_later_version_run_while_both_nodes_serve(site, tmp_path):
    load, later = BackgroundLoad(site, pause=1.5), cluster.later_version(tmp_path / "later")
    with load.running(2, 3):
        kinds = {"sign-up", "page", "staff"}
        assert eventually(lambda: kinds <= {each.kind for each in load.seen})
        begun = time.monotonic()
        site.migrate(later)
        ended = time.monotonic()
        assert eventually(lambda: kinds <= {each.kind for each in load.seen if each.at > ended})
    tables = site.rows("SELECT table_name AS name FROM information_schema.tables")
    assert {f"{app}_later" for app in cluster.CHANGED_MODELS} <= {row["name"] for row in tables}
    assert "page" in {each.kind for each in load.seen if begun < each.at < ended}
    assert {each.status for each in load.seen} <= {200, 302, 303}
    assert assertions.signed_out(load.seen) == []
    site.nodes[0].kill()
    site.nodes[0].start()  # It reads the applied migrations again.
    site.nodes[0].ready()
    answers = [requests.get(f"http://{node.address}/readyz") for node in site.nodes]
    assert [answer.status_code for answer in answers] == [200, 200]
