"""The check of a brand's connection in the admin, and the list of what is left to do."""

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

# Each check waits for the carrier, up to 15 seconds a call.
CHECKED_AT_ONCE = 5
# What a call of the check showed, for somebody who knows no names of methods: method, and whether it worked.
_TOLD = {
    ("partner_balance", True): _("%(brand)s: the carrier answered with your own balance. %(text)s"),
    ("partner_balance", False): _("%(brand)s: your own balance could not be read. %(text)s"),
    ("customer_balance", True): _("%(brand)s: the carrier answered with this customer's balance. %(text)s"),
    ("customer_balance", False): _("%(brand)s: this customer's balance could not be read. %(text)s"),
}


def readiness_words(count: int) -> str:
    """That nothing is missing, or how much is left to do."""
    if not count:
        return gettext("Nothing is missing")
    return ngettext("%(count)d to do", "%(count)d to do", count) % {"count": count}


def readiness_context(brand: Brand) -> dict[str, Any]:
    """What the brand's page shows of its stored state, whatever was typed into the form."""
    stored = with_checklist(Brand.objects.defer("logo")).get(pk=brand.pk)
    items = get_checklist(stored)
    return {
        "readiness": items,
        "readiness_words": readiness_words(count_missing(items)),
        "proven_at": stored.carrier_proven_at if is_connection_verified(stored) else None,
        "carrier_down": circuit_breaker.of(stored).is_open,
        "calls": count_calls_by_day(brand=stored),
        "check": CheckForm(auto_id="check_%s"),
    }


class CheckForm(forms.Form):
    """Whose balance the check asks for, besides the partner's own. The check itself judges the number."""

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
    """An action of the list, a button of the brand's page, and a column."""

    actions = ("check_the_carrier",)

    def get_urls(self) -> list[URLPattern]:
        """The button's address."""
        view = self.admin_site.admin_view(require_POST(self.check_view))
        return [path("<int:pk>/check/", view, name="portal_brand_check"), *super().get_urls()]

    def check_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Check one brand, and say on its page what came of it."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        brand = get_object_or_404(Brand.objects.defer("logo"), pk=pk)
        self._check(request, brand, request.POST.get("account_number", "").strip()[:65])
        return redirect("admin:portal_brand_change", pk)

    @admin.action(description=_("Check the carrier connection"), permissions=("change",))
    def check_the_carrier(self, request: HttpRequest, brands: QuerySet[Brand]) -> None:
        """Ask the carrier, and say in words what it answered."""
        if brands.count() > CHECKED_AT_ONCE:
            words = gettext("Choose at most %(number)d brands: each check waits for the carrier.")
            self.message_user(request, words % {"number": CHECKED_AT_ONCE}, messages.WARNING)
            return
        for brand in brands:
            self._check(request, brand)

    def _check(self, request: HttpRequest, brand: Brand, account_number: str = "") -> None:
        for finding in check_connection(brand=brand, account_number=account_number):
            level = messages.SUCCESS if finding.ok else messages.ERROR
            words = _TOLD[finding.method, finding.ok] % {"brand": brand, "text": finding.text}
            self.message_user(request, words, level)

    @admin.display(description=_("Ready to go live"))
    def ready(self, brand: Brand) -> str:
        """Without asking the resolver: that would hold up the list."""
        return readiness_words(count_missing_of(brand))
