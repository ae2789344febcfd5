"""Customers whom the carrier knows already, from a CSV file of one brand: what would happen, and doing it."""

import hashlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db import IntegrityError, transaction

from accounts.customer_import.csv_file import COLUMNS as COLUMNS
from accounts.customer_import.csv_file import DETAILS, BadRow, Note, Row, read_rows
from accounts.customer_import.csv_file import REQUIRED as REQUIRED
from accounts.customer_import.csv_file import ImportRefused as ImportRefused
from accounts.models import User
from accounts.services.change_log import format_value
from accounts.validators import parse_amount
from portal.core.email_addresses import email_key, email_spellings
from portal.models import Brand
from portal.voipline import is_account_number
from portal.voipline.messages import Words

logger = logging.getLogger(__name__)

CREATE, UPDATE, UNCHANGED, BAD = "create", "update", "unchanged", "bad"
_BATCH = 500


@dataclass(frozen=True)
class Change:
    """A column's value before (empty for a new customer) and after."""

    name: str
    old: str
    new: str


@dataclass(frozen=True)
class RowReport:
    """What a row does, or would do. `what` is one of CREATE, UPDATE, UNCHANGED and BAD."""

    line: int
    what: str
    email: str = ""
    account_number: str = ""
    changes: tuple[Change, ...] = ()
    problems: tuple[BadRow, ...] = ()
    notes: tuple[Note, ...] = ()
    customer: User | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Counts:
    """What an import did, or would do."""

    created: int
    updated: int
    unchanged: int
    bad: int = 0

    @property
    def good(self) -> int:
        """Rows that can be written, whether they change anything or not."""
        return self.created + self.updated + self.unchanged


@dataclass(frozen=True)
class Report:
    """Row by row, in the file's order."""

    rows: tuple[RowReport, ...]

    @cached_property
    def counts(self) -> Counts:
        """How many rows of each kind."""
        found = [row.what for row in self.rows]
        return Counts(*(found.count(what) for what in (CREATE, UPDATE, UNCHANGED, BAD)))

    @cached_property
    def fingerprint(self) -> str:
        """Two reports with the same one say the same of every row."""
        return hashlib.sha256(repr(self.rows).encode()).hexdigest()


class ImportChanged(Exception):
    """Nothing was written: since its report was shown, the customers have changed; `report` is as of now."""

    def __init__(self, report: Report) -> None:
        super().__init__("the report is another now")
        self.report = report


def import_customers(
    *, brand: Brand, data: bytes, dry_run: bool = False, skip_invalid: bool = False, expected: str = ""
) -> Report:
    """Create the customers of a CSV file, and fill in those the brand has: every row, or none.

    With `skip_invalid` the invalid rows are left out instead, and listed in the report. `expected` is the
    fingerprint of the report that was confirmed. Raises ImportRefused and ImportChanged; with either,
    nothing is written.

    A row is the customer with its account number; where nobody has that, the one with its e-mail who has no
    number yet. A cell that is empty leaves what there is. Known numbers and addresses are never changed.
    """
    rows, problems = read_rows(data=data, brand=brand.slug)
    if dry_run:
        report = _Plan(brand, rows, lock=False).report(problems)
        _agree(report, skip_invalid, expected)
        return report
    with transaction.atomic():
        return import_rows(
            brand=brand, rows=rows, problems=problems, skip_invalid=skip_invalid, expected=expected
        )


def import_rows(
    *, brand: Brand, rows: list[Row], problems: list[BadRow], skip_invalid: bool, expected: str
) -> Report:
    """Write what `read_rows` found, inside the caller's transaction; all else as `import_customers` says."""
    plan = _Plan(brand, rows, lock=True)
    report = plan.report(problems)
    _agree(report, skip_invalid, expected)
    plan.write()
    counts = {f"rows_{name}": number for name, number in vars(report.counts).items()}
    logger.info("customers imported", extra={"brand": brand.slug, **counts})
    return report


def _agree(report: Report, skip_invalid: bool, expected: str) -> None:
    if expected and report.fingerprint != expected:
        raise ImportChanged(report)
    if report.counts.bad and not skip_invalid:
        raise ImportRefused([problem for row in report.rows for problem in row.problems])


def _touched(brand: Brand, rows: list[Row], *, lock: bool) -> Iterator[User]:
    """The customers who have an address or a number of these rows, found by indexes; all others stay unread.

    Locked they are in the order of their keys, so that two imports at once wait for each other.
    """
    mine = User.objects.filter(brand=brand)
    keys: set[int] = set()
    for part in _parts(rows):
        # What no address or number can be is of nobody; PostgreSQL would not even look for a NUL.
        emails = {each for row in part for each in email_spellings(row.key) if "\0" not in each}
        numbers = {row.number for row in part if is_account_number(row.number)}
        keys.update(mine.filter(email__lower__in=emails).values_list("pk", flat=True))
        keys.update(mine.filter(account_number__in=numbers).values_list("pk", flat=True))
    found = (mine.select_for_update() if lock else mine).order_by("pk")
    for some in _parts(sorted(keys)):
        yield from found.filter(pk__in=some)


