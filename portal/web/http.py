"""The request as our middleware leaves it, for the type checker and for readers."""

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.utils.http import url_has_allowed_host_and_scheme

from portal.models import Brand


class BrandRequest(HttpRequest):
    """A request on a brand's host."""

    brand: Brand
    reference: str
    client_address: str
    client_network: str
    csp_nonce: str


_LONGEST_NEXT = 500


def get_next_url(request: HttpRequest, query: Mapping[str, str] | None = None) -> str:
    """The page that `next` in the address (or in a form) names, if it is one of this host; else empty."""
    return safe_redirect_url(request, (request.GET if query is None else query).get("next") or "")


def safe_redirect_url(request: HttpRequest, wanted: str) -> str:
    """The address, if it is a page of this host, from its root; else empty."""
    ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if ours and wanted.startswith("/") and len(wanted) <= _LONGEST_NEXT else ""


def plain_text_response(text: str, status: int = 200) -> HttpResponse:
    """What a program asked for, in plain text: never kept, and nothing that a browser would run."""
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
    }
    return HttpResponse(text + "\n", content_type="text/plain; charset=utf-8", status=status, headers=headers)
