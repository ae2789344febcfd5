"""The CSV file of an import: its rows, and what is wrong with them before any customer is looked at."""

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts.credit import amount_of
from accounts.models import ACCOUNT_TYPES, User
from portal.bulkhead import give_back_connections
from portal.cells import plain
from portal.net import normal_email
from portal.voipline import is_account_number
from portal.voipline.words import Words

REQUIRED = ("email", "account_number")
DETAILS = ("first_name", "last_name", "company_name", "phone", "account_type", "credit_limit")
COLUMNS = (*REQUIRED, *DETAILS)
# An export has these too. The brand must be the chosen one; the others are not read.
BRAND, UNREAD = "brand", ("first_sign_in", "last_sign_in", "active")
_KNOWN = (*COLUMNS, BRAND, *UNREAD)

MAX_BYTES, MAX_ROWS = 2 * 1024 * 1024, 20_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_TYPES = tuple(value for value, _label in ACCOUNT_TYPES)
_LIMITS = {name: getattr(User._meta.get_field(name), "max_length", None) for name in COLUMNS}


@dataclass(frozen=True)
class BadRow:
    """What is wrong, and where: the line on which the row begins, and the column if it is about one."""

    line: int
    column: str
    reason: Words

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
class Row:
    """The cells of the columns that are taken, as they stand there, without blanks around them."""

    line: int
    cells: dict[str, str]

    @property
    def key(self) -> str:
        """The address in lower case: two that differ in case alone are one."""
        return self.cells["email"].lower()

    @property
    def number(self) -> str:
        """The account number, which may be missing."""
        return self.cells["account_number"]


def rows_read(*, data: bytes, brand: str) -> tuple[list[Row], list[BadRow]]:
    """The rows, and what is wrong with them. Raises ImportRefused where they cannot be told apart at all.

    `brand` is the chosen one's slug. Reading takes a second or two and no connection to the database.
    """
    give_back_connections()
    records = _records(_text(data))
    if not records:
        raise ImportRefused([BadRow(1, "", Words("the file is empty"))])
    header = _header(*records[0])
    _count(records)
    problems: list[BadRow] = []
    rows = []
    for line, cells in records[1:]:
        if len(cells) != len(header):
            sizes = {"cells": str(len(cells)), "columns": str(len(header))}
            words = Words("{cells} cells, but the header has {columns} columns", **sizes)
            problems.append(BadRow(line, "", words))
        else:
            rows.append(Row(line, _taken(header, cells)))
    return rows, [*problems, *_bad_cells(rows, brand), *_twins(rows)]


def _text(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        words = Words("the file is larger than 2 MB; please split it")
        raise ImportRefused([BadRow(1, "", words)])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        words = Words("not UTF-8; save the file as “CSV UTF-8”")
        raise ImportRefused([BadRow(line, "", words)]) from error


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
        words = Words("not a row of a CSV file ({error})", error=str(error))
        raise ImportRefused([BadRow(line, "", words)]) from error
    return records


def _header(line: int, cells: list[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    known = ", ".join(COLUMNS)
    problems = [
        Words("unknown column “{name}”; known are {known}", name=name, known=known)
        for name in names
        if name not in _KNOWN
    ]
    problems += [Words("the column {name} is missing", name=name) for name in REQUIRED if name not in names]
    problems += [
        Words("the column {name} stands there twice", name=name) for name in _KNOWN if names.count(name) > 1
    ]
    if problems:
        raise ImportRefused([BadRow(line, "", words) for words in problems])
    return names


def _count(records: list[tuple[int, list[str]]]) -> None:
    if len(records) - 1 > MAX_ROWS:
        words = Words("there are more than 20,000 rows; please split the file")
        raise ImportRefused([BadRow(records[MAX_ROWS + 1][0], "", words)])


def _taken(header: list[str], cells: list[str]) -> dict[str, str]:
    found = {name: plain(cell.strip()) for name, cell in zip(header, cells, strict=True)}
    if "account_type" in found:
        found["account_type"] = found["account_type"].lower()
    if "email" in found:
        found["email"] = normal_email(found["email"]) or found["email"]
    return {name: cell for name, cell in found.items() if name not in UNREAD}


# --- Cells ---------------------------------------------------------------------------------------


def _bad_cells(rows: list[Row], brand: str) -> Iterator[BadRow]:
    for row in rows:
        for name, cell in row.cells.items():
            if reason := _wrong_brand(cell, brand) if name == BRAND else _reason(name, cell):
                yield BadRow(row.line, name, reason)


def _wrong_brand(cell: str, brand: str) -> Words | None:
    if cell in ("", brand):
        return None
    return Words("this is a customer of {other}, and the file goes to {brand}", other=cell, brand=brand)


def _reason(name: str, cell: str) -> Words | None:
    """Why a cell cannot be taken, or None. Whether a number may be missing, `imports` decides."""
    if not cell:
        return Words("empty") if name == "email" else None
    if check := _OWN.get(name):
        return check(cell)
    limit = _LIMITS[name]
    if limit and len(cell) > limit:
        return Words("longer than {limit} characters", limit=str(limit))
    if _CONTROL.search(cell):
        return Words("holds a line break or a control character")
    return Words("not an e-mail address") if name == "email" and not _is_email(cell) else None


def _number(cell: str) -> Words | None:
    if is_account_number(cell):
        return None
    return Words("1 to 64 letters, digits, dots, hyphens or underscores; the first a letter or digit")


def _type(cell: str) -> Words | None:
    return None if cell in _TYPES else Words("write {choices}, or nothing", choices=" / ".join(_TYPES))


def _limit(cell: str) -> Words | None:
    amount = amount_of(cell)
    if amount is None:
        return Words("write a plain number with at most five decimals, such as -55.00")
    if amount > 0:
        return Words("how far the balance may go is no more than 0: write -{amount}", amount=cell)
    return None


_OWN = {"account_number": _number, "account_type": _type, "credit_limit": _limit}


def _is_email(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return bool(normal_email(text))


def _twins(rows: list[Row]) -> Iterator[BadRow]:
    """Every later row with an e-mail or account number of an earlier one; that one too, unless they agree.

    Of two rows that give one number to two addresses, nobody can say which is right.
    """
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups["email", row.key].append(row)
        groups["account_number", row.number].append(row)
    for (name, text), (first, *others) in groups.items():
        if not text:
            continue
        yield from (BadRow(row.line, name, _same(first)) for row in others)
        if differing := [row for row in others if (row.key, row.number) != (first.key, first.number)]:
            yield BadRow(first.line, name, _same(differing[0]))


def _same(row: Row) -> Words:
    return Words("the same as in line {line}", line=str(row.line))
