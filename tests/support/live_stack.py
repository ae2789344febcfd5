"""The real system as processes: the carrier simulator, and the portal under gunicorn with its brands."""

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from tests.conftest import APP_KEY, ROOT, Simulator, app_code, start_simulator, stop_simulator
from tests.support.ports import free_port

READY_WITHIN = 120  # Seconds, on a busy machine.
OPERATOR, PASSWORD = "olga@example.com", "correct horse battery"
# The operator has an authenticator app with the key the tests know.
FILL = f"""
from django.core.management import call_command
from accounts.models import TotpDevice, User
from portal.security.crypto import encrypt
operator = User.objects.create_superuser("olga", "{OPERATOR}", "{PASSWORD}")
TotpDevice.objects.create(user=operator, name="app", key=encrypt("{APP_KEY}"))
call_command("apply_config", {{brands!r}})
"""


# Meanings of the carrier's own codes.
CODES = {4101: "captcha_failed", 4103: "email_taken", 4105: "code_wrong", 4106: "already_confirmed"}


@dataclass(frozen=True)
class BrandSpec:
    """One brand of the configuration, and how its customers see amounts."""

    slug: str
    currency: str
    symbol: str
    timezone: str
    language: str
    accent: str
    kind: str = "v2-checkbox"
    secret_key: str = ""
    signup_open: bool = True
    carrier: str = ""  # The carrier URL, if not the simulator.
    more: str = ""  # TOML tables; CARRIER stands for the carrier's URL.

    @property
    def name(self) -> str:
        """The name customers read."""
        return f"{self.slug.capitalize()} Phone"


AURORA = BrandSpec(
    *("aurora", "AUD", "$", "Australia/Sydney", "en-au", "#0b6e4f"),
    more="[brand.codes]\n" + "\n".join(f'"{code}" = "{meaning}"' for code, meaning in CODES.items()),
)
BOREALIS = BrandSpec(
    "borealis", "GBP", "£", "Europe/London", "en-gb", "#7c3aed", secret_key="borealis-secret-key"
)
# The two other kinds of captcha need their own brands, because the kind belongs to the site key.
CYGNUS = BrandSpec("cygnus", "NZD", "$", "Pacific/Auckland", "en-nz", "#b45309", kind="v2-invisible")
DRACO = BrandSpec("draco", "USD", "$", "America/New_York", "en-us", "#0369a1", kind="v3")
# Other options of a brand: sign-up is closed, and the carrier also requires the customer's password.
ERIDANUS = BrandSpec(
    *("eridanus", "AUD", "$", "Australia/Sydney", "en-au", "#be123c"),
    signup_open=False,
    more='[brand.methods.login_via_url]\nparameters = { email = "email", password = "password" }',
)
# Nothing listens at its carrier's port.
FORNAX = BrandSpec(
    *("fornax", "AUD", "$", "Australia/Sydney", "en-au", "#4d7c0f"),
    carrier="http://127.0.0.1:9/api/integration/v2/",
)
BRANDS = (AURORA, BOREALIS, CYGNUS, DRACO, ERIDANUS, FORNAX)


