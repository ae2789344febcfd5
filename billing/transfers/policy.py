"""A brand's rules for transfers: limits, the stop after an unexpected answer, and refunds."""

import logging
from datetime import datetime, timedelta
from decimal import Decimal

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Abs
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from billing.models import LimitsChange, Move, MovePolicy
from portal.brands.access import is_operator
from portal.core.money import format_money
from portal.models import Brand

logger = logging.getLogger(__name__)

DAY = timedelta(hours=24)
# An operator's largest test refund before refunds are allowed, in the brand's currency.
TRIAL = Decimal("1.00")
_NO_REFUNDS = {"back_at": None, "back_by": None, "back_move": None}


class TransferRefused(Exception):
    """Nothing was sent. `words` tell staff why; `needs` names a confirmation that would help, or is empty."""

    def __init__(self, words: str, needs: str = "") -> None:
        super().__init__(words)
        self.words = words
        self.needs = needs


def get_policy(brand: Brand) -> MovePolicy:
    """Return the brand's current rules; create them with their defaults if there are none.

    Higher limits whose time has come are applied here, so that no job has to run.
    """
    due = LimitsChange.objects.filter(
        state=LimitsChange.State.WAITING, effective_at__lte=timezone.now()
    ).select_related("asked_by")
    is_due = Exists(due.filter(policy=OuterRef("pk")))
    rows = MovePolicy.objects.annotate(is_due=is_due).select_related("brand").defer("brand__logo")
    policy: MovePolicy = rows.get_or_create(brand=brand)[0]
    if getattr(policy, "is_due", False):
        for change in due.filter(policy=policy):
            apply_limits(change, by=None)
        policy.refresh_from_db(fields=MovePolicy.LIMITS)
    return policy


def apply_limits(change: LimitsChange, *, by: User | None) -> bool:
    """Apply pending higher limits: confirmed by an operator or (None) because their time has come.

    Return False if they are no longer pending.
    """
    with transaction.atomic():
        policy = MovePolicy.objects.select_for_update().get(pk=change.policy_id)
        if not close_limits_change(change, LimitsChange.State.IN_FORCE, by):
            return False
        words = ", ".join(
            f"{name}: {getattr(policy, name)} → {value}" for name, value in change.limits.items()
        )
        MovePolicy.objects.filter(pk=policy.pk).update(**change.limits)
        if by is None:
            record_policy_change(change.asked_by, policy, f"In force after 24 hours: {words}")
        else:
            record_policy_change(by, policy, f"Confirmed what {change.asked_by} asked for: {words}")
    return True


def close_limits_change(change: LimitsChange, state: LimitsChange.State, by: User | None) -> bool:
    """Close a pending change, once. Return False if it was not pending."""
    waiting = LimitsChange.objects.filter(pk=change.pk, state=LimitsChange.State.WAITING)
    return bool(waiting.update(state=state, decided_by=by, decided_at=timezone.now()))


def require_within_policy(
    policy: MovePolicy, *, amount: Decimal, by: User, exclude: Move | None = None
) -> None:
    """Raise TransferRefused if limits, the stop or the direction forbid it. `exclude` is counted already."""
    if policy.stopped_at:
        raise TransferRefused(
            _("All transfers for this brand are paused. %(why)s An operator has to check and resume them.")
            % {"why": _(policy.stopped_why)}
        )
    if amount < 0 and not policy.back_at and not _is_test_refund(amount, by):
        raise TransferRefused(
            _("Refunds to the partner account aren't enabled. An operator must test one first.")
        )
    if abs(amount) > policy.per_move:
        limit = format_money(policy.per_move, policy.brand)
        raise TransferRefused(_("One transfer can be up to %(limit)s.") % {"limit": limit})
    left = policy.per_day - get_moved_today(policy.brand, exclude)
    if abs(amount) > left:
        amounts = {"limit": policy.per_day, "left": max(left, Decimal(0))}
        raise TransferRefused(
            _("This brand can transfer up to %(limit)s within 24 hours. %(left)s is left.")
            % {name: format_money(value, policy.brand) for name, value in amounts.items()}
        )


def _is_test_refund(amount: Decimal, by: User) -> bool:
    return is_operator(by) and abs(amount) <= TRIAL


def get_moved_today(brand: Brand, exclude: Move | None = None) -> Decimal:
    """Return the sum of the last 24 hours' transfers, in both directions, including unknown and waiting ones.

    An approved transfer counts from its approval, which is up to a day after its request.
    """
    return _sum(_recent(brand).filter(state__in=Move.COUNTED), exclude)


def _recent(brand: Brand) -> QuerySet[Move]:
    since = timezone.now() - DAY
    is_recent = Q(asked_at__gt=since) | Q(dispatched_at__gt=since)
    return Move.objects.filter(is_recent, brand=brand, asked_at__gt=since - DAY)


