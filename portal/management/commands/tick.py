"""`manage.py tick`: run the periodic jobs that are due, once. For cron, where no worker runs."""

import logging
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from portal.jobs.periodic import list_due_jobs, run_job

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """Run each job that is due and that no worker has begun."""

    help = (
        "Run the periodic jobs that are due, once. Start it every minute, unless a worker runs (run_worker)."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run all jobs, even if one fails. The log line at the end shows that it ran."""
        rows = [run_job(job.name, due_at) for job, due_at in list_due_jobs(timezone.now())]
        begun = [row for row in rows if row]
        failed = [row.job for row in begun if row.error]
        logger.info("tick", extra={"failed": len(failed), **{row.job: row.done for row in begun if row.done}})
        if failed:
            raise CommandError(f"not done, the log says why: {', '.join(failed)}")
