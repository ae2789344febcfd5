"""What became of the emails to a person, for staff."""

from datetime import timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.mail.send import STAFF_TEMPLATES
from portal.models import Brand, Email

# Template → what staff call it.
NAMES: dict[str, Promise] = {
    "account_off": _("Why there is no code: the account is disabled"),
    "authenticator_reset": _("Authenticator app reset"),
    "carrier_down": _("Carrier doesn't respond"),
    "email_changed_new": _("New email address"),
    "email_changed_old": _("Email address changed"),
    "email_code": _("Code for a new email address"),
    "email_taken": _("Why there is no code: the address is taken"),
    "limits_raised": _("Transfer limits raised"),
    "new_sign_in": _("Sign-in on a new device"),
    "no_account": _("Why there is no code: no account with this address"),
    "partner_balance": _("Partner balance"),
    "password_set": _("Password set"),
    "sign_in_code": _("Sign-in code"),
    "test": _("Test email"),
    "transfer_update": _("Transfer waits, was decided or expired"),
    "unknown_transfer": _("Transfer without a confirmed result"),
}


# As `Email.state` tells them.
RESULTS = {
    "sent": Q(taken_at__isnull=False),
    "waiting": Q(taken_at=None, next_try_at__isnull=False),
    "refused": Q(taken_at=None, next_try_at=None) & ~Q(refusal=""),
}


def count_refused(*, brands: QuerySet[Brand], to_staff: bool) -> int:
    """Return how many emails of these brands were refused since yesterday, perhaps those to staff too."""
    recent = Email.objects.filter(asked_at__gte=timezone.now() - timedelta(days=1))
    rows = recent.filter(RESULTS["refused"], brand__in=brands.values("pk"))
    return (rows if to_staff else rows.exclude(template__in=STAFF_TEMPLATES)).count()


def list_emails(*, brand: Brand, person: int, address: str, most: int) -> list[tuple[Promise | str, Email]]:
    """Return the newest emails to a person or their address, each with its name."""
    rows = Email.objects.filter(Q(person=person) | Q(to=address), brand=brand).order_by("-asked_at", "-pk")
    return [(NAMES.get(row.template, row.template), row) for row in rows[:most]]
