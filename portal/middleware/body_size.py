"""Refuse requests whose body is too large, by their Content-Length, before any of it is read.

The reverse proxy has the same limit. Without it, Django would write an upload of any size to disk before a
view refuses it. A chunked body has no Content-Length, and Django reads none of it.
"""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from portal.middleware import Next
from portal.web.http import plain_text_response

LARGEST = 3 * 1024 * 1024  # Bytes: a customer file (2 MB) and its form.


def body_size(get_response: Next) -> Next:
    """Answer 413 if the body is larger than the limit."""

    def middleware(request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdecimal() and int(length) > LARGEST:
            return plain_text_response(
                "This is more than the portal takes (3 MB). Nothing was changed. Send a smaller file.",
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            )
        return get_response(request)

    return middleware
