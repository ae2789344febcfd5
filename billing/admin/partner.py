"""Partner balances in the admin: staff see their own brands, operators all."""

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_safe

from billing.admin.refresh import consume_refresh
from billing.statements import labels
from billing.statements.partner_balance import Account, get_partner_account, list_partner_accounts
from portal.admin.site import site
from portal.brands.access import get_brands
from portal.carrier.call_stats import count_calls_by_day


@require_safe
def partners(request: HttpRequest) -> HttpResponse:
    """/admin/billing/partner/: list of partner accounts. Redirects if the user has only one brand."""
    brands = get_brands(request.user)
    if len(only := list(brands.values_list("pk", flat=True)[:2])) == 1:
        return redirect("partner_page", only[0])
    context = {
        **site.each_context(request),
        "title": gettext("Partner balance"),
        "accounts": sorted(list_partner_accounts(brands=brands), key=_urgency),
    }
    return TemplateResponse(request, "admin/billing/partners.html", context)


def _urgency(account: Account) -> tuple[int, int, str]:
    """Sort empty accounts first, then unknown ones, then by the days that are left; without spending last."""
    state, days = account.status.state, account.status.days
    rank = {"empty": 0, "unknown": 1}.get(state, 2 if days is not None else 3)
    return rank, days or 0, account.brand.name


@require_http_methods(["GET", "HEAD", "POST"])
def partner(request: HttpRequest, pk: int) -> HttpResponse:
    """/admin/billing/partner/PK/: a brand's partner account. POST refreshes it."""
    brand = get_object_or_404(get_brands(request.user), pk=pk)
    if request.method != "POST":
        return _page(request, get_partner_account(brand=brand))
    if not consume_refresh(request, f"partner {brand.pk}"):
        return redirect("partner_page", pk)
    account = get_partner_account(brand=brand, refresh=True)
    return _page(request, account) if account.figures.error else redirect("partner_page", pk)


def _page(request: HttpRequest, account: Account) -> HttpResponse:
    """Render the account; with status 503 if nothing is known of it."""
    brand, statement = account.brand, account.figures.statement
    context: dict[str, Any] = {
        **site.each_context(request),
        "title": gettext("Partner balance"),
        "subtitle": str(brand),
        "brand": brand,
        "account": account,
        "rows": labels.list_statement_amounts(statement) if statement else [],
        "calls": count_calls_by_day(brand=brand),
    }
    status = HTTPStatus.OK if statement else HTTPStatus.SERVICE_UNAVAILABLE
    return TemplateResponse(request, "admin/billing/partner.html", context, status=status)
