"""A hanging carrier under load; probes measure how fast everything else is."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from tests.soak.fault_injection import FaultInjector
from tests.soak.visitors import RecordingVisitor, Soak, VisitFailed
from tests.support.cluster import Person

SIGN_IN, HEALTH, OTHER = "probe: sign-in", "probe: health", "probe: other brand's statement"
PROBES = (SIGN_IN, HEALTH, OTHER)
WAITING = "statement that nobody has, carrier hangs"
CUSTOMERS, BROWSERS = 5, 10  # Together more than the nodes allow to wait for one brand's carrier.


def hang(soak: Soak, injector: FaultInjector, seconds: float) -> None:
    """Let Aurora's carrier hang for so long; Borealis' carrier works."""
    done = threading.Event()
    jobs = [*_probes(soak, done), *_waiting_customers(soak, done)]
    injector.hang("aurora")
    threads = [threading.Thread(target=job) for job in jobs]
    try:
        for thread in threads:
            thread.start()
        time.sleep(seconds)
    finally:
        done.set()
        for thread in threads:
            thread.join()
        injector.clear_faults()


def _probes(soak: Soak, done: threading.Event) -> Iterator[Callable[[], None]]:
    other = RecordingVisitor(soak, "borealis", soak.customers("borealis")[-2].email)
    other.sign_in()
    other.open("/statement/")
    for kind, path, visitor in (
        (HEALTH, "/healthz", RecordingVisitor(soak, "aurora", "nobody")),
        (OTHER, "/statement/", other),
    ):
        visitor.kind = kind
        yield _repeat(visitor, 0.2, done, lambda path=path: path)
    yield lambda: _sign_ins(soak, done)


def _sign_ins(soak: Soak, done: threading.Event) -> None:
    """Repeatedly open the sign-in form as a new visitor and request a code."""
    while not done.wait(0.3):
        visitor = RecordingVisitor(soak, "aurora", "nobody", kind=SIGN_IN)
        with visitor.session, suppress(VisitFailed):
            visitor.send("/sign-in/", {"email": soak.newcomer("aurora")})


def _waiting_customers(soak: Soak, done: threading.Event) -> Iterator[Callable[[], None]]:
    """Yield jobs of customers who request uncached statements in many tabs at once."""
    for person in soak.customers("aurora")[-CUSTOMERS - 2 : -2]:
        for tab in _tabs(soak, person):
            yield _repeat(tab, 2, done, lambda: "/statement/?from_date={0}&to_date={0}".format(soak.day()))


def _tabs(soak: Soak, person: Person) -> list[RecordingVisitor]:
    first, *more = (RecordingVisitor(soak, "aurora", person.email, kind=WAITING) for _ in range(BROWSERS))
    first.sign_in()
    for tab in more:
        tab.session.cookies.update(first.session.cookies)
        tab.signed_in = first.signed_in
    return [first, *more]


def _repeat(
    visitor: RecordingVisitor, pause: float, done: threading.Event, path: Callable[[], str]
) -> Callable[[], None]:
    def job() -> None:
        with visitor.session:
            while not done.wait(pause):
                with suppress(VisitFailed):
                    visitor.open(path())

    return job
