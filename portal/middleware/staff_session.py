"""End a session of the admin that is idle, old, or has lost its ground."""

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

_NOTED_EACH = 60  # Seconds between two notes of when somebody was last seen: no write for each request.


def staff_session(get_response: Next) -> Next:
    """End a session of the admin that was idle for 15 minutes, is 8 hours old, or has lost its ground.

    The last is so for whoever works here no more, and where the authenticator app is not the one of the
    sign-in. They are led to the sign-in page, which says why and brings them back.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.brand is None and request.user.is_authenticated:  # type: ignore[attr-defined]
            if why := _over(request):
                logout(request)
                if not request.path.startswith(WITHOUT_SIGN_IN) and request.path.startswith(START):
                    return _to_sign_in(request, why)
            elif now() - request.session[SEEN] >= _NOTED_EACH:
                request.session[SEEN] = now()
        return get_response(request)

    return middleware


def _over(request: HttpRequest) -> str:
    """Why this session is over, in a word of the sign-in page's address; empty while it is good."""
    session, moment = request.session, now()
    if not is_active_staff(request.user) or not is_verified(request.user):
        return "changed"
    if moment - session.get(SINCE, 0) > LONGEST:
        return "long"
    return "idle" if moment - session.get(SEEN, 0) > IDLE else ""


def _to_sign_in(request: HttpRequest, why: str) -> HttpResponse:
    sent = "" if request.method in (HTTPMethod.GET, HTTPMethod.HEAD) else "-sent"
    query = QueryDict(mutable=True)
    query.update({"next": page_before(request), "why": f"{why}{sent}"})
    # This host's table of addresses is in force only once a view is looked for.
    login = reverse("admin:login", urlconf=settings.ADMIN_URLCONF)
    return HttpResponseRedirect(f"{login}?{query.urlencode(safe='/')}")
