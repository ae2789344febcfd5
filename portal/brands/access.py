"""Which brands a person of the admin may see: operators all, staff their own."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from portal.models import Brand

Person = AbstractBaseUser | AnonymousUser


def is_active_staff(user: Person) -> bool:
    """Active staff, operators among them."""
    return bool(user.is_active and getattr(user, "is_staff", False))


def is_operator(user: Person) -> bool:
    """Operators are active superusers; the carrier's keys are theirs alone."""
    return is_active_staff(user) and bool(getattr(user, "is_superuser", False))


def brands_of(user: Person) -> QuerySet[Brand]:
    """The brands whose rows this person may see; none for anyone who does not work here."""
    every = Brand.objects.defer("logo")
    if is_operator(user):
        return every
    return every.filter(staff=user.pk) if is_active_staff(user) else every.none()
