"""`import_customers`: all rows or none, and every invalid row named."""

from collections.abc import Callable
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models.signals import post_init
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts.customer_import.csv_file import COLUMNS, MAX_BYTES, MAX_ROWS, read_rows
from accounts.customer_import.importer import Counts, ImportRefused, import_customers
from accounts.models import User
from portal.models import Brand
from portal.voipline.messages import Words

pytestmark = pytest.mark.database

HEADER = "email,account_number,first_name,phone\n"


def put(brand: Brand, text: str, **options: Any) -> Counts:
    return import_customers(brand=brand, data=text.encode(), **options).counts


def problems(brand: Brand, text: str | bytes) -> list[str]:
    """Return the problems of a refused file; nothing may have been written."""
    before = list(User.objects.order_by("pk").values())
    with pytest.raises(ImportRefused) as caught:
        import_customers(brand=brand, data=text if isinstance(text, bytes) else text.encode())
    assert list(User.objects.order_by("pk").values()) == before
    return [str(problem) for problem in caught.value.problems]


def test_imported_customer_has_no_password_and_is_unverified(aurora: Brand) -> None:
    assert put(aurora, HEADER + "dora@example.com,70003,Dora,\n") == Counts(1, 0, 0)
    dora = User.objects.get(brand=aurora)
    assert (dora.email, dora.account_number, dora.first_name) == ("dora@example.com", "70003", "Dora")
    assert not dora.has_usable_password()
    assert dora.verified_at is None


def test_import_log_has_counts_and_no_personal_data(aurora: Brand, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "accounts.customer_import.importer"):
        put(aurora, HEADER + "dora@example.com,70003,Dora,\n")
    messages = vars(caplog.records[-1])
    assert (messages["brand"], messages["rows_created"], messages["rows_bad"]) == ("aurora", 1, 0)
    assert "dora" not in str(messages)


def test_existing_customer_is_completed_and_nothing_is_emptied(
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


def test_row_matches_by_account_number_before_email(alice: User, aurora: Brand) -> None:
    text = "email,account_number,company_name\n{email},70001,Archer Ltd\n"
    (problem,) = problems(aurora, text.format(email="alice.new@example.com"))
    assert problem.startswith(
        "line 2, account_number: Account 70001 already belongs to alice@example.com. Imports can't change "
    )
    assert put(aurora, text.format(email="ALICE@example.com")) == Counts(0, 1, 0)
    alice.refresh_from_db()
    assert (alice.email, alice.company_name) == ("alice@example.com", "Archer Ltd")


def test_account_number_may_be_missing_only_if_customer_has_none(
    alice: User, aurora: Brand, make_customer: Callable[..., User]
) -> None:
    nora = make_customer(aurora, "nora@example.com")
    assert put(aurora, HEADER + "nora@example.com,,Nora,\n") == Counts(0, 1, 0)
    assert problems(aurora, HEADER + "alice@example.com,,A,\nnew@example.com,,,\n") == [
        "line 2, account_number: empty, but this customer has 70001",
        "line 3, account_number: empty, and no one here has this address",
    ]
    nora.refresh_from_db()
    assert (nora.first_name, nora.account_number) == ("Nora", "")


CARRIER = "email,account_number,account_type,credit_limit\nalice@example.com,70001,{}\n"


@pytest.mark.parametrize(
    ("cells", "kind", "limit"),
    [
        ("prepaid,", "prepaid", None),
        ("PostPaid,-55", "postpaid", "-55"),
        (",-55.12345", "", "-55.12345"),
        (",'-55", "", "-55"),
        (",-0", "", "0"),
        (",", "", None),
    ],
)
def test_account_type_and_credit_limit_are_imported(
    cells: str, kind: str, limit: str | None, alice: User, aurora: Brand
) -> None:
    put(aurora, CARRIER.format(cells))
    alice.refresh_from_db()
    assert (alice.account_type, alice.credit_limit) == (kind, None if limit is None else Decimal(limit))
    assert put(aurora, CARRIER.format(cells)) == Counts(0, 0, 1)
    assert put(aurora, CARRIER.format(",")) == Counts(0, 0, 1)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ("pre-paid,", "account_type: write prepaid / postpaid, or nothing"),
        (",55", "credit_limit: A credit limit is zero or negative. Did you mean -55?"),
        *(
            (f",{text}", "credit_limit: write a plain number with at most five decimals, such as -55.00")
            for text in ("-55.123456", "-1e3", "-$55", "−55", "-٥", "--5", "-1234567890123")
        ),
    ],
)
def test_invalid_account_type_or_credit_limit_is_reported(
    cells: str, words: str, alice: User, aurora: Brand
) -> None:
    assert problems(aurora, CARRIER.format(cells)) == [f"line 2, {words}"]


