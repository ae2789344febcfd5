"""PostgreSQL as the web processes use it: a pool of connections, and no wait on it without an end.

A server that is slow ends a statement itself (STATEMENT_SECONDS). One that is frozen, or gone without a word
behind a proxy that still acknowledges, says nothing at all: then the wait for its answer ends here
(ANSWER_SECONDS), and every pooled connection of that time is replaced. Commands and migrations, which may
need longer, have neither of these limits and no pool.
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
# A thread may take up another silent connection just before the first is given up: twice this is the longest.
ANSWER_SECONDS = 6.5

# A machine that is gone is noticed by the kernel: unacknowledged data after ten seconds, silence after 25.
_TCP = {"tcp_user_timeout": 10_000, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}


class Connection(psycopg.Connection[TupleRow]):
    """A pooled connection that waits for each answer for ANSWER_SECONDS at most.

    No parameter of libpq bounds that: `statement_timeout` is the server's, and TCP's are about packets.
    """

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """psycopg's, which waits without an end by default."""
        try:
            return super().wait(gen, interval, timeout or ANSWER_SECONDS)
        except psycopg.OperationalError:
            silent = self.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE
            if timeout is None and (silent or self.broken):
                replace_connections()  # Those beside it will be no better.
                self.close()  # Whoever goes on with it finds it gone, and not in the middle of an answer.
            raise


def from_url(url: str) -> dict[str, Any]:
    """Django's settings for SQLite or PostgreSQL; else KeyError, ValueError or UserWarning."""
    with warnings.catch_warnings(action="error"):  # A warning would print the URL, and a password is in it.
        config: dict[str, Any] = environ.Env.db_url_config(url)
    if config.get("ENGINE") not in ("django.db.backends.sqlite3", "django.db.backends.postgresql"):
        raise ValueError("neither SQLite nor PostgreSQL")
    if not config.get("NAME"):
        raise ValueError("no database is named")
    return config


def is_outage(error: BaseException | None) -> bool:
    """Whether the database did not answer, in time or at all, or takes nothing."""
    if not isinstance(error, OperationalError | InterfaceError):
        return is_replica(error)
    # To SQLite a statement that cannot work, as of a missing table, is an OperationalError too.
    return getattr(error.__cause__, "sqlite_errorcode", None) != sqlite3.SQLITE_ERROR


def is_replica(error: BaseException | None) -> bool:
    """Whether the connection leads to a server that has become a replica, and takes nothing."""
    return isinstance(error, InternalError) and isinstance(error.__cause__, ReadOnlySqlTransaction)


def replace_connections() -> None:
    """Close every pooled connection, those in use as soon as they come back, and connect again."""
    for connection in connections.all():
        if pool := getattr(connection, "pool", None):
            pool.drain()


def options(given: dict[str, Any], *, pages: bool, waiting: int) -> dict[str, Any]:
    """What OPTIONS of a PostgreSQL database are; those `given` in DATABASE_URL win.

    `pages`: this process answers visitors. `waiting`: how many threads may wait for a connection; the next
    one is refused at once, so that some thread is always left for a page that needs no row.
    """
    base: dict[str, Any] = {"connect_timeout": 3, **_TCP}
    if pages:
        base["pool"] = {
            "connection_class": Connection,
            "min_size": 1,
            "max_size": 10,
            "timeout": 5,  # Seconds until a thread that gets no connection answers 503.
            "max_waiting": waiting,
            "reconnect_timeout": 5,  # Seconds; the delay between two tries grows to no more than that.
        }
        limit = f"-c statement_timeout={STATEMENT_SECONDS}s"
        base["options"] = " ".join(filter(None, [limit, given.get("options")]))
        given = {name: value for name, value in given.items() if name != "options"}
    return base | given
