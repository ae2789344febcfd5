"""Simulated visitors: guests, customers, newcomers and staff, each in a thread, one visit after another."""

import itertools
import random
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from tests.conftest import ADMIN, Simulator
from tests.soak.assertions import Answer, names_in
from tests.support import http_steps
from tests.support.cluster import Cluster, Person
from tests.support.nginx import Visitor, code_from

PAGES = ("/", "/", "/statement/", "/statement.csv", "/statement.pdf", "/history/", "/account/")
FOR_GUESTS = ("/", "/sign-in/", "/sign-up/", "/password-reset/")
STAFF_STAYS = 200  # Seconds; after five minutes a transfer needs a reauthentication.


class VisitFailed(Exception):
    """The visit cannot continue: an answer broke off, or an email did not arrive."""


@dataclass
class Soak:
    """State shared by all threads. IP addresses, periods and amounts are used only once."""

    site: Cluster
    people: Sequence[Person]
    over: threading.Event = field(default_factory=threading.Event)
    seen: list[Answer] = field(default_factory=list)
    signed_up: list[str] = field(default_factory=list)
    transferred: list[str] = field(default_factory=list)
    visits: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._addresses, self._cents = itertools.count(), itertools.count(100)
        self._new, self._days = itertools.count(), itertools.count()
        self.keys = {row["email"]: row["id"] for row in self.site.rows("SELECT id, email FROM accounts_user")}
        self._queues = {brand: deque(self.customers(brand)[:-2]) for brand in self.site.carriers}

    def customers(self, brand: str) -> list[Person]:
        """Return the initial customers of a brand."""
        return [each for each in self.people if each.brand == brand and each.number]

    def next_customer(self, brand: str) -> Person:
        """Return the next customer to sign in, because each may sign in only a few times an hour."""
        with self._lock:
            self._queues[brand].rotate(1)
            return self._queues[brand][0]

    def address(self) -> str:
        """Return a client IP address in a network without rate-limit counts."""
        number = next(self._addresses)
        return f"127.{number // 62500 % 100 + 50}.{number // 250 % 250}.{number % 250 + 1}"

    def amount(self) -> str:
        """Return an amount no other transfer has."""
        cents = next(self._cents)
        return f"{cents // 100}.{cents % 100:02}"

    def day(self) -> str:
        """Return a day whose statement has not been requested before."""
        month, day = divmod(next(self._days), 28)
        return f"{2024 - month // 12}-{month % 12 + 1:02}-{day + 1:02}"

    def newcomer(self, brand: str) -> str:
        """Return an email that has not signed up."""
        return f"new{next(self._new)}@{brand}.soak.example"


class RecordingVisitor(Visitor):
    """A visitor whose answers are recorded; `send` returns the page if it has no form."""

    patience = 100  # Seconds; a transfer makes up to five calls of 15 seconds.

    def __init__(self, soak: Soak, brand: str, who: str, host: str = "", kind: str = "") -> None:
        super().__init__(soak.site.front, soak.address(), host or f"{brand}.test")
        self.soak, self.brand, self.who, self.kind, self.signed_in = soak, brand, who, kind, False

    def open(self, path: str, scheme: str = "https", **headers: str) -> requests.Response:
        """GET a page."""
        return self._record("GET", path, lambda: super(RecordingVisitor, self).open(path, scheme, **headers))

    def post(self, path: str, data: dict[str, str], **headers: str) -> requests.Response:
        """Send a form."""
        return self._record("POST", path, lambda: super(RecordingVisitor, self).post(path, data, **headers))

    def send(self, path: str, data: dict[str, str], **headers: str) -> requests.Response:
        """Open the page of a form and send it, if present."""
        page = self.open(path)
        fields = http_steps.hidden(page)
        if page.status_code != 200 or "csrfmiddlewaretoken" not in fields:
            return page
        token = {"csrfmiddlewaretoken": fields["csrfmiddlewaretoken"]}
        return self.post(path, {**token, **data}, **headers)

    def _record(self, verb: str, path: str, request: Callable[[], requests.Response]) -> requests.Response:
        kind = self.kind or f"{verb} {re.sub('[0-9]+', 'N', path.partition('?')[0])}"
        begun, status, location, text = time.monotonic(), 0, "", ""
        try:
            answer = request()
            status, location, text = answer.status_code, answer.headers.get("Location", ""), text_of(answer)
        except requests.RequestException as error:
            raise VisitFailed(kind) from error
        finally:
            ended = time.monotonic()
            signed, named = self.signed_in, names_in(text)
            seen = Answer(kind, self.brand, self.who, status, ended - begun, ended, signed, named, location)
            self.soak.seen.append(seen)
        return answer

    def sign_in(self) -> bool:
        """Sign in by an emailed code; return True on success."""
        answer = http_steps.sign_in(self, mailbox(self.soak), self.who)
        self.signed_in = answer.headers.get("Location") == "/"
        return self.signed_in


def text_of(answer: requests.Response) -> str:
    """Return the text of a page or a PDF."""
    pdf = answer.headers.get("Content-Type") == "application/pdf"
    return http_steps.pdf_text(answer.content) if pdf else answer.text


def mailbox(soak: Soak) -> Simulator:
    """Return the simulator that receives the portal's emails; it is Google too."""
    return copy_of(soak.site.stack.carrier)


