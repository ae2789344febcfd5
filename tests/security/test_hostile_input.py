"""Hostile values and broken bodies, sent to every URL and form, which are discovered automatically.

No response is a 500, repeats a value as markup, or takes a header from it, and each refusal is a page of the
brand. FUZZ_EXAMPLES enlarges the random part.
"""

import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.sign_in.codes import create_code
from billing.models import Move, MovePolicy
from portal.models import Attempt
from portal.preview.drafts import save_preview
from portal.resilience import rate_limits
from tests.conftest import ADMIN, AURORA
from tests.portal.test_circuit_breaker import open_breaker
from tests.security.test_staff_scope import LISTS, OTHER, PLAIN, ROUTES, ROWS, bodies, own_path
from tests.security.test_staff_scope import world as world  # A fixture.
from tests.support.fuzz import ALL, BODIES, MARKUP, VALUES, fields_of, forms_in, hostile_forms, text_of
from tests.support.two_brands import World
from tests.support.urls import routes, views

pytestmark = pytest.mark.django_db
# Every URL path of a brand's host without a parameter.
ADDRESSES = ["/" + route.replace("<code>", "es") for route in routes("portal.urls.brand")]


@pytest.fixture
def visitors(aurora: Any, alice: Any, browse: Any) -> list[Client]:
    """An anonymous visitor and a customer; exceptions become 500 responses."""
    open_breaker(aurora)  # So that no page waits for a missing carrier.
    found = [browse(AURORA), browse(AURORA, alice)]
    for client in found:
        client.raise_request_exception = False
    return found


def reset_limits() -> None:
    rate_limits.forget()
    Attempt.objects.all().delete()


def assert_handled(answer: Any, caplog: Any, *, styled: bool = True) -> None:
    """Check: no 500, no markup of ours in it, no header from a value; a refusal is a page of the brand."""
    logged = [record for record in caplog.records if not record.name.startswith("django.security.")]
    faults = [record.getMessage() for record in logged if record.exc_info]
    assert answer.status_code != 500, faults
    assert not faults
    caplog.clear()
    content = text_of(answer)
    assert MARKUP not in content
    assert "X-Canary" not in answer.headers
    if styled and answer.status_code in (400, 403, 404, 413):
        assert 'lang="en' in content


@pytest.mark.parametrize("path", ADDRESSES)
def test_hostile_form_and_query_values_cause_no_error(visitors: list[Client], path: str, caplog: Any) -> None:
    caplog.set_level(logging.ERROR)
    for client in visitors:
        names = fields_of(client, path) or ["email", "code", "next"]
        reset_limits()
        for form in hostile_forms(names, {}):
            assert_handled(client.post(path, form), caplog)
        for value in VALUES:
            query = quote(value[:2000])
            names_of_query = ("next", "from_date", "to_date", "email", "code", "why", "v")
            found = client.get(f"{path}?" + "&".join(f"{name}={query}" for name in names_of_query))
            assert_handled(found, caplog)
            assert_handled(
                client.get(path, headers={"referer": value[:2000], "accept-language": "*;q=" + value[:99]}),
                caplog,
            )


