"""Show an error page for 405."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from portal.middleware import Next
from portal.web import error_views


def method_page(get_response: Next) -> Next:
    """Replace Django's empty 405 response by an error page.

    It is one of the innermost, so that the others handle this page like any other.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        not_allowed = response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
        return error_views.not_allowed(request, response) if not_allowed else response

    return middleware
