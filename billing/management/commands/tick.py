"""`manage.py tick`: what has to happen regularly; run it every minute."""

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


def _sessions_prune() -> int:
    return Session.objects.filter(expire_date__lt=timezone.now()).delete()[0]


# What is said → what does it, and gives how many.
WORK: dict[str, Callable[[], int]] = {
    "unknown moves told": alert_unknown_transfers,
    "waiting moves expired": expire_transfers,
    "journal rows removed": prune_call_log,
    "kept figures removed": prune_statements,
    "rows of visits removed": prune_accounts,
    "previews and tries removed": prune_portal,
    "sessions removed": _sessions_prune,
}


class Command(BaseCommand):
    """Alerts about moves of funds whose outcome is unknown, and removes what has had its time."""

    help = "Run every minute, on one node or all: alerts about unknown moves of funds, and prunes."

    def handle(self, *args: Any, **options: Any) -> None:
        """All of it; one that fails holds up none of the others. A line in the log is the sign of life."""
        done: dict[str, int] = {}
        failed = []
        for words, work in WORK.items():
            try:
                done[words] = work()
            except Exception as error:  # Whatever it is, the rest has to be done.
                logger.error(
                    "tick failed", extra={"work": words, "error": f"{type(error).__name__}: {error}"}
                )
                failed.append(words)
        told = {words.replace(" ", "_"): number for words, number in done.items() if number}
        logger.info("tick", extra={"failed": len(failed), **told})
        if failed:
            raise CommandError(f"not done, the log says why: {', '.join(failed)}")
