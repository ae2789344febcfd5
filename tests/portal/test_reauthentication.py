"""Sensitive admin steps need password and code of the last five minutes; form data is kept meanwhile."""

import re
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.customer_import.pending import build_import_report, store_import
from accounts.models import CustomerImport, TotpDevice, User
from billing.models import MovePolicy
from portal.admin import sessions
from portal.models import Brand
from tests.conftest import ADMIN, app_code
from tests.portal.test_admin import brand_data, customer_data, override_data
from tests.portal.test_url_import import PASTED, form_data, show_names
from tests.security.test_hostile_input import rolled_back
from tests.security.test_staff_scope import OTHER, ROUTES, bodies, own_path
from tests.security.test_staff_scope import world as world  # A fixture.
from tests.support.customer_flow import value_of, words
from tests.support.two_brands import World

Browse = Callable[..., Client]
CallResult = tuple[str, dict[str, Any]]
PASSWORD = "correct horse battery"
KEY, SECRET = "canary-key-5f3a9", "canary-secret-77b1c"
BRANDS, PEOPLE = "/admin/portal/brand/", "/admin/accounts/user/"
STALE = 67 * 60  # Seconds since the last authentication.


def set_authentication_age(client: Client, seconds: int) -> None:
    """Set how many seconds ago this user last authenticated."""
    session = client.session
    session[sessions.PROVED] = sessions.now() - seconds
    session.save()


def reauthenticate(client: Client, stopped: Any) -> Any:
    """Reauthenticate where a stopped form redirects; return the page it redirects back to."""
    TotpDevice.objects.update(last_t=-1)
    assert "Nothing has been done yet" in words(client.get(stopped["Location"]))
    done = client.post(stopped["Location"], {"password": PASSWORD, "code": app_code()})
    return client.get(done["Location"])


def rows() -> dict[str, list[Any]]:
    """Return all rows a step could change, so no sessions."""
    return {
        model._meta.label: [str(row) for row in model._default_manager.order_by("pk").values()]
        for model in apps.get_models(include_auto_created=True)
        if model is not Session
    }


def change(obj: Any) -> str:
    return f"/admin/{obj._meta.app_label}/{obj._meta.model_name}/{obj.pk}/change/"


def brand_form(**changes: str) -> Callable[..., CallResult]:
    return lambda aurora, **_: (change(aurora), brand_data(aurora, **changes))


def customer_form(**changes: str) -> Callable[..., CallResult]:
    return lambda alice, **_: (change(alice), customer_data(alice, **changes))


def action(path: str, name: str, key: str = "alice", **more: str) -> Callable[..., CallResult]:
    return lambda **objects: (
        path,
        {"action": name, "index": "0", "_selected_action": [objects[key].pk], **more},
    )


def new_brand(aurora: Brand, **_: Any) -> CallResult:
    rest = {"slug": "cirrus", "hosts-0-host": "cirrus.test", "hosts-INITIAL_FORMS": "0", "hosts-0-id": ""}
    return f"{BRANDS}add/", brand_data(aurora, **rest, carrier_key=KEY, **{"hosts-0-brand": ""})


def pasted_names(aurora: Brand, client: Client, **_: Any) -> CallResult:
    return f"{BRANDS}{aurora.pk}/paste/", form_data(show_names(client, aurora, PASTED, "customer_balance"))


def confirmed_import(aurora: Brand, operator: User, **_: Any) -> CallResult:
    data = b"email,account_number\ndora@example.com,70003\n"
    pending_import = store_import(brand=aurora, by=operator, name="c.csv", data=data)
    report = build_import_report(waiting=pending_import).fingerprint
    return f"{PEOPLE}import/{aurora.pk}/{pending_import.pk}/", {"report": report, "rows": "all"}


