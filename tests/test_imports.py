"""`import_customers`: all rows or none, every bad one named."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from accounts.import_file import COLUMNS, rows_read
from accounts.imports import Counts, ImportRefused, customers_import
from accounts.models import User
from portal.models import Brand

HEADER = "email,account_number,first_name,phone\n"


def put(brand: Brand, text: str, **options: Any) -> Counts:
    return customers_import(brand=brand, data=text.encode(), **options).counts


def problems(brand: Brand, text: str | bytes) -> list[str]:
    """What a refused file is told; nothing may have been written."""
    before = list(User.objects.order_by("pk").values())
    with pytest.raises(ImportRefused) as caught:
        customers_import(brand=brand, data=text if isinstance(text, bytes) else text.encode())
    assert list(User.objects.order_by("pk").values()) == before
    return [str(problem) for problem in caught.value.problems]


def test_a_new_customer_has_no_password_and_has_not_signed_in(aurora: Brand) -> None:
    assert put(aurora, HEADER + "dora@example.com,70003,Dora,\n") == Counts(1, 0, 0)
    dora = User.objects.get(brand=aurora)
    assert (dora.email, dora.account_number, dora.first_name) == ("dora@example.com", "70003", "Dora")
    assert not dora.has_usable_password()
    assert dora.verified_at is None


def test_an_existing_customer_is_filled_in_and_nothing_is_emptied(
    aurora: Brand, make_customer: Callable[..., User]
) -> None:
    dora = make_customer(aurora, "dora@example.com", first_name="D.", phone="123456")
    text = HEADER + "Dora@Example.com,70003,Dora,\n"
    assert put(aurora, text) == Counts(0, 1, 0)
    assert put(aurora, text) == Counts(0, 0, 1)
    dora.refresh_from_db()
    assert (dora.email, dora.account_number) == ("dora@example.com", "70003")
    assert (dora.first_name, dora.phone) == ("Dora", "123456")
    assert dora.verified_at


def test_a_known_account_number_is_never_changed_nor_shared(alice: User, bob: User, aurora: Brand) -> None:
    assert problems(aurora, HEADER + "alice@example.com,70009,,\nnew@example.com,70002,,\n") == [
        "line 2, account_number: this customer has 70001; a known number is changed by hand only",
        "line 3, account_number: 70002 belongs to bob@example.com; an address is how somebody signs in, "
        "so it is changed by hand only",
    ]


def test_the_same_number_and_address_at_another_brand_do_not_matter(alice: User, borealis: Brand) -> None:
    assert put(borealis, HEADER + "alice@example.com,70001,Alice,\n") == Counts(1, 0, 0)


def test_every_bad_row_is_named_and_no_good_one_is_written(aurora: Brand) -> None:
    text = HEADER + (
        "good@example.com,1,,\n"
        "no-address,2,,\n"
        '\n"three@example.com",-3,"Two\nlines",\n'
        "GOOD@example.com,1,,\n"
        "four@example.com,4\n"
        f",5,{'x' * 151},\n"
    )
    assert problems(aurora, text) == [
        "line 3, email: not an e-mail address",
        "line 5, account_number: 1 to 64 letters, digits, dots, hyphens or underscores; "
        "the first a letter or digit",
        "line 5, first_name: holds a line break or a control character",
        "line 7, email: the same as in line 2",
        "line 7, account_number: the same as in line 2",
        "line 8: 2 cells, but the header has 4 columns",
        "line 9, email: empty",
        "line 9, first_name: longer than 150 characters",
    ]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "line 1: the file is empty"),
        (b"email,account_number,password\n", "line 1: unknown column “password”; known are email,"),
        (b"email,phone\n", "line 1: the column account_number is missing"),
        (b"email,account_number,Email\n", "line 1: the column email stands there twice"),
        (b"email,account_number\nd\xf6ra@example.com,1\n", "line 2: not UTF-8"),
        (b'email,account_number\n"open,1\n', "line 2: not a row of a CSV file"),
    ],
)
def test_a_file_that_cannot_be_understood_says_why(aurora: Brand, data: bytes, words: str) -> None:
    (problem,) = problems(aurora, data)
    assert problem.startswith(words)


def test_spreadsheets_with_byte_order_mark_and_semicolons_are_understood(aurora: Brand) -> None:
    data = "\ufeffAccount_Number;Email\r\n 70003 ;dora@example.com\r\n;\r\n"
    assert put(aurora, data) == Counts(1, 0, 0)
    assert User.objects.get().account_number == "70003"


def test_many_rows_take_few_queries(aurora: Brand, django_assert_max_num_queries: Any) -> None:
    rows = [f"c{number}@example.com,{number},First," for number in range(2000)]
    with django_assert_max_num_queries(60):
        assert put(aurora, HEADER + "\n".join(rows)) == Counts(2000, 0, 0)
    with django_assert_max_num_queries(60):
        assert put(aurora, HEADER + "\n".join(rows).replace("First", "Second")) == Counts(0, 2000, 0)


def test_the_command_counts_and_a_dry_run_writes_nothing(aurora: Brand, tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text(HEADER + "dora@example.com,70003,Dora,\n")
    out = StringIO()
    call_command("import_customers", "aurora", path, dry_run=True, stdout=out)
    assert out.getvalue() == "aurora: created 1, updated 0, unchanged 0 (dry run: nothing was written)\n"
    assert not User.objects.exists()
    call_command("import_customers", "aurora", path, stdout=out)
    assert User.objects.count() == 1


def test_the_command_names_the_file_in_each_problem(aurora: Brand, tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text(HEADER + "x,70003,,\n")
    with pytest.raises(CommandError, match=r"customers\.csv: line 2, email: not an e-mail address"):
        call_command("import_customers", "aurora", path)
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_customers", "aurora", tmp_path)
    with pytest.raises(CommandError, match="There are: aurora"):
        call_command("import_customers", "austral", path)


@given(data=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: (HEADER + text).encode("utf-8")))
def test_no_file_ends_in_anything_but_rows_or_problems(data: bytes) -> None:
    try:
        rows, found = rows_read(data=data, brand="aurora")
    except ImportRefused:
        return
    assert all(set(row.cells) <= set(COLUMNS) for row in rows)
    assert all(problem.line > 1 for problem in found)
