"""What stands in lines below a brand: its hosts, the carrier's names and its response codes."""

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


def format_error_texts(*methods: Method) -> SafeString:
    """Methods with their verbs, paths and names, as a page shows them."""
    return render_to_string("admin/portal/_methods.html", {"methods": methods})


class LabelledFormSet(BaseInlineFormSet):  # type: ignore[type-arg]
    """Lines whose box for deleting is named."""

    deletion_widget: Any = CheckboxInput(attrs={"aria-label": _("Delete")})


class LabelledInline(admin.TabularInline):  # type: ignore[type-arg]
    """A table whose fields are named for a screen reader too; Django names their columns alone.

    `help` is shown below the table; Django has no more than a tooltip for it.
    """

    formset = LabelledFormSet
    help: Any = ""

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """The field with its name on it."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field:
            field.widget.attrs.setdefault("aria-label", str(db_field.verbose_name))
        return field


class BoundedInline(admin.options.InlineModelAdmin):  # type: ignore[type-arg]
    """Lines of which a form takes `max_num`; of a made-up count Django would make a thousand more."""

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """The formset, which is invalid with more."""
        return super().get_formset(request, obj, absolute_max=self.max_num, validate_max=True, **kwargs)


class BrandHostInline(BoundedInline, admin.StackedInline):  # type: ignore[type-arg]
    """The hosts; a brand without one cannot be reached."""

    model = BrandHost
    form = HostForm
    extra = 0
    min_num = 1
    max_num = 100

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Staff read them too; the brand's page itself says of which brands."""
        return is_active_staff(request.user)

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """At least one host."""
        return super().get_formset(request, obj, validate_min=True, **kwargs)


class MethodOverrideInline(BoundedInline, admin.StackedInline):  # type: ignore[type-arg]
    """What the partner portal names differently, with our defaults beside it."""

    model = MethodOverride
    form = OverrideForm
    formset = OverrideFormSet
    extra = 0
    max_num = len(METHODS)
    readonly_fields = ("defaults",)
    fields = ("method", "defaults", "path", "body", "date_format", "parameters", "constants", "results")

    @admin.display(description=_("Defaults"))
    def defaults(self, override: MethodOverride) -> str | SafeString:
        """What applies to whatever is left empty."""
        method = METHODS.get(override.method)
        if method is None:
            return gettext("Choose a method. All seven are listed at the top of this section.")
        return format_error_texts(method)


class ResponseCodeInline(BoundedInline, LabelledInline):
    """What the partner portal's codes mean."""

    model = ResponseCode
    help = RESPONSE_CODES
    extra = 0
    max_num = 500
