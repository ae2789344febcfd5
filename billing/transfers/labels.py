"""What a move of funds is called on the pages for staff: its direction, its amount, its state."""

from decimal import Decimal

from django.utils.translation import gettext

from billing.models import LimitsChange, Move, MovePolicy
from portal.core.formats import money
from portal.models import Brand


def direction_words(amount: Decimal, brand: Brand, account_number: str) -> str:
    """From where to where, by the sign of the amount: “Aurora Phone → customer 70001”."""
    if amount < 0:
        # Translators: where funds go, from one to the other. Right to left the arrow points left: ←
        words = gettext("customer %(number)s → %(brand)s")
    else:
        # Translators: where funds go, from one to the other. Right to left the arrow points left: ←
        words = gettext("%(brand)s → customer %(number)s")
    return words % {"brand": brand.name, "number": account_number}


def amount_words(move: Move) -> str:
    """How much, whichever way, in the brand's currency."""
    return money(abs(move.amount), move.brand)


def outcome_words(move: Move) -> str:
    """The state as it is to be read: what was sent a while ago without an end is unknown."""
    return str(Move.State(move.outcome).label)


def limits_words(change: LimitsChange, now: MovePolicy) -> list[str]:
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
