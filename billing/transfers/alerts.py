"""Periodic jobs for transfers: alert staff to unknown ones, expire those that were not approved in time."""

import logging
from datetime import timedelta

from django.conf import settings
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from accounts.staff.notices import list_staff
from billing.models import Move
from billing.transfers.audit import finish_transfer
from billing.transfers.labels import describe_transfer
from billing.transfers.notices import send_notice
from billing.transfers.policy import get_policy

logger = logging.getLogger(__name__)

State = Move.State
_REPEAT = timedelta(hours=24)  # Repeat the alert until the transfer is resolved.
_CLAIM = timedelta(minutes=5)  # For so long no other run sends an alert that one has begun to send.


def alert_unknown_transfers() -> int:
    """Email the brand's staff and the operators, at once and then daily; return the number of alerts."""
    return sum(_alert(transfer) for transfer in _due_alerts().select_related("brand", "customer"))


def _due_alerts() -> QuerySet[Move]:
    return Move.objects.unknown().filter(Q(alerted_at=None) | Q(alerted_at__lt=timezone.now() - _REPEAT))


def _alert(transfer: Move) -> bool:
    """Claim the alert, send it, then mark it as sent. After a crash it is sent again minutes later."""
    before, claimed = transfer.alerted_at, timezone.now() - _REPEAT + _CLAIM
    if not _due_alerts().filter(pk=transfer.pk).update(alerted_at=claimed):
        return False
    operation = str(transfer.operation)
    logger.error("move of funds unknown", extra={"brand": transfer.brand.slug, "operation": operation})
    try:
        sent = _send_alert(transfer)
    except Exception:  # One failure must not stop the other alerts; the next run tries again.
        logger.exception("unknown move not told", extra={"operation": operation})
        sent = False
    Move.objects.filter(pk=transfer.pk, alerted_at=claimed).update(
        alerted_at=timezone.now() if sent else before
    )
    return sent


def _send_alert(transfer: Move) -> bool:
    path = reverse("billing_admin:transfer", urlconf=settings.ADMIN_URLCONF, args=(transfer.pk,))
    stopped = get_policy(transfer.brand).stopped_at is not None

    sent = 0
    for person in list_staff(transfer.brand):
        sent += send_notice(
            brand=transfer.brand,
            person=person,
            template="unknown_transfer",
            path=path,
            transfer=transfer,
            what=lambda: describe_transfer(transfer),  # Called in the reader's language.
            stopped=stopped,
        )
    return sent > 0


def expire_transfers() -> int:
    """Expire transfers that were not approved within 24 hours; return how many."""
    late = Move.objects.filter(state=State.WAITING, asked_at__lt=timezone.now() - Move.APPROVED_WITHIN)
    words = "nobody approved it in time"
    return sum(
        finish_transfer(transfer, (State.WAITING,), State.EXPIRED, None, words)
        for transfer in late.select_related("brand")
    )
