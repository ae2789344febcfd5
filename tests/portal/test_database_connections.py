"""PostgreSQL for pages: dead connections are replaced before anybody needs them, and no wait is endless."""

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


def answer_to(query):
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


def test_the_server_ends_a_statement_of_a_page_that_takes_too_long(monkeypatch):
    assert answer_to("SHOW statement_timeout") == f"{database.STATEMENT_SECONDS}s"
    answer_to("SELECT set_config('statement_timeout', '50ms', false)")
    with pytest.raises(OperationalError, match="statement timeout"):
        answer_to("SELECT pg_sleep(60)")
    connection.close()


def test_a_server_that_says_nothing_is_given_up_and_all_connections_of_that_time_are_replaced(monkeypatch):
    connection.close()
    first, second = (connection.pool.getconn() for _ in range(2))
    former = {each.info.backend_pid for each in (first, second)}
    connection.pool.putconn(first)
    connection.pool.putconn(second)
    monkeypatch.setattr(database, "ANSWER_SECONDS", 0.2)
    with pytest.raises(OperationalError):
        answer_to("SELECT pg_sleep(5)")  # As good as silence: nothing comes within the time.
    connection.close()
    monkeypatch.undo()
    third, fourth = (connection.pool.getconn() for _ in range(2))
    assert not former & {each.info.backend_pid for each in (third, fourth)}
    connection.pool.putconn(third)
    connection.pool.putconn(fourth)


def test_whoever_goes_on_with_a_connection_that_was_given_up_meets_an_outage_and_no_fault_of_ours(
    monkeypatch,
):
    connection.close()
    monkeypatch.setattr(database, "ANSWER_SECONDS", 0.2)
    for _ in range(2):
        with pytest.raises(OperationalError) as caught:
            answer_to("SELECT pg_sleep(5)")
        assert database.is_outage(caught.value)
    with pytest.raises(OperationalError), transaction.atomic():
        pass
    connection.close()


def test_commands_and_migrations_have_neither_limits_nor_a_pool(tmp_path):
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
