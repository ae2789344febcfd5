"""Time in tests: no result may depend on the speed of the machine.

A wait ends with what it waits for. A bound is far from what it distinguishes, or replaced by another
check, such as that the carrier's answer is still pending.
"""

import time
from collections.abc import Callable

from portal.voipline import Timeouts

PATIENCE = 60  # Seconds for what is quick on an idle machine.
SLACK = 20  # Seconds a busy machine may add to a bound; a failure would take longer.
PATIENT = Timeouts(connect=PATIENCE, read=PATIENCE, total=PATIENCE)  # For a carrier that answers.
HASTY = Timeouts(connect=1, read=1, total=1.5)  # For one that does not.
# Faults of the simulator that only a timeout ends.
LATE = {"hang", "drip_status", "drip_headers", "drip_body", "slow"}


def timeouts_for(fault: str) -> Timeouts:
    """Return timeouts under which a fault of the simulator ends soon, and for no other reason."""
    return HASTY if fault in LATE else PATIENT


def eventually(condition: Callable[[], object]) -> bool:
    """Return True as soon as the condition holds, False if it does not in time."""
    until = time.monotonic() + PATIENCE
    while not (found := bool(condition())) and time.monotonic() < until:
        time.sleep(0.05)
    return found