def copy_of(carrier: Simulator) -> Simulator:
    """Return a copy of the simulator client for one thread."""
    return Simulator(carrier.url, carrier.smtp)


Visit = Callable[[Soak, str, random.Random], None]


def guest(soak: Soak, brand: str, chance: random.Random) -> None:
    """View some pages."""
    visitor = RecordingVisitor(soak, brand, "nobody")
    with visitor.session:
        for path in chance.sample(FOR_GUESTS, 3):
            visitor.open(path)
            rest(chance)


def customer(soak: Soak, brand: str, chance: random.Random) -> None:
    """Sign in, read, perhaps open the carrier's portal, sign out."""
    visitor = RecordingVisitor(soak, brand, soak.next_customer(brand).email)
    with visitor.session:
        if not visitor.sign_in():
            return
        for path in chance.choices(PAGES, k=chance.randint(4, 9)):
            visitor.open(path)
            rest(chance)
        if chance.random() < 0.5:
            http_steps.open_account(visitor, copy_of(soak.site.carriers[brand]))
        page = visitor.open("/account/")
        visitor.signed_in = False
        visitor.post("/sign-out/", http_steps.hidden(page))


def newcomer(soak: Soak, brand: str, chance: random.Random) -> None:
    """Sign up, confirm and read the first page."""
    email, carrier = soak.newcomer(brand), copy_of(soak.site.carriers[brand])
    visitor = RecordingVisitor(soak, brand, email)
    with visitor.session:
        if http_steps.sign_up(visitor, carrier, email).status_code != http_steps.FOUND:
            return
        soak.signed_up.append(email)
        rest(chance)
        if http_steps.confirm(visitor, carrier, email).headers.get("Location") != "/sign-in/code/":
            return
        answer = visitor.send("/sign-in/code/", {"code": code_from(mailbox(soak), email)})
        visitor.signed_in = answer.headers.get("Location") == "/"
        visitor.open("/")


def forgetful(soak: Soak, brand: str, chance: random.Random) -> None:
    """Request a password reset."""
    visitor = RecordingVisitor(soak, brand, soak.next_customer(brand).email)
    with visitor.session:
        http_steps.reset_password(visitor, copy_of(soak.site.carriers[brand]), visitor.who)


def staff(soak: Soak, brand: str, chance: random.Random) -> None:
    """Transfer funds to one customer after another."""
    person = next(each for each in soak.people if each.brand == brand and not each.number)
    visitor, until = RecordingVisitor(soak, brand, "", ADMIN), time.monotonic() + STAFF_STAYS
    with visitor.session:
        if http_steps.staff_sign_in(visitor, person.email).headers.get("Location") != "/admin/":
            soak.over.wait(31)  # A code works only once.
            return
        visitor.signed_in = True
        while time.monotonic() < until and not soak.over.is_set():
            recipient = chance.choice(soak.customers(brand)[:-2])
            fields, _ = http_steps.begin_transfer(visitor, soak.keys[recipient.email], soak.amount())
            if fields and chance.random() < 0.95:
                _press(soak, visitor, soak.keys[recipient.email], fields, chance)
            time.sleep(chance.uniform(2, 4))  # The partner balance may be read at most sixty times a minute.


def _press(
    soak: Soak, visitor: RecordingVisitor, key: int, fields: dict[str, str], chance: random.Random
) -> None:
    """Confirm a transfer; sometimes twice, as with the back button."""
    for _ in range(chance.choice((1, 1, 1, 2))):
        answer = http_steps.confirm_transfer(visitor, key, fields)
        if answer.status_code == http_steps.SEE_OTHER:
            soak.transferred.append(fields["operation"])
            visitor.open(answer.headers["Location"])


def rest(chance: random.Random) -> None:
    """Pause as between two clicks."""
    time.sleep(chance.uniform(0.2, 0.8))


def start_visitors(soak: Soak, seed: int) -> AbstractContextManager[None]:
    """Run twelve visitors, six per brand, until the end."""
    kinds: Sequence[Sequence[Visit]] = (
        (customer,),
        (customer,),
        (customer, customer, forgetful),
        (guest, customer),
        (newcomer, guest),
        (staff,),
    )
    return _run_visits(soak, seed, kinds)


def start_staff(soak: Soak, seed: int) -> AbstractContextManager[None]:
    """Run only the staff who transfer funds."""
    return _run_visits(soak, seed, [(staff,)])


@contextmanager
def _run_visits(soak: Soak, seed: int, kinds: Sequence[Sequence[Visit]]) -> Iterator[None]:
    threads = [
        threading.Thread(
            target=_repeat_visits, args=(soak, brand, visits, random.Random(f"{seed}/{brand}/{nth}"))
        )
        for nth, visits in enumerate(kinds)
        for brand in soak.site.carriers
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        soak.over.set()
        for thread in threads:
            thread.join(timeout=120)
        soak.over = threading.Event()


def _repeat_visits(soak: Soak, brand: str, visits: Sequence[Visit], chance: random.Random) -> None:
    while not soak.over.is_set():
        visit: Any = chance.choice(visits)
        try:
            visit(soak, brand, chance)
            soak.visits[f"{visit.__name__} of {brand}"] += 1
        except (VisitFailed, IndexError):  # No email arrived: the mail server is failing.
            soak.visits[f"{visit.__name__} broken off"] += 1
        except Exception as error:
            soak.errors.append(f"{visit.__name__} of {brand}: {error!r}")
        rest(chance)
