"""Two brands, three customers, and the carrier simulator as a separate process.

Alice and Bob are customers of Aurora, Charlie is one of Borealis. Fixtures that create objects return
callables, so that a test states what it creates.
"""

import base64
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.cache import caches
from django.core.management.commands import flush
from django.core.management.sql import sql_flush
from django.test import Client
from django_otp import DEVICE_ID_SESSION_KEY
from django_otp.oath import totp
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from accounts.models import TotpDevice, User
from billing import triggers
from billing.statements import periods
from billing.views import balance
from portal.admin import sessions
from portal.models import Brand
from portal.resilience import circuit_breaker, rate_limits, redis_guard
from portal.security.crypto import encrypt
from portal.voipline import Timeouts
from tests.support.threaded_db import database_for_threads
from tests.support.timeouts import PATIENCE

ROOT = Path(__file__).resolve().parent.parent
# A busy machine is no fault of an example.
hypothesis_settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("busy")
AURORA, BOREALIS, ADMIN = "aurora.test", "borealis.test", "admin.test"
PREFIX = "/api/integration/v2/"


class Simulator:
    """A client for the carrier simulator: its addresses and its control API."""

    def __init__(self, url: str, smtp: str) -> None:
        self.url = url
        self.smtp = smtp
        self._session = requests.Session()
        self._session.trust_env = False

    @property
    def api(self) -> str:
        """The base URL of the carrier's API."""
        return self.url + PREFIX

    @property
    def host(self) -> str:
        """`127.0.0.1:port`."""
        return self.url.removeprefix("http://")

    def post(self, path: str, **data: Any) -> dict[str, Any]:
        """Send a control request with a JSON body."""
        reply = self._session.post(f"{self.url}/_control/{path}", json=data, timeout=PATIENCE)
        assert reply.ok, reply.text
        return reply.json()

    def get(self, path: str, **query: str) -> Any:
        """Send a control request without a body."""
        reply = self._session.get(f"{self.url}/_control/{path}", params=query, timeout=PATIENCE)
        assert reply.ok, reply.text
        return reply.json()

    def listed(self, path: str, **query: str) -> list[dict[str, Any]]:
        """Return a list from the control API, whatever its key."""
        answer = self.get(path, **query)
        return answer if isinstance(answer, list) else next(v for v in answer.values() if isinstance(v, list))

    def calls(self, method: str | None = None) -> list[dict[str, Any]]:
        """Return the calls the carrier received, in order."""
        return self.listed("calls", **({"method": method} if method else {}))

    def fault(self, method: str, fault: str, **options: Any) -> None:
        """Inject a fault into a method."""
        self.post("fault", method=method, fault=fault, **options)

    def token(
        self, site_key: str = "aurora-site-key", hostname: str = AURORA, action: str = "sign_in"
    ) -> str:
        """Return a fresh captcha token, as if a visitor had solved it there for that form."""
        answer = self.post("token", site_key=site_key, hostname=hostname, action=action)
        return str(answer["token"])

    def customer(self, account_number: str) -> dict[str, Any]:
        """Return the customer with this number, which must exist at exactly one partner."""
        (customer,) = self.listed("customers", account_number=account_number)
        return customer

    def mails(self, to: str | None = None) -> list[dict[str, Any]]:
        """Return the carrier's emails and those received by SMTP."""
        return self.listed("mails", **({"to": to} if to else {}))


def start_simulator(*options: str) -> tuple[subprocess.Popen[str], Simulator]:
    """Start `python -m portal.simulator` on free ports and wait until it prints its addresses."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "portal.simulator",
            "--port",
            "0",
            "--smtp-port",
            "0",
            "--with-parent",
            *options,
        ],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    addresses = dict(word.split("=", 1) for word in process.stdout.readline().split()[1:])
    return process, Simulator(addresses["http"], addresses["smtp"])


def stop_simulator(process: subprocess.Popen[str]) -> None:
    """End the process and close its pipes."""
    process.terminate()
    process.communicate(timeout=PATIENCE)


@pytest.fixture(scope="session")
def simulator_process() -> Iterator[Simulator]:
    """One carrier simulator per run (per worker, if there are several)."""
    process, simulator = start_simulator()
    yield simulator
    stop_simulator(process)


@pytest.fixture
def simulator(simulator_process: Simulator) -> Simulator:
    """The carrier simulator, reset: Aurora with Alice 70001 and Bob 70002, Borealis with Charlie 80001."""
    simulator_process.post("reset", seed="default")
    return simulator_process


def pytest_runtest_teardown() -> None:
    """Wait for unfinished statement calls, so that the next test does not see them arrive."""
    for thread in threading.enumerate():
        if thread.name.startswith("figures"):
            thread.join(timeout=PATIENCE)


@pytest.fixture(scope="session", autouse=True)
def _drop_triggers_while_flushing() -> Iterator[None]:
    """Drop the triggers of transfers while tables are flushed, because they prevent that."""

    def flush_without_triggers(style: Any, connection: Any, **options: Any) -> list[str]:
        statements = sql_flush(style, connection, **options)
        off = [each for guard in triggers.GUARDS for each in guard.drop[connection.vendor]]
        on = [each for guard in triggers.GUARDS for each in guard.create[connection.vendor]]
        return [*off, *statements, *on]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flush, "sql_flush", flush_without_triggers)
        yield


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory shared by all workers of this run."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(autouse=True)
def _disable_streaming(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevent streaming of a page on a busy machine, except where streaming is tested."""
    for name in ("PAGE_FRAME", "BALANCE_FRAME"):
        monkeypatch.setattr(balance, name, replace(getattr(balance, name), if_missing=PATIENCE))


@pytest.fixture(autouse=True)
def _clear_caches() -> None:
    redis_guard.forget()
    rate_limits.forget()
    circuit_breaker.forget()
    caches["local"].clear()


