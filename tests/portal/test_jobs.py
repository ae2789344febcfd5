"""Background jobs: once for each time, by a worker or by `manage.py tick`, and none lost by a kill."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from portal.jobs import health, periodic, queue
from portal.models import Brand, JobRun
from tests.conftest import ADMIN, ROOT
from tests.support.customer_flow import at_once
from tests.support.gunicorn_server import TOKEN
from tests.support.jobs import tick
from tests.support.ports import free_port, is_free
from tests.support.timeouts import PATIENCE, eventually
from tests.support.transfers import staff_of

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace all jobs by one, `count`, and return the list that it lengthens."""
    done: list[str] = []

    def count() -> int:
        done.append("done")
        return len(done)

    periodic.list_jobs()  # So that no module registers another later.
    monkeypatch.setattr(periodic, "_JOBS", {})
    periodic.register(count)
    return done


def fail() -> int:
    raise RuntimeError("of the database")


@given(st.datetimes(timezones=st.just(UTC)), st.sampled_from([1, 2, 5, 10, 15, 30, 60]))
def test_every_moment_has_one_time_at_which_a_job_was_due(now: datetime, every: int) -> None:
    each = periodic.Job("job", every, lambda: 0)
    due = each.due_at(now)
    assert due <= now < due + timedelta(minutes=every)
    assert each.due_at(due) == due


@pytest.mark.database
def test_tick_runs_a_job_once_for_each_time(job: list[str]) -> None:
    moment = timezone.now()
    for _ in range(3):
        for each, due_at in periodic.list_due_jobs(moment):
            periodic.run_job(each.name, due_at)
    assert job == ["done"]
    [(each, due_at)] = periodic.list_due_jobs(moment + timedelta(minutes=1))
    periodic.run_job(each.name, due_at)
    assert len(job) == 2
    assert list(JobRun.objects.order_by("pk").values_list("job", "done", "error")) == [
        ("count", 1, ""),
        ("count", 2, ""),
    ]


@pytest.mark.database
def test_one_of_several_workers_runs_the_job(job: list[str], threads: None) -> None:
    rows = at_once(4, lambda _nth: periodic.run_job("count", NOON))
    assert len([row for row in rows if row]) == len(job) == 1


def test_job_that_was_killed_is_due_again_the_next_time(job: list[str]) -> None:
    JobRun.objects.create(job="count", due_at=NOON)
    assert periodic.list_due_jobs(NOON) == []
    [(each, due_at)] = periodic.list_due_jobs(NOON + timedelta(minutes=1))
    assert periodic.run_job(each.name, due_at)
    assert job == ["done"]


