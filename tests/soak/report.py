"""What a run prints in the end: how many answers of which kind, how quick, and what each check found."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.soak.verdict import Seen, p95
from tests.soak.visitors import Soak

SHOWN = 10  # Findings of a check; more say no more.


def too_little(soak: Soak, moves: Iterable[Mapping[str, Any]]) -> list[str]:
    """What did not happen often enough for the other checks to mean anything."""
    found = [
        f"node {node.address} was not killed" for node in soak.site.nodes if not node.ends or not node.runs
    ]
    done = Counter(move["brand"] for move in moves if move["state"] == "done")
    counted = {**{f"moves done by {slug}": done[slug] for slug in soak.site.carriers}}
    counted |= {"sign-ups": len(soak.signed_up)}
    counted |= {
        f"visits by a {kind} of {slug}": soak.visits[f"{kind} of {slug}"]
        for kind in ("customer", "newcomer", "guest")
        for slug in soak.site.carriers
    }
    found += [f"only {number} {what}" for what, number in counted.items() if number < 5]
    return found + soak.troubles


def show(soak: Soak, found: Mapping[str, Sequence[str]]) -> None:
    """The table, then a line for each check."""
    kinds: dict[str, list[Seen]] = defaultdict(list)
    for answer in soak.seen:
        kinds[answer.kind].append(answer)
    print(f"\n{'':44} {'answers':>7} {'median':>8} {'p95':>8}  statuses")
    for kind, answers in sorted(kinds.items()):
        taken = [answer.seconds for answer in answers]
        statuses = Counter(answer.status for answer in answers)
        told = "  ".join(f"{status or 'broken off'}: {times}" for status, times in sorted(statuses.items()))
        print(f"{kind:44} {len(taken):7} {statistics.median(taken):7.3f}s {p95(taken):7.3f}s  {told}")
    states = Counter(move["state"] for move in soak.site.moves())
    print(f"\nmoves: {dict(states)}\nvisits: {dict(sorted(soak.visits.items()))}\n")
    for check, findings in found.items():
        print(f"{'FAILED' if findings else 'ok':7} {check}")
        for each in findings[:SHOWN]:
            print(f"        {each}")
        if len(findings) > SHOWN:
            print(f"        and {len(findings) - SHOWN} more")
