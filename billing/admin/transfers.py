"""List of transfers in the admin. Each row links to the transfer's own page."""

import uuid
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.models import Move
from billing.models.transfer import is_unknown
from billing.transfers.labels import describe_direction, describe_outcome, format_amount
from portal.admin.scoping import BrandFilter, ScopedAdmin
from portal.admin.site import site
from portal.brands.access import is_operator
from portal.core.formats import zoned_time


class OutcomeFilter(admin.SimpleListFilter):
    """Filter by effective state: a transfer that was sent a while ago and has no result is unknown."""

    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Move.State.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Move]) -> QuerySet[Move]:
        """Filter by state; return none for an invalid state."""
        value = self.value()
        if not value:
            return queryset
        if value not in Move.State.values:
            return queryset.none()
        unknown = is_unknown()
        if value == Move.State.UNKNOWN:
            return queryset.filter(unknown)
        return queryset.filter(state=value).exclude(unknown)


@admin.register(Move, site=site)
class MoveAdmin(ScopedAdmin):
    """Read-only admin: transfers are made, decided and resolved on their own pages."""

    list_display = ("asked", "amount_shown", "direction", "outcome_now", "customer", "asked_by")
    list_filter = (BrandFilter, OutcomeFilter, "asked_at")
    search_fields = ("account_number", "description", "customer__email")
    search_help_text = _("Search by account number, description, email address or a whole operation.")
    actions = None
    change_list_template = "admin/billing/move/change_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Join the related rows, without the brands' logos."""
        rows = super().get_queryset(request)
        return rows.select_related("brand", "customer", "asked_by").defer("brand__logo")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find an operation by its whole UUID, with or without hyphens; else search the fields."""
        try:
            return queryset.filter(operation=uuid.UUID(search_term.strip())), False
        except ValueError:
            return super().get_search_results(request, queryset, search_term)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Tell the template whether to link to the transfer policies, which only operators see."""
        context = {"title": gettext("Transfers"), "operates": is_operator(request.user)}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def change_view(self, request: HttpRequest, object_id: str, *_: Any, **__: Any) -> HttpResponse:
        """Redirect to the transfer's own page."""
        return self._redirect_to_transfer(request, object_id)

    def history_view(self, request: HttpRequest, object_id: str, *_: Any) -> HttpResponse:
        """Redirect to the transfer's own page, which has its history."""
        return self._redirect_to_transfer(request, object_id)

    def _redirect_to_transfer(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        transfer = self.get_object(request, object_id)
        if transfer is None:
            raise Http404
        return redirect("billing_admin:transfer", transfer.pk)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: transfers start on the customer's page."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("Asked"), ordering="asked_at")
    def asked(self, transfer: Move) -> str:
        """Return when it was asked for, by the brand's clock."""
        return zoned_time(transfer.asked_at, transfer.brand)

    @admin.display(description=_("Amount"), ordering="amount")
    def amount_shown(self, transfer: Move) -> str:
        """Return the amount in the brand's currency."""
        return format_amount(transfer)

    @admin.display(description=_("Direction"))
    def direction(self, transfer: Move) -> str:
        """Return from where to where the money goes; it names the brand."""
        return describe_direction(transfer.amount, transfer.brand, transfer.account_number)

    @admin.display(description=_("Outcome"), ordering="state")
    def outcome_now(self, transfer: Move) -> str:
        """Return the effective state; unknown ones are highlighted."""
        words = describe_outcome(transfer)
        if transfer.outcome != Move.State.UNKNOWN:
            return words
        return format_html('<strong class="move-mark">{}</strong>', words)
