"""An honest 503 where the database does not answer or a thread finds no free slot; never a 500.

`OutageMiddleware` sees what views raise. What is raised elsewhere, as when a middleware reads the session,
reaches Django's handler for 500s, which is `server_error`.
"""

import logging
import sys
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from portal.core import database
from portal.resilience.bulkhead import Busy
from portal.web import error_views

logger = logging.getLogger(__name__)


class OutageMiddleware:
    """Answers for views that could not reach the database or found no slot."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Nothing on the way in or out."""
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Django's hook for what a view raises; None leaves it to the page for 500s."""
        return answer(request, error)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's hook for whatever nobody has caught: the page of 503 or of 500."""
    return answer(request, sys.exc_info()[1]) or error_views.server_error(request)


def answer(request: HttpRequest, error: BaseException | None) -> HttpResponse | None:
    """The page of 503 for an outage; None for a fault of ours, such as a statement that cannot work."""
    if isinstance(error, Busy):
        return error_views.busy(request)
    if not database.is_outage(error):
        return None
    if database.is_replica(error):
        database.replace_connections()
    logger.error("database not reached", extra={"error": type(error).__name__})
    return error_views.unavailable(request)
