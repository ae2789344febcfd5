"""What a run has found: lines for the terminal, and tables for docs/soak.md."""

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
from tests.soak.assertions import Burst, Seen, Survived, p95
from tests.soak.faults import Fault
from tests.soak.visitors import Soak

PAGE = ROOT / "docs" / "soak.md"
SHOWN = 10  # Findings of a check; more say no more.
FACTOR = 10.0  # An ordinary page beside a burst takes so many times as long at the most (p95).
HEAD = """# Soak

Written by `make soak` on {day}, of commit {commit}, seed {seed}; do not edit.
{cores} cores of {cpu}, {memory} GiB, Linux {kernel}, Python {python}, Django {django}. Visitors, nodes,
nginx, PostgreSQL, Redis and the stand-in carriers share them, so seconds say less than statuses.
"""
OF_FAULTS = """## Single faults

Two nodes behind nginx; readers of two brands, strangers, people who send forms, staff who read and staff who
move money keep asking. Each fault comes by itself, and nobody helps the portal. *503*: refused honestly.
*lost*: 500, 502, 504, or no answer. *cut*: what was under way at a process that ended and nginx could not
ask another node for: a form, which nobody may send again, or a page of which a part had left.
*others' pages*: answers that name another brand or customer. *back*: seconds from the end of the fault until
every page of every reader was 200 again; at most 15, or 45 where a carrier failed (a break of 30 and a call
of 15).

| fault | answers | 503 | lost | cut | others' pages | back |
| --- | --- | --- | --- | --- | --- | --- |
"""
OF_BURSTS = """## Bursts

One node with the settings it has by itself (2 workers of 64 threads) behind nginx; 12 ordinary visitors a
second, two thirds of them customers, who come whether those before are answered or not. Each burst is inside
all limits, and all of it comes at once. The bar: every ordinary page is 200, and their p95 at most
{factor:.0f} times the quiet one; of more requests than the node has threads, only that every page is 200.

| burst | ordinary pages | p95, quiet | p95, beside it | factor | answers to the burst |
| --- | --- | --- | --- | --- | --- |
"""
OF_CHECKS = """## What nothing brought about

| check | findings |
| --- | --- |
"""


def too_little(soak: Soak, transfers: Iterable[Mapping[str, Any]]) -> list[str]:
    """What did not happen often enough for the other checks to mean anything."""
    done = Counter(transfer["brand"] for transfer in transfers if transfer["state"] == "done")
    counted = {**{f"moves done by {slug}": done[slug] for slug in soak.site.carriers}}
    counted |= {"sign-ups": len(soak.signed_up)}
    counted |= {
        f"visits by a {kind} of {slug}": soak.visits[f"{kind} of {slug}"]
        for kind in ("customer", "newcomer", "guest")
        for slug in soak.site.carriers
    }
    return [f"only {number} {what}" for what, number in counted.items() if number < 5] + soak.troubles


def told(statuses: Mapping[int, int]) -> str:
    """How often which."""
    return ", ".join(f"{number} × {status or 'broken off'}" for status, number in sorted(statuses.items()))


@dataclass
class Report:
    """Collects rows, and what missed its bar."""

    seed: int
    rows: list[Survived] = field(default_factory=list)
    ten: list[Survived] = field(default_factory=list)
    bursts: list[Burst] = field(default_factory=list)
    checks: dict[str, Sequence[str]] = field(default_factory=dict)

    @property
    def missed(self) -> list[str]:
        """Everything that was found."""
        return [each for findings in self.checks.values() for each in findings]

    def checked(self, found: Mapping[str, Sequence[str]]) -> None:
        """Take checks, each with its findings."""
        self.checks.update(found)

    def survived(self, rows: Sequence[tuple[Fault, Survived]]) -> None:
        """Take what single faults cost."""
        self.rows = [row for _fault, row in rows]
        self.ten = [row for fault, row in rows if fault.of_the_ten]
        wrong = [each for fault, row in rows for each in assertions.not_survived(row, fault.within)]
        self.checks["each single fault is survived without help"] = wrong

    def borne(self, bursts: Sequence[Burst]) -> None:
        """Take how bursts were borne."""
        self.bursts = list(bursts)
        wrong = [each for burst in bursts for each in assertions.not_borne(burst, FACTOR)]
        self.checks["no burst harms an ordinary page"] = wrong

    def answers(self, soak: Soak) -> None:
        """Print how each kind of request was answered."""
        kinds: dict[str, list[Seen]] = defaultdict(list)
        for answer in soak.seen:
            kinds[answer.kind].append(answer)
        print(f"\n{'':44} {'answers':>7} {'median':>8} {'p95':>8}  statuses")
        for kind, answers in sorted(kinds.items()):
            taken = [answer.seconds for answer in answers]
            statuses = told(Counter(answer.status for answer in answers))
            print(f"{kind:44} {len(taken):7} {statistics.median(taken):7.3f}s {p95(taken):7.3f}s  {statuses}")
        states = Counter(transfer["state"] for transfer in soak.site.moves())
        print(f"\nmoves: {dict(states)}\nvisits: {dict(sorted(soak.visits.items()))}\n")

    def _of_faults(self) -> str:
        lines = [(row.fault, row) for row in self.rows]
        if self.ten:
            lines.append((f"**the {len(self.ten)} that stop what runs**", _sum(self.ten)))
            lines.append((f"**all {len(self.rows)}**", _sum(self.rows)))
        cells = (
            (what, row.answers, row.refused, row.lost, row.cut, row.strange, _back(row.back))
            for what, row in lines
        )
        return "".join(f"| {' | '.join(map(str, each))} |\n" for each in cells)

    def _of_bursts(self) -> str:
        cells = (
            (
                each.name,
                told(each.visitors),
                f"{each.quiet * 1000:.0f} ms",
                f"{each.busy * 1000:.0f} ms",
                f"{each.factor:.1f}",
                told(each.own),
            )
            for each in self.bursts
        )
        return "".join(f"| {' | '.join(each)} |\n" for each in cells)

    def show(self) -> None:
        """The tables, then a line for each check."""
        print(self._of_bursts() + self._of_faults())
        for check, findings in self.checks.items():
            print(f"{'FAILED' if findings else 'ok':7} {check}")
            for each in findings[:SHOWN]:
                print(f"        {each}")
            if len(findings) > SHOWN:
                print(f"        and {len(findings) - SHOWN} more")

    def write(self) -> None:
        """docs/soak.md."""
        head = HEAD.format(**machine(), day=datetime.now(UTC).date(), commit=_commit(), seed=self.seed)
        bursts = OF_BURSTS.format(factor=FACTOR) + self._of_bursts()
        checks = "".join(f"| {what} | {len(found) or 'none'} |\n" for what, found in self.checks.items())
        parts = (head, bursts, OF_FAULTS + self._of_faults(), OF_CHECKS + checks)
        PAGE.write_text("\n".join(parts))


def _sum(rows: Sequence[Survived]) -> Survived:
    backs = [row.back for row in rows]
    longest = None if None in backs else max(back for back in backs if back is not None)
    sums = [
        sum(getattr(row, name) for row in rows) for name in ("answers", "refused", "lost", "cut", "strange")
    ]
    return Survived("", *sums, longest)


def _back(seconds: float | None) -> str:
    return "**never**" if seconds is None else f"{seconds:.1f} s"


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
