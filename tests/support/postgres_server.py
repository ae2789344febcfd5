"""A PostgreSQL server of a test's own: stopped, killed, frozen and started again, whatever runs beside it."""

import atexit
import contextlib
import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.ports import free_port
from tests.support.processes import children, tell

HOW_TO_GET_IT = "PostgreSQL's initdb is missing: `apt-get install postgresql`."
# What is lost with the power need not be kept; what is lost with a process is not lost.
OPTIONS = ("fsync=off", "full_page_writes=off", "listen_addresses=127.0.0.1", "max_connections=100")


def programs() -> str:
    """The folder of initdb and postgres; empty where there is none."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb")) or [shutil.which("initdb") or ""]
    return str(Path(found[-1]).parent) if found[-1] else ""


def nobody_special() -> dict[str, Any]:
    """Options for subprocess: PostgreSQL refuses to run as root."""
    if os.getuid():
        return {}
    names = [each.pw_name for each in pwd.getpwall()]
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class OwnPostgres:
    """A server in a folder of its own, with a database `portal` of a role `portal` that is nobody special."""

    def __init__(self) -> None:
        if not programs():
            (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW_TO_GET_IT)
        self.folder, self.port, self._as = (
            tempfile.mkdtemp(prefix="own-postgres-"),
            free_port(),
            nobody_special(),
        )
        if self._as:
            os.chown(self.folder, self._as["user"], self._as["group"])
        atexit.register(self.close)  # For whoever ends before they come to it.
        self._make()

    def _make(self) -> None:
        command = [f"{programs()}/initdb", "-D", f"{self.folder}/data", "-U", "postgres", "-A", "trust"]
        command += ["-E", "UTF8", "--locale=C", "--no-sync"]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, **self._as)
        assert done.returncode == 0, done.stderr
        self.start()
        self.run("CREATE ROLE portal LOGIN", "CREATE DATABASE portal OWNER portal")

    def url(self, port: int = 0) -> str:
        """For DATABASE_URL; the port is a proxy's, where one stands before it."""
        return f"postgres://portal@127.0.0.1:{port or self.port}/portal"

    @contextlib.contextmanager
    def beside(self, database: str = "portal") -> Iterator[psycopg.Connection[Any]]:
        """A connection of the database's administrator, past every proxy."""
        wanted = f"postgres://postgres@127.0.0.1:{self.port}/{database}"
        with psycopg.connect(wanted, autocommit=True) as connection:
            yield connection

    def run(self, *statements: str) -> None:
        """Do something as its administrator."""
        with self.beside("postgres") as connection:
            for statement in statements:
                connection.execute(statement)

    def end_connections(self) -> None:
        """End all of the portal's."""
        self.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'portal'")

    def start(self, port: int = 0) -> None:
        """Start it, on another port if one is named, and wait until it takes connections."""
        self.port = port or self.port
        command = [
            f"{programs()}/postgres",
            "-D",
            f"{self.folder}/data",
            "-p",
            str(self.port),
            "-k",
            self.folder,
        ]
        for option in OPTIONS:
            command += ["-c", option]
        with Path(f"{self.folder}/log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, stdout=log, stderr=log, start_new_session=True, **self._as
            )
        until = time.monotonic() + 30
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(psycopg.OperationalError), self.beside("postgres"):
                return
            time.sleep(0.02)
        raise AssertionError(Path(f"{self.folder}/log").read_text())

    def _signal(self, number: signal.Signals) -> None:
        """To the postmaster and its children, each of which has a session of its own."""
        tell([self.process.pid, *children(self.process.pid)], number)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End connections and itself; SIGQUIT: without cleaning up."""
        self.process.send_signal(how)
        self.process.wait(timeout=30)

    def kill(self) -> None:
        """Everything at once, as if it had crashed; it has to recover when it starts."""
        self.hold()  # Nobody may start another child meanwhile.
        self._signal(signal.SIGKILL)
        self.process.wait(timeout=10)

    def hold(self) -> None:
        """Let the kernel take connections and bytes, and nobody answer."""
        os.kill(self.process.pid, signal.SIGSTOP)
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End it, and leave nothing."""
        if hasattr(self, "process") and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.close)
