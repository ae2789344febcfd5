"""Set the scheme of a request and the visitor's address."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from portal.middleware import Next
from portal.web.client_ip import client_address, network


def scheme(get_response: Next) -> Next:
    """Set the scheme to SCHEME, whatever proxies say.

    Also set `request.client_address`, found with TRUSTED_PROXIES, and `request.client_network`.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        meta = request.META
        request.environ["wsgi.url_scheme"] = meta["wsgi.url_scheme"] = settings.SCHEME  # type: ignore[attr-defined]
        request.client_address = client_address(  # type: ignore[attr-defined]
            meta.get("REMOTE_ADDR", ""), meta.get("HTTP_X_FORWARDED_FOR", ""), settings.TRUSTED_PROXIES
        )
        request.client_network = network(request.client_address)  # type: ignore[attr-defined]
        return get_response(request)

    return middleware
