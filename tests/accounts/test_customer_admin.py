"""Customers in the admin: import with a report first, export, search, and disabling."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts.cleanup import prune_accounts
from accounts.customer_import.csv_file import MAX_BYTES
from accounts.customer_import.export import export_customers
from accounts.customer_import.importer import Counts, import_customers
from accounts.customer_import.pending import MAX_PENDING
from accounts.models import CustomerImport, SignIn, SignInCode, User
from portal.admin.pagination import BoundedPaginator
from portal.models import Brand
from tests.conftest import ADMIN, AURORA
from tests.support.customer_flow import at_once, code_for, send, sign_in, twin, value_of, words

Browse = Callable[..., Client]
MakeCustomer = Callable[..., User]
LIST, IMPORT, EXPORT = (f"/admin/accounts/user/{path}" for path in ("", "import/", "export/"))
HEADER = "email,account_number,first_name,credit_limit\n"
GOOD = HEADER + "dora@example.com,70003,Dora,-55\nalice@example.com,70001,Alicia,\n"
BAD = GOOD + "no-address,70005,,\n"


@pytest.fixture
def sam(db: None, aurora: Brand) -> User:
    """Sam, who works for Aurora."""
    user = User.objects.create_user("sam", "sam@example.com", "correct horse battery", is_staff=True)
    user.brands.add(aurora)
    return user


@pytest.fixture
def desk(browse: Browse, sam: User) -> Client:
    """Sam's browser on the admin host."""
    return browse(ADMIN, sam)


def upload(client: Client, brand: Brand, text: str | bytes) -> Any:
    data = text if isinstance(text, bytes) else text.encode()
    file = SimpleUploadedFile("customers.csv", data, "text/csv")
    return client.post(f"{IMPORT}{brand.pk}/", {"file": file})


def upload_for_report(client: Client, brand: Brand, text: str) -> str:
    """Upload a file and return the URL of its report."""
    response = upload(client, brand, text)
    assert response.status_code == 302, words(response)
    return str(response["Location"])


def confirm(client: Client, url: str, rows: str = "all", **changes: str) -> Any:
    """Press the button of the report as it is shown now."""
    fingerprint = value_of(client.get(url), "report") or ""
    return client.post(url, {"report": fingerprint, "rows": rows, **changes}, follow=True)


def stored() -> dict[str, str]:
    return dict(User.objects.filter(brand__isnull=False).values_list("email", "account_number"))


def change_messages(obj: Any) -> list[str]:
    """Return the change messages about an object, newest first."""
    entries = LogEntry.objects.filter(content_type__model=obj._meta.model_name, object_id=str(obj.pk))
    return [entry.get_change_message() for entry in entries.order_by("-pk")]


# --- Import ---


def test_import_starts_with_choosing_one_of_the_own_brands(
    desk: Client, sam: User, aurora: Brand, borealis: Brand, make_brand: Callable[..., Brand]
) -> None:
    assert desk.get(IMPORT)["Location"] == f"{IMPORT}{aurora.pk}/"
    sam.brands.add(make_brand("cirrus", "cirrus.test"))
    page = words(desk.get(IMPORT))
    assert "Aurora Phone" in page
    assert "Cirrus Phone" in page
    assert "Borealis" not in page
    for path in (f"{IMPORT}{borealis.pk}/", f"{IMPORT}{borealis.pk}/1/"):
        assert desk.get(path).status_code == 404
        assert desk.post(path, {"rows": "all"}).status_code == 404


def test_import_writes_nothing_before_the_report_is_confirmed(
    desk: Client, sam: User, aurora: Brand, alice: User
) -> None:
    url = upload_for_report(desk, aurora, GOOD)
    page = words(desk.get(url))
    assert "Bad 0 Create 1 Update 1 Unchanged 0" in page
    assert "First name: “Alice” → “Alicia”" in page
    assert "Credit limit: “-55”" in page
    assert stored() == {"alice@example.com": "70001"}
    assert LogEntry.objects.count() == 0
    assert "Created: 1, updated: 1, unchanged: 0, bad and left out: 0." in words(confirm(desk, url))
    assert stored() == {"alice@example.com": "70001", "dora@example.com": "70003"}
    dora = User.objects.get(email="dora@example.com")
    assert dora.credit_limit == -55
    (summary,) = change_messages(aurora)
    assert (
        summary
        == "Imported customers from “customers.csv”: created 1, updated 1, unchanged 0, bad and left out 0."
    )
    assert change_messages(dora) == ["Added. Added Account number “70003”. Added Credit limit “-55”."]
    assert change_messages(alice) == []  # A first name is no account number.
    assert {entry.user for entry in LogEntry.objects.all()} == {sam}


