"""Pages of the balance and the statement."""

from dataclasses import replace
from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.forms import SignInForm
from accounts.models import User
from accounts.views.forms import render_form
from accounts.views.session import known_email
from billing.statements import periods
from billing.statements.forms import PeriodForm
from billing.statements.service import (
    BALANCE,
    BALANCE_FRAME,
    MONTHS,
    PAGE,
    PAGE_FRAME,
    Deadlines,
    StatementResult,
    get_balance,
    get_statement,
)
from billing.views.context import (
    build_balance_context,
    build_figures_context,
    build_form_context,
    parse_period_form,
    render_unavailable,
    stream_page,
)
from portal.resilience import rate_limits
from portal.web.http import BrandRequest, get_next_url

_OLDER_MONTHS = 11 - MONTHS  # With this month, the chart's year.
_HOME, _STATEMENT = "billing/home.html", "billing/statement.html"


@login_not_required
@require_safe
def home(request: BrandRequest) -> HttpResponseBase:
    """/: the balance of a signed-in customer; for visitors, what the portal offers, and the sign-in form."""
    if not request.user.is_authenticated:
        form = SignInForm(brand=request.brand, initial=known_email(request))
        return render_form(request, "billing/welcome.html", form)
    user, brand = request.user, request.brand
    context: dict[str, object] = {"period": periods.this_month(periods.today(brand))}
    if not user.account_number:
        return render(request, _HOME, context)

    def read(deadlines: Deadlines) -> tuple[StatementResult, dict[str, object]]:
        found = get_balance(brand=brand, customer=user, older=_OLDER_MONTHS, deadlines=deadlines)
        late = any(each.late for each in (found.current, *found.months))
        values = dict(context)
        if found.current.statement:
            values |= build_balance_context(brand, user, found)
        return replace(found.current, late=late), values

    found, values = read(BALANCE_FRAME)
    if found.late:
        return stream_page(request, _HOME, context, "billing/_home_figures.html", lambda: read(BALANCE))
    return _page(request, _HOME, found, **values)


@require_safe
def statement(request: BrandRequest) -> HttpResponseBase:
    """/statement/?from_date=YYYY-MM-DD&to_date=YYYY-MM-DD; without a query, this month."""
    user, form = cast(User, request.user), parse_period_form(request.GET, request.brand)
    context = build_form_context(form)
    if not form.is_valid():
        return render(request, _STATEMENT, context)
    context["period"] = form.period
    if not user.account_number:
        return render(request, _STATEMENT, context)

    def read(deadlines: Deadlines) -> tuple[StatementResult, dict[str, object]]:
        return get_statement(brand=brand, customer=user, period=form.period, deadlines=deadlines), context

    brand = request.brand
    found, values = read(PAGE_FRAME)
    if found.late:
        body = "billing/_statement_figures.html"
        return stream_page(request, _STATEMENT, values, body, lambda: read(PAGE))
    return _page(request, _STATEMENT, found, **values)


@require_http_methods(["GET", "HEAD", "POST"])
def statement_refresh(request: BrandRequest) -> HttpResponse:
    """/statement/refresh/: fetch a period's statement again, then redirect to the page that shows it.

    A customer who had to sign in first arrives by GET, and is redirected.
    """
    user = cast(User, request.user)
    form = PeriodForm(request.POST, today=periods.today(request.brand))
    back = get_next_url(request, request.POST) or "/"
    if not (user.account_number and form.is_valid()):
        return redirect(back)
    try:
        rate_limits.consume(action="refresh", account=f"customer {user.pk}")
    except rate_limits.Limited:
        messages.warning(
            request,
            _("You've refreshed several times. Wait a minute, then try again."),
        )
    else:
        found = get_statement(brand=request.brand, customer=user, period=form.period, refresh=True)
        if not found.error:
            messages.success(request, _("You're seeing your latest amounts."))
    return redirect(back)


def _page(request: BrandRequest, template: str, found: StatementResult, **context: object) -> HttpResponse:
    """Return the page with its figures, or 503 with the reason why there are none; never a false zero."""
    if found.statement is None:
        return render_unavailable(request, template, found, **context)
    return render(request, template, {**context, **build_figures_context(request, found)})
