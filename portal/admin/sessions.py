"""How long somebody stays signed in to the admin, and how fresh the proof is of who they are.

A session of the admin holds, in seconds since 1970:

`staff_since`   when they signed in with both steps
`staff_seen`    when they last asked for anything, to the minute
`staff_proved`  when they last typed both password and code
"""

from http import HTTPMethod
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest
from django.utils import timezone

from portal.brands.access import Person
from portal.web.http import safe_redirect_url

IDLE, LONGEST, FRESH = 15 * 60, 8 * 3600, 5 * 60  # Seconds.
SINCE, SEEN, PROVED = "staff_since", "staff_seen", "staff_proved"
START = "/admin/"
WITHOUT_SIGN_IN = ("/admin/login/", "/admin/logout/")


def begin(session: Any) -> None:
    """Note that both steps were taken just now."""
    session.update(dict.fromkeys((SINCE, SEEN, PROVED), now()))


def prove(session: Any) -> None:
    """Note that the signed-in person has proved who they are once more."""
    session[PROVED] = now()


def proved_recently(session: Any) -> bool:
    """Whether that was within the last five minutes. By a clock far ahead it was not."""
    return bool(abs(now() - session.get(PROVED, 0)) <= FRESH)


def is_verified(user: Person) -> bool:
    """Whether this request's session was opened with the person's own authenticator app, the one of today."""
    check = getattr(user, "is_verified", None)
    return bool(check and check())


def page_inside(request: HttpRequest, wanted: str) -> str:
    """The address, where it is a page of this host's admin; else the admin's first page."""
    path = wanted.partition("?")[0]
    inside = path.startswith(START) and not path.startswith(WITHOUT_SIGN_IN) and ".." not in path
    return (safe_redirect_url(request, wanted) if inside else "") or START


def page_before(request: HttpRequest) -> str:
    """Where to go on after this request: the page itself; for a form that was sent, the page with it."""
    if request.method in (HTTPMethod.GET, HTTPMethod.HEAD):
        return page_inside(request, request.get_full_path())
    try:
        parts = urlsplit(request.headers.get("Referer", ""))
    except ValueError:  # A browser sends no such address.
        return START
    same = parts.netloc == request.get_host()
    return page_inside(request, parts._replace(scheme="", netloc="").geturl() if same else "")


def now() -> float:
    """Seconds since 1970."""
    return timezone.now().timestamp()