@dataclass
class Stack:
    """A running portal and its carrier."""

    carrier: Simulator
    port: int
    log: Path
    brands: Sequence[BrandSpec]
    dialect: Mapping[str, Any] = field(default_factory=dict)
    database: str = ""
    begun: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)

    def home(self, brand: BrandSpec) -> str:
        """Return the URL of the brand's first page."""
        return f"http://{brand.slug}.localhost:{self.port}/"

    def fresh(self) -> None:
        """Reset the carrier, point its emails to this portal, and delete cached figures."""
        self.carrier.post("reset", seed="default")
        self.sql("DELETE FROM billing_keptstatement")
        # The portal remembers account numbers of earlier tests; a real carrier never reuses one.
        self.begun += 1
        last = {"account_number": str(90_000 + 100 * self.begun), "email": "last@example.com"}
        self.carrier.post(
            "seed",
            partners=[self._partner(brand) for brand in self.brands],
            customers=[{"partner": f"{self.brands[0].slug}-api-key", **last}],
        )

    def _partner(self, brand: BrandSpec) -> dict[str, str]:
        return {
            "key": f"{brand.slug}-api-key",
            "name": brand.slug.capitalize(),
            "site_key": f"{brand.slug}-site-key",
            "secret_key": f"{brand.slug}-secret-key",
            "currency": brand.currency,
            "captcha_kind": brand.kind,
            "confirm_url": f"{self.home(brand)}sign-up/confirm/?email={{email}}&code={{code}}",
        }

    def sql(self, statement: str) -> None:
        """Execute SQL in the portal's database, for what no visitor can cause."""
        if self.database.startswith("postgres"):
            with psycopg.connect(self.database, autocommit=True) as connection:
                connection.execute(statement)
            return
        with contextlib.closing(
            sqlite3.connect(self.database.removeprefix("sqlite:///"), timeout=10)
        ) as file:
            file.execute(statement)
            file.commit()

    def run(self, code: str) -> None:
        """Run Python in the portal's environment, for what is signed or encrypted."""
        _manage(self.environment, "shell", "-v", "0", "-c", code)

    def app_code(self) -> str:
        """Return the code of the operator's app; it is accepted even if used before."""
        self.sql("UPDATE accounts_totpdevice SET last_t = -1")
        return app_code()

    def name_of(self, method: str, parameter: str) -> str:
        """Return the carrier's name of a parameter."""
        return str(
            self.dialect.get("methods", {}).get(method, {}).get("parameters", {}).get(parameter, parameter)
        )

    def tokens(self, method: str) -> list[Any]:
        """Return the captcha tokens that reached a carrier method, in order."""
        name = self.name_of(method, "google_captcha")
        return [call["fields"].get(name) for call in self.carrier.calls(method)]


@contextlib.contextmanager
def running(
    tmp: Path,
    shared: Path,
    brands: Sequence[BrandSpec] = BRANDS,
    customers: Mapping[str, str] | None = None,
    dialect: Mapping[str, Any] | None = None,
) -> Iterator[Stack]:
    """Start both processes; `customers` maps a slug to the CSV text to import."""
    options = ()
    if dialect:
        (tmp / "dialect.json").write_text(json.dumps(dialect))
        options = ("--dialect", str(tmp / "dialect.json"))
    process, carrier = start_simulator(*options)
    try:
        with _database(tmp, shared) as database:
            port = free_port()
            stack = Stack(carrier, port, tmp / "portal.log", brands, dialect or {}, database)
            environment = stack.environment = _environment(stack, database)
            _collect_static(environment, shared)
            (tmp / "brands.toml").write_text("\n".join(_toml(brand, stack) for brand in brands))
            files = {slug: tmp / f"{slug}.csv" for slug in customers or {}}
            for slug, file in files.items():
                file.write_text((customers or {})[slug])
            # In one process, since each costs a second of CPU.
            imports = [
                f"call_command('import_customers', {slug!r}, {str(file)!r})" for slug, file in files.items()
            ]
            stack.run("\n".join([FILL.format(brands=str(tmp / "brands.toml")), *imports]))
            with _portal(stack, environment):
                stack.fresh()
                yield stack
    finally:
        stop_simulator(process)


def _toml(brand: BrandSpec, stack: Stack) -> str:
    return f"""
[[brand]]
slug = "{brand.slug}"
name = "{brand.name}"
hosts = ["{brand.slug}.localhost"]
currency = "{brand.currency}"
timezone = "{brand.timezone}"
language = "{brand.language}"
accent = "{brand.accent}"
support_email = "help@{brand.slug}.example"
support_phone = "+61 2 5550 0100"
from_email = "{brand.name} <no-reply@{brand.slug}.example>"
terms_url = "https://{brand.slug}.example/terms"
privacy_url = "https://{brand.slug}.example/privacy"
signup_open = {str(brand.signup_open).lower()}

[brand.carrier]
url = "{brand.carrier or stack.carrier.api}"
key = "{brand.slug}-api-key"
login_hosts = ["{stack.carrier.host}"]

[brand.recaptcha]
site_key = "{brand.slug}-site-key"
secret_key = "{brand.secret_key}"
kind = "{brand.kind}"
{brand.more.replace("CARRIER", stack.carrier.url)}"""


