"""Single faults under load, one after another, and their results."""

import time
from collections.abc import Iterable, Mapping

from tests.soak import assertions
from tests.soak.assertions import FaultResult
from tests.soak.fault_injection import FaultInjector
from tests.soak.faults import Fault, Scene
from tests.soak.load import Load

BEFORE, AFTER = 2.0, 2.0  # Seconds of quiet around each fault.
WARM = 60.0  # Seconds until the load is first served.
SLACK = 3.0  # Seconds until each reader has been served twice.


def run_faults(
    scene: Scene, injector: FaultInjector, faults: Iterable[Fault], owners: Mapping[str, tuple[str, str]]
) -> list[tuple[Fault, FaultResult]]:
    """Run all faults while the load continues."""
    load, rows = Load(injector.soak), []
    load.start()
    try:
        wait_until_well(load, time.monotonic(), WARM)
        for fault in faults:
            rows.append((fault, _run_fault(scene, injector, load, fault, owners)))
            row = rows[-1][1]
            injector.record(
                f"{fault.name}: {row.answers} answers, {row.lost} lost, back after {row.recovered_after} s"
            )
    finally:
        load.end()
    return rows


def wait_until_well(load: Load, since: float, within: float) -> bool:
    """Return True if every reader is served in time."""
    seen, first = load.soak.seen, len(load.soak.seen)
    while time.monotonic() < since + within:
        if assertions.are_served(seen[first:], since, load.readers):
            return True
        time.sleep(0.2)
    return False


def _run_fault(
    scene: Scene, injector: FaultInjector, load: Load, fault: Fault, owners: Mapping[str, tuple[str, str]]
) -> FaultResult:
    time.sleep(BEFORE)
    injector.record(f"{fault.name}: {fault.what}")
    first = len(load.soak.seen)
    fault.act(scene)
    ended = time.monotonic()
    recovered = wait_until_well(load, ended, fault.within + SLACK)
    time.sleep(AFTER)
    scene.infrastructure.database.resume()
    seen = load.soak.seen[first:]
    foreign = len(assertions.foreign_data(seen, owners))
    for each in filter(assertions.is_lost, seen):
        injector.record(
            f"{fault.name}: {each.status or 'broken off'} after {each.seconds:.1f} s: {each.kind}"
        )
    return assertions.evaluate_fault(fault.what, seen, ended, foreign, kills=fault.kills, well=recovered)
