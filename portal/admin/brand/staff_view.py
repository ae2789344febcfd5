"""A brand's page for its staff: look, hosts and contact, read-only. Everything else is for operators."""

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from portal.admin.brand.fieldsets import SECTIONS, STAFF_FIELDSETS, STAFF_SECTIONS, Section
from portal.admin.scoping import ScopedAdmin
from portal.brands.access import is_operator

_OPERATOR_COLUMNS = ("carrier_url", "ready")


class BrandScope(ScopedAdmin):
    """Hide everything about the carrier, the captcha and the launch from users who are not operators.

    The form for staff has no field for a secret, so none can be read or typed by mistake.
    """

    brand_path = "pk"

    def get_list_display(self, request: HttpRequest) -> Any:
        """Return the columns, for staff without the carrier's URL and the checklist's summary."""
        columns = super().get_list_display(request)
        if is_operator(request.user):
            return columns
        return tuple(column for column in columns if column not in _OPERATOR_COLUMNS)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the fieldsets, for staff only theirs."""
        return super().get_fieldsets(request, obj) if is_operator(request.user) else STAFF_FIELDSETS

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Return the form, for staff a plain one without fields to type."""
        if not is_operator(request.user):
            kwargs["form"] = forms.ModelForm
        return super().get_form(request, obj, change=change, **kwargs)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the history to operators only, since it lists changes of keys and methods."""
        if not is_operator(request.user):
            raise PermissionDenied
        brand = self.get_object(request, object_id)
        return super().history_view(request, object_id, {"brand": brand, **(extra_context or {})})

    def sections_for(self, request: HttpRequest) -> tuple[Section, ...]:
        """Return the sections that this user may see."""
        return SECTIONS if is_operator(request.user) else STAFF_SECTIONS
