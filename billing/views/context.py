"""Template contexts of balance and statement, pages that stream, and pages without figures."""

import logging
from collections.abc import Callable
from datetime import date, datetime
from http import HTTPStatus
from typing import Any, cast

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from accounts.models import User
from billing.statements import labels, periods
from billing.statements.forecast import calculate_forecast
from billing.statements.forecast_text import describe_forecast
from billing.statements.forms import PeriodForm
from billing.statements.periods import Period
from billing.statements.service import LastActivity, StatementResult, get_last_activity
from portal.models import Brand
from portal.web import retry, streaming
from portal.web.http import BrandRequest

logger = logging.getLogger(__name__)

Reader = Callable[[], tuple[StatementResult, dict[str, object]]]


def parse_period_form(request: BrandRequest) -> PeriodForm:
    """Return the form with the period of the query; without one, this month."""
    day = periods.today(request.brand)
    asked = request.GET if {"from_date", "to_date"} & set(request.GET) else vars(periods.this_month(day))
    return PeriodForm(asked, today=day)


def build_form_context(form: PeriodForm) -> dict[str, object]:
    """Return the statement page's context without figures: the form, and the periods offered by links."""
    return {"form": form, "presets": _presets(form.today)}


def _presets(day: date) -> list[tuple[str, Period]]:
    names = {
        "this_month": _("This month"),
        "last_month": _("Last month"),
        "last_3_months": _("This month and the 2 before"),
        "this_year": _("This year"),
    }
    return [(names[name], period) for name, period in periods.presets(day).items()]


def statement_context(
    brand: Brand, found: StatementResult, activity: LastActivity | None = None
) -> dict[str, Any]:
    """Return the context of a statement that exists, with `activity` if it shows none itself."""
    assert found.statement
    rounding = labels.is_rounding_visible(found.statement, brand)
    return {
        "statement": found.statement,
        "period_shown": found.period_shown,
        "as_of": found.as_of,
        "error": found.error,
        "figures": labels.list_statement_amounts(found.statement),
        "rounding": labels.get_rounding_note() if rounding else "",
        "last_activity": activity,
    }


def build_forecast_context(
    brand: Brand, customer: User, current: StatementResult, months: list[StatementResult]
) -> dict[str, object]:
    """Return the context that says when the customer's calls stop, by the results of `get_balance`.

    Months that were still open when they were fetched do not count for the pace.
    """
    assert current.statement
    day = periods.today(brand)
    estimate = calculate_forecast(
        balance=current.statement.closing_balance,
        account_type=customer.account_type,
        credit_limit=customer.credit_limit,
        months=[(each.period, None if each.is_open else each.statement) for each in months],
        on=_day_of(brand, current.as_of) if current.as_of else day,
        today=day,
    )
    text, note = describe_forecast(estimate, brand)
    return {"forecast": estimate, "forecast_text": text, "forecast_note": note}


def _day_of(brand: Brand, moment: datetime) -> date:
    return moment.astimezone(brand.zone).date()


def build_figures_context(request: BrandRequest, found: StatementResult) -> dict[str, Any]:
    """Return the context of a result, with or without a statement."""
    if found.statement is None:
        return {"unavailable": found.error, "again": retry.try_again(found.retry_after)}
    customer = cast(User, request.user)
    activity = None
    if not found.statement.has_activity:
        activity = get_last_activity(brand=request.brand, customer=customer)
    return statement_context(request.brand, found, activity)


def stream_page(
    request: BrandRequest, template: str, values: dict[str, object], body: str, read: Reader
) -> HttpResponseBase:
    """Send the page's frame at once, then the result of `read`, rendered by the template `body`.

    The status is 200 whatever follows, as it has been sent by then. HEAD gets the headers alone.
    """
    placeholder = streaming.new_placeholder()
    page = render(request, template, {**values, "arriving": placeholder})
    if request.method == "HEAD":
        return page
    # Rendered now, because later this could fail too.
    broken = render_to_string(body, {**values, "unavailable": "down"}, request)
    head, tail = page.content.decode().split(placeholder)
    chunks = _parts(request, head, tail, body, read, broken)
    return streaming.stream_response(chunks)


def _parts(
    request: BrandRequest, head: str, tail: str, body: str, read: Reader, broken: str
) -> streaming.Chunks:
    yield head
    try:
        found, values = read()
        rest: str = render_to_string(body, {**values, **build_figures_context(request, found)}, request)
    except Exception:
        logger.exception("figures broke off", extra={"brand": request.brand.slug})
        rest = broken
    yield rest + tail


def render_unavailable(
    request: BrandRequest, template: str, found: StatementResult, **context: object
) -> HttpResponse:
    """Return the page that says why there is no statement: 503, or 409 if waiting does not help."""
    gone = found.error == "gone"
    status = HTTPStatus.CONFLICT if gone else HTTPStatus.SERVICE_UNAVAILABLE
    response = render(request, template, {**context, **build_figures_context(request, found)}, status=status)
    if not gone:
        response["Retry-After"] = retry.retry_after(found.retry_after or 60)
    return response
