"""Times in a session of the admin: sign-in, last request and last reauthentication.

All are in seconds since 1970:

`staff_since`   sign-in with both steps
`staff_seen`    last request, to the minute
`staff_proved`  last time that both password and code were typed
"""

from http import HTTPMethod
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from portal.brands.access import Person
from portal.web.http import get_referring_page, safe_redirect_url

IDLE, LONGEST, FRESH = 15 * 60, 8 * 3600, 5 * 60  # Seconds.
SINCE, SEEN, PROVED = "staff_since", "staff_seen", "staff_proved"
START = "/admin/"
WITHOUT_SIGN_IN = ("/admin/login/", "/admin/logout/")


def begin(session: Any) -> None:
    """Record that both steps of the sign-in were just completed."""
    session.update(dict.fromkeys((SINCE, SEEN, PROVED), now()))


def prove(session: Any) -> None:
    """Record that the user has just reauthenticated."""
    session[PROVED] = now()


def proved_recently(session: Any) -> bool:
    """Return True if that was within the last five minutes, and not in the future (another clock)."""
    return bool(abs(now() - session.get(PROVED, 0)) <= FRESH)


def is_verified(user: Person) -> bool:
    """Return True if this session was opened with the user's current authenticator app."""
    check = getattr(user, "is_verified", None)
    return bool(check and check())


def page_inside(request: HttpRequest, url: str) -> str:
    """Return the URL if it is a page of this host's admin, else the admin's index."""
    path = url.partition("?")[0]
    inside = path.startswith(START) and not path.startswith(WITHOUT_SIGN_IN) and ".." not in path
    return (safe_redirect_url(request, url) if inside else "") or START


def page_before(request: HttpRequest) -> str:
    """Return the URL to return to after this request: the page itself or, for a POST, the form's page."""
    if request.method in (HTTPMethod.GET, HTTPMethod.HEAD):
        return page_inside(request, request.get_full_path())
    return page_inside(request, get_referring_page(request))


def now() -> float:
    """Return the time in seconds since 1970."""
    return timezone.now().timestamp()