def test_import_puts_old_and_new_values_into_the_history(
    desk: Client, aurora: Brand, make_customer: MakeCustomer
) -> None:
    nora = make_customer(aurora, "nora@example.com", credit_limit=Decimal("-10"))
    text = "email,account_number,account_type,credit_limit\nnora@example.com,70007,prepaid,-20\n"
    confirm(desk, upload_for_report(desk, aurora, text))
    assert change_messages(nora) == [
        "Changed Account number (“” → “70007”), Account type (“” → “prepaid”) and "
        "Credit limit (“-10” → “-20”)."
    ]


def test_invalid_rows_are_listed_first_and_valid_ones_imported(
    desk: Client, aurora: Brand, alice: User
) -> None:
    url = upload_for_report(desk, aurora, BAD)
    page = words(desk.get(url))
    assert "email : not an email address" in page
    assert page.index("no-address") < page.index("dora@example.com")
    assert "Import the 2 good rows" in page
    assert "Import all" not in page
    refused = confirm(desk, url, "all")
    assert "Nothing was imported" in words(refused)
    assert stored() == {"alice@example.com": "70001"}
    assert "bad and left out: 1." in words(confirm(desk, url, "good"))
    assert stored() == {"alice@example.com": "70001", "dora@example.com": "70003"}


def test_outdated_report_is_shown_again_before_anything_is_written(
    desk: Client, aurora: Brand, alice: User, bob: User
) -> None:
    url = upload_for_report(desk, aurora, GOOD)
    shown = value_of(desk.get(url), "report") or ""
    User.objects.filter(pk=bob.pk).update(account_number="70003")
    response = desk.post(url, {"report": shown, "rows": "all"})
    assert "the customers have changed since you looked" in words(response)
    assert "Account 70003 already belongs to bob@example.com" in words(response)
    assert stored() == {"alice@example.com": "70001", "bob@example.com": "70003"}
    assert CustomerImport.objects.get().done_at is None
    for forged in ("", "-", shown[::-1]):
        assert "have changed" in words(desk.post(url, {"report": forged, "rows": "good"}))
    assert LogEntry.objects.count() == 0
    assert "bad and left out: 1." in words(confirm(desk, url, "good"))


def test_second_confirmation_writes_nothing_and_file_is_deleted(
    desk: Client, aurora: Brand, alice: User
) -> None:
    url = upload_for_report(desk, aurora, GOOD)
    shown = value_of(desk.get(url), "report") or ""
    confirm(desk, url)
    User.objects.filter(email="dora@example.com").delete()
    second = desk.post(url, {"report": shown, "rows": "all"}, follow=True)
    assert "has been imported already. Nothing was written a second time." in words(second)
    assert "has been imported already" in words(desk.get(url, follow=True))
    assert stored() == {"alice@example.com": "70001"}
    assert bytes(CustomerImport.objects.get().data) == b""


def test_four_concurrent_confirmations_import_once(
    threads: Any, desk: Client, aurora: Brand, alice: User
) -> None:
    url = upload_for_report(desk, aurora, GOOD)
    shown = value_of(desk.get(url), "report") or ""
    # Each request runs in another process, with only the database in common.
    clients = [twin(desk) for _ in range(4)]
    answers = at_once(4, lambda nth: clients[nth].post(url, {"report": shown, "rows": "all"}).status_code)
    assert answers == [302] * 4
    assert stored() == {"alice@example.com": "70001", "dora@example.com": "70003"}
    assert len(change_messages(aurora)) == 1


def test_pending_file_is_visible_only_to_its_uploader_for_an_hour(
    desk: Client, browse: Browse, sam: User, operator: User, aurora: Brand
) -> None:
    url = upload_for_report(desk, aurora, GOOD)
    assert "Choose it again" in words(browse(ADMIN, operator).get(url, follow=True))
    sam.brands.clear()
    assert desk.get(url).status_code == 404
    sam.brands.add(aurora)
    assert desk.get(url).status_code == 200
    CustomerImport.objects.update(made_at=timezone.now() - timedelta(minutes=61))
    assert "an hour has passed" in words(desk.get(url, follow=True))
    assert desk.post(url, {"rows": "good", "report": "x"}).status_code == 302
    assert stored() == {}
    assert prune_accounts() == 1
    assert not CustomerImport.objects.exists()


