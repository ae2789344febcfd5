"""Django's session middleware, for an answer that says that something does not work at the moment, too."""

from http import HTTPStatus

from django.contrib.sessions import middleware
from django.contrib.sessions.exceptions import SessionInterrupted
from django.http import HttpRequest, HttpResponse


class SessionMiddleware(middleware.SessionMiddleware):
    """Keeps what a request has put into its session with an answer of 503 too: what was typed must stay."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Django keeps nothing of an answer from 500 on, and sets no cookie with it."""
        if response.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
            return super().process_response(request, response)
        response.status_code = HTTPStatus.OK
        try:
            return super().process_response(request, response)
        except SessionInterrupted:  # Signed out meanwhile.
            return response
        finally:
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
