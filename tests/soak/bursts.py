"""Bursts within all rate limits, beside ordinary visitors who come at a fixed pace, served or not."""

import itertools
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import requests

from tests.conftest import ADMIN
from tests.soak.assertions import Answer, Burst, p95
from tests.soak.visitors import RecordingVisitor, Soak, VisitFailed
from tests.support.nginx import Visitor

PACE = 12  # Ordinary visitors per second: two thirds are customers, one third anonymous.
QUIET, LEAST_BUSY, REST = 20.0, 15.0, 10.0  # Seconds.
NUMBER, EACH = 100, 20  # Requests per burst; and per IP address or customer, as many as limits allow.
CUSTOMER_PATHS = ("/", "/statement/", "/account/")
ANONYMOUS_PATHS = ("/", "/sign-in/", "/sign-up/")
KIND = "ordinary visitor"


@dataclass
class Ordinary:
    """Visitors at PACE, each a new browser that opens one page."""

    soak: Soak
    cookies: Sequence[requests.cookies.RequestsCookieJar]
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        customers = zip(itertools.cycle(self.cookies), itertools.cycle(CUSTOMER_PATHS), strict=False)
        anonymous = ((None, path) for path in itertools.cycle(ANONYMOUS_PATHS))
        self._visits = (next(anonymous if nth % 3 == 2 else customers) for nth in itertools.count())
        self._threads = ThreadPoolExecutor(max_workers=600)
        self._clock = threading.Thread(target=self._tick)

    def _tick(self) -> None:
        begun = time.monotonic()
        for nth in itertools.count():
            if self.over.wait(max(0.0, begun + nth / PACE - time.monotonic())):
                return
            self._threads.submit(self._visit, *next(self._visits))

    def _visit(self, cookies: requests.cookies.RequestsCookieJar | None, path: str) -> None:
        visitor = RecordingVisitor(self.soak, "aurora", "nobody", kind=KIND)
        with visitor.session, suppress(VisitFailed):
            if cookies is not None:
                visitor.session.cookies.update(cookies)
            visitor.open(path)

    def __enter__(self) -> "Ordinary":
        self._clock.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._clock.join()
        self._threads.shutdown()

    def during(self, begun: float, ended: float) -> list[Answer]:
        """Return the answers to visitors who came in this time, even if answered later."""
        until = time.monotonic() + RecordingVisitor.patience
        while self._threads._work_queue.qsize() and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(1)
        ordinary = [each for each in list(self.soak.seen) if each.kind == KIND]
        return [each for each in ordinary if begun <= each.at - each.seconds < ended]


Job = Callable[[], int]  # Sends one request and returns its status.


def sign_ins(soak: Soak, first: int) -> Iterator[Job]:
    """Yield failed admin sign-ins from five IP addresses; the form has been opened before."""
    for nth in range(NUMBER):
        visitor = Visitor(soak.site.front, f"127.0.{first}.{nth // EACH + 1}", ADMIN)
        visitor.patience = RecordingVisitor.patience
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', visitor.open("/admin/login/").text)
        assert token
        form = {
            "csrfmiddlewaretoken": token[1],
            "username": f"nobody{first}.{nth}@example.com",
            "password": "wrong horse",
        }
        yield lambda visitor=visitor, form=form: visitor.post("/admin/login/", form).status_code


def pdfs(soak: Soak, cookies: Sequence[requests.cookies.RequestsCookieJar]) -> Iterator[Job]:
    """Yield PDF statements of five customers."""
    for nth in range(NUMBER):
        visitor = Visitor(soak.site.front, soak.address(), "aurora.test")
        visitor.patience = RecordingVisitor.patience
        visitor.session.cookies.update(cookies[nth // EACH])
        yield lambda visitor=visitor: visitor.open("/statement.pdf").status_code


def all_at_once(jobs: Sequence[Job]) -> Counter[int]:
    """Return how they were answered."""

    def status_of(job: Job) -> int:
        try:
            return job()
        except requests.RequestException:
            return 0

    with ThreadPoolExecutor(max_workers=len(jobs)) as threads:
        return Counter(threads.map(status_of, jobs))


def signed_in(soak: Soak, emails: Sequence[str]) -> list[requests.cookies.RequestsCookieJar]:
    """Sign in customers, whose figures are then cached, and return their cookies."""
    found = []
    for email in emails:
        visitor = RecordingVisitor(soak, "aurora", email)
        assert visitor.sign_in()
        assert visitor.open("/statement/").status_code == 200
        found.append(visitor.session.cookies)
    return found


def measure(soak: Soak) -> list[Burst]:
    """Run each burst amid ordinary visitors, after a quiet period."""
    emails = [each.email for each in soak.customers("aurora")]
    all_cookies = signed_in(soak, emails[:18])
    readers, first, second = all_cookies[:8], all_cookies[8:13], all_cookies[13:18]
    bursts = {
        "100 failed admin sign-ins, of 5 IP addresses": list(sign_ins(soak, 31)),
        "100 PDFs of 5 customers": list(pdfs(soak, first)),
        "both at once, of 5 others each": [*sign_ins(soak, 32), *pdfs(soak, second)],
    }
    found = []
    with Ordinary(soak, readers) as ordinary:
        time.sleep(5)
        begun = time.monotonic()
        time.sleep(QUIET)
        quiet = p95([each.seconds for each in ordinary.during(begun, time.monotonic())])
        print(f"quiet p95 {quiet:.3f} s", flush=True)
        for name, jobs in bursts.items():
            begun = time.monotonic()
            statuses = all_at_once(jobs)
            took = time.monotonic() - begun
            time.sleep(max(0.0, LEAST_BUSY - took))
            seen = ordinary.during(begun, time.monotonic())
            visitors = Counter(each.status for each in seen)
            found.append(Burst(name, quiet, p95([each.seconds for each in seen]), visitors, statuses))
            print(f"{name}: {took:.1f} s, {found[-1]}", flush=True)
            time.sleep(REST)
    return found
