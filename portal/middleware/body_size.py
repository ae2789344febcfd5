"""The largest request that the portal takes, refused by its length before a byte of it is read.

The proxy in front has the same limit. Without it, Django would write an upload of any size to disk before a
view says that nobody may send it. A body in chunks has no length: Django reads nothing of it.
"""

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from portal.web.http import plain_text_response

LARGEST = 3 * 1024 * 1024  # Bytes: a file of customers, 2 MB, with its form.

Next = Callable[[HttpRequest], HttpResponse]


def body_size(get_response: Next) -> Next:
    """Answer 413 where the request's length is over the limit."""

    def middleware(request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdecimal() and int(length) > LARGEST:
            return plain_text_response(
                "This is more than the portal takes (3 MB). Nothing was changed. Send a smaller file.",
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            )
        return get_response(request)

    return middleware
