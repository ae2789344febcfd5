"""Disable and enable customers, and end their sessions."""

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
    """Disable customers: their sessions end at once and their codes become invalid. Return their number.

    When they try to sign in, the page looks as for an address without an account.
    """
    active = customers.filter(brand__isnull=False, is_active=True)
    words = gettext("Disabled: signed out everywhere and can't sign in.")
    return sum(_set_active(batch, False, by, words) for batch in _batches(active))


def enable_customers(*, customers: QuerySet[User], by: User) -> int:
    """Let these customers sign in again. Return their number."""
    disabled = customers.filter(brand__isnull=False, is_active=False)
    words = gettext("Enabled: can sign in again.")
    return sum(_set_active(batch, True, by, words) for batch in _batches(disabled))


def _set_active(batch: list[User], active: bool, by: User, words: str) -> int:
    with transaction.atomic():
        for user in batch:
            user.is_active = active
        User.objects.bulk_update(batch, ["is_active"])
        if not active:
            end_sessions(customers=batch)
        log_entries(by=by, entries=[(user, CHANGE, words) for user in batch])
    event = "customers enabled" if active else "customers disabled"
    logger.info(event, extra={"customers": [user.pk for user in batch], "by": by.pk})
    return len(batch)


def _batches(customers: QuerySet[User]) -> Iterator[list[User]]:
    found = list(customers)
    return (found[start : start + _BATCH] for start in range(0, len(found), _BATCH))


def end_sessions(*, customers: list[User]) -> None:
    """End all sessions of these customers, and invalidate their emailed codes.

    A session is bound to the value of `password`, which is unusable; see `accounts.sign_in.history`.
    """
    for user in customers:
        user.set_unusable_password()
    User.objects.bulk_update(customers, ["password"])
    SignIn.objects.filter(user__in=customers, ended_at=None).update(ended_at=timezone.now(), session_key="")
    SignInCode.objects.filter(user__in=customers).update(user=None)
