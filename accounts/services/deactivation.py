"""Keeping customers out, and letting them in again."""

import logging
from collections.abc import Iterator

from django.contrib.admin.models import CHANGE
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from accounts.models import SignIn, SignInCode, User
from accounts.services.change_log import log_entries

logger = logging.getLogger(__name__)

_BATCH = 500


def disable_customers(*, customers: QuerySet[User], by: User) -> int:
    """Let these customers in no more: their sessions end at once, and no code opens anything. How many.

    Whoever tries to sign in gets the answer of an address without an account.
    """
    active = customers.filter(brand__isnull=False, is_active=True)
    words = gettext("Disabled: signed out everywhere, and cannot sign in.")
    return sum(_switch(some, False, by, words) for some in _batches(active))


def enable_customers(*, customers: QuerySet[User], by: User) -> int:
    """Let these customers sign in again; how many."""
    disabled = customers.filter(brand__isnull=False, is_active=False)
    words = gettext("Enabled: can sign in again.")
    return sum(_switch(some, True, by, words) for some in _batches(disabled))


def _switch(some: list[User], active: bool, by: User, words: str) -> int:
    """Let these in, or keep them out; how many."""
    with transaction.atomic():
        for user in some:
            user.is_active = active
        User.objects.bulk_update(some, ["is_active"])
        if not active:
            end_sessions(customers=some)
        log_entries(by=by, entries=[(user, CHANGE, words) for user in some])
    event = "customers enabled" if active else "customers disabled"
    logger.info(event, extra={"customers": [user.pk for user in some], "by": by.pk})
    return len(some)


def _batches(customers: QuerySet[User]) -> Iterator[list[User]]:
    found = list(customers)
    return (found[start : start + _BATCH] for start in range(0, len(found), _BATCH))


def end_sessions(*, customers: list[User]) -> None:
    """End every session of these customers, and make each code in their mailboxes one that opens nothing.

    A session is bound to the text in `password`, which is no password; see `accounts.sign_in.history`.
    """
    for user in customers:
        user.set_unusable_password()
    User.objects.bulk_update(customers, ["password"])
    SignIn.objects.filter(user__in=customers, ended_at=None).update(ended_at=timezone.now())
    SignInCode.objects.filter(user__in=customers).update(user=None)
