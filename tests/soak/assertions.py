"""Checks of recorded answers. A check returns its findings, none if all is well."""

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

# Requests running at a dying node are answered 502, and requests being forwarded a little later.
AFTER_AN_END = 3.0  # Seconds.
LEAST = 20  # Answers needed for a meaningful figure.
ANSWERED = {200, 302}  # Statuses a healthy portal answers a probe with.
DONE, PERHAPS = {"done", "found_done"}, {"unknown", "dispatched"}
NUMBERS = re.compile(r"\b8[12]0\d{6}\b")
NAMES = re.compile(r"[\w.+-]+@[\w-]+\.soak\.example|\bAurora\b|\bBorealis\b")


@dataclass(frozen=True)
class Answer:
    """An answer: to whom, of which kind, status, duration and time (monotonic). Status 0: it broke off.

    `who`: the email of the visitor; empty for staff. `named`: brands, emails and account numbers on
    it.
    """

    kind: str
    brand: str
    who: str
    status: int
    seconds: float
    at: float
    signed_in: bool = False
    named: frozenset[str] = frozenset()
    location: str = ""


@dataclass(frozen=True)
class Ledger:
    """The carrier's bookings for a brand since the start, and the resulting balances."""

    booked: Mapping[str, Sequence[Decimal]]  # Account number → amounts transferred to it.
    taken: Sequence[Decimal]  # Amounts transferred from the partner account.
    balances: Mapping[str, Decimal]
    partner: Decimal  # How much less the partner account holds.


def names_in(text: str) -> frozenset[str]:
    """Return brands, emails and account numbers on a page."""
    return frozenset(NUMBERS.findall(text)) | frozenset(NAMES.findall(text))


def failures(seen: Iterable[Answer], ends: Sequence[tuple[float, float]]) -> list[str]:
    """Find any 500, and 502, 504 or broken-off answers except while a node ends and three seconds after."""

    def may_break(answer: Answer) -> bool:
        return any(begun <= answer.at <= ended + AFTER_AN_END for begun, ended in ends)

    return [
        f"{answer.status or 'broken off'}: {answer.kind} of {answer.brand}"
        for answer in seen
        if answer.status == 500 or (answer.status in (0, 502, 504) and not may_break(answer))
    ]


def tracebacks(log: str) -> list[str]:
    """Return the last line of each traceback in the nodes' logs."""
    lines = (line.removeprefix("  | ") for line in log.splitlines())
    return [
        next((each for each in lines if not each.startswith("  ")), line)
        for line in lines
        if line.startswith("Traceback (most recent call last)")
    ]


def signed_out(seen: Iterable[Answer]) -> list[str]:
    """Find answers to signed-in visitors that redirect to the sign-in."""
    return [
        f"{answer.who} was signed out: {answer.kind}"
        for answer in seen
        if answer.signed_in and answer.location.startswith(("/sign-in/", "/admin/login/"))
    ]


def foreign_data(seen: Iterable[Answer], owners: Mapping[str, tuple[str, str]]) -> list[str]:
    """Find pages that name the other brand, or an email or account number of another customer.

    `owners`: account number → brand and email. Staff (`who` empty) see all customers of their brand.
    """
    found = []
    for answer in seen:
        for name in answer.named:
            brand, email = owners.get(name) or _brand_and_email(name)
            if brand != answer.brand or (email and answer.who and email != answer.who):
                found.append(f"{answer.kind} of {answer.who or 'staff'} at {answer.brand} names {name}")
    return found


def _brand_and_email(name: str) -> tuple[str, str]:
    """Return brand and email of an email or a brand name; an unknown number belongs to nobody."""
    if "@" in name:
        return name.partition("@")[2].partition(".")[0], name
    return name.lower() if name.isalpha() else "nobody", ""


def transfer_findings(transfers: Iterable[Mapping[str, Any]], ledger: Ledger, start: Decimal) -> list[str]:
    """Check bookings: once for each done transfer, at most once for an unclear one, never for others.

    No two transfers of an account have the same amount, so the amount identifies them.
    """
    found, unmatched = [], {number: Counter(amounts) for number, amounts in ledger.booked.items()}
    for transfer in transfers:
        number, amount, state = transfer["account_number"], transfer["amount"], transfer["state"]
        times = unmatched.setdefault(number, Counter()).pop(amount, 0)
        expected_times = {1} if state in DONE else {0, 1} if state in PERHAPS else {0}
        if times not in expected_times:
            found.append(f"{state}, but booked {times} times: {amount} to {number}")
    found += [
        f"booked, but no transfer of ours: {amount} to {number}"
        for number in unmatched
        for amount in unmatched[number].elements()
    ]
    return found + _sums(ledger, start)


def _sums(ledger: Ledger, start: Decimal) -> list[str]:
    """Check that customers received what left the partner account, and that balances match."""
    received = [amount for amounts in ledger.booked.values() for amount in amounts]
    found = [
        f"balance of {number}: {balance}, not {start + sum(ledger.booked.get(number, ()))}"
        for number, balance in ledger.balances.items()
        if balance != start + sum(ledger.booked.get(number, ()))
    ]
    if Counter(received) != Counter(ledger.taken) or sum(received) != ledger.partner:
        found.append(
            f"{sum(received)} came to the customers, and {ledger.partner} went from the partner account"
        )
    return found


def lost(what: str, promised: Iterable[str], stored: Iterable[str]) -> list[str]:
    """Find what was answered with success but is not in the database."""
    return [f"{what} was answered, and is lost: {each}" for each in sorted(set(promised) - set(stored))]


