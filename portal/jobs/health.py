"""Tell whether background jobs run: for /readyz, for metrics and for the admin."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Max
from django.utils import timezone

from portal.models import JobRun

LATE = timedelta(minutes=5)  # Jobs are due each minute; a start or an upgrade may take a few.
_FAILURES = timedelta(hours=1)


def last_run() -> datetime | None:
    """Return when a job was last begun, or None if none was in the last two days."""
    return JobRun.objects.order_by("-due_at").values_list("started_at", flat=True).first()


def is_late(last: datetime | None) -> bool:
    """Return True if no job has begun for five minutes. A time in the future is from a wrong clock: True."""
    return last is None or abs(timezone.now() - last) > LATE


def describe() -> str:
    """Return what to add to /readyz: empty while jobs run."""
    last = last_run()
    if not is_late(last):
        return ""
    if last is None:
        return "background jobs have not run yet"
    return f"background jobs have not run since {last:%Y-%m-%d %H:%M} UTC"


def get_ages() -> Mapping[tuple[str, ...], float]:
    """Return the seconds since each job last ended without an error."""
    rows = JobRun.objects.filter(ended_at__isnull=False, error="").values_list("job")
    now = timezone.now()
    return {(job,): (now - ended).total_seconds() for job, ended in rows.annotate(Max("ended_at"))}


def count_failures() -> Mapping[tuple[str, ...], float]:
    """Return how often each job failed in the last hour; 0 for one that ran without an error."""
    rows = JobRun.objects.filter(due_at__gte=timezone.now() - _FAILURES).values_list("job")
    failed = dict(rows.exclude(error="").annotate(Count("pk")))
    return {(job,): failed.get(job, 0) for (job,) in rows.distinct()}


def count_messages() -> Mapping[tuple[str, ...], float]:
    """Return how many messages wait for a worker."""
    return {(): settings.HUEY.pending_count()}
