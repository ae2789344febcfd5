"""The brand's customers as rows: finding them, writing them down, and what a carrier may say about them."""

import logging
from typing import TypedDict

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import User, with_email
from portal.models import Brand
from portal.voipline import is_account_number

logger = logging.getLogger(__name__)


class SignUpDetails(TypedDict):
    """What a visitor tells about themselves; the password is not among it, because we never keep it."""

    first_name: str
    last_name: str
    company_name: str
    email: str
    phone: str


def find_customer(*, brand: Brand, email: str) -> User | None:
    """The brand's customer with this address, however it is written; one who was switched off, too."""
    return User.objects.filter(with_email(email), brand=brand).order_by("-is_active", "pk").first()


def save_sign_up(*, brand: Brand, details: SignUpDetails, account_number: str | None) -> None:
    """Write down who signed up; `account_number` is None where nobody knows whether the sign-up worked.

    A row that never signed in and that staff did not fill takes the newer data; any other stays as it is.
    """
    user = User.objects.filter(with_email(details["email"]), brand=brand).first()
    if user is None:
        user = _create(brand, details)
    else:
        forgotten = {} if account_number is None else {"offered_account_number": "", "confirmed_at": None}
        free = User.objects.filter(pk=user.pk, verified_at=None, account_number="", is_active=True)
        free.update(**details, **forgotten)
        user.refresh_from_db()
    apply_account_number(user=user, account_number=account_number or "")


def _create(brand: Brand, details: SignUpDetails) -> User:
    user = User(brand=brand, **details)
    user.set_unusable_password()
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:  # Another request was first with this address.
        return User.objects.get(with_email(details["email"]), brand=brand)
    return user


def mark_confirmed(*, brand: Brand, email: str, account_number: str, by: User | None) -> None:
    """Note that the carrier confirmed the address; `by` is who is signed in, if anybody.

    There may be no customer here with this address.
    """
    user = find_customer(brand=brand, email=email)
    if user and user.is_active:
        User.objects.filter(pk=user.pk, confirmed_at=None).update(confirmed_at=timezone.now())
        apply_account_number(user=user, account_number=account_number, proven=user == by)


def mark_verified(*, user: User) -> User:
    """Note that the address has proved itself by our code; only now a carrier's account number counts."""
    if user.verified_at is None:
        user.verified_at = timezone.now()
        user.save(update_fields=["verified_at"])
    if user.offered_account_number:
        offered, user.offered_account_number = user.offered_account_number, ""
        user.save(update_fields=["offered_account_number"])
        apply_account_number(user=user, account_number=offered, proven=True)
        user.account_number_is_new = user.account_number == offered
    return user


def apply_account_number(*, user: User, account_number: str, proven: bool = False) -> None:
    """A carrier's answer names an account number. It may fill an empty one, and never overwrites one.

    Anybody may sign up with any address, so the number waits until the next sign-in by our code (`proven`),
    also where the address has signed in before. One that differs, or that another customer of the brand
    holds, is not taken over: it is noted for staff and logged.
    """
    if not account_number or account_number == user.account_number:
        return
    if not is_account_number(account_number):
        _refuse(user, "", "not an account number")
    elif user.account_number or user.offered_account_number not in ("", account_number):
        _refuse(user, account_number, "differs from the known one")
    elif not proven:
        User.objects.filter(pk=user.pk).update(offered_account_number=account_number)
    elif not _take(user, account_number):
        _refuse(user, account_number, "held by another customer")


def discard_pending_account_number(*, user: User) -> None:
    """The address is another now: a number that waits for the former one is for staff to look at."""
    waiting = User.objects.filter(pk=user.pk).exclude(offered_account_number="")
    if waiting.update(refused_account_number=F("offered_account_number"), offered_account_number=""):
        logger.warning(
            "account number not taken over",
            extra={"customer": user.pk, "why": "offered to the former address"},
        )


def _take(user: User, account_number: str) -> bool:
    try:
        with transaction.atomic():
            taken = User.objects.filter(pk=user.pk, account_number="").update(account_number=account_number)
    except IntegrityError:
        return False
    user.refresh_from_db(fields=["account_number"])
    return bool(taken)


def _refuse(user: User, account_number: str, why: str) -> None:
    user.refused_account_number = account_number or "?"
    user.save(update_fields=["refused_account_number"])
    logger.warning("account number not taken over", extra={"customer": user.pk, "why": why})
