"""Mails to those who work for a brand about what happens to its funds."""

from django.conf import settings
from django.urls import reverse

from accounts.models import User
from billing.models import LimitsChange
from billing.transfers.labels import describe_limits
from billing.transfers.second_person import list_transfer_staff
from portal.brands.access import is_operator
from portal.mail import send as mail
from portal.models import Brand


def send_notice(*, brand: Brand, person: User, template: str, path: str, **context: object) -> bool:
    """Mail one of them, with a link to a page of the admin; whether it was sent. The log says why not."""
    url = mail.admin_link(path) if path else ""
    try:
        return mail.send(
            brand=brand,
            to=person.email,
            template=template,
            language=person.language,
            url=url,
            **context,
        )
    except mail.MailNotSent:
        return False


def send_limits_notice(change: LimitsChange) -> bool:
    """Mail all who work for the brand that higher limits take effect by themselves; whether anybody was told.

    The one who asked comes first: where not even that mail can be sent, no other is tried.
    """
    brand = change.policy.brand
    path = reverse("billing_admin:policy", urlconf=settings.ADMIN_URLCONF, args=(brand.pk,))
    people = sorted(list_transfer_staff(brand), key=lambda person: person.pk != change.asked_by_id)
    told = 0
    for person in people:
        told += send_notice(
            brand=brand,
            person=person,
            template="limits_raised",
            path=path if is_operator(person) else "",
            change=change,
            what=lambda: describe_limits(change, change.policy),
        )
        if not told:
            return False
    return told > 0