LIMITS = {"do": "limits", "per_move": "1", "per_day": "1", "second_person_above": "1"}
RIGHTS = {"email": "sam@example.com", "is_active": "on", "is_superuser": "on"}
NEW_PASSWORD = {"password1": "staple battery horse", "password2": "staple battery horse"}
NEW_HOST = {"carrier_url": "https://collector.example/", "carrier_key": KEY}
STEPS: dict[str, Callable[..., CallResult]] = {
    "carrier": brand_form(**NEW_HOST),
    "captcha": brand_form(recaptcha_site_key="other", recaptcha_secret_key=SECRET),
    "login hosts": brand_form(login_hosts="evil.example"),
    "hosts": brand_form(**{"hosts-0-host": "evil.test"}),
    "methods": brand_form(**override_data("customer_balance", path="elsewhere")),
    "codes": brand_form(
        **{
            "response_codes-TOTAL_FORMS": "1",
            "response_codes-0-code": "1",
            "response_codes-0-meaning": "email_taken",
        }
    ),
    "look": brand_form(name="Another name"),
    "a new brand": new_brand,
    "pasted names": pasted_names,
    "delete a brand": lambda borealis, **_: (f"{BRANDS}{borealis.pk}/delete/", {"post": "yes"}),
    "delete brands": action(BRANDS, "delete_selected", "borealis", post="yes"),
    "a customer's number": customer_form(account_number="70099"),
    "a customer's address": customer_form(email="mallory@example.com"),
    "a new customer": lambda aurora, **_: (f"{PEOPLE}add/", {"brand": aurora.pk, "email": "new@example.com"}),
    "delete a customer": lambda alice, **_: (f"{PEOPLE}{alice.pk}/delete/", {"post": "yes"}),
    "delete customers": action(PEOPLE, "delete_selected", post="yes"),
    "export": lambda **_: (f"{PEOPLE}export/?q=alice", {}),
    "export the ticked": action(PEOPLE, "export_selected"),
    "disable the ticked": action(PEOPLE, "disable_selected", sure="1"),
    "enable the ticked": action(PEOPLE, "enable_selected", "bob"),
    "import": confirmed_import,
    "rights": lambda staff, **_: (change(staff), RIGHTS),
    "a password": lambda staff, **_: (f"{PEOPLE}{staff.pk}/password/", NEW_PASSWORD),
    "an authenticator app": lambda staff, **_: (f"{PEOPLE}{staff.pk}/reset-authenticator/", {}),
    "limits": lambda aurora, **_: (f"/admin/billing/policy/{aurora.pk}/", LIMITS),
}


@pytest.fixture
def objects(
    aurora: Brand,
    borealis: Brand,
    alice: User,
    bob: User,
    operator: User,
    admin_client: Client,
) -> dict[str, Any]:
    """The objects that the steps use."""
    User.objects.filter(pk=bob.pk).update(is_active=False)
    MovePolicy.objects.get_or_create(brand=aurora)
    staff = User.objects.create_user("sam", "sam@example.com", PASSWORD, is_staff=True)
    return {
        "aurora": aurora,
        "borealis": borealis,
        "alice": alice,
        "bob": bob,
        "operator": operator,
        "staff": staff,
        "client": admin_client,
    }


@pytest.mark.parametrize("name", STEPS)
def test_sensitive_step_changes_nothing_without_recent_authentication(
    name: str, objects: dict[str, Any], admin_client: Client
) -> None:
    path, data = STEPS[name](**objects)
    set_authentication_age(admin_client, STALE)
    before = rows()
    stopped = admin_client.post(path, data)
    assert stopped.status_code == 303
    assert stopped["Location"].startswith("/admin/reauthenticate/?next=%2Fadmin%2F")
    assert QueryDict(stopped["Location"].partition("?")[2])["why"] == "sent"
    assert rows() == before
    set_authentication_age(admin_client, 0)
    done = admin_client.post(path, data)
    assert done.status_code in (200, 302, 303), words(done)
    assert not done.headers.get("Location", "").startswith("/admin/reauthenticate/")
    list(done)
    assert rows() != before, words(done)


