"""Find the brand of a request by its host, and choose the language of the page."""

import functools
import logging

from django.conf import settings
from django.db import Error
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers

from portal.brands.lookup import get_brand_for_host
from portal.core.hosts import normal_host
from portal.i18n import language
from portal.middleware import Next
from portal.models import Brand
from portal.web import error_views, request_id

logger = logging.getLogger(__name__)


def brand(get_response: Next) -> Next:
    """Set `request.brand` by hostname (None on the admin's hosts) and activate its time zone.

    Also activate the language: the visitor's preference, else the brand's language. Redirect to https if a
    trusted proxy says that the visitor came by http. Answer 400 on an unknown host.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        request.preview = None  # type: ignore[attr-defined]  # See portal.preview.rendering.
        host = normal_host(request.META.get("HTTP_HOST", ""))
        try:
            brand = get_brand_for_host(host) if host and host not in settings.ADMIN_HOSTS else None
        except Error:
            logger.exception("brand not looked up")
            page = functools.partial(error_views.unavailable, view_started=False)
            response = _in_language(None, request, page)
        else:
            response = _on_host(host, brand, request, get_response)
        patch_vary_headers(response, ["Host"])
        return response

    return middleware


def _on_host(host: str, brand: Brand | None, request: HttpRequest, get_response: Next) -> HttpResponse:
    if (brand or host in settings.ADMIN_HOSTS) and _came_by_http(request):
        return HttpResponsePermanentRedirect(f"https://{host}{request.get_full_path()}")
    if brand:
        return _in_brand(brand, request, get_response)
    if host in settings.ADMIN_HOSTS:
        return _in_admin(request, get_response)
    return _unknown_host()


def _unknown_host() -> HttpResponse:
    page = render_to_string("unknown_host.html", {"reference": request_id.current.get()})
    return HttpResponse(page, status=400, headers={"Cache-Control": "no-store"})


def _came_by_http(request: HttpRequest) -> bool:
    forwarded = request.META.get("HTTP_X_FORWARDED_PROTO", "").strip().lower()
    return bool(settings.SECURE and settings.TRUSTED_PROXIES and forwarded == "http")


def _in_brand(brand: Brand, request: HttpRequest, get_response: Next) -> HttpResponse:
    request.brand = brand  # type: ignore[attr-defined]
    with timezone.override(brand.zone):
        return _in_language(brand, request, get_response)


def _in_admin(request: HttpRequest, get_response: Next) -> HttpResponse:
    request.brand = None  # type: ignore[attr-defined]
    request.urlconf = settings.ADMIN_URLCONF
    return _in_language(None, request, get_response)


def _in_language(brand: Brand | None, request: HttpRequest, get_response: Next) -> HttpResponse:
    chosen = language.get_request_language(request, brand)
    with translation.override(chosen):
        response = get_response(request)
        response = response.render() if hasattr(response, "render") else response
    language.declare(response, chosen)
    return response
