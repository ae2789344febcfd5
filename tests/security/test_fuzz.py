"""Fuzzing with cookies, headers, queries and bodies that no browser sends, in every role.

Covers every URL of both URL tables; no response is a 500 and nothing is logged as an error. Most useful on
PostgreSQL, which refuses data that SQLite stores. FUZZ_EXAMPLES enlarges the random part and each list.
"""

import itertools
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any
from unittest.mock import Mock
from urllib.parse import quote

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, RequestFactory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.admin.site import site
from tests.conftest import ADMIN, AURORA
from tests.portal.test_circuit_breaker import open_breaker
from tests.security.test_hostile_input import ADDRESSES, assert_handled, reset_limits, rolled_back
from tests.security.test_staff_scope import OTHER, ROUTES, own_path
from tests.security.test_staff_scope import world as world  # A fixture.
from tests.support.fuzz import ALL, forms_in, text_of
from tests.support.fuzz_requests import COOKIES, FILES, HEADERS, MANAGEMENT, PATHS, QUERY_VALUES
from tests.support.two_brands import World

pytestmark = pytest.mark.django_db
ROLES = ("visitor", "customer", "staff", "operator", "stranger at the admin")
COOKIE_NAMES = ("__Host-session", "__Host-csrf", "__Host-device", "__Host-language", "session", "messages")
# Query parameters read by pages of a brand and of the admin.
NAMES = (
    "next",
    "from_date",
    "to_date",
    "email",
    "code",
    "v",
    "why",
    "q",
    "p",
    "o",
    "e",
    "all",
    "brand",
    "kind",
)
FORM = "application/x-www-form-urlencoded"
LOOKUPS = ("exact", "regex", "in", "gte", "isnull", "contains", "iregex", "year", "date", "range", "nowhere")
LOOKUP_VALUES = (*QUERY_VALUES, "(", "1", "*", "1%2C%00", "9" * 19)
LIST_NAMES = ("q", "p", "o", "all", "_to_field", "_popup", "_changelist_filters", "_facets")


class Role:
    """A browser of one role, and the URL paths to request with it."""

    def __init__(self, client: Client, paths: list[str], caplog: Any) -> None:
        self.client, self.paths, self.caplog = client, paths, caplog
        self.session = client.cookies.get("__Host-session")

    def request(self, path: str, method: str = "GET", body: Any = b"", kind: str = "", **extra: Any) -> Any:
        """Send a request, undo its changes, check the response and return its content."""
        with rolled_back():
            answer = self.client.generic(
                method, path, body, content_type=kind, headers=extra.pop("headers", None), **extra
            )
            content = text_of(answer)
        self.check(answer, f"{method} {path}")
        return content

    def post(self, path: str, form: dict[str, Any]) -> None:
        """The same for a form with files."""
        with rolled_back():
            answer = self.client.post(path, form)
            text_of(answer)
        self.check(answer, f"POST {path} {form}")

    def check(self, answer: Any, what: str) -> None:
        assert answer.status_code in (503, *range(100, 500)), what[:2000]
        try:
            assert_handled(answer, self.caplog, styled=False)
        except AssertionError as error:
            raise AssertionError(what[:2000]) from error
        if self.session:
            self.client.cookies["__Host-session"] = self.session.value


@pytest.fixture
def roles(
    world: World, alice: Any, operator: Any, browse: Callable[..., Client], caplog: Any
) -> dict[str, Role]:
    """All roles; no page waits for a missing carrier."""
    caplog.set_level(logging.ERROR)
    open_breaker(world.aurora)
    reset_limits()
    admin = [
        path
        for route in ROUTES
        for path in (
            [f"/{each}" for each in OTHER[route]] if route in OTHER else [own_path(route, world.own)]
        )
    ]
    users = {
        "visitor": (AURORA, None, ADDRESSES),
        "customer": (AURORA, alice, ADDRESSES),
        "staff": (ADMIN, world.sam, admin),
        "operator": (ADMIN, operator, admin),
        "stranger at the admin": (ADMIN, None, admin),
    }
    return {
        name: Role(browse(host, person, raise_request_exception=False), paths, caplog)
        for name, (host, person, paths) in users.items()
    }


def in_turns(values: Sequence[Any], number: int) -> Iterator[Sequence[Any]]:
    """Yield the next few values each time, cyclically; with FUZZ_EXAMPLES all of them."""
    cycle = itertools.cycle(values)
    while True:
        yield values if ALL else [next(cycle) for _ in range(number)]


def with_session(role: Role, cookie: str, value: str) -> str:
    """Return a Cookie header with this cookie and the role's valid session."""
    session_cookie = (
        f"; __Host-session={role.session.value}" if role.session and cookie != "__Host-session" else ""
    )
    return f"{cookie}={value}{session_cookie}"


@pytest.mark.parametrize("name", ROLES)
def test_invalid_cookies_cause_no_error(roles: dict[str, Role], name: str) -> None:
    role, values, methods = roles[name], in_turns(COOKIES, 2), itertools.cycle(("GET", "GET", "POST"))
    cookies = itertools.cycle(COOKIE_NAMES)
    for value in COOKIES:
        role.request(role.paths[0], HTTP_COOKIE=f"__Host-session={value}")
        role.request(role.paths[0], HTTP_COOKIE=value)
    for path in role.paths:
        for value in next(values):
            role.request(path, next(methods), HTTP_COOKIE=with_session(role, next(cookies), value))


