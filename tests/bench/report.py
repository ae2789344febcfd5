"""Results of the benchmarks: lines for the terminal and for docs/benchmarks.md, each with its bar."""

import os
import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"


@dataclass(frozen=True)
class Line:
    """One figure; `met` is None if there is no bar."""

    what: str
    figure: str
    bar: str = ""
    met: bool | None = None

    def cells(self) -> list[str]:
        """Return the cells of a table row."""
        met = {None: "", True: "yes", False: "**no**"}[self.met]
        return [self.what, self.figure, self.bar, met]


@dataclass
class Report:
    """Sections in order: title, how it was measured, lines."""

    sections: list[tuple[str, str, list[Line]]] = field(default_factory=list)

    def add(self, title: str, how: str, lines: list[Line]) -> None:
        """Add a section and print it."""
        self.sections.append((title, how, lines))
        print(f"\n{title}")
        for line in lines:
            print(
                "  "
                + "  ".join(
                    f"{cell:<{width}}" for cell, width in zip(line.cells(), (62, 34, 18, 4), strict=True)
                )
            )

    def missed(self) -> list[str]:
        """Return the lines that missed their bar."""
        return [line.what for _, _, lines in self.sections for line in lines if line.met is False]

    def write(self) -> None:
        """Write docs/benchmarks.md."""
        parts = [HEAD.format(**machine(), day=datetime.now(UTC).date().isoformat())]
        for title, how, lines in self.sections:
            rows = "\n".join("| " + " | ".join(line.cells()) + " |" for line in lines)
            parts.append(
                f"## {title}\n\n{how}\n\n| what | measured | bar | met |\n| --- | --- | --- | --- |\n{rows}\n"
            )
        PAGE.write_text("\n".join(parts))


HEAD = """# Benchmarks

Written by `make bench` on {day}; do not edit. All figures are from one run on one machine, and only
the ratios are meaningful on another: {cores} cores of {cpu}, {memory} GiB, Linux {kernel},
Python {python}, Django {django}, gunicorn {gunicorn}, PostgreSQL and Redis on the same machine.

Pages per second are measured in turns, in many short rounds, so that changes of the machine's speed affect
all pages.
"""


def machine() -> dict[str, str]:
    """Return details of this machine."""
    cpu = next(
        (line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ": ?"
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "cpu": cpu.partition(":")[2].strip(),
        "memory": f"{memory:.0f}",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "django": version("django"),
        "gunicorn": version("gunicorn"),
    }
