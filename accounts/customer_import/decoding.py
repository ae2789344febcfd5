"""Decode an uploaded file into records of cells. Other file types are refused by name."""

import csv
import re
from io import StringIO

from portal.voipline.messages import Words

MAX_BYTES = 2 * 1024 * 1024
_EXCEL = Words("This is an Excel file. Save it as CSV UTF-8")
_PICTURE = Words("This is a picture. Export the list as CSV UTF-8")
_UTF_16 = Words("This is Unicode text of another kind (UTF-16). Save it as CSV UTF-8")
_NOT_TEXT = Words("This is no text file. Export the list as CSV UTF-8")
_JSON = Words("This is a JSON file. Export the list as CSV UTF-8")
# First bytes of file types that are uploaded by mistake.
_OFFICE, _OPEN_OFFICE = b"[Content_Types].xml", b"mimetypeapplication/vnd.oasis"
_SIGNATURES = (
    (b"\xd0\xcf\x11\xe0", _EXCEL),
    (b"Rar!", _NOT_TEXT),
    (b"7z\xbc\xaf", _NOT_TEXT),
    (b"SQLite format 3", _NOT_TEXT),
    (b"PK\x03\x04", Words("This is a ZIP archive. Choose the CSV file that is in it")),
    (b"\x1f\x8b", Words("This is a GZIP archive. Choose the CSV file that is in it")),
    (b"%PDF", Words("This is a PDF file. Export the list as CSV UTF-8")),
    (b"\x89PNG", _PICTURE),
    (b"\xff\xd8\xff", _PICTURE),
    (b"GIF8", _PICTURE),
    (b"{\\rtf", Words("This is a text document (RTF). Export the list as CSV UTF-8")),
    (b"\xff\xfe", _UTF_16),
    (b"\xfe\xff", _UTF_16),
)
_TEXT_SIGNATURES = (
    ("<?xml", Words("This is an XML file. Export the list as CSV UTF-8")),
    ("<", Words("This is a web page. Export the list as CSV UTF-8")),
    ("{", _JSON),
    ("[", _JSON),
    ("begin:vcard", Words("These are vCards. Export the list as CSV UTF-8")),
)
# Excel's own first line, which names the separator.
_SEPARATOR = re.compile(r'"?sep=(.)"?[ \t,;]*(?:\r\n|\r|\n|\Z)', re.IGNORECASE)
_TRAILING = "\x1a\r\n"  # DOS ended text files with Ctrl-Z.

Record = tuple[int, list[str]]


class NoRecords(Exception):
    """The file cannot be split into records: the line, and the reason."""

    def __init__(self, line: int, reason: Words) -> None:
        super().__init__(str(reason))
        self.line, self.reason = line, reason


def read_records(data: bytes) -> list[Record]:
    """Return (line on which it begins, cells) of each record that is not blank. Raises NoRecords."""
    text = _decode(data)
    first, delimiter = 1, ""
    if separator := _SEPARATOR.match(text):
        first, delimiter, text = 2, separator[1], text[separator.end() :]
    delimiter = delimiter or max(",;\t", key=re.split(r"[\r\n]", text.lstrip(), maxsplit=1)[0].count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records, line = [], first
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                records.append((line, cells))
            line = reader.line_num + first
    except csv.Error as error:
        raise NoRecords(line, Words("not a row of a CSV file ({error})", error=str(error))) from error
    return records


def _decode(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise NoRecords(1, Words("the file is larger than 2 MB. Split it"))
    if kind := _binary_kind(data):
        raise NoRecords(1, kind)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise NoRecords(line, Words("not UTF-8. Save the file as “CSV UTF-8”")) from error
    text = text.lstrip("\ufeff").rstrip(_TRAILING)
    start = text[:100].lstrip().lower()
    if kind := next((words for prefix, words in _TEXT_SIGNATURES if start.startswith(prefix)), None):
        raise NoRecords(1, kind)
    return text


def _binary_kind(data: bytes) -> Words | None:
    head = data[:4096]
    if head.startswith(b"PK") and b"xl/workbook" in data:
        return _EXCEL
    if head.startswith(b"PK") and _OFFICE in data:
        return Words("This is a Word or PowerPoint file. Export the list as CSV UTF-8")
    if head.startswith(b"PK") and _OPEN_OFFICE in head:
        return Words("This is a LibreOffice file. Save it as CSV UTF-8")
    kind = next((words for prefix, words in _SIGNATURES if head.startswith(prefix)), None)
    if kind is None and head.count(b"\0") > len(head) // 8:  # UTF-16 has a NUL byte in most letters.
        return _NOT_TEXT
    return kind
