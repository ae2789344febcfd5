"""Database outages: every page answers 503, never 500, whichever statement fails."""

import itertools
import sqlite3
import threading
from contextlib import contextmanager
from types import SimpleNamespace

import psycopg.errors
import pytest
from django.contrib.auth.hashers import check_password, make_password
from django.core.cache import caches
from django.core.cache.backends import base, locmem
from django.db import InterfaceError, InternalError, OperationalError, ProgrammingError, connection

from portal.brands import lookup
from portal.core import database
from portal.models import Attempt, Brand
from portal.resilience import bulkhead, rate_limits
from tests.conftest import ADMIN, AURORA
from tests.support.customer_flow import send, sign_up_form, words

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

MOST_STATEMENTS = 60
FAULTS = [OperationalError("gone"), InterfaceError("closed")]


@contextmanager
def failing_from(nth, error):
    """Let every statement from the nth on fail; yield the list of statements."""
    statements = []

    def gate(execute, sql, params, many, context):
        statements.append(sql)
        if len(statements) >= nth:
            raise error
        return execute(sql, params, many, context)

    with connection.execute_wrapper(gate):
        yield statements


def answers_per_failing_statement(ask, error=FAULTS[0]):
    """Return the answers when the first statement fails, then the second, … until none is left."""
    found = []
    for nth in range(1, MOST_STATEMENTS):
        with failing_from(nth, error) as statements:
            answer = ask()
            if answer.streaming:
                b"".join(answer.streaming_content)
        found.append(answer)
        if len(statements) < nth:
            return found
    raise AssertionError("the page asks the database too often for this test")


@pytest.mark.parametrize(
    "path", ["/", "/sign-in/", "/sign-up/", "/statement/", "/statement.pdf", "/account/"]
)
def test_customer_page_is_never_500_whichever_statement_fails(path, simulator, alice, browse):
    browse(AURORA, alice).get("/")  # So that figures are known.
    client = browse(AURORA, alice)
    client.raise_request_exception = False
    answers = answers_per_failing_statement(lambda: client.get(path))
    assert {answer.status_code for answer in answers} <= {200, 302, 503}
    assert answers[0].status_code == 503
    assert "We'll be back soon" in words(answers[0])
    assert "Nothing has changed." in words(answers[0])
    assert answers[0]["Retry-After"]


@pytest.mark.parametrize(
    "path", ["/admin/", "/admin/accounts/user/", "/admin/portal/brand/", "/admin/security/"]
)
@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
def test_staff_page_is_never_500_whichever_statement_fails(path, error, aurora, operator, browse, caplog):
    client = browse(ADMIN, operator)
    client.raise_request_exception = False
    answers = answers_per_failing_statement(lambda: client.get(path), error)
    assert {answer.status_code for answer in answers} <= {200, 302, 503}
    assert answers[0].status_code == 503
    assert "database not reached" in caplog.text
    assert "Traceback" not in caplog.text


def test_form_that_fails_half_way_says_that_it_may_have_worked(simulator, aurora, browse):
    client = browse(AURORA)
    client.raise_request_exception = False
    numbers = itertools.count()

    def sign_up():
        rate_limits.forget()
        form = sign_up_form(simulator.token(), email=f"dora{next(numbers)}@example.com")
        return send(client, "/sign-up/", form)

    answers = answers_per_failing_statement(sign_up)
    assert {answer.status_code for answer in answers} <= {302, 503}
    failed = [words(answer) for answer in answers if answer.status_code == 503]
    assert any("may or may not have worked. Check before you send it again" in text for text in failed)


def test_read_only_replica_is_an_outage_but_a_wrong_statement_is_not(alice, browse):
    client = browse(AURORA, alice)
    client.raise_request_exception = False
    replica = InternalError("cannot execute UPDATE in a read-only transaction")
    replica.__cause__ = psycopg.errors.ReadOnlySqlTransaction()
    for error, status in ((replica, 503), (InternalError("broken"), 500), (ProgrammingError("typo"), 500)):
        with failing_from(2, error):  # The first statement gets the brand.
            assert client.get("/account/").status_code == status


def test_locked_sqlite_file_is_an_outage_but_a_missing_table_is_not(tmp_path):
    first, second = (sqlite3.connect(tmp_path / "db", timeout=0) for _ in range(2))
    first.execute("BEGIN EXCLUSIVE")
    for statement, outage in (("SELECT 1 FROM nowhere", False), ("BEGIN IMMEDIATE", True)):
        raised = OperationalError()
        try:
            (second if outage else first).execute(statement)
        except sqlite3.OperationalError as error:
            raised.__cause__ = error
        assert database.is_outage(raised) is outage
    first.close()
    second.close()


def test_form_sent_before_the_brand_is_known_changes_nothing(aurora, browse):
    client = browse(AURORA)
    with failing_from(1, FAULTS[0]):
        answer = send(client, "/sign-out/", {})
    assert answer.status_code == 503
    assert "Nothing has changed." in words(answer)