def test_number_of_pending_files_per_user_is_limited(desk: Client, aurora: Brand) -> None:
    urls = [upload_for_report(desk, aurora, GOOD) for _ in range(MAX_PENDING + 2)]
    assert CustomerImport.objects.count() == MAX_PENDING
    assert [desk.get(url).status_code for url in urls] == [302] * 2 + [200] * MAX_PENDING


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"email;password\n", "Line 1: We don't recognise the column “password”"),
        (b"caf\xe9\n", "Line 1: not UTF-8"),
        (b"PK\x03\x04[Content_Types].xml xl/workbook.xml", "This is an Excel file. Save it as CSV UTF-8"),
        (b"", "The submitted file is empty."),
        (b"x" * (MAX_BYTES + 1), "This file is larger than 2 MB."),
    ],
)
def test_unreadable_file_is_not_stored(data: bytes, message: str, desk: Client, aurora: Brand) -> None:
    assert message in words(upload(desk, aurora, data))
    assert not CustomerImport.objects.exists()


def test_row_problems_are_translatable_templates(
    desk: Client, aurora: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = upload_for_report(desk, aurora, BAD)
    spanish = {"not an email address": "no es una dirección"}
    monkeypatch.setattr("portal.i18n.translation.gettext", lambda text: spanish.get(text, text))
    assert "email : no es una dirección" in words(desk.get(url))


def test_report_shows_the_first_500_rows_and_counts_all(desk: Client, aurora: Brand) -> None:
    rows = "".join(f"c{number}@example.com,{number},,\n" for number in range(700))
    url = upload_for_report(desk, aurora, HEADER + rows + "x,1000,,\n")
    page = desk.get(url)
    assert page.content.decode().count('<tr class="customer-') == 500
    assert "The first 500 of 701 rows, the bad ones first" in words(page)
    assert "Bad 1 Create 700" in words(page)


def test_query_count_of_an_import_is_constant_per_batch(desk: Client, aurora: Brand) -> None:
    def queries(count: int, first: int) -> int:
        rows = "".join(f"c{number}@example.com,{number},,-5\n" for number in range(first, first + count))
        url = upload_for_report(desk, aurora, HEADER + rows)
        shown = value_of(desk.get(url), "report") or ""
        with CaptureQueriesContext(connection) as captured:
            assert desk.post(url, {"report": shown, "rows": "all"}).status_code == 302
        return len(captured)

    small = queries(1, 0)
    assert queries(2000, 10) < small + 80


def test_confirmed_file_is_parsed_before_rows_are_locked(
    desk: Client, aurora: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, depths = upload_for_report(desk, aurora, GOOD), []

    def note() -> None:
        depths.append(len(connection.savepoint_ids))

    monkeypatch.setattr("accounts.customer_import.csv_file.release_db_connections", note)
    confirm(desk, url)
    assert depths == [
        0,
        0,
    ]  # Once for the report and once for the confirmation, both outside any transaction.
    assert "dora@example.com" in stored()


# --- Export ---


def exported(response: Any) -> list[dict[str, str]]:
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def choose(client: Client, action: str, *users: User, **more: str) -> Any:
    data = {"action": action, "index": "0", "_selected_action": [person.pk for person in users], **more}
    return client.post(LIST, data, follow=True)


def test_export_follows_the_filters_and_search_of_the_list(
    desk: Client, alice: User, bob: User, charlie: User, sam: User, aurora: Brand, borealis: Brand
) -> None:
    User.objects.filter(pk=alice.pk).update(credit_limit="-55.5", account_type="postpaid", phone="+61 2 5550")
    SignIn.objects.create(user=alice, at=timezone.now())
    response = desk.post(EXPORT)
    rows = exported(response)
    assert [row["email"] for row in rows] == ["alice@example.com", "bob@example.com"]
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    first = rows[0]
    assert (first["brand"], first["account_type"], first["credit_limit"]) == ("aurora", "postpaid", "-55.5")
    assert (first["phone"], first["active"]) == ("'+61 2 5550", "yes")
    assert first["last_sign_in"].startswith(f"{timezone.now():%Y-%m-%d}")
    assert rows[1]["last_sign_in"] == ""
    assert [row["email"] for row in exported(desk.post(f"{EXPORT}?q=baker"))] == ["bob@example.com"]
    assert change_messages(aurora) == ["Exported 1 customer.", "Exported 2 customers."]
    assert change_messages(borealis) == []
    assert {entry.user for entry in LogEntry.objects.all()} == {sam}
    empty = desk.post(f"{EXPORT}?q=nobody", follow=True)
    assert "Nothing was exported" in words(empty)
    assert desk.get(EXPORT).status_code == 405


def test_export_action_contains_only_the_selected_customers(
    desk: Client, browse: Browse, operator: User, alice: User, bob: User, charlie: User
) -> None:
    assert [row["email"] for row in exported(choose(desk, "export_selected", bob, charlie))] == [bob.email]
    both = exported(choose(browse(ADMIN, operator), "export_selected", bob, charlie, operator))
    assert [(row["email"], row["brand"]) for row in both] == [
        (bob.email, "aurora"),
        (charlie.email, "borealis"),
    ]
    assert change_messages(charlie.brand) == ["Exported 1 customer."]


TEXT = st.text(alphabet="ab'=+-@＝,;\"é| ", max_size=8).map(str.strip)


@hypothesis_settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    names=st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4),
    limit=st.none() | st.decimals(-999_999, 0, places=5),
)
def test_export_escapes_formulas_and_imports_back_unchanged(
    names: list[tuple[str, str]], limit: Decimal | None, sam: User, aurora: Brand, make_customer: MakeCustomer
) -> None:
    with transaction.atomic():
        for nth, (first, last) in enumerate(names):
            number = str(nth) if nth % 2 else ""
            fields = {"first_name": first, "last_name": last, "credit_limit": limit}
            make_customer(aurora, f"c{nth}@example.com", number, **fields)
        before = list(User.objects.order_by("pk").values())
        count, lines = export_customers(customers=User.objects.filter(brand=aurora), by=sam)
        text = "".join(lines)
        rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
        assert not [
            row for row in rows for name in ("first_name", "last_name") if row[name][:1] in {*"=+-@＝"}
        ]
        report = import_customers(brand=aurora, data=text.encode())
        assert (count, report.counts) == (len(names), Counts(0, 0, len(names)))
        assert list(User.objects.order_by("pk").values()) == before
        transaction.set_rollback(True)


