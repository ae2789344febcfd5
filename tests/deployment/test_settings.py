"""Settings from the environment: an invalid value stops the start and is named, secrets are not repeated."""

import ast
import os
import re
import runpy
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).resolve().parents[2]
SOURCE = (ROOT / "portal/settings.py").read_text()
READERS = {
    call.args[0].value: call.func.attr
    for call in ast.walk(ast.parse(SOURCE))
    if isinstance(call, ast.Call)
    and isinstance(call.func, ast.Attribute)
    and isinstance(call.func.value, ast.Name)
    and call.func.value.id == "env"
    and isinstance(call.args[0], ast.Constant)
}
PRODUCTION = {
    "SECRET_KEY": "9f8c1e6b7a5d4c3b2a1f0e9d8c7b6a5f4e3d2c1b0a9f8e7d6c5b4a3f2e1d0c9b",
    "ENCRYPTION_KEY": "a passphrase for this test",
    "DATABASE_URL": "sqlite:///:memory:",
    "EMAIL_URL": "smtp+tls://user:pass@mail.example:587",
    "WEB_CONCURRENCY": "1",
}

Settings = dict[str, Any]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Execute settings.py with only this environment; a developer's .env has no effect."""

    def settings(**environment: str) -> Settings:
        for name in READERS:
            monkeypatch.setenv(name, "")
            monkeypatch.delenv(f"{name}_FILE", raising=False)
        for name, value in {**PRODUCTION, **environment}.items():
            monkeypatch.setenv(name, value)
        return runpy.run_path(str(ROOT / "portal/settings.py"))

    return settings


def test_defaults_are_those_of_production(read):
    found = read()
    assert found["DEBUG"] is False
    assert (found["SCHEME"], found["BIND"], found["TRUSTED_PROXIES"]) == ("https", "127.0.0.1:8000", 0)
    assert found["ADMIN_HOSTS"] == ["admin.localhost"]
    assert found["RECAPTCHA_URL"] == "https://www.google.com/recaptcha"
    assert found["EMAIL_TIMEOUT"] == 10
    assert found["SESSION_COOKIE_NAME"] == "__Host-session"
    assert found["CSRF_COOKIE_NAME"] == "__Host-csrf"
    assert found["SESSION_COOKIE_SECURE"]
    assert found["CSRF_COOKIE_SECURE"]
    assert found["SECURE_SSL_REDIRECT"]
    assert found["STORAGES"]["staticfiles"]["BACKEND"].startswith("whitenoise.")
    assert "signed_cookies" not in found.get("SESSION_ENGINE", "")


def test_scheme_http_removes_the_secure_cookie_attributes(read):
    found = read(SCHEME="http")
    assert found["SESSION_COOKIE_NAME"] == "session"
    assert found["CSRF_COOKIE_NAME"] == "csrf"
    assert not found["SESSION_COOKIE_SECURE"]
    assert not found["SECURE_SSL_REDIRECT"]
    assert found["SECURE_HSTS_SECONDS"] == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("DEBUG", value) for value in ("maybe", "true", "1", "yes", "on", "FALSE", "None")),
        *(("SCHEME", value) for value in ("HTTPS", "ftp", "https://")),
        *(("TRUSTED_PROXIES", value) for value in ("-1", "one", "1.0", "1e3", "١", "0x1", "9" * 5000)),
        *(("WEB_CONCURRENCY", value) for value in ("0", "auto", "-2")),
        *(("WEB_THREADS", value) for value in ("0", "many")),
        *(("LOG_FORMAT", value) for value in ("JSON", "xml")),
        *(
            ("RECAPTCHA_URL", value)
            for value in ("www.google.com", "https://", "ftp://a", "http://www.google.com/recaptcha")
        ),
        *(
            ("RECAPTCHA_URL", value)
            for value in (
                "https://a b",
                "https://u:p@h",
                "https://h?q",
                "https://h;x",
                "https://[::1",
                "https://h:99999",
                "https://h/\u00e4",
            )
        ),
        *(
            ("DATABASE_URL", value)
            for value in ("nonsense", "mysql://u:p@h/db", "postgres://", "postgres://u:p@h:x/d")
        ),
        *(
            ("CARRIER_PRIVATE_HOSTS", value)
            for value in (
                "https://a.example",
                "a.example:8443",
                "10.0.0.0/8",
                "*.example",
                "a b",
                "a.example/x",
                "\u00e4.example",
                "1:2:3",
            )
        ),
        *(("REDIS_URL", value) for value in ("nonsense", "http://x", "redis://", "redis://h/x")),
        *(("EMAIL_URL", value) for value in ("nonsense", "foo://", "smtp://h:x", "smtp://")),
    ],
)
def test_invalid_value_stops_the_start_and_is_named(read, name, value):
    with pytest.raises(ImproperlyConfigured, match=f"^{name} "):
        read(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgres://user:can/ary@host/db"),
        ("DATABASE_URL", "postgres://user:p@host:canary/db"),
        ("DATABASE_URL", "postgress://user:canary@host/db"),
        ("EMAIL_URL", "smtp://user:can/ary@host:25"),
        ("EMAIL_URL", "canary://user:pass@host:25"),
    ],
)
def test_error_about_a_url_repeats_no_part_of_it(read, name, value):
    with pytest.raises(ImproperlyConfigured) as caught:
        read(**{name: value})
    assert "can" not in str(caught.value).replace("cannot", "")
    assert caught.value.__suppress_context__