def test_pages_without_queries_use_the_cached_brand_for_a_minute(aurora, browse, settings, monkeypatch):
    settings.BRAND_SECONDS = 1
    clock = SimpleNamespace(time=lambda: 1000.0)
    for module in (locmem, base):
        monkeypatch.setattr(module, "time", clock)
    client = browse(AURORA)
    client.raise_request_exception = False
    assert client.get("/sign-up/").status_code == 200
    with failing_from(1, FAULTS[0]) as statements:
        for later, status, questions in ((59, 200, 1), (59.5, 200, 1), (61, 503, 2)):
            clock.time = lambda later=later: 1000.0 + later
            answer = client.get("/sign-up/")
            assert (answer.status_code, len(statements)) == (status, questions)


def test_one_request_waits_for_the_database_others_use_cached_brand(threads, aurora, settings):
    settings.BRAND_SECONDS = 1
    assert lookup.get_brand_for_host(AURORA) == aurora
    caches["local"].delete(f"brand:{AURORA}")
    asking, answered = threading.Event(), threading.Event()

    def hang(execute, *statement):
        asking.set()
        answered.wait(30)
        return execute(*statement)

    def first():
        with connection.execute_wrapper(hang):
            lookup.get_brand_for_host(AURORA)
        connection.close()

    thread = threading.Thread(target=first)
    thread.start()
    assert asking.wait(30)
    assert lookup.get_brand_for_host(AURORA) == aurora  # Without waiting, or this would never end.
    answered.set()
    thread.join(30)


# --- Slots ----------------------------------------------------------------------------------------


@pytest.fixture
def short_wait(monkeypatch):
    monkeypatch.setattr(bulkhead.Slots, "MAX_WAIT", 0.05)


@contextmanager
def hold_slots(slots, number):
    """Hold so many of these slots in other threads."""
    free, held = threading.Event(), threading.Barrier(number + 1)

    def hold():
        with slots.slot():
            held.wait(30)
            free.wait(30)

    threads = [threading.Thread(target=hold) for _ in range(number)]
    for thread in threads:
        thread.start()
    held.wait(30)
    try:
        yield
    finally:
        free.set()
        for thread in threads:
            thread.join(30)


def test_sign_in_without_a_free_slot_is_503_and_not_counted(operator, browse, settings, short_wait):
    settings.PASSWORD_HASHERS = ["accounts.hashers.SlottedPBKDF2PasswordHasher"]
    operator.set_password("correct horse battery")
    operator.save()
    form = {"username": operator.email, "password": "correct horse battery"}
    with hold_slots(bulkhead.HASHING, 2):
        answer = send(browse(ADMIN), "/admin/login/", form)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "We're very busy right now. Nothing has changed." in words(answer)
    assert not Attempt.objects.exists()
    assert send(browse(ADMIN), "/admin/login/", form).status_code == 302


def test_download_without_a_free_slot_offers_a_retry(simulator, alice, browse, short_wait):
    client, path = browse(AURORA, alice), "/statement.pdf?from_date=2020-01-01&to_date=2020-01-31"
    with hold_slots(bulkhead.DRAWING, 1):
        answer = client.get(path)
        assert client.get("/statement/").status_code == 200
    assert answer.status_code == 503
    assert path.replace("&", "&amp;") in answer.content.decode()
    assert client.get(path).status_code == 200


def test_at_most_half_of_the_threads_wait_for_a_slot(settings):
    settings.WEB_THREADS = 8
    one, waiting = bulkhead.Slots(1, "tests"), threading.Semaphore(0)
    outcomes = []

    def use_slot():
        try:
            with one.slot():
                outcomes.append("served")
        except bulkhead.Busy:
            outcomes.append("refused")
        waiting.release()

    with one.slot():
        threads = [threading.Thread(target=use_slot) for _ in range(10)]
        for thread in threads:
            thread.start()
        for _ in range(6):  # Threads that do not fit into the queue are refused at once.
            assert waiting.acquire(timeout=30)
        assert outcomes == ["refused"] * 6
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["refused"] * 6 + ["served"] * 4
    assert bulkhead.Slots._queued == 0


def test_slot_is_reentrant_and_released_once():
    one = bulkhead.Slots(1, "tests")
    for _ in range(2):
        with one.slot(), one.slot(), one.slot():
            pass
    assert one._free.acquire(blocking=False)
    assert not one._free.acquire(blocking=False)


def test_password_hashes_are_compatible_with_django(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    djangos = make_password("correct horse battery")
    settings.PASSWORD_HASHERS = ["accounts.hashers.SlottedPBKDF2PasswordHasher"]
    ours = make_password("correct horse battery")
    assert ours.split("$")[:2] == djangos.split("$")[:2]
    assert check_password("correct horse battery", djangos)
    assert check_password("correct horse battery", ours)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL has a pool")
def test_hashing_and_drawing_hold_no_database_connection(aurora):
    for slots in (bulkhead.HASHING, bulkhead.DRAWING):
        assert Brand.objects.count() == 1
        with slots.slot():
            assert connection.connection is None