def _environment(stack: Stack, database: str) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "DEBUG": "False",
        "SCHEME": "http",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "ENCRYPTION_KEY": secrets.token_urlsafe(32),
        "ADMIN_HOSTS": "admin.localhost",
        "DATABASE_URL": database,
        "REDIS_URL": os.environ.get("REDIS_URL", ""),
        "EMAIL_URL": f"smtp://{stack.carrier.smtp}",
        "RECAPTCHA_URL": f"{stack.carrier.url}/recaptcha",
        "CARRIER_PRIVATE_HOSTS": "127.0.0.1",
        "BIND": f"127.0.0.1:{stack.port}",
        "TRUSTED_PROXIES": "1",  # So that each test can have its own client IP address.
        "WEB_CONCURRENCY": "1",
        "WEB_THREADS": "16",
        "LOG_FORMAT": "text",
    }


@contextlib.contextmanager
def _database(tmp: Path, shared: Path) -> Iterator[str]:
    """Create a SQLite file, or a database on the PostgreSQL server of this run.

    Its tables exist: they are copied from those the first stack of a run has created.
    """
    server = os.environ.get("DATABASE_URL", "")
    if not server.startswith("postgres"):
        shutil.copy(_migrated(shared), tmp / "portal.sqlite3")
        yield f"sqlite:///{tmp / 'portal.sqlite3'}"
        return
    name = f"browser_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection, _locked(shared):
        model = _migrated_on(server, connection)
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{model}"')
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _manage(environment: Mapping[str, str], *arguments: str, typed: str = "", folder: Path = ROOT) -> None:
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, input=typed, capture_output=True, text=True)
    assert done.returncode == 0, f"manage.py {arguments[0]} failed:\n{done.stdout}{done.stderr}"


@contextlib.contextmanager
def _locked(shared: Path) -> Iterator[None]:
    with (shared / "stacks.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _migrate(database: str) -> None:
    keys = {"SECRET_KEY": "x" * 50, "ENCRYPTION_KEY": "x" * 50, "DATABASE_URL": database, "SCHEME": "http"}
    _manage(
        {**os.environ, **keys, "DJANGO_SETTINGS_MODULE": "portal.settings"}, "migrate", "--verbosity", "0"
    )


def _migrated(shared: Path) -> Path:
    """Return a SQLite file with all tables, all empty."""
    file = shared / "migrated.sqlite3"
    with _locked(shared):
        if not file.exists():
            _migrate(f"sqlite:///{shared / 'migrating.sqlite3'}")
            (shared / "migrating.sqlite3").rename(file)
    return file


def _migrated_on(server: str, connection: psycopg.Connection[Any]) -> str:
    """Return the name of a database with all tables. Later runs reuse it until a migration changes."""
    migrations = sorted(ROOT.glob("*/migrations/*.py"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in migrations)).hexdigest()[:16]
    name, unfinished = f"migrated_{digest}", f"migrating_{digest}"
    if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
        connection.execute(f'DROP DATABASE IF EXISTS "{unfinished}"')
        connection.execute(f'CREATE DATABASE "{unfinished}"')
        _migrate(urlsplit(server)._replace(path=f"/{unfinished}").geturl())
        connection.execute(f'ALTER DATABASE "{unfinished}" RENAME TO "{name}"')
    return name


def _collect_static(environment: Mapping[str, str], shared: Path) -> None:
    """Collect once for all workers of a run, because they serve the same directory."""
    with _locked(shared):
        done = shared / "collectstatic.done"
        if not done.exists():
            _manage(environment, "collectstatic", "--no-input", "--verbosity", "0")
            done.touch()


@contextlib.contextmanager
def _portal(stack: Stack, environment: Mapping[str, str]) -> Iterator[None]:
    command = [sys.executable, "-m", "gunicorn", "-c", "portal/gunicorn.py", "portal.wsgi"]
    with stack.log.open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        try:
            _wait(f"http://127.0.0.1:{stack.port}/readyz", process, stack.log)
            yield
        finally:
            process.terminate()
            process.wait(timeout=40)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + READY_WITHIN
    while time.monotonic() < until and process.poll() is None:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(url, timeout=30),
        ):
            return
        time.sleep(0.05)
    raise AssertionError(f"the portal did not start:\n{log.read_text()}")
