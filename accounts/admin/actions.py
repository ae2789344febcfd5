"""What staff do with customers from the list: export, disable and enable them, and see who lacks a number."""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts.admin.filters import NumberFilter
from accounts.customer_import.export import export_customers
from accounts.models import User
from accounts.services.deactivation import disable_customers, enable_customers
from portal.admin.reauthentication import recently_authenticated, redirect_to_reauthentication
from portal.brands.access import brands_of

SHOWN = 100  # Addresses on the page that asks whether to disable them.


class CustomerToolsMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Actions of the list and buttons of the pages, for the customers of one's own brands."""

    actions = ("export_selected", "disable_selected", "enable_selected")
    change_list_template = "admin/accounts/user/change_list.html"

    def get_urls(self) -> list[URLPattern]:
        """Three more addresses."""
        guarded = self.admin_site.admin_view
        return [
            path("export/", guarded(require_POST(self.export_view)), name="accounts_user_export"),
            path("<int:pk>/disable/", guarded(self.disable_view), name="accounts_user_disable"),
            path("<int:pk>/enable/", guarded(require_POST(self.enable_view)), name="accounts_user_enable"),
            *super().get_urls(),
        ]

    def _customers(self, request: HttpRequest, among: QuerySet[User] | None = None) -> QuerySet[User]:
        """Customers of the person's brands, whatever else a list may show."""
        people = User.objects.all() if among is None else among
        return people.filter(brand__in=brands_of(request.user).values("pk"))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """With the number of those whose account number somebody must look into."""
        customers = self._customers(request)
        look_into = [
            (value, words, customers.filter(condition).count())
            for value, (words, condition) in NumberFilter.options.items()
        ]
        return super().changelist_view(request, {"look_into": look_into, **(extra_context or {})})

    @admin.display(description=_("Page"))
    def page(self, person: User) -> str | SafeString:
        """Where a customer's figures, moves and sign-ins are."""
        if not person.brand_id:
            return ""
        url = reverse("billing_admin:customer", args=(person.pk,))
        return format_html(
            '<a href="{}">{}<span class="visually-hidden"> {}</span></a>', url, gettext("Open"), person
        )

    # --- Export ---

    @admin.action(description=_("Export the chosen customers as CSV"), permissions=("view",))
    def export_selected(self, request: HttpRequest, people: QuerySet[User]) -> HttpResponse | None:
        """The customers that are ticked."""
        return self._export(request, people)

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """All that the list shows with the same filters and search."""
        back = f"{reverse('admin:accounts_user_changelist')}?{request.GET.urlencode()}"
        if not recently_authenticated(request):
            return redirect_to_reauthentication(request, back)
        listed = self.get_changelist_instance(request).get_queryset(request)
        return self._export(request, listed) or redirect(back)

    def _export(self, request: HttpRequest, people: QuerySet[User]) -> HttpResponse | None:
        chosen = self._customers(request, people)
        count, lines = export_customers(customers=chosen, by=cast(User, request.user))
        if not count:
            words = gettext("Nothing was exported: no customer is among these.")
            self.message_user(request, words, messages.WARNING)
            return None
        headers = {"Content-Disposition": f'attachment; filename="customers-{timezone.now():%Y-%m-%d}.csv"'}
        response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)
        return cast(HttpResponse, response)

    # --- Disable ---

    @admin.action(description=_("Disable the chosen customers"), permissions=("change",))
    def disable_selected(self, request: HttpRequest, people: QuerySet[User]) -> HttpResponse | None:
        """Ask first, then do it."""
        active = self._customers(request, people).filter(is_active=True)
        if "sure" in request.POST:
            self._disable(request, active)
            return None
        if not active.exists():
            words = gettext("Nobody was disabled: no active customer is among these.")
            self.message_user(request, words, messages.WARNING)
            return None
        again = {
            "action": "disable_selected",
            "select_across": request.POST.get("select_across", "0"),
            "index": request.POST.get("index", "0"),
        }
        ticked = [(ACTION_CHECKBOX_NAME, pk) for pk in request.POST.getlist(ACTION_CHECKBOX_NAME)]
        return self._ask(request, active, [*again.items(), *ticked])

    def disable_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask, and on a POST disable one customer."""
        one = self._customers(request).filter(pk=pk)
        get_object_or_404(one)
        if request.method != "POST":
            return self._ask(request, one, [])
        self._disable(request, one)
        return redirect("billing_admin:customer", pk)

    def _ask(
        self, request: HttpRequest, active: QuerySet[User], fields: list[tuple[str, str]]
    ) -> HttpResponse:
        count = active.count()
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Disable customers"),
            "opts": self.opts,
            "count": count,
            "customers": active[:SHOWN],
            "more": max(0, count - SHOWN),
            "fields": fields,
        }
        return TemplateResponse(request, "admin/accounts/user/disable.html", context)

    def _disable(self, request: HttpRequest, active: QuerySet[User]) -> None:
        count = disable_customers(customers=active, by=cast(User, request.user))
        words = ngettext(
            "%(count)d customer is disabled, and signed out everywhere.",
            "%(count)d customers are disabled, and signed out everywhere.",
            count,
        )
        self.message_user(request, words % {"count": count}, messages.SUCCESS)

    @admin.action(description=_("Enable the chosen customers"), permissions=("change",))
    def enable_selected(self, request: HttpRequest, people: QuerySet[User]) -> None:
        """Let the customers that are ticked sign in again."""
        self._enable(request, self._customers(request, people))

    def enable_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Let one customer sign in again."""
        one = self._customers(request).filter(pk=pk)
        get_object_or_404(one)
        self._enable(request, one)
        return redirect("billing_admin:customer", pk)

    def _enable(self, request: HttpRequest, people: QuerySet[User]) -> None:
        count = enable_customers(customers=people, by=cast(User, request.user))
        words = ngettext(
            "%(count)d customer can sign in again.", "%(count)d customers can sign in again.", count
        )
        self.message_user(request, words % {"count": count}, messages.SUCCESS)
