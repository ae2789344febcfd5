"""What happens to a request before a view sees it, in the order in which settings.MIDDLEWARE names it."""

import contextlib
import functools
import logging
import time
from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers

from portal import language, store, views
from portal import reference as references
from portal.brand_hosts import brand_of
from portal.http import plain
from portal.models import Brand
from portal.net import client_address, network, normal_host

logger = logging.getLogger(__name__)

Next = Callable[[HttpRequest], HttpResponse]


def reference(get_response: Next) -> Next:
    """Give each request a number of ours: `request.reference`, in each log line, in the answer's header.

    Never one that the visitor sent, so that nobody can make two requests look like one. An answer to HEAD
    loses its body here (RFC 9110, 9.3.2); gunicorn would leave it out too, but with a warning each time.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        request.reference = references.new()  # type: ignore[attr-defined]
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


def health(get_response: Next) -> Next:
    """Answer /healthz (the process lives) and /readyz (it can serve) on any host, before anything else.

    A node without the cache is ready, and says in its answer what does not work. All nodes share one Redis:
    were they not ready without it, a load balancer would have none left to send visitors to, although each of
    them still serves whatever is read. Without the database no node serves anything.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path_info == "/healthz":
            return plain("ok")
        if request.path_info == "/readyz":
            problem = _not_ready()
            return plain(problem, 503) if problem else plain(_ready())
        return get_response(request)

    return middleware


_MIGRATED_FOR = 60  # Seconds for which migrations that were complete are not looked for again.
_migrated_until = 0.0


def _not_ready() -> str:
    """What keeps it from serving, in a word; else empty. The carrier is not asked: it is not ours."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        if not _migrated():
            return "migrations are pending"
    except Error:
        return "database unreachable"
    return ""


def _ready() -> str:
    return "ready" if store.answers() else "ready, but the cache does not answer"


def _migrated() -> bool:
    """Whether the database has all that this version knows of; one that has more serves a newer one too."""
    global _migrated_until
    if time.monotonic() < _migrated_until:
        return True
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return False
    _migrated_until = time.monotonic() + _MIGRATED_FOR
    return True


def scheme(get_response: Next) -> Next:
    """Set the scheme to SCHEME, whatever stands between us and the visitor.

    Also notes the visitor's address as `request.client_address`, counted through TRUSTED_PROXIES.
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


def brand(get_response: Next) -> Next:
    """Find the brand by hostname: `request.brand` and its time zone; None on the admin's hosts.

    Here the language of the page is chosen too, by what the visitor wants and the brand speaks.

    A visitor of one of these hosts who came by http, as a trusted proxy says, is sent to https.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        request.preview = None  # type: ignore[attr-defined]  # See portal.preview_pages.
        host = normal_host(request.META.get("HTTP_HOST", ""))
        try:
            found = brand_of(host) if host and host not in settings.ADMIN_HOSTS else None
        except Error:
            logger.exception("brand not looked up")
            page = functools.partial(views.unavailable, begun=False)
            response = _in_language(settings.LANGUAGE_CODE, request, page)
        else:
            response = _on_host(host, found, request, get_response)
        patch_vary_headers(response, ["Host"])
        return response

    return middleware


def _on_host(host: str, found: Brand | None, request: HttpRequest, get_response: Next) -> HttpResponse:
    if (found or host in settings.ADMIN_HOSTS) and _came_by_http(request):
        return HttpResponsePermanentRedirect(f"https://{host}{request.get_full_path()}")
    if found:
        return _in_brand(found, request, get_response)
    if host in settings.ADMIN_HOSTS:
        return _in_admin(request, get_response)
    return _unknown_host()


def _unknown_host() -> HttpResponse:
    page = render_to_string("unknown_host.html", {"reference": references.current.get()})
    return HttpResponse(page, status=400, headers={"Cache-Control": "no-store"})


def _came_by_http(request: HttpRequest) -> bool:
    forwarded = request.META.get("HTTP_X_FORWARDED_PROTO", "").strip().lower()
    return bool(settings.SECURE and settings.TRUSTED_PROXIES and forwarded == "http")


def _in_brand(found: Brand, request: HttpRequest, get_response: Next) -> HttpResponse:
    request.brand = found  # type: ignore[attr-defined]
    with timezone.override(found.zone):
        return _in_language(found.language, request, get_response)


def _in_admin(request: HttpRequest, get_response: Next) -> HttpResponse:
    request.brand = None  # type: ignore[attr-defined]
    request.urlconf = settings.ADMIN_URLCONF
    return _in_language(settings.LANGUAGE_CODE, request, get_response)


def _in_language(default: str, request: HttpRequest, get_response: Next) -> HttpResponse:
    chosen = language.of_request(request, default)
    with translation.override(chosen):
        response = get_response(request)
        response = response.render() if hasattr(response, "render") else response
    language.declare(response, chosen)
    return response


def method_page(get_response: Next) -> Next:
    """Make a page of Django's blank answer to a method that an address does not take.

    The innermost, so that each of the others does to this page what it does to any.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        refused = response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
        return views.not_allowed(request, response) if refused else response

    return middleware


def realm(get_response: Next) -> Next:
    """Bind each session to one brand, or to the admin: a session of another realm is emptied.

    Also forbids keeping private pages: no-store for whoever is signed in, no shared copies for all others.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        brand = request.brand  # type: ignore[attr-defined]
        current = f"brand-{brand.pk}" if brand else "admin"
        session = request.session
        if session.session_key and session.get("realm") != current:
            session.flush()
        response = get_response(request)
        if session.modified and not session.is_empty():
            session["realm"] = current
        if "Cache-Control" not in response:
            private = "no-store" if _signed_in(request) else "private, no-cache"
            response["Cache-Control"] = private
        return response

    return middleware


def _signed_in(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)
    with contextlib.suppress(Error):
        return bool(user and user.is_authenticated)
    return True
