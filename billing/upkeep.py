"""What `manage.py tick` does about moves of funds: tells of unknown ones, ends those nobody approved."""

import logging
from datetime import timedelta

from django.conf import settings
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from billing.ledger import move_end
from billing.models import Move
from billing.move_words import amount_words, direction_words
from billing.policy import policy_of
from portal import mail

logger = logging.getLogger(__name__)

State = Move.State
_AGAIN = timedelta(hours=24)  # An alert is repeated while nobody has resolved the move.


def unknown_moves() -> QuerySet[Move]:
    """Moves whose outcome is unknown, those that were never heard of again included."""
    return Move.objects.filter(is_unknown())


def is_unknown() -> Q:
    """The condition by which `Move.outcome` is unknown, for queries."""
    old = Q(dispatched_at=None) | Q(dispatched_at__lt=timezone.now() - Move.LONGEST)
    return Q(state=State.UNKNOWN) | Q(state=State.DISPATCHED) & old


def moves_alert() -> int:
    """Tell the brand's staff and the operators, at once and then daily; how many moves were told."""
    due = unknown_moves().filter(Q(alerted_at=None) | Q(alerted_at__lt=timezone.now() - _AGAIN))
    return sum(_alert(move) for move in due.select_related("brand", "customer"))


def _alert(move: Move) -> bool:
    """Told first and marked then: whoever is stopped between the two tells twice, and never not at all."""
    operation = str(move.operation)
    logger.error("move of funds unknown", extra={"brand": move.brand.slug, "operation": operation})
    try:
        stopped = policy_of(move.brand).stopped_at is not None
        told = sum(_tell(move, person, stopped) for person in _people(move)) > 0
    except Exception:  # One that cannot be told must not hold up the others; the next run tries again.
        logger.exception("unknown move not told", extra={"operation": operation})
        return False
    if told:
        Move.objects.filter(pk=move.pk).update(alerted_at=timezone.now())
    return told


def _people(move: Move) -> QuerySet[User]:
    here = User.objects.filter(brand=None, is_active=True, is_staff=True)
    return here.filter(Q(is_superuser=True) | Q(brands=move.brand)).distinct()


def _tell(move: Move, person: User, stopped: bool) -> bool:
    path = reverse("billing_admin:move", urlconf=settings.ADMIN_URLCONF, args=(move.pk,))

    def what() -> str:  # Called where the mail is written, in its reader's language.
        return f"{amount_words(move)}: {direction_words(move.amount, move.brand, move.account_number)}"

    try:
        return mail.send(
            brand=move.brand,
            to=person.email,
            template="billing/mail/unknown_move",
            language=person.language,
            move=move,
            what=what,
            stopped=stopped,
            url=mail.admin_link(path),
        )
    except mail.MailNotSent:  # Logged there; the next run tries again if nobody could be told.
        return False


def moves_expire() -> int:
    """End what nobody approved within 24 hours; how many."""
    late = Move.objects.filter(state=State.WAITING, asked_at__lt=timezone.now() - Move.APPROVED_WITHIN)
    words = "nobody approved it in time"
    return sum(
        move_end(move, (State.WAITING,), State.EXPIRED, None, words) for move in late.select_related("brand")
    )
