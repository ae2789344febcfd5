"""Single faults: each begins, lasts some seconds and ends; nothing is restarted for the portal."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg

from tests.soak.infrastructure import Infrastructure
from tests.soak.visitors import copy_of
from tests.support.cluster import Cluster, Node
from tests.support.ports import free_port
from tests.support.processes import send_signal

LASTS = 8.0  # Seconds, unless stated otherwise.


@dataclass(frozen=True)
class Scene:
    """Everything that can be broken."""

    infrastructure: Infrastructure
    site: Cluster

    def carriers_fault(self, fault: str, method: str = "*", **options: Any) -> None:
        """Inject a fault into all carriers."""
        for carrier in self.site.carriers.values():
            copy_of(carrier).fault(method, fault, **options)

    def clear(self) -> None:
        """End all faults of the simulators."""
        for carrier in self.site.carriers.values():
            copy_of(carrier).post("faults/clear")


@dataclass(frozen=True)
class Fault:
    """`within`: seconds after its end until all must be well.

    `kills`: whether processes end that have requests, including requests not yet accepted by a worker.
    """

    name: str
    what: str
    act: Callable[[Scene], None]
    within: float = 15.0
    kills: bool = False
    stops_service: bool = False


def _sleep(seconds: float = LASTS) -> None:
    time.sleep(seconds)


# --- PostgreSQL ------------------------------------------------------------------------------------


def _restarted(scene: Scene) -> None:
    scene.infrastructure.postgres.stop()
    scene.infrastructure.postgres.start()


def _stopped(scene: Scene) -> None:
    scene.infrastructure.postgres.stop()
    _sleep(10)
    scene.infrastructure.postgres.start()


def _killed(scene: Scene) -> None:
    scene.infrastructure.postgres.kill()
    _sleep(2)
    scene.infrastructure.postgres.start()


def _frozen(scene: Scene) -> None:
    scene.infrastructure.postgres.freeze()
    _sleep(12)
    scene.infrastructure.postgres.unfreeze()


def _switched_over(scene: Scene) -> None:
    """Established connections go silent, as after a switch to another machine."""
    scene.infrastructure.database.silence()


def _silent(scene: Scene) -> None:
    scene.infrastructure.database.silence_all()
    _sleep(10)
    scene.infrastructure.database.resume()


def _refused(scene: Scene) -> None:
    scene.infrastructure.database.refuse()
    _sleep()
    scene.infrastructure.database.redirect_to(scene.infrastructure.postgres.port)


def _moved(scene: Scene) -> None:
    """It is started on another port, and the proxy points there."""
    scene.infrastructure.postgres.stop()
    scene.infrastructure.postgres.start(free_port())
    scene.infrastructure.database.redirect_to(scene.infrastructure.postgres.port)


def _cut(scene: Scene) -> None:
    for _ in range(5):
        scene.infrastructure.database.cut()
        _sleep(1)


def _slow(scene: Scene) -> None:
    scene.infrastructure.database.slow(0.1)
    _sleep()
    scene.infrastructure.database.resume()


def _ended(scene: Scene) -> None:
    for _ in range(5):
        scene.infrastructure.postgres.end_connections()
        _sleep(1)


def _cancelled(scene: Scene) -> None:
    until = time.monotonic() + LASTS
    with scene.infrastructure.postgres.admin_connection() as other:
        while time.monotonic() < until:
            other.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'portal'")
            time.sleep(0.005)


def _temporarily(begin: str, end: str) -> Callable[[Scene], None]:
    """Run an administrator's change and undo it; connections are ended each time so that it takes effect."""

    def act(scene: Scene) -> None:
        server = scene.infrastructure.postgres
        server.run(begin)
        server.end_connections()
        _sleep()
        server.run(end)
        server.end_connections()

    return act


def _full(scene: Scene) -> None:
    """Another client takes every connection the server allows."""
    server, connections = scene.infrastructure.postgres, []
    server.end_connections()
    until = time.monotonic() + LASTS
    try:
        while time.monotonic() < until:
            with suppress(psycopg.OperationalError):
                while True:
                    connections.append(psycopg.connect(server.url()))
            time.sleep(0.1)
    finally:
        for each in connections:
            each.close()


