"""Import a brand's existing customers from a CSV file: report what would change, then write it."""

import hashlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db import IntegrityError, transaction

from accounts.customer_import.csv_file import COLUMNS as COLUMNS
from accounts.customer_import.csv_file import DETAILS, Note, Row, RowProblem, read_rows
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
    """A column's old value (empty for a new customer) and new value."""

    name: str
    old: str
    new: str


@dataclass(frozen=True)
class RowReport:
    """Result of importing a row. `action` is one of CREATE, UPDATE, UNCHANGED and BAD."""

    line: int
    action: str
    email: str = ""
    account_number: str = ""
    changes: tuple[Change, ...] = ()
    problems: tuple[RowProblem, ...] = ()
    notes: tuple[Note, ...] = ()
    customer: User | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Counts:
    """Number of rows by action."""

    created: int
    updated: int
    unchanged: int
    bad: int = 0

    @property
    def good(self) -> int:
        """Number of valid rows, unchanged ones included."""
        return self.created + self.updated + self.unchanged


@dataclass(frozen=True)
class Report:
    """Result of an import, row by row in the order of the file."""

    rows: tuple[RowReport, ...]

    @cached_property
    def counts(self) -> Counts:
        """Number of rows by action."""
        actions = [row.action for row in self.rows]
        return Counts(*(actions.count(action) for action in (CREATE, UPDATE, UNCHANGED, BAD)))

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all rows: reports with the same fingerprint have the same rows."""
        return hashlib.sha256(repr(self.rows).encode()).hexdigest()


class ImportChanged(Exception):
    """Nothing was written: the customers have changed since the report was shown. `report` is the new one."""

    def __init__(self, report: Report) -> None:
        super().__init__("the report is another now")
        self.report = report


def import_customers(
    *, brand: Brand, data: bytes, dry_run: bool = False, skip_invalid: bool = False, expected: str = ""
) -> Report:
    """Create or update the customers of a CSV file: all rows, or none.

    With `skip_invalid` the invalid rows are left out instead, and listed in the report. `expected` is the
    fingerprint of the report that was confirmed. Raises ImportRefused and ImportChanged; with either,
    nothing is written.

    A row matches the customer with its account number; if there is none, the customer with its email address
    who has no number yet. An empty cell changes nothing. Known numbers and addresses are never changed.
    """
    rows, problems = read_rows(data=data, brand=brand.slug)
    if dry_run:
        report = _ImportPlan(brand, rows, lock=False).report(problems)
        _require_importable(report, skip_invalid, expected)
        return report
    with transaction.atomic():
        return import_rows(
            brand=brand, rows=rows, problems=problems, skip_invalid=skip_invalid, expected=expected
        )


def import_rows(
    *, brand: Brand, rows: list[Row], problems: list[RowProblem], skip_invalid: bool, expected: str
) -> Report:
    """Write the result of `read_rows` inside the caller's transaction; otherwise like `import_customers`."""
    plan = _ImportPlan(brand, rows, lock=True)
    report = plan.report(problems)
    _require_importable(report, skip_invalid, expected)
    plan.write()
    counts = {f"rows_{name}": number for name, number in vars(report.counts).items()}
    logger.info("customers imported", extra={"brand": brand.slug, **counts})
    return report


def _require_importable(report: Report, skip_invalid: bool, expected: str) -> None:
    if expected and report.fingerprint != expected:
        raise ImportChanged(report)
    if report.counts.bad and not skip_invalid:
        raise ImportRefused([problem for row in report.rows for problem in row.problems])


def _find_customers(brand: Brand, rows: list[Row], *, lock: bool) -> Iterator[User]:
    """Yield the customers who have an email address or account number of these rows, found by index.

    They are locked in the order of their keys, so that two imports at once do not deadlock.
    """
    own = User.objects.filter(brand=brand)
    keys: set[int] = set()
    for batch in _batches(rows):
        # Skip invalid values: they match no customer, and PostgreSQL refuses a NUL.
        emails = {each for row in batch for each in email_spellings(row.key) if "\0" not in each}
        numbers = {row.number for row in batch if is_account_number(row.number)}
        keys.update(own.filter(email__lower__in=emails).values_list("pk", flat=True))
        keys.update(own.filter(account_number__in=numbers).values_list("pk", flat=True))
    ordered = (own.select_for_update() if lock else own).order_by("pk")
    for batch in _batches(sorted(keys)):
        yield from ordered.filter(pk__in=batch)


