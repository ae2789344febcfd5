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
from billing.transfers.audit import finish_transfer, record_event
from billing.transfers.policy import stop_transfers
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


def dispatch_transfer(transfer: Move) -> Move:
    """Send a move that is stored as DISPATCHED. It is sent once at most, and its end is stored.

    Not inside a transaction: what happened would be forgotten if that were rolled back. If even the end
    cannot be stored, the row stays as it is, and is read as unknown a minute after.
    """
    if transfer.dispatched_at is None or abs(timezone.now() - transfer.dispatched_at) > _LATEST:
        return _ended(transfer, State.NOT_SENT, "held up before it was sent")
    try:
        answer = carrier_calls.call(
            CallContext(transfer.customer_id, str(transfer.operation)),
            brand=transfer.brand,
            method="move_funds",
            account_number=transfer.account_number,
            amount=transfer.amount,
            description=transfer.description,
        )
    except UpstreamError as error:
        return _ended(transfer, _state(error), error.user_message or error.message, error.status)
    except Exception as error:  # Whatever it is, the carrier may have been asked.
        logger.exception("move of funds: unforeseen", extra={"operation": str(transfer.operation)})
        return _ended(transfer, State.UNKNOWN, type(error).__name__)
    return _answered(transfer, answer)


def _state(error: UpstreamError) -> State:
    if error.may_have_happened:
        return State.UNKNOWN
    return State.NOT_SENT if isinstance(error, Unreachable) else State.REFUSED


def _answered(transfer: Move, answer: Answer) -> Move:
    balance, limit = Decimal(answer["customer_balance"]), Decimal(answer["customer_credit_limit"])
    transfer.customer_after = balance
    if why := _against(transfer, balance):
        stop_transfers(brand=transfer.brand, why=why)
        return _ended(transfer, State.UNKNOWN, why, 200)
    ended = _ended(transfer, State.DONE, "", 200)
    try:
        _update_from_answer(transfer, limit)
    except Exception:  # The move itself is done and stored; nothing after it may make it look otherwise.
        logger.exception("nothing learned from a move", extra={"operation": str(transfer.operation)})
    return ended


def _against(transfer: Move, balance: Decimal) -> str:
    """Why the customer's new balance is not what the move must lead to; empty where it is.

    It has changed by half of the amount at least, as calls go on meanwhile, and by a cent more at most. The
    partner balance proves nothing: the calls of all customers change it.
    """
    change = balance - transfer.customer_before if transfer.customer_before is not None else Decimal(0)
    moved = change if transfer.amount > 0 else -change
    if abs(transfer.amount) / 2 <= moved <= abs(transfer.amount) + _CENT:
        return ""
    return Move.OTHER_AMOUNT if moved > 0 else Move.WRONG_WAY


def _ended(transfer: Move, state: State, why: str, status: int | None = None) -> Move:
    transfer.why, transfer.status = why[:200], status
    try:
        if not finish_transfer(
            transfer, (State.DISPATCHED,), state, None, why, "why", "status", "customer_after"
        ):
            return _too_late(transfer)
    except Error:
        logger.exception("end of a move not stored", extra={"operation": str(transfer.operation)})
        transfer.state = State.DISPATCHED
    level = logging.ERROR if state == State.UNKNOWN else logging.INFO
    extra = {
        "brand": transfer.brand.slug,
        "operation": str(transfer.operation),
        "outcome": str(transfer.state),
    }
    logger.log(level, "move of funds", extra=extra)
    return transfer


def _too_late(transfer: Move) -> Move:
    """A person has decided before the answer came: what they said stays, and what came is written down.

    Where that is the opposite of what they said, moves are stopped: the next one might be the second.
    """
    came = transfer.state
    transfer.refresh_from_db()
    record_event(transfer, None, f"an answer came after that: {came}")
    if (came, transfer.state) == (State.DONE, State.FOUND_NOT_DONE):
        stop_transfers(brand=transfer.brand, why=LATE)
    logger.error("move of funds: late answer", extra={"operation": str(transfer.operation), "outcome": came})
    return transfer


def _update_from_answer(transfer: Move, limit: Decimal) -> None:
    """What a move's answer tells besides: the credit limit, and that kept figures are old now."""
    User.objects.filter(pk=transfer.customer_id).update(credit_limit=limit)
    month = periods.this_month(periods.today(transfer.brand))
    get_statement(brand=transfer.brand, customer=transfer.customer, period=month, refresh=True)
    partner = get_statement(brand=transfer.brand, customer=None, period=month, refresh=True)
    if partner.statement and not partner.error:
        transfer.partner_after = partner.statement.closing_balance
        with transaction.atomic(durable=True):
            Move.objects.filter(pk=transfer.pk).update(partner_after=transfer.partner_after)
            record_event(transfer, None, "the partner balance after it")