def _locked(table: str, seconds: float = 9) -> Callable[[Scene], None]:
    def act(scene: Scene) -> None:
        with scene.infrastructure.postgres.admin_connection() as other, other.transaction():
            other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            _sleep(seconds)

    return act


# --- Redis -----------------------------------------------------------------------------------------


def _redis_killed(scene: Scene) -> None:
    scene.infrastructure.redis.stop()
    _sleep()
    scene.infrastructure.redis.start()


def _redis_frozen(scene: Scene) -> None:
    scene.infrastructure.redis.freeze()
    _sleep()
    scene.infrastructure.redis.unfreeze()


def _redis_refuses(how: str) -> Callable[[Scene], None]:
    def act(scene: Scene) -> None:
        scene.infrastructure.redis.refuse(how)
        _sleep()
        scene.infrastructure.redis.accept_writes()

    return act


# --- Nodes and nginx -------------------------------------------------------------------------------


def _worker(number: signal.Signals, seconds: float = 0) -> Callable[[Scene], None]:
    def act(scene: Scene) -> None:
        worker = scene.site.nodes[0].workers()[:1]
        send_signal(worker, number)
        _sleep(seconds)
        send_signal(worker, signal.SIGCONT)

    return act


def _node(end: Callable[[Node], None], which: int) -> Callable[[Scene], None]:
    def act(scene: Scene) -> None:
        node = scene.site.nodes[which]
        end(node)
        _sleep(3)
        node.start()
        node.ready()

    return act


def _node_frozen(scene: Scene) -> None:
    scene.site.nodes[0].freeze()
    _sleep(5)
    scene.site.nodes[0].unfreeze()


def _nginx_reloaded(scene: Scene) -> None:
    pid = int((scene.site.front.folder / "nginx.pid").read_text())
    os.kill(pid, signal.SIGHUP)


# --- Carriers, mail, Google ------------------------------------------------------------------------


def _carrier_frozen(scene: Scene) -> None:
    """Of the brand whose simulator receives no emails."""
    pids = [list(scene.site.processes.values())[-1].pid]
    send_signal(pids, signal.SIGSTOP)
    _sleep(12)
    send_signal(pids, signal.SIGCONT)


def _carriers(fault: str, method: str = "*", **options: Any) -> Callable[[Scene], None]:
    def act(scene: Scene) -> None:
        scene.carriers_fault(fault, method, **options)
        _sleep(10)
        scene.clear()

    return act


@contextmanager
def _proxy_of(scene: Scene, name: str) -> Iterator[Any]:
    proxy = getattr(scene.infrastructure, name)
    try:
        yield proxy
    finally:
        proxy.resume()
        scene.infrastructure.redirect_to(scene.site)


def _server(name: str, how: str, *values: float) -> Callable[[Scene], None]:
    """Let the proxy of the mail server or of Google misbehave for a while."""

    def act(scene: Scene) -> None:
        with _proxy_of(scene, name) as proxy:
            getattr(proxy, how)(*values)
            _sleep()

    return act


# --- Times in the future ---------------------------------------------------------------------------

AHEAD = """
UPDATE billing_keptstatement SET as_of = as_of + interval '1 hour', tried_at = tried_at + interval '1 hour';
UPDATE billing_keptstatement SET claimed_until = now() + interval '1 hour' WHERE claimed_until IS NOT NULL;
"""


def _clock_ahead(scene: Scene) -> None:
    """Store times as a node with a wrong clock does while its carriers fail."""
    scene.carriers_fault("status", status=500)
    _sleep(6)
    with scene.infrastructure.postgres.admin_connection() as other:
        other.execute(AHEAD)
    scene.clear()


