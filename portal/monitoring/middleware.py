"""Log and measure each request, and serve /metrics for Prometheus."""

import logging
import time
from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare

from portal.monitoring import metrics
from portal.monitoring.logging import route_of
from portal.web.http import plain_text_response

logger = logging.getLogger(__name__)

Next = Callable[[HttpRequest], HttpResponse]
_METHODS = {"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"}


def requests(get_response: Next) -> Next:
    """Count, time and log each request by its route, never by its path, which may contain a secret."""

    def middleware(request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = get_response(request)
        _record(request, response.status_code, time.perf_counter() - started)
        return response

    return middleware


def _record(request: HttpRequest, status: int, seconds: float) -> None:
    route = route_of(request)
    method = request.method if request.method in _METHODS else "other"
    metrics.REQUESTS.labels(route, method, f"{status // 100}xx").inc()
    metrics.SECONDS.labels(route).observe(seconds)
    brand = getattr(request, "brand", None)
    fields = {"route": route, "method": method, "status": status, "milliseconds": round(seconds * 1000)}
    logger.info("request", extra={"brand": brand.slug, **fields} if brand else fields)


def metrics_page(get_response: Next) -> Next:
    """Answer /metrics on any host to requests with METRICS_TOKEN. Without that setting there is no page."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path_info == "/metrics" and settings.METRICS_TOKEN:
            return _metrics(request.headers.get("Authorization", ""))
        return get_response(request)

    return middleware


def _metrics(authorization: str) -> HttpResponse:
    if not constant_time_compare(authorization, f"Bearer {settings.METRICS_TOKEN}"):
        response = plain_text_response("METRICS_TOKEN is wanted.", HTTPStatus.UNAUTHORIZED)
        response["WWW-Authenticate"] = 'Bearer realm="metrics"'
        return response
    response = plain_text_response(metrics.text())
    response["Content-Type"] = "text/plain; version=0.0.4; charset=utf-8"
    return response
