"""Give each request an ID."""

from django.http import HttpRequest, HttpResponse

from portal.middleware import Next
from portal.web import request_id


def assign_request_id(get_response: Next) -> Next:
    """Set a request ID as `request.reference`, in each log line, and in the response header X-Request-ID.

    An ID from the visitor is never used, so that two requests cannot look like one. This also removes the
    body of a response to HEAD (RFC 9110, 9.3.2); gunicorn would do so too, but with a warning each time.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        request.reference = request_id.new_request_id()  # type: ignore[attr-defined]
        with request_id.request_id_context(request.reference):  # type: ignore[attr-defined]
            response = get_response(request)
        response["X-Request-ID"] = request.reference  # type: ignore[attr-defined]
        if request.method == "HEAD" and not response.streaming:
            response.headers.setdefault("Content-Length", str(len(response.content)))
            response.content = b""
        return response

    return middleware
