"""`make soak`: two nodes with faults switched on and off at random. Exit code 1 if anything is found.

First a carrier hangs, and what does not need it must be quick; then anything fails and nodes die; after each
the portal must be well again by itself. Needs PostgreSQL and Redis: DATABASE_URL and REDIS_URL.
"""
# ruff: noqa: E402 - Django must be set up before its models can be imported.

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path

os.environ.setdefault("DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres")
os.environ.setdefault("REDIS_URL", "redis://127.0.0.1:6379/9")
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

import django

django.setup()  # What tests share begins with Django's models.

from tests import nodes
from tests.browser.stack import AURORA, BOREALIS
from tests.front import leading
from tests.nodes import Nodes, Person
from tests.soak import books, report, verdict
from tests.soak.chaos import Chaos
from tests.soak.hang import PROBES, hang
from tests.soak.visitors import Broken, Soak, Walker, crowd

SLUGS = ("aurora", "borealis")
CUSTOMERS = 60  # Of each brand; the last two get no moves.
QUICK, RECOVERED, SPARED = 0.5, 45.0, 12.0  # Seconds: p95; a break of 30 and a call of 15; a failure's pause.


def people() -> list[Person]:
    """Customers and one who works in the admin, for each brand."""
    return [
        Person(slug, f"{'staff' if nth == 0 else f'c{nth}'}@{slug}.soak.example", number if nth else "")
        for slug, first in zip(SLUGS, (810_000_000, 820_000_000), strict=True)
        for nth in range(CUSTOMERS + 1)
        for number in [str(first + nth)]
    ]


def recover(soak: Soak, chaos: Chaos, brand: str) -> list[str]:
    """Wait until figures that nobody has asked for are there; what is wrong if that takes too long."""
    begun, email = time.monotonic(), soak.customers(brand)[-1].email
    walker = Walker(soak, brand, email, kind="waiting for recovery")
    while time.monotonic() < begun + RECOVERED:
        day = soak.day()
        try:
            well = walker.signed_in or walker.sign_in()
            page = walker.open(f"/statement.csv?from_date={day}&to_date={day}") if well else None
        except (Broken, IndexError):
            continue
        if page is not None and page.status_code == 200 and "1000" in page.text:
            chaos.say(f"{brand}: recovered after {time.monotonic() - begun:.1f} s")
            return []
        time.sleep(1)
    return [f"{brand}: no new figures within {RECOVERED:.0f} s"]


def soak_through(soak: Soak, chaos: Chaos, seed: int, minutes: float) -> dict[str, list[str]]:
    """All phases; what the checks that belong to a phase have found."""
    threads, seconds = crowd(soak, seed), minutes * 60
    found: dict[str, list[str]] = {}
    try:
        time.sleep(5)
        hang(soak, chaos, max(30, seconds / 5))
        recovered = [each for slug in SLUGS for each in recover(soak, chaos, slug)]
        chaos.rage(max(45, seconds / 1.8))
        recovered += [each for slug in SLUGS for each in recover(soak, chaos, slug)]
        time.sleep(SPARED)
        settled = time.monotonic()
        time.sleep(8)
        recovered += verdict.not_recovered(soak.seen, settled)
        found["recovers within 45 s, and then no error"] = recovered
    finally:
        soak.over.set()
        for thread in threads:
            thread.join(timeout=120)
    return found


def checks(soak: Soak, chaos: Chaos, before: dict[str, object]) -> dict[str, list[str]]:
    """What the whole run must not have brought about."""
    site, seen = soak.site, list(soak.seen)
    ends = [end for node in site.nodes for end in node.ends]
    owners = books.owners(site.carriers)
    users = [row["email"] for row in site.rows("SELECT email FROM accounts_user")]
    moves = site.moves()
    return {
        "no 500, and 502, 504 or a broken answer only around a node's end": verdict.failures(seen, ends),
        "no traceback in the nodes' logs": verdict.tracebacks(site.logs()),
        "nobody is signed out": verdict.signed_out(seen),
        "no answer names the other brand or somebody else": verdict.strangers(seen, owners),
        **{f"{slug}'s money is neither lost nor doubled": _money(soak, slug, before) for slug in SLUGS},
        "no answered sign-up is lost": verdict.lost("a sign-up", soak.signed_up, users),
        "no answered move is lost": verdict.lost("a move", soak.moved, [each["operation"] for each in moves]),
        "p95 < 0.5 s while a carrier hangs": [
            each for kind in PROBES for each in verdict.slow(seen, kind, QUICK)
        ],
        "each node was killed, and visitors got on": report.too_little(soak, moves),
    }


def _money(soak: Soak, slug: str, before: dict[str, object]) -> list[str]:
    moves = [move for move in soak.site.moves() if move["brand"] == slug]
    numbers = [each.number for each in soak.customers(slug)]
    now = books.read(soak.site.carriers[slug], slug, numbers, before[slug])
    return verdict.money(moves, now, Decimal(nodes.BALANCE))


def main() -> int:
    """Run it and say how it went."""
    options = argparse.ArgumentParser(prog="make soak", description=__doc__)
    options.add_argument("--minutes", type=float, default=3, help="about how long (3)")
    options.add_argument("--seed", type=int, default=random.randrange(10**6), help="to repeat a run")
    given = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # Whatever was started is ended.
    print(f"seed {given.seed}, to repeat: make soak ARGS='--seed {given.seed} --minutes {given.minutes:g}'")
    with ExitStack() as stack:
        tmp = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        everybody, brands = people(), (AURORA, BOREALIS)
        production = {"WEB_CONCURRENCY": "2", "WEB_THREADS": "32"}
        site: Nodes = stack.enter_context(
            nodes.running(tmp, tmp, everybody, brands, a_carrier_each=True, **production)
        )
        stack.enter_context(leading(site.front))
        soak = Soak(site, everybody)
        chaos = Chaos(soak, given.seed)
        before = {slug: books.partner_of(site.carriers[slug], slug) for slug in SLUGS}
        found = soak_through(soak, chaos, given.seed, given.minutes)
        found |= checks(soak, chaos, before)
        report.show(soak, found)
        return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
