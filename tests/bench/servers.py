"""Which server keeps pages fast while a quarter of the requests wait two seconds for a carrier."""

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta

from tests.bench.client import PATIENCE, get, quantile
from tests.bench.report import Line, Report
from tests.bench.world import GUNICORN, World, environment, server
from tests.browser.stack import _free_port

RATE, SECONDS = 40, 10  # Requests a second, a quarter of which wait.
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

    def at(self, port: int) -> list[str]:
        """Its command."""
        return [part.format(port=port, threads=self.threads) for part in self.command]


UNPINNED = ("-m", "gunicorn", "-c", "tests/bench/unpinned.py", "--no-control-socket", "portal.wsgi")
WAYS = (
    Way("gunicorn gthread 2×8, a CPU per worker", 8),
    Way("gunicorn gthread 2×32, a CPU per worker", 32),
    Way("gunicorn gthread 2×64, a CPU per worker", 64),
    Way("gunicorn gthread 2×64, CPUs shared", 64, UNPINNED),
    Way(
        "gunicorn sync, 2 workers, a CPU per worker", 1, (*GUNICORN, "--worker-class", "sync", "portal.wsgi")
    ),
    Way("granian WSGI 2×64", 64, (*GRANIAN.split(), "portal.wsgi:application")),
)


def measure(world: World, report: Report) -> None:
    """Each way: fast pages alone, then with a quarter that waits; and how many pages it can make at most."""
    world.carrier.fault("customer_balance", "slow", seconds=2)
    found = []
    for way in WAYS:
        port = _free_port()
        env = environment(world, BIND=f"127.0.0.1:{port}", WEB_THREADS=str(way.threads))
        with server(env, way.at(port), "/sign-in/") as running:
            found.append(tried(world, way, running.port))
    world.carrier.post("faults/clear")
    how = f"""{RATE} requests a second arrive, each on a new connection, whether the ones before are answered
or not; a quarter of them asks for figures that the carrier gives after two seconds, the others for a
signed-in statement with kept figures. A request that finds no place among those that may
wait is answered 503 at once, which is counted."""
    report.add("Servers while a carrier is slow", how, found)


def tried(world: World, way: Way, port: int) -> Line:
    """One line: p95 alone and loaded, refused ones, pages a second."""
    cookie = f"session={world.cookies['customer']}"
    for _ in range(40):
        get(port, "/statement/", cookie)
    alone, _ = arrive(world, port, cookie, waiting=False)
    loaded, refused = arrive(world, port, cookie, waiting=True)
    ratio = quantile(loaded, 0.95) / quantile(alone, 0.95)
    rate = most(port, cookie)
    figure = (
        f"p95 {quantile(alone, 0.95) * 1000:.0f} → {quantile(loaded, 0.95) * 1000:.0f} ms (×{ratio:.1f}),"
        f" {refused} refused, {rate:.0f} pages/s"
    )
    shipped = way.name == SHIPPED
    return Line(way.name, figure, "×1.5 of unloaded" if shipped else "", ratio <= 1.5 if shipped else None)


SHIPPED = "gunicorn gthread 2×64, a CPU per worker"


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


def most(port: int, cookie: str) -> float:
    """Signed-in pages a second that eight clients get, each asking again at once."""
    until = time.monotonic() + 3

    def run(_: int) -> int:
        count = 0
        while time.monotonic() < until:
            count += patient(port, cookie) < PATIENCE
        return count

    with ThreadPoolExecutor(8) as pool:
        return sum(pool.map(run, range(8))) / 3
