"""Inlines of a brand: its hosts, method overrides and response codes."""

from typing import Any

from django.contrib import admin
from django.forms import BaseInlineFormSet, CheckboxInput
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portal.admin.brand.forms import HostForm, OverrideForm, OverrideFormSet
from portal.admin.brand.help_texts import RESPONSE_CODES
from portal.brands.access import is_active_staff
from portal.models import BrandHost, MethodOverride, ResponseCode
from portal.voipline import METHODS, Method


def render_methods(*methods: Method) -> SafeString:
    """Render methods with their verbs, paths and names as HTML."""
    return render_to_string("admin/portal/_methods.html", {"methods": methods})


class LabelledFormSet(BaseInlineFormSet):  # type: ignore[type-arg]
    """A formset whose delete checkboxes have a label."""

    deletion_widget: Any = CheckboxInput(attrs={"aria-label": _("Delete")})


class LabelledInline(admin.TabularInline):  # type: ignore[type-arg]
    """A table whose fields have labels for screen readers; Django labels only the columns.

    `help` is shown below the table; Django would show it only as a tooltip.
    """

    formset = LabelledFormSet
    help: Any = ""

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field:
            field.widget.attrs.setdefault("aria-label", str(db_field.verbose_name))
        return field


class BoundedInline(admin.options.InlineModelAdmin):  # type: ignore[type-arg]
    """An inline with at most `max_num` forms. For a forged count Django would build a thousand more."""

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Return a formset that is invalid with more forms."""
        return super().get_formset(request, obj, absolute_max=self.max_num, validate_max=True, **kwargs)


class BrandHostInline(BoundedInline, admin.StackedInline):  # type: ignore[type-arg]
    """The hosts of a brand. It needs at least one."""

    model = BrandHost
    form = HostForm
    extra = 0
    min_num = 1
    max_num = 100

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Allow staff to read hosts. The brand's page limits the brands."""
        return is_active_staff(request.user)

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        return super().get_formset(request, obj, validate_min=True, **kwargs)


class MethodOverrideInline(BoundedInline, admin.StackedInline):  # type: ignore[type-arg]
    """Overrides of the carrier's names, with the defaults next to them."""

    model = MethodOverride
    form = OverrideForm
    formset = OverrideFormSet
    extra = 0
    max_num = len(METHODS)
    readonly_fields = ("defaults",)
    fields = ("method", "defaults", "path", "body", "date_format", "parameters", "constants", "results")

    @admin.display(description=_("Defaults"))
    def defaults(self, override: MethodOverride) -> str | SafeString:
        """Return the method's defaults, which apply to empty fields."""
        method = METHODS.get(override.method)
        if method is None:
            return gettext("Choose a method. All seven are listed at the top of this section.")
        return render_methods(method)


class ResponseCodeInline(BoundedInline, LabelledInline):
    """The meanings of the partner portal's codes."""

    model = ResponseCode
    help = RESPONSE_CODES
    extra = 0
    max_num = 500
