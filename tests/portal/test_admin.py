"""The admin: access, what is saved but never shown, and errors for invalid input."""

import re
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from PIL import Image

from accounts.admin.forms import UserForm
from accounts.models import SignInCode, User
from portal.models import Brand, CarrierCall
from portal.security.crypto import encrypt
from portal.voipline import METHODS
from tests.billing.test_customer_page import make_transfer
from tests.conftest import ADMIN, AURORA, Simulator
from tests.support.customer_flow import words
from tests.support.fuzz import text_of
from tests.support.urls import routes

PASSWORD = "correct horse battery"
CANARY = "canary-key-5f3a9"
CANARY_SECRET = "canary-secret-77b1c"
EMPTY_FORMSETS = {
    f"{prefix}-{name}_FORMS": "0"
    for prefix in ("overrides", "response_codes")
    for name in ("TOTAL", "INITIAL")
}

Browse = Callable[..., Client]
MakeCustomer = Callable[..., User]


@pytest.fixture
def staff(db: None) -> User:
    """Sam, who works for a reseller and is not an operator."""
    user = User(email="sam@example.com", is_staff=True)
    user.set_password(PASSWORD)
    user.save()
    return user


def change_url(obj: Brand | User) -> str:
    return f"/admin/{obj._meta.app_label}/{obj._meta.model_name}/{obj.pk}/change/"


def brand_data(brand: Brand, **changes: str) -> dict[str, Any]:
    """Return the form data a browser sends to save the brand as it was shown."""
    names = (
        "slug name currency timezone language accent support_email support_phone from_email terms_url "
        "privacy_url account_type top_up_url how_to_pay carrier_url recaptcha_site_key recaptcha_kind"
    )
    host = brand.hosts.get()
    hosts = {"TOTAL_FORMS": 1, "INITIAL_FORMS": 1, "0-id": host.pk, "0-brand": brand.pk}
    return {
        **{name: getattr(brand, name) for name in names.split()},
        "signup_open": "on",
        "login_hosts": "\r\n".join(brand.login_hosts),
        "carrier_key": "",
        "recaptcha_secret_key": "",
        **{f"hosts-{name}": value for name, value in hosts.items()},
        "hosts-0-host": host.host,
        "hosts-0-position": "0",
        **EMPTY_FORMSETS,
        **changes,
    }


def override_data(method: str, **fields: str) -> dict[str, str]:
    row = {"method": method, "path": "", "parameters": "", "constants": "", "results": "", **fields}
    return {"overrides-TOTAL_FORMS": "1", **{f"overrides-0-{name}": value for name, value in row.items()}}


def customer_data(customer: User, **changes: str) -> dict[str, Any]:
    names = ("email", "first_name", "last_name", "company_name", "phone", "account_number")
    return {**{name: getattr(customer, name) for name in names}, "is_active": "on", **changes}


def errors(response: Any) -> dict[str, list[str]]:
    """Return field → errors of the main form of an answer that is not a redirect."""
    assert response.status_code == 200
    return dict(response.context["adminform"].form.errors)


def admin_paths() -> list[str]:
    """Return every URL path of the admin, with 1 in place of each number."""
    routes_with_pages = [
        route for route in routes("portal.urls.admin") if "login" not in route and "(?P" not in route
    ]
    found = ["/" + re.sub("<[^>]+>", "1", route) for route in routes_with_pages]
    return [path for path in found if path.startswith("/admin/")]


# --- Access ---


def test_admin_paths_include_known_pages() -> None:
    paths = admin_paths()
    assert {"/admin/", "/admin/portal/brand/add/", "/admin/portal/brand/1/logo/"} <= set(paths)
    assert "/admin/accounts/user/1/password/" in paths
    assert not [path for path in paths if "signincode" in path or "submission" in path or "attempt" in path]


