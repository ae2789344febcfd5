"""Brands in the admin: one page each, with hosts, the carrier's names and its response codes."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from portal.admin_forms import BrandForm, HostForm, OverrideForm, OverrideFormSet
from portal.admin_site import site
from portal.diagnosis import diagnose
from portal.models import Brand, BrandHost, MethodOverride, ResponseCode
from portal.voipline import METHODS, Method

# Each check waits for the carrier, up to 15 seconds a call.
CHECKED_AT_ONCE = 5


def _in_words(*methods: Method) -> SafeString:
    return render_to_string("admin/portal/methods.html", {"methods": methods})


class BrandHostInline(admin.TabularInline):  # type: ignore[type-arg]
    """The hosts; a brand without one cannot be reached."""

    model = BrandHost
    form = HostForm
    extra = 0
    min_num = 1

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """At least one host."""
        return super().get_formset(request, obj, validate_min=True, **kwargs)


class MethodOverrideInline(admin.StackedInline):  # type: ignore[type-arg]
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
            return gettext("Choose a method. Above, “What applies by default” lists all seven.")
        return _in_words(method)


class ResponseCodeInline(admin.TabularInline):  # type: ignore[type-arg]
    """What the partner portal's codes mean."""

    model = ResponseCode
    extra = 0


@admin.register(Brand, site=site)
class BrandAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A brand: its look, its connection to the carrier, and a check of that connection."""

    form = BrandForm
    inlines = (BrandHostInline, MethodOverrideInline, ResponseCodeInline)
    list_display = ("name", "slug", "hosts_in_words", "currency", "carrier_url", "signup_open")
    search_fields = ("name", "slug", "hosts__host")
    readonly_fields = ("logo_preview", "method_defaults")
    actions = ("check_the_carrier",)
    save_on_top = True
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    "slug",
                    "currency",
                    "timezone",
                    "language",
                    "accent",
                    "logo_preview",
                    "logo_file",
                    "remove_logo",
                    "signup_open",
                )
            },
        ),
        (
            _("Contact and legal"),
            {"fields": ("support_email", "support_phone", "from_email", "terms_url", "privacy_url")},
        ),
        (_("Carrier"), {"fields": ("carrier_url", "carrier_key", "login_hosts")}),
        (
            _("Captcha"),
            {"fields": ("recaptcha_kind", "recaptcha_site_key", "recaptcha_secret_key", "forget_secret_key")},
        ),
        (_("What applies by default"), {"fields": ("method_defaults",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Brand]:
        """Without the pictures, which would be read for each row."""
        return super().get_queryset(request).defer("logo").prefetch_related("hosts")

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Sequence[str]]:
        """A new brand's short name follows its name."""
        return {} if obj else {"slug": ("name",)}

    def get_urls(self) -> list[URLPattern]:
        """One more address: the logo, as the preview shows it."""
        view = self.admin_site.admin_view(self.logo_view)
        return [path("<int:pk>/logo/", view, name="portal_brand_logo"), *super().get_urls()]

    @method_decorator(sensitive_post_parameters("carrier_key", "recaptcha_secret_key"))
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Error reports leave out what was typed as a secret."""
        return super().changeform_view(request, *args, **kwargs)

    def logo_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The stored picture."""
        brand = Brand.objects.filter(pk=pk).exclude(logo_hash="").first()
        if brand is None:
            raise Http404
        return HttpResponse(bytes(brand.logo), content_type=brand.logo_type)

    @admin.display(description=_("Hosts"))
    def hosts_in_words(self, brand: Brand) -> str:
        """All hosts, the main one first."""
        return ", ".join(host.host for host in brand.hosts.all())

    @admin.display(description=_("Logo now"))
    def logo_preview(self, brand: Brand) -> str | SafeString:
        """The logo, small."""
        if not brand.pk or not brand.logo_hash:
            return gettext("none")
        url = reverse("admin:portal_brand_logo", args=(brand.pk,))
        return format_html('<img src="{}?v={}" alt="{}" height="48">', url, brand.logo_hash, brand.name)

    @admin.display(description=_("Methods"))
    def method_defaults(self, _brand: Brand) -> SafeString:
        """All seven methods as they are without any override."""
        return _in_words(*METHODS.values())

    @admin.action(description=_("Check the carrier connection"), permissions=("change",))
    def check_the_carrier(self, request: HttpRequest, brands: QuerySet[Brand]) -> None:
        """Ask the carrier, and say in words what it answered."""
        if brands.count() > CHECKED_AT_ONCE:
            words = gettext("Choose at most %(number)d brands: each check waits for the carrier.")
            self.message_user(request, words % {"number": CHECKED_AT_ONCE}, messages.WARNING)
            return
        for brand in brands:
            for finding in diagnose(brand):
                level = messages.SUCCESS if finding.ok else messages.ERROR
                self.message_user(request, f"{brand} – {finding.method}: {finding.text}", level)