def _batches(items: list[Any]) -> Iterator[list[Any]]:
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))


class _ImportPlan:
    """Customers that match the rows of a file, and the changes to them."""

    def __init__(self, brand: Brand, rows: list[Row], *, lock: bool) -> None:
        self.brand, self.rows = brand, rows
        customers = list(_find_customers(brand, rows, lock=lock))
        self.by_email = {email_key(user.email): user for user in customers}
        self.by_number = {user.account_number: user for user in customers if user.account_number}
        self.new: list[User] = []
        self.changed: list[User] = []
        self.names: set[str] = set()
        self.notes: dict[int, list[Note]] = {}

    def report(self, problems: list[RowProblem]) -> Report:
        rows = self.rows
        by_line: dict[int, list[RowProblem]] = {}
        for note in problems:
            if isinstance(note, Note):
                self.notes.setdefault(note.line, []).append(note)
        problems = [each for each in problems if not isinstance(each, Note)]
        for problem in [*problems, *(conflict for row in rows if (conflict := self._conflict(row)))]:
            by_line.setdefault(problem.line, []).append(problem)
        lines = {row.line: row for row in rows}
        return Report(
            tuple(
                self._report_row(line, lines.get(line), by_line.get(line))
                for line in sorted({*lines, *by_line})
            )
        )

    def _conflict(self, row: Row) -> RowProblem | None:
        """Return the conflict of a row with the brand's customers, or None."""
        holder, user, number = self.by_number.get(row.number), self.by_email.get(row.key), row.number
        if not row.key or (number and holder is user is not None):
            return None
        if holder:
            words = Words(
                "Account {number} already belongs to {holder}. Imports can't change an email address. "
                "Edit the customer instead",
                number=number,
                holder=holder.email,
            )
            return RowProblem(row.line, "account_number", words)
        return self._number_conflict(row, user)

    def _number_conflict(self, row: Row, user: User | None) -> RowProblem | None:
        """Return the problem of a row whose account number is new or empty. `user` has its email address."""
        if user is None:
            words = None if row.number else Words("empty, and no one here has this address")
        elif not user.account_number:
            words = None
        elif row.number:
            words = Words(
                "this customer has {known}. A known number can only be changed by hand",
                known=user.account_number,
            )
        else:
            words = Words("empty, but this customer has {known}", known=user.account_number)
        return RowProblem(row.line, "account_number", words) if words else None

    def _report_row(self, line: int, row: Row | None, problems: list[RowProblem] | None) -> RowReport:
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
        action = CREATE if known is None else UPDATE if changes else UNCHANGED
        return RowReport(line, action, *shown, changes=changes, notes=notes, customer=user)

    def write(self) -> None:
        """Write all changes. Raises ImportRefused if an address or number has just been taken."""
        for user in self.new:
            user.set_unusable_password()
        try:
            with transaction.atomic():
                User.objects.bulk_create(self.new, batch_size=_BATCH)
                self._update()
        except IntegrityError as error:
            words = Words("a customer created an account during the import. Import the file again")
            raise ImportRefused([RowProblem(1, "", words)]) from error

    def _update(self) -> None:
        """Update by upsert: much faster than bulk_update, which builds a CASE for each row."""
        if self.changed:
            User.objects.bulk_create(
                self.changed,
                batch_size=_BATCH,
                update_conflicts=True,
                unique_fields=["id"],
                update_fields=self.names,
            )


def _apply_row(user: User, row: Row) -> Iterable[Change]:
    """Set the non-empty cells of a row on the customer, and yield each change."""
    for name in ("account_number", *DETAILS):
        cell = row.cells.get(name)
        if not cell:
            continue
        value: Any = parse_amount(cell) if name == "credit_limit" else cell
        old = getattr(user, name)
        if old != value:
            setattr(user, name, value)
            yield Change(name, format_value(old), format_value(value))