def test_large_export_is_streamed_in_few_queries(
    sam: User, aurora: Brand, django_assert_max_num_queries: Any
) -> None:
    rows = "".join(f"c{number}@example.com,{number},,\n" for number in range(2500))
    import_customers(brand=aurora, data=(HEADER + rows).encode())
    with django_assert_max_num_queries(8):
        count, lines = export_customers(customers=User.objects.order_by("email"), by=sam)
        bits = list(lines)
    assert count == 2500
    assert len(bits) == 4  # The header, and three batches.
    assert sum(bit.count("\r\n") for bit in bits) == 2501


# --- Search ---


@pytest.mark.parametrize(
    ("stored", "typed"),
    [
        ("+61 411222333", "0411 222 333"),
        ("0411 222 333", "+61 411 222 333"),
        ("(04) 11-22.2333", "0411222333"),
        ("0411222333", "411222"),
        ("+61 411222333", "+61 411222333"),
        ("+61 411222333", "222333"),
    ],
)
def test_search_finds_a_phone_number_in_any_notation(
    stored: str, typed: str, desk: Client, alice: User, bob: User
) -> None:
    User.objects.filter(pk=alice.pk).update(phone=stored)
    User.objects.filter(pk=bob.pk).update(phone="+61 2 5550 0100")
    assert list(desk.get(LIST, {"q": typed}).context["cl"].result_list) == [alice]
    assert "or by phone number" in words(desk.get(LIST))


def test_digits_are_searched_in_all_other_columns_too(desk: Client, alice: User, bob: User) -> None:
    User.objects.filter(pk=alice.pk).update(account_number="AU-7000100-X", company_name="Studio 54-54-54")
    User.objects.filter(pk=bob.pk).update(email="0411222333@example.com")
    for typed, found in (("7000100", alice), ("54-54-54", alice), ("0411222333", bob)):
        assert list(desk.get(LIST, {"q": typed}).context["cl"].result_list) == [found]
    assert not desk.get(LIST, {"q": "999999"}).context["cl"].result_list
    assert list(desk.get(LIST, {"q": "alice arch"}).context["cl"].result_list) == [alice]


