"""Bind each session to one brand or to the admin."""

import contextlib

from django.db import Error
from django.http import HttpRequest, HttpResponse

from portal.middleware import Next


def bind_session_to_brand(get_response: Next) -> Next:
    """Bind each session to one brand or to the admin, and flush a session of another realm.

    Also forbid caching of private pages: `no-store` for signed-in users, no shared caches for all others.
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
            response["Cache-Control"] = "no-store" if _signed_in(request) else "private, no-cache"
        return response

    return middleware


def _signed_in(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)
    with contextlib.suppress(Error):
        return bool(user and user.is_authenticated)
    return True
