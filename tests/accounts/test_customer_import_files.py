"""Customer files as other programs write them: how they are read, and why one is refused."""

import gzip
import io
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.customer_import.csv_file import COLUMNS, Note, Row, read_rows
from accounts.customer_import.importer import BAD, CREATE, ImportRefused, RowReport, import_customers
from accounts.models import User
from portal.models import Brand

pytestmark = pytest.mark.django_db
HEAD = "email,account_number"


def read(text: str | bytes) -> tuple[list[Row], list[Any]]:
    return read_rows(data=text if isinstance(text, bytes) else text.encode(), brand="aurora")


def cells(text: str | bytes) -> list[dict[str, str]]:
    rows, problems = read(text)
    assert [each for each in problems if not isinstance(each, Note)] == []
    return [row.cells for row in rows]


def refused(text: str | bytes) -> str:
    with pytest.raises(ImportRefused) as caught:
        read(text)
    return str(caught.value)


def problems(text: str) -> list[str]:
    return [str(each) for each in read(text)[1]]


ANN = {"email": "ann@x.example", "account_number": "70001"}


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}\nann@x.example,70001\n",
        f"{HEAD},,\nann@x.example,70001,,\n",
        f"{HEAD},,\nann@x.example,70001\n",
        f"{HEAD}\nann@x.example,70001,,\n",
        f"{HEAD},\nann@x.example,70001\n",
        "email,,account_number\nann@x.example,,70001\n",
        "sep=;\nemail;account_number\nann@x.example;70001\n",
        'SEP=,\r\nemail,account_number\r\n"ann@x.example",70001\r\n',
        "sep=\t\nemail\taccount_number\nann@x.example\t70001\n",
        '"sep=;"\nemail;account_number\nann@x.example;70001\n',
        "email\taccount_number\nann@x.example\t70001\n",
        f"{HEAD}\rann@x.example,70001\r",
        f"\ufeff\ufeff{HEAD}\nann@x.example,70001\n",
        f"{HEAD}\nann@x.example,70001\n\x1a",
        f"{HEAD}\r\nann@x.example,70001\r\n\x1a\r\n\x1a",
        "\u200bemail,\ufeffaccount_number\n\u200bann@x.example\u00a0,\u202d70001\u202c\n",
        f"{HEAD}\nann@x.example,'70001\n",
        f'{HEAD}\nann@x.example,="70001"\n',
        f'{HEAD}\nann@x.example,"=""70001"""\n',
        "E-mail,Account Number\nann@x.example,70001\n",
        "E-Mail Address;Account No.\nann@x.example;70001\n",
        "EMAIL,Customer ID\nann@x.example,70001\n",
        "Email,Account Number,Address 1,City,Status\nann@x.example,70001,1 High St,Perth,Active\n",
    ],
)
def test_encoding_and_separator_do_not_change_the_meaning(text):
    assert cells(text) == [ANN]


def test_name_escaped_by_an_export_is_restored():
    [row] = cells(f'{HEAD},first_name\na@x.example,1,"\'="";"""\n')
    assert row["first_name"] == '=";"'


def test_leading_zeros_are_preserved():
    assert [row["account_number"] for row in cells(f'{HEAD}\na@x.example,\'007\nb@x.example,="008"\n')] == [
        "007",
        "008",
    ]


def test_contact_list_of_another_program_is_read():
    text = (
        "Client ID,First Name,Last Name,Company Name,Email,Address 1,City,Postcode,Country,Phone Number,"
        "Status,Account No\n"
        "1,Ann,Lee,Lee & Co,ann@x.example,1 High St,Perth,6000,AU,\u202d+61 8 5550 0101\u202c,Active,70001\n"
    )
    assert cells(text) == [
        {
            "first_name": "Ann",
            "last_name": "Lee",
            "company_name": "Lee & Co",
            "email": "ann@x.example",
            "phone": "+61 8 5550 0101",
            "account_number": "70001",
        }
    ]


def test_separator_is_detected_from_the_first_line():
    assert cells("email,account_number,company_name\ra@x.example,70001,A;B;C;D;E\r") == [
        {"email": "a@x.example", "account_number": "70001", "company_name": "A;B;C;D;E"}
    ]


