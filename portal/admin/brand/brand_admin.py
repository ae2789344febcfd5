"""Admin of brands: one page each, in sections, with a launch checklist."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from portal.admin.brand.connection_check import CarrierCheckMixin, checklist_context
from portal.admin.brand.fieldsets import FIELDSETS, group_by_section
from portal.admin.brand.forms import BrandForm
from portal.admin.brand.inlines import (
    BrandHostInline,
    MethodOverrideInline,
    ResponseCodeInline,
    render_methods,
)
from portal.admin.brand.preview import PreviewAdmin
from portal.admin.brand.staff_view import BrandScope
from portal.admin.brand.url_import import PasteMixin
from portal.admin.carrier_calls import CarrierCallAdmin as CarrierCallAdmin
from portal.admin.deletion import DeletionMixin
from portal.admin.pagination import BoundedListMixin
from portal.admin.reauthentication_mixin import ReauthenticationMixin
from portal.admin.site import site
from portal.brands.launch_checklist import with_checklist
from portal.models import Brand
from portal.voipline import METHODS


@admin.register(Brand, site=site)
class BrandAdmin(
    BoundedListMixin,
    ReauthenticationMixin,
    DeletionMixin,
    BrandScope,
    PasteMixin,
    CarrierCheckMixin,
    PreviewAdmin,
):
    """Admin of a brand: its look, its connection to the carrier, and a check of that connection."""

    form = BrandForm
    secret_fields = ("carrier_key", "recaptcha_secret_key")
    plain_actions = ("check_the_carrier",)
    inlines = (BrandHostInline, MethodOverrideInline, ResponseCodeInline)
    list_display = ("name", "ready", "hosts_in_words", "slug", "currency", "carrier_url", "signup_open")
    search_fields = ("name", "slug", "hosts__host")
    readonly_fields = ("logo_preview", "method_defaults")
    save_on_top = True
    fieldsets = FIELDSETS
    change_form_template = "admin/portal/brand/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Brand]:
        """Return the brands without their logos, which would be read for each row."""
        return with_checklist(super().get_queryset(request).defer("logo"))

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Sequence[str]]:
        """Fill in a new brand's slug from its name."""
        return {} if obj else {"slug": ("name",)}

    def get_urls(self) -> list[URLPattern]:
        """Add the URL of the logo for the brand's page."""
        view = self.admin_site.admin_view(self.logo_view)
        return [path("<int:pk>/logo/", view, name="portal_brand_logo"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Title the list “Brands”."""
        return super().changelist_view(request, {"title": gettext("Brands"), **(extra_context or {})})

    @method_decorator(sensitive_post_parameters(*secret_fields))
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Show the form, with secrets hidden from error reports."""
        return super().changeform_view(request, *args, **kwargs)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Add the fields by section and, for a stored brand, the launch checklist."""
        context["show_save_and_continue"] = False  # A plain save returns to this page too.
        sections = self.sections_for(request)
        context["sections"] = list(
            group_by_section(context["adminform"], context["inline_admin_formsets"], sections)
        )
        if (brand := context["original"]) and self.has_change_permission(request):
            context |= checklist_context(brand)
        return super().render_change_form(request, context, *args, **kwargs)

    def response_post_save_add(self, request: HttpRequest, obj: Any) -> HttpResponseRedirect:
        """Redirect to the brand's page, whose checklist shows the next step."""
        return redirect("admin:portal_brand_change", obj.pk)

    response_post_save_change = response_post_save_add

    def logo_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Serve the stored logo; staff get only those of their own brands."""
        brand = self.get_queryset(request).filter(pk=pk).exclude(logo_hash="").first()
        if brand is None:
            raise Http404
        return HttpResponse(bytes(brand.logo), content_type=brand.logo_type)

    @admin.display(description=_("Hosts"))
    def hosts_in_words(self, brand: Brand) -> str:
        """Return all hosts, the main one first."""
        return ", ".join(host.host for host in brand.hosts.all())

    @admin.display(description=_("Logo now"))
    def logo_preview(self, brand: Brand) -> str | SafeString:
        """Return a small image of the logo."""
        if not brand.pk or not brand.logo_hash:
            return gettext("No logo")
        url = reverse("admin:portal_brand_logo", args=(brand.pk,))
        return format_html('<img src="{}?v={}" alt="{}" height="48">', url, brand.logo_hash, brand.name)

    @admin.display(description=_("Methods"))
    def method_defaults(self, _brand: Brand) -> SafeString:
        """Return all seven methods without overrides, collapsed so that the fields below stay visible."""
        words = gettext("Default settings")
        methods = render_methods(*METHODS.values())
        return format_html("<details><summary>{}</summary>{}</details>", words, methods)
