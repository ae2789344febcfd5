"""Customers whom the carrier knows already, from a CSV file of one brand: what would happen, and doing it."""

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db import IntegrityError, transaction

from accounts.credit import amount_of
from accounts.history import text_of
from accounts.import_file import COLUMNS as COLUMNS
from accounts.import_file import DETAILS, BadRow, Row, rows_read
from accounts.import_file import REQUIRED as REQUIRED
from accounts.import_file import ImportRefused as ImportRefused
from accounts.models import User
from portal.models import Brand
from portal.net import email_key
from portal.voipline.words import Words

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


def customers_import(
    *, brand: Brand, data: bytes, dry_run: bool = False, keep_good: bool = False, expected: str = ""
) -> Report:
    """Create the customers of a CSV file, and fill in those the brand has: every row, or none.

    With `keep_good` the bad rows are left out instead, and stand in the report. `expected` is the fingerprint
    of the report that somebody agreed to. Raises ImportRefused and ImportChanged; with either, nothing is
    written.

    A row is the customer with its account number; where nobody has that, the one with its e-mail who has no
    number yet. A cell that is empty leaves what there is. Known numbers and addresses are never changed.
    """
    rows, problems = rows_read(data=data, brand=brand.slug)
    with transaction.atomic():
        known = User.objects.filter(brand=brand)
        plan = _Plan(brand, known if dry_run else known.select_for_update())
        report = plan.report(rows, problems)
        if expected and report.fingerprint != expected:
            raise ImportChanged(report)
        if report.counts.bad and not keep_good:
            raise ImportRefused([problem for row in report.rows for problem in row.problems])
        if not dry_run:
            plan.write()
            _log(brand, report)
    return report


def _log(brand: Brand, report: Report) -> None:
    counts = {f"rows_{name}": number for name, number in vars(report.counts).items()}
    logger.info("customers imported", extra={"brand": brand.slug, **counts})


class _Plan:
    """The brand's customers, and what the rows of a file make of them."""

    def __init__(self, brand: Brand, known: Iterable[User]) -> None:
        self.brand = brand
        customers = list(known)
        self.by_email = {email_key(user.email): user for user in customers}
        self.by_number = {user.account_number: user for user in customers if user.account_number}
        self.new: list[User] = []
        self.changed: list[User] = []
        self.names: set[str] = set()

    def report(self, rows: list[Row], problems: list[BadRow]) -> Report:
        found: dict[int, list[BadRow]] = {}
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
        if problems or row is None:
            return RowReport(line, BAD, *shown, problems=tuple(problems or ()))
        known = self.by_email.get(row.key)
        user = known or User(brand=self.brand, email=row.cells["email"])
        changes = tuple(_fill(user, row))
        if known is None:
            self.new.append(user)
        elif changes:
            self.changed.append(user)
            self.names |= {change.name for change in changes}
        what = CREATE if known is None else UPDATE if changes else UNCHANGED
        return RowReport(line, what, *shown, changes=changes, customer=user)

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


def _fill(user: User, row: Row) -> Iterable[Change]:
    """Take over what the row knows; what that changed."""
    for name in ("account_number", *DETAILS):
        cell = row.cells.get(name)
        if not cell:
            continue
        value: Any = amount_of(cell) if name == "credit_limit" else cell
        old = getattr(user, name)
        if old != value:
            setattr(user, name, value)
            yield Change(name, text_of(old), text_of(value))
