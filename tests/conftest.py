"""Two brands, three people, and the stand-in carrier as a process of its own.

Alice and Bob are customers of Aurora, Charlie is one of Borealis. Fixtures that make things return
callables, so that a test says what it makes.
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
# That a machine is busy is no fault of an example.
hypothesis_settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("busy")
AURORA, BOREALIS, ADMIN = "aurora.test", "borealis.test", "admin.test"
PREFIX = "/api/integration/v2/"


class Simulator:
    """The stand-in carrier, seen from a test: its addresses and its control side."""

    def __init__(self, url: str, smtp: str) -> None:
        self.url = url
        self.smtp = smtp
        self._session = requests.Session()
        self._session.trust_env = False

    @property
    def api(self) -> str:
        """The prefix of the carrier's API."""
        return self.url + PREFIX

    @property
    def host(self) -> str:
        """`127.0.0.1:port`."""
        return self.url.removeprefix("http://")

    def post(self, path: str, **data: Any) -> dict[str, Any]:
        """A control request with a JSON body."""
        reply = self._session.post(f"{self.url}/_control/{path}", json=data, timeout=PATIENCE)
        assert reply.ok, reply.text
        return reply.json()

    def get(self, path: str, **query: str) -> Any:
        """A control request without one."""
        reply = self._session.get(f"{self.url}/_control/{path}", params=query, timeout=PATIENCE)
        assert reply.ok, reply.text
        return reply.json()

    def listed(self, path: str, **query: str) -> list[dict[str, Any]]:
        """A control list, whichever key it stands under."""
        answer = self.get(path, **query)
        return answer if isinstance(answer, list) else next(v for v in answer.values() if isinstance(v, list))

    def calls(self, method: str | None = None) -> list[dict[str, Any]]:
        """What arrived at the carrier, in order."""
        return self.listed("calls", **({"method": method} if method else {}))

    def fault(self, method: str, fault: str, **options: Any) -> None:
        """Provoke a fault on one method."""
        self.post("fault", method=method, fault=fault, **options)

    def token(
        self, site_key: str = "aurora-site-key", hostname: str = AURORA, action: str = "sign_in"
    ) -> str:
        """A fresh captcha token, as if a visitor had solved it there for that form."""
        told = self.post("token", site_key=site_key, hostname=hostname, action=action)
        return str(told["token"])

    def customer(self, account_number: str) -> dict[str, Any]:
        """What the carrier knows of the customer with this number, whom one partner alone has."""
        (customer,) = self.listed("customers", account_number=account_number)
        return customer

    def mails(self, to: str | None = None) -> list[dict[str, Any]]:
        """The mailbox: the carrier's mails, and those that came by SMTP."""
        return self.listed("mails", **({"to": to} if to else {}))


def start_simulator(*options: str) -> tuple[subprocess.Popen[str], Simulator]:
    """Start `python -m portal.simulator` on free ports and wait until it says where it listens."""
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
    words = dict(word.split("=", 1) for word in process.stdout.readline().split()[1:])
    return process, Simulator(words["http"], words["smtp"])


def stop_simulator(process: subprocess.Popen[str]) -> None:
    """End it and close its pipes."""
    process.terminate()
    process.communicate(timeout=PATIENCE)


@pytest.fixture(scope="session")
def simulator_process() -> Iterator[Simulator]:
    """One stand-in carrier for the whole run (for each worker, where there are several)."""
    process, simulator = start_simulator()
    yield simulator
    stop_simulator(process)


@pytest.fixture
def simulator(simulator_process: Simulator) -> Simulator:
    """The stand-in carrier as new: Aurora with Alice 70001 and Bob 70002, Borealis with Charlie 80001."""
    simulator_process.post("reset", seed="default")
    return simulator_process


def pytest_runtest_teardown() -> None:
    """Calls for figures that nobody waited for end with their test: the next one must not see them arrive."""
    for thread in threading.enumerate():
        if thread.name.startswith("figures"):
            thread.join(timeout=PATIENCE)


@pytest.fixture(scope="session", autouse=True)
def _emptying_tables_takes_the_triggers_off() -> Iterator[None]:
    """Between tests that commit, all tables are emptied; the triggers of moves refuse just that."""

    def unguarded(style: Any, connection: Any, **options: Any) -> list[str]:
        statements = sql_flush(style, connection, **options)
        off = [each for guard in triggers.GUARDS for each in guard.drop[connection.vendor]]
        on = [each for guard in triggers.GUARDS for each in guard.create[connection.vendor]]
        return [*off, *statements, *on]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flush, "sql_flush", unguarded)
        yield


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all workers of this run see."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(autouse=True)
def _pages_in_one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not stream a page because the machine is busy; the tests of streaming set their own deadline."""
    for name in ("PAGE_FRAME", "BALANCE_FRAME"):
        monkeypatch.setattr(balance, name, replace(getattr(balance, name), if_missing=PATIENCE))


@pytest.fixture(autouse=True)
def _nothing_known() -> None:
    redis_guard.forget()
    rate_limits.forget()
    circuit_breaker.forget()
    caches["local"].clear()


@pytest.fixture
def carrier_url() -> str:
    """Where brands look for the carrier; nobody listens unless the test asks for `simulator`."""
    return "http://127.0.0.1:9/api/integration/v2/"


@pytest.fixture
def make_brand(request: pytest.FixtureRequest, db: None, settings: Any) -> Callable[..., Brand]:
    """Makes a brand with one host; connected to the stand-in carrier where the test uses it."""
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
    """Makes a customer of a brand who has signed in before."""
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
    """Olga, who has looked after the installation for a while."""
    person = User.objects.create_superuser("olga", "olga@example.com", "correct horse battery")
    User.objects.filter(pk=person.pk).update(date_joined=person.date_joined - timedelta(days=30))
    person.refresh_from_db()
    return person


# What the authenticator apps of the tests' staff share with us.
APP_KEY = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def app_of(user: User) -> TotpDevice:
    """The authenticator app of somebody who works in the admin; set up where there is none yet."""
    fields = {"key": encrypt(APP_KEY), "confirmed": True, "name": "app"}
    return TotpDevice.objects.get_or_create(user=user, defaults=fields)[0]


def code_of(key: str, steps: int = 0) -> str:
    """What an app with this key shows now, or so many steps of 30 seconds later."""
    return f"{totp(base64.b32decode(key), drift=steps):06d}"


def app_code(steps: int = 0) -> str:
    """The same for the tests' own app."""
    return code_of(APP_KEY, steps)


@pytest.fixture
def browse() -> Callable[..., Client]:
    """Makes a browser (Django's test client) on a host, signed in where a user is given.

    Whoever works in the admin is signed in with both steps, just now.
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
    """Makes it that moment (ISO 8601, UTC) wherever a brand asks for its day."""

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
    """A database that the test's threads share, each with a connection of its own."""
    with database_for_threads(tmp_path):
        yield
