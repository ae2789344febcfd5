"""Simulated visitors: guests, customers, newcomers and staff, each in a thread, one visit after the other."""

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
from tests.soak.assertions import Seen, named_on
from tests.support import http_steps
from tests.support.cluster import Nodes, Person
from tests.support.nginx import Visitor, code_from

PAGES = ("/", "/", "/statement/", "/statement.csv", "/statement.pdf", "/history/", "/account/")
FOR_GUESTS = ("/", "/sign-in/", "/sign-up/", "/password-reset/")
STAFF_STAYS = 200  # Seconds; after five minutes a move wants a fresh proof.


class Broken(Exception):
    """The visit cannot go on: an answer broke off, or a mail did not come."""


@dataclass
class Soak:
    """What all threads share. Addresses, periods and amounts are given out once."""

    site: Nodes
    people: Sequence[Person]
    over: threading.Event = field(default_factory=threading.Event)
    seen: list[Seen] = field(default_factory=list)
    signed_up: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    visits: Counter[str] = field(default_factory=Counter)
    troubles: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._addresses, self._cents = itertools.count(), itertools.count(100)
        self._new, self._days = itertools.count(), itertools.count()
        self.keys = {row["email"]: row["id"] for row in self.site.rows("SELECT id, email FROM accounts_user")}
        self._turns = {brand: deque(self.customers(brand)[:-2]) for brand in self.site.carriers}

    def customers(self, brand: str) -> list[Person]:
        """Those who are there from the beginning."""
        return [each for each in self.people if each.brand == brand and each.number]

    def somebody(self, brand: str) -> Person:
        """A customer whose turn it is to sign in; limits allow each of them a few times an hour."""
        with self._lock:
            self._turns[brand].rotate(1)
            return self._turns[brand][0]

    def address(self) -> str:
        """A client network that no limit has counted yet."""
        number = next(self._addresses)
        return f"127.{number // 62500 % 100 + 50}.{number // 250 % 250}.{number % 250 + 1}"

    def amount(self) -> str:
        """An amount that no other move has."""
        cents = next(self._cents)
        return f"{cents // 100}.{cents % 100:02}"

    def day(self) -> str:
        """A day of which nobody has asked for the figures."""
        month, day = divmod(next(self._days), 28)
        return f"{2024 - month // 12}-{month % 12 + 1:02}-{day + 1:02}"

    def newcomer(self, brand: str) -> str:
        """An address that nobody has signed up with."""
        return f"new{next(self._new)}@{brand}.soak.example"


class Walker(Visitor):
    """A visitor whose answers are noted; a page without the form that was looked for is the answer then."""

    patience = 100  # Seconds; a move makes up to five calls of 15 seconds.

    def __init__(self, soak: Soak, brand: str, who: str, host: str = "", kind: str = "") -> None:
        super().__init__(soak.site.front, soak.address(), host or f"{brand}.test")
        self.soak, self.brand, self.who, self.kind, self.signed_in = soak, brand, who, kind, False

    def open(self, path: str, scheme: str = "https", **headers: str) -> requests.Response:
        """GET a page."""
        return self._note("GET", path, lambda: super(Walker, self).open(path, scheme, **headers))

    def post(self, path: str, data: dict[str, str], **headers: str) -> requests.Response:
        """Send a form."""
        return self._note("POST", path, lambda: super(Walker, self).post(path, data, **headers))

    def send(self, path: str, data: dict[str, str], **headers: str) -> requests.Response:
        """Open the page of a form and send it, if it is there."""
        page = self.open(path)
        fields = http_steps.hidden(page)
        if page.status_code != 200 or "csrfmiddlewaretoken" not in fields:
            return page
        token = {"csrfmiddlewaretoken": fields["csrfmiddlewaretoken"]}
        return self.post(path, {**token, **data}, **headers)

    def _note(self, verb: str, path: str, ask: Callable[[], requests.Response]) -> requests.Response:
        kind = self.kind or f"{verb} {re.sub('[0-9]+', 'N', path.partition('?')[0])}"
        begun, status, location, text = time.monotonic(), 0, "", ""
        try:
            answer = ask()
            status, location, text = answer.status_code, answer.headers.get("Location", ""), text_of(answer)
        except requests.RequestException as error:
            raise Broken(kind) from error
        finally:
            ended = time.monotonic()
            signed, named = self.signed_in, named_on(text)
            seen = Seen(kind, self.brand, self.who, status, ended - begun, ended, signed, named, location)
            self.soak.seen.append(seen)
        return answer

    def sign_in(self) -> bool:
        """By a mailed code; whether it succeeded."""
        answer = http_steps.sign_in(self, mailbox(self.soak), self.who)
        self.signed_in = answer.headers.get("Location") == "/"
        return self.signed_in


def text_of(answer: requests.Response) -> str:
    """What a page says, or a PDF."""
    pdf = answer.headers.get("Content-Type") == "application/pdf"
    return http_steps.pdf_text(answer.content) if pdf else answer.text


def mailbox(soak: Soak) -> Simulator:
    """Where the portal's mails arrive; it is Google too."""
    return own(soak.site.stack.carrier)


