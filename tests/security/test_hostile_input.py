"""What no browser sends: hostile values and broken bodies, to every address and form, found by themselves.

No answer is a 500, none repeats a value as markup, none takes a header from it, and each refusal is a page of
the brand. FUZZ_EXAMPLES makes the random part longer.
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
from tests.portal.test_circuit_breaker import shut
from tests.security.test_staff_scope import LISTS, OTHER, PLAIN, ROUTES, ROWS, bodies, own_path
from tests.security.test_staff_scope import world as world  # A fixture.
from tests.support.fuzz import ALL, BODIES, MARKUP, VALUES, fields_of, forms_in, hostile_forms, text_of
from tests.support.two_brands import World
from tests.support.urls import routes, views

pytestmark = pytest.mark.django_db
# Every address of a brand's host without a key in it.
ADDRESSES = ["/" + route.replace("<code>", "es") for route in routes("portal.urls.brand")]


@pytest.fixture
def visitors(aurora: Any, alice: Any, browse: Any) -> list[Client]:
    """A stranger and a customer; what goes wrong inside is an answer of 500."""
    shut(aurora)  # So that no page waits for a carrier that there is not.
    found = [browse(AURORA), browse(AURORA, alice)]
    for client in found:
        client.raise_request_exception = False
    return found


def unlimited() -> None:
    rate_limits.forget()
    Attempt.objects.all().delete()


def assert_honest(answer: Any, caplog: Any, *, styled: bool = True) -> None:
    """No 500, no markup of ours in it, no header from a value; where it is refused, a page of the brand."""
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
def test_no_value_of_a_form_or_a_query_breaks_a_page(visitors: list[Client], path: str, caplog: Any) -> None:
    caplog.set_level(logging.ERROR)
    for client in visitors:
        names = fields_of(client, path) or ["email", "code", "next"]
        unlimited()
        for form in hostile_forms(names, {}):
            assert_honest(client.post(path, form), caplog)
        for value in VALUES:
            query = quote(value[:2000])
            names_of_query = ("next", "from_date", "to_date", "email", "code", "why", "v")
            found = client.get(f"{path}?" + "&".join(f"{name}={query}" for name in names_of_query))
            assert_honest(found, caplog)
            assert_honest(
                client.get(path, headers={"referer": value[:2000], "accept-language": "*;q=" + value[:99]}),
                caplog,
            )


@pytest.mark.parametrize("path", ADDRESSES)
def test_no_body_however_broken_breaks_a_page(visitors: list[Client], path: str, caplog: Any) -> None:
    caplog.set_level(logging.ERROR)
    for client in visitors:
        unlimited()
        for body, kind in BODIES:
            assert_honest(client.generic("POST", path, body, content_type=kind), caplog)
        for method in ("HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "PATCH", "CANARY"):
            assert_honest(client.generic(method, path), caplog, styled=False)


COOKIES = [f"__Host-{name}" for name in ("session", "csrf", "device", "language")] + ["sessionid", "messages"]
# No session's key, no token, no signature, no language; with a NUL and bytes that are no text.
JUNK = (
    "\x00aaaaaaaaaaaa",
    "a" * 31 + "\x00",
    "a" * 32,
    "A" * 64,
    "\xff\xfe" * 16,
    "es\x00",
    "e" * 300,  # All of them so make the longest header that gunicorn takes.
    "a\x00:b\xc3:c",
    MARKUP,
)


def cookies(value: str, **good: str) -> dict[str, str]:
    """A header with this value in each cookie that is not given; octal escapes stand for its bytes."""
    octal = "".join(f"\\{ord(letter):03o}" for letter in value)
    junk = dict.fromkeys(COOKIES, f'"{octal}"')
    return {"cookie": "; ".join(f"{name}={text}" for name, text in {**junk, **good}.items())}


@pytest.mark.parametrize("value", JUNK)
def test_no_cookie_breaks_a_page(visitors: list[Client], value: str, caplog: Any) -> None:
    caplog.set_level(logging.ERROR)
    stranger, customer = visitors
    key = customer.cookies["__Host-session"].value
    for path in sorted(ADDRESSES, key=lambda path: path.startswith("/sign-")):  # What signs out comes last.
        unlimited()
        for client, header in (
            (stranger, cookies(value)),
            (customer, cookies(value, **{"__Host-session": key})),
        ):
            assert_honest(client.get(path, headers=header), caplog)
            answer = client.post(path, {"email": "a@example.com", "code": "12345678"}, headers=header)
            assert_honest(answer, caplog)


@pytest.mark.parametrize("value", JUNK)
def test_no_cookie_breaks_a_page_of_the_admin(
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
            unlimited()
            assert_honest(client.get(path, headers=header), caplog, styled=False)
            form = {"username": operator.email, "password": "wrong", "code": "123456"}
            assert_honest(client.post(path, form, headers=header), caplog, styled=False)


@pytest.mark.parametrize("value", [junk for junk in JUNK if junk != "a" * 32] + ["a" * 33, ""])
def test_a_session_that_django_cannot_have_made_costs_no_look_into_the_database(
    aurora: Any, browse: Any, value: str
) -> None:
    client = browse(AURORA)
    with CaptureQueriesContext(connection) as queries:
        answer = client.get("/sign-in/", headers=cookies(value))
    assert answer.status_code == 200
    assert not [query for query in queries if "django_session" in query["sql"]]
    assert not value or answer.cookies["__Host-session"].value == ""  # The browser is told to forget it.


QUERY = ("q", "p", "o", "e", "brand", "kind", "outcome", "next", "id__exact", "at__gte", "_to_field")


@pytest.mark.parametrize("path", [each if each.startswith("/") else f"/{each}" for each in PLAIN])
def test_no_value_breaks_a_page_of_the_admin(
    aurora: Any, alice: Any, admin_client: Client, path: str, caplog: Any
) -> None:
    caplog.set_level(logging.ERROR)
    admin_client.raise_request_exception = False
    names = fields_of(admin_client, path)
    # In a list each for itself, too: it ends at the first that it cannot read.
    alone = QUERY if ALL or path.removeprefix("/") in LISTS else ()
    for value in VALUES:
        unlimited()
        query = quote(value[:2000])
        for told in ("&".join(f"{name}={query}" for name in QUERY), *(f"{name}={query}" for name in alone)):
            assert_honest(admin_client.get(f"{path}?{told}"), caplog, styled=False)
    if "logout" not in path and "password" not in path:
        for form in hostile_forms(names or ["next"], {}):
            assert_honest(admin_client.post(path, form), caplog, styled=False)
    for body, kind in BODIES[:: 1 if ALL else 4]:
        assert_honest(admin_client.generic("POST", path, body, content_type=kind), caplog, styled=False)


@pytest.mark.parametrize("path", LISTS)
def test_no_key_breaks_a_page_of_the_admin(aurora: Any, admin_client: Client, path: str, caplog: Any) -> None:
    caplog.set_level(logging.ERROR)
    admin_client.raise_request_exception = False
    for key in ("%00", "9" * 40, "-1", "a%2F..%2F..", quote(MARKUP), "%ED%A0%80", "_5F_"):
        for page in ("", "change/", "delete/", "history/"):
            assert_honest(admin_client.get(f"/{path}{key}/{page}"), caplog, styled=False)


# Fields of an address that has no page of its own, or whose page comes only after another.
UNSEEN = {
    "/admin/billing/move/confirm/": ["operation", "direction", "amount", "description", "shown"],
    "/admin/billing/move/": ["shown", "empties_partner", "note", "happened"],
    "/admin/portal/brand/": ["to", "text", "sure"],
}
# Where an operator must find a form, or hostile values would go nowhere.
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
    """The forms that an address reads: the names of the fields, and what the hidden ones hold."""
    look = re.fullmatch(r"(/admin/portal/brand/\d+/)preview/", path)
    shown = f"{look[1]}change/" if look else path
    more = [name for start, names in UNSEEN.items() if path.startswith(start) for name in names]
    unseen = (["post"], {"happened": "yes"})  # To delete something, or to say what became of a move.
    forms = forms_in(text_of(client.get(shown)), shown) or [unseen]
    return [(sorted({*names, *more}), hidden) for names, hidden in forms]


@contextmanager
def undone() -> Iterator[None]:
    """What happens inside leaves the database as it was, so that the next form finds the same row."""
    point = transaction.savepoint()
    try:
        yield
    finally:
        transaction.savepoint_rollback(point)


@pytest.mark.parametrize("route", ROWS)
def test_no_value_breaks_a_page_about_a_row_of_the_admin(
    world: World, browse: Any, operator: Any, route: str, caplog: Any
) -> None:
    caplog.set_level(logging.ERROR)
    shut(world.aurora)
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
            unlimited()
            with undone():
                answer = client.post(path, form)
                assert_honest(answer, caplog, styled=False)
            if answer.status_code == 405:
                break


def pending(client: Client, brand: Any, **fields: Any) -> str:
    """Make a code wait in this browser, for a sign-in or a new address; what it is."""
    session = client.session
    session.update({"realm": f"brand-{brand.pk}", "browser": "b", "signed_in_at": time.time()})
    row, code = create_code(brand=brand, browser="b", **fields)
    name = "new_email" if fields.get("new_email") else "sign_in"
    session[name] = {"code": row.pk, "email": "new@example.com"}
    session.save()
    return code


@pytest.mark.parametrize("path", ["/sign-in/code/", "/account/email/code/"])
def test_no_code_breaks_a_page_that_waits_for_one(
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
        unlimited()
        pending(client, aurora, user=alice, new_email=new_email)
        answer = client.post(path, {"code": value})
        assert_honest(answer, caplog)
        assert answer.status_code == (400 if len(value) > 300_000 else 200)
    for body, kind in BODIES:
        unlimited()
        pending(client, aurora, user=alice, new_email=new_email)
        answer = client.generic("POST", path, body, content_type=kind)
        assert_honest(answer, caplog)
        assert answer.status_code in (200, 400)
    unlimited()
    code = pending(client, aurora, user=alice, new_email=new_email)
    assert client.post(path, {"code": code}).status_code == 302


# Addresses that take a form without its token on purpose, and why.
_PREVIEW = (
    "what is sent to a preview is not read and changes nothing; in its sandbox it has no cookie to prove"
)
EXEMPT = {
    "preview/<str:token>/<slug:scheme>/<slug:scenario>/": _PREVIEW,
    "preview/<str:token>/<slug:scheme>/<slug:scenario>/<path:rest>": _PREVIEW,
}
SECRET = "c" * 32  # A token as Django's cookie holds it, and as a form may send it back.
EVIL = "https://evil.test"


def rows_now() -> dict[str, list[dict[str, Any]]]:
    """Every row of every table."""
    return {
        model._meta.label: [
            {name: bytes(value) if isinstance(value, memoryview) else value for name, value in row.items()}
            for row in model._default_manager.order_by("pk").values()
        ]
        for model in apps.get_models(include_auto_created=True)
    }


# What is wrong with a form: the token in its cookie, the one in its fields, and its headers.
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
    told = {name: f"https://{host}" if value == "HERE" else value for name, value in headers.items()}
    return client.post(path, {**body, **({"csrfmiddlewaretoken": token} if token else {})}, headers=told)


def is_refused(caplog: Any, answer: Any) -> bool:
    """Whether it was refused for the sake of the form's protection, and not for another reason."""
    told = [record for record in caplog.records if record.name == "django.security.csrf"]
    caplog.clear()
    return answer.status_code == 403 and len(told) == 1


