"""The pool of connections to PostgreSQL: what settings say of it, and what its connections are."""

import select
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool


class Connection(psycopg.Connection[Any]):
    """One that, asked by its pool whether it still works, does not ask the server where nothing is amiss.

    The pool asks before each request, by an empty query (psycopg_pool, `ConnectionPool.check_connection`). A
    server that ends a connection says so, or its machine does: then there is something to read, and only then
    the question is worth a round trip. It has ended the others too, probably: the pool looks through them at
    once, for it waits longer with each that it finds dead.
    """

    def execute(self, query: Any, *values: Any, **options: Any) -> psycopg.Cursor[Any]:
        """psycopg's, but for an empty query."""
        if query == "":
            if not self._has_something_to_read():
                return self.cursor()
            if isinstance(self._pool, ConnectionPool):  # Only of one that has just been taken out.
                self._pool.check()
        return super().execute(query, *values, **options)

    def _has_something_to_read(self) -> bool:
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        return bool(poll.poll(0))


# A pool per process, since most threads wait for something else than the database; see portal.bulkhead.
# Whoever gets no connection within `timeout` seconds is told that we are not there.
POOL = {"min_size": 1, "max_size": 10, "timeout": 5, "connection_class": Connection}
