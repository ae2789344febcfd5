"""Several nodes as in production: carriers, one PostgreSQL, one Redis, gunicorns, and nginx in front.

A node can be killed, stopped and started again. Failover between nodes is visible: each response names its
node in `X-Node`, and nginx balances requests in turn.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.conftest import ADMIN, APP_KEY, ROOT, Simulator, start_simulator, stop_simulator
from tests.support.live_stack import (
    AURORA,
    PASSWORD,
    BrandSpec,
    Stack,
    _collect_static,
    _database,
    _environment,
    _manage,
    _toml,
    _wait,
)
from tests.support.nginx import NginxServer, nginx
from tests.support.ports import free_port
from tests.support.processes import children, send_signal
from tests.support.timeouts import PATIENCE

NEEDED = "PostgreSQL and Redis are needed for several nodes: set DATABASE_URL and REDIS_URL."
BALANCE = "1000"  # Initial balance of each customer at the carrier.
# Customers and staff of the brands; all staff have an app with the key that the tests know. Limits for
# transfers that do not interfere with a test.
CREATE_USERS = """
import json
from accounts.models import TotpDevice, User
from billing.models import MovePolicy
from portal.security.crypto import encrypt
from portal.models import Brand
brands = {brand.slug: brand for brand in Brand.objects.all()}
for slug, email, number in json.loads(CUSTOMERS):
    names = {"email": email, "account_number": number, "first_name": "Test"}
    User.objects.create(brand=brands[slug], password="!", **names)
for slug, email in json.loads(STAFF):
    person = User(email=email, is_staff=True)
    person.set_password(PASSWORD)
    person.save()
    person.brands.add(brands[slug])
    TotpDevice.objects.create(user=person, name="app", key=encrypt(APP_KEY))
for brand in brands.values():
    MovePolicy.objects.create(brand=brand, per_move=10**6, per_day=10**9, second_person_above=10**6)
"""

# Changes a later version may make to a table this one uses: see docs/upgrade.md.
LATER_MIGRATION = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("{app}", "{newest}")]
    operations = [
        migrations.AddField("{model}", "later", models.TextField(db_default="")),
        migrations.AddIndex("{model}", models.Index(fields=["later"], name="{model}_later")),
        migrations.CreateModel(
            "Later",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("whose", models.ForeignKey("{app}.{model}", models.CASCADE, related_name="+")),
            ],
        ),
    ]
"""
CHANGED_MODELS = {"portal": "brand", "accounts": "user", "billing": "move"}


def missing_services() -> str:
    """Return which services are missing to run several nodes; empty if none."""
    available = os.environ.get("DATABASE_URL", "").startswith("postgres") and os.environ.get("REDIS_URL")
    return "" if available else NEEDED


@dataclass(frozen=True)
class Person:
    """A customer known to portal and carrier, or, without a number, a staff user of a brand."""

    brand: str
    email: str
    number: str = ""


@dataclass
class Node:
    """One gunicorn. `ends`: the periods in which it ended, from the signal until it was gone (monotonic)."""

    environment: Mapping[str, str]
    log: Path
    folder: Path = ROOT
    ends: list[tuple[float, float]] = field(default_factory=list)

    @property
    def address(self) -> str:
        """The node's address as in `X-Node`."""
        return self.environment["BIND"]

    def start(self) -> None:
        """Start it in its own process group, so that its workers can be killed with it."""
        command = [sys.executable, "-m", "gunicorn", "-c", "portal/gunicorn.py", "portal.wsgi"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=dict(self.environment),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def ready(self) -> None:
        """Wait until it is ready."""
        _wait(f"http://{self.address}/readyz", self.process, self.log)

    def kill(self) -> None:
        """Kill master and workers at once, as a power failure does."""
        begun = time.monotonic()
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=PATIENCE)
        self.ends.append((begun, time.monotonic()))

    def stop(self) -> None:
        """Stop it gracefully, as an upgrade does: running requests are answered."""
        begun = time.monotonic()
        self.process.terminate()
        self.process.wait(timeout=60)
        self.ends.append((begun, time.monotonic()))

    def workers(self) -> list[int]:
        """Return the process IDs of its workers."""
        return children(self.process.pid)

    def freeze(self) -> None:
        """Freeze it: the kernel still accepts connections, but nothing answers."""
        send_signal([self.process.pid, *self.workers()], signal.SIGSTOP)

    def unfreeze(self) -> None:
        """Let a frozen node continue."""
        send_signal([*self.workers(), self.process.pid], signal.SIGCONT)

    @property
    def runs(self) -> bool:
        """True if it has been started and has not ended."""
        return self.process.poll() is None