def guard(
    browse: Any, caplog: Any, host: str, person: Any, paths: list[str], body: dict[str, Any]
) -> set[str]:
    """No address takes a form without its protection, or changes anything; which take it with that."""
    caplog.set_level(logging.WARNING)
    client = browse(host, person, enforce_csrf_checks=True, raise_request_exception=False)
    before = rows_now()
    refused = [
        (path, wrong, is_refused(caplog, send(client, path, body, *wrong)))
        for path in paths
        for wrong in UNPROTECTED
    ]
    assert [each for each in refused if not each[2]] == []
    assert rows_now() == before
    return {path for path in paths if takes_forms(browse, caplog, host, person, path, body)}


def takes_forms(browse: Any, caplog: Any, host: str, person: Any, path: str, body: dict[str, Any]) -> bool:
    """Whether an address takes a form that has its protection."""
    unlimited()
    with undone():
        client = browse(host, person, enforce_csrf_checks=True, raise_request_exception=False)
        answer = send(client, path, body, SECRET, SECRET, HERE)
    assert not is_refused(caplog, answer)
    return answer.status_code not in (404, 405)


# What somebody else's page might send in a customer's name.
FORGED = {"email": "new@example.com", "code": "123456", "others": "1", "next": "/", "keep": "1"}


@pytest.mark.parametrize("signed_in", [False, True])
def test_no_address_of_a_brand_takes_a_form_without_its_protection(
    aurora: Any, alice: Any, browse: Any, signed_in: bool, caplog: Any
) -> None:
    taking = guard(browse, caplog, AURORA, alice if signed_in else None, ADDRESSES, FORGED)
    assert {"/sign-in/", "/sign-out/", "/sign-in/again/", "/password-reset/"} <= taking
    assert not signed_in or {"/account/", "/account/email/", "/statement/refresh/"} <= taking


