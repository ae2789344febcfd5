"""A page for 405."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from portal.middleware import Next
from portal.web import error_views


def method_page(get_response: Next) -> Next:
    """Make a page of Django's blank answer to a method that an address does not take.

    The innermost, so that each of the others does to this page what it does to any.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        refused = response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
        return error_views.not_allowed(request, response) if refused else response

    return middleware
