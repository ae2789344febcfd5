"""Moving funds between the partner account and a customer: once, or not at all, or known to be unknown.

The carrier knows no reference of ours, so nothing can be asked twice. A move is stored as DISPATCHED, by a
transaction of its own, before the carrier is asked; then it is asked once. Only what provably never left us
counts as not sent; whatever else has no clear answer is unknown until a person has looked at both balances.
"""

import logging
import uuid
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from billing.models import Move, MovePolicy
from billing.statements import periods
from billing.statements.service import get_statement
from billing.transfers.audit import finish_move, move_event
from billing.transfers.dispatch import dispatch
from billing.transfers.policy import MoveRefused as MoveRefused
from billing.transfers.policy import leaving, must_be_allowed, needs_second_person, policy_of
from billing.transfers.preconditions import (
    must_be_the_latest,
    open_words,
    require_access,
    require_account_number,
    require_confirmation,
    require_no_open_move,
    unknown_account_words,
    would_empty_partner_account,
)
from billing.transfers.second_person import must_be_two, must_not_resolve_alone
from portal.models import Brand

logger = logging.getLogger(__name__)

State = Move.State


@dataclass(frozen=True)
class Preview:
    """What a move would do, by both balances as just read; in the brand's currency.

    `under_way` is what other moves may still take from the partner account beside it.
    """

    customer_before: Decimal
    partner_before: Decimal
    customer_then: Decimal
    partner_then: Decimal
    under_way: Decimal
    read_at: datetime
    second_person: bool
    empties_partner: bool

    @property
    def partner_at_worst(self) -> Decimal:
        """The partner balance afterwards, if none of what is under way is in the one that was read."""
        return self.partner_then - self.under_way


def move_balances(*, brand: Brand, customer: User, by: User) -> tuple[Decimal, Decimal]:
    """The balances of customer and partner account, read now. Raises MoveRefused where one cannot be read."""
    require_access(brand, customer, by)
    require_account_number(customer)
    return _read_now(brand, customer), _read_now(brand, None)


def _read_now(brand: Brand, whose: User | None) -> Decimal:
    """Of a question asked from now on: one that somebody else asked before may miss the latest move."""
    began, month = timezone.now(), periods.this_month(periods.today(brand))
    for _try in range(3):  # The first ones may have waited for somebody else's answer.
        found = get_statement(brand=brand, customer=whose, period=month, refresh=True)
        if whose and found.trouble == "gone":
            raise MoveRefused(unknown_account_words(whose.account_number))
        if not found.statement or found.trouble:
            break
        if found.as_of and found.as_of >= began:
            return found.statement.closing_balance
    raise MoveRefused(
        _("The carrier does not tell both balances at the moment, so nothing was sent. Try again later.")
    )


def move_preview(
    *, brand: Brand, customer: User, amount: Decimal, by: User, but: Move | None = None
) -> Preview:
    """What would happen now, by a move that is to be approved in `but`. Raises MoveRefused against it."""
    require_access(brand, customer, by)
    policy = policy_of(brand)
    if but:
        must_be_two(by=by, asked_by=but.asked_by, asked_at=but.asked_at)
    must_be_allowed(policy, amount=amount, by=by, but=but)
    require_no_open_move(customer, but)
    read_at = timezone.now()
    customer_before, partner_before = move_balances(brand=brand, customer=customer, by=by)
    under_way = leaving(brand, read_at, but)
    return Preview(
        customer_before=customer_before,
        partner_before=partner_before,
        customer_then=customer_before + amount,
        partner_then=partner_before - amount,
        under_way=under_way,
        read_at=read_at,
        second_person=needs_second_person(policy, customer, amount, but),
        empties_partner=would_empty_partner_account(amount, partner_before - under_way),
    )


def move_request(
    *,
    brand: Brand,
    customer: User,
    amount: Decimal,
    description: str,
    operation: uuid.UUID,
    by: User,
    empties_partner_confirmed: bool = False,
) -> Move:
    """Make a move, or leave it for a second person to approve; once per operation, however often it is asked.

    Raises MoveRefused where nothing was recorded.
    """
    if known := _known(operation, brand, customer):
        return known
    move = Move(brand=brand, customer=customer, account_number=customer.account_number, amount=amount)
    move.description, move.operation, move.asked_by = description, operation, by
    try:
        return _asked(move, by, empties_partner_confirmed)
    except MoveRefused:
        if known := _known(operation, brand, customer):  # Another request has just begun this very move.
            return known
        raise


def _asked(move: Move, by: User, confirmed: bool) -> Move:
    seen = move_preview(brand=move.brand, customer=move.customer, amount=move.amount, by=by)
    require_confirmation(seen.empties_partner, confirmed)
    try:
        _record(move, seen, by, confirmed)
    except IntegrityError as error:  # Another request was first: with this operation, or for this customer.
        raise MoveRefused(open_words()) from error
    return move if move.state == State.WAITING else dispatch(move)


