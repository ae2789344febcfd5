"""`make bench`: measure pages, carrier calls and a million customers, as ratios within one run.

    python -m tests.bench [pages calls million memory]

All parts take about five minutes and write docs/benchmarks.md. Exits with 1 if a bar is missed.
"""

# ruff: noqa: E402 - shared test code needs Django, and Django its settings.

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


def main(names: list[str]) -> int:
    """Run the named parts, or all; return how many bars were missed."""
    if unknown := set(names) - set(PARTS):
        raise SystemExit(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    report = Report()
    with world(**SERVICES) as bench:
        for name, part in PARTS.items():
            if name in names or not names:
                part.measure(bench, report)
    if not names:
        report.write()
    for missed in report.missed():
        print(f"missed: {missed}")
    return len(report.missed())


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
