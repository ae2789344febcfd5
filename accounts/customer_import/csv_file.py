"""Read and validate the CSV file of a customer import, without looking at the brand's customers."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts.customer_import.decoding import MAX_BYTES as MAX_BYTES
from accounts.customer_import.decoding import NoRecords, Record, read_records
from accounts.models import User
from accounts.validators import parse_amount
from portal.core import text_input
from portal.core.account_types import ACCOUNT_TYPES
from portal.core.csv_escape import unescape_formula
from portal.core.email_addresses import normal_email
from portal.resilience.bulkhead import release_db_connections
from portal.voipline import is_account_number, our_name
from portal.voipline.messages import Words

REQUIRED = ("email", "account_number")
DETAILS = ("first_name", "last_name", "company_name", "phone", "account_type", "credit_limit")
COLUMNS = (*REQUIRED, *DETAILS)
# An export has these too. The brand must be the chosen one; the others are ignored.
BRAND, EXPORT_ONLY = "brand", ("first_sign_in", "last_sign_in", "active")
_KNOWN_COLUMNS = (*COLUMNS, BRAND, *EXPORT_ONLY)
_ALIASES = {
    "account_type": "type billingtype paymenttype",
    "credit_limit": "limit creditline",
    "brand": "reseller",
}
# Common columns of customer lists that we do not import, in the form `_letters_and_digits` returns.
_IGNORED = frozenset(
    re.findall(
        r"\w+",
        "address address1 address2 addressline1 addressline2 street city town suburb state province region "
        "postcode postalcode zip zipcode country countrycode id clientid clientgroup groupid status notes "
        "language currency created datecreated signupdate lastlogin taxid vat fax website title",
    )
)

MAX_ROWS = 20_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LINE_BREAKS = re.compile(r"[\r\n\v\f\x85\u2028\u2029]+")
# Words that programs write for an empty value.
_NULL_WORDS = {
    "null",
    "none",
    "nil",
    "nan",
    "nat",
    "n/a",
    "#n/a",
    "<na>",
    "\\n",
    "undefined",
    "(null)",
    "<null>",
}
_NAMES = ("first_name", "last_name")
_ACCOUNT_TYPES = tuple(value for value, _label in ACCOUNT_TYPES)
_MAX_LENGTHS = {name: getattr(User._meta.get_field(name), "max_length", None) for name in COLUMNS}


@dataclass(frozen=True)
class RowProblem:
    """A problem of a row: the line on which the row begins, the column (or empty), and the reason."""

    line: int
    column: str
    reason: Words

    def __str__(self) -> str:
        return (
            f"line {self.line}, {self.column}: {self.reason}"
            if self.column
            else f"line {self.line}: {self.reason}"
        )


@dataclass(frozen=True)
class Note(RowProblem):
    """A remark on how a cell was read. It does not make the row invalid."""


class ImportRefused(Exception):
    """Nothing was written; `problems` lists all problems."""

    def __init__(self, problems: list[RowProblem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True)
class Row:
    """The cleaned cells of the imported columns of one row."""

    line: int
    cells: dict[str, str]

    @property
    def key(self) -> str:
        """Email address in lower case: addresses that differ only in case are the same."""
        return self.cells["email"].lower()

    @property
    def number(self) -> str:
        """Account number, or empty."""
        return self.cells["account_number"]


def read_rows(*, data: bytes, brand: str) -> tuple[list[Row], list[RowProblem]]:
    """Return the rows and their problems. Raises ImportRefused if the file cannot be split into rows.

    `brand` is the slug of the chosen brand. The problems include notes, which do not make a row invalid.
    Reading takes a second or two, so the database connection is released first.
    """
    release_db_connections()
    try:
        records = read_records(data)
    except NoRecords as error:
        raise ImportRefused([RowProblem(error.line, "", error.reason)]) from error
    if not records:
        raise ImportRefused([RowProblem(1, "", Words("the file is empty"))])
    _check_row_count(records)
    header = _parse_header(records)
    problems: list[RowProblem] = []
    rows = []
    for line, cells in records[1:]:
        if len(cells) < len(header) or any(cell.strip() for cell in cells[len(header) :]):
            sizes = {"cells": str(len(cells)), "columns": str(len(header))}
            words = Words("{cells} cells, but the header has {columns} columns", **sizes)
            problems.append(RowProblem(line, "", words))
        else:
            row, notes = _parse_row(line, dict(zip(header, cells[: len(header)], strict=True)))
            rows.append(row)
            problems += notes
    return rows, [*problems, *_invalid_cells(rows, brand), *_duplicates(rows)]


def _parse_header(records: list[Record]) -> list[str]:
    """Return our name of each column, and `-N` for a column to skip. Raises ImportRefused."""
    (line, cells), *rows = records
    while cells and not text_input.trimmed(cells[-1]) and not _is_filled(rows, len(cells) - 1):
        cells = cells[:-1]  # Extra commas at the end of the header.
    exact = [name for cell in cells if (name := text_input.trimmed(cell).lower()) in _KNOWN_COLUMNS]
    names = [_match_column(cell, nth, exact) for nth, cell in enumerate(cells)]
    problems = [
        words
        for nth, cell in enumerate(cells)
        if not names[nth] and (words := _unknown_column(cell, nth, rows))
    ]
    problems += [Words("the column {name} is missing", name=name) for name in REQUIRED if name not in names]
    problems += [
        Words("the column {name} appears twice", name=name)
        for name in _KNOWN_COLUMNS
        if names.count(name) > 1
    ]
    if problems:
        raise ImportRefused([RowProblem(line, "", words) for words in problems])
    return [name or f"{_SKIPPED}{nth}" for nth, name in enumerate(names)]


_SKIPPED = "-"  # Prefix of the name of a skipped column.


def _letters_and_digits(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _match_column(cell: str, nth: int, exact: list[str]) -> str:
    """Return our name of a column, `-N` for one to skip, or empty. `exact`: our names in the header."""
    name = text_input.trimmed(cell).lower()
    if name in exact:
        return name
    if (word := _letters_and_digits(name)) in _IGNORED:
        return f"{_SKIPPED}{nth}"
    unused = [ours for ours in COLUMNS if ours not in exact]
    aliases = (ours for ours, words in _ALIASES.items() if ours not in exact and word in words.split())
    return our_name(name, unused) or (next(aliases, "") if word else "")


def _unknown_column(cell: str, nth: int, rows: list[Record]) -> Words | None:
    """Return the problem of an unknown or unnamed column; None if the column is empty."""
    if name := text_input.trimmed(cell):
        return Words(
            "We don't recognise the column “{name}”. Use: {known}", name=name, known=", ".join(COLUMNS)
        )
    return Words("the column {number} has no name", number=str(nth + 1)) if _is_filled(rows, nth) else None


def _is_filled(rows: list[Record], nth: int) -> bool:
    return any(len(cells) > nth and text_input.trimmed(cells[nth]) for _, cells in rows)


def _check_row_count(records: list[Record]) -> None:
    if len(records) - 1 > MAX_ROWS:
        words = Words("there are more than 20,000 rows. Split the file")
        raise ImportRefused([RowProblem(records[MAX_ROWS + 1][0], "", words)])


def _parse_row(line: int, cells: Mapping[str, str]) -> tuple[Row, list[Note]]:
    values, notes = {}, []
    for name, cell in cells.items():
        if name in EXPORT_ONLY or name.startswith(_SKIPPED):
            continue
        values[name] = found = _CLEANERS.get(name, str)(_unwrap(text_input.trimmed(cell)))
        if found.lower() in _NULL_WORDS:
            words = Words("“{text}” is kept as a name", text=found)
            if name not in _NAMES:
                words = Words("“{text}” is taken for an empty cell", text=found)
                values[name] = ""
            notes.append(Note(line, name, words))
    return Row(line, values), notes


def _unwrap(cell: str) -> str:
    """Return the text of `="0070001"` (written to keep leading zeros), or undo an export's escaping.

    An export escapes every cell that begins like that, so a name `="x"` is imported unchanged.
    """
    found = re.fullmatch(r'="(.*)"', cell)
    return found[1] if found else unescape_formula(cell)


def _clean_number(cell: str) -> str:
    return text_input.account_number(cell.removeprefix("'"))


def _clean_email(cell: str) -> str:
    return normal_email(cell) or cell


def _join_lines(cell: str) -> str:
    """Join the lines of a cell, in time linear in its length."""
    return " ".join(line.strip() for line in _LINE_BREAKS.split(cell))


def _clean_name(cell: str) -> str:
    return text_input.name(_join_lines(cell))


_CLEANERS: dict[str, Callable[[str], str]] = {
    "email": _clean_email,
    "account_number": _clean_number,
    "first_name": _clean_name,
    "last_name": _clean_name,
    "company_name": _clean_name,
    "phone": lambda cell: text_input.phone(_join_lines(cell.removeprefix("'"))),
    "account_type": str.lower,
    "credit_limit": text_input.account_number,
}


# --- Cells ---------------------------------------------------------------------------------------


def _invalid_cells(rows: list[Row], brand: str) -> Iterator[RowProblem]:
    for row in rows:
        for name, cell in row.cells.items():
            if reason := _check_brand(cell, brand) if name == BRAND else _check_cell(name, cell):
                yield RowProblem(row.line, name, reason)


def _check_brand(cell: str, brand: str) -> Words | None:
    if cell in ("", brand):
        return None
    return Words("this is a customer of {other}, and the file goes to {brand}", other=cell, brand=brand)


def _check_cell(name: str, cell: str) -> Words | None:
    """Return the problem of a cell, or None. The importer decides if an account number may be empty."""
    if not cell:
        return Words("empty") if name == "email" else None
    if check := _CHECKS.get(name):
        return check(cell)
    limit = _MAX_LENGTHS[name]
    if limit and len(cell) > limit:
        return Words("longer than {limit} characters", limit=str(limit))
    if _CONTROL.search(cell):
        return Words("holds a control character")
    return Words("not an email address") if name == "email" and not _is_email(cell) else None


# Formats into which spreadsheets convert numbers.
_DECIMAL = re.compile(r"(\d+)[.,]0*", re.ASCII)
_SCIENTIFIC = re.compile(r"\d+(?:[.,]\d+)?e[+-]\d+|\d+[.,]\d+e\d+", re.ASCII | re.IGNORECASE)
_MONTH = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_DATE = re.compile(
    rf"\d{{1,2}}-{_MONTH}(?:-\d{{2,4}})?|{_MONTH}-\d{{2,4}}|\d{{4}}-\d\d-\d\d(?:[ T][\d:.]+)?"
    r"|\d{1,2}([./])\d{1,2}\1\d{2,4}",
    re.ASCII | re.IGNORECASE,
)
_TRUTH = re.compile(r"true|false", re.IGNORECASE)
_ERROR = re.compile(r"#+|#[A-Z/0!?]+")


def _spreadsheet_damage(cell: str) -> Words | None:
    """Return how a spreadsheet changed a number that must be kept exactly, or None."""
    if found := _DECIMAL.fullmatch(cell):
        return Words(
            "a spreadsheet has made a decimal number of it: write {number}, and format the column as text",
            number=found[1],
        )
    if _SCIENTIFIC.fullmatch(cell):
        return Words(
            "a spreadsheet has shortened this number: format the column as text and write it in full"
        )
    if _DATE.fullmatch(cell) or _TRUTH.fullmatch(cell):
        return Words(
            "a spreadsheet has made something else of it: format the column as text and write it again"
        )
    if _ERROR.fullmatch(cell):
        return Words("a spreadsheet could not show this cell: make the column wider, or mend its formula")
    return None


def _check_number(cell: str) -> Words | None:
    if damage := _spreadsheet_damage(cell):
        return damage
    if is_account_number(cell):
        return None
    return Words(
        "use 1 to 64 letters, digits, dots, hyphens or underscores, and begin with a letter or digit"
    )


def _check_type(cell: str) -> Words | None:
    return (
        None
        if cell in _ACCOUNT_TYPES
        else Words("write {choices}, or nothing", choices=" / ".join(_ACCOUNT_TYPES))
    )


def _check_limit(cell: str) -> Words | None:
    amount = parse_amount(cell)
    if amount is None:
        return Words("write a plain number with at most five decimals, such as -55.00")
    if amount > 0:
        return Words("A credit limit is zero or negative. Did you mean -{amount}?", amount=cell)
    return None


def _check_phone(cell: str) -> Words | None:
    if (limit := _MAX_LENGTHS["phone"]) and len(cell) > limit:
        return Words("longer than {limit} characters", limit=str(limit))
    if _CONTROL.search(cell):
        return Words("holds a control character")
    return _spreadsheet_damage(cell)


_CHECKS = {
    "account_number": _check_number,
    "phone": _check_phone,
    "account_type": _check_type,
    "credit_limit": _check_limit,
}


def _is_email(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return bool(normal_email(text))


def _duplicates(rows: list[Row]) -> Iterator[RowProblem]:
    """Yield every row that repeats the email or account number of an earlier row.

    If one of them differs in the other value, yield the earlier row too: either may be the wrong one.
    """
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups["email", row.key].append(row)
        groups["account_number", row.number].append(row)
    for (name, text), (first, *others) in groups.items():
        if not text:
            continue
        yield from (RowProblem(row.line, name, _duplicate_of(name, first, row)) for row in others)
        if differing := [row for row in others if (row.key, row.number) != (first.key, first.number)]:
            yield RowProblem(first.line, name, _duplicate_of(name, differing[0], first))


def _duplicate_of(name: str, row: Row, other: Row) -> Words:
    if name == "email" and row.number != other.number:
        return Words(
            "the same as in line {line}, with another account number. An address has one account here, so"
            " give each account its own address",
            line=str(row.line),
        )
    return Words("the same as in line {line}", line=str(row.line))
