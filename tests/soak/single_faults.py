"""Single faults under load, one after the other, and what each one cost."""

import time
from collections.abc import Iterable, Mapping

from tests.soak import assertions
from tests.soak.assertions import Survived
from tests.soak.fault_injection import Chaos
from tests.soak.faults import Fault, Scene
from tests.soak.load import Load

BEFORE, AFTER = 2.0, 2.0  # Seconds of peace around each fault.
WARM = 60.0  # Until the load is served for the first time.
SLACK = 3.0  # Until all is well and each reader has seen it twice.


def survive(
    scene: Scene, chaos: Chaos, faults: Iterable[Fault], owners: Mapping[str, tuple[str, str]]
) -> list[tuple[Fault, Survived]]:
    """Try them all while the load goes on."""
    load, rows = Load(chaos.soak), []
    load.start()
    try:
        wait_until_well(load, time.monotonic(), WARM)
        for fault in faults:
            rows.append((fault, _one(scene, chaos, load, fault, owners)))
            row = rows[-1][1]
            chaos.say(f"{fault.name}: {row.answers} answers, {row.lost} lost, back after {row.back} s")
    finally:
        load.end()
    return rows


def wait_until_well(load: Load, since: float, within: float) -> bool:
    """Whether every reader is served in time."""
    seen, first = load.soak.seen, len(load.soak.seen)
    while time.monotonic() < since + within:
        if assertions.are_served(seen[first:], since, load.readers):
            return True
        time.sleep(0.2)
    return False


def _one(
    scene: Scene, chaos: Chaos, load: Load, fault: Fault, owners: Mapping[str, tuple[str, str]]
) -> Survived:
    time.sleep(BEFORE)
    chaos.say(f"{fault.name}: {fault.what}")
    first = len(load.soak.seen)
    fault.act(scene)
    ended = time.monotonic()
    well = wait_until_well(load, ended, fault.within + SLACK)
    time.sleep(AFTER)
    scene.ground.database.resume()
    seen = load.soak.seen[first:]
    strange = len(assertions.strangers(seen, owners))
    for each in filter(assertions.is_lost, seen):
        chaos.say(f"{fault.name}: {each.status or 'broken off'} after {each.seconds:.1f} s: {each.kind}")
    return assertions.survived(fault.what, seen, ended, strange, kills=fault.kills, well=well)
