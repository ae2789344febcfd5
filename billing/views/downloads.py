"""/statement.csv and /statement.pdf: download a statement, or see why there is none."""

from http import HTTPStatus
from typing import cast

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.models import User
from billing.statements import csv_export, periods
from billing.statements.file_names import build_file_name
from billing.statements.forms import PeriodForm
from billing.statements.periods import Period
from billing.statements.service import PAGE, StatementResult, get_statement
from billing.views.context import build_form_context, parse_period_form, render_unavailable
from billing.views.files import CSV_TYPE, has_file, statement_file
from billing.views.history import list_history
from portal.models import Brand
from portal.resilience import rate_limits
from portal.web.http import BrandRequest

_STATEMENT = "billing/statement.html"


@require_safe
def statement_csv(request: BrandRequest) -> HttpResponse:
    """/statement.csv with the query of /statement/."""
    return _file(request, "csv")


@require_safe
def statement_pdf(request: BrandRequest) -> HttpResponse:
    """/statement.pdf with the query of /statement/. Drawing one costs CPU time, so there is a limit."""
    return _file(request, "pdf", limit="pdf")


@require_safe
def history_csv(request: BrandRequest) -> HttpResponse:
    """/history.csv: a table of twelve months, or the page that says why there is none."""
    user, brand = cast(User, request.user), request.brand
    day = periods.today(brand)
    period = periods.this_month(day)
    context = build_form_context(PeriodForm(vars(period), today=day)) | {"period": period}
    if not user.account_number:
        return render(request, _STATEMENT, context, status=HTTPStatus.CONFLICT)
    if request.method == "HEAD":  # Without a call.
        return HttpResponse(content_type=CSV_TYPE)
    months = list(list_history(brand, user))
    if not any(each.statement for each in months):
        return render_unavailable(request, _STATEMENT, months[0], **context)
    text = csv_export.render_months_csv(brand=brand, account_number=user.account_number, months=months)
    year = Period(months[-1].period.from_date, months[0].period.to_date)
    name = build_file_name(brand=brand, account_number=user.account_number, period=year, ending="csv")
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(("\ufeff" + text).encode(), content_type=CSV_TYPE, headers=headers)


def _file(request: BrandRequest, ending: str, limit: str = "") -> HttpResponse:
    """Return the file; if there is none, the statement's page with the reason."""
    user, form = cast(User, request.user), parse_period_form(request.GET, request.brand)
    context = build_form_context(form)
    if not form.is_valid():
        return render(request, _STATEMENT, context, status=HTTPStatus.BAD_REQUEST)
    context["period"] = form.period
    if not user.account_number:
        return render(request, _STATEMENT, context, status=HTTPStatus.CONFLICT)
    found = _figures(request.brand, user, form.period, limit)
    if not has_file(found):
        return render_unavailable(request, _STATEMENT, found, **context)
    return statement_file(brand=request.brand, customer=user, found=found, ending=ending)


def _figures(brand: Brand, user: User, period: Period, limit: str) -> StatementResult:
    try:
        if limit:
            rate_limits.consume(action=limit, account=f"customer {user.pk}")
    except rate_limits.Limited as limited:
        return StatementResult(period, error="often", retry_after=limited.retry_after)
    return get_statement(brand=brand, customer=user, period=period, deadlines=PAGE)