@pytest.mark.parametrize("path", ADDRESSES)
def test_broken_bodies_cause_no_error(visitors: list[Client], path: str, caplog: Any) -> None:
    caplog.set_level(logging.ERROR)
    for client in visitors:
        reset_limits()
        for body, kind in BODIES:
            assert_handled(client.generic("POST", path, body, content_type=kind), caplog)
        for method in ("HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "PATCH", "CANARY"):
            assert_handled(client.generic(method, path), caplog, styled=False)


COOKIES = [f"__Host-{name}" for name in ("session", "csrf", "device", "language")] + ["sessionid", "messages"]
# Invalid as session key, token, signature and language; with NUL and bytes that are not text.
JUNK = (
    "\x00aaaaaaaaaaaa",
    "a" * 31 + "\x00",
    "a" * 32,
    "A" * 64,
    "\xff\xfe" * 16,
    "es\x00",
    "e" * 300,  # All of them together make the longest header gunicorn accepts.
    "a\x00:b\xc3:c",
    MARKUP,
)


def cookies(value: str, **valid: str) -> dict[str, str]:
    """Return a Cookie header with this value, octal-escaped, in each cookie that is not given."""
    octal = "".join(f"\\{ord(letter):03o}" for letter in value)
    junk = dict.fromkeys(COOKIES, f'"{octal}"')
    return {"cookie": "; ".join(f"{name}={text}" for name, text in {**junk, **valid}.items())}


@pytest.mark.parametrize("value", JUNK)
def test_hostile_cookies_cause_no_error(visitors: list[Client], value: str, caplog: Any) -> None:
    caplog.set_level(logging.ERROR)
    anonymous, customer = visitors
    key = customer.cookies["__Host-session"].value
    for path in sorted(ADDRESSES, key=lambda path: path.startswith("/sign-")):  # Signing out comes last.
        reset_limits()
        for client, header in (
            (anonymous, cookies(value)),
            (customer, cookies(value, **{"__Host-session": key})),
        ):
            assert_handled(client.get(path, headers=header), caplog)
            answer = client.post(path, {"email": "a@example.com", "code": "12345678"}, headers=header)
            assert_handled(answer, caplog)


@pytest.mark.parametrize("value", JUNK)
def test_hostile_cookies_cause_no_error_in_the_admin(
    world: World, operator: Any, browse: Any, value: str, caplog: Any
) -> None:
    caplog.set_level(logging.ERROR)
    client = browse(ADMIN, operator, raise_request_exception=False)
    key = client.cookies["__Host-session"].value
    for header in (cookies(value), cookies(value, **{"__Host-session": key})):
        for path in (
            "/",
            "/admin/",
            "/admin/login/",
            "/admin/login/code/",
            "/admin/portal/brand/",
            "/nowhere/",
        ):
            reset_limits()
            assert_handled(client.get(path, headers=header), caplog, styled=False)
            form = {"username": operator.email, "password": "wrong", "code": "123456"}
            assert_handled(client.post(path, form, headers=header), caplog, styled=False)


@pytest.mark.parametrize("value", [junk for junk in JUNK if junk != "a" * 32] + ["a" * 33, ""])
def test_impossible_session_key_costs_no_query(aurora: Any, browse: Any, value: str) -> None:
    client = browse(AURORA)
    with CaptureQueriesContext(connection) as queries:
        answer = client.get("/sign-in/", headers=cookies(value))
    assert answer.status_code == 200
    assert not [query for query in queries if "django_session" in query["sql"]]
    assert not value or answer.cookies["__Host-session"].value == ""  # The browser is told to delete it.


QUERY = ("q", "p", "o", "e", "brand", "kind", "outcome", "next", "id__exact", "at__gte", "_to_field")


@pytest.mark.parametrize("path", [each if each.startswith("/") else f"/{each}" for each in PLAIN])
def test_hostile_values_cause_no_error_in_the_admin(
    aurora: Any, alice: Any, admin_client: Client, path: str, caplog: Any
) -> None:
    caplog.set_level(logging.ERROR)
    admin_client.raise_request_exception = False
    names = fields_of(admin_client, path)
    # In a list each alone too: parsing ends at the first invalid one.
    alone = QUERY if ALL or path.removeprefix("/") in LISTS else ()
    for value in VALUES:
        reset_limits()
        query = quote(value[:2000])
        for query_string in (
            "&".join(f"{name}={query}" for name in QUERY),
            *(f"{name}={query}" for name in alone),
        ):
            assert_handled(admin_client.get(f"{path}?{query_string}"), caplog, styled=False)
    if "logout" not in path and "password" not in path:
        for form in hostile_forms(names or ["next"], {}):
            assert_handled(admin_client.post(path, form), caplog, styled=False)
    for body, kind in BODIES[:: 1 if ALL else 4]:
        assert_handled(admin_client.generic("POST", path, body, content_type=kind), caplog, styled=False)


@pytest.mark.parametrize("path", LISTS)
def test_hostile_keys_in_admin_urls_cause_no_error(
    aurora: Any, admin_client: Client, path: str, caplog: Any
) -> None:
    caplog.set_level(logging.ERROR)
    admin_client.raise_request_exception = False
    for key in ("%00", "9" * 40, "-1", "a%2F..%2F..", quote(MARKUP), "%ED%A0%80", "_5F_"):
        for page in ("", "change/", "delete/", "history/"):
            assert_handled(admin_client.get(f"/{path}{key}/{page}"), caplog, styled=False)


# Fields of a URL without a page of its own, or whose page comes only after another.
EXTRA_FIELDS = {
    "/admin/billing/move/confirm/": ["operation", "direction", "amount", "description", "confirmation"],
    "/admin/billing/move/": ["confirmation", "empties_partner", "note", "happened"],
    "/admin/portal/brand/": ["to", "text", "sure"],
}
# Where an operator must find a form; otherwise hostile values would go nowhere.
FORMS = (
    "admin/portal/brand/<path:object_id>/change/",
    "admin/portal/brand/<int:pk>/paste/",
    "admin/accounts/user/<path:object_id>/change/",
    "admin/accounts/user/<int:pk>/disable/",
    "admin/billing/move/start/<int:pk>/",
    "admin/billing/move/<int:pk>/approve/",
    "admin/billing/move/<int:pk>/decline/",
    "admin/billing/policy/<int:pk>/",
)


def forms_of(client: Client, path: str) -> list[tuple[list[str], dict[str, str]]]:
    """Return the forms a URL accepts: field names, and values of hidden fields."""
    preview_of = re.fullmatch(r"(/admin/portal/brand/\d+/)preview/", path)
    form_path = f"{preview_of[1]}change/" if preview_of else path
    more = [name for start, names in EXTRA_FIELDS.items() if path.startswith(start) for name in names]
    default_form = (["post"], {"happened": "yes"})  # To delete something, or to resolve a transfer.
    forms = forms_in(text_of(client.get(form_path)), form_path) or [default_form]
    return [(sorted({*names, *more}), hidden) for names, hidden in forms]


@contextmanager
def rolled_back() -> Iterator[None]:
    """Roll the database back, so that the next form finds the same row."""
    point = transaction.savepoint()
    try:
        yield
    finally:
        transaction.savepoint_rollback(point)


@pytest.mark.parametrize("route", ROWS)
def test_hostile_values_cause_no_error_on_admin_pages_of_a_row(
    world: World, browse: Any, operator: Any, route: str, caplog: Any
) -> None:
    caplog.set_level(logging.ERROR)
    open_breaker(world.aurora)
    if "/move/" in route:
        MovePolicy.objects.update(stopped_at=None, stopped_why="")
    if route.endswith("/resolve/"):
        Move.objects.update(state=Move.State.UNKNOWN)
    path = own_path(route, world.own)
    for person in (operator, world.sam):
        client = browse(ADMIN, person, raise_request_exception=False)
        forms = forms_of(client, path)
        assert (
            person != operator
            or route not in FORMS
            or any("csrfmiddlewaretoken" in hidden for _names, hidden in forms)
        )
        for form in (form for names, hidden in forms for form in hostile_forms(names, hidden)):
            reset_limits()
            with rolled_back():
                answer = client.post(path, form)
                assert_handled(answer, caplog, styled=False)
            if answer.status_code == 405:
                break


def pending_code(client: Client, brand: Any, **fields: Any) -> str:
    """Create a pending code in this browser, for a sign-in or an email change, and return it."""
    session = client.session
    session.update({"realm": f"brand-{brand.pk}", "browser": "b", "signed_in_at": time.time()})
    row, code = create_code(brand=brand, browser="b", **fields)
    name = "new_email" if fields.get("new_email") else "sign_in"
    session[name] = {"code": row.pk, "email": "new@example.com"}
    session.save()
    return code


@pytest.mark.parametrize("path", ["/sign-in/code/", "/account/email/code/"])
def test_hostile_codes_cause_no_error(
    aurora: Any, alice: Any, visitors: list[Client], path: str, caplog: Any
) -> None:
    caplog.set_level(logging.ERROR)
    signed_in = path.startswith("/account/")
    client, new_email = visitors[signed_in], "new@example.com" if signed_in else ""
    values = (
        *VALUES,
        "",
        "000000\x00",
        "\u0661\u0662\u0663\u0664\u0665\u0666",
        "0" * 300,
        "1 2 3 4 5 6",
        "-00001",
    )
    for value in values:
        reset_limits()
        pending_code(client, aurora, user=alice, new_email=new_email)
        answer = client.post(path, {"code": value})
        assert_handled(answer, caplog)
        assert answer.status_code == (400 if len(value) > 300_000 else 200)
    for body, kind in BODIES:
        reset_limits()
        pending_code(client, aurora, user=alice, new_email=new_email)
        answer = client.generic("POST", path, body, content_type=kind)
        assert_handled(answer, caplog)
        assert answer.status_code in (200, 400)
    reset_limits()
    code = pending_code(client, aurora, user=alice, new_email=new_email)
    assert client.post(path, {"code": code}).status_code == 302


# URLs that accept a form without a CSRF token on purpose, and why.
_PREVIEW = (
    "what is sent to a preview is not read and changes nothing; in its sandbox it has no cookie to prove"
)
EXEMPT = {
    "preview/<str:token>/<slug:scheme>/<slug:scenario>/": _PREVIEW,
    "preview/<str:token>/<slug:scheme>/<slug:scenario>/<path:rest>": _PREVIEW,
}
SECRET = "c" * 32  # A token as in Django's cookie, and as a form may send it back.
EVIL = "https://evil.test"


def all_rows() -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table."""
    return {
        model._meta.label: [
            {name: bytes(value) if isinstance(value, memoryview) else value for name, value in row.items()}
            for row in model._default_manager.order_by("pk").values()
        ]
        for model in apps.get_models(include_auto_created=True)
    }


# CSRF faults: (token in the cookie, token in the form, headers).
HERE = {"origin": "HERE"}
UNPROTECTED = (
    ("", "", HERE),
    ("", SECRET, HERE),
    (SECRET, "", HERE),
    (SECRET, "d" * 32, HERE),
    (SECRET, SECRET, {"origin": EVIL}),
    (SECRET, SECRET, {"origin": "null"}),
    (SECRET, SECRET, {"referer": f"{EVIL}/https://HERE/"}),
    (SECRET, SECRET, {}),
)


def send(client: Client, path: str, body: dict[str, Any], cookie: str, token: str, headers: Any) -> Any:
    """Post a form with this token in the cookie and that one in the fields."""
    client.cookies["__Host-csrf"] = cookie
    host = client.defaults["HTTP_HOST"]
    sent_headers = {name: f"https://{host}" if value == "HERE" else value for name, value in headers.items()}
    return client.post(
        path, {**body, **({"csrfmiddlewaretoken": token} if token else {})}, headers=sent_headers
    )


def is_refused(caplog: Any, answer: Any) -> bool:
    """Return True if it was refused by CSRF protection and for no other reason."""
    refusals = [record for record in caplog.records if record.name == "django.security.csrf"]
    caplog.clear()
    return answer.status_code == 403 and len(refusals) == 1


def check_csrf(
    browse: Any, caplog: Any, host: str, person: Any, paths: list[str], body: dict[str, Any]
) -> set[str]:
    """Check that no URL accepts a form without CSRF protection or changes anything.

    Return the URLs that accept the form with valid protection.
    """
    caplog.set_level(logging.WARNING)
    client = browse(host, person, enforce_csrf_checks=True, raise_request_exception=False)
    before = all_rows()
    refused = [
        (path, fault, is_refused(caplog, send(client, path, body, *fault)))
        for path in paths
        for fault in UNPROTECTED
    ]
    assert [each for each in refused if not each[2]] == []
    assert all_rows() == before
    return {path for path in paths if takes_forms(browse, caplog, host, person, path, body)}


def takes_forms(browse: Any, caplog: Any, host: str, person: Any, path: str, body: dict[str, Any]) -> bool:
    """Return True if a URL accepts a form with valid CSRF protection."""
    reset_limits()
    with rolled_back():
        client = browse(host, person, enforce_csrf_checks=True, raise_request_exception=False)
        answer = send(client, path, body, SECRET, SECRET, HERE)
    assert not is_refused(caplog, answer)
    return answer.status_code not in (404, 405)


# Data another site might send on behalf of a customer.
FORGED = {"email": "new@example.com", "code": "123456", "others": "1", "next": "/", "keep": "1"}


@pytest.mark.parametrize("signed_in", [False, True])
def test_every_brand_form_needs_csrf_protection(
    aurora: Any, alice: Any, browse: Any, signed_in: bool, caplog: Any
) -> None:
    taking = check_csrf(browse, caplog, AURORA, alice if signed_in else None, ADDRESSES, FORGED)
    assert {"/sign-in/", "/sign-out/", "/sign-in/again/", "/password-reset/"} <= taking
    assert not signed_in or {"/account/", "/account/email/", "/statement/refresh/"} <= taking


def admin_addresses(world: World) -> Iterator[str]:
    """Return every URL path of the admin whose form needs CSRF protection, with keys of existing rows."""
    for route in ROUTES:
        if route not in EXEMPT:
            yield from (
                (f"/{path}" for path in OTHER[route]) if route in OTHER else [own_path(route, world.own)]
            )


@pytest.mark.parametrize("signed_in", [False, True])
def test_every_admin_form_needs_csrf_protection(
    world: World, operator: Any, browse: Any, signed_in: bool, caplog: Any
) -> None:
    body = {name: value for each in bodies(world) for name, value in each.items()} | {"do": "stop"}
    paths = list(admin_addresses(world))
    taking = check_csrf(browse, caplog, ADMIN, operator if signed_in else None, paths, body)
    keyed = {own_path(route, world.own) for route in FORMS}
    assert {"/admin/login/", *(keyed if signed_in else ())} <= taking


def test_only_previews_are_exempt_from_csrf_protection() -> None:
    found = {
        route
        for table in ("portal.urls.brand", "portal.urls.admin")
        for route, view in views(table)
        if getattr(view, "csrf_exempt", False)
    }
    assert found == set(EXEMPT)


@pytest.mark.parametrize("rest", ["", "sign-in/", "account/", "statement/refresh/"])
def test_form_sent_to_a_preview_changes_nothing(world: World, operator: Any, browse: Any, rest: str) -> None:
    token = save_preview(brand=world.aurora, look={}, logo=(b"", "", ""), previous_token="", keep=True)
    for person in (None, operator):
        client = browse(ADMIN, person, enforce_csrf_checks=True)
        before = all_rows()
        start = f"/preview/{token}/light/visitor/"
        answer = client.post(f"{start}{rest}", FORGED, headers={"origin": "null"})
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith(f"/preview/{token}/light/")
        assert all_rows() == before
        assert not answer.cookies


@settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "30")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    path=st.sampled_from(ADDRESSES),
    data=st.dictionaries(st.text(max_size=30), st.text(max_size=200), max_size=6),
)
def test_random_input_causes_no_error(
    visitors: list[Client], caplog: Any, path: str, data: dict[str, str]
) -> None:
    reset_limits()
    body = "&".join(
        f"{quote(name, errors='replace')}={quote(value, errors='replace')}" for name, value in data.items()
    )
    for client in visitors:
        assert_handled(client.post(path, body, content_type="application/x-www-form-urlencoded"), caplog)
        assert_handled(client.get(f"{path}?{body}"), caplog)


@pytest.mark.parametrize(
    "target",
    [
        "//evil.test",
        "/\\evil.test",
        "https:evil.test",
        "https://evil.test",
        "javascript:alert(1)",
        "/\t/evil.test",
        "\\\\evil.test",
        "/%09/evil.test",
        "http:///evil.test",
        "\x00//evil.test",
    ],
)
def test_no_parameter_redirects_to_another_host(visitors: list[Client], target: str) -> None:
    for client in visitors:
        reset_limits()
        for path in ADDRESSES:
            for answer in (
                client.get(f"{path}?next={quote(target)}", headers={"referer": target.replace("\x00", "")}),
                client.post(path, {"next": target}),
            ):
                where = answer.headers.get("Location", "/")
                assert where.startswith("/"), where
                assert not re.match(r"/[/\\\t]", where), where


@pytest.mark.parametrize("path", ADDRESSES)
def test_responses_are_not_cacheable_across_visitor_brand_or_language(
    visitors: list[Client], path: str
) -> None:
    for signed_in, client in enumerate(visitors):
        answer = client.get(path, headers={"accept-language": "es"})
        varies = {part.strip().lower() for part in answer.headers.get("Vary", "").split(",")}
        assert "host" in varies
        cache_control = answer.headers["Cache-Control"]
        if not path.startswith("/brand"):
            assert (
                cache_control == "no-store"
                if signed_in
                else cache_control in ("no-store", "private, no-cache")
            )
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            assert {"cookie", "accept-language"} <= varies
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
