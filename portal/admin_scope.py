"""Who sees what in the admin: operators everything, staff the rows of their own brands and nothing else."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.http import HttpRequest

from portal.models import Brand

Person = AbstractBaseUser | AnonymousUser


def works_here(user: Person) -> bool:
    """Active staff, operators among them."""
    return bool(user.is_active and getattr(user, "is_staff", False))


def is_operator(user: Person) -> bool:
    """Operators are active superusers; the carrier's keys are theirs alone."""
    return works_here(user) and bool(getattr(user, "is_superuser", False))


def brands_of(user: Person) -> QuerySet[Brand]:
    """The brands whose rows this person may see; none for whoever does not work here."""
    every = Brand.objects.defer("logo")
    if is_operator(user):
        return every
    return every.filter(staff=user.pk) if works_here(user) else every.none()


class ScopedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A list and its pages narrowed to the person's own brands, whatever way a row is asked for.

    `brand_path` leads from a row to its brand. `staff_may` names what staff may do, of view, add, change and
    delete; operators may do all that the model's admin allows.
    """

    brand_path = "brand"
    staff_may: tuple[str, ...] = ("view",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows of this person's brands."""
        rows = super().get_queryset(request)
        if is_operator(request.user):
            return rows
        return rows.filter(**{f"{self.brand_path}__in": brands_of(request.user).values("pk")})

    def _may(self, request: HttpRequest, verb: str) -> bool:
        return is_operator(request.user) or (works_here(request.user) and verb in self.staff_may)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whether the index names this model."""
        return self._may(request, "view")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Which row, `get_queryset` decides."""
        return self._may(request, "view")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As `staff_may` says."""
        return self._may(request, "add")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As `staff_may` says."""
        return self._may(request, "change")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As `staff_may` says."""
        return self._may(request, "delete")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A brand is chosen among one's own."""
        if db_field.related_model is Brand:
            kwargs.setdefault("queryset", brands_of(request.user))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)
