"""Customers whom the carrier knows already, from a CSV file: every row is good, or none is written."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from accounts.models import User
from portal.models import Brand
from portal.voipline import is_account_number

REQUIRED = ("email", "account_number")
DETAILS = ("first_name", "last_name", "company_name", "phone")
COLUMNS = (*REQUIRED, *DETAILS)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_BATCH = 500


@dataclass(frozen=True)
class BadRow:
    """What is wrong, and where: the line on which the row begins, and the column if it is about one."""

    line: int
    column: str
    reason: str

    def __str__(self) -> str:
        return (
            f"line {self.line}, {self.column}: {self.reason}"
            if self.column
            else f"line {self.line}: {self.reason}"
        )


class ImportRefused(Exception):
    """Nothing was written; `problems` names every bad row."""

    def __init__(self, problems: list[BadRow]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True)
class Counts:
    """What an import did, or would do."""

    created: int
    updated: int
    unchanged: int


@dataclass(frozen=True)
class _Row:
    line: int
    cells: dict[str, str]

    @property
    def key(self) -> str:
        return self.cells["email"].lower()


def customers_import(*, brand: Brand, data: bytes, dry_run: bool = False) -> Counts:
    """Create the customers of a CSV file, and fill in those the brand has. Raises ImportRefused.

    Rows are matched by e-mail. A name, company or phone is taken over where its cell is not empty; an account
    number only where the customer has none, because a known one is changed by hand alone.
    """
    rows, problems = _rows(data)
    with transaction.atomic():
        known = {user.email.lower(): user for user in User.objects.select_for_update().filter(brand=brand)}
        problems += _clashes(rows, known)
        if problems:
            raise ImportRefused(sorted(problems, key=lambda problem: problem.line))
        new = [_customer(brand, row) for row in rows if row.key not in known]
        filled = {row.key: _fill(known[row.key], row) for row in rows if row.key in known}
        changed = [known[key] for key, names in filled.items() if names]
        if not dry_run:
            _write(new, changed, set().union(*filled.values()))
    return Counts(len(new), len(changed), len(rows) - len(new) - len(changed))


def _write(new: list[User], changed: list[User], names: set[str]) -> None:
    try:
        with transaction.atomic():
            User.objects.bulk_create(new, batch_size=_BATCH)
            if changed:
                User.objects.bulk_update(changed, names, batch_size=_BATCH)
    except IntegrityError as error:
        words = "a customer signed up during the import; please repeat it"
        raise ImportRefused([BadRow(1, "", words)]) from error


def _customer(brand: Brand, row: _Row) -> User:
    user = User(brand=brand, **row.cells)
    user.set_unusable_password()
    return user


def _fill(user: User, row: _Row) -> set[str]:
    """Take over what the row knows; the names of what that changed."""
    found = {name: row.cells[name] for name in DETAILS if row.cells.get(name)}
    found["account_number"] = row.cells["account_number"]
    different = {name: text for name, text in found.items() if getattr(user, name) != text}
    for name, text in different.items():
        setattr(user, name, text)
    return set(different)


# --- Against the customers there are -------------------------------------------------------------


def _clashes(rows: list[_Row], known: dict[str, User]) -> Iterator[BadRow]:
    holders = {user.account_number: email for email, user in known.items() if user.account_number}
    for row in rows:
        number = row.cells["account_number"]
        holder = holders.get(number, row.key)
        user = known.get(row.key)
        if holder != row.key:
            yield BadRow(row.line, "account_number", f"{number} belongs to {holder}")
        elif user and user.account_number not in ("", number):
            words = f"this customer has {user.account_number}; a known number is changed in the admin only"
            yield BadRow(row.line, "account_number", words)


# --- The file ------------------------------------------------------------------------------------


def _rows(data: bytes) -> tuple[list[_Row], list[BadRow]]:
    """The rows, and what is wrong with them. Raises ImportRefused where they cannot be told apart at all."""
    records = _records(_text(data))
    if not records:
        raise ImportRefused([BadRow(1, "", "the file is empty")])
    header = _header(*records[0])
    problems: list[BadRow] = []
    rows = []
    for line, cells in records[1:]:
        if len(cells) != len(header):
            words = f"{len(cells)} cells, but the header has {len(header)} columns"
            problems.append(BadRow(line, "", words))
        else:
            rows.append(_Row(line, {name: cell.strip() for name, cell in zip(header, cells, strict=True)}))
    return rows, [*problems, *_bad_cells(rows), *_twins(rows)]


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ImportRefused([BadRow(line, "", "not UTF-8; save the file as “CSV UTF-8”")]) from error


def _records(text: str) -> list[tuple[int, list[str]]]:
    """(line on which it begins, cells) of each record that is not blank."""
    delimiter = max(",;", key=text.lstrip().partition("\n")[0].count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records, line = [], 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                records.append((line, cells))
            line = reader.line_num + 1
    except csv.Error as error:
        raise ImportRefused([BadRow(line, "", f"not a row of a CSV file ({error})")]) from error
    return records


def _header(line: int, cells: list[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    known = ", ".join(COLUMNS)
    problems = [f"unknown column “{name}”; known are {known}" for name in names if name not in COLUMNS]
    problems += [f"the column {name} is missing" for name in REQUIRED if name not in names]
    problems += [f"the column {name} stands there twice" for name in COLUMNS if names.count(name) > 1]
    if problems:
        raise ImportRefused([BadRow(line, "", words) for words in problems])
    return names


def _bad_cells(rows: list[_Row]) -> Iterator[BadRow]:
    limits = {name: getattr(User._meta.get_field(name), "max_length", None) for name in COLUMNS}
    for row in rows:
        for name, cell in row.cells.items():
            if reason := _reason(name, cell, limits[name]):
                yield BadRow(row.line, name, reason)


def _reason(name: str, cell: str, limit: int | None) -> str:
    """Why a cell cannot be taken, or ""."""
    if name in REQUIRED and not cell:
        return "empty"
    if name == "account_number":
        fits = is_account_number(cell)
        return (
            ""
            if fits
            else "1 to 64 letters, digits, dots, hyphens or underscores; the first a letter or digit"
        )
    if limit and len(cell) > limit:
        return f"longer than {limit} characters"
    if _CONTROL.search(cell):
        return "holds a line break or a control character"
    return "not an e-mail address" if name == "email" and not _is_email(cell) else ""


def _is_email(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True


def _twins(rows: list[_Row]) -> Iterator[BadRow]:
    """The second and every later row with an e-mail or account number that an earlier one has."""
    seen: dict[tuple[str, str], int] = {}
    for row in rows:
        for name, text in (("email", row.key), ("account_number", row.cells["account_number"])):
            first = seen.setdefault((name, text), row.line)
            if text and first != row.line:
                yield BadRow(row.line, name, f"the same as in line {first}")
