"""`make bench`: what pages, calls and a million customers cost here, as ratios within one run.

    python -m tests.bench [pages calls million memory]

All parts, about five minutes, write docs/benchmarks.md. Ends with 1 where a bar is missed.
"""

# ruff: noqa: E402 - what the tests share wants Django, and Django its settings.

import os
import sys

SERVICES = {name: os.environ.get(name, "") for name in ("DATABASE_URL", "REDIS_URL")}
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

import django

django.setup()

from tests.bench import calls, memory, million, pages
from tests.bench.report import Report
from tests.bench.stack import world

PARTS = {"pages": pages, "calls": calls, "memory": memory, "million": million}


def main(wanted: list[str]) -> int:
    """How many bars were missed."""
    if unknown := set(wanted) - set(PARTS):
        raise SystemExit(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    report = Report()
    with world(**SERVICES) as made:
        for name, part in PARTS.items():
            if name in wanted or not wanted:
                part.measure(made, report)
    if not wanted:
        report.write()
    for missed in report.missed():
        print(f"missed: {missed}")
    return len(report.missed())


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