@pytest.fixture
def make_brand(request: pytest.FixtureRequest, db: None, settings: Any) -> Callable[..., Brand]:
    """Create a brand with one host, connected to the carrier simulator if the test uses it."""
    running = "simulator" in request.fixturenames
    simulator: Simulator | None = request.getfixturevalue("simulator") if running else None
    if simulator:
        settings.RECAPTCHA_URL = f"{simulator.url}/recaptcha"
    settings.CARRIER_TIMEOUTS = Timeouts(connect=1, read=2, total=3)

    def make(slug: str, host: str, **fields: Any) -> Brand:
        values: dict[str, Any] = {
            "slug": slug,
            "name": f"{slug.capitalize()} Phone",
            "currency": "AUD",
            "timezone": "Australia/Sydney",
            "language": "en-au",
            "accent": "#0b6e4f",
            "support_email": f"help@{slug}.example",
            "support_phone": "+61 2 5550 0100",
            "from_email": f"{slug.capitalize()} Phone <no-reply@{slug}.example>",
            "terms_url": f"https://{slug}.example/terms",
            "privacy_url": f"https://{slug}.example/privacy",
            "carrier_url": simulator.api if simulator else "http://127.0.0.1:9/api/integration/v2/",
            "carrier_key": encrypt(f"{slug}-api-key"),
            "login_hosts": [simulator.host] if simulator else ["au.voipcloud.online"],
            "recaptcha_site_key": f"{slug}-site-key",
        }
        brand = Brand.objects.create(**{**values, **fields})
        brand.hosts.create(host=host)
        return brand

    return make


@pytest.fixture
def aurora(make_brand: Callable[..., Brand]) -> Brand:
    """Aurora Phone of Sydney, in Australian dollars."""
    return make_brand("aurora", AURORA)


@pytest.fixture
def borealis(make_brand: Callable[..., Brand]) -> Brand:
    """Borealis Phone of London, in pounds."""
    return make_brand(
        "borealis", BOREALIS, currency="GBP", timezone="Europe/London", language="en-gb", accent="#7c3aed"
    )


@pytest.fixture
def make_customer(db: None) -> Callable[..., User]:
    """Create a customer of a brand who has signed in before."""
    from django.utils import timezone

    def make(brand: Brand, email: str, account_number: str = "", **fields: Any) -> User:
        user = User(brand=brand, email=email, account_number=account_number)
        for name, value in {"first_name": "Test", "verified_at": timezone.now(), **fields}.items():
            setattr(user, name, value)
        user.set_unusable_password()
        user.save()
        return user

    return make


@pytest.fixture
def alice(aurora: Brand, make_customer: Callable[..., User]) -> User:
    """Alice Archer, customer 70001 of Aurora."""
    return make_customer(aurora, "alice@example.com", "70001", first_name="Alice", last_name="Archer")


@pytest.fixture
def bob(aurora: Brand, make_customer: Callable[..., User]) -> User:
    """Bob Baker, customer 70002 of Aurora."""
    return make_customer(aurora, "bob@example.com", "70002", first_name="Bob", last_name="Baker")


@pytest.fixture
def charlie(borealis: Brand, make_customer: Callable[..., User]) -> User:
    """Charlie Cole, customer 80001 of Borealis."""
    return make_customer(borealis, "charlie@example.com", "80001", first_name="Charlie", last_name="Cole")


@pytest.fixture
def operator(db: None) -> User:
    """Olga, an operator since 30 days ago."""
    olga = User.objects.create_superuser("olga", "olga@example.com", "correct horse battery")
    User.objects.filter(pk=olga.pk).update(date_joined=olga.date_joined - timedelta(days=30))
    olga.refresh_from_db()
    return olga


# The shared secret of the authenticator apps of the tests' staff.
APP_KEY = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def app_of(user: User) -> TotpDevice:
    """Return the authenticator app of a staff user; create it if missing."""
    fields = {"key": encrypt(APP_KEY), "confirmed": True, "name": "app"}
    return TotpDevice.objects.get_or_create(user=user, defaults=fields)[0]


def code_of(key: str, steps: int = 0) -> str:
    """Return the code an app with this key shows now, or some steps of 30 seconds later."""
    return f"{totp(base64.b32decode(key), drift=steps):06d}"


def app_code(steps: int = 0) -> str:
    """Return the code of the tests' own app."""
    return code_of(APP_KEY, steps)


@pytest.fixture
def browse() -> Callable[..., Client]:
    """Make a browser (Django's test client) on a host, signed in if a user is given.

    Staff and operators are signed in with both steps, just now.
    """

    def make(host: str, user: User | None = None, **extra: Any) -> Client:
        client = Client(headers={"host": host}, **extra)
        if user:
            client.force_login(user)
            session = client.session
            session["realm"] = f"brand-{user.brand_id}" if user.brand_id else "admin"
            if user.is_staff:
                session[DEVICE_ID_SESSION_KEY] = app_of(user).persistent_id
                sessions.begin(session)
            session.save()
        return client

    return make


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Freeze the time (ISO 8601, UTC) used for a brand's current day."""

    def freeze(moment: str) -> None:
        class Frozen(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> datetime:
                return datetime.fromisoformat(moment).astimezone(tz)

        monkeypatch.setattr(periods, "datetime", Frozen)

    return freeze


@pytest.fixture
def admin_client(browse: Callable[..., Client], operator: User) -> Client:
    """Olga's browser on the admin host."""
    return browse(ADMIN, operator)


@pytest.fixture
def threads(transactional_db: None, tmp_path: Path) -> Iterator[None]:
    """A database shared by the test's threads, each with its own connection."""
    with database_for_threads(tmp_path):
        yield
