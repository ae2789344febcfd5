"""End sessions of the admin that are idle, too old or no longer valid."""

from http import HTTPMethod

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse

from portal.admin.sessions import (
    IDLE,
    LONGEST,
    SEEN,
    SINCE,
    START,
    WITHOUT_SIGN_IN,
    is_verified,
    now,
    page_before,
)
from portal.brands.access import is_active_staff
from portal.middleware import Next

_SEEN_INTERVAL = 60  # Seconds between two updates of the time of the last request: not a write per request.


def staff_session(get_response: Next) -> Next:
    """End a session of the admin that was idle for 15 minutes, is 8 hours old or is no longer valid.

    It is invalid if the user is no longer active staff, or if the authenticator app is not the one used to
    sign in. The user is redirected to the sign-in page, which says why and leads back to the page.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.brand is None and request.user.is_authenticated:  # type: ignore[attr-defined]
            if reason := _end_reason(request):
                logout(request)
                if not request.path.startswith(WITHOUT_SIGN_IN) and request.path.startswith(START):
                    return _to_sign_in(request, reason)
            elif now() - request.session[SEEN] >= _SEEN_INTERVAL:
                request.session[SEEN] = now()
        return get_response(request)

    return middleware


def _end_reason(request: HttpRequest) -> str:
    """Return why the session must end, as in the query string of the sign-in page; empty if it is valid."""
    session, current = request.session, now()
    if not is_active_staff(request.user) or not is_verified(request.user):
        return "changed"
    if current - session.get(SINCE, 0) > LONGEST:
        return "long"
    return "idle" if current - session.get(SEEN, 0) > IDLE else ""


def _to_sign_in(request: HttpRequest, reason: str) -> HttpResponse:
    sent = "" if request.method in (HTTPMethod.GET, HTTPMethod.HEAD) else "-sent"
    query = QueryDict(mutable=True)
    query.update({"next": page_before(request), "why": f"{reason}{sent}"})
    # Middleware runs before the admin's URLconf is activated.
    login = reverse("admin:login", urlconf=settings.ADMIN_URLCONF)
    return HttpResponseRedirect(f"{login}?{query.urlencode(safe='/')}")