def test_skip_invalid_imports_valid_rows_and_reports_the_others(alice: User, aurora: Brand) -> None:
    text = HEADER + "dora@example.com,70003,,\nno-address,70004,,\nalice@example.com,70009,A,\n"
    report = import_customers(brand=aurora, data=text.encode(), skip_invalid=True)
    assert report.counts == Counts(1, 0, 0, 2)
    assert [row.action for row in report.rows] == ["create", "bad", "bad"]
    assert set(User.objects.values_list("email", "account_number")) == {
        ("alice@example.com", "70001"),
        ("dora@example.com", "70003"),
    }


def test_contradicting_rows_are_all_refused(aurora: Brand) -> None:
    text = HEADER + "dora@example.com,1,,\nerin@example.com,1,,\nfay@example.com,2,,\nFay@example.com,2,,\n"
    report = import_customers(brand=aurora, data=text.encode(), skip_invalid=True)
    messages = [str(problem) for row in report.rows for problem in row.problems]
    assert messages == [
        "line 2, account_number: the same as in line 3",
        "line 3, account_number: the same as in line 2",
        "line 5, email: the same as in line 4",
        "line 5, account_number: the same as in line 4",
    ]
    assert [user.email for user in User.objects.all()] == ["fay@example.com"]


def test_row_exported_from_another_brand_is_refused(aurora: Brand) -> None:
    text = "email,account_number,brand,active,last_sign_in\nd@example.com,1,{},yes,never\n"
    assert problems(aurora, text.format("borealis")) == [
        "line 2, brand: this is a customer of borealis, and the file goes to aurora"
    ]
    assert put(aurora, text.format("aurora")) == Counts(1, 0, 0)


def test_file_that_is_too_large_is_not_parsed(aurora: Brand) -> None:
    assert problems(aurora, b"x" * (MAX_BYTES + 1)) == ["line 1: the file is larger than 2 MB. Split it"]
    rows = "".join(f"c{number}@x.au,{number}\n" for number in range(MAX_ROWS + 1))
    assert problems(aurora, "email,account_number\n" + rows) == [
        f"line {MAX_ROWS + 2}: there are more than 20,000 rows. Split the file"
    ]


PEOPLE = [f"{name}@example.com" for name in ("alice", "bob", "cleo", "dora", "erin")]
CELLS = st.tuples(
    st.sampled_from([*PEOPLE, "ALICE@example.com", "no-address", ""]),
    st.sampled_from(["70001", "70002", "80001", "1", "2", "3", "", "- 1"]),
    st.sampled_from(["", "Ann", "'=1+1", "x" * 151]),
    st.sampled_from(["", "prepaid", "postpaid", "other"]),
    st.sampled_from(["", "-5", "-5.00", "0", "5", "x"]),
)


