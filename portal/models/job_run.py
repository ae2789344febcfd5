"""Runs of background jobs."""

from datetime import timedelta

from django.db import models
from django.utils import timezone


class JobRun(models.Model):
    """One run of a periodic job. The row is unique, so that of several workers one runs the job.

    A run without an end is in progress, or was ended with its process: the job is due again the next time.
    """

    KEPT = timedelta(days=2)

    job = models.CharField(max_length=40)
    due_at = models.DateTimeField()
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    done = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=60, blank=True, default="")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("job", "due_at"), name="one_run_each_time"),)
        indexes = (models.Index(fields=("due_at",), name="job_run_by_time"),)

    def __str__(self) -> str:
        return self.job
