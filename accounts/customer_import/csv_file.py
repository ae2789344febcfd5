"""The CSV file of an import: its rows, and what is wrong with them before any customer is looked at."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from accounts.customer_import.decoding import MAX_BYTES as MAX_BYTES
from accounts.customer_import.decoding import NoRecords, Record, read_records
from accounts.models import ACCOUNT_TYPES, User
from accounts.validators import parse_amount
from portal.core import text_input
from portal.core.csv_escape import unescape_formula
from portal.core.email_addresses import normal_email
from portal.resilience.bulkhead import release_db_connections
from portal.voipline import is_account_number, our_name
from portal.voipline.messages import Words

REQUIRED = ("email", "account_number")
DETAILS = ("first_name", "last_name", "company_name", "phone", "account_type", "credit_limit")
COLUMNS = (*REQUIRED, *DETAILS)
# An export has these too. The brand must be the chosen one; the others are not read.
BRAND, UNREAD = "brand", ("first_sign_in", "last_sign_in", "active")
_KNOWN = (*COLUMNS, BRAND, *UNREAD)
_ALSO_CALLED = {
    "account_type": "type billingtype paymenttype",
    "credit_limit": "limit creditline",
    "brand": "reseller",
}
# What lists of customers often have besides, and nobody needs here; compared as `_word` makes it.
_LEFT_OUT = frozenset(
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
# How programmes write that there is nothing.
_NOTHING = {
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


@dataclass(frozen=True)
class Note(BadRow):
    """What was made of a cell of a row that is good all the same."""


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


def read_rows(*, data: bytes, brand: str) -> tuple[list[Row], list[BadRow]]:
    """The rows, and what is wrong with them. Raises ImportRefused where they cannot be told apart at all.

    `brand` is the chosen one's slug. Reading takes a second or two and no connection to the database. Among
    what is wrong are notes, which do not make a row bad.
    """
    release_db_connections()
    try:
        records = read_records(data)
    except NoRecords as error:
        raise ImportRefused([BadRow(error.line, "", error.reason)]) from error
    if not records:
        raise ImportRefused([BadRow(1, "", Words("the file is empty"))])
    _count(records)
    header = _header(records)
    problems: list[BadRow] = []
    rows = []
    for line, cells in records[1:]:
        if len(cells) < len(header) or any(cell.strip() for cell in cells[len(header) :]):
            sizes = {"cells": str(len(cells)), "columns": str(len(header))}
            words = Words("{cells} cells, but the header has {columns} columns", **sizes)
            problems.append(BadRow(line, "", words))
        else:
            row, notes = _row(line, dict(zip(header, cells[: len(header)], strict=True)))
            rows.append(row)
            problems += notes
    return rows, [*problems, *_bad_cells(rows, brand), *_duplicates(rows)]


def _header(records: list[Record]) -> list[str]:
    """Our name of each column; of one that is left out, a name that no row takes."""
    (line, cells), *rows = records
    while cells and not text_input.trimmed(cells[-1]) and not _is_filled(rows, len(cells) - 1):
        cells = cells[:-1]  # A comma too many in the first line.
    exact = [name for cell in cells if (name := text_input.trimmed(cell).lower()) in _KNOWN]
    names = [_name_of(cell, nth, exact) for nth, cell in enumerate(cells)]
    problems = [
        words for nth, cell in enumerate(cells) if not names[nth] and (words := _nameless(cell, nth, rows))
    ]
    problems += [Words("the column {name} is missing", name=name) for name in REQUIRED if name not in names]
    problems += [
        Words("the column {name} stands there twice", name=name) for name in _KNOWN if names.count(name) > 1
    ]
    if problems:
        raise ImportRefused([BadRow(line, "", words) for words in problems])
    return [name or f"{_SKIP}{nth}" for nth, name in enumerate(names)]


_SKIP = "-"  # How the name of a column begins that is not taken.


def _word(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _name_of(cell: str, nth: int, exact: list[str]) -> str:
    """Our name for a column, `_SKIP…` for one we do not need, or empty. `exact`: our names in the header."""
    name = text_input.trimmed(cell).lower()
    if name in exact:
        return name
    if (word := _word(name)) in _LEFT_OUT:
        return f"{_SKIP}{nth}"
    left = [ours for ours in COLUMNS if ours not in exact]
    also = (ours for ours, words in _ALSO_CALLED.items() if ours not in exact and word in words.split())
    return our_name(name, left) or (next(also, "") if word else "")


def _nameless(cell: str, nth: int, rows: list[Record]) -> Words | None:
    """What is wrong with a column that has no name of ours; None where there is nothing in it."""
    if name := text_input.trimmed(cell):
        return Words("unknown column “{name}”; known are {known}", name=name, known=", ".join(COLUMNS))
    return Words("the column {number} has no name", number=str(nth + 1)) if _is_filled(rows, nth) else None


def _is_filled(rows: list[Record], nth: int) -> bool:
    return any(len(cells) > nth and text_input.trimmed(cells[nth]) for _, cells in rows)


def _count(records: list[Record]) -> None:
    if len(records) - 1 > MAX_ROWS:
        words = Words("there are more than 20,000 rows; please split the file")
        raise ImportRefused([BadRow(records[MAX_ROWS + 1][0], "", words)])


def _row(line: int, cells: Mapping[str, str]) -> tuple[Row, list[Note]]:
    taken, notes = {}, []
    for name, cell in cells.items():
        if name in UNREAD or name.startswith(_SKIP):
            continue
        taken[name] = found = _READ.get(name, str)(_unwrapped(text_input.trimmed(cell)))
        if found.lower() in _NOTHING:
            words = Words("“{text}” is kept as a name", text=found)
            if name not in _NAMES:
                words = Words("“{text}” is taken for an empty cell", text=found)
                taken[name] = ""
            notes.append(Note(line, name, words))
    return Row(line, taken), notes


def _unwrapped(cell: str) -> str:
    """What stands in `="0070001"`, by which people keep leading zeros, or behind an export's own mark.

    An export marks whatever begins like that, so that a name `="x"` comes back as it was.
    """
    found = re.fullmatch(r'="(.*)"', cell)
    return found[1] if found else unescape_formula(cell)


def _number_of(cell: str) -> str:
    return text_input.account_number(cell.removeprefix("'"))


def _email(cell: str) -> str:
    return normal_email(cell) or cell


def _joined(cell: str) -> str:
    """The lines of a cell as one, in time that grows with its length alone."""
    return " ".join(line.strip() for line in _LINE_BREAKS.split(cell))


def _on_one_line(cell: str) -> str:
    return text_input.name(_joined(cell))


_READ: dict[str, Callable[[str], str]] = {
    "email": _email,
    "account_number": _number_of,
    "first_name": _on_one_line,
    "last_name": _on_one_line,
    "company_name": _on_one_line,
    "phone": lambda cell: text_input.phone(_joined(cell.removeprefix("'"))),
    "account_type": str.lower,
    "credit_limit": text_input.account_number,
}


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
        return Words("holds a control character")
    return Words("not an e-mail address") if name == "email" and not _is_email(cell) else None


# What spreadsheets make of numbers.
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


def _damage(cell: str) -> Words | None:
    """What a spreadsheet did to a number that should be kept to the letter, or None."""
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


def _number(cell: str) -> Words | None:
    if damage := _damage(cell):
        return damage
    if is_account_number(cell):
        return None
    return Words("1 to 64 letters, digits, dots, hyphens or underscores; the first a letter or digit")


def _type(cell: str) -> Words | None:
    return None if cell in _TYPES else Words("write {choices}, or nothing", choices=" / ".join(_TYPES))


def _limit(cell: str) -> Words | None:
    amount = parse_amount(cell)
    if amount is None:
        return Words("write a plain number with at most five decimals, such as -55.00")
    if amount > 0:
        return Words("how far the balance may go is no more than 0: write -{amount}", amount=cell)
    return None


def _phone(cell: str) -> Words | None:
    if (limit := _LIMITS["phone"]) and len(cell) > limit:
        return Words("longer than {limit} characters", limit=str(limit))
    if _CONTROL.search(cell):
        return Words("holds a control character")
    return _damage(cell)


_OWN = {"account_number": _number, "phone": _phone, "account_type": _type, "credit_limit": _limit}


def _is_email(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return bool(normal_email(text))


def _duplicates(rows: list[Row]) -> Iterator[BadRow]:
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
        yield from (BadRow(row.line, name, _same(name, first, row)) for row in others)
        if differing := [row for row in others if (row.key, row.number) != (first.key, first.number)]:
            yield BadRow(first.line, name, _same(name, differing[0], first))


def _same(name: str, row: Row, other: Row) -> Words:
    if name == "email" and row.number != other.number:
        return Words(
            "the same as in line {line}, with another account number: whoever signs in with an address has "
            "one account here, so give each account an address of its own",
            line=str(row.line),
        )
    return Words("the same as in line {line}", line=str(row.line))
