"""Answer 503 instead of 500 if the database does not answer or no slot for costly work is free.

`OutageMiddleware` handles exceptions of views. Others, such as those of middleware that reads the session,
reach Django's `handler500`, which is `server_error`.
"""

import logging
import sys

from django.http import HttpRequest, HttpResponse

from portal.core import database
from portal.middleware import Next
from portal.resilience.bulkhead import Busy
from portal.web import error_views

logger = logging.getLogger(__name__)


class OutageMiddleware:
    """Answer for views that could not reach the database or got no slot."""

    def __init__(self, get_response: Next) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return answer(request, error)


def server_error(request: HttpRequest) -> HttpResponse:
    """Return the page for an unhandled exception: 503 or 500. Django calls it as `handler500`."""
    return answer(request, sys.exc_info()[1]) or error_views.server_error(request)


def answer(request: HttpRequest, error: BaseException | None) -> HttpResponse | None:
    """Return the page for 503 for an outage, and None for a bug of ours, such as a wrong SQL statement."""
    if isinstance(error, Busy):
        return error_views.busy(request)
    if not database.is_outage(error):
        return None
    if database.is_replica(error):
        database.replace_connections()
    logger.error("database not reached", extra={"error": type(error).__name__})
    return error_views.unavailable(request)
