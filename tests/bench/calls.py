"""Measure what the portal adds to a carrier call."""

import json

from tests.bench.report import Line, Report
from tests.bench.stack import World, environment, python

HOW = """The carrier simulator on this machine, a new connection for each call, in turns with `requests.get`.
The client makes one call within its deadline and parses the response. The complete call adds the circuit
breaker, the bulkhead slot, the log line and the row of the call log in PostgreSQL."""


def measure(world: World, report: Report) -> None:
    """Report the medians in milliseconds, and as multiples of plain requests."""
    medians = json.loads(
        python(environment(world), "-m", "tests.bench.time_calls", world.carrier.api).splitlines()[-1]
    )
    plain, client, whole = (medians[name] for name in ("plain", "client", "whole"))
    times = whole / plain
    report.add(
        "A call to the carrier",
        HOW,
        [
            Line("requests.get", f"{plain:.2f} ms"),
            Line("our client (portal.voipline)", f"{client:.2f} ms, ×{client / plain:.2f}"),
            Line(
                "the complete call (portal.carrier.calls)",
                f"{whole:.2f} ms, ×{times:.2f}",
                "≤ ×3.5",
                times <= 3.5,
            ),
        ],
    )
