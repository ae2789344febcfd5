"""The commands of docs/backup.md: a restored backup is a working portal with its keys and audit trail."""

import contextlib
import os
import re
import secrets
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connection

from billing.models import MoveEvent
from tests.conftest import ROOT, app_of
from tests.support.transfers import ask, staff_of

pytestmark = pytest.mark.database

DOC = (ROOT / "docs" / "backup.md").read_text()
AT_ONCE, AT_NIGHT, AS_POSTGRES = (
    r"\( umask 077; D=.+",
    r"(?<=root )umask 077; D=.+",
    "runuser -u postgres -- ",
)
# What a start checks, and what a restored portal must still be able to read.
CHECK_CODE = """
from django.core.management import call_command
from billing.models import MoveEvent
from portal.models import Brand
call_command("check", "--deploy", databases=["default"])
call_command("migrate", "--check", verbosity=0)
print(Brand.objects.get().reveal("carrier_key"), MoveEvent.objects.count())
"""


def documented(pattern: str) -> str:
    """Return the documented command that matches the pattern."""
    found = re.search(pattern, DOC)
    assert found, f"docs/backup.md no longer holds {pattern!r}"
    return found[0]


def run(command: str, **environment: str) -> str:
    done = subprocess.run(
        ["bash", "-euc", command],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture
def existing_data(threads: None, simulator: Any, aurora: Any, alice: Any) -> Any:
    """A brand with its key, a staff user with an authenticator app, and a transfer with its audit trail."""
    sam = staff_of(aurora)
    app_of(sam)
    return ask(alice, sam)


def check_restored(url: str) -> str:
    """Start on the restored database, as an installation with the same ENCRYPTION_KEY does."""
    python = f"{sys.executable} manage.py shell -v 0 -c '{CHECK_CODE}'"
    return run(python, DATABASE_URL=url, DJANGO_SETTINGS_MODULE="tests.settings")


def adapt(folder: Path, command: str, changes: Mapping[str, object]) -> str:
    """Return a documented command with this backup folder and other replacements."""
    command = f"D={folder}; {command.replace('D=/var/backups/portal', f'D={folder}')}".replace("\\%", "%")
    for original, replacement in changes.items():
        assert original in command, f"docs/backup.md no longer holds {original!r}"
        command = command.replace(original, str(replacement))
    return command


def restore_sqlite(folder: Path) -> Iterator[str]:
    """Run the documented command on a file whose newest rows are only in its write-ahead log."""
    source = folder / "portal.db"
    with contextlib.closing(sqlite3.connect(source)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        connection.connection.backup(writer)
        assert run(adapt(folder, documented(r"test -s .+"), {"/var/lib/portal/db.sqlite3": source})) == "ok\n"
    source.unlink()
    (copy,) = folder.glob("*.sqlite3")
    yield f"sqlite:///{copy}"


def restore_postgresql(folder: Path) -> Iterator[str]:
    for program in ("pg_dump", "pg_restore"):
        if not shutil.which(program):
            (pytest.fail if os.environ.get("CI") else pytest.skip)(
                f"{program} is missing: apt-get install postgresql-client"
            )
    server = urlsplit(os.environ["DATABASE_URL"])
    source, restored = str(connection.settings_dict["NAME"]), f"restored_{secrets.token_hex(6)}"
    url = server._replace(path=f"/{restored}").geturl()
    restore = documented("pg_restore --no-owner --no-privileges --exit-on-error")
    with psycopg.connect(server.geturl(), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{restored}"')
        try:
            complete = f"-d '{server._replace(path=f'/{source}').geturl()}' >"
            run(adapt(folder, documented(AT_ONCE), {AS_POSTGRES: "", "portal >": complete}))
            run(f"{restore} -d '{url}' < {folder}/*.dump")
            yield url
        finally:
            admin.execute(f'DROP DATABASE "{restored}" WITH (FORCE)')


def is_refused(url: str, statement: str) -> bool:
    """Return True if the database itself refuses this statement, naming the reason."""
    with contextlib.ExitStack() as stack:
        if url.startswith("sqlite"):
            database: Any = stack.enter_context(
                contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///")))
            )
        else:
            database = stack.enter_context(psycopg.connect(url))
        try:
            database.execute(statement)
        except (sqlite3.DatabaseError, psycopg.Error) as error:
            database.rollback()
            return "append-only" in str(error)
    return False


def test_restored_backup_is_a_working_portal(existing_data, tmp_path):
    restored = {"sqlite": restore_sqlite, "postgresql": restore_postgresql}[connection.vendor]
    folder = tmp_path / "kept"
    folder.mkdir()
    with contextlib.contextmanager(restored)(folder) as url:
        assert check_restored(url).split()[-2:] == ["aurora-api-key", str(MoveEvent.objects.count())]
        assert is_refused(url, "UPDATE billing_moveevent SET note = 'forged'")
        assert is_refused(url, "DELETE FROM billing_moveevent")


@pytest.mark.parametrize("command", [AT_ONCE, AT_NIGHT])
def test_failed_dump_does_not_replace_the_newest_complete_one(tmp_path, command):
    def run_dump(program: str) -> list[str]:
        """Return the dumps kept after a pg_dump that does this, on another day."""
        folder, tool = tmp_path / "kept", tmp_path / "pg_dump"
        folder.mkdir(exist_ok=True)
        tool.write_text(f"#!/bin/sh\n{program}\n")
        tool.chmod(0o755)
        command_line = adapt(
            folder,
            documented(command),
            {AS_POSTGRES: f"{tmp_path}/", "date +%F-%H%M": f"date +%F-{program[-1]}"},
        )
        subprocess.run(["bash", "-c", command_line], check=False)
        return [path.read_text() for path in sorted(folder.glob("*.dump"))]

    assert run_dump("echo whole; exit 0") == ["whole\n"]
    assert run_dump("echo half; exit 1") == ["whole\n"]
    assert run_dump("echo whole again; true 2") == ["whole\n", "whole again\n"]


@pytest.mark.parametrize("missing", [True, False])
def test_copy_of_a_missing_database_leaves_no_file(tmp_path, missing):
    source = tmp_path / "portal.db"
    if not missing:
        source.touch()
    command_line = adapt(tmp_path, documented(r"test -s .+"), {"/var/lib/portal/db.sqlite3": source})
    assert subprocess.run(["bash", "-c", command_line], check=False).returncode
    assert list(tmp_path.glob("*.sqlite3")) == []