def test_tick_runs_all_jobs_even_if_one_fails(
    job: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(periodic, "_JOBS", {})
    periodic.register(fail)
    periodic.register(lambda: len(job.append("done") or job))
    with pytest.raises(CommandError, match="fail"):
        tick()
    assert job == ["done"]
    assert JobRun.objects.get(job="fail").error == "RuntimeError"
    lines = [vars(record) for record in caplog.records if record.name.startswith("portal.")]
    assert [line["msg"] for line in lines] == ["job failed", "job", "tick"]
    assert (lines[0]["job"], lines[0]["error"]) == ("fail", "RuntimeError: of the database")
    assert lines[2]["failed"] == 1


def test_real_jobs_are_named_and_due_each_minute_or_hour() -> None:
    found = {job.name: job.every for job in periodic.list_jobs()}
    assert {"alert_unknown_transfers", "expire_transfers", "prune_accounts", "prune_sessions"} <= set(found)
    assert all(60 % every == 0 for every in found.values())


# Waking a worker


def test_woken_job_runs_after_the_commit(
    job: list[str], django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        periodic.wake("count")
        assert django_settings.HUEY.pending_count() == 0
    message = django_settings.HUEY.dequeue()
    assert job == []
    django_settings.HUEY.execute(message)
    assert job == ["done"]


def test_broken_queue_does_not_fail_the_request(
    django_capture_on_commit_callbacks: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: object) -> None:
        raise OSError("no queue")

    monkeypatch.setattr(django_settings.HUEY.storage, "enqueue", broken)
    with django_capture_on_commit_callbacks(execute=True):
        periodic.wake("expire_transfers")
    assert [record.message for record in caplog.records] == ["job not woken"]


def test_message_that_was_not_signed_by_us_is_refused(tmp_path: Path) -> None:
    config = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3"), "OPTIONS": {}}
    ours, theirs = (queue.from_database(config, secret) for secret in ("ours", "theirs"))
    ours.storage.initialize_schema()
    theirs.storage.enqueue(theirs.serializer.serialize("code"))
    assert ours.pending_count() == 1
    with pytest.raises(ValueError, match=r"[Ss]ignature"):
        ours.dequeue()


# What tells whether jobs run


def test_readyz_says_that_no_job_has_run(browse: Callable[..., Any]) -> None:
    answer = browse(ADMIN).get("/readyz")
    assert (answer.status_code, answer.content) == (200, b"ready, but background jobs have not run yet\n")
    row = JobRun.objects.create(job="count", due_at=NOON)
    assert browse(ADMIN).get("/readyz").content == b"ready\n"
    JobRun.objects.filter(pk=row.pk).update(started_at=NOON)
    said = b"ready, but background jobs have not run since 2026-01-15 12:00 UTC\n"
    assert browse(ADMIN).get("/readyz").content == said


def test_admin_tells_operators_that_no_worker_runs(
    browse: Callable[..., Any], operator: User, aurora: Brand
) -> None:
    sam = staff_of(aurora)
    words = "Background jobs haven"
    assert words in browse(ADMIN, operator).get("/admin/").content.decode()
    assert words not in browse(ADMIN, sam).get("/admin/").content.decode()
    JobRun.objects.create(job="count", due_at=timezone.now())
    assert words not in browse(ADMIN, operator).get("/admin/").content.decode()


def test_metrics_tell_age_failures_and_queue(settings: Any, browse: Callable[..., Any]) -> None:
    settings.METRICS_TOKEN = TOKEN
    now = timezone.now()
    moments = {"due_at": now, "ended_at": now - timedelta(seconds=100)}
    JobRun.objects.create(job="good", **moments)
    JobRun.objects.create(job="bad", error="RuntimeError", **moments)
    page = browse(ADMIN).get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).content.decode()
    assert 'portal_job_age_seconds{job="good"} 10' in page
    assert 'portal_job_age_seconds{job="bad"}' not in page
    assert 'portal_job_failures{job="bad"} 1.0' in page
    assert 'portal_job_failures{job="good"} 0.0' in page
    assert "portal_job_queue 0.0" in page


def test_last_run_in_the_future_counts_as_late() -> None:
    assert health.is_late(timezone.now() + timedelta(hours=1))
    assert not health.is_late(timezone.now() - timedelta(minutes=4))


# A real worker


class Installation:
    """A separate database, and commands that run against it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "SCHEME": "http",
            "SECRET_KEY": "only-for-tests-" * 4,
            "ENCRYPTION_KEY": "a passphrase for tests",
            "DATABASE_URL": url,
            "EMAIL_URL": "memorymail://",
            "WEB_CONCURRENCY": "1",
            "BIND": f"127.0.0.1:{free_port()}",
        }

    def start(self, *command: str) -> "subprocess.Popen[bytes]":
        """Start a command; its output goes to the folder's log."""
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "manage.py", *command],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def sql(self, statement: str) -> list[Any]:
        """Execute a statement and return its rows."""
        if self.url.startswith("sqlite"):
            with contextlib.closing(sqlite3.connect(self.url.removeprefix("sqlite:///"), PATIENCE)) as db, db:
                return db.execute(statement).fetchall()
        with psycopg.connect(self.url, autocommit=True) as db:
            cursor = db.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def add_old_session(self) -> None:
        """Add a row that a job deletes."""
        self.sql("INSERT INTO django_session VALUES ('old', '', '2020-01-01')")

    def has_old_session(self) -> bool:
        """Return True until it is deleted."""
        return bool(self.sql("SELECT 1 FROM django_session WHERE session_key = 'old'"))


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """An installation on the kind of database that the tests use."""
    url, name = f"sqlite:///{tmp_path / 'db.sqlite3'}", f"jobs_{os.getpid()}"
    server = os.environ.get("DATABASE_URL", "")
    if connection.vendor == "postgresql":
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}")
        url = f"{server.rpartition('/')[0]}/{name}"
    found = Installation(url, tmp_path)
    try:
        assert found.start("migrate", "-v0").wait(PATIENCE) == 0
        yield found
    except BaseException:
        print((tmp_path / "log").read_text())  # pytest shows it with the failure.
        raise
    finally:
        if connection.vendor == "postgresql":
            with psycopg.connect(server, autocommit=True) as admin:
                admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.database
def test_worker_runs_jobs_survives_a_kill_and_ends_by_sigterm(installation: Installation) -> None:
    installation.add_old_session()
    first = installation.start("run_worker")
    assert eventually(lambda: not installation.has_old_session())
    first.kill()
    first.wait(PATIENCE)
    installation.add_old_session()
    installation.sql("DELETE FROM portal_jobrun")  # As in the next minute.
    second = installation.start("run_worker")
    assert eventually(lambda: not installation.has_old_session())
    second.terminate()
    assert second.wait(PATIENCE) == 0


def test_serve_runs_a_node_and_a_worker_that_end_together(installation: Installation) -> None:
    port = int(installation.environment["BIND"].rpartition(":")[2])
    installation.add_old_session()
    served = installation.start("serve")
    assert eventually(lambda: not installation.has_old_session())
    assert eventually(lambda: not is_free(port))
    served.send_signal(signal.SIGTERM)
    assert served.wait(PATIENCE) == 0
    assert eventually(lambda: is_free(port))


def test_serve_ends_if_its_worker_ends(installation: Installation) -> None:
    port = int(installation.environment["BIND"].rpartition(":")[2])
    served = installation.start("serve")
    assert eventually(lambda: not is_free(port))
    subprocess.run(["pkill", "-KILL", "-P", str(served.pid), "-f", "run_worker"], check=True)
    assert served.wait(PATIENCE) == 1
    assert "The worker ended by itself" in (installation.folder / "log").read_text()
    assert eventually(lambda: is_free(port))


def test_both_end_with_a_killed_parent(installation: Installation) -> None:
    port = int(installation.environment["BIND"].rpartition(":")[2])
    served = installation.start("serve")
    assert eventually(lambda: not is_free(port))
    served.kill()
    served.wait(PATIENCE)
    assert eventually(lambda: is_free(port))
    assert eventually(
        lambda: subprocess.run(["pgrep", "-f", str(installation.folder)], check=False).returncode
    )
