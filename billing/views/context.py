"""What the templates of balance and statement want, and the answer of a page that has no figures."""

import logging
from collections.abc import Callable
from datetime import date, datetime
from http import HTTPStatus
from typing import Any, cast

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from accounts.models import User
from billing.statements import labels, periods
from billing.statements.forecast import Forecast, forecast
from billing.statements.forms import PeriodForm
from billing.statements.periods import Period
from billing.statements.service import Figures, LastActivity, get_last_activity
from portal.models import Brand
from portal.web import retry, streaming
from portal.web.http import BrandRequest

logger = logging.getLogger(__name__)

Reading = Callable[[], tuple[Figures, dict[str, object]]]


def parse_period_form(request: BrandRequest) -> PeriodForm:
    """The period of the address; without one, this month."""
    day = periods.today(request.brand)
    asked = request.GET if {"from_date", "to_date"} & set(request.GET) else vars(periods.this_month(day))
    return PeriodForm(asked, today=day)


def build_form_context(form: PeriodForm) -> dict[str, object]:
    """What the statement's template wants beside figures: the form, and the periods of one click."""
    return {"form": form, "presets": _presets(form.today)}


def _presets(day: date) -> list[tuple[str, Period]]:
    names = {
        "this_month": _("This month"),
        "last_month": _("Last month"),
        "last_3_months": _("Last 3 months"),
        "this_year": _("This year"),
    }
    return [(names[name], period) for name, period in periods.presets(day).items()]


def statement_context(brand: Brand, found: Figures, movement: LastActivity | None = None) -> dict[str, Any]:
    """What the templates want of figures that there are; `movement` where nothing moved in them."""
    assert found.statement
    rounding = labels.is_rounding_visible(found.statement, brand)
    return {
        "statement": found.statement,
        "shown": found.shown,
        "as_of": found.as_of,
        "trouble": found.trouble,
        "figures": labels.list_statement_amounts(found.statement),
        "rounding": labels.get_rounding_note() if rounding else "",
        "movement": movement,
    }


def build_forecast(brand: Brand, customer: User, current: Figures, months: list[Figures]) -> Forecast:
    """When the customer's calls stop, by the figures of `get_balance`.

    Figures of a month that was not over when it was asked for do not tell its pace.
    """
    assert current.statement
    day = periods.today(brand)
    return forecast(
        balance=current.statement.closing_balance,
        account_type=customer.account_type,
        credit_limit=customer.credit_limit,
        months=[(each.period, None if each.running else each.statement) for each in months],
        on=_day_of(brand, current.as_of) if current.as_of else day,
        today=day,
    )


def _day_of(brand: Brand, moment: datetime) -> date:
    return moment.astimezone(brand.zone).date()


def build_figures_context(request: BrandRequest, found: Figures) -> dict[str, Any]:
    """What the templates want of figures, whether there are any or not."""
    if found.statement is None:
        return {"unavailable": found.trouble, "again": retry.try_again(found.retry_after)}
    customer = cast(User, request.user)
    still = not found.statement.has_activity
    movement = get_last_activity(brand=request.brand, customer=customer) if still else None
    return statement_context(request.brand, found, movement)


def stream_page(
    request: BrandRequest, template: str, values: dict[str, object], body: str, read: Reading
) -> HttpResponseBase:
    """The frame at once, then the figures, which `read` waits for, by the template `body`.

    The status is 200, whatever comes: it has been sent by then. Who asks for the headers alone gets them.
    """
    mark = streaming.new_placeholder()
    page = render(request, template, {**values, "arriving": mark})
    if request.method == "HEAD":
        return page
    # Made now, because later even this might fail.
    broken = render_to_string(body, {**values, "unavailable": "down"}, request)
    head, tail = page.content.decode().split(mark)
    chunks = _parts(request, head, tail, body, read, broken)
    return StreamingHttpResponse(
        streaming.stream_in_request_context(chunks), headers={"X-Accel-Buffering": "no"}
    )


def _parts(
    request: BrandRequest, head: str, tail: str, body: str, read: Reading, broken: str
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
    request: BrandRequest, template: str, found: Figures, **context: object
) -> HttpResponse:
    """The page that says why there are none, with status 503, or 409 where waiting would not help."""
    gone = found.trouble == "gone"
    status = HTTPStatus.CONFLICT if gone else HTTPStatus.SERVICE_UNAVAILABLE
    response = render(request, template, {**context, **build_figures_context(request, found)}, status=status)
    if not gone:
        response["Retry-After"] = retry.retry_after(found.retry_after or 60)
    return response
