"""How long somebody stays signed in to the admin, and how fresh the proof is of who they are.

The session of whoever works in the admin holds, in seconds since 1970:

`staff_since`   when they signed in with both steps
`staff_seen`    when they last asked for anything, to the minute
`staff_proved`  when they last typed both password and code
"""

from collections.abc import Callable
from http import HTTPMethod
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils import timezone

from portal.brands.access import Person, works_here
from portal.web.http import page_here

IDLE, LONGEST, FRESH = 15 * 60, 8 * 3600, 5 * 60  # Seconds.
SINCE, SEEN, PROVED = "staff_since", "staff_seen", "staff_proved"
_NOTED_EACH = 60  # Seconds between two notes of when somebody was last seen: no write for each request.
_START = "/admin/"
_WITHOUT_SIGN_IN = ("/admin/login/", "/admin/logout/")


def begin(session: Any) -> None:
    """Note that both steps were taken just now."""
    now = _now()
    session.update({SINCE: now, SEEN: now, PROVED: now})


def prove(session: Any) -> None:
    """Note that whoever is signed in has proved once more who they are."""
    session[PROVED] = _now()


def proved_recently(session: Any) -> bool:
    """Whether that was within the last five minutes. By a clock far ahead it was not."""
    return bool(abs(_now() - session.get(PROVED, 0)) <= FRESH)


def is_verified(user: Person) -> bool:
    """Whether this request's session was opened with the person's own authenticator app, the one of today."""
    check = getattr(user, "is_verified", None)
    return bool(check and check())


def page_inside(request: HttpRequest, wanted: str) -> str:
    """The address, where it is a page of this host's admin; else the admin's first page."""
    path = wanted.partition("?")[0]
    inside = path.startswith(_START) and not path.startswith(_WITHOUT_SIGN_IN) and ".." not in path
    return (page_here(request, wanted) if inside else "") or _START


def page_before(request: HttpRequest) -> str:
    """Where to go on after this request: the page itself; for a form that was sent, the page with it."""
    if request.method in (HTTPMethod.GET, HTTPMethod.HEAD):
        return page_inside(request, request.get_full_path())
    try:
        parts = urlsplit(request.headers.get("Referer", ""))
    except ValueError:  # A browser sends no such address.
        return _START
    same = parts.netloc == request.get_host()
    return page_inside(request, parts._replace(scheme="", netloc="").geturl() if same else "")


def staff_session(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """End a session of the admin that was idle for 15 minutes, is 8 hours old, or has lost its ground.

    The last is so for whoever works here no more, and where the authenticator app is not the one of the
    sign-in. They are led to the sign-in page, which says why and brings them back.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.brand is None and request.user.is_authenticated:  # type: ignore[attr-defined]
            if why := _over(request):
                logout(request)
                if not request.path.startswith(_WITHOUT_SIGN_IN) and request.path.startswith(_START):
                    return _to_sign_in(request, why)
            elif _now() - request.session[SEEN] >= _NOTED_EACH:
                request.session[SEEN] = _now()
        return get_response(request)

    return middleware


def _over(request: HttpRequest) -> str:
    """Why this session is over, in a word of the sign-in page's address; empty while it is good."""
    session, now = request.session, _now()
    if not works_here(request.user) or not is_verified(request.user):
        return "changed"
    if now - session.get(SINCE, 0) > LONGEST:
        return "long"
    return "idle" if now - session.get(SEEN, 0) > IDLE else ""


def _to_sign_in(request: HttpRequest, why: str) -> HttpResponse:
    sent = "" if request.method in (HTTPMethod.GET, HTTPMethod.HEAD) else "-sent"
    query = QueryDict(mutable=True)
    query.update({"next": page_before(request), "why": f"{why}{sent}"})
    # This host's table of addresses is in force only once a view is looked for.
    login = reverse("admin:login", urlconf=settings.ADMIN_URLCONF)
    return HttpResponseRedirect(f"{login}?{query.urlencode(safe='/')}")


def _now() -> float:
    return timezone.now().timestamp()