@dataclass
class Cluster:
    """The running servers. `stack` has their database and settings; its carrier gets the portal's emails."""

    front: NginxServer
    stack: Stack
    nodes: list[Node]
    carriers: Mapping[str, Simulator]
    processes: Mapping[str, subprocess.Popen[str]] = field(default_factory=dict)  # Of the carriers.

    def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Return rows of the portal's database."""
        with psycopg.connect(self.stack.database, row_factory=dict_row) as connection:
            return connection.execute(query, values).fetchall()

    def transfers(self) -> list[dict[str, Any]]:
        """Return the portal's transfers."""
        return self.rows(
            "SELECT m.operation::text, b.slug AS brand, m.account_number, m.amount, m.state"
            " FROM billing_move m JOIN portal_brand b ON b.id = m.brand_id"
        )

    def key_of(self, email: str) -> int:
        """Return the primary key of a customer."""
        return int(self.rows("SELECT id FROM accounts_user WHERE email = %s", email)[0]["id"])

    def migrate(self, folder: Path) -> None:
        """Migrate from the folder of another version while the nodes serve, as an upgrade does."""
        _manage(self.stack.environment, "migrate", "--verbosity", "0", folder=folder)

    def logs(self) -> str:
        """Return the logs of all nodes."""
        return "\n".join(node.log.read_text(errors="replace") for node in self.nodes)


def later_version(folder: Path) -> Path:
    """Copy the portal's code and add one migration to each app."""
    folder.mkdir()
    shutil.copy(ROOT / "manage.py", folder)
    for app, model in CHANGED_MODELS.items():
        shutil.copytree(ROOT / app, folder / app, ignore=shutil.ignore_patterns("__pycache__"))
        migrations = folder / app / "migrations"
        newest = max(each.stem for each in migrations.glob("0*.py"))
        later = LATER_MIGRATION.format(app=app, model=model, newest=newest)
        (migrations / "9000_later.py").write_text(later)
    return folder


@contextlib.contextmanager
def running(
    tmp: Path,
    shared: Path,
    people: Sequence[Person],
    brands: Sequence[BrandSpec] = (AURORA,),
    *,
    a_carrier_each: bool = False,
    number: int = 2,
    **settings: str,
) -> Iterator[Cluster]:
    """Run one node or two on their own database; `settings` are added to their environment."""
    with contextlib.ExitStack() as stack:
        ports = [free_port() for _ in range(number)]
        front = stack.enter_context(nginx(tmp / "nginx", *ports))
        started = _carriers(stack, brands, a_carrier_each)
        carriers = {slug: carrier for slug, (_process, carrier) in started.items()}
        portal = Stack(carriers[brands[0].slug], ports[0], tmp / "node", brands)
        portal.database = settings.get("DATABASE_URL") or stack.enter_context(_database(tmp, shared))
        environment = {
            **_environment(portal, portal.database),
            "SCHEME": "https",
            "ADMIN_HOSTS": ADMIN,
            **settings,
        }
        portal.environment = environment
        _collect_static(environment, shared)
        nodes = [
            Node({**environment, "BIND": f"127.0.0.1:{port}"}, tmp / f"node-{nth}.log")
            for nth, port in enumerate(ports, 1)
        ]
        site = Cluster(front, portal, nodes, carriers, {slug: each for slug, (each, _) in started.items()})
        _install(tmp, site, people)
        stack.callback(_end, nodes)
        for node in nodes:
            node.start()
        for node in nodes:
            node.ready()
        yield site


def _carriers(
    stack: contextlib.ExitStack, brands: Sequence[BrandSpec], a_carrier_each: bool
) -> dict[str, tuple[subprocess.Popen[str], Simulator]]:
    found: dict[str, tuple[subprocess.Popen[str], Simulator]] = {}
    for brand in brands:
        if not found or a_carrier_each:
            started = start_simulator()
            stack.callback(stop_simulator, started[0])
        found[brand.slug] = started
    return found


def _install(tmp: Path, site: Cluster, people: Sequence[Person]) -> None:
    """Create tables, brands, customers and staff, and seed the carriers."""
    portal = site.stack
    _manage(portal.environment, "migrate", "--verbosity", "0")
    tables = [_toml(brand, replace(portal, carrier=site.carriers[brand.slug])) for brand in portal.brands]
    (tmp / "brands.toml").write_text("\n".join(tables).replace('.localhost"', '.test"'))
    _manage(portal.environment, "apply_config", str(tmp / "brands.toml"))
    lists = {
        "CUSTOMERS": json.dumps([[each.brand, each.email, each.number] for each in people if each.number]),
        "STAFF": json.dumps([[each.brand, each.email] for each in people if not each.number]),
    }
    names = {**lists, "PASSWORD": PASSWORD, "APP_KEY": APP_KEY}
    portal.run("\n".join([*(f"{name} = {value!r}" for name, value in names.items()), CREATE_USERS]))
    for slug, carrier in site.carriers.items():
        known = [
            {"partner": f"{slug}-api-key", "account_number": each.number, "email": each.email}
            for each in people
            if each.number and each.brand == slug
        ]
        partners = [portal._partner(brand) for brand in portal.brands]
        carrier.post("seed", partners=partners, customers=[{**each, "balance": BALANCE} for each in known])


def _end(nodes: Sequence[Node]) -> None:
    for node in nodes:
        if hasattr(node, "process") and node.runs:
            node.kill()