@hypothesis_settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rows=st.lists(CELLS, max_size=8), skip_invalid=st.booleans())
def test_no_file_changes_other_brands_or_known_values(
    rows: list[tuple[str, ...]],
    skip_invalid: bool,
    alice: User,
    bob: User,
    charlie: User,
    aurora: Brand,
    make_customer: Callable[..., User],
) -> None:
    header = "email,account_number,first_name,account_type,credit_limit\n"
    data = (header + "".join(",".join(row) + "\n" for row in rows)).encode()
    with transaction.atomic():
        make_customer(aurora, "cleo@example.com")
        elsewhere = list(User.objects.exclude(brand=aurora).order_by("pk").values())
        before = {user.pk: user for user in User.objects.filter(brand=aurora)}
        foretold = import_customers(brand=aurora, data=data, dry_run=True, skip_invalid=True)
        assert {user.pk: user for user in User.objects.filter(brand=aurora)} == before
        try:
            report = import_customers(brand=aurora, data=data, skip_invalid=skip_invalid)
        except ImportRefused:
            assert foretold.counts.bad
            assert not skip_invalid
        else:
            assert report == foretold
            second = import_customers(brand=aurora, data=data, skip_invalid=skip_invalid).counts
            assert second == Counts(0, 0, report.counts.good, report.counts.bad)
        after = {user.pk: user for user in User.objects.filter(brand=aurora)}
        assert list(User.objects.exclude(brand=aurora).order_by("pk").values()) == elsewhere
        for pk, user in before.items():
            assert after[pk].email == user.email
            assert user.account_number in ("", after[pk].account_number)
            assert after[pk].verified_at == user.verified_at
        assert all(not after[pk].has_usable_password() for pk in after)
        transaction.set_rollback(True)


def test_known_account_number_is_never_changed_nor_shared(alice: User, bob: User, aurora: Brand) -> None:
    assert problems(aurora, HEADER + "alice@example.com,70009,,\nnew@example.com,70002,,\n") == [
        "line 2, account_number: this customer has 70001. A known number can only be changed by hand",
        "line 3, account_number: Account 70002 already belongs to bob@example.com. "
        "Imports can't change an email address. Edit the customer instead",
    ]


def test_same_number_and_email_at_another_brand_are_no_conflict(alice: User, borealis: Brand) -> None:
    assert put(borealis, HEADER + "alice@example.com,70001,Alice,\n") == Counts(1, 0, 0)


def test_every_invalid_row_is_named_and_no_row_is_written(aurora: Brand) -> None:
    text = HEADER + (
        "good@example.com,1,,\n"
        "no-address,2,,\n"
        '\n"three@example.com",-3,"Two\x1blines\n",\n'
        "GOOD@example.com,1,,\n"
        "four@example.com,4\n"
        f",5,{'x' * 151},\n"
    )
    assert problems(aurora, text) == [
        "line 3, email: not an email address",
        "line 5, account_number: use 1 to 64 letters, digits, dots, hyphens or underscores, "
        "and begin with a letter or digit",
        "line 5, first_name: holds a control character",
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
        (b"email,account_number,password\n", "line 1: We don't recognise the column “password”. Use: email,"),
        (b"email,phone\n", "line 1: the column account_number is missing"),
        (b"email,account_number,Email\n", "line 1: the column email appears twice"),
        (b"email,account_number\nd\xf6ra@example.com,1\n", "line 2: not UTF-8"),
        (b'email,account_number\n"open,1\n', "line 2: not a row of a CSV file"),
    ],
)
def test_unreadable_file_reports_why(aurora: Brand, data: bytes, words: str) -> None:
    (problem,) = problems(aurora, data)
    assert problem.startswith(words)


def test_byte_order_mark_and_semicolons_are_accepted(aurora: Brand) -> None:
    data = "\ufeffAccount_Number;Email\r\n 70003 ;dora@example.com\r\n;\r\n"
    assert put(aurora, data) == Counts(1, 0, 0)
    assert User.objects.get().account_number == "70003"


def test_query_count_stays_low_with_many_rows(aurora: Brand, django_assert_max_num_queries: Any) -> None:
    rows = [f"c{number}@example.com,{number},First," for number in range(2000)]
    with django_assert_max_num_queries(70):
        assert put(aurora, HEADER + "\n".join(rows)) == Counts(2000, 0, 0)
    with django_assert_max_num_queries(70):
        assert put(aurora, HEADER + "\n".join(rows).replace("First", "Second")) == Counts(0, 2000, 0)