@pytest.mark.django_db
@pytest.mark.parametrize("path", admin_paths())
@pytest.mark.parametrize("who", ["nobody", "alice", "retired"])
def test_only_active_staff_can_enter(
    path: str, who: str, browse: Browse, request: pytest.FixtureRequest, operator: User
) -> None:
    if who == "retired":
        User.objects.filter(pk=operator.pk).update(is_active=False)
    users = {"nobody": None, "retired": operator}
    user = users[who] if who in users else request.getfixturevalue(who)
    client = browse(ADMIN, user)
    if user:  # The worst case: a session that claims to belong to the admin.
        session = client.session
        session["realm"] = "admin"
        session.save()
    for send in (client.get, client.post):
        response = send(path, secure=True)
        assert response.status_code == 302
        inside_login = response.headers["Location"].startswith("/admin/login/?next=")
        assert inside_login or (path == "/admin/logout/" and response.headers["Location"] == "/admin/")


@pytest.mark.parametrize("path", ["/admin/", "/admin/login/", "/admin/portal/brand/"])
def test_admin_is_not_served_on_a_brand_host(
    path: str, aurora: Brand, operator: User, browse: Browse
) -> None:
    assert browse(AURORA, operator).get(path, secure=True).status_code == 404
    assert browse(AURORA).get(path, secure=True).status_code == 404


def test_customer_and_admin_sessions_are_not_interchangeable(
    alice: User, operator: User, browse: Browse
) -> None:
    customer, person = browse(AURORA, alice), browse(ADMIN, operator)
    assert person.get("/admin/", secure=True).status_code == 200
    crossed = customer.get("/admin/", secure=True, headers={"host": ADMIN})
    assert crossed.headers["Location"].startswith("/admin/login/")
    person.get("/", secure=True, headers={"host": AURORA})
    assert person.get("/admin/", secure=True).status_code == 302


# --- Brands ---


def test_api_key_is_never_shown_and_an_empty_field_keeps_it(admin_client: Client, aurora: Brand) -> None:
    aurora.carrier_key, aurora.recaptcha_secret_key = encrypt(CANARY), encrypt(CANARY_SECRET)
    aurora.save()
    page = admin_client.get(change_url(aurora), secure=True).content.decode()
    for secret in (CANARY, CANARY_SECRET, aurora.carrier_key.stored, "•••"):
        assert secret not in page
    assert "A key is stored. Leave this empty to keep it." in page
    response = admin_client.post(change_url(aurora), brand_data(aurora, name="Aurora"), secure=True)
    assert response.status_code == 302
    saved = Brand.objects.get()
    assert (saved.name, saved.reveal("carrier_key")) == ("Aurora", CANARY)
    assert saved.reveal("recaptcha_secret_key") == CANARY_SECRET
    assert LogEntry.objects.get().get_change_message() == "Changed Name."


def test_entered_secret_is_stored_encrypted_and_nowhere_else(admin_client: Client, aurora: Brand) -> None:
    changes = {"carrier_key": CANARY, "recaptcha_secret_key": CANARY_SECRET}
    wrong = admin_client.post(change_url(aurora), brand_data(aurora, currency="XXX", **changes), secure=True)
    right = admin_client.post(change_url(aurora), brand_data(aurora, **changes), secure=True, follow=True)
    saved = Brand.objects.get()
    assert saved.reveal("carrier_key") == CANARY
    assert saved.reveal("recaptcha_secret_key") == CANARY_SECRET
    logged = "".join(map(str, LogEntry.objects.values_list("change_message", "object_repr")))
    assert "API key" in logged
    for text in (wrong.content.decode(), right.content.decode(), logged, saved.carrier_key.stored):
        assert CANARY not in text
        assert CANARY_SECRET not in text


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("env:SECRET_KEY", "env:PORTAL_SECRET_NAME"),
        ("env:PORTAL_SECRET_UNSET", "PORTAL_SECRET_UNSET isn&#x27;t set"),
        ("two words", "no key has"),
    ],
)
def test_unusable_api_key_is_an_error(typed: str, words: str, admin_client: Client, aurora: Brand) -> None:
    response = admin_client.post(change_url(aurora), brand_data(aurora, carrier_key=typed), secure=True)
    assert words in str(errors(response)["carrier_key"])


