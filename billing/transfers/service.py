"""Transfer funds between the partner account and a customer: once, not at all, or known to be unknown.

The carrier takes no idempotency key, so no call can be repeated. A transfer is stored as DISPATCHED in its
own transaction before the carrier is called; then it is called once. Only a request that certainly never left
the server counts as not sent; anything else without a clear answer is unknown until staff have checked both
balances.
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
from billing.transfers.audit import finish_transfer, record_event
from billing.transfers.dispatch import dispatch_transfer
from billing.transfers.policy import TransferRefused as TransferRefused
from billing.transfers.policy import (
    get_pending_outflow,
    get_policy,
    needs_second_person,
    require_within_policy,
)
from billing.transfers.preconditions import (
    describe_open_transfer,
    describe_unknown_account,
    require_access,
    require_account_number,
    require_confirmation,
    require_latest_balance,
    require_no_open_transfer,
    would_empty_partner_account,
)
from billing.transfers.second_person_rules import (
    require_other_person,
    require_second_person_to_resolve,
    require_two_people,
)
from portal.models import Brand

logger = logging.getLogger(__name__)

State = Move.State


@dataclass(frozen=True)
class Preview:
    """The effect of a transfer on both balances as just read, in the brand's currency.

    `under_way` is what other open transfers may still take from the partner account.
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
        """The partner balance afterwards, if the one that was read contains none of the open transfers."""
        return self.partner_then - self.under_way


def read_balances(*, brand: Brand, customer: User, by: User) -> tuple[Decimal, Decimal]:
    """Read the balances of customer and partner account now. Raises TransferRefused if one cannot be read."""
    require_access(brand, customer, by)
    require_account_number(customer)
    return _read_now(brand, customer), _read_now(brand, None)


def _read_now(brand: Brand, customer: User | None) -> Decimal:
    """Read a balance by a call from now on: an earlier reader's may miss the latest transfer."""
    began, month = timezone.now(), periods.this_month(periods.today(brand))
    for _try in range(3):  # The first ones may have waited for another reader's call.
        found = get_statement(brand=brand, customer=customer, period=month, refresh=True)
        if customer and found.error == "gone":
            raise TransferRefused(describe_unknown_account(customer.account_number))
        if not found.statement or found.error:
            break
        if found.as_of and found.as_of >= began:
            return found.statement.closing_balance
    raise TransferRefused(
        _("We couldn't read both balances from the carrier, so nothing was sent. Try again later.")
    )


def preview_transfer(
    *, brand: Brand, customer: User, amount: Decimal, by: User, exclude: Move | None = None
) -> Preview:
    """Return what the transfer would do now; `exclude` is itself, if stored. Raises TransferRefused."""
    require_access(brand, customer, by)
    policy = get_policy(brand)
    if exclude:
        require_two_people(brand=brand, by=by, asked_by=exclude.asked_by, asked_at=exclude.asked_at)
    require_within_policy(policy, amount=amount, by=by, exclude=exclude)
    require_no_open_transfer(customer, exclude)
    read_at = timezone.now()
    customer_before, partner_before = read_balances(brand=brand, customer=customer, by=by)
    under_way = get_pending_outflow(brand, read_at, exclude)
    return Preview(
        customer_before=customer_before,
        partner_before=partner_before,
        customer_then=customer_before + amount,
        partner_then=partner_before - amount,
        under_way=under_way,
        read_at=read_at,
        second_person=needs_second_person(policy, customer, amount, exclude),
        empties_partner=would_empty_partner_account(amount, partner_before - under_way),
    )


def request_transfer(
    *,
    brand: Brand,
    customer: User,
    amount: Decimal,
    description: str,
    operation: uuid.UUID,
    by: User,
    empties_partner_confirmed: bool = False,
) -> Move:
    """Make a transfer, or store it for a second person to approve; once per operation.

    Raises TransferRefused if nothing was stored.
    """
    if same := _find_same(operation, brand, customer):
        return same
    transfer = Move(brand=brand, customer=customer, account_number=customer.account_number, amount=amount)
    transfer.description, transfer.operation, transfer.asked_by = description, operation, by
    try:
        return _request(transfer, by, empties_partner_confirmed)
    except TransferRefused:
        if same := _find_same(operation, brand, customer):  # Another request has just begun the same one.
            return same
        raise


def _request(transfer: Move, by: User, confirmed: bool) -> Move:
    preview = preview_transfer(
        brand=transfer.brand, customer=transfer.customer, amount=transfer.amount, by=by
    )
    require_confirmation(preview.empties_partner, confirmed)
    try:
        _store_request(transfer, preview, by, confirmed)
    except IntegrityError as error:  # Another request was first, with this operation or for this customer.
        raise TransferRefused(describe_open_transfer()) from error
    return transfer if transfer.state == State.WAITING else dispatch_transfer(transfer)


