"""The type of requests on a brand's host, safe redirect URLs, and plain-text responses."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.utils.http import url_has_allowed_host_and_scheme

from portal.models import Brand


class BrandRequest(HttpRequest):
    """A request on a brand's host, with the attributes that our middleware sets."""

    brand: Brand
    reference: str
    client_address: str
    client_network: str
    csp_nonce: str


_MAX_URL_LENGTH = 500


def get_next_url(request: HttpRequest, query: Mapping[str, str] | None = None) -> str:
    """Return the `next` URL of the query string (or of `query`) if it is on this host, else empty."""
    return safe_redirect_url(request, (request.GET if query is None else query).get("next") or "")


def safe_redirect_url(request: HttpRequest, url: str) -> str:
    """Return the URL if it is an absolute path on this host, else empty."""
    allowed = url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())
    return url if allowed and url.startswith("/") and len(url) <= _MAX_URL_LENGTH else ""


def get_referring_page(request: HttpRequest) -> str:
    """Return the path of the page that the Referer header names if it is on this host, else `/`."""
    try:
        parts = urlsplit(request.headers.get("Referer", ""))
    except ValueError:  # Browsers do not send invalid URLs.
        return "/"
    page = parts._replace(scheme="", netloc="").geturl()
    same_host = parts.netloc == request.get_host() and url_has_allowed_host_and_scheme(page, set())
    return page if same_host and page.startswith("/") else "/"


def plain_text_response(text: str, status: int = 200) -> HttpResponse:
    """Return a plain-text response for programs. It is never cached, and a browser runs nothing in it."""
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
    }
    return HttpResponse(text + "\n", content_type="text/plain; charset=utf-8", status=status, headers=headers)