def test_environment_reference_is_stored_as_a_reference(
    admin_client: Client, aurora: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTAL_SECRET_AURORA", CANARY)
    data = brand_data(aurora, carrier_key="env:PORTAL_SECRET_AURORA")
    assert admin_client.post(change_url(aurora), data, secure=True).status_code == 302
    saved = Brand.objects.get()
    assert (saved.carrier_key.stored, saved.reveal("carrier_key")) == ("env:PORTAL_SECRET_AURORA", CANARY)


@pytest.mark.parametrize(
    "url", ["https://evil.example/api/integration/v2/", "http://127.0.0.1:8/api/", "https://127.0.0.1:9/api/"]
)
def test_new_carrier_host_requires_the_api_key_again(url: str, admin_client: Client, aurora: Brand) -> None:
    refused = admin_client.post(change_url(aurora), brand_data(aurora, carrier_url=url), secure=True)
    assert "Type the key that belongs there" in str(errors(refused)["carrier_key"])
    assert Brand.objects.get().carrier_url == aurora.carrier_url
    data = brand_data(aurora, carrier_url=url, carrier_key=CANARY)
    assert admin_client.post(change_url(aurora), data, secure=True).status_code == 302
    assert Brand.objects.get().reveal("carrier_key") == CANARY


@pytest.mark.parametrize(
    "url", ["nonsense", "http://[", "https://x:99999/", "http://carrier.example/api/", ""]
)
def test_invalid_api_url_is_an_error_at_its_field(url: str, admin_client: Client, aurora: Brand) -> None:
    data = brand_data(aurora, carrier_url=url, carrier_key=CANARY, **override_data("move_funds", path="x"))
    response = admin_client.post(change_url(aurora), data, secure=True)
    assert set(errors(response)) == {"carrier_url"}
    assert response.context["inline_admin_formsets"][1].formset.errors == [{}]
    assert CANARY not in response.content.decode()


def test_new_path_on_the_same_host_does_not_require_the_key(admin_client: Client, aurora: Brand) -> None:
    data = brand_data(aurora, carrier_url="http://127.0.0.1:9/api/v3/")
    assert admin_client.post(change_url(aurora), data, secure=True).status_code == 302
    assert Brand.objects.get().reveal("carrier_key") == "aurora-api-key"


def test_captcha_secret_can_be_removed(admin_client: Client, aurora: Brand) -> None:
    aurora.recaptcha_secret_key = encrypt(CANARY_SECRET)
    aurora.save()
    both = brand_data(aurora, forget_secret_key="on", recaptcha_secret_key="new")
    assert "forget_secret_key" in errors(admin_client.post(change_url(aurora), both, secure=True))
    admin_client.post(change_url(aurora), brand_data(aurora, forget_secret_key="on"), secure=True)
    assert not Brand.objects.get().recaptcha_secret_key


def test_brand_is_added_with_key_and_host(admin_client: Client, aurora: Brand) -> None:
    data = brand_data(
        aurora, slug="cirrus", name="Cirrus", carrier_key=CANARY, login_hosts="A.example\n\nb.example:8443"
    )
    hosts = {
        "hosts-INITIAL_FORMS": "0",
        "hosts-0-id": "",
        "hosts-0-brand": "",
        "hosts-0-host": "Cirrus.Test.",
    }
    for left_out in ("carrier_key", "hosts-0-host"):
        response = admin_client.post("/admin/portal/brand/add/", {**data, **hosts, left_out: ""}, secure=True)
        assert (
            "This field is required" in response.content.decode() or "at least 1" in response.content.decode()
        )
    assert admin_client.post("/admin/portal/brand/add/", {**data, **hosts}, secure=True).status_code == 302
    cirrus = Brand.objects.get(slug="cirrus")
    assert cirrus.main_host == "cirrus.test"
    assert cirrus.login_hosts == ["a.example", "b.example:8443"]
    assert cirrus.reveal("carrier_key") == CANARY


def test_invalid_login_host_and_taken_host_are_field_errors(
    admin_client: Client, aurora: Brand, borealis: Brand
) -> None:
    data = brand_data(aurora, login_hosts="https://evil.example/")
    assert "isn&#x27;t a host" in str(
        errors(admin_client.post(change_url(aurora), data, secure=True))["login_hosts"]
    )
    for taken in ("Borealis.test", ADMIN, "https://x.example"):
        data = brand_data(aurora, **{"hosts-0-host": taken})
        response = admin_client.post(change_url(aurora), data, secure=True)
        assert response.context["inline_admin_formsets"][0].formset.errors[0]["host"]


@pytest.mark.parametrize(
    ("method", "fields", "at", "words"),
    [
        ("customer_balance", {"parameters": "account_number ="}, "parameters", "must send account_number"),
        ("reset_password", {"parameters": "email =\ngoogle_captcha = c"}, "parameters", "must send email"),
        ("confirm_email", {"parameters": "email = x\ncode = x"}, "parameters", "under one name"),
        ("customer_balance", {"constants": "account_number = 70001"}, "constants", "has this name already"),
        ("customer_balance", {"results": "closing_balance ="}, "results", "can&#x27;t be dropped"),
        ("customer_balance", {"parameters": "account_number"}, "parameters", "Line 1: write name = value"),
        ("customer_balance", {"parameters": "email = a\nemail = b"}, "parameters", "appears twice"),
        ("customer_balance", {"date_format": "%d"}, "date_format", "whole date"),
        ("customer_balance", {"body": "form"}, "body", "no body"),
        ("customer_balance", {"path": "https://evil.example/x"}, "path", "isn&#x27;t on the carrier"),
    ],
)
def test_mapping_that_could_leak_is_refused_at_its_field(
    method: str, fields: dict[str, str], at: str, words: str, admin_client: Client, aurora: Brand
) -> None:
    data = brand_data(aurora, **override_data(method, **fields))
    response = admin_client.post(change_url(aurora), data, secure=True)
    assert response.status_code == 200
    row = response.context["inline_admin_formsets"][1].formset.errors[0]
    assert words in str(row[at])
    assert words in response.content.decode()
    assert not aurora.overrides.exists()


def test_overrides_are_edited_as_lines_of_text(admin_client: Client, aurora: Brand) -> None:
    lines = "account_number =\nfrom_date = start = day\n to_date=end"
    fields = {"path": "a/{account_number}", "parameters": lines, "constants": "mode = x", "results": ""}
    data = brand_data(aurora, **override_data("customer_balance", **fields))
    assert admin_client.post(change_url(aurora), data, secure=True).status_code == 302
    row = aurora.overrides.get()
    assert row.parameters == {"account_number": "", "from_date": "start = day", "to_date": "end"}
    assert row.constants == {"mode": "x"}
    assert row.results == {}
    page = admin_client.get(change_url(aurora), secure=True).content.decode()
    shown = next(area.split("</textarea>")[0] for area in page.split("<textarea") if "start = day" in area)
    # PostgreSQL does not preserve the order of names in a JSON object.
    assert {"account_number =", "from_date = start = day", "to_date = end"} <= set(shown.splitlines())


def test_defaults_are_shown_beside_the_overrides(admin_client: Client, aurora: Brand) -> None:
    aurora.overrides.create(method="move_funds", path="mv")
    page = admin_client.get(change_url(aurora), secure=True).content.decode()
    for method in METHODS.values():
        assert page.count(f"<code>{method.path}</code>") == (2 if method.key == "move_funds" else 1)
    assert "Choose a method." in page


def picture() -> SimpleUploadedFile:
    target = BytesIO()
    Image.new("RGB", (60, 20), "#0b6e4f").save(target, "PNG")
    return SimpleUploadedFile("logo.png", target.getvalue(), "image/png")


def test_logo_is_uploaded_shown_and_removed(admin_client: Client, aurora: Brand) -> None:
    logo = f"/admin/portal/brand/{aurora.pk}/logo/"
    assert admin_client.get(logo, secure=True).status_code == 404
    data = brand_data(aurora)
    assert (
        admin_client.post(change_url(aurora), {**data, "logo_file": picture()}, secure=True).status_code
        == 302
    )
    assert f'<img src="{logo}?v=' in admin_client.get(change_url(aurora), secure=True).content.decode()
    answer = admin_client.get(logo, secure=True)
    assert (answer.headers["Content-Type"], answer.content[:4]) == ("image/png", b"\x89PNG")
    both = {**data, "logo_file": picture(), "remove_logo": "on"}
    assert "remove_logo" in errors(admin_client.post(change_url(aurora), both, secure=True))
    admin_client.post(change_url(aurora), {**data, "remove_logo": "on"}, secure=True)
    saved = Brand.objects.get()
    assert (bytes(saved.logo), saved.logo_type, saved.logo_hash) == (b"", "", "")


@pytest.mark.parametrize("content", [b"<svg onload=alert(1)>", b"x" * 300_000])
def test_file_that_is_not_an_image_is_an_error_at_the_logo(
    content: bytes, admin_client: Client, aurora: Brand
) -> None:
    data = {**brand_data(aurora), "logo_file": SimpleUploadedFile("logo.png", content, "image/png")}
    assert errors(admin_client.post(change_url(aurora), data, secure=True))["logo_file"]


def check(client: Client, *brands: Brand) -> str:
    data = {"action": "check_the_carrier", "_selected_action": [brand.pk for brand in brands]}
    response = client.post("/admin/portal/brand/", data, secure=True, follow=True)
    assert response.status_code == 200
    return " | ".join(f"{message.level_tag} {message}" for message in response.context["messages"])


def test_connection_check_reports_the_carrier_response(
    simulator: Simulator, admin_client: Client, aurora: Brand, borealis: Brand
) -> None:
    words = check(admin_client, aurora)
    assert "success Aurora Phone: the carrier answered with your own balance." in words
    assert "error" not in words
    Brand.objects.filter(pk=borealis.pk).update(carrier_key=encrypt(CANARY))
    words = check(admin_client, aurora, borealis)
    assert "success Aurora Phone" in words
    assert "error Borealis Phone: your own balance could not be read." in words
    assert CANARY not in words


def test_connection_check_accepts_only_a_few_brands_at_once(
    admin_client: Client, make_brand: Callable[..., Brand], simulator: Simulator
) -> None:
    brands = [make_brand(f"b{number}", f"b{number}.test") for number in range(6)]
    assert "Choose at most 5 brands" in check(admin_client, *brands)
    assert simulator.calls() == []


@pytest.mark.django_db
def test_unknown_time_zone_is_a_field_error(admin_client: Client, aurora: Brand) -> None:
    answer = admin_client.post(change_url(aurora), brand_data(aurora, timezone="Sydney"))
    assert errors(answer) == {"timezone": ["Unknown time zone. Write it like Australia/Sydney."]}
    aurora.refresh_from_db()
    assert aurora.timezone == "Australia/Sydney"


def test_brand_with_customers_is_not_deleted(admin_client: Client, aurora: Brand, alice: User) -> None:
    url = f"/admin/portal/brand/{aurora.pk}/delete/"
    for response in (
        admin_client.get(url, secure=True),
        admin_client.post(url, {"post": "yes"}, secure=True, follow=True),
    ):
        assert "<li>customers and staff</li>" in response.content.decode()
    data = {"action": "delete_selected", "_selected_action": [aurora.pk], "post": "yes"}
    assert (
        "<li>customers and staff</li>"
        in admin_client.post("/admin/portal/brand/", data, secure=True).content.decode()
    )
    assert Brand.objects.filter(pk=aurora.pk).exists()


# --- Users ---


def listed(client: Client, query: str) -> set[str]:
    response = client.get(f"/admin/accounts/user/?{query}", secure=True)
    return {person.email for person in response.context["cl"].result_list}


def test_user_filters_list_the_right_users(
    admin_client: Client, alice: User, bob: User, charlie: User, staff: User, make_customer: MakeCustomer
) -> None:
    dora = make_customer(alice.brand, "dora@example.com", last_name="Dyer")
    User.objects.filter(pk=bob.pk).update(refused_account_number="70001")
    assert listed(admin_client, "number=without") == {dora.email}
    assert listed(admin_client, "number=refused") == {bob.email}
    assert listed(admin_client, "kind=customer") == {alice.email, bob.email, charlie.email, dora.email}
    assert listed(admin_client, "kind=staff") == {staff.email}
    assert listed(admin_client, "kind=operator") == {"olga@example.com"}
    assert listed(admin_client, f"brand={charlie.brand_id}") == {charlie.email}
    assert listed(admin_client, "brand=nonsense") == set()
    assert listed(admin_client, "q=80001") == {charlie.email}
    assert listed(admin_client, "q=dyer") == {dora.email}


@pytest.mark.parametrize("path", ["/admin/accounts/user/", "/admin/portal/brand/"])
def test_list_query_count_does_not_grow_with_rows(
    path: str, admin_client: Client, make_brand: Callable[..., Brand], make_customer: MakeCustomer
) -> None:
    def grow(start: int, stop: int) -> int:
        for number in range(start, stop):
            brand = make_brand(f"b{number}", f"b{number}.test", logo=b"x" * 100)
            make_customer(brand, f"c{number}@example.com", str(number))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert admin_client.get(path, secure=True).status_code == 200
        assert not [query for query in queries if '"portal_brand"."logo",' in query["sql"]]
        return len(queries)

    admin_client.get(path, secure=True)
    assert grow(0, 3) == grow(3, 30)


def test_changed_account_number_is_in_the_history(admin_client: Client, alice: User, operator: User) -> None:
    data = customer_data(alice, account_number="70099", phone="123")
    assert admin_client.post(change_url(alice), data, secure=True).status_code == 302
    entry = LogEntry.objects.get()
    assert entry.user == operator
    assert entry.get_change_message() == "Changed Phone and Account number (“70001” → “70099”)."
    page = admin_client.get(f"/admin/accounts/user/{alice.pk}/history/", secure=True).content.decode()
    assert "(“70001” → “70099”)" in page
    assert operator.email in page
    assert operator.username not in page.replace(operator.email, "")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("account_number", "70002", "Another customer of this brand"),
        ("account_number", "7 0", "no spaces"),
        ("email", "BOB@Example.com", "belongs to someone else"),
        ("email", "nonsense", "valid email"),
    ],
)
def test_duplicate_value_is_a_field_error(
    field: str, value: str, words: str, admin_client: Client, alice: User, bob: User
) -> None:
    response = admin_client.post(change_url(alice), customer_data(alice, **{field: value}), secure=True)
    assert words in str(errors(response)[field])
    alice.refresh_from_db()
    assert (alice.email, alice.account_number) == ("alice@example.com", "70001")