@pytest.mark.parametrize("name", ROLES)
def test_invalid_headers_cause_no_error(roles: dict[str, Role], name: str) -> None:
    role, some, methods = roles[name], in_turns(HEADERS, 2), itertools.cycle(("GET", "POST", "POST"))
    for header, value in HEADERS:
        role.request(role.paths[0], next(methods), b"a=1", FORM, headers={header: value})
    for path in role.paths:
        for header, value in next(some):
            role.request(path, next(methods), b"a=1", FORM, headers={header: value})


@pytest.mark.parametrize("name", ROLES)
def test_invalid_queries_cause_no_error(roles: dict[str, Role], name: str) -> None:
    role, some = roles[name], in_turns(QUERY_VALUES, 1)
    for path in role.paths:
        for value in next(some):
            role.request(f"{path}?" + "&".join(f"{each}={value}" for each in NAMES))
            role.request(f"{path}?{value}={value}&next={value}", "POST", b"a=1", FORM)


@pytest.mark.parametrize("name", ROLES)
def test_invalid_paths_cause_no_error(roles: dict[str, Role], name: str) -> None:
    role = roles[name]
    starts = ("/admin/", "/admin/accounts/user/") if "/admin/" in role.paths else ("/", "/statement/")
    for start, path in itertools.product(starts, PATHS):
        role.request(f"{start}{path}")
        role.request(f"{start}{path}", "POST") if ALL else None


@pytest.mark.parametrize("model", sorted(site._registry, key=lambda each: each._meta.label), ids=str)
def test_invalid_lookups_cause_no_error_in_admin_lists(roles: dict[str, Role], model: Any) -> None:
    path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    fields = [*(field.name for field in model._meta.get_fields()), "pk", "brand__slug", "user__password"]
    some, lookups = in_turns(LOOKUP_VALUES, 1), in_turns(LOOKUPS, 5)
    for field in fields:
        for lookup, value in ((lookup, value) for lookup in next(lookups) for value in next(some)):
            roles["operator"].request(f"{path}?{field}__{lookup}={value}")
        roles["staff"].request(f"{path}?{field}__{lookup}={value}")
    names = in_turns([*LIST_NAMES, *fields], 2)
    for value in QUERY_VALUES:
        for each in next(names):
            roles["operator"].request(f"{path}?{each}={value}")
            roles["staff"].request(f"{path}?{each}={value}") if ALL else None


@pytest.mark.parametrize("name", ["customer", "staff", "operator"])
def test_invalid_formsets_and_files_cause_no_error(roles: dict[str, Role], name: str) -> None:
    role = roles[name]
    for path in role.paths:
        for names, hidden in forms_in(role.request(path), path):
            full, counts = dict.fromkeys(names, "1"), [each for each in hidden if each.endswith("_FORMS")]
            for value in MANAGEMENT if counts else ():
                role.post(path, {**full, **hidden, **dict.fromkeys(counts, value)})
                role.post(path, {**hidden, counts[0]: value})
            for (file, content), field in itertools.product(FILES, {"logo_file", "file"} & set(names)):
                role.post(path, {**full, **hidden, field: SimpleUploadedFile(file, content)})


BODY_KINDS = (
    FORM,
    "multipart/form-data; boundary=b",
    "multipart/form-data",
    "application/json",
    "text/plain",
    "",
)
CHARSETS = (
    "charset*=utf-8''%00",
    "charset*=none''x",
    "charset=idna",
    "charset=hex",
    "charset=utf-16",
    'charset="x',
)


@pytest.mark.django_db(
    transaction=True
)  # Without the test client, Django closes connections as in production.
def test_any_declared_charset_causes_no_error(aurora: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_PAGES", "")  # Importing it sets this permanently.
    from portal.wsgi import application

    body = b'--b\r\nContent-Disposition: form-data; name="email"\r\n\r\n\xff\x00\r\n--b--\r\n'
    requests = (("GET", "/?next=%ff%00"), ("POST", "/sign-in/?next=%ff"), ("GET", "/healthz"))
    kinds = ("text/plain", FORM, "multipart/form-data; boundary=b")
    for kind, charset, (method, path) in itertools.product(kinds, CHARSETS, requests):
        environ = RequestFactory(headers={"host": AURORA}).generic(method, path, body).environ
        environ["CONTENT_TYPE"], start = f"{kind}; {charset}", Mock()
        with closing(application(environ, start)) as answer:
            b"".join(answer)
        assert start.call_args[0][0][:3] in ("200", "400", "403"), f"{method} {path} {kind}; {charset}"


@settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_random_requests_cause_no_error_for_any_role(roles: dict[str, Role], data: Any) -> None:
    reset_limits()
    role = roles[data.draw(st.sampled_from(ROLES))]
    path = data.draw(st.sampled_from(role.paths))
    names = st.sampled_from(NAMES) | st.text(max_size=20)
    values = st.sampled_from(QUERY_VALUES) | st.text(max_size=60).map(
        lambda text: quote(text, errors="replace")
    )
    pairs = data.draw(st.lists(st.tuples(names, values), max_size=5))
    query = "&".join(f"{quote(name, errors='replace')}={value}" for name, value in pairs)
    body = data.draw(st.binary(max_size=300) | st.just(query.encode()))
    headers = dict(data.draw(st.lists(st.sampled_from(HEADERS), max_size=3)))
    cookie = data.draw(st.sampled_from(COOKIE_NAMES)), data.draw(st.sampled_from(COOKIES))
    extra = {"HTTP_COOKIE": with_session(role, *cookie)} if data.draw(st.booleans()) else {}
    role.request(f"{path}?{query}", headers=headers, **extra)
    kind = data.draw(st.sampled_from(BODY_KINDS))
    method = data.draw(st.sampled_from(("POST", "PUT", "PATCH", "DELETE", "POST")))
    role.request(f"{path}?{query}", method, body, kind, headers=headers, **extra)
