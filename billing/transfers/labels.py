"""What a move of funds is called on the pages for staff: its direction, its amount, its state."""

from decimal import Decimal

from django.utils.translation import gettext

from billing.models import LimitsChange, Move, MovePolicy
from portal.core.formats import money
from portal.models import Brand


def describe_direction(amount: Decimal, brand: Brand, account_number: str) -> str:
    """From where to where, by the sign of the amount: “Aurora Phone → customer 70001”."""
    if amount < 0:
        # Translators: where funds go, from one to the other. Right to left the arrow points left: ←
        words = gettext("customer %(number)s → %(brand)s")
    else:
        # Translators: where funds go, from one to the other. Right to left the arrow points left: ←
        words = gettext("%(brand)s → customer %(number)s")
    return words % {"brand": brand.name, "number": account_number}


def format_amount(transfer: Move) -> str:
    """How much, whichever way, in the brand's currency."""
    return money(abs(transfer.amount), transfer.brand)


def describe_transfer(transfer: Move) -> str:
    """Return amount and direction: “A$5.00: Aurora Phone → customer 70001”."""
    direction = describe_direction(transfer.amount, transfer.brand, transfer.account_number)
    return f"{format_amount(transfer)}: {direction}"


def describe_outcome(transfer: Move) -> str:
    """The state as it is to be read: what was sent a while ago without an end is unknown."""
    return str(Move.State(transfer.outcome).label)


def describe_limits(change: LimitsChange, now: MovePolicy) -> list[str]:
    """A line for each limit that would change: “At most per move: $900.00 instead of $500.00”."""
    names = {
        "per_move": gettext("At most per move"),
        "per_day": gettext("At most within 24 hours"),
        "second_person_above": gettext("A second person approves above"),
    }
    return [
        gettext("%(limit)s: %(then)s instead of %(now)s")
        % {
            "limit": names[name],
            "then": money(value, now.brand),
            "now": money(getattr(now, name), now.brand),
        }
        for name, value in change.limits.items()
    ]
