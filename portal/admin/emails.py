"""Read-only list of emails in the admin: what was sent to whom, and what the email server said."""

from typing import Any

from django.contrib import admin
from django.contrib.admin import DateFieldListFilter, SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portal.admin.pagination import BoundedListMixin
from portal.admin.scoping import BrandFilter, ScopedAdmin
from portal.admin.site import site
from portal.brands.access import is_operator
from portal.core.formats import zoned_time
from portal.mail import log
from portal.mail.send import STAFF_TEMPLATES
from portal.models import Email

_COLUMNS = (
    *("brand", "person", "template", "to", "asked_at", "tries", "next_try_at", "taken_at", "refusal"),
    *("brand__name", "brand__timezone", "person__email", "person__brand"),
)


class ResultFilter(SimpleListFilter):
    """Emails that were sent, wait for their next try, or were refused and given up."""

    title = _("result")
    parameter_name = "result"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, Any]]:
        return [("sent", _("sent")), ("waiting", _("waiting")), ("refused", _("refused"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the emails with this result; none for an unknown one."""
        value = self.value()
        if not value:
            return queryset
        return queryset.filter(log.RESULTS[value]) if value in log.RESULTS else queryset.none()


@admin.register(Email, site=site)
class EmailAdmin(BoundedListMixin, ScopedAdmin):
    """List of emails, read-only. Rows are deleted automatically after 90 days."""

    operators_may = ("view",)
    actions = None
    list_display = ("at", "brand", "to", "customer", "what", "result", "refusal", "next_try")
    list_display_links = None
    sortable_by = ("at",)
    ordering = ("-asked_at", "-pk")
    list_filter = (BrandFilter, ResultFilter, ("asked_at", DateFieldListFilter))
    search_fields = ("to",)
    search_help_text = _(
        "Search by all or part of an email address. We show the latest 10,000. Narrow your search to see "
        "others."
    )
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 100
    fields = readonly_fields = list_display

    def get_queryset(self, request: HttpRequest) -> QuerySet[Email]:
        """Return the rows with their brands and people, in one query. Staff see none to colleagues."""
        rows = super().get_queryset(request).select_related("brand", "person").only(*_COLUMNS)
        return rows if is_operator(request.user) else rows.exclude(template__in=STAFF_TEMPLATES)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().changelist_view(request, {"title": gettext("Emails"), **(extra_context or {})})

    @admin.display(description=_("Time"), ordering="asked_at")
    def at(self, email: Email) -> str:
        return zoned_time(email.asked_at, email.brand)

    @admin.display(description=_("Customer"))
    def customer(self, email: Email) -> str | SafeString:
        """Return the customer with a link to their page."""
        if email.person is None or email.person.brand_id is None:
            return "–"
        url = reverse("customer_page", args=(email.person.pk,))
        return format_html('<a href="{}">{}</a>', url, email.person)

    @admin.display(description=_("What"))
    def what(self, email: Email) -> str:
        return str(log.NAMES.get(email.template, email.template))

    @admin.display(description=_("Result"))
    def result(self, email: Email) -> str:
        return str(email.state)

    @admin.display(description=_("Next try"))
    def next_try(self, email: Email) -> str:
        return zoned_time(email.next_try_at, email.brand) if email.next_try_at else "–"