def approve_transfer(
    *, brand: Brand, transfer: Move, by: User, empties_partner_confirmed: bool = False
) -> Move:
    """Approve a transfer as the second person, and make it. Raises TransferRefused; then it stays waiting."""
    require_other_person(transfer, by)
    if transfer.state != State.WAITING or timezone.now() - transfer.asked_at > Move.APPROVED_WITHIN:
        raise TransferRefused(_("This transfer is no longer waiting for approval."))
    preview = preview_transfer(
        brand=brand, customer=transfer.customer, amount=transfer.amount, by=by, exclude=transfer
    )
    require_confirmation(preview.empties_partner, empties_partner_confirmed)
    if transfer.customer.account_number != transfer.account_number:
        raise TransferRefused(
            _("The customer's account number has changed since then. Decline this transfer.")
        )
    try:
        approved = _store_approval(transfer, preview, by, empties_partner_confirmed)
    except IntegrityError as error:
        raise TransferRefused(describe_open_transfer()) from error
    if not approved:
        raise TransferRefused(_("Someone else has just decided on this transfer."))
    return dispatch_transfer(transfer)


def decline_transfer(*, brand: Brand, transfer: Move, by: User, note: str) -> Move:
    """Decline a waiting transfer; its requester can withdraw it too."""
    require_access(brand, transfer.customer, by)
    return _finish(transfer, (State.WAITING,), State.DECLINED, by, note)


def resolve_transfer(*, brand: Brand, transfer: Move, by: User, happened: bool, note: str) -> Move:
    """Record whether an unknown transfer took place, with both balances."""
    if transfer.outcome != State.UNKNOWN:
        raise TransferRefused(_("You can only resolve a transfer whose result is unknown."))
    require_second_person_to_resolve(transfer, by)
    customer = transfer.customer
    customer.account_number = transfer.account_number  # The customer may have another one by now.
    transfer.customer_after, transfer.partner_after = read_balances(brand=brand, customer=customer, by=by)
    transfer.resolved_by = by
    state = State.FOUND_DONE if happened else State.FOUND_NOT_DONE
    return _finish(transfer, Move.OPEN, state, by, note, "customer_after", "partner_after", "resolved_by")


def _find_same(operation: uuid.UUID, brand: Brand, customer: User) -> Move | None:
    transfer = Move.objects.filter(operation=operation).first()
    if transfer and (transfer.brand_id, transfer.customer_id) != (brand.pk, customer.pk):
        raise TransferRefused(_("This form belongs to another transfer. Start again."))
    return transfer


def _store_request(transfer: Move, preview: Preview, by: User, confirmed: bool) -> None:
    """Check again under the brand's lock, then store. Raises IntegrityError and TransferRefused."""
    with transaction.atomic(durable=True):
        rules = _check_again(transfer, preview, by, confirmed)
        waits = needs_second_person(rules, transfer.customer, transfer.amount, transfer)
        transfer.state = State.WAITING if waits else State.DISPATCHED
        transfer.asked_at = timezone.now()
        _set_dispatched(transfer, preview)
        transfer.save()
        record_event(transfer, by)


def _store_approval(transfer: Move, preview: Preview, by: User, confirmed: bool) -> bool:
    with transaction.atomic(durable=True):
        _check_again(transfer, preview, by, confirmed)
        transfer.state, transfer.approved_by = State.DISPATCHED, by
        _set_dispatched(transfer, preview)
        names = ("state", "approved_by", "dispatched_at", "customer_before", "partner_before")
        values = {name: getattr(transfer, name) for name in names}
        if not Move.objects.filter(pk=transfer.pk, state=State.WAITING).update(**values):
            return False
        record_event(transfer, by)
    return True


def _set_dispatched(transfer: Move, preview: Preview) -> None:
    transfer.customer_before, transfer.partner_before = preview.customer_before, preview.partner_before
    transfer.dispatched_at = timezone.now() if transfer.state == State.DISPATCHED else None


def _check_again(transfer: Move, preview: Preview, by: User, confirmed: bool) -> MovePolicy:
    """Check under the brand's lock, so that of two transfers at once the second counts the first."""
    get_policy(transfer.brand)
    rows = MovePolicy.objects.select_related("brand").select_for_update(of=("self",))
    rules = rows.get(brand=transfer.brand)
    require_within_policy(rules, amount=transfer.amount, by=by, exclude=transfer)
    require_no_open_transfer(transfer.customer, transfer)
    require_latest_balance(transfer.customer, preview.read_at, transfer)
    left = preview.partner_before - get_pending_outflow(transfer.brand, preview.read_at, transfer)
    require_confirmation(would_empty_partner_account(transfer.amount, left), confirmed)
    return rules


def _finish(transfer: Move, before: tuple[str, ...], state: State, by: User, note: str, *names: str) -> Move:
    if not finish_transfer(transfer, before, state, by, note, *names):
        raise TransferRefused(_("Someone else has just decided on this transfer."))
    return transfer
