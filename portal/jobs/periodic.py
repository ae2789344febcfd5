"""Periodic jobs: register them, run those that are due, and wake one at once."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.module_loading import autodiscover_modules
from huey import crontab  # type: ignore[import-untyped]
from huey.contrib.djhuey import db_periodic_task, db_task  # type: ignore[import-untyped]

from portal.models import JobRun

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A job of this name, which runs every so many minutes and returns how many things it did."""

    name: str
    every: int
    run: Callable[[], int]

    def due_at(self, now: datetime) -> datetime:
        """Return the newest time at which the job was due: minutes are counted from midnight UTC."""
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        minutes = (now - midnight) // timedelta(minutes=1)
        return midnight + timedelta(minutes=minutes - minutes % self.every)


_JOBS: dict[str, Job] = {}
_one_waker = threading.Lock()  # A queue that does not answer holds one thread of a node, not all.


def register(run: Callable[[], int], *, every: int = 1) -> None:
    """Register a function, for an app's `tasks.py`. Its name is the job's; `every` is in minutes.

    It may be ended at any moment and run again, and it may run twice at once, so it claims what it works on.
    """
    name = run.__name__
    _JOBS[name] = Job(name, every, run)


def list_jobs() -> list[Job]:
    """Return the jobs of all apps, in the order of registration."""
    autodiscover_modules("tasks")
    return list(_JOBS.values())


def list_due_jobs(now: datetime) -> list[tuple[Job, datetime]]:
    """Return the jobs that have not begun since they were due, with that time."""
    due = [(job, job.due_at(now)) for job in list_jobs()]
    oldest = min((at for _, at in due), default=now)
    begun = set(JobRun.objects.filter(due_at__gte=oldest).values_list("job", "due_at"))
    return [(job, at) for job, at in due if (job.name, at) not in begun]


def run_job(name: str, due_at: datetime) -> JobRun | None:
    """Run a job that was due then; return its row, or None if it has been begun by another.

    An error is logged and stored in the row, never raised: the next time will try again.
    """
    try:
        with transaction.atomic():
            row = JobRun.objects.create(job=name, due_at=due_at)
    except IntegrityError:
        return None
    return _run(row)


def _run(row: JobRun) -> JobRun:
    try:
        row.done = _JOBS[row.job].run()
    except Exception as error:
        row.error = type(error).__name__
        logger.error("job failed", extra={"job": row.job, "error": f"{row.error}: {error}"}, exc_info=error)
    row.ended_at = timezone.now()
    row.save(update_fields=["done", "error", "ended_at"])
    if row.done:
        logger.info("job", extra={"job": row.job, "done": row.done})
    return row


@db_periodic_task(crontab())  # type: ignore[untyped-decorator]
def enqueue_due_jobs() -> None:
    """Queue each job that is due, every minute, so that the worker's threads share them."""
    for job, due_at in list_due_jobs(timezone.now()):
        run_due_job(job.name, due_at)


@db_task()  # type: ignore[untyped-decorator]
def run_due_job(name: str, due_at: datetime) -> None:
    """Run a job in the worker."""
    list_jobs()
    run_job(name, due_at)


@db_task()  # type: ignore[untyped-decorator]
def run_now(name: str) -> None:
    """Run a job in the worker, even if it has run in this minute."""
    next(job for job in list_jobs() if job.name == name).run()


def wake(name: str) -> None:
    """Let a worker run the job once this transaction is committed. Without a worker it runs when due."""
    transaction.on_commit(lambda: _enqueue(name))


def _enqueue(name: str) -> None:
    if not _one_waker.acquire(blocking=False):
        return  # The row is there, and waits a minute at most.
    try:
        run_now(name)
    except Exception as error:
        logger.warning("job not woken", extra={"job": name, "error": type(error).__name__})
    finally:
        _one_waker.release()


def prune_job_runs() -> int:
    """Delete the rows of runs after two days."""
    return JobRun.objects.filter(due_at__lt=timezone.now() - JobRun.KEPT).delete()[0]
