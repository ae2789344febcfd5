"""Which server keeps pages fast while a quarter of the requests wait two seconds for a carrier."""

import contextlib
import os
import statistics
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from tests.bench.client import CLIENTS, PATIENCE, Page, get, quantile, rates, ratio
from tests.bench.report import Line, Report
from tests.bench.world import GUNICORN, World, environment, server
from tests.browser.stack import _free_port

RATE, SECONDS = 40, 10  # Requests a second, a quarter of which wait.
HOW = f"""{RATE} requests a second arrive for {SECONDS} s, each on a new connection, whether the ones before
are answered or not; a quarter of them asks for figures that the carrier gives after two seconds, the others
for a signed-in statement with kept figures. A request that finds no place among those that may wait is
answered 503 at once, which is counted. Pages a second are of the same statement without anybody who waits,
by {CLIENTS} clients, in rounds that are interleaved; behind them their ratio to what is shipped, by round.
The p95 of a server alone and beside waiting requests follow one another: they compare it with itself."""
GRANIAN = (
    "-m granian --interface wsgi --workers 2 --blocking-threads {threads} --backpressure 256"
    " --host 127.0.0.1 --port {port}"
)


@dataclass(frozen=True)
class Way:
    """One server and its settings."""

    name: str
    threads: int
    command: tuple[str, ...] = (*GUNICORN, "portal.wsgi")
    pinned: bool = False  # By us, where the server does not do it.

    def at(self, port: int) -> list[str]:
        """Its command."""
        return [part.format(port=port, threads=self.threads) for part in self.command]


UNPINNED = ("-m", "gunicorn", "-c", "tests/bench/unpinned.py", "--no-control-socket", "portal.wsgi")
SYNC = ("--worker-class", "sync", "portal.wsgi")
WAYS = (
    Way("gunicorn gthread 2×8, a CPU per worker", 8),
    Way("gunicorn gthread 2×32, a CPU per worker", 32),
    Way("gunicorn gthread 2×64, a CPU per worker", 64),
    Way("gunicorn gthread 2×64, CPUs shared", 64, UNPINNED),
    Way(
        "granian WSGI 2×64, a CPU per worker", 64, (*GRANIAN.split(), "portal.wsgi:application"), pinned=True
    ),
    Way("granian WSGI 2×64, CPUs shared", 64, (*GRANIAN.split(), "portal.wsgi:application")),
    Way("gunicorn sync, 2 workers, a CPU per worker", 1, (*GUNICORN, *SYNC)),
    Way("gunicorn sync, 2 workers, CPUs shared", 1, (*UNPINNED[:-1], *SYNC)),
)
SHIPPED = "gunicorn gthread 2×64, a CPU per worker"
ROUNDS = 9


def measure(world: World, report: Report) -> None:
    """How many pages each makes, in turns; and each: fast pages alone, then with a quarter that waits."""
    world.carrier.fault("customer_balance", "slow", seconds=2)
    cookie = f"session={world.cookies['customer']}"
    found = []
    with ExitStack() as stack:
        running = {way: stack.enter_context(ExitStack()) for way in WAYS}
        ports = {way: started(world, way, own) for way, own in running.items()}
        pages = {way.name: Page(port, "/statement/", cookie) for way, port in ports.items()}
        pages_a_second = rates(pages, ROUNDS, 1.0)
        for way, own in running.items():
            found.append(tried(world, way, ports[way], pages_a_second))
            own.close()  # All together could hold more connections than PostgreSQL has.
    world.carrier.post("faults/clear")
    report.add("Servers while a carrier is slow", HOW, found)


def started(world: World, way: Way, stack: ExitStack) -> int:
    """Its port."""
    port = _free_port()
    env = environment(world, BIND=f"127.0.0.1:{port}", WEB_THREADS=str(way.threads))
    running = stack.enter_context(server(env, way.at(port), "/sign-in/"))
    if way.pinned:
        pin(running.workers())
    return port


def pin(workers: list[int]) -> None:
    """Each worker with all its threads on a CPU of its own, as portal/gunicorn.py does by itself."""
    cpus = sorted(os.sched_getaffinity(0))
    for nth, worker in enumerate(workers):
        for thread in Path(f"/proc/{worker}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {cpus[nth % len(cpus)]})


def tried(world: World, way: Way, port: int, pages_a_second: dict[str, list[float]]) -> Line:
    """One line: p95 alone and loaded, refused ones, pages a second and their ratio to what is shipped."""
    cookie = f"session={world.cookies['customer']}"
    alone, _ = arrive(world, port, cookie, waiting=False)
    loaded, refused = arrive(world, port, cookie, waiting=True)
    before, after = quantile(alone, 0.95), quantile(loaded, 0.95)
    rate, slower = pages_a_second[way.name], after / before
    figure = (
        f"p95 {before * 1000:.0f} → {after * 1000:.0f} ms (×{slower:.1f}), {refused} refused,"
        f" {statistics.median(rate):.0f} pages/s (×{ratio(rate, pages_a_second[SHIPPED]):.2f})"
    )
    shipped = way.name == SHIPPED
    return Line(way.name, figure, "×1.5 of unloaded" if shipped else "", slower <= 1.5 if shipped else None)


def arrive(world: World, port: int, cookie: str, waiting: bool) -> tuple[list[float], int]:
    """Seconds of the fast pages, and how many of the waiting ones were refused."""
    fast: list[float] = []
    refused: list[int] = []

    def fetch(nth: int) -> None:
        if waiting and nth % 4 == 0:
            day = date(2001, 1, 1) + timedelta(days=nth + int(time.time()) % 5000)
            crowd = f"session={world.crowd[nth // 4 % len(world.crowd)]}"
            with contextlib.suppress(OSError):
                status, _, _ = get(port, f"/statement/?from_date={day}&to_date={day}", crowd)
                refused.extend([nth] if status == 503 else [])
        else:
            fast.append(patient(port, cookie))

    threads, began = [], time.monotonic()
    for nth in range(RATE * SECONDS // (1 if waiting else 2)):
        time.sleep(max(0.0, began + nth / RATE - time.monotonic()))
        threads.append(threading.Thread(target=fetch, args=(nth,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return fast, len(refused)


def patient(port: int, cookie: str) -> float:
    """Seconds of a fast page; as long as anybody waits, where it did not come."""
    with contextlib.suppress(OSError):
        status, seconds, _ = get(port, "/statement/", cookie)
        if status == 200:
            return seconds
    return PATIENCE
