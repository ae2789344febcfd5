"""Connections of the pool: one that the server has ended is replaced before anybody needs it."""

import psycopg
import pytest
from django.db import connection

from tests.conftest import AURORA

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL has a pool"),
]


@pytest.fixture
def others():
    """A connection beside the pool."""
    parameters = connection.get_connection_params()
    wanted = {
        name: parameters[name]
        for name in ("host", "port", "user", "password", "dbname")
        if name in parameters
    }
    with psycopg.connect(autocommit=True, **wanted) as beside:
        yield beside


def test_connections_that_the_server_has_ended_cost_nobody_a_page(aurora, browse, others):
    client = browse(AURORA)
    assert client.get("/sign-in/").status_code == 200
    for _ in range(2):
        connection.close()
        taken = [connection.pool.getconn() for _ in range(8)]
        for each in taken:
            connection.pool.putconn(each)
        others.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"  # Waits until it has ended.
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert client.get("/sign-in/").status_code == 200


def test_a_connection_that_works_is_not_asked_whether_it_does(aurora, browse, monkeypatch):
    asked, real = [], psycopg.Connection.execute
    monkeypatch.setattr(
        psycopg.Connection,
        "execute",
        lambda self, query, *rest, **options: asked.append(query) or real(self, query, *rest, **options),
    )
    client = browse(AURORA)
    for _ in range(3):
        connection.close()
        assert client.get("/sign-in/").status_code == 200
    assert "" not in asked
