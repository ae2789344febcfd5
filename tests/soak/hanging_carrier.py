"""A carrier hangs for all who want something of it; probes see how quick everything else is."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from tests.soak.fault_injection import Chaos
from tests.soak.visitors import Broken, Soak, Walker
from tests.support.cluster import Person

SIGN_IN, HEALTH, OTHER = "probe: sign-in", "probe: health", "probe: other brand's statement"
PROBES = (SIGN_IN, HEALTH, OTHER)
PRESSING = "statement that nobody has, carrier hangs"
CUSTOMERS, BROWSERS = 5, 10  # Together more than the nodes let wait for one brand's carrier.


def hang(soak: Soak, chaos: Chaos, seconds: float) -> None:
    """Aurora's for so long; Borealis' is well."""
    done = threading.Event()
    jobs = [*_probes(soak, done), *_pressing(soak, done)]
    chaos.hang("aurora")
    threads = [threading.Thread(target=job) for job in jobs]
    try:
        for thread in threads:
            thread.start()
        time.sleep(seconds)
    finally:
        done.set()
        for thread in threads:
            thread.join()
        chaos.calm()


def _probes(soak: Soak, done: threading.Event) -> Iterator[Callable[[], None]]:
    other = Walker(soak, "borealis", soak.customers("borealis")[-2].email)
    other.sign_in()
    other.open("/statement/")
    for kind, path, walker in (
        (HEALTH, "/healthz", Walker(soak, "aurora", "nobody")),
        (OTHER, "/statement/", other),
    ):
        walker.kind = kind
        yield _again(walker, 0.2, done, lambda path=path: path)
    yield lambda: _sign_ins(soak, done)


def _sign_ins(soak: Soak, done: threading.Event) -> None:
    """One person after the other opens the form and sends it, for a code that is mailed to them."""
    while not done.wait(0.3):
        walker = Walker(soak, "aurora", "nobody", kind=SIGN_IN)
        with walker.session, suppress(Broken):
            walker.send("/sign-in/", {"email": soak.newcomer("aurora")})


def _pressing(soak: Soak, done: threading.Event) -> Iterator[Callable[[], None]]:
    """Customers who each ask for figures in many tabs at once, which only the carrier has."""
    for person in soak.customers("aurora")[-CUSTOMERS - 2 : -2]:
        for tab in _tabs(soak, person):
            yield _again(tab, 2, done, lambda: "/statement/?from_date={0}&to_date={0}".format(soak.day()))


def _tabs(soak: Soak, person: Person) -> list[Walker]:
    first, *more = (Walker(soak, "aurora", person.email, kind=PRESSING) for _ in range(BROWSERS))
    first.sign_in()
    for tab in more:
        tab.session.cookies.update(first.session.cookies)
        tab.signed_in = first.signed_in
    return [first, *more]


def _again(
    walker: Walker, pause: float, done: threading.Event, path: Callable[[], str]
) -> Callable[[], None]:
    def job() -> None:
        with walker.session:
            while not done.wait(pause):
                with suppress(Broken):
                    walker.open(path())

    return job
