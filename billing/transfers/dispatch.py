"""Asking the carrier for one move, once, and writing down how it ended."""

import logging
from datetime import timedelta
from decimal import Decimal

from django.db import Error, transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from accounts.models import User
from billing.models import Move
from billing.statements import periods
from billing.statements.service import get_statement
from billing.transfers.audit import finish_move, move_event
from billing.transfers.policy import moves_stop
from portal.carrier import calls as carrier_calls
from portal.carrier.calls import CallContext
from portal.voipline import Answer, Unreachable, UpstreamError

logger = logging.getLogger(__name__)

State = Move.State
# Stored in English, translated where it is shown.
LATE = gettext_noop("A move that was found not done was done after all: the carrier's answer came late.")
# A process that was held up for longer must not send: somebody may have looked and decided meanwhile.
_LATEST = timedelta(seconds=20)
_CENT = Decimal("0.01")


def dispatch(move: Move) -> Move:
    """Send a move that is stored as DISPATCHED. It is sent once at most, and its end is stored.

    Not inside a transaction: what happened would be forgotten if that were rolled back. If even the end
    cannot be stored, the row stays as it is, and is read as unknown a minute after.
    """
    if move.dispatched_at is None or abs(timezone.now() - move.dispatched_at) > _LATEST:
        return _ended(move, State.NOT_SENT, "held up before it was sent")
    try:
        answer = carrier_calls.call(
            CallContext(move.customer_id, str(move.operation)),
            brand=move.brand,
            method="move_funds",
            account_number=move.account_number,
            amount=move.amount,
            description=move.description,
        )
    except UpstreamError as error:
        return _ended(move, _state(error), error.user_message or error.message, error.status)
    except Exception as error:  # Whatever it is, the carrier may have been asked.
        logger.exception("move of funds: unforeseen", extra={"operation": str(move.operation)})
        return _ended(move, State.UNKNOWN, type(error).__name__)
    return _answered(move, answer)


def _state(error: UpstreamError) -> State:
    if error.may_have_happened:
        return State.UNKNOWN
    return State.NOT_SENT if isinstance(error, Unreachable) else State.REFUSED


def _answered(move: Move, answer: Answer) -> Move:
    balance, limit = Decimal(answer["customer_balance"]), Decimal(answer["customer_credit_limit"])
    move.customer_after = balance
    if why := _against(move, balance):
        moves_stop(brand=move.brand, why=why)
        return _ended(move, State.UNKNOWN, why, 200)
    ended = _ended(move, State.DONE, "", 200)
    try:
        _learn(move, limit)
    except Exception:  # The move itself is done and stored; nothing after it may make it look otherwise.
        logger.exception("nothing learned from a move", extra={"operation": str(move.operation)})
    return ended


def _against(move: Move, balance: Decimal) -> str:
    """Why the customer's new balance is not what the move must lead to; empty where it is.

    It has changed by half of the amount at least, as calls go on meanwhile, and by a cent more at most. The
    partner balance proves nothing: the calls of all customers change it.
    """
    change = balance - move.customer_before if move.customer_before is not None else Decimal(0)
    moved = change if move.amount > 0 else -change
    if abs(move.amount) / 2 <= moved <= abs(move.amount) + _CENT:
        return ""
    return Move.OTHER_AMOUNT if moved > 0 else Move.WRONG_WAY


def _ended(move: Move, state: State, why: str, status: int | None = None) -> Move:
    move.why, move.status = why[:200], status
    try:
        if not finish_move(move, (State.DISPATCHED,), state, None, why, "why", "status", "customer_after"):
            return _too_late(move)
    except Error:
        logger.exception("end of a move not stored", extra={"operation": str(move.operation)})
        move.state = State.DISPATCHED
    level = logging.ERROR if state == State.UNKNOWN else logging.INFO
    extra = {"brand": move.brand.slug, "operation": str(move.operation), "outcome": str(move.state)}
    logger.log(level, "move of funds", extra=extra)
    return move


def _too_late(move: Move) -> Move:
    """A person has decided before the answer came: what they said stays, and what came is written down.

    Where that is the opposite of what they said, moves are stopped: the next one might be the second.
    """
    came = move.state
    move.refresh_from_db()
    move_event(move, None, f"an answer came after that: {came}")
    if (came, move.state) == (State.DONE, State.FOUND_NOT_DONE):
        moves_stop(brand=move.brand, why=LATE)
    logger.error("move of funds: late answer", extra={"operation": str(move.operation), "outcome": came})
    return move


def _learn(move: Move, limit: Decimal) -> None:
    """What a move's answer tells besides: the credit limit, and that kept figures are old now."""
    User.objects.filter(pk=move.customer_id).update(credit_limit=limit)
    month = periods.this_month(periods.today(move.brand))
    get_statement(brand=move.brand, customer=move.customer, period=month, refresh=True)
    partner = get_statement(brand=move.brand, customer=None, period=month, refresh=True)
    if partner.statement and not partner.trouble:
        move.partner_after = partner.statement.closing_balance
        with transaction.atomic(durable=True):
            Move.objects.filter(pk=move.pk).update(partner_after=move.partner_after)
            move_event(move, None, "the partner balance after it")
