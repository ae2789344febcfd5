"""Limit the admin's rows: operators see everything, staff only the rows of their own brands."""

import re
from typing import Any

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.core.exceptions import PermissionDenied
from django.db.models import DateTimeField, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from portal.brands.access import get_brands, is_active_staff, is_operator
from portal.models import Brand

# Look-ups that Django's filters append to a field's name in the URL of a list.
_LOOKUPS = ("", "exact", "gte", "lt", "isnull")
_KEY, _DATE = re.compile(r"[0-9]{1,18}"), re.compile(r"[12][0-9]{3}-|True|False|$")


class BrandFilter(SimpleListFilter):
    """Filter by one of the user's own brands, for a `ScopedAdmin`. Hidden if there is only one."""

    title = _("brand")
    parameter_name = "brand"
    _path = "brand"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        """Return the user's own brands by name."""
        self._path = model_admin.brand_path
        brands = [(str(pk), name) for pk, name in get_brands(request.user).values_list("pk", "name")]
        return brands if len(brands) > 1 else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the chosen brand; none for another's brand, as if it did not exist."""
        value = self.value()
        if not value:
            return queryset
        own_brands = {choice for choice, _name in self.lookup_choices}
        return queryset.filter(**{self._path: value}) if value in own_brands else queryset.none()


class ScopedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Limit a list and its pages to rows of the user's own brands.

    `brand_path`: look-up from a row to its brand. `staff_may` and `operators_may`: the allowed ones of view,
    add, change and delete. `list_lookups`: fields by which the list's URL may filter, besides its filters.
    """

    brand_path = "brand"
    staff_may: tuple[str, ...] = ("view",)
    operators_may: tuple[str, ...] = ("view", "add", "change", "delete")
    list_lookups: tuple[str, ...] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows of the user's brands."""
        rows = super().get_queryset(request)
        if is_operator(request.user):
            return rows
        # A list instead of a subquery, so that databases use the index by brand in its order.
        own_brands = list(get_brands(request.user).values_list("pk", flat=True))
        return rows.filter(**{f"{self.brand_path}__in": own_brands})

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return the object by its key if `_to_field` is empty; Django would look for a field named ""."""
        return super().get_object(request, object_id, from_field or None)

    def _may(self, request: HttpRequest, verb: str, obj: Any = None) -> bool:
        if is_operator(request.user):
            return verb in self.operators_may
        if not is_active_staff(request.user) or verb not in self.staff_may:
            return False
        return obj is None or self._is_own(request, obj)

    def _is_own(self, request: HttpRequest, obj: Any) -> bool:
        return self.get_queryset(request).filter(pk=obj.pk).exists()

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._may(request, "view")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "view", obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "add")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "change", obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "delete", obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save the row. Raise PermissionDenied, which rolls back, if it is now in another brand."""
        super().save_model(request, obj, form, change)
        if not is_operator(request.user) and not self._is_own(request, obj):
            raise PermissionDenied

    def get_field_queryset(self, db: str | None, db_field: Any, request: HttpRequest) -> Any:
        """Offer for a relation only the rows that the user may see."""
        model = db_field.remote_field.model
        if model is Brand:
            return get_brands(request.user)
        site = self.admin_site
        related = site.get_model_admin(model) if site.is_registered(model) else None
        if isinstance(related, ScopedAdmin):
            return related.get_queryset(request)
        return super().get_field_queryset(db, db_field, request)

    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        """Allow filtering only by the list's filters and by `list_lookups`.

        Other look-ups would let staff guess the values of hidden columns, and some, such as an invalid
        regular expression, are a database error.
        """
        name, _sep, end = lookup.partition("__")
        for listed in self.get_list_filter(request) if request else ():
            if lookup == getattr(listed, "parameter_name", ""):
                return True  # Our own filter, which checks its value itself.
            if name in (listed, listed[0] if isinstance(listed, tuple) else ""):
                return end in _LOOKUPS and _is_valid_value(self.opts.get_field(name), value)
        return lookup in self.list_lookups and _is_valid_value(self.opts.get_field(name), value)


def _is_valid_value(field: Any, value: str) -> bool:
    """Return True if the column can store such a value: keys and dates must not be too large."""
    if field.is_relation:
        return bool(_KEY.fullmatch(value))
    return not isinstance(field, DateTimeField) or bool(_DATE.match(value))