def get_pending_outflow(brand: Brand, since: datetime, exclude: Move | None = None) -> Decimal:
    """Return what other transfers may take from the partner account beyond a balance read `since` then."""
    is_pending = Q(state=Move.State.DONE, ended_at__gt=since) | Q(state__in=Move.OPEN)
    return _sum(Move.objects.filter(is_pending, brand=brand, amount__gt=0), exclude)


def _sum(transfers: QuerySet[Move], exclude: Move | None) -> Decimal:
    rows = transfers.exclude(pk=exclude.pk) if exclude else transfers
    return rows.aggregate(sum=Sum(Abs("amount")))["sum"] or Decimal(0)


def needs_second_person(
    policy: MovePolicy, customer: User, amount: Decimal, exclude: Move | None = None
) -> bool:
    """Return True if the amount, with the customer's recent transfers, is above what one person may move.

    The last 24 hours count, in both directions, for the customer and for the account number: also what is
    unknown or waits, and what its own requester has found not done. What a second person has approved does
    not count, or everything after it would wait too.
    """
    own = Q(customer=customer) | Q(account_number=customer.account_number)
    alone = Q(state=Move.State.FOUND_NOT_DONE, resolved_by=F("asked_by"))
    counted = _recent(policy.brand).filter(own, Q(state__in=Move.COUNTED) | alone, approved_by=None)
    return abs(amount) + _sum(counted, exclude) > policy.second_person_above


def stop_transfers(*, brand: Brand, why: str) -> None:
    """Stop all transfers of a brand, after an answer that cannot be trusted, until an operator resumes them.

    Refunds are no longer allowed either. The first reason stays.
    """
    _stop(get_policy(brand), why)
    MovePolicy.objects.filter(brand=brand).update(**_NO_REFUNDS)


def stop_transfers_by_hand(*, brand: Brand, by: User, why: str) -> None:
    """Stop all transfers of a brand, as an operator. Raises TransferRefused for anyone else."""
    require_operator(by)
    policy = get_policy(brand)
    if _stop(policy, why):
        record_policy_change(by, policy, f"Stopped all moves: {why}")


def _stop(policy: MovePolicy, why: str) -> bool:
    running = MovePolicy.objects.filter(pk=policy.pk, stopped_at=None)
    stopped = bool(running.update(stopped_at=timezone.now(), stopped_why=why))
    if stopped:
        logger.error("moves of funds stopped", extra={"brand": policy.brand.slug, "why": why})
    return stopped


def resume_transfers(*, brand: Brand, by: User, note: str) -> None:
    """Resume a brand's transfers, as an operator. Raises TransferRefused for anyone else."""
    require_operator(by)
    policy = get_policy(brand)
    stopped = MovePolicy.objects.filter(pk=policy.pk, stopped_at__isnull=False)
    if stopped.update(stopped_at=None, stopped_why=""):
        record_policy_change(by, policy, f"Started moves again after “{policy.stopped_why}”: {note}")


def allow_refunds(*, brand: Brand, transfer: Move, by: User) -> None:
    """Allow refunds to staff, after an operator has checked a small one.

    Raises TransferRefused if that transfer proves nothing.
    """
    require_operator(by)
    done = transfer.state == Move.State.DONE  # The balance of one found done later may contain calls.
    if transfer.brand_id != brand.pk or transfer.amount >= 0 or not done:
        raise TransferRefused(_("Only a completed refund for this brand proves that refunds work."))
    before, after = transfer.customer_before, transfer.customer_after
    if before is None or after is None or after >= before:
        raise TransferRefused(
            _("The customer's balance didn't go down with that transfer, so it proves nothing.")
        )
    policy = get_policy(brand)
    MovePolicy.objects.filter(pk=policy.pk).update(back_move=transfer, back_by=by, back_at=timezone.now())
    record_policy_change(by, policy, f"Recorded that moving back works, by the move {transfer.operation}.")


def forbid_refunds(*, brand: Brand, by: User, note: str) -> None:
    """Forbid refunds again, as an operator. Raises TransferRefused for anyone else."""
    require_operator(by)
    policy = get_policy(brand)
    if MovePolicy.objects.filter(pk=policy.pk, back_at__isnull=False).update(**_NO_REFUNDS):
        record_policy_change(by, policy, f"Switched moving back off: {note}")


def require_operator(by: User) -> None:
    """Raise TransferRefused unless `by` is an operator."""
    if not is_operator(by):
        raise TransferRefused(_("Only an operator may do this."))


def record_policy_change(by: User, policy: MovePolicy, words: str) -> None:
    """Record an operator's change of the rules in their history and in the log."""
    LogEntry.objects.log_actions(by.pk, [policy], CHANGE, words, single_object=True)
    logger.warning("rules for moving funds changed", extra={"brand": policy.brand.slug, "why": words})
