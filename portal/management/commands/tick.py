"""`manage.py tick`: run the periodic jobs. To be started every minute."""

import logging
from collections.abc import Callable
from typing import Any

from django.contrib.sessions.models import Session
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.cleanup import prune_accounts
from billing.statements.cache import prune_statements
from billing.transfers.alerts import alert_unknown_transfers, expire_transfers
from portal.carrier.call_log import prune_call_log
from portal.cleanup import prune_portal

logger = logging.getLogger(__name__)


def _prune_sessions() -> int:
    return Session.objects.filter(expire_date__lt=timezone.now()).delete()[0]


# Label for logs and errors → job, which returns a number.
WORK: dict[str, Callable[[], int]] = {
    "unknown moves told": alert_unknown_transfers,
    "waiting moves expired": expire_transfers,
    "journal rows removed": prune_call_log,
    "kept figures removed": prune_statements,
    "rows of visits removed": prune_accounts,
    "previews and tries removed": prune_portal,
    "sessions removed": _prune_sessions,
}


class Command(BaseCommand):
    """Alert about transfers whose outcome is unknown, and delete expired rows."""

    help = "Run every minute, on one node or all: alerts about unknown moves of funds, and prunes."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run all jobs, even if one fails. The log line at the end shows that the job ran."""
        done: dict[str, int] = {}
        failed = []
        for label, job in WORK.items():
            try:
                done[label] = job()
            except Exception as error:  # The other jobs must still run.
                logger.error(
                    "tick failed", extra={"work": label, "error": f"{type(error).__name__}: {error}"}
                )
                failed.append(label)
        counts = {label.replace(" ", "_"): number for label, number in done.items() if number}
        logger.info("tick", extra={"failed": len(failed), **counts})
        if failed:
            raise CommandError(f"not done, the log says why: {', '.join(failed)}")
