"""What `manage.py tick` does about moves of funds: tells of unknown ones, ends those nobody approved."""

import logging
from datetime import timedelta

from django.conf import settings
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from billing.models import Move
from billing.transfers.audit import finish_transfer
from billing.transfers.labels import describe_transfer
from billing.transfers.notices import send_notice
from billing.transfers.policy import get_policy
from billing.transfers.second_person import list_transfer_staff

logger = logging.getLogger(__name__)

State = Move.State
_AGAIN = timedelta(hours=24)  # An alert is repeated while nobody has resolved the move.
_CLAIMED = timedelta(minutes=5)  # For so long no other run tells what one has begun to tell.


def unknown_moves() -> QuerySet[Move]:
    """Moves whose outcome is unknown, those that were never heard of again included."""
    return Move.objects.filter(is_unknown())


def is_unknown() -> Q:
    """The condition by which `Move.outcome` is unknown, for queries."""
    now = timezone.now()
    under_way = Q(dispatched_at__range=(now - Move.LONGEST, now + Move.LONGEST))
    old = Q(dispatched_at=None) | ~under_way
    return Q(state=State.UNKNOWN) | Q(state=State.DISPATCHED) & old


def alert_unknown_transfers() -> int:
    """Tell the brand's staff and the operators, at once and then daily; how many moves were told."""
    return sum(_alert(transfer) for transfer in _due_alerts().select_related("brand", "customer"))


def _due_alerts() -> QuerySet[Move]:
    return unknown_moves().filter(Q(alerted_at=None) | Q(alerted_at__lt=timezone.now() - _AGAIN))


def _alert(transfer: Move) -> bool:
    """Of several runs at once one tells. One that is stopped midway is made up for minutes later."""
    before, claimed = transfer.alerted_at, timezone.now() - _AGAIN + _CLAIMED
    if not _due_alerts().filter(pk=transfer.pk).update(alerted_at=claimed):
        return False
    operation = str(transfer.operation)
    logger.error("move of funds unknown", extra={"brand": transfer.brand.slug, "operation": operation})
    try:
        told = _send_alert(transfer)
    except Exception:  # One that cannot be told must not hold up the others; the next run tries again.
        logger.exception("unknown move not told", extra={"operation": operation})
        told = False
    Move.objects.filter(pk=transfer.pk, alerted_at=claimed).update(
        alerted_at=timezone.now() if told else before
    )
    return told


def _send_alert(transfer: Move) -> bool:
    path = reverse("billing_admin:transfer", urlconf=settings.ADMIN_URLCONF, args=(transfer.pk,))
    stopped = get_policy(transfer.brand).stopped_at is not None

    told = 0
    for person in list_transfer_staff(transfer.brand):
        told += send_notice(
            brand=transfer.brand,
            person=person,
            template="unknown_transfer",
            path=path,
            transfer=transfer,
            what=lambda: describe_transfer(transfer),  # Called in the reader's language.
            stopped=stopped,
        )
    return told > 0


def expire_transfers() -> int:
    """End what nobody approved within 24 hours; how many."""
    late = Move.objects.filter(state=State.WAITING, asked_at__lt=timezone.now() - Move.APPROVED_WITHIN)
    words = "nobody approved it in time"
    return sum(
        finish_transfer(transfer, (State.WAITING,), State.EXPIRED, None, words)
        for transfer in late.select_related("brand")
    )
