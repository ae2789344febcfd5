"""A PostgreSQL server for one test, which can be stopped, killed, frozen and started again."""

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
from tests.support.processes import children, send_signal

HOW_TO_GET_IT = "PostgreSQL's initdb is missing: `apt-get install postgresql`."
# Durability after a power failure is not needed; a killed process loses nothing.
OPTIONS = ("fsync=off", "full_page_writes=off", "listen_addresses=127.0.0.1", "max_connections=100")


def bin_folder() -> str:
    """Return the folder of initdb and postgres; empty if not installed."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb")) or [shutil.which("initdb") or ""]
    return str(Path(found[-1]).parent) if found[-1] else ""


def unprivileged_user() -> dict[str, Any]:
    """Return options for subprocess: PostgreSQL refuses to run as root."""
    if os.getuid():
        return {}
    names = [each.pw_name for each in pwd.getpwall()]
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class PostgresServer:
    """A server in its own folder, with a database `portal` of an unprivileged role `portal`."""

    def __init__(self) -> None:
        if not bin_folder():
            (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW_TO_GET_IT)
        self.folder, self.port, self._as = (
            tempfile.mkdtemp(prefix="own-postgres-"),
            free_port(),
            unprivileged_user(),
        )
        if self._as:
            os.chown(self.folder, self._as["user"], self._as["group"])
        atexit.register(self.close)  # For a process that ends before it calls close.
        self._make()

    def _make(self) -> None:
        command = [f"{bin_folder()}/initdb", "-D", f"{self.folder}/data", "-U", "postgres", "-A", "trust"]
        command += ["-E", "UTF8", "--locale=C", "--no-sync"]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, **self._as)
        assert done.returncode == 0, done.stderr
        self.start()
        self.run("CREATE ROLE portal LOGIN", "CREATE DATABASE portal OWNER portal")

    def url(self, port: int = 0) -> str:
        """Return the DATABASE_URL; the port is that of a proxy, if there is one in front."""
        return f"postgres://portal@127.0.0.1:{port or self.port}/portal"

    @contextlib.contextmanager
    def admin_connection(self, database: str = "portal") -> Iterator[psycopg.Connection[Any]]:
        """Open a connection as administrator, bypassing every proxy."""
        url = f"postgres://postgres@127.0.0.1:{self.port}/{database}"
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection

    def run(self, *statements: str) -> None:
        """Execute statements as administrator."""
        with self.admin_connection("postgres") as connection:
            for statement in statements:
                connection.execute(statement)

    def end_connections(self) -> None:
        """End all connections of the portal."""
        self.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'portal'")

    def start(self, port: int = 0) -> None:
        """Start it, on another port if one is given, and wait until it accepts connections."""
        self.port = port or self.port
        command = [
            f"{bin_folder()}/postgres",
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
            with contextlib.suppress(psycopg.OperationalError), self.admin_connection("postgres"):
                return
            time.sleep(0.02)
        raise AssertionError(Path(f"{self.folder}/log").read_text())

    def _signal(self, number: signal.Signals) -> None:
        """Signal the postmaster and its children, each of which has its own session."""
        send_signal([self.process.pid, *children(self.process.pid)], number)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End connections and the server; SIGQUIT: without cleaning up."""
        self.process.send_signal(how)
        self.process.wait(timeout=30)

    def kill(self) -> None:
        """Kill everything at once, as in a crash; the next start has to recover."""
        self.freeze()  # So that it starts no further child.
        self._signal(signal.SIGKILL)
        self.process.wait(timeout=10)

    def freeze(self) -> None:
        """Freeze it: the kernel still accepts connections and bytes, but nothing answers."""
        os.kill(self.process.pid, signal.SIGSTOP)
        self._signal(signal.SIGSTOP)

    def unfreeze(self) -> None:
        """Let a frozen server continue."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        """End it and delete its folder."""
        if hasattr(self, "process") and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.close)