def test_command_prints_counts_and_dry_run_writes_nothing(aurora: Brand, tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text(HEADER + "dora@example.com,70003,Dora,\n")
    out = StringIO()
    call_command("import_customers", "aurora", path, dry_run=True, stdout=out)
    assert out.getvalue() == "aurora: created 1, updated 0, unchanged 0 (dry run: nothing was written)\n"
    assert not User.objects.exists()
    call_command("import_customers", "aurora", path, stdout=out)
    assert User.objects.count() == 1


def test_command_imports_valid_rows_on_request(aurora: Brand, tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text(HEADER + "dora@example.com,70003,Dora,\nx,70004,,\n")
    out, err = StringIO(), StringIO()
    call_command("import_customers", "aurora", path, skip_invalid=True, dry_run=True, stdout=out, stderr=err)
    assert not User.objects.exists()
    call_command("import_customers", "aurora", path, skip_invalid=True, stdout=out, stderr=err)
    line = "aurora: created 1, updated 0, unchanged 0, bad 1"
    assert out.getvalue() == f"{line} (dry run: nothing was written)\n{line}\n"
    assert err.getvalue() == "customers.csv: line 3, email: not an email address\n" * 2
    assert User.objects.get().email == "dora@example.com"


def test_command_names_the_file_in_each_problem(aurora: Brand, tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text(HEADER + "x,70003,,\n")
    with pytest.raises(CommandError, match=r"customers\.csv: line 2, email: not an email address"):
        call_command("import_customers", "aurora", path)
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_customers", "aurora", tmp_path)
    with pytest.raises(CommandError, match="There are: aurora"):
        call_command("import_customers", "austral", path)


@given(data=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: (HEADER + text).encode("utf-8")))
def test_any_file_results_in_rows_or_problems(data: bytes) -> None:
    try:
        rows, found = read_rows(data=data, brand="aurora")
    except ImportRefused:
        return
    assert all(set(row.cells) <= set(COLUMNS) for row in rows)
    assert all(problem.line > 1 for problem in found)
    assert all(isinstance(problem.reason, Words) for problem in found)


# --- Rows an import reads ---


@pytest.fixture
def other_customers(aurora: Brand) -> None:
    """Customers of Aurora that no file of these tests names."""
    rows = (User(brand=aurora, email=f"o{nth}@example.org", account_number=f"9{nth}") for nth in range(40))
    User.objects.bulk_create([each for each in rows if not each.set_unusable_password()])


def test_import_reads_and_locks_only_the_customers_it_touches(
    other_customers: None, alice: User, bob: User, aurora: Brand
) -> None:
    text = HEADER + "ALICE@example.com,70001,Alicia,\nnew@example.com,70002,,\nnora@example.com,70003,,\n"
    read: list[str] = []

    def note(instance: User, **_: Any) -> None:
        if instance.pk:
            read.append(instance.email)

    post_init.connect(note, sender=User)
    try:
        with CaptureQueriesContext(connection) as captured:
            import_customers(brand=aurora, data=text.encode(), skip_invalid=True)
    finally:
        post_init.disconnect(note, sender=User)
    assert read == [alice.email, bob.email]  # Bob has the number of the second row.
    selects = [query["sql"] for query in captured if query["sql"].startswith("SELECT")]
    assert len(selects) == 3
    locked = [sql for sql in selects if "FOR UPDATE" in sql]
    assert len(locked) == connection.features.has_select_for_update
    assert all(f"IN ({alice.pk}, {bob.pk})" in sql for sql in locked)


def test_cell_with_nul_character_is_an_invalid_row(aurora: Brand) -> None:
    assert problems(aurora, HEADER + "a\0b@example.com,7\x001,,\n") == [
        "line 2, email: holds a control character",
        "line 2, account_number: use 1 to 64 letters, digits, dots, hyphens or underscores, "
        "and begin with a letter or digit",
    ]
