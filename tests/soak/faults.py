"""Single faults: each begins, lasts for some seconds and ends; nothing is restarted for the portal's sake."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg

from tests.soak.infrastructure import Ground
from tests.soak.visitors import own
from tests.support.cluster import Node, Nodes
from tests.support.ports import free_port
from tests.support.processes import tell

LASTS = 8.0  # Seconds, where nothing else is said.


@dataclass(frozen=True)
class Scene:
    """Everything there is to break."""

    ground: Ground
    site: Nodes

    def carriers_fault(self, fault: str, method: str = "*", **options: Any) -> None:
        """All carriers have it."""
        for carrier in self.site.carriers.values():
            own(carrier).fault(method, fault, **options)

    def clear(self) -> None:
        """End all faults of the stand-ins."""
        for carrier in self.site.carriers.values():
            own(carrier).post("faults/clear")


@dataclass(frozen=True)
class Fault:
    """`within`: seconds after its end until all must be well.

    `kills`: whether processes end that have requests, those included that no worker has taken yet.
    """

    name: str
    what: str
    act: Callable[[Scene], None]
    within: float = 15.0
    kills: bool = False
    of_the_ten: bool = False


def _last(seconds: float = LASTS) -> None:
    time.sleep(seconds)


# --- PostgreSQL ------------------------------------------------------------------------------------


def _restarted(scene: Scene) -> None:
    scene.ground.postgres.stop()
    scene.ground.postgres.start()


def _stopped(scene: Scene) -> None:
    scene.ground.postgres.stop()
    _last(10)
    scene.ground.postgres.start()


def _killed(scene: Scene) -> None:
    scene.ground.postgres.kill()
    _last(2)
    scene.ground.postgres.start()


def _frozen(scene: Scene) -> None:
    scene.ground.postgres.hold()
    _last(12)
    scene.ground.postgres.go_on()


def _elsewhere(scene: Scene) -> None:
    """What is connected hears nothing more, as after a switch to another machine."""
    scene.ground.database.silence()


def _silent(scene: Scene) -> None:
    scene.ground.database.silence_all()
    _last(10)
    scene.ground.database.resume()


def _refused(scene: Scene) -> None:
    scene.ground.database.refuse()
    _last()
    scene.ground.database.lead_to(scene.ground.postgres.port)


def _moved(scene: Scene) -> None:
    """It is started at another port, and the proxy leads there."""
    scene.ground.postgres.stop()
    scene.ground.postgres.start(free_port())
    scene.ground.database.lead_to(scene.ground.postgres.port)


def _cut(scene: Scene) -> None:
    for _ in range(5):
        scene.ground.database.cut()
        _last(1)


def _slow(scene: Scene) -> None:
    scene.ground.database.slow(0.1)
    _last()
    scene.ground.database.resume()


def _ended(scene: Scene) -> None:
    for _ in range(5):
        scene.ground.postgres.end_connections()
        _last(1)


def _cancelled(scene: Scene) -> None:
    until = time.monotonic() + LASTS
    with scene.ground.postgres.beside() as other:
        while time.monotonic() < until:
            other.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'portal'")
            time.sleep(0.005)


def _meanwhile(begin: str, end: str) -> Callable[[Scene], None]:
    """What an administrator does and takes back; connections are ended each time, so that it has effect."""

    def act(scene: Scene) -> None:
        server = scene.ground.postgres
        server.run(begin)
        server.end_connections()
        _last()
        server.run(end)
        server.end_connections()

    return act


def _full(scene: Scene) -> None:
    """Somebody else takes every connection that the server gives."""
    server, taken = scene.ground.postgres, []
    server.end_connections()
    until = time.monotonic() + LASTS
    try:
        while time.monotonic() < until:
            with suppress(psycopg.OperationalError):
                while True:
                    taken.append(psycopg.connect(server.url()))
            time.sleep(0.1)
    finally:
        for each in taken:
            each.close()


def _locked(table: str, seconds: float = 9) -> Callable[[Scene], None]:
    def act(scene: Scene) -> None:
        with scene.ground.postgres.beside() as other, other.transaction():
            other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            _last(seconds)

    return act


# --- Redis -----------------------------------------------------------------------------------------


def _redis_killed(scene: Scene) -> None:
    scene.ground.redis.stop()
    _last()
    scene.ground.redis.start()


def _redis_frozen(scene: Scene) -> None:
    scene.ground.redis.hold()
    _last()
    scene.ground.redis.go_on()


def _redis_refuses(how: str) -> Callable[[Scene], None]:
    def act(scene: Scene) -> None:
        scene.ground.redis.refuse(how)
        _last()
        scene.ground.redis.take()

    return act


# --- Nodes and nginx -------------------------------------------------------------------------------


def _worker(number: signal.Signals, seconds: float = 0) -> Callable[[Scene], None]:
    def act(scene: Scene) -> None:
        worker = scene.site.nodes[0].workers()[:1]
        tell(worker, number)
        _last(seconds)
        tell(worker, signal.SIGCONT)

    return act


def _node(end: Callable[[Node], None], which: int) -> Callable[[Scene], None]:
    def act(scene: Scene) -> None:
        node = scene.site.nodes[which]
        end(node)
        _last(3)
        node.start()
        node.ready()

    return act


def _node_frozen(scene: Scene) -> None:
    scene.site.nodes[0].hold()
    _last(5)
    scene.site.nodes[0].go_on()


def _nginx_reloaded(scene: Scene) -> None:
    pid = int((scene.site.front.folder / "nginx.pid").read_text())
    os.kill(pid, signal.SIGHUP)


# --- Carriers, mail, Google ------------------------------------------------------------------------


def _carrier_frozen(scene: Scene) -> None:
    """Of the brand whose stand-in gets no mails."""
    pids = [list(scene.site.processes.values())[-1].pid]
    tell(pids, signal.SIGSTOP)
    _last(12)
    tell(pids, signal.SIGCONT)


def _carriers(fault: str, method: str = "*", **options: Any) -> Callable[[Scene], None]:
    def act(scene: Scene) -> None:
        scene.carriers_fault(fault, method, **options)
        _last(10)
        scene.clear()

    return act


@contextmanager
def _of(scene: Scene, name: str) -> Iterator[Any]:
    proxy = getattr(scene.ground, name)
    try:
        yield proxy
    finally:
        proxy.resume()
        scene.ground.lead_to(scene.site)


def _server(name: str, how: str, *values: float) -> Callable[[Scene], None]:
    """The mail server's or Google's proxy does something for a while."""

    def act(scene: Scene) -> None:
        with _of(scene, name) as proxy:
            getattr(proxy, how)(*values)
            _last()

    return act


# --- Moments in the future -------------------------------------------------------------------------

AHEAD = """
UPDATE billing_keptstatement SET as_of = as_of + interval '1 hour', tried_at = tried_at + interval '1 hour';
UPDATE billing_keptstatement SET claimed_until = now() + interval '1 hour' WHERE claimed_until IS NOT NULL;
"""


def _clock_ahead(scene: Scene) -> None:
    """What a node with a wrong clock has stored while its carriers failed."""
    scene.carriers_fault("status", status=500)
    _last(6)
    with scene.ground.postgres.beside() as other:
        other.execute(AHEAD)
    scene.clear()


NO_WRITES = "ALTER DATABASE portal SET default_transaction_read_only = on"
WRITES = "ALTER DATABASE portal RESET default_transaction_read_only"
BREAK = 45.0  # Seconds: a break of 30 and a call of 15.
TEN = {"of_the_ten": True}
FAULTS = (
    Fault("restarted", "PostgreSQL restarted", _restarted, **TEN),
    Fault("stopped", "PostgreSQL stopped for 10 s", _stopped, **TEN),
    Fault("killed", "PostgreSQL killed, 2 s", _killed, **TEN),
    Fault("frozen", "PostgreSQL frozen for 12 s", _frozen, **TEN),
    Fault("elsewhere", "PostgreSQL elsewhere: established connections silent", _elsewhere, **TEN),
    Fault("redis-killed", "Redis killed, 8 s", _redis_killed, **TEN),
    Fault("redis-frozen", "Redis frozen for 8 s", _redis_frozen, **TEN),
    Fault("worker-killed", "a worker killed", _worker(signal.SIGKILL), kills=True, **TEN),
    Fault("node-killed", "a node killed, 3 s", _node(Node.kill, 0), kills=True, **TEN),
    Fault("node-ended", "a node ended, 3 s", _node(Node.stop, 1), kills=True, **TEN),
    Fault("carrier-frozen", "a carrier frozen for 12 s", _carrier_frozen, BREAK, **TEN),
    Fault("silent", "PostgreSQL silent for 10 s, new connections too", _silent),
    Fault("refused", "PostgreSQL refuses connections for 8 s", _refused),
    Fault("moved", "PostgreSQL moved to another port", _moved),
    Fault("cut", "PostgreSQL's connections reset, 5 times", _cut),
    Fault("ended", "PostgreSQL's connections ended, 5 times", _ended),
    Fault("cancelled", "PostgreSQL's statements cancelled for 8 s", _cancelled),
    Fault("slow", "PostgreSQL 0.1 s slower each way for 8 s", _slow),
    Fault("read-only", "PostgreSQL read-only for 8 s", _meanwhile(NO_WRITES, WRITES)),
    Fault("full", "PostgreSQL out of connections for 8 s", _full),
    Fault(
        "no-database",
        "the database takes no connections for 8 s",
        _meanwhile(
            "ALTER DATABASE portal ALLOW_CONNECTIONS false", "ALTER DATABASE portal ALLOW_CONNECTIONS true"
        ),
    ),
    Fault(
        "no-role",
        "the role may not log in for 8 s",
        _meanwhile("ALTER ROLE portal NOLOGIN", "ALTER ROLE portal LOGIN"),
    ),
    Fault("locked-brand", "the table of brands locked for 9 s", _locked("portal_brand")),
    Fault("locked-session", "the table of sessions locked for 9 s", _locked("django_session")),
    Fault("locked-figures", "the table of figures locked for 9 s", _locked("billing_keptstatement")),
    Fault("redis-full", "Redis full for 8 s", _redis_refuses("full")),
    Fault("redis-replica", "Redis a replica for 8 s", _redis_refuses("replica")),
    Fault("worker-frozen", "a worker frozen for 6 s", _worker(signal.SIGSTOP, 6)),
    Fault("node-frozen", "a node frozen for 5 s", _node_frozen),
    Fault("nginx-reloaded", "nginx reloaded", _nginx_reloaded),
    Fault("carrier-hangs", "carriers hang for 10 s", _carriers("hang"), BREAK),
    Fault("carrier-500", "carriers answer 500 for 10 s", _carriers("status", status=500), BREAK),
    Fault("carrier-drops", "carriers drop connections for 10 s", _carriers("drop_before"), BREAK),
    Fault("carrier-drips", "carriers answer byte by byte for 10 s", _carriers("drip_body"), BREAK),
    Fault("carrier-huge", "carriers answer without end for 10 s", _carriers("huge"), BREAK),
    Fault("carrier-html", "carriers answer HTML for 10 s", _carriers("html"), BREAK),
    Fault("mail-refused", "mail server refuses for 8 s", _server("mail", "refuse")),
    Fault("mail-drips", "mail server answers a byte each 2 s, 8 s", _server("mail", "drip", 2.0)),
    Fault("mail-silent", "mail server silent for 8 s", _server("mail", "silence_all")),
    Fault("google-refused", "Google refuses for 8 s", _server("google", "refuse")),
    Fault("google-drips", "Google answers a byte each 2 s, 8 s", _server("google", "drip", 2.0)),
    Fault("google-silent", "Google silent for 8 s", _server("google", "silence_all")),
    Fault("clock", "moments stored an hour ahead", _clock_ahead, BREAK),
)
