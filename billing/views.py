"""The customer's money, page by page: read the period, ask the carrier, answer."""

from datetime import date
from decimal import Decimal
from http import HTTPStatus
from typing import cast

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.models import User
from billing import periods, services
from billing.forms import PeriodForm
from billing.periods import Period
from portal.http import BrandRequest
from portal.voipline import RateLimited, Statement, UpstreamError

_HOME, _STATEMENT = "billing/home.html", "billing/statement.html"


@login_not_required
@require_safe
def home(request: BrandRequest) -> HttpResponse:
    """/: what the portal offers, or the balance of whoever is signed in."""
    if not request.user.is_authenticated:
        return render(request, "billing/welcome.html")
    return _statement_page(request, _HOME, periods.this_month(periods.today(request.brand)))


@require_safe
def statement(request: BrandRequest) -> HttpResponse:
    """/statement/?from_date=YYYY-MM-DD&to_date=YYYY-MM-DD; without a query, this month."""
    form = _period_form(request)
    context = form_context(form)
    if not form.is_valid():
        return render(request, _STATEMENT, context)
    return _statement_page(request, _STATEMENT, form.period, **context)


@require_safe
def statement_csv(request: BrandRequest) -> HttpResponse:
    """/statement.csv with the query of /statement/; where no file can be given, the page that says why."""
    user, form = cast(User, request.user), _period_form(request)
    if not form.is_valid():
        return render(request, _STATEMENT, form_context(form), status=HTTPStatus.BAD_REQUEST)
    period, context = form.period, form_context(form)
    if not user.account_number:
        return render(request, _STATEMENT, context | {"period": period}, status=HTTPStatus.CONFLICT)
    try:
        found = services.statement_read(
            brand=request.brand, account_number=user.account_number, period=period
        )
    except UpstreamError as error:
        return _unavailable(request, _STATEMENT, error, **context, period=period)
    text = services.statement_csv(
        brand=request.brand, account_number=user.account_number, period=period, statement=found
    )
    name = f"statement-{period.from_date}-{period.to_date}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse("\ufeff" + text, content_type="text/csv; charset=utf-8", headers=headers)


def _period_form(request: BrandRequest) -> PeriodForm:
    day = periods.today(request.brand)
    asked = request.GET if {"from_date", "to_date"} & set(request.GET) else vars(periods.this_month(day))
    return PeriodForm(asked, today=day)


def form_context(form: PeriodForm) -> dict[str, object]:
    """What the statement's template wants beside figures: the form, and the periods of one click."""
    return {"form": form, "presets": _presets(form.today)}


def _presets(day: date) -> list[tuple[str, Period]]:
    labels = {
        "this_month": _("This month"),
        "last_month": _("Last month"),
        "last_3_months": _("Last 3 months"),
        "this_year": _("This year"),
    }
    return [(labels[name], period) for name, period in periods.presets(day).items()]


def _statement_page(request: BrandRequest, template: str, period: Period, **context: object) -> HttpResponse:
    """The page with its figures; without, an honest one with status 503. There is never a false zero."""
    user = cast(User, request.user)
    context |= {"period": period}
    if not user.account_number:
        return render(request, template, context)
    try:
        found = services.statement_read(
            brand=request.brand, account_number=user.account_number, period=period
        )
    except UpstreamError as error:
        return _unavailable(request, template, error, **context)
    return render(request, template, {**context, **shown(found)})


def _unavailable(
    request: BrandRequest, template: str, error: UpstreamError, **context: object
) -> HttpResponse:
    trouble = services.statement_trouble(error)
    status = HTTPStatus.CONFLICT if trouble == "gone" else HTTPStatus.SERVICE_UNAVAILABLE
    response = render(request, template, {**context, "unavailable": trouble}, status=status)
    if trouble == "gone":  # Waiting would not help.
        return response
    seconds = (error.retry_after if isinstance(error, RateLimited) else None) or 60
    response["Retry-After"] = str(seconds)
    return response


def shown(statement: Statement) -> dict[str, object]:
    """What the templates of balance and statement want of a statement."""
    return {
        "statement": statement,
        "as_of": timezone.now(),
        "figures": _figures(statement),
        "state": services.balance_state(statement),
        "moved": services.statement_moves(statement),
    }


def _figures(statement: Statement) -> list[tuple[str, str, Decimal]]:
    return [(name, label, getattr(statement, name)) for name, label in services.statement_rows()]
