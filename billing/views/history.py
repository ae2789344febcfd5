"""/history/: twelve months, streamed as they arrive. The page begins before the first call."""

import logging
from collections.abc import Generator
from typing import cast

from django.http import HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe

from accounts.models import User
from billing.statements import chart, periods
from billing.statements.service import Deadlines, StatementResult, stream_statements
from portal.models import Brand
from portal.web import streaming
from portal.web.http import BrandRequest

logger = logging.getLogger(__name__)

MONTHS = 12
_LONGEST = 16  # Seconds until the page is complete, however slow the carrier is.
_HISTORY = "billing/history.html"


@require_safe
def history(request: BrandRequest) -> HttpResponseBase:
    """/history/: send the frame at once, then a row for each month, then the chart of all.

    HEAD gets the headers alone, without a call.
    """
    user, brand = cast(User, request.user), request.brand
    placeholder = streaming.new_placeholder()
    page = render(request, _HISTORY, {"rows": [placeholder], "picture": placeholder})
    if not user.account_number or request.method == "HEAD":
        return page
    months = list_history(brand, user)
    # Rendered now, because later this could fail too.
    broken = render_to_string("billing/_history_broken.html", {"request": request})
    pieces = page.content.decode().split(placeholder)
    chunks = _page(pieces, months, brand, broken)
    return streaming.stream_response(chunks)


def list_history(brand: Brand, customer: User) -> Generator[StatementResult, None, None]:
    """Yield the twelve months, the newest first, as they arrive."""
    day = periods.today(brand)
    return stream_statements(
        brand=brand,
        customer=customer,
        periods=[periods.this_month(day), *periods.complete_months(day, MONTHS - 1)],
        deadlines=Deadlines(if_missing=_LONGEST),
    )


def _page(
    pieces: list[str], months: Generator[StatementResult, None, None], brand: Brand, broken: str
) -> streaming.Chunks:
    """Yield the pieces of the page with the rows and the chart between them, and always its end."""
    head, between, tail = pieces
    yield head
    found: list[StatementResult] = []
    try:
        for figures in months:
            row = render_month(figures, brand, running=not found)
            found.append(figures)
            yield row
        picture = render_chart(found, brand)
    except Exception:
        logger.exception("history broke off", extra={"brand": brand.slug, "months": len(found)})
        picture = broken
    finally:
        months.close()
    yield between + picture + tail


def render_month(figures: StatementResult, brand: Brand, *, running: bool) -> str:
    """Return a month's row of the table; `running` is true for the current month."""
    context = {"month": figures, "brand": brand, "running": running}
    return render_to_string("billing/_history_row.html", context)


def render_chart(found: list[StatementResult], brand: Brand) -> str:
    """Return the chart of the months, the newest first, and why some of them did not load."""
    errors = [each for each in found if each.error]
    context = {
        "chart": chart.draw_chart(found),
        "brand": brand,
        "error": errors[0].error if errors else "",
        "stale": any(each.statement for each in errors),
    }
    return render_to_string("billing/_history_chart.html", context)