def test_very_many_spaces_are_read_quickly():
    blanks = " " * 100_000
    head = f"{HEAD},company_name\n"
    [row] = cells(f'{head}a@x.example,1,"{blanks}a"\n' + "\n" * 1_500_000)
    assert row["company_name"] == "a"
    messages = problems(f'{head}a@x.example,1,"a{blanks}b"\n')
    assert messages == ["line 2, company_name: longer than 150 characters"]


def test_spreadsheet_notations_of_a_phone_number_are_handled_too():
    head = f"{HEAD},phone,first_name\n"
    [row] = cells(f'{head}a@x.example,1,="+61255500101",="Ann"\n')
    assert (row["phone"], row["first_name"]) == ("+61255500101", "Ann")
    for phone, words in (("61255500101.0", "write 61255500101"), ("6.12555E+10", "shortened this number")):
        [problem] = problems(f"{head}a@x.example,1,{phone},Ann\n")
        assert problem.startswith("line 2, phone")
        assert words in problem


def test_line_numbers_include_the_separator_line():
    assert "line 3, email" in problems("sep=;\nemail;account_number\nnobody;70001\n")[0]


def test_line_break_within_a_cell_becomes_a_space():
    text = 'email,account_number,company_name,phone\nann@x.example,70001,"Lee\r\n & Co","02 5550\n0101"\n'
    [row] = cells(text)
    assert (row["company_name"], row["phone"]) == ("Lee & Co", "02 5550 0101")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("70001.0", "write 70001, and format the column as text"),
        ("0070001.00", "write 0070001"),
        ("7.0001E+4", "shortened this number"),
        ("7E+04", "shortened this number"),
        ("7.1e12", "shortened this number"),
        ("70001.", "write 70001"),
        ("70001,0", "write 70001"),
        ("7,0001E+4", "shortened this number"),
        *(
            (text, "made something else of it")
            for text in ("07-Jan", "1-Feb-2026", "Mar-03", "2026-01-07", "2026-01-07 00:00:00", "01.03.2026")
        ),
        *((text, "made something else of it") for text in ("1/3/2026", "TRUE", "false")),
        ("#####", "could not show this cell"),
        ("#REF!", "could not show this cell"),
        ("#VALUE!", "could not show this cell"),
        ("70,001", "1 to 64 letters, digits"),
    ],
)
def test_number_damaged_by_a_spreadsheet_is_reported(number, words):
    [problem] = problems(f'{HEAD}\nann@x.example,"{number}"\n')
    assert words in problem
    assert problem.startswith("line 2, account_number")


@pytest.mark.parametrize("number", ["70001", "0070001", "A-7.1", "70001.5", "7e4", "100-jane"])
def test_number_that_only_looks_damaged_is_accepted(number):
    assert cells(f"{HEAD}\nann@x.example,{number}\n")[0]["account_number"] == number


@pytest.mark.parametrize(
    "nothing", ["NULL", "null", "None", "nan", "NaN", "NaT", "N/A", "#N/A", "<NA>", "\\N", "nil", "(null)"]
)
def test_placeholder_for_empty_is_read_as_empty_and_noted(aurora: Brand, nothing: str) -> None:
    head = f"{HEAD},first_name,last_name,company_name,phone"
    text = f"{head}\nann@x.example,70001,{nothing},Null,{nothing},{nothing}\n"
    [row] = import_customers(brand=aurora, data=text.encode()).rows
    assert row.action == CREATE
    user = User.objects.get()
    assert (user.first_name, user.last_name, user.company_name, user.phone) == (nothing, "Null", "", "")
    assert [(note.column, str(note.reason)) for note in row.notes] == [
        ("first_name", f"“{nothing}” is kept as a name"),
        ("last_name", "“Null” is kept as a name"),
        ("company_name", f"“{nothing}” is taken for an empty cell"),
        ("phone", f"“{nothing}” is taken for an empty cell"),
    ]


