"""Time in tests: nothing may depend on how fast the machine is.

A wait ends with what it waits for. A bound is far from what it tells apart, or not measured at all: the
carrier is still asked when the page is there, say.
"""

import time
from collections.abc import Callable

from portal.voipline import Timeouts

PATIENCE = 60  # Seconds for what comes soon on a quiet machine.
SLACK = 20  # Seconds that a busy machine may add to a bound; what is bounded would last longer.
PATIENT = Timeouts(connect=PATIENCE, read=PATIENCE, total=PATIENCE)  # For a carrier that answers.
HASTY = Timeouts(connect=1, read=1, total=1.5)  # For one that does not.
# Faults of the stand-in that only a time-out ends.
LATE = {"hang", "drip_status", "drip_headers", "drip_body", "slow"}


def timeouts_for(fault: str) -> Timeouts:
    """Time-outs under which a fault of the stand-in ends as it should, soon, and for no other reason."""
    return HASTY if fault in LATE else PATIENT


def eventually(true: Callable[[], object]) -> bool:
    """Whether it becomes so."""
    until = time.monotonic() + PATIENCE
    while not (found := bool(true())) and time.monotonic() < until:
        time.sleep(0.05)
    return found