WRITES = re.compile(r"(INSERT INTO|UPDATE|DELETE FROM) .(?!django_session)")
# Changes that need no recent authentication, and why.
PLAIN = {
    "admin/accounts/user/<int:pk>/disable/": "one customer is kept out: urgent, seen at once, and undone",
    "admin/accounts/user/<int:pk>/enable/": "the same the other way",
    "admin/accounts/user/<int:pk>/sign-out/": "urgent, and the customer signs in again with a code",
    "admin/accounts/user/<int:pk>/lift-limit/": "gives back tries that the customer would get by waiting",
    "admin/security/emails/": "chooses notices; not those about the sign-in or unclear transfers",
    "admin/portal/brand/<int:pk>/check/": "asks the carrier, and keeps whether it answered",
    "admin/portal/brand/<int:pk>/test-mail/": "sends a mail of ours",
    "admin/portal/brand/<int:pk>/preview/": "keeps a draft",
    "admin/portal/brand/preview/": "the same",
    "admin/logout/": "signs out",
    "admin/billing/customer/<int:pk>/": "reads figures",
    "admin/billing/partner/<int:pk>/": "the same",
    "admin/billing/partner/": "the same",
}


def test_no_other_admin_url_changes_anything_without_reauthentication(
    world: World, browse: Browse, operator: User
) -> None:
    found = set()
    for person, route in product((operator, world.sam), ROUTES):
        paths = [f"/{path}" for path in OTHER[route]] if route in OTHER else [own_path(route, world.own)]
        for path, body in product(paths, bodies(world)):
            client = browse(ADMIN, person)
            set_authentication_age(client, STALE)
            with rolled_back(), CaptureQueriesContext(connection) as captured:
                client.post(path, body)
            if any(WRITES.match(query["sql"]) for query in captured):
                found.add(route)
    assert found <= set(PLAIN)
    assert "admin/accounts/user/<int:pk>/disable/" in found


# --- Form data is kept ---


def test_brand_form_is_restored_except_secrets_and_files(aurora: Brand, admin_client: Client) -> None:
    code = {"code": "4103", "meaning": "email_taken"}
    lines = {f"response_codes-0-{name}": value for name, value in code.items()}
    logo = SimpleUploadedFile("canary.png", b"canary-file", "image/png")
    data = brand_data(aurora, name="Another name", recaptcha_secret_key=SECRET, **NEW_HOST, **lines)
    data |= {"response_codes-TOTAL_FORMS": "1", **override_data("customer_balance", path="elsewhere")}
    set_authentication_age(admin_client, STALE)
    assert "you’ll type your password" in words(admin_client.get(change(aurora)))
    pending_import = admin_client.post(change(aurora), {**data})
    for secret in (KEY, SECRET):
        assert secret not in str(dict(admin_client.session))
    page = reauthenticate(admin_client, pending_import)
    assert "Nothing is saved yet." in words(page)
    assert "We didn’t keep the key you typed" in words(page)
    assert "Type the key that belongs there." in words(page)
    assert "you’ll type your password" not in words(page)
    for name, value in {"name": "Another name", "carrier_url": NEW_HOST["carrier_url"], **lines}.items():
        assert f'name="{name}"' in page.content.decode()
        assert value in page.content.decode()
    assert 'value="elsewhere"' in page.content.decode()
    assert KEY not in page.content.decode()
    aurora.refresh_from_db()
    assert aurora.name == "Aurora Phone"
    assert not aurora.overrides.exists()
    assert admin_client.post(change(aurora), data).status_code == 302
    aurora.refresh_from_db()
    assert (aurora.name, aurora.reveal("carrier_key")) == ("Another name", KEY)
    assert "Nothing is saved yet." not in words(admin_client.get(change(aurora)))  # Shown once.
    set_authentication_age(admin_client, STALE)
    with_file = brand_data(aurora) | {"logo_file": logo}
    assert "canary" not in str(admin_client.post(change(aurora), with_file)) + str(dict(admin_client.session))


def test_form_is_validated_before_reauthentication(aurora: Brand, alice: User, admin_client: Client) -> None:
    set_authentication_age(admin_client, STALE)
    refused = admin_client.post(change(alice), customer_data(alice, email="no address"))
    assert "Enter a valid email address." in words(refused)
    assert value_of(refused, "email") == "no address"


