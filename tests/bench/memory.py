"""Start time and memory of the server as `make serve` starts it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.bench.client import get
from tests.bench.report import Line, Report
from tests.bench.stack import GUNICORN, World, environment, server
from tests.support.ports import free_port

FIRST, ALL, CLIENTS = 10_000, 50_000, 4
PATHS = ("/healthz", "/", "/sign-in/", "/statement/", "/brand.css", "/sign-up/", "/nowhere/", "/history/")
MOST = 1.05


def pss(pid: int) -> float:
    """Return MiB (PSS) of a process, with a share of shared memory (proc_pid_smaps(5))."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def measure(world: World, report: Report) -> None:
    """Measure the time from start to the first page, then the memory after 50,000 requests."""
    env = environment(world, BIND=f"127.0.0.1:{free_port()}")
    with server(env, [*GUNICORN, "portal.wsgi"], "/sign-in/") as portal:
        cookie = f"session={world.cookies['customer']}"
        load(portal.port, cookie, FIRST)
        early = [pss(pid) for pid in portal.workers()]
        load(portal.port, cookie, ALL - FIRST)
        late = [pss(pid) for pid in portal.workers()]
    growth = max(after / before for before, after in zip(early, late, strict=True))
    memory = [" and ".join(f"{each:.0f}" for each in when) for when in (early, late)]
    how = f"The server of `make serve`; {ALL:,} requests to {len(PATHS)} URLs by {CLIENTS} clients."
    report.add(
        "Start and memory",
        how,
        [
            Line("first page after the start", f"{portal.seconds:.2f} s", "≤ 2 s", portal.seconds <= 2),
            Line(f"memory of each worker (PSS) after {FIRST:,} requests", f"{memory[0]} MiB"),
            Line(
                f"the same after {ALL:,}",
                f"{memory[1]} MiB, {(growth - 1) * 100:+.1f} %",
                "≤ +5 %",
                growth <= MOST,
            ),
        ],
    )


def load(port: int, cookie: str, number: int) -> None:
    """Send so many requests; each must be answered with a page, a redirect or a 404."""

    def run(nth: int) -> None:
        for count in range(number // CLIENTS):
            path = PATHS[(count + nth) % len(PATHS)]
            status = get(port, path, cookie if count % 2 else "")[0]
            if status not in (200, 302, 404):
                raise SystemExit(f"{path}: {status}")

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(run, range(CLIENTS)))
