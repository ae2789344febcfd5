"""The audit trail of moves: a row for each thing that happens to one, never changed."""

from collections.abc import Collection

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from billing.models import Move, MoveEvent


def move_event(move: Move, by: User | None, note: str = "") -> MoveEvent:
    """Write down the move's present state; called in the transaction that brings it about."""
    return MoveEvent.objects.create(
        move=move,
        at=timezone.now(),
        by=by,
        state=move.state,
        brand=move.brand.slug,
        account_number=move.account_number,
        amount=move.amount,
        operation=move.operation,
        customer_balance=move.customer_before if move.customer_after is None else move.customer_after,
        partner_balance=move.partner_before if move.partner_after is None else move.partner_after,
        note=note[:500],
    )


def finish_move(
    move: Move, before: Collection[str], state: Move.State, by: User | None, note: str, *names: str
) -> bool:
    """Bring a move from one of these states to its end, with its event, by a transaction of its own.

    `names` are other columns to store. False, and nothing is stored, where it is in another state by now.
    """
    move.state, move.ended_at = state, timezone.now()
    values = {name: getattr(move, name) for name in ("state", "ended_at", *names)}
    with transaction.atomic(durable=True):
        ended = bool(Move.objects.filter(pk=move.pk, state__in=before).update(**values))
        if ended:
            move_event(move, by, note)
    return ended
