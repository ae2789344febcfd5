"""A brand's page as its own staff see it: look, hosts and contact, to read. All else is the operators'."""

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from portal.admin.brand.fieldsets import SECTIONS, STAFF_FIELDSETS, STAFF_SECTIONS, Section
from portal.admin.scoping import ScopedAdmin
from portal.brands.access import is_operator

_OPERATORS_COLUMNS = ("carrier_url", "ready")


class BrandScope(ScopedAdmin):
    """Takes away what the carrier, the captcha and going live are about from whoever is no operator.

    The form of staff is one without a single field of a secret, so none can be read or typed by mistake.
    """

    brand_path = "pk"

    def get_list_display(self, request: HttpRequest) -> Any:
        """Without the carrier's address, and what is left to do."""
        columns = super().get_list_display(request)
        if is_operator(request.user):
            return columns
        return tuple(column for column in columns if column not in _OPERATORS_COLUMNS)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The sections that are for staff."""
        return super().get_fieldsets(request, obj) if is_operator(request.user) else STAFF_FIELDSETS

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """One that holds nothing to be typed."""
        if not is_operator(request.user):
            kwargs["form"] = forms.ModelForm
        return super().get_form(request, obj, change=change, **kwargs)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What was changed of keys and methods is told there too."""
        if not is_operator(request.user):
            raise PermissionDenied
        return super().history_view(request, object_id, extra_context)

    def sections_for(self, request: HttpRequest) -> tuple[Section, ...]:
        """The sections that this person sees."""
        return SECTIONS if is_operator(request.user) else STAFF_SECTIONS
