"""Emails to a brand's staff about its transfers and limits."""

from django.conf import settings
from django.urls import reverse

from accounts.models import User
from accounts.staff.notices import list_recipients, list_staff, queue_emails
from billing.models import LimitsChange, Move
from billing.transfers.labels import describe_limits, describe_transfer
from portal.brands.access import is_operator
from portal.mail import send as mail
from portal.models import Brand

_ENDED = (Move.State.DECLINED, Move.State.EXPIRED)


def send_notice(*, brand: Brand, person: User, template: str, path: str, **context: object) -> bool:
    """Email one person, with a link to an admin page. Return False if it was not sent; the log says why."""
    url = mail.admin_link(path) if path else ""
    try:
        return mail.send(
            brand=brand,
            to=person.email,
            template=template,
            language=person.language,
            person=person.pk,
            url=url,
            **context,
        )
    except mail.MailNotSent:
        return False


def tell_of_state(transfer: Move, by: User | None) -> None:
    """Queue the emails about a transfer that has begun to wait, or that was decided or has expired.

    Call it in the transaction that changes the state. `by` is who changed it; they know already.
    """
    brand, asked_by = transfer.brand, transfer.asked_by
    if transfer.state == Move.State.WAITING:
        people = list_recipients(brand=brand, kind="transfer_waiting").exclude(pk=asked_by.pk)
    elif by != asked_by and (transfer.state in _ENDED or _was_approved(transfer)):
        people = list_recipients(brand=brand, kind="transfer_decided").filter(pk=asked_by.pk)
    else:
        return
    path = reverse("billing_admin:transfer", urlconf=settings.ADMIN_URLCONF, args=(transfer.pk,))
    queue_emails(
        people=people,
        brand=brand,
        template="transfer_update",
        values={
            "state": transfer.state,
            "asked_by": asked_by.email,
            "by": by.email if by else "",
            "url": mail.admin_link(path),
        },
        in_words={"what": lambda: describe_transfer(transfer)},
    )


def _was_approved(transfer: Move) -> bool:
    """Return True if a second person has just approved it."""
    return transfer.state == Move.State.DISPATCHED and transfer.approved_by_id is not None


def send_limits_notice(change: LimitsChange) -> bool:
    """Email the brand's staff that higher limits take effect by themselves. False if no email was sent.

    The requester comes first: if not even that email can be sent, no other is tried.
    """
    brand = change.policy.brand
    path = reverse("billing_admin:policy", urlconf=settings.ADMIN_URLCONF, args=(brand.pk,))
    people = sorted(list_staff(brand), key=lambda person: person.pk != change.asked_by_id)
    sent = 0
    for person in people:
        sent += send_notice(
            brand=brand,
            person=person,
            template="limits_raised",
            path=path if is_operator(person) else "",
            change=change,
            what=lambda: describe_limits(change, change.policy),
        )
        if not sent:
            return False
    return sent > 0
