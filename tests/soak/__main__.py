"""`make soak`: bursts, single faults, and faults at random. Exit code 1 if a bar is missed.

Everything is its own: PostgreSQL, Redis, carriers, nginx. docs/soak.md is written where no part was left out.
"""
# ruff: noqa: E402 - Django must be set up before its models can be imported.

import argparse
import os
import random
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

for name in ("DATABASE_URL", "REDIS_URL"):
    os.environ.pop(name, None)  # Nothing here may reach what this machine runs.
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

import django

django.setup()  # What tests share begins with Django's models.

from tests.soak import bursts, ledgers, random_faults, single_faults
from tests.soak.fault_injection import Chaos
from tests.soak.faults import FAULTS, Fault, Scene
from tests.soak.infrastructure import Ground, ground
from tests.soak.report import Report
from tests.soak.visitors import Soak, crowd, movers
from tests.support import cluster
from tests.support.cluster import Person
from tests.support.live_stack import AURORA, BOREALIS
from tests.support.nginx import leading

SLUGS = ("aurora", "borealis")
CUSTOMERS = 60  # Of each brand; the last two get no moves.


def people() -> list[Person]:
    """Customers, one who moves funds and one who reads in the admin, for each brand."""
    return [
        Person(slug, f"{name}@{slug}.soak.example", number)
        for slug, first in zip(SLUGS, (810_000_000, 820_000_000), strict=True)
        for name, number in (
            ("staff", ""),
            *((f"c{nth}", str(first + nth)) for nth in range(1, CUSTOMERS + 1)),
            ("reader", ""),
        )
    ]


@contextmanager
def running(number: int, **settings: str) -> Iterator[tuple[Soak, Ground]]:
    """One node or two, with everything of their own."""
    with tempfile.TemporaryDirectory() as name, ground() as own:
        tmp, everybody = Path(name), people()
        wanted = {**own.settings, **settings, "TMPDIR": name}
        brands = (AURORA, BOREALIS)
        with cluster.running(
            tmp, tmp, everybody, brands, a_carrier_each=True, number=number, **wanted
        ) as site:
            own.lead_to(site)
            with leading(site.front):
                yield Soak(site, everybody), own


def faults(given: argparse.Namespace, report: Report, wanted: list[Fault]) -> None:
    """Two nodes, of 32 threads so that fewer visitors are a load."""
    with running(2, WEB_CONCURRENCY="2", WEB_THREADS="32") as (soak, own):
        chaos, carriers = Chaos(soak, given.seed), soak.site.carriers
        before = {slug: ledgers.partner_of(carriers[slug], slug) for slug in SLUGS}
        if given.random:
            with crowd(soak, given.seed):
                report.checked(random_faults.go_through(soak, chaos, given.minutes))
        if wanted:
            with movers(soak, given.seed):
                rows = single_faults.survive(Scene(own, soak.site), chaos, wanted, ledgers.owners(carriers))
            report.survived(rows)
        report.checked(random_faults.afterwards(soak, before, visits=given.random))
        report.answers(soak)


def beside_bursts(report: Report) -> None:
    """One node with the settings that it has by itself."""
    with running(1, WEB_CONCURRENCY="2", WEB_THREADS="64") as (soak, _own):
        report.borne(bursts.measure(soak))


def options() -> argparse.Namespace:
    """What was asked for; everything, unless a part is named."""
    found = argparse.ArgumentParser(prog="make soak", description=__doc__)
    found.add_argument("--minutes", type=float, default=3, help="about how long faults come at random (3)")
    found.add_argument("--seed", type=int, default=random.randrange(10**6), help="to repeat a run")
    found.add_argument("--random", action="store_true", help="only faults at random")
    found.add_argument("--faults", action="store_true", help="only single faults")
    found.add_argument("--bursts", action="store_true", help="only bursts")
    names = [fault.name for fault in FAULTS]
    found.add_argument(
        "--only", action="append", choices=names, default=[], metavar="NAME", help=f"only {names}"
    )
    given = found.parse_args()
    given.part = given.random or given.faults or given.bursts or bool(given.only)
    if not given.part:
        given.random = given.faults = given.bursts = True
    return given


def end(*_: object) -> None:
    """Whatever was started is ended, and no second signal disturbs that."""
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    sys.exit(1)


def main() -> int:
    """Run it and say how it went."""
    given = options()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, end)
    print(f"seed {given.seed}, to repeat: make soak ARGS='--seed {given.seed} --minutes {given.minutes:g}'")
    report = Report(given.seed)
    wanted = [fault for fault in FAULTS if fault.name in given.only or (given.faults and not given.only)]
    if given.bursts:
        beside_bursts(report)
    if given.random or wanted:
        faults(given, report, wanted)
    report.show()
    if not given.part:
        report.write()
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
