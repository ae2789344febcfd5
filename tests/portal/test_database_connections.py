"""PostgreSQL connections for pages: dead ones are replaced before use, and every wait has a timeout."""

import os
import subprocess
import sys

import psycopg
import pytest
from django.db import OperationalError, connection, transaction

from portal.core import database
from tests.conftest import AURORA, ROOT

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL has a pool"),
]


@pytest.fixture
def outside_connection():
    """A connection outside the pool."""
    parameters = connection.get_connection_params()
    options = {
        name: parameters[name]
        for name in ("host", "port", "user", "password", "dbname")
        if name in parameters
    }
    with psycopg.connect(autocommit=True, **options) as other:
        yield other


def test_terminated_connections_are_replaced_before_use(aurora, browse, outside_connection):
    client = browse(AURORA)
    assert client.get("/sign-in/").status_code == 200
    for _ in range(2):
        connection.close()
        taken = [connection.pool.getconn() for _ in range(8)]
        for each in taken:
            connection.pool.putconn(each)
        outside_connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"  # Waits until it has ended.
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert client.get("/sign-in/").status_code == 200


def fetch_value(query):
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


def test_server_cancels_a_statement_that_takes_too_long(monkeypatch):
    assert fetch_value("SHOW statement_timeout") == f"{database.STATEMENT_SECONDS}s"
    fetch_value("SELECT set_config('statement_timeout', '50ms', false)")
    with pytest.raises(OperationalError, match="statement timeout"):
        fetch_value("SELECT pg_sleep(60)")
    connection.close()


def test_silent_server_times_out_and_all_its_connections_are_replaced(monkeypatch):
    connection.close()
    first, second = (connection.pool.getconn() for _ in range(2))
    former = {each.info.backend_pid for each in (first, second)}
    connection.pool.putconn(first)
    connection.pool.putconn(second)
    monkeypatch.setattr(database, "ANSWER_SECONDS", 0.2)
    with pytest.raises(OperationalError):
        fetch_value("SELECT pg_sleep(5)")  # Like a silent server: no answer within the time.
    connection.close()
    monkeypatch.undo()
    third, fourth = (connection.pool.getconn() for _ in range(2))
    assert not former & {each.info.backend_pid for each in (third, fourth)}
    connection.pool.putconn(third)
    connection.pool.putconn(fourth)


def test_further_use_of_a_timed_out_connection_is_an_outage(
    monkeypatch,
):
    connection.close()
    monkeypatch.setattr(database, "ANSWER_SECONDS", 0.2)
    for _ in range(2):
        with pytest.raises(OperationalError) as caught:
            fetch_value("SELECT pg_sleep(5)")
        assert database.is_outage(caught.value)
    with pytest.raises(OperationalError), transaction.atomic():
        pass
    connection.close()


def test_commands_and_migrations_have_no_timeout_and_no_pool(tmp_path):
    names = connection.settings_dict
    host = f"{names['HOST'] or '127.0.0.1'}:{names['PORT'] or 5432}"
    url = f"postgres://{names['USER']}:{names['PASSWORD']}@{host}/{names['NAME']}"
    code = (
        "from django.db import connection\n"
        "with connection.cursor() as cursor:\n"
        "    cursor.execute('SHOW statement_timeout')\n"
        "    print(cursor.fetchone()[0], connection.pool)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PORTAL_PAGES"}
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", code],
        cwd=ROOT,
        env={**environment, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "portal.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["0", "None"]