def test_placeholder_as_email_or_account_number_is_missing() -> None:
    assert "line 2, email: empty" in problems(f"{HEAD}\nNULL,70001\n")
    rows, _ = read(f"{HEAD}\nann@x.example,NULL\n")
    assert rows[0].number == ""


def archive(*names: str, first: bytes = b"") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive_file:
        if first:
            archive_file.writestr("mimetype", first)
        for name in names:
            archive_file.writestr(name, b"<x/>")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (archive("xl/workbook.xml", "a" * 5000, "[Content_Types].xml"), "This is an Excel file."),
        (b"Rar!\x1a\x07\x00", "This is no text file"),
        (b"SQLite format 3\x00", "This is no text file"),
        (archive("[Content_Types].xml", "xl/workbook.xml"), "This is an Excel file. Save it as CSV UTF-8"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "This is an Excel file. Save it as CSV UTF-8"),
        (archive("[Content_Types].xml", "word/document.xml"), "This is a Word or PowerPoint file"),
        (
            archive("content.xml", first=b"application/vnd.oasis.opendocument.spreadsheet"),
            "This is a LibreOffice file. Save it as CSV UTF-8",
        ),
        (archive("customers.csv"), "This is a ZIP archive"),
        (gzip.compress(HEAD.encode()), "This is a GZIP archive"),
        (b"%PDF-1.7\n%\xe2\xe3", "This is a PDF file"),
        (b"\x89PNG\r\n\x1a\n", "This is a picture"),
        (b"\xff\xd8\xff\xe0", "This is a picture"),
        (b"{\\rtf1\\ansi", "This is a text document (RTF)"),
        (f"{HEAD}\n".encode("utf-16"), "UTF-16"),
        (f"{HEAD}\n".encode("utf-16-be"), "This is no text file"),
        (b"\xef\xbb\xbf \n<!DOCTYPE html><table>", "This is a web page"),
        (b'<?xml version="1.0"?><Workbook>', "This is an XML file"),
        (b'{"customers": []}', "This is a JSON file"),
        (b'[{"email": "a@x.example"}]', "This is a JSON file"),
        (b"BEGIN:VCARD\nVERSION:3.0\n", "These are vCards"),
        ("email,account_number,company_name\na@x.example,1,Zoë".encode("latin-1"), "not UTF-8"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_file_types_are_refused_by_name(data, words):
    assert refused(data).startswith("line 1: " if "not UTF-8" not in words else "line 2: ")
    assert words in refused(data)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("email,account_number,\na@x.example,1,surprise\n", "the column 3 has no name"),
        ("email,account_number,shoe size\na@x.example,1,43\n", "We don't recognise the column “shoe size”"),
        ("e-mail,account_number,email address\na@x.example,1,\n", "the column email appears twice"),
        ("first name,account no\nAnn,1\n", "the column email is missing"),
    ],
)
def test_ambiguous_header_reports_why(text, words):
    assert words in refused(text)


def test_extra_cell_is_reported_only_if_not_empty():
    assert "3 cells, but the header has 2 columns" in problems(f"{HEAD}\na@x.example,1,x\n")[0]


def test_several_accounts_with_one_email_are_explained():
    messages = problems(f"{HEAD}\na@x.example,1\na@x.example,2\nA@X.example,3\n")
    assert len(messages) == 3
    assert all("has one account here, so give each account its own address" in each for each in messages)


def test_invalid_rows_keep_their_notes(aurora: Brand) -> None:
    text = f"{HEAD},company_name\nnobody,70001,NULL\n"
    [row] = import_customers(brand=aurora, data=text.encode(), skip_invalid=True).rows
    assert row.action == BAD
    assert len(row.notes) == 1
    assert isinstance(row, RowReport)


@given(
    st.lists(
        st.sampled_from([",", ";", "\t", "\r", "\n", '"', "email", "account_number", "sep=", "x", "\ufeff"])
    )
)
def test_any_file_is_read_or_refused_with_a_message(pieces):
    try:
        rows, messages = read("".join(pieces))
    except ImportRefused:
        return
    assert all(set(row.cells) <= {*COLUMNS, "brand"} for row in rows)
    assert all(str(each) for each in messages)