def admin_addresses(world: World) -> Iterator[str]:
    """Every address of the admin's hosts whose form wants protection, with keys of rows that are there."""
    for route in ROUTES:
        if route not in EXEMPT:
            yield from (
                (f"/{path}" for path in OTHER[route]) if route in OTHER else [own_path(route, world.own)]
            )


@pytest.mark.parametrize("signed_in", [False, True])
def test_no_address_of_the_admin_takes_a_form_without_its_protection(
    world: World, operator: Any, browse: Any, signed_in: bool, caplog: Any
) -> None:
    body = {name: value for each in bodies(world) for name, value in each.items()} | {"do": "stop"}
    paths = list(admin_addresses(world))
    taking = guard(browse, caplog, ADMIN, operator if signed_in else None, paths, body)
    keyed = {own_path(route, world.own) for route in FORMS}
    assert {"/admin/login/", *(keyed if signed_in else ())} <= taking


def test_only_previews_take_a_form_without_its_protection() -> None:
    found = {
        route
        for table in ("portal.urls.brand", "portal.urls.admin")
        for route, view in views(table)
        if getattr(view, "csrf_exempt", False)
    }
    assert found == set(EXEMPT)


@pytest.mark.parametrize("rest", ["", "sign-in/", "account/", "statement/refresh/"])
def test_a_form_that_is_sent_to_a_preview_changes_nothing(
    world: World, operator: Any, browse: Any, rest: str
) -> None:
    token = save_preview(brand=world.aurora, look={}, logo=(b"", "", ""), previous_token="", keep=True)
    for person in (None, operator):
        client = browse(ADMIN, person, enforce_csrf_checks=True)
        before = rows_now()
        start = f"/preview/{token}/light/visitor/"
        answer = client.post(f"{start}{rest}", FORGED, headers={"origin": "null"})
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith(f"/preview/{token}/light/")
        assert rows_now() == before
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
def test_nothing_at_random_breaks_a_page(
    visitors: list[Client], caplog: Any, path: str, data: dict[str, str]
) -> None:
    unlimited()
    body = "&".join(
        f"{quote(name, errors='replace')}={quote(value, errors='replace')}" for name, value in data.items()
    )
    for client in visitors:
        assert_honest(client.post(path, body, content_type="application/x-www-form-urlencoded"), caplog)
        assert_honest(client.get(f"{path}?{body}"), caplog)


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
def test_no_parameter_leads_to_another_host(visitors: list[Client], target: str) -> None:
    for client in visitors:
        unlimited()
        for path in ADDRESSES:
            for answer in (
                client.get(f"{path}?next={quote(target)}", headers={"referer": target.replace("\x00", "")}),
                client.post(path, {"next": target}),
            ):
                where = answer.headers.get("Location", "/")
                assert where.startswith("/"), where
                assert not re.match(r"/[/\\\t]", where), where


@pytest.mark.parametrize("path", ADDRESSES)
def test_no_answer_is_kept_for_another_visitor_brand_or_language(visitors: list[Client], path: str) -> None:
    for signed_in, client in enumerate(visitors):
        answer = client.get(path, headers={"accept-language": "es"})
        varies = {part.strip().lower() for part in answer.headers.get("Vary", "").split(",")}
        assert "host" in varies
        kept = answer.headers["Cache-Control"]
        if path not in ("/brand.css", "/brand/logo"):
            assert kept == "no-store" if signed_in else kept in ("no-store", "private, no-cache")
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            assert {"cookie", "accept-language"} <= varies
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