def p95(seconds: Sequence[float]) -> float:
    """Return the 95th percentile; 0 for fewer than two values."""
    return statistics.quantiles(seconds, n=20)[-1] if len(seconds) > 1 else 0.0


def slow(seen: Iterable[Answer], kind: str, longest: float) -> list[str]:
    """Find answers of a kind with a slow 95th percentile, or too few of them, or failures.

    A refusal is quick, so any status but 200 or 302 is a finding however quick it was.
    """
    answers = [answer for answer in seen if answer.kind == kind]
    if len(answers) < LEAST:
        return [f"{kind}: only {len(answers)} answers, at least {LEAST} are needed"]
    statuses = Counter(answer.status for answer in answers if answer.status not in ANSWERED)
    found = [f"{kind}: {times} times {status or 'broken off'}" for status, times in sorted(statuses.items())]
    taken = p95([answer.seconds for answer in answers])
    return [*found, f"{kind}: p95 {taken:.3f} s, not below {longest} s"] if taken >= longest else found


def not_recovered(seen: Iterable[Answer], since: float) -> list[str]:
    """Find errors after all faults have ended and the time to recover has passed."""
    after = [answer for answer in seen if answer.at > since]
    wrong = [f"{answer.status}: {answer.kind} of {answer.brand}" for answer in after if answer.status >= 500]
    return wrong if after else ["nobody came after the faults had ended"]


# --- Single faults and bursts ----------------------------------------------------------------------

READ, FIGURES, FORM = "load: pages,", "load: new figures", "load: forms"  # Prefixes of the kinds of load.
LOST = (0, 500, 502, 504)  # 0: broken off, or no answer in time.


@dataclass(frozen=True)
class FaultResult:
    """The result of one fault: how the load was answered, and how soon all was well afterwards.

    `recovered_after` is None if not in time. `cut`: running at a killed process and impossible to retry.
    """

    fault: str
    answers: int
    refused: int
    lost: int
    cut: int
    foreign: int
    recovered_after: float | None


def is_load(answer: Answer) -> bool:
    """True if it was an answer to the load."""
    return answer.kind.startswith((READ, FIGURES, FORM))


def is_lost(answer: Answer) -> bool:
    """True if it was an unusable answer to the load."""
    return is_load(answer) and answer.status in LOST


def are_served(seen: Iterable[Answer], since: float, readers: int) -> bool:
    """True if each of so many readers was served twice in a row after this moment."""
    last: dict[str, list[int]] = {}
    for answer in seen:
        if answer.kind.startswith((READ, FIGURES)) and answer.at - answer.seconds > since:
            last.setdefault(answer.kind, []).append(answer.status)
    return len(last) >= readers and all(statuses[-2:] == [200, 200] for statuses in last.values())


def _cannot_be_retried(answer: Answer) -> bool:
    """True if nginx could not retry at another node: a form, or a page that was partly sent."""
    return answer.status == 0 or (answer.kind.startswith(FORM) and answer.status in (502, 504))


def evaluate_fault(
    fault: str, seen: Sequence[Answer], ended: float, foreign: int, *, kills: bool, well: bool
) -> FaultResult:
    """Evaluate the answers to the load since a fault began. `kills`: it ends processes that have requests."""
    load = [answer for answer in seen if is_load(answer)]
    lost = [answer for answer in load if is_lost(answer)]
    cut = [answer for answer in lost if kills and _cannot_be_retried(answer)]
    late = [
        answer.at - ended
        for answer in load
        if answer.at > ended and answer.status != 200 and not answer.kind.startswith(FORM)
    ]
    refused = sum(answer.status == 503 for answer in load)
    recovered_after = max(late, default=0.0) if well else None
    return FaultResult(fault, len(load), refused, len(lost) - len(cut), len(cut), foreign, recovered_after)


def fault_findings(row: FaultResult, within: float) -> list[str]:
    """Return findings about one fault."""
    wrong = [f"{row.fault}: {row.lost} answers were lost"] if row.lost else []
    wrong += [f"{row.fault}: {row.foreign} pages of somebody else"] if row.foreign else []
    wrong += [f"{row.fault}: only {row.answers} answers"] if row.answers < LEAST else []
    if row.recovered_after is None or row.recovered_after > within:
        wrong.append(f"{row.fault}: not well within {within:.0f} s of its end")
    return wrong


@dataclass(frozen=True)
class Burst:
    """A burst beside ordinary visitors: their p95 without and with it, and all statuses."""

    name: str
    quiet: float
    busy: float
    visitors: Mapping[int, int]  # Status → count.
    own: Mapping[int, int]

    @property
    def factor(self) -> float:
        """Return how many times longer ordinary visitors waited."""
        return self.busy / self.quiet


THREADS = 128  # Per node by default: two workers with 64 each.


def burst_findings(burst: Burst, most: float) -> list[str]:
    """Return findings about a burst: every ordinary page must be 200 and hardly slower."""
    count = sum(burst.visitors.values())
    wrong = [f"{burst.name}: only {count} visitors, at least {LEAST} are needed"] if count < LEAST else []
    wrong += [
        f"{burst.name}: {number} ordinary pages were answered {status or 'broken off'}"
        for status, number in sorted(burst.visitors.items())
        if status != 200
    ]
    wrong += [
        f"{burst.name}: {burst.own[status]} of its own {status}" for status in LOST if burst.own.get(status)
    ]
    # More requests than threads occupy all threads for a moment: pages are served, but late.
    if burst.factor > most and sum(burst.own.values()) <= THREADS:
        wrong.append(f"{burst.name}: p95 {burst.factor:.1f} times the quiet one, more than {most:.0f}")
    return wrong
