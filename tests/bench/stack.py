"""The bench's world: databases of its own, a brand with its customers, and servers on free ports."""

import contextlib
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from tests.bench.client import get
from tests.conftest import ROOT, Simulator, start_simulator, stop_simulator

HOST, ADMIN = "aurora.localhost", "admin.localhost"
POSTGRES, REDIS = "postgres://postgres@127.0.0.1:5432/postgres", "redis://127.0.0.1:6379/15"


@dataclass
class World:
    """Addresses and keys that the parts of the bench need."""

    portal: str  # The environment's database.
    reference: str
    redis: str
    carrier: Simulator
    cookies: dict[str, str] = field(default_factory=dict)
    crowd: list[str] = field(default_factory=list)  # Sessions of customers without kept figures.


def environment(world: World, **changes: str) -> dict[str, str]:
    """As in production, but for plain http on this machine."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "SCHEME": "http",
        "SECRET_KEY": "only-for-the-bench-" * 3,
        "ENCRYPTION_KEY": "a passphrase for the bench",
        "EMAIL_URL": "memorymail://",
        "ADMIN_HOSTS": ADMIN,
        "DATABASE_URL": world.portal,
        "REDIS_URL": world.redis,
        "WEB_CONCURRENCY": "2",
        "LOG_FORMAT": "json",
        **changes,
    }


def python(env: dict[str, str], *arguments: str) -> str:
    """What a Python process says."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)[:80]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


@contextlib.contextmanager
def world(DATABASE_URL: str = "", REDIS_URL: str = "") -> Iterator[World]:
    """Everything made, and taken away again; on the servers that are named."""
    postgres = DATABASE_URL or POSTGRES
    names = {kind: f"bench_{kind}_{secrets.token_hex(4)}" for kind in ("portal", "reference")}
    with psycopg.connect(postgres, autocommit=True) as connection:
        for name in names.values():
            connection.execute(f'CREATE DATABASE "{name}"')
    urls = {kind: urlsplit(postgres)._replace(path=f"/{name}").geturl() for kind, name in names.items()}
    process, carrier = start_simulator()
    try:
        made = World(**urls, redis=REDIS_URL or REDIS, carrier=carrier)
        env = environment(made)
        python(env, "manage.py", "migrate", "-v0")
        python(env, "manage.py", "collectstatic", "--no-input", "-v0")
        keys = python(env, "-m", "tests.bench.seed", carrier.api).split()
        made.cookies = dict(zip(("customer", "operator"), keys[:2], strict=True))
        made.crowd = keys[2:]
        made.cookies["reference"] = python(
            env | {"DATABASE_URL": made.reference}, "-m", "tests.bench.reference"
        ).split()[-1]
        yield made
    finally:
        stop_simulator(process)
        with psycopg.connect(postgres, autocommit=True) as connection:
            for name in names.values():
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@dataclass
class Server:
    """A running server."""

    port: int
    process: subprocess.Popen[bytes]
    seconds: float  # From its start to its first page.

    def workers(self) -> list[int]:
        """The process numbers of its workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(child) for child in children.split()]


GUNICORN = ["-m", "gunicorn", "-c", "portal/gunicorn.py", "--no-control-socket"]


@contextlib.contextmanager
def server(env: dict[str, str], command: list[str], path: str) -> Iterator[Server]:
    """Started, and asked until it answers; its port is in BIND, and for granian in the command."""
    port = int(env["BIND"].rpartition(":")[2])
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while True:
            with contextlib.suppress(OSError):
                if get(port, path)[0] == 200:
                    break
            if process.poll() is not None or time.monotonic() - began > 20:
                raise SystemExit(f"no server: {' '.join(command)}")
            time.sleep(0.02)
        yield Server(port, process, time.monotonic() - began)
    finally:
        process.terminate()
        try:
            process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            process.kill()
