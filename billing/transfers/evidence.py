"""What a person goes by who says what became of a move: both balances, and what else has changed them."""

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import QuerySet, Sum
from django.utils.translation import gettext as _

from billing.models import Move

LISTED = 50  # So many of the other moves are named; all of them are in the sum.


@dataclass(frozen=True)
class Side:
    """The customer's account or the partner's: the balance before the move, now, and what came between.

    `would` is how the move itself changes it, `others` is how other moves have changed it.
    """

    name: str
    before: Decimal | None
    now: Decimal
    would: Decimal
    others: Decimal

    @property
    def happened(self) -> Decimal | None:
        """What it would be if the move took place and nothing else did; None where it is not known."""
        return None if self.before is None else self.before + self.would

    @property
    def since(self) -> Decimal | None:
        """By how much it has changed since."""
        return None if self.before is None else self.now - self.before


def get_evidence(transfer: Move, now: tuple[Decimal, Decimal]) -> list[Side]:
    """Customer and partner account, by both balances as just read."""
    customer, partner = now
    others = list_transfers_since(transfer)
    own = _sum(others.filter(account_number=transfer.account_number))
    return [
        Side(_("Customer’s balance"), transfer.customer_before, customer, transfer.amount, own),
        Side(_("Partner balance"), transfer.partner_before, partner, -transfer.amount, -_sum(others)),
    ]


def list_transfers_since(transfer: Move) -> QuerySet[Move]:
    """Other moves of the brand since the balances before this one were read, the newest first.

    One that was under way at that moment may be in those balances already; it is among these all the same.
    """
    sent = transfer.dispatched_at or transfer.asked_at
    done = Move.objects.filter(brand=transfer.brand_id, state__in=(Move.State.DONE, Move.State.FOUND_DONE))
    late = done.filter(ended_at__gt=sent, dispatched_at__gt=sent - Move.LONGEST)
    return late.exclude(pk=transfer.pk).order_by("-dispatched_at", "-pk")


def _sum(transfers: QuerySet[Move]) -> Decimal:
    return transfers.aggregate(sum=Sum("amount"))["sum"] or Decimal(0)
