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
    os.environ.pop(name, None)  # Nothing here may reach the services of this machine.
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

import django

django.setup()  # Shared test code begins with Django's models.

from tests.soak import bursts, ledgers, random_faults, single_faults
from tests.soak.fault_injection import FaultInjector
from tests.soak.faults import FAULTS, Fault, Scene
from tests.soak.infrastructure import Infrastructure, infrastructure
from tests.soak.report import Report
from tests.soak.visitors import Soak, start_staff, start_visitors
from tests.support import cluster
from tests.support.cluster import Person
from tests.support.live_stack import AURORA, BOREALIS
from tests.support.nginx import hosts_redirected_to

SLUGS = ("aurora", "borealis")
CUSTOMERS = 60  # Per brand; the last two receive no transfers.


def people() -> list[Person]:
    """Return for each brand its customers, a staff user for transfers and one who reads the admin."""
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
def running(number: int, **settings: str) -> Iterator[tuple[Soak, Infrastructure]]:
    """Run one node or two, with their own servers."""
    with tempfile.TemporaryDirectory() as name, infrastructure() as servers:
        tmp, all_people = Path(name), people()
        selected = {**servers.settings, **settings, "TMPDIR": name}
        brands = (AURORA, BOREALIS)
        with cluster.running(
            tmp, tmp, all_people, brands, a_carrier_each=True, number=number, **selected
        ) as site:
            servers.redirect_to(site)
            with hosts_redirected_to(site.front):
                yield Soak(site, all_people), servers


def faults(given: argparse.Namespace, report: Report, selected: list[Fault]) -> None:
    """Run faults on two nodes of 32 threads, so that fewer visitors are a load."""
    with running(2, WEB_CONCURRENCY="2", WEB_THREADS="32") as (soak, servers):
        injector, carriers = FaultInjector(soak, given.seed), soak.site.carriers
        before = {slug: ledgers.get_partner(carriers[slug], slug) for slug in SLUGS}
        if given.random:
            with start_visitors(soak, given.seed):
                report.add_checks(random_faults.run_phases(soak, injector, given.minutes))
        if selected:
            with start_staff(soak, given.seed):
                rows = single_faults.run_faults(
                    Scene(servers, soak.site), injector, selected, ledgers.owners(carriers)
                )
            report.add_faults(rows)
        report.add_checks(random_faults.final_checks(soak, before, visits=given.random))
        report.answers(soak)


def run_bursts(report: Report) -> None:
    """Run bursts on one node with default settings."""
    with running(1, WEB_CONCURRENCY="2", WEB_THREADS="64") as (soak, _servers):
        report.add_bursts(bursts.measure(soak))


def options() -> argparse.Namespace:
    """Parse the options; everything runs unless a part is named."""
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
    """End everything that was started, and ignore further signals."""
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    sys.exit(1)


def main() -> int:
    """Run the soak and return the exit code."""
    given = options()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, end)
    print(f"seed {given.seed}, to repeat: make soak ARGS='--seed {given.seed} --minutes {given.minutes:g}'")
    report = Report(given.seed)
    selected = [fault for fault in FAULTS if fault.name in given.only or (given.faults and not given.only)]
    if given.bursts:
        run_bursts(report)
    if given.random or selected:
        faults(given, report, selected)
    report.show()
    if not given.part:
        report.write()
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
