"""How much may be moved: what operators set for a brand, written down with who and what it was before."""

from decimal import Decimal

from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet

from accounts.models import User
from billing.models import MovePolicy
from billing.policy import policy_note, policy_of
from portal.admin_scope import is_operator
from portal.models import Brand

NAMES = ("per_move", "per_day", "second_person_above")


def limits_set(*, brand: Brand, by: User, **limits: Decimal) -> list[str]:
    """Set those of NAMES that are given; the names of those that are others than before.

    Raises PermissionError for whoever is no operator.
    """
    if not is_operator(by):
        raise PermissionError("only an operator sets limits")
    policy = policy_of(brand)
    before = {name: getattr(policy, name) for name in NAMES}
    changed = [name for name in NAMES if name in limits and limits[name] != before[name]]
    if changed:
        MovePolicy.objects.filter(pk=policy.pk).update(**{name: limits[name] for name in changed})
        words = ", ".join(f"{name}: {before[name]} → {limits[name]}" for name in changed)
        policy_note(by, policy, words)
    return changed


def policy_history(policy: MovePolicy) -> QuerySet[LogEntry]:
    """What operators changed, the newest first."""
    entries = LogEntry.objects.filter(content_type__app_label="billing", content_type__model="movepolicy")
    return entries.filter(object_id=str(policy.pk)).select_related("user").order_by("-action_time", "-pk")
