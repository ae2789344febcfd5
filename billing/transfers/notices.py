"""Emails to a brand's staff about its transfers and limits."""

from django.conf import settings
from django.urls import reverse

from accounts.models import User
from billing.models import LimitsChange
from billing.transfers.labels import describe_limits
from billing.transfers.second_person_rules import list_transfer_staff
from portal.brands.access import is_operator
from portal.mail import send as mail
from portal.models import Brand


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


def send_limits_notice(change: LimitsChange) -> bool:
    """Email the brand's staff that higher limits take effect by themselves. False if no email was sent.

    The requester comes first: if not even that email can be sent, no other is tried.
    """
    brand = change.policy.brand
    path = reverse("billing_admin:policy", urlconf=settings.ADMIN_URLCONF, args=(brand.pk,))
    people = sorted(list_transfer_staff(brand), key=lambda person: person.pk != change.asked_by_id)
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
