"""What must not have happened, found in what was seen. A check returns its findings, none if all is well."""

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

# What was under way at a node that died is answered 502, and what was being passed on a little later.
AFTER_AN_END = 3.0  # Seconds.
LEAST = 20  # Answers without which a figure about them says nothing.
ANSWERED = {200, 302}  # What a probe is answered by a portal that is well.
MADE, PERHAPS = {"done", "found_done"}, {"unknown", "dispatched"}
NUMBERS = re.compile(r"\b8[12]0\d{6}\b")
NAMES = re.compile(r"[\w.+-]+@[\w-]+\.soak\.example|\bAurora\b|\bBorealis\b")


@dataclass(frozen=True)
class Seen:
    """An answer: to whom, of which kind, how and when (monotonic). Status 0: it broke off.

    `who`: whose page it is; of staff it is empty. `named`: brands, e-mail addresses and account numbers on it
    that may be somebody's.
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
class Books:
    """What the carrier has written for a brand since the beginning, and the balances that come of it."""

    booked: Mapping[str, Sequence[Decimal]]  # Account number → what was moved to it.
    taken: Sequence[Decimal]  # What was moved from the partner account.
    balances: Mapping[str, Decimal]
    partner: Decimal  # How much less the partner account holds.


def named_on(text: str) -> frozenset[str]:
    """What a page says of anybody."""
    return frozenset(NUMBERS.findall(text)) | frozenset(NAMES.findall(text))


def failures(seen: Iterable[Seen], ends: Sequence[tuple[float, float]]) -> list[str]:
    """No 500 ever; 502, 504 and a broken answer only while a node was ending, and three seconds after."""

    def may_break(answer: Seen) -> bool:
        return any(begun <= answer.at <= gone + AFTER_AN_END for begun, gone in ends)

    return [
        f"{answer.status or 'broken off'}: {answer.kind} of {answer.brand}"
        for answer in seen
        if answer.status == 500 or (answer.status in (0, 502, 504) and not may_break(answer))
    ]


def tracebacks(log: str) -> list[str]:
    """The last line of each traceback in the nodes' logs."""
    lines = (line.removeprefix("  | ") for line in log.splitlines())
    return [
        next((each for each in lines if not each.startswith("  ")), line)
        for line in lines
        if line.startswith("Traceback (most recent call last)")
    ]


def signed_out(seen: Iterable[Seen]) -> list[str]:
    """Whoever was signed in stays so: no page of theirs leads to the sign-in."""
    return [
        f"{answer.who} was signed out: {answer.kind}"
        for answer in seen
        if answer.signed_in and answer.location.startswith(("/sign-in/", "/admin/login/"))
    ]


def strangers(seen: Iterable[Seen], owners: Mapping[str, tuple[str, str]]) -> list[str]:
    """No page names the other brand, or an address or number of anybody else.

    `owners`: account number → brand and address. Staff (`who` empty) see their own brand's customers.
    """
    found = []
    for answer in seen:
        for name in answer.named:
            brand, email = owners.get(name) or _said(name)
            if brand != answer.brand or (email and answer.who and email != answer.who):
                found.append(f"{answer.kind} of {answer.who or 'staff'} at {answer.brand} names {name}")
    return found


def _said(name: str) -> tuple[str, str]:
    """Whose an address or a brand's name is; a number that nobody has is nobody's."""
    if "@" in name:
        return name.partition("@")[2].partition(".")[0], name
    return name.lower() if name.isalpha() else "nobody", ""


def money(transfers: Iterable[Mapping[str, Any]], books: Books, start: Decimal) -> list[str]:
    """Each move that is done was booked once, one that may have happened once at most, all others never.

    No two moves of an account have the same amount, so that the amount tells which is which.
    """
    found, left = [], {number: Counter(amounts) for number, amounts in books.booked.items()}
    for transfer in transfers:
        number, amount, state = transfer["account_number"], transfer["amount"], transfer["state"]
        times = left.setdefault(number, Counter()).pop(amount, 0)
        right = {1} if state in MADE else {0, 1} if state in PERHAPS else {0}
        if times not in right:
            found.append(f"{state}, but booked {times} times: {amount} to {number}")
    found += [
        f"booked, but no move of ours: {amount} to {number}"
        for number in left
        for amount in left[number].elements()
    ]
    return found + _sums(books, start)


def _sums(books: Books, start: Decimal) -> list[str]:
    """What came to the customers went from the partner account, and the balances say so."""
    came = [amount for amounts in books.booked.values() for amount in amounts]
    found = [
        f"balance of {number}: {balance}, not {start + sum(books.booked.get(number, ()))}"
        for number, balance in books.balances.items()
        if balance != start + sum(books.booked.get(number, ()))
    ]
    if Counter(came) != Counter(books.taken) or sum(came) != books.partner:
        found.append(f"{sum(came)} came to the customers, and {books.partner} went from the partner account")
    return found


def lost(what: str, promised: Iterable[str], there: Iterable[str]) -> list[str]:
    """What was answered with success and is not in the database."""
    return [f"{what} was answered, and is lost: {each}" for each in sorted(set(promised) - set(there))]


