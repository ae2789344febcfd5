"""A carrier hangs for a while, then anything fails at random and nodes die; what must not come of it."""

import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.soak import assertions, ledgers, report
from tests.soak.fault_injection import Chaos
from tests.soak.hanging_carrier import PROBES, hang
from tests.soak.visitors import Broken, Soak, Walker
from tests.support import cluster

QUICK, RECOVERED, SPARED = 0.5, 45.0, 12.0  # Seconds: p95; a break of 30 and a call of 15; a failure's pause.
Found = dict[str, list[str]]


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


def go_through(soak: Soak, chaos: Chaos, minutes: float) -> Found:
    """Both phases; what the checks that belong to them have found."""
    seconds, slugs = minutes * 60, list(soak.site.carriers)
    time.sleep(5)
    hang(soak, chaos, max(30, seconds / 5))
    recovered = [each for slug in slugs for each in recover(soak, chaos, slug)]
    chaos.rage(max(45, seconds / 1.8))
    recovered += [each for slug in slugs for each in recover(soak, chaos, slug)]
    time.sleep(SPARED)
    settled = time.monotonic()
    time.sleep(8)
    recovered += assertions.not_recovered(soak.seen, settled)
    seen = list(soak.seen)
    ends = [end for node in soak.site.nodes for end in node.ends]
    return {
        "recovers within 45 s, and then no error": recovered,
        "no 500, and 502, 504 or a broken answer only around a node's end": assertions.failures(seen, ends),
        "no traceback in the nodes' logs": assertions.tracebacks(soak.site.logs()),
        "p95 < 0.5 s while a carrier hangs": [
            each for kind in PROBES for each in assertions.slow(seen, kind, QUICK)
        ],
        "each node was killed": [
            f"node {node.address}" for node in soak.site.nodes if not node.ends or not node.runs
        ],
    }


def afterwards(soak: Soak, before: Mapping[str, Any], *, visits: bool) -> Found:
    """What nothing must have brought about. `visits`: people walked through the portal for some minutes."""
    site, seen = soak.site, list(soak.seen)
    users = [row["email"] for row in site.rows("SELECT email FROM accounts_user")]
    transfers = site.moves()
    return {
        "nobody is signed out": assertions.signed_out(seen),
        "no answer names the other brand or somebody else": assertions.strangers(
            seen, ledgers.owners(site.carriers)
        ),
        **{
            f"{slug}'s money is neither lost nor doubled": _money(soak, slug, before)
            for slug in site.carriers
        },
        "no answered sign-up is lost": assertions.lost("a sign-up", soak.signed_up, users),
        "no answered move is lost": assertions.lost(
            "a move", soak.moved, [each["operation"] for each in transfers]
        ),
        "visitors got on": report.too_little(soak, transfers) if visits else soak.troubles,
    }


def _money(soak: Soak, slug: str, before: Mapping[str, Any]) -> list[str]:
    transfers = [transfer for transfer in soak.site.moves() if transfer["brand"] == slug]
    numbers = [each.number for each in soak.customers(slug)]
    now = ledgers.read(soak.site.carriers[slug], slug, numbers, before[slug])
    return assertions.money(transfers, now, Decimal(cluster.BALANCE))