def test_customer_form_is_restored(aurora: Brand, alice: User, operator: User, admin_client: Client) -> None:
    typed = {"email": "alicia@example.com", "first_name": "Alicia"}
    set_authentication_age(admin_client, STALE)
    page = reauthenticate(admin_client, admin_client.post(change(alice), customer_data(alice, **typed)))
    assert {name: value_of(page, name) for name in typed} == typed
    assert "didn’t keep" not in words(page)
    alice.refresh_from_db()
    assert alice.first_name == "Alice"


def test_name_or_phone_change_needs_no_reauthentication(alice: User, admin_client: Client) -> None:
    set_authentication_age(admin_client, STALE)
    assert "account number is saved" in words(admin_client.get(change(alice)))
    sent = admin_client.post(change(alice), customer_data(alice, first_name="Alicia", phone="0411 222 333"))
    assert sent["Location"] == PEOPLE
    alice.refresh_from_db()
    assert (alice.first_name, alice.phone) == ("Alicia", "0411 222 333")


def test_imported_names_are_restored(aurora: Brand, admin_client: Client) -> None:
    path, data = pasted_names(aurora, admin_client)
    set_authentication_age(admin_client, STALE)
    page = reauthenticate(admin_client, admin_client.post(path, data))
    assert "Nothing is saved yet." in words(page)
    assert form_data(page).items() <= data.items()
    assert not aurora.overrides.exists()
    assert admin_client.post(path, data)["Location"] == change(aurora)
    assert aurora.overrides.exists()


def test_selected_rows_can_be_submitted_again(alice: User, bob: User, admin_client: Client) -> None:
    set_authentication_age(admin_client, STALE)
    data = {"action": "disable_selected", "index": "0", "_selected_action": [alice.pk, bob.pk]}
    page = reauthenticate(admin_client, admin_client.post(f"{PEOPLE}?is_active__exact=1", data))
    assert "Disable the chosen customers (2 rows)" in words(page)
    hidden_fields = re.findall(r'name="(action|index|_selected_action)" value="(\w+)"', page.content.decode())
    assert ("_selected_action", str(bob.pk)) in hidden_fields
    question = admin_client.post(
        PEOPLE, {**data, "_selected_action": [v for n, v in hidden_fields if n[0] == "_"]}
    )
    assert "Disable 2 customers" in words(question)
    assert "Nothing has been done yet" not in words(admin_client.get(PEOPLE))


def test_export_returns_to_the_filtered_list(alice: User, admin_client: Client) -> None:
    set_authentication_age(admin_client, STALE)
    stopped = admin_client.post(f"{PEOPLE}export/?q=alice")
    assert QueryDict(stopped["Location"].partition("?")[2])["next"] == f"{PEOPLE}?q=alice"


def test_uploaded_file_needs_reauthentication_too(
    aurora: Brand, operator: User, admin_client: Client
) -> None:
    path, data = confirmed_import(aurora, operator)
    set_authentication_age(admin_client, STALE)
    page = reauthenticate(admin_client, admin_client.post(path, data))
    assert value_of(page, "report") == data["report"]
    assert CustomerImport.objects.get().done_at is None


# --- Invalid Referer ---


@pytest.mark.parametrize("referer", ["https://[", "https://[::1", "//[x]/", "https://admin.test:x/"])
def test_invalid_referer_leads_to_the_first_page(referer: str, browse: Browse, operator: User) -> None:
    client = browse(ADMIN, operator)
    set_authentication_age(client, STALE)
    sent = client.post("/admin/security/recovery-codes/", headers={"referer": referer})
    assert sent["Location"] == "/admin/reauthenticate/?next=%2Fadmin%2F&why=sent"
    session = client.session
    session[sessions.SEEN] -= sessions.IDLE + 1
    session.save()
    sent = client.post("/admin/security/recovery-codes/", headers={"referer": referer})
    assert sent["Location"] == "/admin/login/?next=/admin/&why=idle-sent"