def move_approve(*, brand: Brand, move: Move, by: User, empties_partner_confirmed: bool = False) -> Move:
    """A second person approves, and the move is made. Raises MoveRefused; then it goes on waiting."""
    if by.pk == move.asked_by_id:
        raise MoveRefused(_("Somebody else than the person who asked for a move has to approve it."))
    if move.state != State.WAITING or timezone.now() - move.asked_at > Move.APPROVED_WITHIN:
        raise MoveRefused(_("This move does not wait for approval any more."))
    seen = move_preview(brand=brand, customer=move.customer, amount=move.amount, by=by, but=move)
    require_confirmation(seen.empties_partner, empties_partner_confirmed)
    if move.customer.account_number != move.account_number:
        raise MoveRefused(_("The customer's account number has changed since; decline this move."))
    try:
        approved = _approve(move, seen, by, empties_partner_confirmed)
    except IntegrityError as error:
        raise MoveRefused(open_words()) from error
    if not approved:
        raise MoveRefused(_("Somebody else has just decided about this move."))
    return dispatch(move)


def move_decline(*, brand: Brand, move: Move, by: User, note: str) -> Move:
    """Somebody decides against a waiting move; whoever asked for it may take it back too."""
    require_access(brand, move.customer, by)
    return _end(move, (State.WAITING,), State.DECLINED, by, note)


def move_resolve(*, brand: Brand, move: Move, by: User, happened: bool, note: str) -> Move:
    """A person has looked, and says whether an unknown move took place; both balances are recorded."""
    if move.outcome != State.UNKNOWN:
        raise MoveRefused(_("Only a move whose outcome is unknown can be resolved."))
    must_not_resolve_alone(move, by)
    customer = move.customer
    customer.account_number = move.account_number  # Of this account, whichever the customer has by now.
    move.customer_after, move.partner_after = move_balances(brand=brand, customer=customer, by=by)
    move.resolved_by = by
    state = State.FOUND_DONE if happened else State.FOUND_NOT_DONE
    return _end(move, Move.OPEN, state, by, note, "customer_after", "partner_after", "resolved_by")


def _known(operation: uuid.UUID, brand: Brand, customer: User) -> Move | None:
    move = Move.objects.filter(operation=operation).first()
    if move and (move.brand_id, move.customer_id) != (brand.pk, customer.pk):
        raise MoveRefused(_("This form belongs to another move. Begin anew."))
    return move


# --- What is recorded -----------------------------------------------------------------------------


def _record(move: Move, seen: Preview, by: User, confirmed: bool) -> None:
    """Store the move, checked once more under the brand's lock. Raises IntegrityError or MoveRefused."""
    with transaction.atomic(durable=True):
        rules = _checked_again(move, seen, by, confirmed)
        waits = needs_second_person(rules, move.customer, move.amount, move)
        move.state = State.WAITING if waits else State.DISPATCHED
        move.asked_at = timezone.now()
        _dispatched(move, seen)
        move.save()
        move_event(move, by)


def _approve(move: Move, seen: Preview, by: User, confirmed: bool) -> bool:
    with transaction.atomic(durable=True):
        _checked_again(move, seen, by, confirmed)
        move.state, move.approved_by = State.DISPATCHED, by
        _dispatched(move, seen)
        names = ("state", "approved_by", "dispatched_at", "customer_before", "partner_before")
        values = {name: getattr(move, name) for name in names}
        if not Move.objects.filter(pk=move.pk, state=State.WAITING).update(**values):
            return False
        move_event(move, by)
    return True


def _dispatched(move: Move, seen: Preview) -> None:
    move.customer_before, move.partner_before = seen.customer_before, seen.partner_before
    move.dispatched_at = timezone.now() if move.state == State.DISPATCHED else None


def _checked_again(move: Move, seen: Preview, by: User, confirmed: bool) -> MovePolicy:
    """Under the brand's lock, so that of two moves at once the second counts the first."""
    policy_of(move.brand)
    rows = MovePolicy.objects.select_related("brand").select_for_update(of=("self",))
    rules = rows.get(brand=move.brand)
    must_be_allowed(rules, amount=move.amount, by=by, but=move)
    require_no_open_move(move.customer, move)
    must_be_the_latest(move.customer, seen.read_at, move)
    left = seen.partner_before - leaving(move.brand, seen.read_at, move)
    require_confirmation(would_empty_partner_account(move.amount, left), confirmed)
    return rules


def _end(move: Move, before: tuple[str, ...], state: State, by: User, note: str, *names: str) -> Move:
    if not finish_move(move, before, state, by, note, *names):
        raise MoveRefused(_("Somebody else has just decided about this move."))
    return move
