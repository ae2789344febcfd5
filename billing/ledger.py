"""The audit trail of moves: a row for each thing that happens to one, never changed."""

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
