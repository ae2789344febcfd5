"""Actions on customers in the admin: export, disable, enable, and count unclear account numbers."""

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
from accounts.services import support
from accounts.services.deactivation import disable_customers, enable_customers
from portal.admin.reauthentication import recently_authenticated, redirect_to_reauthentication
from portal.brands.access import get_brands

MAX_LISTED = 100  # Customers on the page that confirms disabling them.


class CustomerActionsMixin(admin.ModelAdmin):  # type: ignore[type-arg]
    """List actions and page buttons, for customers of the user's own brands only."""

    actions = ("export_selected", "disable_selected", "enable_selected")
    change_list_template = "admin/accounts/user/change_list.html"

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("export/", wrap(require_POST(self.export_view)), name="accounts_user_export"),
            path("<int:pk>/disable/", wrap(self.disable_view), name="accounts_user_disable"),
            path("<int:pk>/enable/", wrap(require_POST(self.enable_view)), name="accounts_user_enable"),
            path("<int:pk>/sign-out/", wrap(require_POST(self.sign_out_view)), name="accounts_user_sign_out"),
            path("<int:pk>/lift-limit/", wrap(require_POST(self.lift_view)), name="accounts_user_lift_limit"),
            *super().get_urls(),
        ]

    def _customers(self, request: HttpRequest, users: QuerySet[User] | None = None) -> QuerySet[User]:
        """Return those of `users` (default: all) who are customers of the signed-in user's brands."""
        rows = User.objects.all() if users is None else users
        return rows.filter(brand__in=get_brands(request.user).values("pk"))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Add the counts of customers whose account number staff must check."""
        customers = self._customers(request)
        look_into = [
            (value, words, customers.filter(condition).count())
            for value, (words, condition) in NumberFilter.options.items()
        ]
        return super().changelist_view(request, {"look_into": look_into, **(extra_context or {})})

    @admin.display(description=_("Page"))
    def page(self, user: User) -> str | SafeString:
        """Link to the customer's figures, transfers and sign-ins."""
        if not user.brand_id:
            return ""
        url = reverse("customer_page", args=(user.pk,))
        return format_html(
            '<a href="{}">{}<span class="visually-hidden"> {}</span></a>', url, gettext("Open"), user
        )

    # --- Export ---

    @admin.action(description=_("Export the chosen customers as CSV"), permissions=("view",))
    def export_selected(self, request: HttpRequest, users: QuerySet[User]) -> HttpResponse | None:
        return self._export(request, users)

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Export all customers that the list shows with the same filters and search."""
        list_url = f"{reverse('admin:accounts_user_changelist')}?{request.GET.urlencode()}"
        if not recently_authenticated(request):
            return redirect_to_reauthentication(request, list_url)
        listed = self.get_changelist_instance(request).get_queryset(request)
        return self._export(request, listed) or redirect(list_url)

    def _export(self, request: HttpRequest, users: QuerySet[User]) -> HttpResponse | None:
        customers = self._customers(request, users)
        count, lines = export_customers(customers=customers, by=cast(User, request.user))
        if not count:
            words = gettext("Nothing was exported: no customer is among these.")
            self.message_user(request, words, messages.WARNING)
            return None
        headers = {"Content-Disposition": f'attachment; filename="customers-{timezone.now():%Y-%m-%d}.csv"'}
        response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)
        return cast(HttpResponse, response)

    # --- Disable ---

    @admin.action(description=_("Disable the chosen customers"), permissions=("change",))
    def disable_selected(self, request: HttpRequest, users: QuerySet[User]) -> HttpResponse | None:
        """Show a confirmation page first; disable the customers once it is confirmed."""
        active = self._customers(request, users).filter(is_active=True)
        if "sure" in request.POST:
            self._disable(request, active)
            return None
        if not active.exists():
            words = gettext("No one was disabled, because none of these is an active customer.")
            self.message_user(request, words, messages.WARNING)
            return None
        form_state = {
            "action": "disable_selected",
            "select_across": request.POST.get("select_across", "0"),
            "index": request.POST.get("index", "0"),
        }
        ticked = [(ACTION_CHECKBOX_NAME, pk) for pk in request.POST.getlist(ACTION_CHECKBOX_NAME)]
        return self._render_confirmation(request, active, [*form_state.items(), *ticked])

    def disable_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show a confirmation page; on POST, disable the customer."""
        selected = self._customers(request).filter(pk=pk)
        get_object_or_404(selected)
        if request.method != "POST":
            return self._render_confirmation(request, selected, [])
        self._disable(request, selected)
        return redirect("customer_page", pk)

    def _render_confirmation(
        self, request: HttpRequest, active: QuerySet[User], fields: list[tuple[str, str]]
    ) -> HttpResponse:
        count = active.count()
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Disable customers"),
            "opts": self.opts,
            "count": count,
            "customers": active[:MAX_LISTED],
            "more": max(0, count - MAX_LISTED),
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
    def enable_selected(self, request: HttpRequest, users: QuerySet[User]) -> None:
        self._enable(request, self._customers(request, users))

    def enable_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        selected = self._customers(request).filter(pk=pk)
        get_object_or_404(selected)
        self._enable(request, selected)
        return redirect("customer_page", pk)

    def sign_out_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        customer = get_object_or_404(self._customers(request), pk=pk)
        support.sign_out(customer=customer, by=cast(User, request.user))
        self.message_user(request, gettext("The customer is signed out everywhere."), messages.SUCCESS)
        return redirect("customer_page", pk)

    def lift_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        customer = get_object_or_404(self._customers(request), pk=pk)
        support.lift_code_limit(customer=customer, by=cast(User, request.user))
        words = gettext("The limit is lifted. The customer can ask for a code at once.")
        self.message_user(request, words, messages.SUCCESS)
        return redirect("customer_page", pk)

    def _enable(self, request: HttpRequest, users: QuerySet[User]) -> None:
        count = enable_customers(customers=users, by=cast(User, request.user))
        words = ngettext(
            "%(count)d customer can sign in again.", "%(count)d customers can sign in again.", count
        )
        self.message_user(request, words % {"count": count}, messages.SUCCESS)
