"""Keeping customers out, and letting them in again."""

import logging
from collections.abc import Iterator

from django.contrib.admin.models import CHANGE
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from accounts.history import entries_log
from accounts.models import SignIn, SignInCode, User

logger = logging.getLogger(__name__)

_BATCH = 500


def customers_disable(*, customers: QuerySet[User], by: User) -> int:
    """Let these customers in no more: their sessions end at once, and no code opens anything. How many.

    Whoever tries to sign in gets the answer of an address without an account.
    """
    disabled = 0
    for some in _batches(customers.filter(brand__isnull=False, is_active=True)):
        with transaction.atomic():
            for user in some:
                user.is_active = False
            User.objects.bulk_update(some, ["is_active"])
            sessions_end(customers=some)
            words = gettext("Disabled: signed out everywhere, and cannot sign in.")
            entries_log(by=by, entries=[(user, CHANGE, words) for user in some])
        disabled += len(some)
        logger.info("customers disabled", extra={"customers": [user.pk for user in some], "by": by.pk})
    return disabled


def customers_enable(*, customers: QuerySet[User], by: User) -> int:
    """Let these customers sign in again; how many."""
    enabled = 0
    for some in _batches(customers.filter(brand__isnull=False, is_active=False)):
        with transaction.atomic():
            for user in some:
                user.is_active = True
            User.objects.bulk_update(some, ["is_active"])
            words = gettext("Enabled: can sign in again.")
            entries_log(by=by, entries=[(user, CHANGE, words) for user in some])
        enabled += len(some)
        logger.info("customers enabled", extra={"customers": [user.pk for user in some], "by": by.pk})
    return enabled


def _batches(customers: QuerySet[User]) -> Iterator[list[User]]:
    found = list(customers)
    return (found[start : start + _BATCH] for start in range(0, len(found), _BATCH))


def sessions_end(*, customers: list[User]) -> None:
    """End every session of these customers, and make each code in their mailboxes one that opens nothing.

    A session is bound to the text in `password`, which is no password; see `accounts.signins`.
    """
    for user in customers:
        user.set_unusable_password()
    User.objects.bulk_update(customers, ["password"])
    SignIn.objects.filter(user__in=customers, ended_at=None).update(ended_at=timezone.now())
    SignInCode.objects.filter(user__in=customers).update(user=None)
