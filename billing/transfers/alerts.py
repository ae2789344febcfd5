"""What `manage.py tick` does about moves of funds: tells of unknown ones, ends those nobody approved."""

import logging
from datetime import timedelta

from django.conf import settings
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from billing.models import Move
from billing.transfers.audit import finish_move
from billing.transfers.labels import amount_words, direction_words
from billing.transfers.notices import notice_send
from billing.transfers.policy import policy_of
from billing.transfers.second_person import people_of

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


def moves_alert() -> int:
    """Tell the brand's staff and the operators, at once and then daily; how many moves were told."""
    return sum(_alert(move) for move in _untold().select_related("brand", "customer"))


def _untold() -> QuerySet[Move]:
    return unknown_moves().filter(Q(alerted_at=None) | Q(alerted_at__lt=timezone.now() - _AGAIN))


def _alert(move: Move) -> bool:
    """Of several runs at once one tells. One that is stopped midway is made up for minutes later."""
    before, claimed = move.alerted_at, timezone.now() - _AGAIN + _CLAIMED
    if not _untold().filter(pk=move.pk).update(alerted_at=claimed):
        return False
    operation = str(move.operation)
    logger.error("move of funds unknown", extra={"brand": move.brand.slug, "operation": operation})
    try:
        told = _told(move)
    except Exception:  # One that cannot be told must not hold up the others; the next run tries again.
        logger.exception("unknown move not told", extra={"operation": operation})
        told = False
    Move.objects.filter(pk=move.pk, alerted_at=claimed).update(alerted_at=timezone.now() if told else before)
    return told


def _told(move: Move) -> bool:
    path = reverse("billing_admin:move", urlconf=settings.ADMIN_URLCONF, args=(move.pk,))
    stopped = policy_of(move.brand).stopped_at is not None

    def what() -> str:  # Called where the mail is written, in its reader's language.
        return f"{amount_words(move)}: {direction_words(move.amount, move.brand, move.account_number)}"

    told = 0
    for person in people_of(move.brand):
        told += notice_send(
            brand=move.brand,
            person=person,
            template="unknown_move",
            path=path,
            move=move,
            what=what,
            stopped=stopped,
        )
    return told > 0


def moves_expire() -> int:
    """End what nobody approved within 24 hours; how many."""
    late = Move.objects.filter(state=State.WAITING, asked_at__lt=timezone.now() - Move.APPROVED_WITHIN)
    words = "nobody approved it in time"
    return sum(
        finish_move(move, (State.WAITING,), State.EXPIRED, None, words)
        for move in late.select_related("brand")
    )
