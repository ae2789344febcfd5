"""Find and save a brand's customers, and apply account numbers from the carrier."""

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
    """Details that a visitor signs up with, except the password, which is never stored."""

    first_name: str
    last_name: str
    company_name: str
    email: str
    phone: str


def find_customer(*, brand: Brand, email: str) -> User | None:
    """Return the brand's customer with this address in any spelling, disabled ones included."""
    return User.objects.filter(with_email(email), brand=brand).order_by("-is_active", "pk").first()


def save_sign_up(*, brand: Brand, details: SignUpDetails, account_number: str | None) -> None:
    """Save a sign-up. `account_number` is None if it is unknown whether the sign-up worked.

    An active customer who never signed in and has no account number gets the newer data; any other is
    unchanged.
    """
    user = User.objects.filter(with_email(details["email"]), brand=brand).first()
    if user is None:
        user = _create(brand, details)
    else:
        cleared = {} if account_number is None else {"offered_account_number": "", "confirmed_at": None}
        replaceable = User.objects.filter(pk=user.pk, verified_at=None, account_number="", is_active=True)
        replaceable.update(**details, **cleared)
        user.refresh_from_db()
    apply_account_number(user=user, account_number=account_number or "")


def _create(brand: Brand, details: SignUpDetails) -> User:
    user = User(brand=brand, account_type=brand.account_type, **details)
    user.set_unusable_password()
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:  # Another request saved this address first.
        return User.objects.get(with_email(details["email"]), brand=brand)
    return user


def mark_confirmed(*, brand: Brand, email: str, account_number: str, by: User | None) -> None:
    """Record that the carrier confirmed the address. `by` is the signed-in customer, if any.

    Does nothing if the brand has no customer with this address.
    """
    user = find_customer(brand=brand, email=email)
    if user and user.is_active:
        User.objects.filter(pk=user.pk, confirmed_at=None).update(confirmed_at=timezone.now())
        apply_account_number(user=user, account_number=account_number, proven=user == by)


def mark_verified(*, user: User) -> User:
    """Record that our code verified the address, and apply a pending account number of the carrier."""
    if user.verified_at is None:
        user.verified_at, user.first_sign_in = timezone.now(), True
        user.save(update_fields=["verified_at"])
    if user.offered_account_number:
        offered, user.offered_account_number = user.offered_account_number, ""
        user.save(update_fields=["offered_account_number"])
        apply_account_number(user=user, account_number=offered, proven=True)
        user.account_number_is_new = user.account_number == offered
    return user


def apply_account_number(*, user: User, account_number: str, proven: bool = False) -> None:
    """Apply an account number from a carrier's answer. It may fill an empty one, and never overwrites one.

    Any visitor may sign up with any address, so the number waits until the next sign-in by our code
    (`proven`), even if the address has signed in before. A number that differs from the known one, or that
    another customer of the brand has, is not applied: it is stored for staff and logged.
    """
    if not account_number or account_number == user.account_number:
        return
    if not is_account_number(account_number):
        _refuse_account_number(user, "", "not an account number")
    elif user.account_number or user.offered_account_number not in ("", account_number):
        _refuse_account_number(user, account_number, "differs from the known one")
    elif not proven:
        User.objects.filter(pk=user.pk).update(offered_account_number=account_number)
    elif not _assign_account_number(user, account_number):
        _refuse_account_number(user, account_number, "held by another customer")


def discard_pending_account_number(*, user: User) -> None:
    """Leave an account number that was pending for the customer's former address to staff."""
    pending = User.objects.filter(pk=user.pk).exclude(offered_account_number="")
    if pending.update(refused_account_number=F("offered_account_number"), offered_account_number=""):
        logger.warning(
            "account number not taken over",
            extra={"customer": user.pk, "why": "offered to the former address"},
        )


def _assign_account_number(user: User, account_number: str) -> bool:
    try:
        with transaction.atomic():
            assigned = User.objects.filter(pk=user.pk, account_number="").update(
                account_number=account_number
            )
    except IntegrityError:
        return False
    user.refresh_from_db(fields=["account_number"])
    return bool(assigned)


def _refuse_account_number(user: User, account_number: str, why: str) -> None:
    user.refused_account_number = account_number or "?"
    user.save(update_fields=["refused_account_number"])
    logger.warning("account number not taken over", extra={"customer": user.pk, "why": why})
