"""Require a second person: another human being, not an account that the first has just made or taken over."""

from datetime import datetime, timedelta

from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import StaffEvent, User
from accounts.staff.notices import list_staff
from billing.models import Move
from billing.transfers.policy import TransferRefused, get_policy, needs_second_person
from portal.core.formats import zoned_time
from portal.models import Brand

APART = timedelta(hours=24)


def _handed_over() -> QuerySet[StaffEvent]:
    """Events by which an account changed hands; `by` is None for a command, whose user is unknown."""
    by_another = Q(by=None) | ~Q(by=F("user"))
    return StaffEvent.objects.filter(by_another, kind__in=StaffEvent.HANDED_OVER)


def get_independent_since(person: User, before: datetime | None = None) -> datetime:
    """Return when an account counts as independent: 24 hours after it was made or changed hands.

    `before` looks only at events until then.
    """
    events = _handed_over().filter(user=person)
    if before is not None:
        events = events.filter(at__lte=before)
    last: datetime | None = events.aggregate(last=Max("at"))["last"]
    return max(person.date_joined, last or person.date_joined) + APART


def require_other_person(transfer: Move, by: User) -> None:
    """Raise TransferRefused if `by` has asked for the transfer."""
    if by.pk == transfer.asked_by_id:
        raise TransferRefused(_("Someone other than the person who asked for a transfer has to approve it."))


def require_two_people(*, brand: Brand, by: User, asked_by: User, asked_at: datetime) -> None:
    """Raise TransferRefused unless both who asked and who decides count as independent people."""
    now = timezone.now()
    if (own := get_independent_since(by)) > now:
        words = _(
            "Your account is new, or someone else reset its password or authenticator app in the last 24 "
            "hours. You don't count as a second person until %(when)s. Nothing has changed. Someone"
            " else can decide."
        )
        raise TransferRefused(words % {"when": zoned_time(own, brand)})
    if (theirs := get_independent_since(asked_by, asked_at)) > now:
        words = _(
            "%(who)s asked for this with a new account, or just after someone else reset its password or "
            "authenticator app. No one can approve or confirm it before %(when)s. Nothing has "
            "changed."
        )
        raise TransferRefused(words % {"who": asked_by, "when": zoned_time(theirs, brand)})


def has_second_person(brand: Brand, than: User) -> bool:
    """Return True if another independent person of the brand, with an authenticator app, could decide now."""
    recent = timezone.now() - APART
    handed_over = _handed_over().filter(user=OuterRef("pk"), at__gt=recent)
    others = list_staff(brand).exclude(pk=than.pk).filter(authenticator__confirmed=True)
    return others.filter(~Exists(handed_over), date_joined__lte=recent).exists()


def require_second_person_to_resolve(transfer: Move, by: User) -> None:
    """Raise TransferRefused if the requester resolves a transfer that needs a second person.

    If there is no second person, the requester may, 24 hours after it was sent.
    """
    alone = needs_second_person(get_policy(transfer.brand), transfer.customer, transfer.amount, transfer)
    if not alone and transfer.approved_by_id is None:
        return
    if by.pk != transfer.asked_by_id:
        require_two_people(
            brand=transfer.brand, by=by, asked_by=transfer.asked_by, asked_at=transfer.asked_at
        )
        return
    if has_second_person(transfer.brand, by):
        raise TransferRefused(
            _(
                "You asked for this transfer, and it's above what one person may transfer alone. Someone "
                "else has to record the result."
            )
        )
    from_then = (transfer.dispatched_at or transfer.asked_at) + APART
    if timezone.now() < from_then:
        words = _(
            "You asked for this transfer, and it's above what one person may transfer alone. No one else "
            "can record the result. You can do so from %(when)s, 24 hours after it was sent."
        )
        raise TransferRefused(words % {"when": zoned_time(from_then, transfer.brand)})
