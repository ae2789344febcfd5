"""The audit trail of moves: a row for each thing that happens to one, never changed."""

from collections.abc import Collection

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from billing.models import Move, MoveEvent


def record_event(transfer: Move, by: User | None, note: str = "") -> MoveEvent:
    """Write down the move's present state; called in the transaction that brings it about."""
    return MoveEvent.objects.create(
        move=transfer,
        at=timezone.now(),
        by=by,
        state=transfer.state,
        brand=transfer.brand.slug,
        account_number=transfer.account_number,
        amount=transfer.amount,
        operation=transfer.operation,
        customer_balance=transfer.customer_before
        if transfer.customer_after is None
        else transfer.customer_after,
        partner_balance=transfer.partner_before if transfer.partner_after is None else transfer.partner_after,
        note=note[:500],
    )


def finish_transfer(
    transfer: Move, before: Collection[str], state: Move.State, by: User | None, note: str, *names: str
) -> bool:
    """Bring a move from one of these states to its end, with its event, by a transaction of its own.

    `names` are other columns to store. False, and nothing is stored, where it is in another state by now.
    """
    transfer.state, transfer.ended_at = state, timezone.now()
    values = {name: getattr(transfer, name) for name in ("state", "ended_at", *names)}
    with transaction.atomic(durable=True):
        ended = bool(Move.objects.filter(pk=transfer.pk, state__in=before).update(**values))
        if ended:
            record_event(transfer, by, note)
    return ended
