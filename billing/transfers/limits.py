"""How much may be moved: what operators set for a brand, written down with who and what it was before.

A lower limit is in force at once. A higher one takes a second operator. Where there is one operator alone it
takes 24 hours, and all who work for the brand are mailed about it at once.
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
from billing.transfers.notices import limits_tell
from billing.transfers.policy import (
    MoveRefused,
    limits_decided,
    limits_in_force,
    must_be_operator,
    policy_note,
    policy_of,
)
from billing.transfers.second_person import must_be_two
from portal.models import Brand

ALONE = timedelta(hours=24)
Limits = dict[str, Decimal]


def limits_set(*, brand: Brand, by: User, **limits: Decimal) -> tuple[Limits, LimitsChange | None]:
    """Set those of MovePolicy.LIMITS that are given: those that are lower now, and what waits of the others.

    A change that waits already is withdrawn: what was wanted last counts. Raises MoveRefused for anybody but
    an operator, and where higher limits would take effect by themselves and nobody can be mailed about them.
    """
    must_be_operator(by)
    lower, change = _set(policy_of(brand), by, limits)
    if change and change.effective_at and not limits_tell(change):
        limits_withdraw(change=change, by=by)
        raise MoveRefused(
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
        policy_note(by, policy, _told(before, lower))
    return lower, _ask(policy, by, before, higher) if higher else None


def _ask(policy: MovePolicy, by: User, before: Limits, higher: Limits) -> LimitsChange:
    now = timezone.now()
    alone = not User.objects.filter(brand=None, **_OPERATORS).exclude(pk=by.pk).exists()
    change = LimitsChange(policy=policy, asked_by=by, asked_at=now, **higher)
    change.effective_at = now + ALONE if alone else None
    change.save()
    when = "in force in 24 hours" if alone else "another operator has to confirm it"
    policy_note(by, policy, f"Asked for {_told(before, higher)} ({when})")
    return change


_OPERATORS = {"is_active": True, "is_staff": True, "is_superuser": True}


def _told(before: Limits, after: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{name}: {before[name]} → {value}" for name, value in after.items())


def limits_confirm(*, change: LimitsChange, by: User) -> None:
    """Another operator lets higher limits take effect.

    Raises MoveRefused for anybody else, and where they do not wait any more.
    """
    must_be_operator(by)
    if change.effective_at:
        raise MoveRefused(
            _("These limits apply by themselves after 24 hours. They can be withdrawn until then.")
        )
    if by.pk == change.asked_by_id:
        raise MoveRefused(_("You asked for these limits, so another operator has to confirm them."))
    must_be_two(by=by, asked_by=change.asked_by, asked_at=change.asked_at)
    if not limits_in_force(change, by=by):
        raise MoveRefused(_too_late())


def limits_withdraw(*, change: LimitsChange, by: User) -> None:
    """Any operator decides against higher limits that wait.

    Raises MoveRefused for anybody else, and where they do not wait any more.
    """
    must_be_operator(by)
    with transaction.atomic():
        policy = MovePolicy.objects.select_for_update().get(pk=change.policy_id)
        if not limits_decided(change, LimitsChange.State.WITHDRAWN, by):
            raise MoveRefused(_too_late())
        policy_note(by, policy, f"Withdrew what {change.asked_by} asked for: {change}")


def _withdraw_all(policy: MovePolicy, by: User) -> None:
    for change in policy.changes.filter(state=LimitsChange.State.WAITING).select_related("asked_by"):
        limits_withdraw(change=change, by=by)


def _too_late() -> str:
    return _("Somebody has just decided about these limits, or they apply already.")


def limits_waiting(policy: MovePolicy) -> LimitsChange | None:
    """The change of a brand's limits that waits, if there is one."""
    rows = policy.changes.filter(state=LimitsChange.State.WAITING).select_related("asked_by", "policy__brand")
    return rows.defer("policy__brand__logo").first()


def policy_history(policy: MovePolicy) -> QuerySet[LogEntry]:
    """What operators changed, the newest first."""
    entries = LogEntry.objects.filter(content_type__app_label="billing", content_type__model="movepolicy")
    return entries.filter(object_id=str(policy.pk)).select_related("user").order_by("-action_time", "-pk")
