"""Template contexts of balance and statement, pages that stream, and pages without figures."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from http import HTTPStatus
from typing import Any, cast

from django.http import HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from billing.statements import chart, labels, periods
from billing.statements.forecast import calculate_forecast
from billing.statements.forecast_text import describe_forecast, describe_state
from billing.statements.forms import PeriodForm
from billing.statements.periods import Period
from billing.statements.service import Balance, LastActivity, StatementResult, get_last_activity
from portal.models import Brand
from portal.web import retry, streaming
from portal.web.http import BrandRequest

logger = logging.getLogger(__name__)

_MONTHS_LISTED = 11  # Complete ones, beside the statement.
_NEW_FOR = timedelta(days=60)  # Later an account without any activity is no new one.

Reader = Callable[[], tuple[StatementResult, dict[str, object]]]


def parse_period_form(query: QueryDict, brand: Brand) -> PeriodForm:
    """Return the form with the period of the query; without one, this month."""
    day = periods.today(brand)
    asked = query if {"from_date", "to_date"} & set(query) else vars(periods.this_month(day))
    return PeriodForm(asked, today=day)


def build_form_context(form: PeriodForm) -> dict[str, object]:
    """Return the statement page's context without figures: the form, and periods and months to choose."""
    months = periods.complete_months(form.today, _MONTHS_LISTED)
    return {"form": form, "presets": _presets(form.today), "months": months}


def _presets(day: date) -> list[tuple[str, Period]]:
    names = {
        "this_month": _("This month"),
        "last_month": _("Last month"),
        "last_3_months": _("Last 3 full months"),
        "this_year": _("This year"),
        "last_year": _("Last year"),
    }
    return [(names[name], period) for name, period in periods.presets(day).items()]


def statement_context(
    brand: Brand, found: StatementResult, activity: LastActivity | None = None
) -> dict[str, Any]:
    """Return the context of a statement that exists, with `activity` if it shows none itself."""
    assert found.statement
    rounding = labels.is_rounding_visible(found.statement, brand)
    period, day = found.period_shown or found.period, periods.today(brand)
    return {
        "statement": found.statement,
        "period_shown": found.period_shown,
        "as_of": found.as_of,
        "error": found.error,
        "figures": [(line, line.format(brand)) for line in labels.list_signed_amounts(found.statement)],
        "period_name": labels.describe_period(period, day),
        "is_today": period.to_date == day,
        "rounding": labels.get_rounding_note() if rounding else "",
        "last_activity": activity,
    }


def build_balance_context(brand: Brand, customer: User, found: Balance) -> dict[str, object]:
    """Return the context of the balance page.

    Months that were still open when they were fetched do not count for the forecast.
    """
    current, months, older = found
    assert current.statement
    if _is_first_day(customer, current, months):
        return {"first_day": True}
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
    return {
        "forecast": estimate,
        "forecast_text": text,
        "forecast_note": note,
        "state": describe_state(estimate),
        "recent": [each.period for each in months if not _is_blank(each)],
        "chart": _draw_small_chart([current, *months, *older]),
    }


def _is_first_day(customer: User, current: StatementResult, months: list[StatementResult]) -> bool:
    """Return True if a new account has had no balance and no activity yet."""
    if timezone.now() - customer.date_joined > _NEW_FOR:
        return False
    return all(_is_blank(each) for each in (current, *months))


def _is_blank(found: StatementResult) -> bool:
    """Return True for a known month in which the account had neither money nor activity."""
    statement = found.statement
    return bool(
        statement and not (statement.has_activity or statement.opening_balance or statement.closing_balance)
    )


def _draw_small_chart(months: list[StatementResult]) -> chart.Chart | None:
    """Return the chart from the oldest known month on; None without a complete month or any charge.

    In place of this month, the first, there may be the last known one, which belongs to another column.
    """
    current = months[0]
    if current.period_shown and current.period_shown.from_date != current.period.from_date:
        months = [replace(current, statement=None), *months[1:]]
    known = [number for number, each in enumerate(months) if each.statement]
    charged = any(each.statement.total_charges for each in months if each.statement)
    if not charged or known[-1] == 0:
        return None
    return chart.draw_chart(months[: known[-1] + 1], ["total_charges"])


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
