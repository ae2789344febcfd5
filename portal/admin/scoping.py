"""Who sees what in the admin: operators everything, staff the rows of their own brands and nothing else."""

import re
from typing import Any

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.core.exceptions import PermissionDenied
from django.db.models import DateTimeField, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from portal.brands.access import brands_of, is_active_staff, is_operator
from portal.models import Brand

# What Django's filters put behind a field's name in the address of a list.
_ENDS = ("", "exact", "gte", "lt", "isnull")
_KEY, _MOMENT = re.compile(r"[0-9]{1,18}"), re.compile(r"[12][0-9]{3}-|True|False|$")


class BrandFilter(SimpleListFilter):
    """Rows of one of the person's own brands; for a `ScopedAdmin`. Not shown where there is but one."""

    title = _("brand")
    parameter_name = "brand"
    _path = "brand"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        """One's own brands by name."""
        self._path = model_admin.brand_path
        brands = [(str(pk), name) for pk, name in brands_of(request.user).values_list("pk", "name")]
        return brands if len(brands) > 1 else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """A brand of somebody else has no more rows than one that does not exist."""
        value = self.value()
        if not value:
            return queryset
        own = {choice for choice, _name in self.lookup_choices}
        return queryset.filter(**{self._path: value}) if value in own else queryset.none()


class ScopedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A list and its pages narrowed to the person's own brands, whatever way a row is asked for.

    `brand_path` leads from a row to its brand. `staff_may` and `operators_may` name what they may do, of
    view, add, change and delete. `list_lookups` names the fields by which the list may be narrowed in its
    address, besides those of its filters.
    """

    brand_path = "brand"
    staff_may: tuple[str, ...] = ("view",)
    operators_may: tuple[str, ...] = ("view", "add", "change", "delete")
    list_lookups: tuple[str, ...] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows of this person's brands."""
        rows = super().get_queryset(request)
        if is_operator(request.user):
            return rows
        # As a list, not as a query in the query: databases then read the index by brand in its order.
        own = list(brands_of(request.user).values_list("pk", flat=True))
        return rows.filter(**{f"{self.brand_path}__in": own})

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """By its key where `_to_field` in the address or the form names nothing; Django would look for ""."""
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
        """Whether the index names this model."""
        return self._may(request, "view")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As `staff_may` says; a row only if it is of one's own brands."""
        return self._may(request, "view", obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As `staff_may` says."""
        return self._may(request, "add")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As `staff_may` says; a row only if it is of one's own brands."""
        return self._may(request, "change", obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As `staff_may` says; a row only if it is of one's own brands."""
        return self._may(request, "delete", obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """What would land in another brand is refused, and so rolled back, whatever a form let through."""
        super().save_model(request, obj, form, change)
        if not is_operator(request.user) and not self._is_own(request, obj):
            raise PermissionDenied

    def get_field_queryset(self, db: str | None, db_field: Any, request: HttpRequest) -> Any:
        """Whatever a field refers to is chosen among what the person may see."""
        model = db_field.remote_field.model
        if model is Brand:
            return brands_of(request.user)
        site = self.admin_site
        related = site.get_model_admin(model) if site.is_registered(model) else None
        if isinstance(related, ScopedAdmin):
            return related.get_queryset(request)
        return super().get_field_queryset(db, db_field, request)

    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        """The list is narrowed by its filters and by `list_lookups`, not by any column there is.

        Any other would let staff guess at columns that they do not see; and some, such as a regular
        expression that is none, no database answers.
        """
        name, _sep, end = lookup.partition("__")
        for listed in self.get_list_filter(request) if request else ():
            if lookup == getattr(listed, "parameter_name", ""):
                return True  # A filter of ours, which reads its value itself.
            if name in (listed, listed[0] if isinstance(listed, tuple) else ""):
                return end in _ENDS and _fits(self.opts.get_field(name), value)
        return lookup in self.list_lookups and _fits(self.opts.get_field(name), value)


def _fits(field: Any, value: str) -> bool:
    """Whether a column can hold such a value: neither a key nor a moment is as large as one can write it."""
    if field.is_relation:
        return bool(_KEY.fullmatch(value))
    return not isinstance(field, DateTimeField) or bool(_MOMENT.match(value))