def test_values_are_parsed(read):
    found = read(
        ADMIN_HOSTS=" Admin.Example , b.example,",
        TRUSTED_PROXIES="2",
        RECAPTCHA_URL="https://www.recaptcha.net/recaptcha/",
        DATABASE_URL="postgres://user:pass@db.example:5433/portal",
        REDIS_URL="redis://cache.example:6379/0",
        ENCRYPTION_KEY="the newest passphrase , the one before that",
        LOG_FORMAT="json",
        CARRIER_PRIVATE_HOSTS="Carrier.internal, 10.0.0.5,fd00::5",
    )
    assert found["ADMIN_HOSTS"] == ["admin.example", "b.example"]
    hosts = ("carrier.internal", "10.0.0.5", "fd00:0::5")
    assert [found["CARRIER_REACH"].allows(host, "10.0.0.5") for host in hosts] == [True] * 3
    assert found["TRUSTED_PROXIES"] == 2
    assert found["RECAPTCHA_URL"] == "https://www.recaptcha.net/recaptcha"
    assert found["DATABASES"]["default"]["HOST"] == "db.example"
    assert found["DATABASES"]["default"]["CONN_HEALTH_CHECKS"]
    assert found["CACHES"]["default"]["LOCATION"] == "redis://cache.example:6379/0"
    assert found["CACHES"]["default"]["OPTIONS"] == {"socket_timeout": 1, "socket_connect_timeout": 1}
    assert len(found["ENCRYPTION_KEYS"]) == 2
    assert found["LOGGING"]["handlers"]["stderr"]["formatter"] == "json"
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"], found["EMAIL_USE_TLS"]) == ("mail.example", 587, True)


@pytest.mark.parametrize(
    ("environment", "loopback"), [({}, False), ({"SCHEME": "http"}, True), ({"DEBUG": "True"}, True)]
)
def test_local_carriers_need_scheme_http_or_debug(read, environment, loopback):
    reach = read(**environment)["CARRIER_REACH"]
    assert reach.allows("127.0.0.1", "127.0.0.1") is loopback
    assert not reach.allows("carrier.example", "10.0.0.5")


def test_captcha_url_of_the_simulator_may_be_http(read):
    assert read(RECAPTCHA_URL="http://127.0.0.1:8090/recaptcha")["RECAPTCHA_URL"].startswith("http://")


# Secrets


@pytest.mark.parametrize("name", ["SECRET_KEY", "ENCRYPTION_KEY", "DATABASE_URL", "REDIS_URL", "EMAIL_URL"])
def test_secret_may_come_from_a_file(read, tmp_path, name):
    values = {**PRODUCTION, "REDIS_URL": "redis://cache.example:6379/0"}
    file = tmp_path / "secret"
    file.write_text(f"{values[name]}\n")
    assert READERS[name] in ("secret", "parsed")
    direct, filed = (
        read(REDIS_URL=values["REDIS_URL"]),
        read(**values | {name: "", f"{name}_FILE": str(file)}),
    )
    for setting in ("SECRET_KEY", "ENCRYPTION_KEYS", "DATABASES", "REDIS_URL", "EMAIL_HOST_PASSWORD"):
        assert filed[setting] == direct[setting]


def test_missing_empty_or_binary_secret_file_is_named(read, tmp_path):
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for file, words in (
        ("none", "cannot be read"),
        ("empty", "is empty"),
        ("bytes", "not UTF-8"),
        ("", "cannot be read"),
    ):
        with pytest.raises(ImproperlyConfigured, match=f"SECRET_KEY_FILE: .*{words}"):
            read(SECRET_KEY="", SECRET_KEY_FILE=str(tmp_path / file))


def test_secret_in_two_places_is_refused(read, tmp_path):
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY and SECRET_KEY_FILE are both set"):
        read(SECRET_KEY_FILE=str(tmp_path / "any"))


def test_only_debug_mode_starts_without_a_secret_key(read):
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY is not set"):
        read(SECRET_KEY="")
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY is not set"):
        read(SECRET_KEY="", SCHEME="http")
    assert read(SECRET_KEY="", DEBUG="True")["SECRET_KEY"]