def test_duplicate_value_of_a_concurrent_save_is_reported_too(
    admin_client: Client, alice: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(UserForm, "_is_taken", lambda *_args, **_kwargs: False)
    for changes in ({"account_number": "70002"}, {"email": "BOB@example.com"}):
        response = admin_client.post(
            change_url(alice), customer_data(alice, **changes), secure=True, follow=True
        )
        assert "now has this email address or account number" in response.content.decode()


def test_two_brands_may_have_the_same_email_and_account_number(
    admin_client: Client, alice: User, charlie: User
) -> None:
    data = customer_data(charlie, email=alice.email, account_number=alice.account_number)
    assert admin_client.post(change_url(charlie), data, secure=True).status_code == 302


def test_customer_brand_password_and_rights_cannot_be_changed(
    admin_client: Client, alice: User, borealis: Brand
) -> None:
    brand = alice.brand_id
    stolen = {
        "brand": borealis.pk,
        "is_staff": "on",
        "is_superuser": "on",
        "password": "x",
        "brands": borealis.pk,
    }
    data = {**customer_data(alice), **stolen}
    assert admin_client.post(change_url(alice), data, secure=True).status_code == 302
    alice.refresh_from_db()
    assert (alice.brand_id, alice.is_staff, alice.is_superuser) == (brand, False, False)
    assert not alice.has_usable_password()
    assert not alice.brands.exists()
    password = f"/admin/accounts/user/{alice.pk}/password/"
    assert admin_client.get(password, secure=True).status_code == 404
    new = {"password1": "a very new password", "password2": "a very new password", "usable_password": "true"}
    assert admin_client.post(password, new, secure=True).status_code == 404


def test_customer_is_added_to_a_brand(admin_client: Client, alice: User) -> None:
    url = "/admin/accounts/user/add/"
    data = {"brand": alice.brand_id, "email": "Alice@example.com", "account_number": "70001"}
    assert set(errors(admin_client.post(url, data, secure=True))) == {"email", "account_number"}
    assert "brand" in errors(admin_client.post(url, {**data, "brand": ""}, secure=True))
    data |= {"email": "dora@example.com", "account_number": "70003"}
    assert admin_client.post(url, data, secure=True).status_code == 302
    dora = User.objects.get(email="dora@example.com")
    assert (dora.brand_id, dora.is_staff, dora.has_usable_password()) == (alice.brand_id, False, False)
    assert "“70003”" in LogEntry.objects.get().get_change_message()


def test_refused_account_number_can_be_cleared(admin_client: Client, alice: User) -> None:
    page = admin_client.get(change_url(alice), secure=True).content.decode()
    assert "clear_refused_number" not in page
    User.objects.filter(pk=alice.pk).update(refused_account_number="90001")
    assert "90001" in admin_client.get(change_url(alice), secure=True).content.decode()
    admin_client.post(change_url(alice), customer_data(alice), secure=True)
    assert listed(admin_client, "number=refused") == {alice.email}
    admin_client.post(change_url(alice), customer_data(alice, clear_refused_number="on"), secure=True)
    assert listed(admin_client, "number=refused") == set()


def test_email_changed_by_staff_must_be_verified_again(
    admin_client: Client, alice: User, browse: Browse
) -> None:
    browser = browse(AURORA, alice)
    now = timezone.now()
    SignInCode.objects.create(brand=alice.brand, user=alice, created_at=now, expires_at=now)
    admin_client.post(change_url(alice), customer_data(alice, phone="1"), secure=True)
    assert SignInCode.objects.count() == 1
    admin_client.post(change_url(alice), customer_data(alice, email="new@example.com"), secure=True)
    alice.refresh_from_db()
    assert (alice.email, alice.verified_at) == ("new@example.com", None)
    assert not SignInCode.objects.exists()
    assert "_auth_user_id" in browser.session
    browser.get("/statement/", secure=True)
    assert "_auth_user_id" not in browser.session


def staff_data(person: User, **changes: Any) -> dict[str, Any]:
    return {"email": person.email, "first_name": "Sam", "last_name": "", "is_active": "on", **changes}


def test_staff_get_brands_and_a_strong_password(admin_client: Client, staff: User, aurora: Brand) -> None:
    page = admin_client.get(change_url(staff), secure=True).content.decode()
    assert 'name="account_number"' not in page
    assert (
        admin_client.post(change_url(staff), staff_data(staff, brands=[aurora.pk]), secure=True).status_code
        == 302
    )
    assert list(staff.brands.all()) == [aurora]
    taken = staff_data(staff, email="Olga@example.com")
    assert "belongs to someone else" in str(
        errors(admin_client.post(change_url(staff), taken, secure=True))["email"]
    )
    url = f"/admin/accounts/user/{staff.pk}/password/"
    for password, status in (("short", 200), ("password1234", 200), (CANARY + " and more", 302)):
        data = {"password1": password, "password2": password, "usable_password": "true"}
        assert admin_client.post(url, data, secure=True).status_code == status
    staff.refresh_from_db()
    assert staff.check_password(CANARY + " and more")
    assert CANARY not in str(list(LogEntry.objects.values_list("change_message", "object_repr")))


def test_users_cannot_lock_themselves_out_or_delete_former_staff(
    admin_client: Client, operator: User, staff: User
) -> None:
    admin_client.post(change_url(operator), {"email": operator.email, "first_name": "O"}, secure=True)
    operator.refresh_from_db()
    assert (operator.first_name, operator.is_active, operator.is_superuser) == ("O", True, True)
    assert (
        admin_client.post(
            f"/admin/accounts/user/{staff.pk}/delete/", {"post": "yes"}, secure=True
        ).status_code
        == 403
    )
    data = {"action": "delete_selected", "_selected_action": [staff.pk], "post": "yes"}
    admin_client.post("/admin/accounts/user/", data, secure=True)
    assert User.objects.filter(pk=staff.pk).exists()


def test_every_admin_page_has_a_csp_and_no_inline_code(
    admin_client: Client, aurora: Brand, alice: User
) -> None:
    paths = ["/admin/", "/admin/portal/brand/", "/admin/portal/brand/add/", "/admin/accounts/user/"]
    for path in (*paths, change_url(aurora), change_url(alice)):
        response = admin_client.get(path, secure=True)
        page = response.content.decode()
        assert "unsafe" not in response.headers["Content-Security-Policy"]
        assert "<style" not in page
        assert " style=" not in page
        assert "onclick=" not in page


# --- Deleting ---


def delete_pages(client: Client, obj: Brand | User) -> list[str]:
    """Return what the delete page and the list action say about deleting an object; both are confirmed."""
    listed = change_url(obj).removesuffix(f"{obj.pk}/change/")
    action = {"action": "delete_selected", "index": "0", "_selected_action": [obj.pk], "post": "yes"}
    one = f"{listed}{obj.pk}/delete/"
    answers = [client.get(one), client.post(one, {"post": "yes"}), client.post(listed, action)]
    return [words(answer) for answer in answers]


def test_customer_with_transfers_can_be_disabled_but_not_deleted(
    admin_client: Client, alice: User, bob: User, operator: User
) -> None:
    make_transfer(alice, operator, "5")
    for page_text in delete_pages(admin_client, alice):
        assert "A customer can’t be deleted while any of these are about them: transfers" in page_text
        assert "Disable the customer instead" in page_text
        assert "permission" not in page_text
    assert f"/admin/accounts/user/{alice.pk}/disable/" in text_of(
        admin_client.get(f"/admin/accounts/user/{alice.pk}/delete/")
    )
    delete_pages(admin_client, bob)
    assert list(User.objects.filter(brand__isnull=False)) == [alice]


def test_brand_delete_page_summarises_related_rows(
    admin_client: Client, aurora: Brand, borealis: Brand, alice: User, django_assert_max_num_queries: Any
) -> None:
    CarrierCall.objects.create(brand=aurora, at=timezone.now(), method="x", outcome="ok", milliseconds=1)
    with django_assert_max_num_queries(60):
        pages = delete_pages(admin_client, aurora)
    for page_text in pages:
        assert "A brand can’t be deleted while any of these belong to it:" in page_text
        assert "customers and staff" in page_text
        assert "calls to the carrier" in page_text.lower()
        assert "after 30 days" in page_text
        assert "permission" not in page_text
        assert alice.email not in page_text
    delete_pages(admin_client, borealis)
    assert list(Brand.objects.all()) == [aurora]
