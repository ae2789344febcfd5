"""Change a brand's limits for transfers; each change is recorded with the old and the new value.

A lower limit applies at once. A higher one needs a second operator. If there is only one operator, it applies
after 24 hours, and the brand's staff are emailed at once.
"""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from django.contrib.admin.models import LogEntry
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from billing.models import LimitsChange, MovePolicy
from billing.transfers.notices import send_limits_notice
from billing.transfers.policy import (
    TransferRefused,
    apply_limits,
    close_limits_change,
    get_policy,
    record_policy_change,
    require_operator,
)
from billing.transfers.second_person_rules import require_two_people
from portal.models import Brand

ALONE = timedelta(hours=24)
Limits = dict[str, Decimal]


def update_limits(*, brand: Brand, by: User, **limits: Decimal) -> tuple[Limits, LimitsChange | None]:
    """Apply lower limits now and queue higher ones; return (lower limits, the pending change or None).

    `limits` are names of MovePolicy.LIMITS. A change that is already pending is withdrawn: the last request
    counts. Raises TransferRefused unless `by` is an operator, and where higher limits would take effect by
    themselves but no mail about them can be sent.
    """
    require_operator(by)
    lower, change = _set(get_policy(brand), by, limits)
    if change and change.effective_at and not send_limits_notice(change):
        withdraw_limits(change=change, by=by)
        raise TransferRefused(
            _(
                "The higher limits were not saved, because we can't email anybody about them right now. Try "
                "again later. Lower ones apply already."
            )
        )
    return lower, change


@transaction.atomic
def _set(policy: MovePolicy, by: User, limits: Limits) -> tuple[Limits, LimitsChange | None]:
    policy = MovePolicy.objects.select_for_update().get(pk=policy.pk)
    before = {name: getattr(policy, name) for name in limits}
    lower = {name: value for name, value in limits.items() if value < before[name]}
    higher = {name: value for name, value in limits.items() if value > before[name]}
    if lower or higher:
        _withdraw_all(policy, by)
    if lower:
        MovePolicy.objects.filter(pk=policy.pk).update(**lower)
        record_policy_change(by, policy, _describe(before, lower))
    return lower, _request(policy, by, before, higher) if higher else None


def _request(policy: MovePolicy, by: User, before: Limits, higher: Limits) -> LimitsChange:
    now = timezone.now()
    alone = not User.objects.filter(brand=None, **_OPERATORS).exclude(pk=by.pk).exists()
    change = LimitsChange(policy=policy, asked_by=by, asked_at=now, **higher)
    change.effective_at = now + ALONE if alone else None
    change.save()
    when = "in force in 24 hours" if alone else "another operator has to confirm it"
    record_policy_change(by, policy, f"Asked for {_describe(before, higher)} ({when})")
    return change


_OPERATORS = {"is_active": True, "is_staff": True, "is_superuser": True}


def _describe(before: Limits, after: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{name}: {before[name]} → {value}" for name, value in after.items())


def confirm_limits(*, change: LimitsChange, by: User) -> None:
    """Let higher limits take effect, by another operator.

    Raises TransferRefused for anyone else, and if the change is no longer pending.
    """
    require_operator(by)
    if change.effective_at:
        raise TransferRefused(
            _("These limits apply by themselves after 24 hours. They can be withdrawn until then.")
        )
    if by.pk == change.asked_by_id:
        raise TransferRefused(_("You asked for these limits, so another operator has to confirm them."))
    require_two_people(brand=change.policy.brand, by=by, asked_by=change.asked_by, asked_at=change.asked_at)
    if not apply_limits(change, by=by):
        raise TransferRefused(describe_decided_limits())


def withdraw_limits(*, change: LimitsChange, by: User) -> None:
    """Withdraw pending higher limits, by any operator.

    Raises TransferRefused for anyone else, and if the change is no longer pending.
    """
    require_operator(by)
    with transaction.atomic():
        policy = MovePolicy.objects.select_for_update().get(pk=change.policy_id)
        if not close_limits_change(change, LimitsChange.State.WITHDRAWN, by):
            raise TransferRefused(describe_decided_limits())
        record_policy_change(by, policy, f"Withdrew what {change.asked_by} asked for: {change}")


def _withdraw_all(policy: MovePolicy, by: User) -> None:
    for change in policy.changes.filter(state=LimitsChange.State.WAITING).select_related("asked_by"):
        withdraw_limits(change=change, by=by)


def describe_decided_limits() -> str:
    """Return why a decision about higher limits is too late."""
    return _("Someone has just decided on these limits, or they already apply.")


def get_pending_limits(policy: MovePolicy) -> LimitsChange | None:
    """Return the pending change of a brand's limits, if any."""
    rows = policy.changes.filter(state=LimitsChange.State.WAITING).select_related("asked_by", "policy__brand")
    return rows.defer("policy__brand__logo").first()


def list_policy_changes(policy: MovePolicy) -> QuerySet[LogEntry]:
    """Return what operators changed, the newest first."""
    entries = LogEntry.objects.filter(content_type__app_label="billing", content_type__model="movepolicy")
    return entries.filter(object_id=str(policy.pk)).select_related("user").order_by("-action_time", "-pk")