def p95(seconds: Sequence[float]) -> float:
    """19 of 20 are no longer; 0 of too few."""
    return statistics.quantiles(seconds, n=20)[-1] if len(seconds) > 1 else 0.0


def slow(seen: Iterable[Seen], kind: str, longest: float) -> list[str]:
    """Whether answers of a kind took too long at the 95th percentile, were too few to say, or none at all.

    A refusal is quick, so what is not answered 200 or 302 is a finding however quick it was.
    """
    answers = [answer for answer in seen if answer.kind == kind]
    if len(answers) < LEAST:
        return [f"{kind}: only {len(answers)} answers, at least {LEAST} are needed"]
    statuses = Counter(answer.status for answer in answers if answer.status not in ANSWERED)
    found = [f"{kind}: {times} times {status or 'broken off'}" for status, times in sorted(statuses.items())]
    taken = p95([answer.seconds for answer in answers])
    return [*found, f"{kind}: p95 {taken:.3f} s, not below {longest} s"] if taken >= longest else found


def not_recovered(seen: Iterable[Seen], since: float) -> list[str]:
    """After all faults have ended and the time to recover has passed, no answer is an error."""
    after = [answer for answer in seen if answer.at > since]
    wrong = [f"{answer.status}: {answer.kind} of {answer.brand}" for answer in after if answer.status >= 500]
    return wrong if after else ["nobody came after the faults had ended"]


# --- Single faults and bursts ----------------------------------------------------------------------

READ, FIGURES, FORM = "load: pages,", "load: new figures", "load: forms"  # How the kinds of the load begin.
LOST = (0, 500, 502, 504)  # 0: broken off, or none came in time.


@dataclass(frozen=True)
class Survived:
    """What came of one fault: how the load was answered, and how soon all was well after its end.

    `back` is None where it was not well in time. `cut`: under way at a process that was killed, past help.
    """

    fault: str
    answers: int
    refused: int
    lost: int
    cut: int
    strange: int
    back: float | None


def is_load(answer: Seen) -> bool:
    """Whether it was given to the load."""
    return answer.kind.startswith((READ, FIGURES, FORM))


def is_lost(answer: Seen) -> bool:
    """Whether it was given to the load and is none that a visitor can use."""
    return is_load(answer) and answer.status in LOST


def are_served(seen: Iterable[Seen], since: float, readers: int) -> bool:
    """Whether each of so many readers got what they asked for after this moment, two times in a row."""
    last: dict[str, list[int]] = {}
    for answer in seen:
        if answer.kind.startswith((READ, FIGURES)) and answer.at - answer.seconds > since:
            last.setdefault(answer.kind, []).append(answer.status)
    return len(last) >= readers and all(statuses[-2:] == [200, 200] for statuses in last.values())


def _is_past_help(answer: Seen) -> bool:
    """Whether nginx could not ask another node: for a form, or once a part of a page had left."""
    return answer.status == 0 or (answer.kind.startswith(FORM) and answer.status in (502, 504))


def survived(
    fault: str, seen: Sequence[Seen], ended: float, strange: int, *, kills: bool, well: bool
) -> Survived:
    """Judge a fault by the load's answers since its begin. `kills`: it ends processes that have requests."""
    load = [answer for answer in seen if is_load(answer)]
    lost = [answer for answer in load if is_lost(answer)]
    cut = [answer for answer in lost if kills and _is_past_help(answer)]
    late = [
        answer.at - ended
        for answer in load
        if answer.at > ended and answer.status != 200 and not answer.kind.startswith(FORM)
    ]
    refused = sum(answer.status == 503 for answer in load)
    back = max(late, default=0.0) if well else None
    return Survived(fault, len(load), refused, len(lost) - len(cut), len(cut), strange, back)


def not_survived(row: Survived, within: float) -> list[str]:
    """What is wrong with how a fault was borne."""
    wrong = [f"{row.fault}: {row.lost} answers were lost"] if row.lost else []
    wrong += [f"{row.fault}: {row.strange} pages of somebody else"] if row.strange else []
    wrong += [f"{row.fault}: only {row.answers} answers"] if row.answers < LEAST else []
    if row.back is None or row.back > within:
        wrong.append(f"{row.fault}: not well within {within:.0f} s of its end")
    return wrong


@dataclass(frozen=True)
class Burst:
    """A burst beside ordinary visitors: their p95 without and with it, and how all were answered."""

    name: str
    quiet: float
    busy: float
    visitors: Mapping[int, int]  # Status → how many.
    own: Mapping[int, int]

    @property
    def factor(self) -> float:
        """How much longer ordinary visitors waited."""
        return self.busy / self.quiet


THREADS = 128  # Of a node as it comes: two workers with 64 each.


def not_borne(burst: Burst, most: float) -> list[str]:
    """What is wrong with how a burst was borne: every ordinary page is 200 and hardly later."""
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
    # What is more than all threads of a node has them all for a moment: then pages are there, and late.
    if burst.factor > most and sum(burst.own.values()) <= THREADS:
        wrong.append(f"{burst.name}: p95 {burst.factor:.1f} times the quiet one, more than {most:.0f}")
    return wrong
