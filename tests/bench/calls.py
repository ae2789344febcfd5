"""What the portal adds to a call of the carrier."""

import json

from tests.bench.report import Line, Report
from tests.bench.stack import World, environment, python

HOW = """The stand-in carrier on this machine, a new connection for each call, in turns with `requests.get`.
The client makes one call within its deadline and looks at what came. The whole way has the breaker,
the place among the threads that may wait, the log line and the journal's row in PostgreSQL besides."""


def measure(world: World, report: Report) -> None:
    """The medians, in milliseconds, and how many times that of requests alone they are."""
    told = json.loads(
        python(environment(world), "-m", "tests.bench.time_calls", world.carrier.api).splitlines()[-1]
    )
    plain, client, whole = (told[name] for name in ("plain", "client", "whole"))
    times = whole / plain
    report.add(
        "A call to the carrier",
        HOW,
        [
            Line("requests.get", f"{plain:.2f} ms"),
            Line("our client (portal.voipline)", f"{client:.2f} ms, ×{client / plain:.2f}"),
            Line(
                "the whole way (portal.carrier.calls)",
                f"{whole:.2f} ms, ×{times:.2f}",
                "≤ ×3.5",
                times <= 3.5,
            ),
        ],
    )
