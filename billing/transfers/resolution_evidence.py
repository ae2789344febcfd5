"""Evidence for resolving an unknown transfer: both balances, and what else has changed them."""

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import QuerySet, Sum
from django.utils.translation import gettext as _

from billing.models import Move

LISTED = 50  # Other transfers shown at most; the sum counts all of them.


@dataclass(frozen=True)
class Side:
    """One account's balance before the transfer and now.

    `would` is the change by the transfer itself, `others` the change by other transfers.
    """

    name: str
    before: Decimal | None
    now: Decimal
    would: Decimal
    others: Decimal

    @property
    def happened(self) -> Decimal | None:
        """The balance if only the transfer took place; None if the one before is not known."""
        return None if self.before is None else self.before + self.would

    @property
    def since(self) -> Decimal | None:
        """The change since the transfer."""
        return None if self.before is None else self.now - self.before


def get_evidence(transfer: Move, now: tuple[Decimal, Decimal]) -> list[Side]:
    """Return the customer's and the partner's side, with both balances as just read."""
    customer, partner = now
    others = list_transfers_since(transfer)
    own = _sum(others.filter(account_number=transfer.account_number))
    return [
        Side(_("Customer’s balance"), transfer.customer_before, customer, transfer.amount, own),
        Side(_("Partner balance"), transfer.partner_before, partner, -transfer.amount, -_sum(others)),
    ]


def list_transfers_since(transfer: Move) -> QuerySet[Move]:
    """Return the brand's other transfers since the balances before this one were read, the newest first.

    One that was in progress at that moment is included, although those balances may contain it already.
    """
    sent = transfer.dispatched_at or transfer.asked_at
    done = Move.objects.filter(brand=transfer.brand_id, state__in=(Move.State.DONE, Move.State.FOUND_DONE))
    late = done.filter(ended_at__gt=sent, dispatched_at__gt=sent - Move.LONGEST)
    return late.exclude(pk=transfer.pk).order_by("-dispatched_at", "-pk")


def _sum(transfers: QuerySet[Move]) -> Decimal:
    return transfers.aggregate(sum=Sum("amount"))["sum"] or Decimal(0)
