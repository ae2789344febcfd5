"""What no browser sends: hostile values and broken bodies, to every address and form, found by themselves.

No answer is a 500, none repeats a value as markup, none takes a header from it, and each refusal is a page of
the brand. FUZZ_EXAMPLES makes the random part longer.
"""

import logging
import os
import re
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal import breaker, ratelimit
from portal.models import Attempt
from tests.addresses import routes
from tests.conftest import AURORA
from tests.test_staff_scope import LISTS, PLAIN

pytestmark = pytest.mark.django_db
MARKUP = '"><script>canary()</script>'
ALL = bool(os.environ.get("FUZZ_EXAMPLES"))  # Else a part of the values and bodies, for each address.
VALUES = (
    "",
    "\x00",
    "a\x00b@example.com",
    MARKUP,
    "a\r\nX-Canary: 1\r\n\r\nbody",
    "\u202egpj.exe\u0301\u0301\u200b\ufeff",
    "é" * 1_000,
    "a" * 1_000_000,
    "-1",
    "9" * 40,
    "1e999999999",
    "0001-01-01",
    "9999-12-31",
    "2026-02-30",
    "'; DROP TABLE accounts_user; --",
    "{{ 7|add:7 }}%(name)s{0}",
)
VALUES = VALUES if ALL else (MARKUP, *VALUES[1::4])
BODIES = (
    (b"\xff\xfe=\xed\xa0\x80&email=%ED%A0%80%00%FF", "application/x-www-form-urlencoded"),
    (b"email=a@example.com", "application/x-www-form-urlencoded; charset=utf-7"),
    (b"email=a@example.com", "application/x-www-form-urlencoded; charset=no-such-charset"),
    (b"&".join(b"f%d=1" % nth for nth in range(2000)), "application/x-www-form-urlencoded"),
    (b"email=a@example.com&email=b@example.com&email[]=c&email[0]=d", "application/x-www-form-urlencoded"),
    (b'{"email": "a@example.com"}', "application/json"),
    (b"anything", "multipart/form-data"),
    (b"anything", "multipart/form-data; boundary="),
    (b"anything", "multipart/form-data; boundary=\xc3\xa9"),
    (b'--b\r\nContent-Disposition: form-data; name="email"\r\n\r\na@exam', "multipart/form-data; boundary=b"),
    (
        b"--b\r\nContent-Disposition: form-data; name=\r\n\r\na\r\n--b--\r\n",
        "multipart/form-data; boundary=b",
    ),
    (b"--b\r\n" + b"X-Long: " + b"a" * 20_000 + b"\r\n\r\na\r\n--b--\r\n", "multipart/form-data; boundary=b"),
    (
        b"--b\r\nContent-Disposition: form-data; name=f\r\n\r\na\r\n" * 2000 + b"--b--\r\n",
        "multipart/form-data; boundary=b",
    ),
    (b"", ""),
)


BODIES = BODIES if ALL else BODIES[::2]


# Every address of a brand's host without a key in it.
ADDRESSES = ["/" + route.replace("<code>", "es") for route in routes("portal.urls")]


@pytest.fixture
def visitors(aurora: Any, alice: Any, browse: Any) -> list[Client]:
    """A stranger and a customer; what goes wrong inside is an answer of 500."""
    for _ in range(breaker.FAILURES):  # So that no page waits for a carrier that there is not.
        breaker.note(aurora, failed=True)
    found = [browse(AURORA), browse(AURORA, alice)]
    for client in found:
        client.raise_request_exception = False
    return found


def unlimited() -> None:
    ratelimit.forget()
    Attempt.objects.all().delete()


def fields_of(client: Client, path: str) -> list[str]:
    """The names of the fields of all forms on a page."""
    page = client.get(path)
    text = b"".join(page) if page.streaming else page.content
    return sorted(
        set(re.findall(r' name="([^"]+)"', text.decode())) - {"viewport", "color-scheme", "description"}
    )


def assert_honest(answer: Any, caplog: Any, *, styled: bool = True) -> None:
    """No 500, no markup of ours in it, no header from a value; where it is refused, a page of the brand."""
    logged = [record for record in caplog.records if not record.name.startswith("django.security.")]
    faults = [record.getMessage() for record in logged if record.exc_info]
    assert answer.status_code != 500, faults
    assert not faults
    caplog.clear()
    content = b"".join(answer) if answer.streaming else answer.content
    assert MARKUP.encode() not in content
    assert "X-Canary" not in answer.headers
    if styled and answer.status_code in (400, 403, 404, 413):
        assert b'lang="en' in content


@pytest.mark.parametrize("path", ADDRESSES)
def test_no_value_of_a_form_or_a_query_breaks_a_page(visitors: list[Client], path: str, caplog: Any) -> None:
    caplog.set_level(logging.ERROR)
    for client in visitors:
        names = fields_of(client, path) or ["email", "code", "next"]
        unlimited()
        for value in VALUES:
            assert_honest(client.post(path, dict.fromkeys(names, value)), caplog)
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


@pytest.mark.parametrize("path", [each if each.startswith("/") else f"/{each}" for each in PLAIN])
def test_no_value_breaks_a_page_of_the_admin(
    aurora: Any, alice: Any, admin_client: Client, path: str, caplog: Any
) -> None:
    caplog.set_level(logging.ERROR)
    admin_client.raise_request_exception = False
    names = fields_of(admin_client, path)
    for value in VALUES:
        unlimited()
        query = quote(value[:2000])
        for name in (
            "q",
            "p",
            "o",
            "e",
            "brand",
            "kind",
            "outcome",
            "next",
            "id__exact",
            "at__gte",
            "_to_field",
        ):
            assert_honest(admin_client.get(f"{path}?{name}={query}"), caplog, styled=False)
        if "logout" not in path and "password" not in path:
            assert_honest(admin_client.post(path, dict.fromkeys(names, value)), caplog, styled=False)
    for body, kind in BODIES[:: 1 if ALL else 4]:
        assert_honest(admin_client.generic("POST", path, body, content_type=kind), caplog, styled=False)


@pytest.mark.parametrize("path", LISTS)
def test_no_key_breaks_a_page_of_the_admin(aurora: Any, admin_client: Client, path: str, caplog: Any) -> None:
    caplog.set_level(logging.ERROR)
    admin_client.raise_request_exception = False
    for key in ("%00", "9" * 40, "-1", "a%2F..%2F..", quote(MARKUP), "%ED%A0%80", "_5F_"):
        for page in ("", "change/", "delete/", "history/"):
            assert_honest(admin_client.get(f"/{path}{key}/{page}"), caplog, styled=False)


@settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "30")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
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


@pytest.mark.parametrize("path", ADDRESSES)
def test_a_form_without_its_protection_is_refused_wherever_it_is_sent(
    aurora: Any, alice: Any, browse: Any, path: str
) -> None:
    for person in (None, alice):
        client = browse(AURORA, person, enforce_csrf_checks=True)
        assert client.post(
            path, {"email": "a@example.com"}, headers={"origin": "https://evil.test"}
        ).status_code in (302, 403, 404, 405)
        token = client.cookies.get("__Host-csrf")
        assert token is None or client.post(path, {"email": "a@example.com"}).status_code in (
            302,
            403,
            404,
            405,
        )


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
