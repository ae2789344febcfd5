"""Results of a run: lines for the terminal, and tables for docs/soak.md."""

import statistics
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.bench.report import machine
from tests.conftest import ROOT
from tests.soak import assertions
from tests.soak.assertions import Answer, Burst, FaultResult, p95
from tests.soak.faults import Fault
from tests.soak.visitors import Soak

PAGE = ROOT / "docs" / "soak.md"
SHOWN = 10  # Findings shown per check.
FACTOR = 10.0  # The maximum factor by which an ordinary page may be slower during a burst (p95).
HEAD = """# Soak

Written by `make soak` on {day}, of commit {commit}, seed {seed}; do not edit.
{cores} cores of {cpu}, {memory} GiB, Linux {kernel}, Python {python}, Django {django}. Visitors, nodes,
nginx, PostgreSQL, Redis and the carrier simulators share them, so seconds mean less than statuses.
"""
OF_FAULTS = """## Single faults

Two nodes behind nginx. Readers of two brands, anonymous visitors, visitors who send forms, staff who read and
staff who transfer funds send requests all the time. Each fault comes alone, and the portal recovers without
help. *503*: refused with an error page. *lost*: 500, 502, 504, or no answer. *cut*: requests running at a
process that ended, which nginx could not retry at another node: a form, which must not be sent twice, or a
page that was partly sent. *others' pages*: answers that name another brand or customer. *back*: seconds from
the end of the fault until every page of every reader was 200 again; at most 15, or 45 after a carrier fault
(an open breaker of 30 and a call of 15).

| fault | answers | 503 | lost | cut | others' pages | back |
| --- | --- | --- | --- | --- | --- | --- |
"""
OF_BURSTS = """## Bursts

One node with its default settings (2 workers of 64 threads) behind nginx; 12 ordinary visitors a
second, two thirds of them customers, who come whether earlier ones are answered or not. Each burst is within
all rate limits, and its requests are sent at once. The bar: every ordinary page is 200, and their p95 at most
{factor:.0f} times the quiet one; with more requests than the node has threads, only that every page is 200.

| burst | ordinary pages | p95, quiet | p95, beside it | factor | answers to the burst |
| --- | --- | --- | --- | --- | --- |
"""
OF_CHECKS = """## Checks

| check | findings |
| --- | --- |
"""


def too_little(soak: Soak, transfers: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what happened too rarely for the other checks to be meaningful."""
    done = Counter(transfer["brand"] for transfer in transfers if transfer["state"] == "done")
    counted = {**{f"transfers done by {slug}": done[slug] for slug in soak.site.carriers}}
    counted |= {"sign-ups": len(soak.signed_up)}
    counted |= {
        f"visits by a {kind} of {slug}": soak.visits[f"{kind} of {slug}"]
        for kind in ("customer", "newcomer", "guest")
        for slug in soak.site.carriers
    }
    return [f"only {number} {what}" for what, number in counted.items() if number < 5] + soak.errors


def format_statuses(statuses: Mapping[int, int]) -> str:
    """Return the statuses and their counts as text."""
    return ", ".join(f"{number} × {status or 'broken off'}" for status, number in sorted(statuses.items()))


@dataclass
class Report:
    """Collects results and findings."""

    seed: int
    rows: list[FaultResult] = field(default_factory=list)
    stopping: list[FaultResult] = field(default_factory=list)
    bursts: list[Burst] = field(default_factory=list)
    checks: dict[str, Sequence[str]] = field(default_factory=dict)

    @property
    def missed(self) -> list[str]:
        """Return all findings."""
        return [each for findings in self.checks.values() for each in findings]

    def add_checks(self, found: Mapping[str, Sequence[str]]) -> None:
        """Add checks with their findings."""
        self.checks.update(found)

    def add_faults(self, rows: Sequence[tuple[Fault, FaultResult]]) -> None:
        """Add the results of single faults."""
        self.rows = [row for _fault, row in rows]
        self.stopping = [row for fault, row in rows if fault.stops_service]
        wrong = [each for fault, row in rows for each in assertions.fault_findings(row, fault.within)]
        self.checks["the portal recovers from each single fault"] = wrong

    def add_bursts(self, bursts: Sequence[Burst]) -> None:
        """Add the results of bursts."""
        self.bursts = list(bursts)
        wrong = [each for burst in bursts for each in assertions.burst_findings(burst, FACTOR)]
        self.checks["no burst harms an ordinary page"] = wrong

    def answers(self, soak: Soak) -> None:
        """Print how each kind of request was answered."""
        kinds: dict[str, list[Answer]] = defaultdict(list)
        for answer in soak.seen:
            kinds[answer.kind].append(answer)
        print(f"\n{'':44} {'answers':>7} {'median':>8} {'p95':>8}  statuses")
        for kind, answers in sorted(kinds.items()):
            seconds = [answer.seconds for answer in answers]
            statuses = format_statuses(Counter(answer.status for answer in answers))
            print(
                f"{kind:44} {len(seconds):7} {statistics.median(seconds):7.3f}s {p95(seconds):7.3f}s"
                f"  {statuses}"
            )
        states = Counter(transfer["state"] for transfer in soak.site.transfers())
        print(f"\ntransfers: {dict(states)}\nvisits: {dict(sorted(soak.visits.items()))}\n")

    def _of_faults(self) -> str:
        lines = [(row.fault, row) for row in self.rows]
        if self.stopping:
            lines.append((f"**the {len(self.stopping)} that stop a service**", _sum(self.stopping)))
            lines.append((f"**all {len(self.rows)}**", _sum(self.rows)))
        cells = (
            (
                what,
                row.answers,
                row.refused,
                row.lost,
                row.cut,
                row.foreign,
                _seconds_or_never(row.recovered_after),
            )
            for what, row in lines
        )
        return "".join(f"| {' | '.join(map(str, each))} |\n" for each in cells)

    def _of_bursts(self) -> str:
        cells = (
            (
                each.name,
                format_statuses(each.visitors),
                f"{each.quiet * 1000:.0f} ms",
                f"{each.busy * 1000:.0f} ms",
                f"{each.factor:.1f}",
                format_statuses(each.own),
            )
            for each in self.bursts
        )
        return "".join(f"| {' | '.join(each)} |\n" for each in cells)

    def show(self) -> None:
        """Print the tables, then a line for each check."""
        print(self._of_bursts() + self._of_faults())
        for check, findings in self.checks.items():
            print(f"{'FAILED' if findings else 'ok':7} {check}")
            for each in findings[:SHOWN]:
                print(f"        {each}")
            if len(findings) > SHOWN:
                print(f"        and {len(findings) - SHOWN} more")

    def write(self) -> None:
        """Write docs/soak.md."""
        head = HEAD.format(**machine(), day=datetime.now(UTC).date(), commit=_commit(), seed=self.seed)
        bursts = OF_BURSTS.format(factor=FACTOR) + self._of_bursts()
        checks = "".join(f"| {what} | {len(found) or 'none'} |\n" for what, found in self.checks.items())
        parts = (head, bursts, OF_FAULTS + self._of_faults(), OF_CHECKS + checks)
        PAGE.write_text("\n".join(parts))


def _sum(rows: Sequence[FaultResult]) -> FaultResult:
    times = [row.recovered_after for row in rows]
    longest = None if None in times else max(each for each in times if each is not None)
    sums = [
        sum(getattr(row, name) for row in rows) for name in ("answers", "refused", "lost", "cut", "foreign")
    ]
    return FaultResult("", *sums, longest)


def _seconds_or_never(seconds: float | None) -> str:
    return "**never**" if seconds is None else f"{seconds:.1f} s"


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
