"""Brand isolation: hosts, sessions, emails, colours, headers and error pages of two brands side by side."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.exceptions import SuspiciousOperation
from django.core.handlers.wsgi import WSGIHandler
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client, RequestFactory
from hypothesis import example, given
from hypothesis import strategies as st

from portal.brands import views
from portal.core import colours
from portal.core.hosts import normal_host
from portal.middleware import health
from portal.models import Brand
from portal.web import error_views
from tests.conftest import ADMIN, AURORA, BOREALIS
from tests.support.live_stack import _collect_static
from tests.support.timeouts import PATIENCE
from tests.support.urls import routes

ROOT = Path(__file__).resolve().parents[2]
CSS = (ROOT / "static/css/portal.css").read_text()
ACCENTS = {"aurora": "#0b6e4f", "borealis": "#7c3aed"}
BRAND_FILE = """
[[brand]]
slug = "{slug}"
name = "{slug}"
hosts = ["{slug}.test"]
currency = "AUD"
timezone = "Australia/Sydney"
language = "en-au"
accent = "{accent}"
support_email = "help@{slug}.example"
from_email = "no-reply@{slug}.example"
carrier.url = "https://au.voipcloud.online/api/integration/v2/"
carrier.key = "a-key"
recaptcha.site_key = "a-site-key"
"""
COLOURS = st.integers(0, 0xFFFFFF).map(lambda value: f"#{value:06x}")


# Every URL path on a brand's host.
PATHS = ["/" + route for route in routes("portal.urls.brand")]


def brands_of(host: str, client: Client | None = None, path: str = "/sign-in/") -> Any:
    return (client or Client(headers={"host": host})).get(path)


# Host to brand


@pytest.mark.parametrize(
    "host",
    [
        "aurora.test",
        "AURORA.test",
        "Aurora.Test.",
        "aurora.test:8000",
        "aurora.test.:443",
        "www.aurora.test",
    ],
)
def test_brand_answers_on_each_of_its_hosts_in_any_notation(aurora, borealis, host):
    aurora.hosts.create(host="www.aurora.test", position=1)
    response = brands_of(host)
    assert response.status_code == 200
    assert b"Aurora Phone" in response.content
    assert b"Borealis" not in response.content


@pytest.mark.parametrize(
    "host",
    [
        "unknown.test",
        "xaurora.test",
        "aurora.test.evil.example",
        "aurora.test..",
        "",
        " ",
        "aurora.test:",
        "aurora.test:x",
        "aurora.test:443:443",
        "aurora.test,borealis.test",
        "aurora.test borealis.test",
        "aurora.test/..",
        "aurora.test\\@borealis.test",
        "user@aurora.test",
        "http://aurora.test",
        "[::1]",
        "127.0.0.1",
        "aurora.test\x00",
        "aurora_.test",
        "a" * 64 + ".test",
        "a." * 130 + "test",
        "aürora.test",
        "%61urora.test",
        "*",
    ],
)
def test_unknown_or_malformed_host_is_400_and_names_no_brand(aurora, borealis, host):
    for path in ("/", "/sign-in/", "/admin/", "/brand.css"):
        response = Client().get(path, HTTP_HOST=host)
        assert response.status_code == 400
        assert response.headers["Cache-Control"] == "no-store"
        assert "Host" in response.headers["Vary"]
        assert b"Aurora" not in response.content
        assert b"Borealis" not in response.content


def test_request_without_a_host_header_is_400(aurora):
    # Django would fall back to the machine's name.
    request = RequestFactory().get("/", SERVER_NAME=AURORA)
    request.META.pop("HTTP_HOST", None)
    assert WSGIHandler().get_response(request).status_code == 400


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The production server with both brands; its port."""
    folder = tmp_path_factory.mktemp("server")
    (folder / "brands.toml").write_text(
        "\n".join(BRAND_FILE.format(slug=slug, accent=accent) for slug, accent in ACCENTS.items())
    )
    environment = {
        "PATH": os.environ["PATH"],
        "SECRET_KEY": "only-for-tests-" * 4,
        "ENCRYPTION_KEY": "a passphrase for tests",
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        "BIND": "127.0.0.1:0",
        "WEB_CONCURRENCY": "1",
        "ADMIN_HOSTS": ADMIN,
    }
    # Set but empty counts as not set, so that a developer's .env has no effect.
    environment |= dict.fromkeys(("SCHEME", "DEBUG", "REDIS_URL", "TRUSTED_PROXIES", "EMAIL_URL"), "")
    base = folder.parent
    _collect_static(environment, base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)
    for command in (("migrate", "-v0"), ("apply_config", str(folder / "brands.toml"))):
        subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    gunicorn = [sys.executable, "-m", "gunicorn", "-c", "portal/gunicorn.py", "portal.wsgi"]
    process = subprocess.Popen(gunicorn, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    yield next(
        int(found[1]) for line in process.stderr if (found := re.search(r"Listening at: .*:(\d+)", line))
    )
    process.terminate()
    process.communicate(timeout=PATIENCE)


def raw(port: int, *lines: str) -> str:
    """Send these lines as a raw request and return the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connected:
        connected.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1"))
        return b"".join(iter(lambda: connected.recv(65536), b"")).decode()


@pytest.mark.parametrize(
    ("lines", "brand"),
    [
        (("GET /brand.css HTTP/1.1", "Host: aurora.test"), "aurora"),
        (("GET /brand.css HTTP/1.1", "Host: BOREALIS.test.:8443"), "borealis"),
        # Whatever host an absolute URL names, only the Host header counts, for everything.
        (("GET http://borealis.test/brand.css HTTP/1.1", "Host: aurora.test"), "aurora"),
        (("GET https://unknown.test/brand.css HTTP/1.1", "Host: borealis.test"), "borealis"),
        (("GET http://aurora.test/brand.css HTTP/1.1", "Host: unknown.test"), ""),
        (("GET http://aurora.test/brand.css HTTP/1.1",), ""),
        (("GET /brand.css HTTP/1.0",), ""),
        (("GET /brand.css HTTP/1.1", "Host: aurora.test", "Host: borealis.test"), ""),
        (("GET /brand.css HTTP/1.1", "Host: unknown.test", "Host: aurora.test"), ""),
        (("GET /brand.css HTTP/1.1", "Host: aurora.test, borealis.test"), ""),
        (
            ("GET /brand.css HTTP/1.1", "Host: aurora.test", "Host_: x", "X-Forwarded-Host: borealis.test"),
            "aurora",
        ),
    ],
)
def test_production_server_chooses_the_brand_by_host_header_only(server, lines, brand):
    answer = raw(server, *lines)
    assert re.match(r"HTTP/1\.[01] " + ("200" if brand else "400"), answer)
    assert [slug for slug, accent in ACCENTS.items() if accent in answer] == ([brand] if brand else [])


@pytest.mark.parametrize("header", ["x-forwarded-host", "forwarded", "x-host", "x-original-host"])
def test_no_other_header_chooses_the_brand(aurora, borealis, browse, header, settings):
    settings.TRUSTED_PROXIES = 1
    for host, value in ((AURORA, BOREALIS), ("unknown.test", AURORA)):
        response = browse(host).get(
            "/", headers={header: value if header != "forwarded" else f"host={value}"}
        )
        assert (b"Aurora Phone" in response.content) is (host == AURORA)
        assert b"Borealis" not in response.content


def test_admin_is_served_on_its_hosts_only(aurora, browse):
    assert browse(AURORA).get("/admin/").status_code == 404
    assert browse(ADMIN).get("/admin/").status_code == 302
    for path in ("/sign-in/", "/statement/", "/brand.css"):
        assert browse(ADMIN).get(path).status_code == 404


@given(st.text(max_size=30))
@example("a.b:1")
@example("1.2.3.4:65535")
def test_normal_host_is_unchanged(text):
    host = normal_host(text)
    assert host == host.lower() == normal_host(host)
    assert not set(host) & set(" :/@\\,\x00\r\n")


# A session belongs to one brand


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("host", [BOREALIS, ADMIN])
def test_session_of_one_brand_is_invalid_elsewhere(alice, charlie, browse, host, path):
    at_home, thief, anonymous = browse(AURORA, alice), browse(host), browse(host)
    thief.cookies = at_home.cookies
    key = at_home.session.session_key
    for send in ("get", "post"):
        stolen_answer, anonymous_answer = getattr(thief, send)(path), getattr(anonymous, send)(path)
        assert stolen_answer.status_code == anonymous_answer.status_code
        assert stolen_answer.headers.get("Location") == anonymous_answer.headers.get("Location")
        for secret in (b"Alice", b"alice@example.com", b"70001", b"Sign out"):
            assert secret not in stolen_answer.content
    assert not Session.objects.filter(pk=key).exists()


@pytest.mark.parametrize("path", PATHS)
def test_operator_session_is_invalid_at_a_brand(aurora, operator, browse, path):
    client = browse(ADMIN, operator)
    assert client.get("/admin/").status_code == 200
    client.defaults["HTTP_HOST"] = AURORA
    assert b"olga" not in client.get(path).content
    client.defaults["HTTP_HOST"] = ADMIN
    assert client.get("/admin/").status_code == 302


def test_isolation_test_covers_every_page():
    assert {"/", "/statement/", "/statement.csv", "/sign-in/code/", "/account/open/", "/brand.css"} <= set(
        PATHS
    )


def test_alternating_requests_to_two_brands_never_mix(aurora, borealis, browse, alice, charlie):
    clients = {"Aurora": browse(AURORA, alice), "Borealis": browse(BOREALIS, charlie)}
    for _ in range(3):
        for name, client in clients.items():
            text = client.get("/password-reset/").content.decode()
            assert f"{name} Phone" in text
            assert ({"Aurora": "Borealis", "Borealis": "Aurora"}[name]) not in text
            assert f'lang="{"en-au" if name == "Aurora" else "en-gb"}"' in text


def test_same_email_at_two_brands_is_two_separate_customers(
    simulator, alice, borealis, make_customer, browse
):
    make_customer(borealis, "alice@example.com", "80002", first_name="Alicia")
    assert b"Hello, Alice" in browse(AURORA, alice).get("/").content
    assert {call["partner"] for call in simulator.calls()} == {"Aurora"}


# Emails


def test_emails_are_from_the_brand_and_link_to_its_first_host(alice, charlie, browse):
    alice.brand.hosts.create(host="second.aurora.test", position=1)
    forged = {"x-forwarded-host": "evil.example", "forwarded": "host=evil.example"}
    for host, user in (
        ("second.aurora.test", alice),
        (BOREALIS, charlie),
        ("second.aurora.test:8000", alice),
    ):
        browse(host).post("/sign-in/", {"email": user.email}, headers=forged)
    senders = [message.from_email for message in mail.outbox]
    assert senders == [user.brand.from_email for user in (alice, charlie, alice)]
    for message, host in zip(mail.outbox, (AURORA, BOREALIS, AURORA), strict=True):
        assert set(re.findall(r"https?://[^/\s]+", message.body)) == {f"https://{host}"}
        assert message.reply_to == [f"help@{host.removesuffix('.test')}.example"]


# Colours


def surfaces(*names: str) -> tuple[list[str], list[str]]:
    """Return the colours of these variables of portal.css, in its light and its dark scheme."""
    light, dark = CSS.split("@media (prefers-color-scheme: dark)", 1)
    dark = dark[: dark.index("\n}\n")]
    return tuple([re.search(rf"--{name}: (#\w+);", part)[1] for name in names] for part in (light, dark))


def variables(accent: str) -> tuple[dict[str, str], dict[str, str]]:
    light, dark = views.brand_css(Brand(accent=accent)).split("@media")
    return tuple(dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{6})", part)) for part in (light, dark))


@given(COLOURS)
@example("#757575")
@example("#777777")
@example("#ffff00")
@example("#000000")
@example("#ffffff")
def test_every_accent_has_enough_contrast_on_every_surface(accent):
    assert colours.contrast(colours.text_on(accent), accent) >= colours.AA
    for found, grounds in zip(variables(accent), surfaces("page", "card"), strict=True):
        assert colours.contrast(found["on-accent"], found["accent"]) >= colours.AA
        for ground in grounds:
            assert colours.contrast(found["accent-text"], ground) >= colours.AA


@given(COLOURS)
def test_focus_outline_is_visible_on_every_surface(accent):
    grounds = surfaces("page", "card", "warn-back", "bad-back", "good-back")
    for found, scheme in zip(variables(accent), grounds, strict=True):
        assert all(colours.contrast(found["accent-text"], ground) >= 3 for ground in scheme)


@given(COLOURS, COLOURS)
def test_readable_text_colour_exists_for_any_background(accent, background):
    assert colours.contrast(colours.readable_on(accent, background), background) >= colours.AA


def test_readable_accent_is_unchanged():
    assert colours.readable_on("#0b6e4f", "#ffffff") == "#0b6e4f"
    assert colours.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert colours.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("pair", [("text", "page"), ("text", "card"), ("quiet", "page"), ("quiet", "card")])
def test_default_colours_are_readable(pair):
    texts, grounds = surfaces(pair[0]), surfaces(pair[1])
    for (text,), (ground,) in zip(texts, grounds, strict=True):
        assert colours.contrast(text, ground) >= colours.AA


@pytest.mark.parametrize("kind", ["warn", "bad", "good"])
def test_notices_are_readable_in_both_schemes(kind):
    for text, ground in surfaces(kind, f"{kind}-back"):
        assert colours.contrast(text, ground) >= colours.AA


def test_brand_style_sheet_is_revalidated_by_etag(aurora, borealis, browse):
    first = browse(AURORA).get("/brand.css")
    assert first.headers["Content-Type"] == "text/css; charset=utf-8"
    assert "--accent:#0b6e4f" in first.content.decode()
    assert "--accent:#7c3aed" in browse(BOREALIS).get("/brand.css").content.decode()
    second = browse(AURORA).get("/brand.css", headers={"if-none-match": f'"x", W/{first.headers["ETag"]}'})
    assert (second.status_code, second.content) == (304, b"")
    assert second.headers["ETag"] == first.headers["ETag"]
    for response in (first, second):
        assert "Host" in response.headers["Vary"]
        assert response.headers["Cache-Control"] == "public, max-age=300"
        assert "Set-Cookie" not in response.headers
    Brand.objects.filter(pk=aurora.pk).update(accent="#112233")
    changed = browse(AURORA).get("/brand.css", headers={"if-none-match": first.headers["ETag"]})
    assert changed.status_code == 200


def test_etag_depends_on_the_whole_style_sheet(aurora, browse, monkeypatch):
    first = browse(AURORA).get("/brand.css")
    monkeypatch.setattr(views, "brand_css", lambda brand: ":root{}")
    later = browse(AURORA).get("/brand.css", headers={"if-none-match": first.headers["ETag"]})
    assert later.status_code == 200


def test_logo_is_cached_for_a_year_under_its_hash(aurora, borealis, browse):
    Brand.objects.filter(pk=aurora.pk).update(logo=b"\x89PNG", logo_type="image/png", logo_hash="abc")
    for query, cache_control in (("?v=abc", "public, max-age=31536000, immutable"), ("?v=old", "no-cache")):
        response = browse(AURORA).get(f"/brand/logo{query}")
        assert response.content == b"\x89PNG"
        assert response.headers["Content-Type"] == "image/png"
        assert response.headers["Cache-Control"] == cache_control
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert b'src="/brand/logo?v=abc" alt="Aurora Phone"' in browse(AURORA).get("/").content
    assert browse(BOREALIS).get("/brand/logo?v=abc").status_code == 404


# Health


@pytest.mark.parametrize("host", [AURORA, "unknown.test", "10.0.0.7:8000", "", "[::1]"])
def test_health_check_answers_on_any_host_without_redirect(db, host, settings, django_assert_max_num_queries):
    settings.TRUSTED_PROXIES = 1
    forwarded = {"x-forwarded-proto": "http"}
    with django_assert_max_num_queries(0):
        response = Client().get("/healthz", HTTP_HOST=host, headers=forwarded)
    assert (response.status_code, response.content) == (200, b"ok\n")
    response = Client().get("/readyz", HTTP_HOST=host, headers=forwarded)
    assert (response.status_code, response.content.split(b",")[0]) == (200, b"ready")
    assert response.headers["Cache-Control"] == "no-store"


def test_readyz_fails_until_migrations_are_applied(db, monkeypatch):
    monkeypatch.setattr(health, "_migrated_until", 0.0)
    MigrationRecorder.Migration.objects.filter(app="accounts").delete()
    response = Client().get("/readyz")
    assert (response.status_code, response.content) == (503, b"migrations are pending\n")


def test_readyz_succeeds_while_the_database_is_ahead(db, monkeypatch):
    monkeypatch.setattr(health, "_migrated_until", 0.0)
    MigrationRecorder.Migration.objects.create(app="accounts", name="0099_of_a_newer_version")
    assert Client().get("/readyz").status_code == 200


def test_readyz_checks_migrations_once_a_minute(db, django_assert_num_queries):
    Client().get("/readyz")
    with django_assert_num_queries(2):  # The database answers; when a job last ran.
        assert Client().get("/readyz").status_code == 200
    assert Client().get("/healthz").status_code == 200


def test_readyz_fails_without_a_database(db, monkeypatch):
    def unavailable(*_: Any, **__: Any) -> None:
        raise OperationalError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", unavailable)
        patch.setattr(connection, "ensure_connection", unavailable)
        response = Client().get("/readyz")
    assert (response.status_code, response.content) == (503, b"database unreachable\n")


# Scheme and cookies


def test_every_cookie_is_bound_to_host_and_https_with_scheme_https(alice, browse):
    client = browse(AURORA)
    client.get("/sign-in/")
    client.post("/sign-in/", {"email": alice.email})
    assert set(client.cookies) == {"__Host-session", "__Host-csrf"}
    for cookie in client.cookies.values():
        assert cookie["secure"]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"
        assert cookie["path"] == "/"
        assert cookie["domain"] == ""


@pytest.mark.parametrize(
    ("proxies", "forwarded", "moved"),
    [
        (0, "http", False),
        (1, "http", True),
        (1, "HTTP ", True),
        (1, "https", False),
        (1, None, False),
        (2, "http", True),
    ],
)
def test_only_a_trusted_proxy_can_report_plain_http(aurora, browse, settings, proxies, forwarded, moved):
    settings.TRUSTED_PROXIES = proxies
    headers = {"x-forwarded-proto": forwarded} if forwarded else {}
    response = browse(AURORA).get("/sign-in/?a=b", headers=headers)
    assert response.status_code == (301 if moved else 200)
    if moved:
        assert response.headers["Location"] == f"https://{AURORA}/sign-in/?a=b"


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example", "/%0d%0aX: y"])
def test_redirect_to_https_stays_on_its_host(aurora, browse, settings, path):
    settings.TRUSTED_PROXIES = 1
    response = browse(AURORA).get("/", PATH_INFO=path, headers={"x-forwarded-proto": "http"})
    assert response.headers["Location"].startswith(f"https://{AURORA}/")


def test_nothing_is_redirected_with_scheme_http(aurora, browse, settings):
    settings.SECURE, settings.SCHEME, settings.SECURE_SSL_REDIRECT = False, "http", False
    settings.TRUSTED_PROXIES = 1
    response = browse(AURORA).get("/sign-in/", headers={"x-forwarded-proto": "http"})
    assert response.status_code == 200
    assert not response.wsgi_request.is_secure()


def test_every_request_counts_as_https_with_scheme_https(aurora, browse):
    assert browse(AURORA).get("/").wsgi_request.is_secure()


# Headers


def test_every_response_has_the_security_headers(alice, browse, settings):
    settings.WHITENOISE_USE_FINDERS = True
    client = browse(AURORA, alice)
    client.raise_request_exception = False
    answers = {
        "page": client.get("/password-reset/"),
        "css": client.get("/brand.css"),
        "static": client.get("/static/css/portal.css"),
        "404": client.get("/nowhere/"),
        "405": client.post("/statement/"),
        "400": Client(headers={"host": "unknown.test"}).get("/"),
        "admin": Client(headers={"host": ADMIN}).get("/admin/login/"),
        "redirect": browse(AURORA).get("/statement/"),
        "health": Client().get("/healthz"),
    }
    answers["csrf"] = browse(AURORA, alice, enforce_csrf_checks=True).post("/sign-out/")
    assert [answers[name].status_code for name in ("404", "405", "400", "csrf")] == [404, 405, 400, 403]
    assert b"".join(answers["static"]).startswith(b"/* One small sheet")
    answers["static"].close()
    for name, response in answers.items():
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy, name
        assert "frame-ancestors 'none'" in policy, name
        assert "unsafe" not in policy, name
        assert response.headers["X-Content-Type-Options"] == "nosniff", name
        if name != "health":
            assert response.headers["Strict-Transport-Security"] == "max-age=31536000", name
            assert response.headers["Referrer-Policy"] == "same-origin", name
            assert "base-uri 'none'" in policy, name
            assert "object-src 'none'" in policy, name
        if name in ("page", "404", "405", "csrf", "admin"):
            assert response.headers["X-Frame-Options"] == "DENY", name


@pytest.mark.parametrize("path", PATHS)
def test_private_pages_are_not_cacheable_and_vary_by_host(simulator, alice, browse, path):
    response = browse(AURORA, alice).get(path)
    assert "Host" in response.headers["Vary"]
    if not path.startswith("/brand"):
        assert response.headers["Cache-Control"] == "no-store"
    assert "public" not in browse(AURORA).get("/sign-in/").headers["Cache-Control"]


# Error pages


def _failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("billing.views.balance.periods.today", fail)


def test_404_page_shows_the_brand(aurora, browse):
    response = browse(AURORA).get("/nowhere/")
    assert response.status_code == 404
    assert b"Page not found" in response.content
    assert b"help@aurora.example" in response.content
    assert response.headers["Cache-Control"] == "no-store"


def test_csrf_failure_page_shows_the_brand(aurora, browse):
    response = browse(AURORA, enforce_csrf_checks=True).post("/sign-in/", {"email": "a@example.com"})
    assert response.status_code == 403
    assert b"This form has expired" in response.content
    assert b"Aurora Phone" in response.content


def test_400_page_shows_the_brand(alice, browse, monkeypatch):
    _failing(monkeypatch, SuspiciousOperation("canary"))
    response = browse(AURORA, alice).get("/")
    assert response.status_code == 400
    assert b"That didn&#x27;t work" in response.content
    assert b"Aurora Phone" in response.content
    assert b"canary" not in response.content


def test_500_page_shows_the_brand_and_no_details(alice, browse, monkeypatch):
    _failing(monkeypatch, RuntimeError("canary"))
    client = browse(AURORA, alice)
    client.raise_request_exception = False
    response = client.get("/")
    assert response.status_code == 500
    assert b"Something went wrong on our side" in response.content
    assert b"Aurora Phone" in response.content
    assert b"help@aurora.example" in response.content
    assert b"canary" not in response.content
    assert b"MISSING-VARIABLE" not in response.content
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize("when", ["before the brand is known", "after"])
def test_error_page_is_shown_without_a_database(alice, browse, monkeypatch, when):
    client = browse(AURORA, alice)
    client.raise_request_exception = False
    execute = connection.cursor
    left = 0 if when.startswith("before") else 1

    def broken(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise OperationalError("canary")
        return execute(*args, **kwargs)

    monkeypatch.setattr(connection, "cursor", broken)
    response = client.get("/statement/")
    monkeypatch.undo()
    early = when.startswith("before")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "60"
    assert "We&#x27;ll be back soon" in response.content.decode()
    assert response.headers["X-Request-ID"] in response.content.decode()
    assert response.headers["Cache-Control"] == "no-store"
    assert (b"Aurora Phone" in response.content) is not early
    assert b"MISSING-VARIABLE" not in response.content
    assert b"canary" not in response.content
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


def test_error_page_without_a_database_links_to_no_other_host(aurora, browse, monkeypatch):
    def unavailable(host: str) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr("portal.middleware.brand.get_brand_for_host", unavailable)
    page = browse(AURORA).get("/", PATH_INFO="//evil.test/sign-in/").content.decode()
    assert "Reload the page" in page
    assert 'href="//' not in page


def test_500_page_is_shown_even_with_a_broken_template(aurora, monkeypatch, caplog):
    monkeypatch.setattr(error_views, "render_to_string", lambda *_: 1 / 0)
    response = error_views.server_error(RequestFactory().get("/"))
    assert response.status_code == 500
    assert b"Something went wrong on our side" in response.content
    assert "error page failed" in caplog.text


def test_errors_on_the_admin_host_name_no_brand(aurora, operator, browse):
    response = browse(ADMIN, operator).get("/nowhere/")
    assert response.status_code == 404
    assert b"Check the web address, or go to the home page." in response.content
    assert b"Aurora" not in response.content
    assert b"MISSING-VARIABLE" not in response.content


def test_unknown_path_is_a_404_and_no_redirect(aurora, browse):
    for path in ("//evil.example", "//evil.example/%2e%2e"):
        response = browse(AURORA).get("/", PATH_INFO=path)
        assert not response.headers.get("Location", "").startswith("//")
