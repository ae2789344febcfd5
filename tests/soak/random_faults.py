"""A hanging carrier, then random faults and dying nodes; and the checks afterwards."""

import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.soak import assertions, ledgers, report
from tests.soak.fault_injection import FaultInjector
from tests.soak.hanging_carrier import PROBES, hang
from tests.soak.visitors import RecordingVisitor, Soak, VisitFailed
from tests.support import cluster

QUICK, RECOVERED, FAILURE_PAUSE = (
    0.5,
    45.0,
    12.0,
)  # Seconds.
Found = dict[str, list[str]]


def recover(soak: Soak, injector: FaultInjector, brand: str) -> list[str]:
    """Wait until uncached statements work again; return findings if that takes too long."""
    begun, email = time.monotonic(), soak.customers(brand)[-1].email
    visitor = RecordingVisitor(soak, brand, email, kind="waiting for recovery")
    while time.monotonic() < begun + RECOVERED:
        day = soak.day()
        try:
            signed_in = visitor.signed_in or visitor.sign_in()
            page = visitor.open(f"/statement.csv?from_date={day}&to_date={day}") if signed_in else None
        except (VisitFailed, IndexError):
            continue
        if page is not None and page.status_code == 200 and "1000" in page.text:
            injector.record(f"{brand}: recovered after {time.monotonic() - begun:.1f} s")
            return []
        time.sleep(1)
    return [f"{brand}: no new figures within {RECOVERED:.0f} s"]


def run_phases(soak: Soak, injector: FaultInjector, minutes: float) -> Found:
    """Run both phases and return the findings of their checks."""
    seconds, slugs = minutes * 60, list(soak.site.carriers)
    time.sleep(5)
    hang(soak, injector, max(30, seconds / 5))
    recovered = [each for slug in slugs for each in recover(soak, injector, slug)]
    injector.inject_random_faults(max(45, seconds / 1.8))
    recovered += [each for slug in slugs for each in recover(soak, injector, slug)]
    time.sleep(FAILURE_PAUSE)
    settled = time.monotonic()
    time.sleep(8)
    recovered += assertions.not_recovered(soak.seen, settled)
    seen = list(soak.seen)
    ends = [end for node in soak.site.nodes for end in node.ends]
    return {
        "recovers within 45 s, then no errors": recovered,
        "no 500; 502, 504 or a broken-off answer only while a node ends": assertions.failures(seen, ends),
        "no traceback in the nodes' logs": assertions.tracebacks(soak.site.logs()),
        "p95 < 0.5 s while a carrier hangs": [
            each for kind in PROBES for each in assertions.slow(seen, kind, QUICK)
        ],
        "each node was killed": [
            f"node {node.address}" for node in soak.site.nodes if not node.ends or not node.runs
        ],
    }


def final_checks(soak: Soak, before: Mapping[str, Any], *, visits: bool) -> Found:
    """Return the findings of all other checks. `visits`: simulated visitors were active."""
    site, seen = soak.site, list(soak.seen)
    users = [row["email"] for row in site.rows("SELECT email FROM accounts_user")]
    transfers = site.transfers()
    return {
        "no visitor is signed out": assertions.signed_out(seen),
        "no answer names the other brand or another customer": assertions.foreign_data(
            seen, ledgers.owners(site.carriers)
        ),
        **{
            f"transfers of {slug} are neither lost nor doubled": _money(soak, slug, before)
            for slug in site.carriers
        },
        "no answered sign-up is lost": assertions.lost("a sign-up", soak.signed_up, users),
        "no answered transfer is lost": assertions.lost(
            "a transfer", soak.transferred, [each["operation"] for each in transfers]
        ),
        "visitors made progress": report.too_little(soak, transfers) if visits else soak.errors,
    }


def _money(soak: Soak, slug: str, before: Mapping[str, Any]) -> list[str]:
    transfers = [transfer for transfer in soak.site.transfers() if transfer["brand"] == slug]
    numbers = [each.number for each in soak.customers(slug)]
    now = ledgers.read(soak.site.carriers[slug], slug, numbers, before[slug])
    return assertions.transfer_findings(transfers, now, Decimal(cluster.BALANCE))
