"""The audit log of transfers: one row for each change, never changed itself."""

from collections.abc import Collection

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from billing.models import Move, MoveEvent
from billing.transfers.notices import tell_of_state


def record_event(transfer: Move, by: User | None, note: str = "") -> MoveEvent:
    """Record the transfer's current state, and queue the emails about it.

    Call it in the transaction that changes the state.
    """
    tell_of_state(transfer, by)
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
    """Move a transfer from one of the states `before` to its final `state` and record it, in one transaction.

    `names` are other fields to store. Return False, without storing, if it has another state by now.
    """
    transfer.state, transfer.ended_at = state, timezone.now()
    values = {name: getattr(transfer, name) for name in ("state", "ended_at", *names)}
    with transaction.atomic(durable=True):
        finished = bool(Move.objects.filter(pk=transfer.pk, state__in=before).update(**values))
        if finished:
            record_event(transfer, by, note)
    return finished
