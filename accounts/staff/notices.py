"""Emails that staff can choose: to whom a notice goes, and which a person has switched off."""

from collections.abc import Callable, Iterable, Mapping

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import MutedNotice, User
from portal.mail import outbox
from portal.models import Brand

# What can be switched off. Emails about one's own sign-in, and transfers without a confirmed result, cannot.
KINDS: dict[str, Promise] = {
    "partner_balance": _("A partner balance is low, used up or back"),
    "carrier_down": _("A carrier doesn't respond, or refuses our key"),
    "transfer_waiting": _("A transfer waits for approval"),
    "transfer_decided": _("A transfer you asked for was approved or declined, or expired"),
}


def list_staff(brand: Brand) -> QuerySet[User]:
    """Return the brand's active staff and the operators."""
    here = User.objects.filter(brand=None, is_active=True, is_staff=True)
    return here.filter(Q(is_superuser=True) | Q(brands=brand)).distinct()


def list_recipients(*, brand: Brand, kind: str) -> QuerySet[User]:
    """Return the brand's active staff and the operators who want this kind of email."""
    return list_staff(brand).exclude(muted_notices__kind=kind)


def queue_emails(
    *,
    people: Iterable[User],
    brand: Brand,
    template: str,
    values: Mapping[str, object],
    in_words: Mapping[str, Callable[[], str]] | None = None,
) -> None:
    """Queue an email to each of these people, in the language of their last sign-in, else the brand's.

    `in_words` are values that depend on the language, such as formatted amounts. They are called in it.
    """
    for person in people:
        language = person.language or brand.language
        with translation.override(language):
            words = {name: say() for name, say in (in_words or {}).items()}
        outbox.add(
            brand=brand,
            to=person.email,
            template=template,
            language=language,
            person=person.pk,
            **values,
            **words,
        )


def get_wanted(*, user: User) -> list[str]:
    """Return the kinds that the person wants."""
    muted = set(MutedNotice.objects.filter(user=user).values_list("kind", flat=True))
    return [kind for kind in KINDS if kind not in muted]


def set_wanted(*, user: User, kinds: list[str]) -> None:
    """Store which kinds the person wants."""
    with transaction.atomic():
        MutedNotice.objects.filter(user=user).delete()
        MutedNotice.objects.bulk_create(
            MutedNotice(user=user, kind=kind) for kind in KINDS if kind not in kinds
        )
