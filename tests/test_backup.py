"""What docs/backup.md says: a restored backup is a portal again, with its keys and a guarded audit trail."""

import contextlib
import os
import re
import secrets
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connection

from billing.models import MoveEvent
from tests.conftest import ROOT, app_of
from tests.moves import ask, staff_of

DOC = (ROOT / "docs" / "backup.md").read_text()
# What a start looks at, and what a restored portal must still know.
LOOK = """
from django.core.management import call_command
from billing.models import MoveEvent
from portal.models import Brand
call_command("check", "--deploy", databases=["default"])
call_command("migrate", "--check", verbosity=0)
print(Brand.objects.get().reveal("carrier_key"), MoveEvent.objects.count())
"""


def documented(pattern: str) -> str:
    """The command of the page that a test tries."""
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
def filled(threads: None, simulator: Any, aurora: Any, alice: Any) -> Any:
    """A brand with its key, a person with an authenticator app, a move with its audit trail."""
    sam = staff_of(aurora)
    app_of(sam)
    return ask(alice, sam)


def look(url: str) -> str:
    """Start on the restored database, as an installation with the same ENCRYPTION_KEY does."""
    python = f"{sys.executable} manage.py shell -v 0 -c '{LOOK}'"
    return run(python, DATABASE_URL=url, DJANGO_SETTINGS_MODULE="tests.settings")


def sqlite_restored(folder: Path) -> Iterator[str]:
    """The documented command, on a file whose newest rows are in its write-ahead log alone."""
    source, copy = folder / "portal.sqlite3", folder / "copy.sqlite3"
    with contextlib.closing(sqlite3.connect(source)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        connection.connection.backup(writer)
        command = documented(r"python3 -c 'import sqlite3.+?'")
        run(f"{command} {source} {copy}")
    source.unlink()
    yield f"sqlite:///{copy}"


def postgresql_restored(folder: Path) -> Iterator[str]:
    for program in ("pg_dump", "pg_restore"):
        if not shutil.which(program):
            (pytest.fail if os.environ.get("CI") else pytest.skip)(
                f"{program} is missing: apt-get install postgresql-client"
            )
    server = urlsplit(os.environ["DATABASE_URL"])
    source, restored = str(connection.settings_dict["NAME"]), f"restored_{secrets.token_hex(6)}"
    url = server._replace(path=f"/{restored}").geturl()
    dump = documented("pg_dump -Fc --no-owner --no-privileges")
    restore = documented("pg_restore --no-owner --no-privileges --exit-on-error")
    with psycopg.connect(server.geturl(), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{restored}"')
        try:
            run(f"{dump} -d '{server._replace(path=f'/{source}').geturl()}' > {folder}/portal.dump")
            run(f"{restore} -d '{url}' < {folder}/portal.dump")
            yield url
        finally:
            admin.execute(f'DROP DATABASE "{restored}" WITH (FORCE)')


def refused(url: str, statement: str) -> bool:
    """Whether the database itself refuses this, and says why."""
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


def test_a_restored_backup_is_a_portal_again(filled, tmp_path):
    restored = {"sqlite": sqlite_restored, "postgresql": postgresql_restored}[connection.vendor]
    with contextlib.contextmanager(restored)(tmp_path) as url:
        assert look(url).split()[-2:] == ["aurora-api-key", str(MoveEvent.objects.count())]
        assert refused(url, "UPDATE billing_moveevent SET note = 'forged'")
        assert refused(url, "DELETE FROM billing_moveevent")
