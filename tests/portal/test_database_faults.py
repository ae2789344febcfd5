"""A restarted, killed, frozen, locked or full database: pages answer 503 only, and recover soon.

One node as `make serve` runs it, with a PostgreSQL of its own behind a proxy. `make soak` tests more of this.
"""

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from tests.conftest import AURORA
from tests.support.gunicorn_server import GunicornServer, run_gunicorn
from tests.support.live_stack import _collect_static, _manage
from tests.support.postgres_server import PostgresServer
from tests.support.tcp_proxy import Proxy

pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("DATABASE_URL", "").startswith("postgres"), reason="these are faults of PostgreSQL"
    ),
]
BACK_WITHIN = 15  # Seconds after the fault has ended.
SIGNED_IN, STRANGER = "/account/", "/sign-in/"
# A brand and a signed-in customer; writes the session key.
PEOPLE = f"""
from django.test import Client
from accounts.models import User
from portal.security.crypto import encrypt
from portal.models import Brand
brand = Brand.objects.create(
    slug="aurora", name="Aurora Phone", currency="AUD", timezone="Australia/Sydney", language="en-au",
    from_email="Aurora Phone <no-reply@aurora.example>", support_email="help@aurora.example",
    carrier_url="http://127.0.0.1:9/", carrier_key=encrypt("key"), recaptcha_site_key="key",
)
brand.hosts.create(host="{AURORA}")
alice = User.objects.create(brand=brand, email="alice@example.com", account_number="70001", password="!")
client = Client(headers={{"host": "{AURORA}"}})
client.force_login(alice)
session = client.session
session["realm"] = f"brand-{{brand.pk}}"
session.save()
open("KEY", "w").write(session.session_key)
"""


@dataclass
class Visitors:
    """Four signed-in and two anonymous visitors, each requesting pages one after another."""

    site: GunicornServer
    key: str
    over: threading.Event = field(default_factory=threading.Event)
    answers_by_visitor: dict[int, list[tuple[float, int]]] = field(
        default_factory=dict
    )  # Number → (requested at, status).

    def get(self, path: str) -> int:
        """Return the status of a page; 0 without an answer."""
        headers = {"Host": AURORA, "Cookie": f"__Host-session={self.key}" if path == SIGNED_IN else ""}
        url = f"http://127.0.0.1:{self.site.port}{path}"
        try:
            return requests.get(url, headers=headers, timeout=40, allow_redirects=False).status_code
        except requests.RequestException:
            return 0

    def browse(self, number: int, path: str) -> None:
        while not self.over.wait(0.05):
            requested_at = time.monotonic()
            self.answers_by_visitor[number].append((requested_at, self.get(path)))

    def are_served(self, since: float) -> bool:
        """Return True if the last three pages of every visitor were 200 and requested after this moment."""
        last = [answers_by_visitor[-3:] for answers_by_visitor in self.answers_by_visitor.values()]
        return all(len(three) == 3 and three[0][0] > since for three in last) and {
            status for three in last for _requested_at, status in three
        } == {200}

    @contextmanager
    def browsing(self) -> Iterator[None]:
        self.over.clear()
        paths = [SIGNED_IN] * 4 + [STRANGER] * 2
        self.answers_by_visitor = {number: [] for number in range(len(paths))}
        threads = [threading.Thread(target=self.browse, args=each) for each in enumerate(paths)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for thread in threads:
                thread.join()


@dataclass
class World:
    """The servers and the visitors."""

    server: PostgresServer
    proxy: Proxy
    visitors: Visitors


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("faults")
    server = PostgresServer()
    proxy = Proxy(server.port)
    environment = {
        "DATABASE_URL": server.url(proxy.port),
        "SECRET_KEY": "only-for-tests-" * 4,
        "ENCRYPTION_KEY": "a passphrase for tests",
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "WEB_CONCURRENCY": "1",
        "WEB_THREADS": "16",
    }
    around = {**os.environ, "SCHEME": "", "REDIS_URL": "", "EMAIL_URL": "", **environment}
    try:
        _manage(around, "migrate", "--verbosity", "0")
        _collect_static(around, shared)
        _manage(around, "shell", "-v", "0", "-c", PEOPLE.replace('"KEY"', f'"{folder}/key"'))
        with run_gunicorn(folder, **environment) as site:
            yield World(server, proxy, Visitors(site, (folder / "key").read_text()))
    finally:
        proxy.close()
        server.close()


def locked(world: World) -> None:
    with world.server.admin_connection() as other, other.transaction():
        other.execute("LOCK TABLE portal_brand, django_session IN ACCESS EXCLUSIVE MODE")
        time.sleep(6)


def full(world: World) -> None:
    """Others have taken all connections except the administrator's."""
    with world.server.admin_connection() as other:
        other.execute("ALTER ROLE portal CONNECTION LIMIT 0")
        world.server.end_connections()
        time.sleep(3)
        other.execute("ALTER ROLE portal CONNECTION LIMIT -1")


def restarted(world: World) -> None:
    world.server.stop()
    world.server.start()


def killed(world: World) -> None:
    world.server.kill()
    time.sleep(1)
    world.server.start()


def frozen(world: World) -> None:
    world.server.freeze()
    time.sleep(7)
    world.server.unfreeze()


def ended(world: World) -> None:
    for _ in range(3):
        world.server.end_connections()
        time.sleep(0.3)


def cancelled(world: World) -> None:
    with world.server.admin_connection() as other:
        for _ in range(200):
            other.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'portal'")
            time.sleep(0.005)


def moved(world: World) -> None:
    """The server moves to another address, and clients connected to the old one do not notice."""
    world.proxy.silence()


def aborted(world: World) -> None:
    world.server.stop(signal.SIGQUIT)
    world.server.start()


Fault = Callable[[World], None]
FAULTS: tuple[Fault, ...] = (restarted, aborted, killed, frozen, ended, cancelled, locked, full, moved)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_database_fault_causes_only_503_and_recovers_soon(world: World, fault: Fault) -> None:
    visitors = world.visitors
    assert {visitors.get(SIGNED_IN), visitors.get(STRANGER)} == {200}
    with visitors.browsing():
        time.sleep(0.3)
        fault(world)
        ended = time.monotonic()
        while not visitors.are_served(ended) and time.monotonic() < ended + BACK_WITHIN:
            time.sleep(0.05)
        recovered = visitors.are_served(ended)
        world.proxy.resume()  # No need to wait any longer.
    answers = Counter(
        status
        for answers_by_visitor in visitors.answers_by_visitor.values()
        for _requested_at, status in answers_by_visitor
    )
    assert set(answers) <= {200, 503}, answers
    assert recovered, answers