def own(carrier: Simulator) -> Simulator:
    """The same carrier, for one thread."""
    return Simulator(carrier.url, carrier.smtp)


Visit = Callable[[Soak, str, random.Random], None]


def guest(soak: Soak, brand: str, chance: random.Random) -> None:
    """Looks around."""
    walker = Walker(soak, brand, "nobody")
    with walker.session:
        for path in chance.sample(FOR_GUESTS, 3):
            walker.open(path)
            rest(chance)


def customer(soak: Soak, brand: str, chance: random.Random) -> None:
    """Signs in, reads, perhaps goes to the carrier's portal, signs out."""
    walker = Walker(soak, brand, soak.somebody(brand).email)
    with walker.session:
        if not walker.sign_in():
            return
        for path in chance.choices(PAGES, k=chance.randint(4, 9)):
            walker.open(path)
            rest(chance)
        if chance.random() < 0.5:
            http_steps.open_account(walker, own(soak.site.carriers[brand]))
        page = walker.open("/account/")
        walker.signed_in = False
        walker.post("/sign-out/", http_steps.hidden(page))


def newcomer(soak: Soak, brand: str, chance: random.Random) -> None:
    """Signs up, confirms and reads the first page."""
    email, carrier = soak.newcomer(brand), own(soak.site.carriers[brand])
    walker = Walker(soak, brand, email)
    with walker.session:
        if http_steps.sign_up(walker, carrier, email).status_code != http_steps.FOUND:
            return
        soak.signed_up.append(email)
        rest(chance)
        if http_steps.confirm(walker, carrier, email).headers.get("Location") != "/sign-in/code/":
            return
        answer = walker.send("/sign-in/code/", {"code": code_from(mailbox(soak), email)})
        walker.signed_in = answer.headers.get("Location") == "/"
        walker.open("/")


def forgetful(soak: Soak, brand: str, chance: random.Random) -> None:
    """Asks for a way to a new password."""
    walker = Walker(soak, brand, soak.somebody(brand).email)
    with walker.session:
        http_steps.reset_password(walker, own(soak.site.carriers[brand]), walker.who)


def staff(soak: Soak, brand: str, chance: random.Random) -> None:
    """Moves funds to one customer after the other."""
    person = next(each for each in soak.people if each.brand == brand and not each.number)
    walker, until = Walker(soak, brand, "", ADMIN), time.monotonic() + STAFF_STAYS
    with walker.session:
        if http_steps.staff_sign_in(walker, person.email).headers.get("Location") != "/admin/":
            soak.over.wait(31)  # A code is good once.
            return
        walker.signed_in = True
        while time.monotonic() < until and not soak.over.is_set():
            whom = chance.choice(soak.customers(brand)[:-2])
            fields, _ = http_steps.begin_move(walker, soak.keys[whom.email], soak.amount())
            if fields and chance.random() < 0.95:
                _press(soak, walker, soak.keys[whom.email], fields, chance)
            time.sleep(chance.uniform(2, 4))  # The partner balance is asked for sixty times a minute at most.


def _press(soak: Soak, walker: Walker, key: int, fields: dict[str, str], chance: random.Random) -> None:
    """Confirm a move; now and then a second time, as by the back button."""
    for _ in range(chance.choice((1, 1, 1, 2))):
        answer = http_steps.confirm_move(walker, key, fields)
        if answer.status_code == http_steps.SEE_OTHER:
            soak.moved.append(fields["operation"])
            walker.open(answer.headers["Location"])


def rest(chance: random.Random) -> None:
    """As people do between two clicks."""
    time.sleep(chance.uniform(0.2, 0.8))


def crowd(soak: Soak, seed: int) -> AbstractContextManager[None]:
    """Twelve people, six at each brand; each goes on until it is over."""
    kinds: Sequence[Sequence[Visit]] = (
        (customer,),
        (customer,),
        (customer, customer, forgetful),
        (guest, customer),
        (newcomer, guest),
        (staff,),
    )
    return _about(soak, seed, kinds)


def movers(soak: Soak, seed: int) -> AbstractContextManager[None]:
    """Those of them alone who move funds."""
    return _about(soak, seed, [(staff,)])


@contextmanager
def _about(soak: Soak, seed: int, kinds: Sequence[Sequence[Visit]]) -> Iterator[None]:
    threads = [
        threading.Thread(target=_go_on, args=(soak, brand, visits, random.Random(f"{seed}/{brand}/{nth}")))
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


def _go_on(soak: Soak, brand: str, visits: Sequence[Visit], chance: random.Random) -> None:
    while not soak.over.is_set():
        visit: Any = chance.choice(visits)
        try:
            visit(soak, brand, chance)
            soak.visits[f"{visit.__name__} of {brand}"] += 1
        except (Broken, IndexError):  # No mail came: the mail server fails at the moment.
            soak.visits[f"{visit.__name__} broken off"] += 1
        except Exception as error:
            soak.troubles.append(f"{visit.__name__} of {brand}: {error!r}")
        rest(chance)