@pytest.mark.parametrize(
    ("environment", "falls_back"),
    [({}, False), ({"DEBUG": "True"}, True), ({"SCHEME": "http"}, True), ({"ENCRYPTION_KEY": " , "}, False)],
)
def test_encryption_key_defaults_to_secret_key_only_in_demos(read, environment, falls_back):
    environment = {"ENCRYPTION_KEY": "", **environment}
    if falls_back:
        assert read(**environment)["ENCRYPTION_KEYS"] == [PRODUCTION["SECRET_KEY"]]
    else:
        with pytest.raises(ImproperlyConfigured, match="ENCRYPTION_KEY is not set"):
            read(**environment)


@pytest.mark.parametrize(
    "bind", ["0.0.0.0:8000", ":8000", "[::]:8000", "192.0.2.1:8000", "portal.example:80", "8000"]
)
def test_scheme_http_is_refused_on_other_than_loopback(read, bind):
    with pytest.raises(ImproperlyConfigured, match="BIND is"):
        read(SCHEME="http", BIND=bind)
    if ":" in bind:
        assert read(BIND=bind)["BIND"] == bind


@pytest.mark.parametrize("bind", ["127.0.0.1:8000", "127.8.9.1:80", "[::1]:8000", "localhost:8000"])
def test_scheme_http_is_allowed_on_loopback(read, bind):
    assert read(SCHEME="http", BIND=bind)["SECURE"] is False


# The example file


def example() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if re.match("[A-Z]", line))


def test_example_file_lists_exactly_the_settings():
    assert sorted(example()) == sorted(READERS)


def test_every_line_of_the_example_file_has_a_comment():
    blocks = (ROOT / ".env.example").read_text().strip().split("\n\n")[1:]
    assert all(block.startswith("# ") for block in blocks)


def test_example_file_values_are_the_defaults(read, tmp_path):
    from_example, defaults = read(**example() | PRODUCTION | {"DATABASE_URL": ""}), read(DATABASE_URL="")
    same = [name for name in defaults if name.isupper() and name not in ("STORAGES", "HUEY")]
    assert {name: from_example[name] for name in same} == {name: defaults[name] for name in same}


def test_only_settings_and_secret_references_read_the_environment():
    allowed = {
        "settings.py",
        "env.py",
        "crypto.py",
        "demo_environment.py",
        "demo.py",
        "wsgi.py",
        "gunicorn.py",
        "manage.py",
        "metrics.py",
    }
    readers = {
        path.name
        for app in ("portal", "accounts", "billing")
        for path in (ROOT / app).rglob("*.py")
        if "simulator" not in path.parts and re.search(r"os\.environ|getenv", path.read_text())
    }
    assert readers <= allowed


# Checks


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    cleared = dict.fromkeys(READERS, "")
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **cleared, **PRODUCTION, **environment},
        capture_output=True,
        text=True,
    )


def test_command_without_its_environment_ends_with_one_line():
    result = manage("check_carrier", "aurora", SECRET_KEY="")
    assert result.returncode == 1
    assert result.stderr.splitlines() == ["SECRET_KEY is not set. Make one with: openssl rand -base64 48"]


def test_production_environment_passes_the_deploy_check():
    result = manage("check", "--deploy", "--fail-level", "WARNING")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"WEB_CONCURRENCY": "2"}, ["portal.E002", "WEB_CONCURRENCY is 2 but REDIS_URL is not set"]),
        ({"ENCRYPTION_KEY": "short"}, ["portal.E001", "ENCRYPTION_KEY"]),
        (
            {"BIND": "nonsense", "ADMIN_HOSTS": "https://admin.example"},
            ["portal.E006", "BIND", "portal.E007", "ADMIN_HOSTS"],
        ),
        ({"DEBUG": "maybe"}, ["DEBUG is 'maybe'"]),
    ],
)
def test_invalid_environment_fails_the_deploy_check_by_name(environment, words):
    result = manage("check", "--deploy", "--fail-level", "WARNING", **environment)
    assert result.returncode == 1
    for word in words:
        assert word in result.stderr


def test_several_workers_with_redis_pass_the_deploy_check(settings):
    from portal.checks import workers_share_limits

    settings.WEB_CONCURRENCY, settings.REDIS_URL = 4, "redis://cache.example:6379/0"
    assert workers_share_limits() == []
    settings.REDIS_URL = ""
    assert [message.id for message in workers_share_limits()] == ["portal.E002"]


def test_sqlite_syncs_every_commit_to_disk(read, tmp_path):
    database = read(DATABASE_URL=f"sqlite:///{tmp_path / 'portal.sqlite3'}")["DATABASES"]["default"]
    with sqlite3.connect(":memory:") as file:
        file.executescript(database["OPTIONS"]["init_command"])
        [level] = file.execute("PRAGMA synchronous").fetchone()
    assert level == 2  # FULL.