def _parts(whole: list[Any]) -> Iterator[list[Any]]:
    return (whole[start : start + _BATCH] for start in range(0, len(whole), _BATCH))


class _Plan:
    """The customers whom the rows of a file touch, and what becomes of them."""

    def __init__(self, brand: Brand, rows: list[Row], *, lock: bool) -> None:
        self.brand, self.rows = brand, rows
        customers = list(_touched(brand, rows, lock=lock))
        self.by_email = {email_key(user.email): user for user in customers}
        self.by_number = {user.account_number: user for user in customers if user.account_number}
        self.new: list[User] = []
        self.changed: list[User] = []
        self.names: set[str] = set()
        self.notes: dict[int, list[Note]] = {}

    def report(self, problems: list[BadRow]) -> Report:
        rows = self.rows
        found: dict[int, list[BadRow]] = {}
        for note in problems:
            if isinstance(note, Note):
                self.notes.setdefault(note.line, []).append(note)
        problems = [each for each in problems if not isinstance(each, Note)]
        for problem in [*problems, *(clash for row in rows if (clash := self._clash(row)))]:
            found.setdefault(problem.line, []).append(problem)
        lines = {row.line: row for row in rows}
        return Report(
            tuple(self._outcome(line, lines.get(line), found.get(line)) for line in sorted({*lines, *found}))
        )

    def _clash(self, row: Row) -> BadRow | None:
        """Why a row is nobody's, or not this customer's."""
        holder, user, number = self.by_number.get(row.number), self.by_email.get(row.key), row.number
        if not row.key or (number and holder is user is not None):
            return None
        if holder:
            words = Words(
                "{number} belongs to {holder}; an address is how somebody signs in, so it is changed by hand "
                "only",
                number=number,
                holder=holder.email,
            )
            return BadRow(row.line, "account_number", words)
        return self._numberless(row, user)

    def _numberless(self, row: Row, user: User | None) -> BadRow | None:
        """Of a row with a number that nobody has, or without one."""
        if user is None:
            words = None if row.number else Words("empty, and nobody here has this address")
        elif not user.account_number:
            words = None
        elif row.number:
            words = Words(
                "this customer has {known}; a known number is changed by hand only", known=user.account_number
            )
        else:
            words = Words("empty, but this customer has {known}", known=user.account_number)
        return BadRow(row.line, "account_number", words) if words else None

    def _outcome(self, line: int, row: Row | None, problems: list[BadRow] | None) -> RowReport:
        shown = (row.cells["email"], row.number) if row else ("", "")
        notes = tuple(self.notes.get(line, ()))
        if problems or row is None:
            return RowReport(line, BAD, *shown, problems=tuple(problems or ()), notes=notes)
        known = self.by_email.get(row.key)
        user = known or User(brand=self.brand, email=row.cells["email"])
        changes = tuple(_apply_row(user, row))
        if known is None:
            self.new.append(user)
        elif changes:
            self.changed.append(user)
            self.names |= {change.name for change in changes}
        what = CREATE if known is None else UPDATE if changes else UNCHANGED
        return RowReport(line, what, *shown, changes=changes, notes=notes, customer=user)

    def write(self) -> None:
        """All of it. Raises ImportRefused where somebody was quicker with an address or a number."""
        for user in self.new:
            user.set_unusable_password()
        try:
            with transaction.atomic():
                User.objects.bulk_create(self.new, batch_size=_BATCH)
                self._update()
        except IntegrityError as error:
            words = Words("a customer signed up during the import; please repeat it")
            raise ImportRefused([BadRow(1, "", words)]) from error

    def _update(self) -> None:
        """As rows that are there already: much faster than bulk_update, which builds a CASE for each."""
        if self.changed:
            User.objects.bulk_create(
                self.changed,
                batch_size=_BATCH,
                update_conflicts=True,
                unique_fields=["id"],
                update_fields=self.names,
            )


def _apply_row(user: User, row: Row) -> Iterable[Change]:
    """Take over what the row knows; what that changed."""
    for name in ("account_number", *DETAILS):
        cell = row.cells.get(name)
        if not cell:
            continue
        value: Any = parse_amount(cell) if name == "credit_limit" else cell
        old = getattr(user, name)
        if old != value:
            setattr(user, name, value)
            yield Change(name, format_value(old), format_value(value))
