"""The queue of the worker (huey), in the database: a file beside SQLite's, or tables of PostgreSQL."""

from functools import partial
from pathlib import Path
from typing import Any

from huey import Huey, MemoryHuey, PostgresHuey, SqliteHuey  # type: ignore[import-untyped]
from huey.serializer import SignedSerializer  # type: ignore[import-untyped]

from portal.core.database import Connection

_OF_DJANGO = ("assume_role", "isolation_level", "pool", "server_side_binding")


def from_database(config: dict[str, Any], secret: str) -> Huey:
    """Return the queue for Django's settings of a database. It connects when it is first used.

    Messages are pickled by huey, so each is signed: who can write to the queue cannot run code of their own.
    """
    options = {"results": False, "serializer": SignedSerializer(secret=secret, salt="portal.jobs")}
    if config["ENGINE"] == "django.db.backends.sqlite3":
        if config["NAME"] == ":memory:":
            return MemoryHuey("portal", **options)
        file = Path(config["NAME"]).with_suffix(".jobs.sqlite3")
        return SqliteHuey("portal", filename=str(file), fsync=True, create_tables=False, **options)
    # A silent server is given up as by pages. No prepared statements, for PgBouncer.
    connect = partial(Connection.connect, prepare_threshold=None, **_parameters(config))
    return PostgresHuey("portal", connection=connect, create_tables=False, **options)


def _parameters(config: dict[str, Any]) -> dict[str, Any]:
    """Return libpq's parameters, without Django's own."""
    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    found = {name: config[key] for name, key in names.items() if config.get(key)}
    return found | {name: value for name, value in config["OPTIONS"].items() if name not in _OF_DJANGO}