NO_WRITES = "ALTER DATABASE portal SET default_transaction_read_only = on"
WRITES = "ALTER DATABASE portal RESET default_transaction_read_only"
CARRIER_WITHIN = 45.0  # Seconds: an open breaker of 30 and a call of 15.
STOPS_SERVICE = {"stops_service": True}
FAULTS = (
    Fault("restarted", "PostgreSQL restarted", _restarted, **STOPS_SERVICE),
    Fault("stopped", "PostgreSQL stopped for 10 s", _stopped, **STOPS_SERVICE),
    Fault("killed", "PostgreSQL killed, 2 s", _killed, **STOPS_SERVICE),
    Fault("frozen", "PostgreSQL frozen for 12 s", _frozen, **STOPS_SERVICE),
    Fault(
        "elsewhere",
        "PostgreSQL switched over: established connections silent",
        _switched_over,
        **STOPS_SERVICE,
    ),
    Fault("redis-killed", "Redis killed, 8 s", _redis_killed, **STOPS_SERVICE),
    Fault("redis-frozen", "Redis frozen for 8 s", _redis_frozen, **STOPS_SERVICE),
    Fault("worker-killed", "a worker killed", _worker(signal.SIGKILL), kills=True, **STOPS_SERVICE),
    Fault("node-killed", "a node killed, 3 s", _node(Node.kill, 0), kills=True, **STOPS_SERVICE),
    Fault("node-ended", "a node ended, 3 s", _node(Node.stop, 1), kills=True, **STOPS_SERVICE),
    Fault("carrier-frozen", "a carrier frozen for 12 s", _carrier_frozen, CARRIER_WITHIN, **STOPS_SERVICE),
    Fault("silent", "PostgreSQL silent for 10 s, new connections too", _silent),
    Fault("refused", "PostgreSQL refuses connections for 8 s", _refused),
    Fault("moved", "PostgreSQL moved to another port", _moved),
    Fault("cut", "PostgreSQL's connections reset, 5 times", _cut),
    Fault("ended", "PostgreSQL's connections ended, 5 times", _ended),
    Fault("cancelled", "PostgreSQL's statements cancelled for 8 s", _cancelled),
    Fault("slow", "PostgreSQL 0.1 s slower each way for 8 s", _slow),
    Fault("read-only", "PostgreSQL read-only for 8 s", _temporarily(NO_WRITES, WRITES)),
    Fault("full", "PostgreSQL out of connections for 8 s", _full),
    Fault(
        "no-database",
        "the database takes no connections for 8 s",
        _temporarily(
            "ALTER DATABASE portal ALLOW_CONNECTIONS false", "ALTER DATABASE portal ALLOW_CONNECTIONS true"
        ),
    ),
    Fault(
        "no-role",
        "the role cannot connect for 8 s",
        _temporarily("ALTER ROLE portal NOLOGIN", "ALTER ROLE portal LOGIN"),
    ),
    Fault("locked-brand", "the table of brands locked for 9 s", _locked("portal_brand")),
    Fault("locked-session", "the table of sessions locked for 9 s", _locked("django_session")),
    Fault("locked-figures", "the table of figures locked for 9 s", _locked("billing_keptstatement")),
    Fault("redis-full", "Redis full for 8 s", _redis_refuses("full")),
    Fault("redis-replica", "Redis a replica for 8 s", _redis_refuses("replica")),
    Fault("worker-frozen", "a worker frozen for 6 s", _worker(signal.SIGSTOP, 6)),
    Fault("node-frozen", "a node frozen for 5 s", _node_frozen),
    Fault("nginx-reloaded", "nginx reloaded", _nginx_reloaded),
    Fault("carrier-hangs", "carriers hang for 10 s", _carriers("hang"), CARRIER_WITHIN),
    Fault("carrier-500", "carriers answer 500 for 10 s", _carriers("status", status=500), CARRIER_WITHIN),
    Fault("carrier-drops", "carriers drop connections for 10 s", _carriers("drop_before"), CARRIER_WITHIN),
    Fault("carrier-drips", "carriers answer byte by byte for 10 s", _carriers("drip_body"), CARRIER_WITHIN),
    Fault("carrier-huge", "carriers answer without end for 10 s", _carriers("huge"), CARRIER_WITHIN),
    Fault("carrier-html", "carriers answer HTML for 10 s", _carriers("html"), CARRIER_WITHIN),
    Fault("mail-refused", "mail server refuses for 8 s", _server("mail", "refuse")),
    Fault("mail-drips", "mail server answers a byte each 2 s, 8 s", _server("mail", "drip", 2.0)),
    Fault("mail-silent", "mail server silent for 8 s", _server("mail", "silence_all")),
    Fault("google-refused", "Google refuses for 8 s", _server("google", "refuse")),
    Fault("google-drips", "Google answers a byte each 2 s, 8 s", _server("google", "drip", 2.0)),
    Fault("google-silent", "Google silent for 8 s", _server("google", "silence_all")),
    Fault("clock", "times stored an hour ahead", _clock_ahead, CARRIER_WITHIN),
)
