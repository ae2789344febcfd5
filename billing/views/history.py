"""/history/: twelve months, shown as they arrive. The page begins before the carrier is asked."""

import logging
from collections.abc import Generator
from typing import cast

from django.http import HttpResponseBase, StreamingHttpResponse
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
    """/history/: the frame at once, then a row for each month, then the chart of all.

    Whoever asks for the headers alone gets them, and the carrier is not asked.
    """
    user, brand = cast(User, request.user), request.brand
    mark = streaming.new_placeholder()
    page = render(request, _HISTORY, {"rows": [mark], "picture": mark})
    if not user.account_number or request.method == "HEAD":
        return page
    day = periods.today(brand)
    months = stream_statements(
        brand=brand,
        customer=user,
        periods=[periods.this_month(day), *periods.complete_months(day, MONTHS - 1)],
        bounds=Deadlines(in_all=_LONGEST),
    )
    # Made now, because later even this might fail.
    broken = render_to_string("billing/_history_broken.html", {"request": request})
    pieces = page.content.decode().split(mark)
    chunks = _page(pieces, months, brand, broken)
    return StreamingHttpResponse(
        streaming.stream_in_request_context(chunks), headers={"X-Accel-Buffering": "no"}
    )


def _page(
    pieces: list[str], months: Generator[StatementResult, None, None], brand: Brand, broken: str
) -> streaming.Chunks:
    """The pieces of the page with what comes between them; whatever happens, the page gets its end."""
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
    """A month's row of the table; the newest month is the one that is still running."""
    context = {"month": figures, "brand": brand, "running": running}
    return render_to_string("billing/_history_row.html", context)


def render_chart(found: list[StatementResult], brand: Brand) -> str:
    """The chart of the months, the newest first; a sentence where there is nothing to draw."""
    return render_to_string("billing/_history_chart.html", {"chart": chart.draw(found), "brand": brand})
