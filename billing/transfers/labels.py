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
        _("Done"), _("The carrier made the transfer and gave us the customer's new balance.")
    ),
    State.REFUSED: StateText(
        _("Refused by the carrier"), _("The carrier didn't make the transfer. It said:")
    ),
    State.NOT_SENT: StateText(
        _("Not sent"),
        _("Nothing left our server, so no money was sent. It's safe to try again."),
        reason_label=_("The reason:"),
    ),
    State.UNKNOWN: StateText(
        _("Unknown"),
        _(
            "The carrier didn't give a clear answer. Sending it again could pay twice. Transfers for this"
            " customer are on hold until someone records what happened."
        ),
        warning=_("We can't tell whether this transfer went through. Don't send it again."),
        steps=(
            _(
                "Check the carrier's partner portal for a payment of this amount, with this description, "
                "at this time."
            ),
            _("Compare both balances with those before. The next page shows them side by side."),
            _("Record what you found. Transfers for this customer then work again."),
        ),
    ),
    State.DISPATCHED: StateText(
        _("Being sent"),
        _(
            "We've asked the carrier, but it hasn't answered yet. Don't send the transfer again. Reload "
            "this page in a moment. Reloading sends nothing."
        ),
    ),
    State.WAITING: StateText(
        _("Awaiting approval"),
        _("Not sent yet. You can approve it. The next page reads both balances and shows what would happen."),
    ),
    State.DECLINED: StateText(
        _("Declined"), _("Nothing was sent, and this transfer won't be sent. See the reason below.")
    ),
    State.EXPIRED: StateText(
        _("Expired"), _("No one approved it in time. Nothing was sent, and this transfer won't be sent.")
    ),
    State.FOUND_DONE: StateText(
        _("Confirmed by staff: paid"),
        _("The result was unknown. Someone checked and found that the transfer went through."),
    ),
    State.FOUND_NOT_DONE: StateText(
        _("Confirmed by staff: not paid"),
        _(
            "The result was unknown. Someone checked and found that the transfer didn't go through. If "
            "you still want it, start a new one."
        ),
    ),
}
_OWN_WAITING = _("Not sent yet. A colleague on this brand has to approve it. You can't approve your own.")
_BOOKED_OTHERWISE = _(
    "The carrier answered, but the customer's balance didn't change as it should. All transfers for this "
    "brand are paused until an operator resumes them. Transfers for this customer are on hold until "
    "someone records what happened."
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
        "per_move": gettext("Limit per transfer"),
        "per_day": gettext("Daily limit (last 24 hours)"),
        "second_person_above": gettext("Approval needed above"),
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
