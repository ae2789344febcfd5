"""Check a brand's connection in the admin, and show the launch checklist."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from portal.brands.launch_checklist import count_missing, count_missing_of, get_checklist, with_checklist
from portal.carrier.call_stats import count_calls_by_day
from portal.carrier.connection_proof import check_connection, is_connection_verified
from portal.models import Brand
from portal.resilience import circuit_breaker

# A check waits for the carrier, up to 15 seconds per call.
MAX_CHECKS = 5
# Message by method and success, for readers who do not know the names of methods.
_MESSAGES = {
    ("partner_balance", True): _("%(brand)s: the carrier answered with your own balance. %(text)s"),
    ("partner_balance", False): _("%(brand)s: your own balance could not be read. %(text)s"),
    ("customer_balance", True): _("%(brand)s: the carrier answered with this customer's balance. %(text)s"),
    ("customer_balance", False): _("%(brand)s: this customer's balance could not be read. %(text)s"),
}


def checklist_summary(count: int) -> str:
    """Return "Nothing is missing" or the number of things to do."""
    if not count:
        return gettext("Nothing is missing")
    return ngettext("%(count)d to do", "%(count)d to do", count) % {"count": count}


def checklist_context(brand: Brand) -> dict[str, Any]:
    """Return the context for the brand's stored state, independent of what was typed into the form."""
    stored = with_checklist(Brand.objects.defer("logo")).get(pk=brand.pk)
    items = get_checklist(stored)
    return {
        "readiness": items,
        "readiness_words": checklist_summary(count_missing(items)),
        "proven_at": stored.carrier_proven_at if is_connection_verified(stored) else None,
        "carrier_down": circuit_breaker.get_breaker(stored).is_open,
        "calls": count_calls_by_day(brand=stored),
        "check": CheckForm(auto_id="check_%s"),
    }


class CheckForm(forms.Form):
    """The customer whose balance is read besides the partner's own. The check itself validates the number."""

    account_number = forms.CharField(
        label=_("Account number of a customer (optional)"),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "maxlength": 64}),
        help_text=_(
            "The check asks the carrier for your own balance with what is saved here, and changes nothing "
            "there. With an account number it asks for that customer's balance too, which alone proves the "
            "names for customer_balance."
        ),
    )


class CarrierCheckMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Add the connection check as an action and a button, and the checklist's summary as a column."""

    actions = ("check_the_carrier",)

    def get_urls(self) -> list[URLPattern]:
        """Add the URL of the button."""
        view = self.admin_site.admin_view(require_POST(self.check_view))
        return [path("<int:pk>/check/", view, name="portal_brand_check"), *super().get_urls()]

    def check_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Check one brand, and show the result on its page."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        brand = get_object_or_404(Brand.objects.defer("logo"), pk=pk)
        self._check(request, brand, request.POST.get("account_number", "").strip()[:65])
        return redirect("admin:portal_brand_change", pk)

    @admin.action(description=_("Check the carrier connection"), permissions=("change",))
    def check_the_carrier(self, request: HttpRequest, brands: QuerySet[Brand]) -> None:
        """Check the selected brands, and show the results as messages."""
        if brands.count() > MAX_CHECKS:
            words = gettext("Choose at most %(number)d brands: each check waits for the carrier.")
            self.message_user(request, words % {"number": MAX_CHECKS}, messages.WARNING)
            return
        for brand in brands:
            self._check(request, brand)

    def _check(self, request: HttpRequest, brand: Brand, account_number: str = "") -> None:
        for finding in check_connection(brand=brand, account_number=account_number):
            level = messages.SUCCESS if finding.ok else messages.ERROR
            words = _MESSAGES[finding.method, finding.ok] % {"brand": brand, "text": finding.text}
            self.message_user(request, words, level)

    @admin.display(description=_("Ready to go live"))
    def ready(self, brand: Brand) -> str:
        """Return the checklist's summary, without DNS look-ups, which would slow down the list."""
        return checklist_summary(count_missing_of(brand))