# --- Filters ---


def test_first_page_links_to_customers_without_account_number(
    desk: Client, alice: User, charlie: User, aurora: Brand, borealis: Brand, make_customer: MakeCustomer
) -> None:
    nora = make_customer(aurora, "nora@example.com")
    make_customer(borealis, "ned@example.com")
    page = desk.get(LIST)
    assert '<a href="?number=without">Without account number: 1</a>' in page.content.decode()
    assert '<a href="?number=refused">Account number refused: 0</a>' in page.content.decode()
    found = desk.get(f"{LIST}?number=without")
    assert [person.pk for person in found.context["cl"].result_list] == [nora.pk]


# --- Disable ---


def test_disabling_ends_sessions_and_then_answers_like_unknown_email(
    desk: Client, browse: Browse, alice: User, bob: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "accounts.services.deactivation")
    customer, other, mailbox = browse(AURORA), browse(AURORA), browse(AURORA)
    sign_in(customer, alice.email)
    sign_in(other, bob.email)
    send(mailbox, "/sign-in/", {"email": alice.email})
    code = code_for(alice.email)
    url = f"{LIST}{alice.pk}/disable/"
    assert "will be signed out everywhere now" in words(desk.get(url))
    assert customer.get("/account/open/").status_code == 200
    assert desk.post(url)["Location"] == f"/admin/billing/customer/{alice.pk}/"
    response = customer.get("/account/open/", follow=True)
    assert "If you were signed in before, your session has ended" in words(response)
    assert "disabled" not in words(response).lower()
    assert other.get("/account/open/").status_code == 200
    assert send(mailbox, "/sign-in/code/", {"code": code}).status_code == 200
    assert not SignIn.objects.filter(user=alice, ended_at=None).exists()
    mail.outbox.clear()
    answers = []
    for address in (alice.email, "nobody@example.com"):
        page = browse(AURORA).post("/sign-in/", {"email": address}, follow=True)
        answers.append(words(page).replace(address, "X"))
    assert answers[0] == answers[1]
    assert change_messages(alice) == ["Disabled: signed out everywhere and can't sign in."]
    assert [vars(record).get("customers") for record in caplog.records[:1]] == [[alice.pk]]


def test_enabled_customer_has_to_sign_in_again(desk: Client, browse: Browse, alice: User) -> None:
    before = browse(AURORA)
    sign_in(before, alice.email)
    send(before, "/sign-in/", {"email": alice.email})
    desk.post(f"{LIST}{alice.pk}/disable/")
    assert desk.get(f"{LIST}{alice.pk}/enable/").status_code == 405
    assert desk.post(f"{LIST}{alice.pk}/enable/").status_code == 302
    assert before.get("/account/open/").status_code == 302
    assert not SignInCode.objects.filter(user=alice).exists()
    after = browse(AURORA)
    sign_in(after, alice.email)
    assert after.get("/account/open/").status_code == 200
    assert change_messages(alice)[0] == "Enabled: can sign in again."


def test_unticking_active_in_the_form_ends_the_sessions_too(
    desk: Client, browse: Browse, alice: User
) -> None:
    customer = browse(AURORA)
    sign_in(customer, alice.email)
    data = {"email": alice.email, "account_number": "70001", "first_name": "Alice", "last_name": "Archer"}
    url = f"{LIST}{alice.pk}/change/"
    assert desk.post(url, data).status_code == 302
    assert desk.post(url, {**data, "is_active": "on"}).status_code == 302
    assert customer.get("/account/open/").status_code == 302


def test_only_selected_customers_are_disabled_after_confirmation(
    desk: Client, alice: User, bob: User, charlie: User, operator: User, sam: User
) -> None:
    question = choose(desk, "disable_selected", alice, bob, charlie, operator, sam)
    assert "Disable 2 customers" in words(question)
    assert "charlie" not in words(question)
    assert User.objects.filter(is_active=False).count() == 0
    choose(desk, "disable_selected", alice, bob, charlie, operator, sam, sure="1")
    assert set(User.objects.filter(is_active=False)) == {alice, bob}
    choose(desk, "enable_selected", bob, charlie)
    assert set(User.objects.filter(is_active=False)) == {alice}
    assert "No one was disabled" in words(choose(desk, "disable_selected", alice))
    for verb in ("disable", "enable"):
        assert desk.post(f"{LIST}{charlie.pk}/{verb}/").status_code == 404
        assert desk.post(f"{LIST}{sam.pk}/{verb}/").status_code == 404


