"""Configure database connections: a pool for web processes, and a timeout for every wait.

A slow PostgreSQL server cancels a statement itself (STATEMENT_SECONDS). A frozen one, or one that has
vanished behind a proxy that still acknowledges, does not answer at all: then the client stops waiting
(ANSWER_SECONDS) and replaces all pooled connections. Commands and migrations may need longer and have neither
limit nor pool.
"""

import sqlite3
import warnings
from typing import Any

import environ
import psycopg
from django.db import InterfaceError, InternalError, OperationalError, connections
from psycopg.errors import ReadOnlySqlTransaction
from psycopg.rows import TupleRow

STATEMENT_SECONDS = 5
# A thread may take a second silent connection just before the first is given up: it waits twice this at most.
ANSWER_SECONDS = 6.5

# The kernel notices a lost machine: after ten seconds of unacknowledged data, or after 25 seconds of silence.
_TCP = {"tcp_user_timeout": 10_000, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}


class Connection(psycopg.Connection[TupleRow]):
    """A pooled connection that waits at most ANSWER_SECONDS for each answer.

    No parameter of libpq limits that: `statement_timeout` is the server's, and TCP timeouts are about
    packets.
    """

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait as psycopg does, but with a default timeout; psycopg has none."""
        try:
            return super().wait(gen, interval, timeout or ANSWER_SECONDS)
        except psycopg.OperationalError:
            silent = self.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE
            if timeout is None and (silent or self.broken):
                replace_connections()  # The others are probably silent too.
                self.close()  # The next user finds it closed, not in the middle of an answer.
            raise


def from_url(url: str) -> dict[str, Any]:
    """Return Django's settings for SQLite or PostgreSQL. Raise KeyError, ValueError or UserWarning."""
    with warnings.catch_warnings(action="error"):  # A warning would print the URL with its password.
        config: dict[str, Any] = environ.Env.db_url_config(url)
    if config.get("ENGINE") not in ("django.db.backends.sqlite3", "django.db.backends.postgresql"):
        raise ValueError("neither SQLite nor PostgreSQL")
    if not config.get("NAME"):
        raise ValueError("no database is named")
    return config


def is_outage(error: BaseException | None) -> bool:
    """Return True if the database did not answer, did not answer in time, or accepts no writes."""
    if not isinstance(error, OperationalError | InterfaceError):
        return is_replica(error)
    # SQLite also raises OperationalError for a wrong statement, such as one with a missing table.
    return getattr(error.__cause__, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR


def is_replica(error: BaseException | None) -> bool:
    """Return True if the server has become a replica, which accepts no writes."""
    return isinstance(error, InternalError) and isinstance(error.__cause__, ReadOnlySqlTransaction)


def replace_connections() -> None:
    """Close every pooled connection, those in use as soon as they are returned, and open new ones."""
    for connection in connections.all():
        if pool := getattr(connection, "pool", None):
            pool.drain()


def options(overrides: dict[str, Any], *, pages: bool, waiting: int) -> dict[str, Any]:
    """Return the OPTIONS of a PostgreSQL database. `overrides` are those in DATABASE_URL.

    `pages`: this process answers visitors. `waiting`: how many threads may wait for a connection. The next
    one is refused at once, so that some thread is always left for a page that needs no database.
    """
    base: dict[str, Any] = {"connect_timeout": 3, **_TCP}
    if pages:
        base["pool"] = {
            "connection_class": Connection,
            "min_size": 1,
            "max_size": 10,
            "timeout": 5,  # Seconds; then a thread without a connection answers 503.
            "max_waiting": waiting,
            "reconnect_timeout": 5,  # Seconds; the longest delay between two attempts to connect.
        }
        limit = f"-c statement_timeout={STATEMENT_SECONDS}s"
        base["options"] = " ".join(filter(None, [limit, overrides.get("options")]))
        overrides = {name: value for name, value in overrides.items() if name != "options"}
    return base | overrides
