"""Give each request an id of ours."""

from django.http import HttpRequest, HttpResponse

from portal.middleware import Next
from portal.web import request_id as references


def assign_request_id(get_response: Next) -> Next:
    """Give each request a number of ours: `request.reference`, in each log line, in the answer's header.

    Never one that the visitor sent, so that nobody can make two requests look like one. An answer to HEAD
    loses its body here (RFC 9110, 9.3.2); gunicorn would leave it out too, but with a warning each time.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        request.reference = references.new_request_id()  # type: ignore[attr-defined]
        token = references.current.set(request.reference)  # type: ignore[attr-defined]
        try:
            response = get_response(request)
        finally:
            references.current.reset(token)
        response["X-Request-ID"] = request.reference  # type: ignore[attr-defined]
        if request.method == "HEAD" and not response.streaming:
            response.headers.setdefault("Content-Length", str(len(response.content)))
            response.content = b""
        return response

    return middleware
