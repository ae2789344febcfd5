"""Texts for staff about a transfer: direction, amount, state, limits."""

from dataclasses import dataclass, replace
from decimal import Decimal

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.models import LimitsChange, Move, MovePolicy
from portal.core.money import format_money
from portal.models import Brand

State = Move.State


def describe_direction(amount: Decimal, brand: Brand, account_number: str) -> str:
    """Return from where to where the money goes, by the amount's sign: “Aurora Phone → customer 70001”."""
    if amount < 0:
        # Translators: where funds go, from one to the other. Right to left the arrow points left: ←
        words = gettext("customer %(number)s → %(brand)s")
    else:
        # Translators: where funds go, from one to the other. Right to left the arrow points left: ←
        words = gettext("%(brand)s → customer %(number)s")
    return words % {"brand": brand.name, "number": account_number}


def format_amount(transfer: Move) -> str:
    """Return the amount without its sign, in the brand's currency."""
    return format_money(abs(transfer.amount), transfer.brand)


def describe_transfer(transfer: Move) -> str:
    """Return amount and direction: “A$5.00: Aurora Phone → customer 70001”."""
    direction = describe_direction(transfer.amount, transfer.brand, transfer.account_number)
    return f"{format_amount(transfer)}: {direction}"


def describe_outcome(transfer: Move) -> str:
    """Return the state in one word; a transfer that was sent long ago without an answer is unknown."""
    return str(Move.State(transfer.outcome).label)


@dataclass(frozen=True)
class StateText:
    """Texts for a transfer's state. `reason` is the carrier's English text, or our own."""

    title: Promise
    text: Promise
    warning: Promise | str = ""
    steps: tuple[Promise, ...] = ()
    reason_label: Promise | str = ""
    reason: str = ""


STATE_TEXTS = {
    State.DONE: StateText(
        _("Done"), _("The carrier has moved the money and told the customer’s new balance.")
    ),
    State.REFUSED: StateText(
        _("Refused by the carrier"), _("The carrier did not move the money. What it said:")
    ),
    State.NOT_SENT: StateText(
        _("Not sent"),
        _("Nothing left our server, so no money moved. It is safe to try it again."),
        reason_label=_("The reason:"),
    ),
    State.UNKNOWN: StateText(
        _("Unknown"),
        _(
            "The carrier was asked, and no clear answer came. Sending it once more could move the money "
            "twice, so nothing more is moved for this customer until a person has said what became of it."
        ),
        warning=_("We do not know whether the money moved. Do NOT repeat it."),
        steps=(
            _(
                "Look into the carrier’s partner portal for a payment of this amount, with this description, "
                "at this time."
            ),
            _("Compare both balances with those before; the next page shows them side by side."),
            _(
                "Say there what you found. That is written down, and lets further moves of this customer go "
                "on."
            ),
        ),
    ),
    State.DISPATCHED: StateText(
        _("Being sent"),
        _(
            "The carrier has been asked and has not answered yet. Do not repeat it. Reload this page in a "
            "moment: that sends nothing."
        ),
    ),
    State.WAITING: StateText(
        _("Waits for a second person"),
        _(
            "Nothing has been sent. You can approve it: the next page reads both balances and shows what "
            "would happen."
        ),
    ),
    State.DECLINED: StateText(
        _("Declined"), _("Nothing was sent, and this move will not be. The reason stands below.")
    ),
    State.EXPIRED: StateText(
        _("Expired"), _("Nobody approved it in time. Nothing was sent, and this move will not be.")
    ),
    State.FOUND_DONE: StateText(
        _("Found done"), _("The outcome was unknown. A person looked, and found that the money moved.")
    ),
    State.FOUND_NOT_DONE: StateText(
        _("Found not done"),
        _(
            "The outcome was unknown. A person looked, and found that no money moved. If it is still wanted, "
            "begin a new move."
        ),
    ),
}
_OWN_WAITING = _(
    "Nothing has been sent. Somebody else than you, who works for this brand, has to approve it."
)
_BOOKED_OTHERWISE = _(
    "The carrier answered, but the customer’s balance did not change as it should. Therefore all moves of "
    "this brand are stopped until an operator lets them go on, and nothing more is moved for this customer "
    "until a person has said what became of this move."
)


def describe_state(transfer: Move, *, is_own: bool) -> StateText:
    """Return the texts for a transfer's state; `is_own` if the reader has requested it."""
    text = STATE_TEXTS[State(transfer.outcome)]
    if transfer.outcome == State.WAITING and is_own:
        return replace(text, text=_OWN_WAITING)
    if transfer.outcome == State.UNKNOWN and transfer.booked_otherwise:
        return replace(text, text=_BOOKED_OTHERWISE)
    if transfer.outcome == State.REFUSED:
        return replace(text, reason=transfer.why or "–")
    if transfer.outcome == State.NOT_SENT:
        return replace(text, reason=transfer.why)
    return text


def describe_limits(change: LimitsChange, now: MovePolicy) -> list[str]:
    """Return a line for each limit that would change: “At most per move: $900.00 instead of $500.00”."""
    names = {
        "per_move": gettext("At most per move"),
        "per_day": gettext("At most within 24 hours"),
        "second_person_above": gettext("A second person approves above"),
    }
    return [
        gettext("%(limit)s: %(then)s instead of %(now)s")
        % {
            "limit": names[name],
            "then": format_money(value, now.brand),
            "now": format_money(getattr(now, name), now.brand),
        }
        for name, value in change.limits.items()
    ]