def test_select_all_never_exceeds_what_the_list_shows(
    desk: Client, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.filter(pk__in=(alice.pk, bob.pk)).update(is_active=False)
    monkeypatch.setattr(BoundedPaginator, "MAX_ROWS", 1)
    refused = choose(desk, "enable_selected", alice, select_across="1")
    assert "The list finds more than it shows, so nothing was done." in words(refused)
    assert set(User.objects.filter(is_active=False)) == {alice, bob}
    choose(desk, "enable_selected", alice)  # A ticked row is in the list.
    assert set(User.objects.filter(is_active=False)) == {bob}
    monkeypatch.setattr(BoundedPaginator, "MAX_ROWS", 2)
    choose(desk, "enable_selected", alice, select_across="1")
    assert not User.objects.filter(is_active=False).exists()


@pytest.mark.parametrize("key", ["abc", "", "9" * 30, "1\x00", "\u0661"])
def test_invalid_selected_row_is_refused(desk: Client, alice: User, key: str) -> None:
    data = {"action": "disable_selected", "_selected_action": [alice.pk, key], "sure": "1"}
    assert desk.post(LIST, data).status_code == 400
    assert not User.objects.filter(is_active=False).exists()


# --- Account type, credit limit ---


def change(client: Client, customer: User, **changes: str) -> Any:
    names = ("email", "first_name", "last_name", "account_number", "account_type")
    data = {name: getattr(customer, name) for name in names}
    return client.post(f"{LIST}{customer.pk}/change/", {**data, "is_active": "on", **changes})


def test_account_type_and_credit_limit_changes_are_in_the_history(desk: Client, alice: User) -> None:
    refused = change(desk, alice, credit_limit="55", account_type="postpaid")
    assert "For 55 below zero write -55." in words(refused)
    assert change(desk, alice, credit_limit="-55", account_type="postpaid").status_code == 302
    alice.refresh_from_db()
    assert (alice.account_type, alice.credit_limit) == ("postpaid", -55)
    assert change(desk, alice, credit_limit="-60.5").status_code == 302
    assert change(desk, alice, credit_limit="-60.50").status_code == 302
    assert change_messages(alice) == [
        "No fields changed.",
        "Changed Credit limit (“-55” → “-60.5”).",
        "Changed Account type (“” → “postpaid”) and Credit limit (“” → “-55”).",
    ]


def test_history_values_do_not_depend_on_the_form_language(desk: Client, alice: User) -> None:
    desk.cookies["__Host-language"] = "es"
    assert 'lang="es"' in desk.get(LIST).content.decode()
    assert change(desk, alice, account_number="70099").status_code == 302
    with translation.override("en"):
        assert change_messages(alice) == ["Changed Account number (“70001” → “70099”)."]


def test_new_customer_can_be_added_with_all_three_fields(desk: Client, aurora: Brand) -> None:
    data = {"brand": aurora.pk, "email": "d@example.com", "account_number": "7", "account_type": "prepaid"}
    assert "write -1" in words(desk.post(f"{LIST}add/", {**data, "credit_limit": "1"}))
    assert desk.post(f"{LIST}add/", {**data, "credit_limit": "-1"}).status_code == 302
    (message,) = change_messages(User.objects.get(email="d@example.com"))
    for value in ("“7”", "“prepaid”", "“-1”"):
        assert value in message


def test_import_template_has_the_columns_and_can_be_imported(desk: Client, aurora: Brand) -> None:
    page = desk.get(f"/admin/accounts/user/import/{aurora.pk}/")
    assert 'href="/admin/accounts/user/import/template.csv"' in page.content.decode()
    template = desk.get("/admin/accounts/user/import/template.csv")
    assert template["Content-Disposition"] == 'attachment; filename="customers.csv"'
    filled = template.content + b"dora@example.com,70003,Dora,Deer,,,prepaid,\r\n"
    assert [row.action for row in import_customers(brand=aurora, data=filled).rows] == ["create"]
