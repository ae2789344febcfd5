"""Access to brands in the admin: operators see all brands, staff their own."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet

from portal.models import Brand

Person = AbstractBaseUser | AnonymousUser


def is_active_staff(user: Person) -> bool:
    """Return True for active staff, including operators."""
    return bool(user.is_active and getattr(user, "is_staff", False))


def is_operator(user: Person) -> bool:
    """Return True for active superusers. Only they may see the settings of carriers."""
    return is_active_staff(user) and bool(getattr(user, "is_superuser", False))


def get_brands(user: Person) -> QuerySet[Brand]:
    """Return the brands whose rows this user may see; none unless the user is active staff."""
    brands = Brand.objects.defer("logo")
    if is_operator(user):
        return brands
    return brands.filter(staff=user.pk) if is_active_staff(user) else brands.none()
