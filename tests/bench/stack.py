"""The benchmark environment: own databases, a brand with customers, and servers on free ports."""

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
    """URLs and session keys used by the benchmarks."""

    portal: str  # DATABASE_URL of the portal.
    reference: str
    redis: str
    carrier: Simulator
    cookies: dict[str, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)  # Sessions of customers without cached statements.


def environment(world: World, **changes: str) -> dict[str, str]:
    """Return a production environment, except for plain http on this machine."""
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
    """Run Python and return its output. Raises SystemExit if it fails."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)[:80]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


@contextlib.contextmanager
def world(DATABASE_URL: str = "", REDIS_URL: str = "") -> Iterator[World]:
    """Create everything on the given servers, and remove it afterwards."""
    postgres = DATABASE_URL or POSTGRES
    names = {kind: f"bench_{kind}_{secrets.token_hex(4)}" for kind in ("portal", "reference")}
    with psycopg.connect(postgres, autocommit=True) as connection:
        for name in names.values():
            connection.execute(f'CREATE DATABASE "{name}"')
    urls = {kind: urlsplit(postgres)._replace(path=f"/{name}").geturl() for kind, name in names.items()}
    process, carrier = start_simulator()
    try:
        bench = World(**urls, redis=REDIS_URL or REDIS, carrier=carrier)
        env = environment(bench)
        python(env, "manage.py", "migrate", "-v0")
        python(env, "manage.py", "collectstatic", "--no-input", "-v0")
        keys = python(env, "-m", "tests.bench.seed", carrier.api).split()
        bench.cookies = dict(zip(("customer", "operator"), keys[:2], strict=True))
        bench.others = keys[2:]
        bench.cookies["reference"] = python(
            env | {"DATABASE_URL": bench.reference}, "-m", "tests.bench.reference"
        ).split()[-1]
        yield bench
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
        """Return the process IDs of its workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(child) for child in children.split()]


GUNICORN = ["-m", "gunicorn", "-c", "portal/gunicorn.py", "--no-control-socket"]


@contextlib.contextmanager
def server(env: dict[str, str], command: list[str], path: str) -> Iterator[Server]:
    """Start a server and wait until it answers on the port in BIND."""
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
