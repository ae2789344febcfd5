"""Read-only list of calls to the carrier in the admin, with search and filters."""

from typing import Any

from django.contrib import admin
from django.contrib.admin import DateFieldListFilter, SimpleListFilter
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portal.admin.pagination import BoundedListMixin
from portal.admin.scoping import BrandFilter, ScopedAdmin
from portal.admin.site import site
from portal.core.formats import zoned_time
from portal.models import CarrierCall
from portal.voipline import METHODS

# Outcome of the carrier's client → label.
OUTCOMES = {
    "ok": _("answered"),
    "Rejected": _("data refused"),
    "NotAuthorised": _("key or address refused"),
    "RateLimited": _("too many calls"),
    "Unreachable": _("not sent"),
    "NoAnswer": _("sent, no answer"),
    "ServerError": _("fault at the carrier"),
    "BadAnswer": _("answer not understood"),
}

# The database columns that a row needs.
_COLUMNS = (
    *("brand", "customer", "at", "method", "outcome", "status", "milliseconds", "operation", "reference"),
    *("brand__name", "brand__timezone", "customer__email"),
)


class _KnownFilter(SimpleListFilter):
    """Filter by one of a few known values, without a query for the values in the table."""

    known: dict[str, Any] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return list(self.known.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows with the chosen value; none for an unknown value."""
        value = self.value()
        if value and value not in self.known:
            return queryset.none()
        return queryset.filter(**{str(self.parameter_name): value}) if value else queryset


class MethodFilter(_KnownFilter):
    """Calls of one method."""

    title = _("method")
    parameter_name = "method"
    known = {key: key for key in METHODS}


class OutcomeFilter(_KnownFilter):
    """Calls with one outcome."""

    title = _("outcome")
    parameter_name = "outcome"
    known = OUTCOMES


@admin.register(CarrierCall, site=site)
class CarrierCallAdmin(BoundedListMixin, ScopedAdmin):
    """List of calls, read-only. Rows are deleted automatically after 30 days."""

    operators_may = ("view",)
    list_lookups = ("customer",)
    actions = None
    list_display = (
        *("at_second", "brand", "customer_link", "method", "outcome_in_words", "status", "duration"),
        *("operation", "reference"),
    )
    list_display_links = None
    sortable_by = ("at_second",)
    list_filter = (BrandFilter, MethodFilter, OutcomeFilter, ("at", DateFieldListFilter))
    search_fields = ("operation", "reference", "customer__email", "customer__account_number")
    search_help_text = _(
        "Search by a whole operation, reference or account number, or by all or part of a customer's email "
        "address. We show the latest 10,000 calls. Narrow your search to see others."
    )
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 100
    fields = readonly_fields = list_display

    def get_queryset(self, request: HttpRequest) -> QuerySet[CarrierCall]:
        """Return the rows with their brands and customers, in one query."""
        rows = super().get_queryset(request).select_related("brand", "customer")
        return rows.only(*_COLUMNS)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[CarrierCall], search_term: str
    ) -> tuple[QuerySet[CarrierCall], bool]:
        """Search the small table of customers first, instead of joining it to each call."""
        term = search_term.strip()
        if not term:
            return queryset, False
        customers = get_user_model().objects.filter(
            Q(email__icontains=term) | Q(account_number=term), brand__isnull=False
        )
        by_id = Q(operation=term.lower()) | Q(reference=term.upper())
        return queryset.filter(by_id | Q(customer__in=customers.values("pk"))), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().changelist_view(
            request, {"title": gettext("Calls to the carrier"), **(extra_context or {})}
        )

    @admin.display(description=_("Time"), ordering="at")
    def at_second(self, call: CarrierCall) -> str:
        """Return the time to the second, so that it can be found in the log."""
        return zoned_time(call.at, call.brand, seconds=True)

    @admin.display(description=_("Customer"))
    def customer_link(self, call: CarrierCall) -> str | SafeString:
        """Return the customer with a link to their page."""
        if call.customer is None:
            return "–"
        url = reverse("customer_page", args=(call.customer.pk,))
        return format_html('<a href="{}">{}</a>', url, call.customer)

    @admin.display(description=_("Duration (ms)"))
    def duration(self, call: CarrierCall) -> int:
        """Return the milliseconds."""
        return call.milliseconds

    @admin.display(description=_("Outcome"))
    def outcome_in_words(self, call: CarrierCall) -> str:
        """Return the outcome's label."""
        return str(OUTCOMES.get(call.outcome, call.outcome))
