"""Send one transfer to the carrier, once, and store its result."""

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
from portal.carrier import calls
from portal.carrier.calls import CallContext
from portal.voipline import Answer, Unreachable, UpstreamError

logger = logging.getLogger(__name__)

State = Move.State
# Stored in English, translated when shown.
LATE = gettext_noop(
    "A transfer recorded as not paid was paid after all, because the carrier's answer came late."
)
# A process that was delayed for longer must not send: staff may have resolved the transfer by then.
_LATEST = timedelta(seconds=20)
_CENT = Decimal("0.01")


def dispatch_transfer(transfer: Move) -> Move:
    """Send a transfer that is stored as DISPATCHED, at most once, and store its result.

    Call it outside any transaction: a rollback would lose the result. If the result cannot be stored, the row
    stays as it is, and is unknown a minute later.
    """
    if transfer.dispatched_at is None or abs(timezone.now() - transfer.dispatched_at) > _LATEST:
        return _finish(transfer, State.NOT_SENT, "held up before it was sent")
    try:
        answer = calls.call(
            CallContext(transfer.customer_id, str(transfer.operation)),
            brand=transfer.brand,
            method="move_funds",
            account_number=transfer.account_number,
            amount=transfer.amount,
            description=transfer.description,
        )
    except UpstreamError as error:
        return _finish(transfer, _state(error), error.user_message or error.message, error.status)
    except Exception as error:  # The carrier may have been called.
        logger.exception("move of funds: unforeseen", extra={"operation": str(transfer.operation)})
        return _finish(transfer, State.UNKNOWN, type(error).__name__)
    return _handle_answer(transfer, answer)


def _state(error: UpstreamError) -> State:
    if error.may_have_happened:
        return State.UNKNOWN
    return State.NOT_SENT if isinstance(error, Unreachable) else State.REFUSED


def _handle_answer(transfer: Move, answer: Answer) -> Move:
    balance, limit = Decimal(answer["customer_balance"]), Decimal(answer["customer_credit_limit"])
    transfer.customer_after = balance
    if why := _mismatch(transfer, balance):
        stop_transfers(brand=transfer.brand, why=why)
        return _finish(transfer, State.UNKNOWN, why, 200)
    finished = _finish(transfer, State.DONE, "", 200)
    try:
        _update_from_answer(transfer, limit)
    except Exception:  # The transfer is done and stored; a later failure must not hide that.
        logger.exception("nothing learned from a move", extra={"operation": str(transfer.operation)})
    return finished


def _mismatch(transfer: Move, balance: Decimal) -> str:
    """Return why the customer's new balance does not fit the transfer; empty if it does.

    It must have changed by at least half of the amount, because calls continue during the transfer, and by at
    most one cent more. The partner balance proves nothing: the calls of all customers change it.
    """
    change = balance - transfer.customer_before if transfer.customer_before is not None else Decimal(0)
    moved = change if transfer.amount > 0 else -change
    if abs(transfer.amount) / 2 <= moved <= abs(transfer.amount) + _CENT:
        return ""
    return Move.OTHER_AMOUNT if moved > 0 else Move.WRONG_WAY


def _finish(transfer: Move, state: State, why: str, status: int | None = None) -> Move:
    transfer.why, transfer.status = why[:200], status
    try:
        if not finish_transfer(
            transfer, (State.DISPATCHED,), state, None, why, "why", "status", "customer_after"
        ):
            return _record_late_answer(transfer)
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


def _record_late_answer(transfer: Move) -> Move:
    """Record an answer that came after staff resolved the transfer; their decision stays.

    If the answer contradicts them, stop all transfers: the next one could be a repetition.
    """
    late_state = transfer.state
    transfer.refresh_from_db()
    record_event(transfer, None, f"an answer came after that: {late_state}")
    if (late_state, transfer.state) == (State.DONE, State.FOUND_NOT_DONE):
        stop_transfers(brand=transfer.brand, why=LATE)
    logger.error(
        "move of funds: late answer", extra={"operation": str(transfer.operation), "outcome": late_state}
    )
    return transfer


def _update_from_answer(transfer: Move, limit: Decimal) -> None:
    """Store the credit limit from the answer, and refresh the cached statements that it made stale."""
    User.objects.filter(pk=transfer.customer_id).update(credit_limit=limit)
    month = periods.this_month(periods.today(transfer.brand))
    get_statement(brand=transfer.brand, customer=transfer.customer, period=month, refresh=True)
    partner = get_statement(brand=transfer.brand, customer=None, period=month, refresh=True)
    if partner.statement and not partner.error:
        transfer.partner_after = partner.statement.closing_balance
        with transaction.atomic(durable=True):
            Move.objects.filter(pk=transfer.pk).update(partner_after=transfer.partner_after)
            record_event(transfer, None, "the partner balance after it")
