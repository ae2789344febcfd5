"""What a visitor's session holds, before the sign-in and after it.

`browser`     a secret that binds codes to this browser
`sign_in`     the code that was asked for
`next`        the page that was wanted
`sign_up`     the form as it was typed
`registered`  the address that this browser signed up
`confirm`     what the confirmation form starts with

After it:

`signed_in_at`  when, in seconds since 1970
`sign_in_row`   the key of its `SignIn`
`new_email`     the new address that waits for its code
"""

import secrets

from django.conf import settings
from django.contrib.auth import login, logout
from django.utils import timezone
from django.utils.translation import get_language

from accounts.models import User
from accounts.sign_in import history as sign_in_history
from portal.security.crypto import keyed_hash
from portal.web.http import BrandRequest, get_next_url

_BEFORE_SIGN_IN = 24 * 3600  # Seconds that a visitor's session lasts; signing in begins another.
_RECENT = 5 * 60  # Seconds after a sign-in in which the e-mail address may be changed.


def begin_session(request: BrandRequest, user: User) -> None:
    """Sign in: a new session key, and nothing of the time before. It ends after SESSION_COOKIE_AGE."""
    request.session.flush()
    login(request, user)
    row = sign_in_history.record_sign_in(
        user=user, user_agent=request.headers.get("User-Agent", ""), language=get_language() or ""
    )
    request.session.update({"sign_in_row": row.pk, "signed_in_at": row.at.timestamp()})
    request.session.set_expiry(row.ends_at)


def end_session(request: BrandRequest) -> None:
    """Sign out, on the server too."""
    if request.user.is_authenticated:
        sign_in_history.end_sign_in(user=request.user, sign_in=current_sign_in_id(request))
    logout(request)


def current_sign_in_id(request: BrandRequest) -> int:
    """The key of this session's `SignIn`; 0 where the session is older than those."""
    return int(request.session.get("sign_in_row", 0))


def signed_in_recently(request: BrandRequest) -> bool:
    """Whether the customer has proved within the last five minutes who they are."""
    return bool(abs(timezone.now().timestamp() - request.session.get("signed_in_at", 0)) <= _RECENT)


def update_session(request: BrandRequest, **values: object) -> None:
    """Note something in the session. That may begin one, which is a row: let a limit refuse before.

    A visitor's session lasts a day from there; that of a sign-in has its own end.
    """
    if not request.user.is_authenticated:
        request.session.set_expiry(_BEFORE_SIGN_IN)
    request.session.update(values)


def browser_secret(request: BrandRequest) -> str:
    """The secret of this browser: the one that its session holds, else a new one, which is to be noted there.

    Made of the cookie that came with the form, where one did: of a form that is sent twice, the second may
    come before the first one's answer has brought a session, and both must be of one browser.
    """
    if known := request.session.get("browser"):
        return str(known)
    cookie = request.COOKIES.get(settings.CSRF_COOKIE_NAME) or secrets.token_urlsafe(32)
    return keyed_hash("browser-of-form", request.brand.pk, cookie)


def remember_requested_code(
    request: BrandRequest, browser: str, email: str, code: int | None, **more: object
) -> None:
    """Note which code the next page is to ask for, and the secret of the browser that it was made for."""
    update_session(request, browser=browser, sign_in={"code": code, "email": email, **more})


def requested_url(request: BrandRequest) -> str:
    """The page that `next` in the form or in its address names; else empty."""
    return get_next_url(request, request.POST) or get_next_url(request)


def remember_next_url(request: BrandRequest) -> None:
    """Note that page for after the sign-in. For a form that was taken: who only looks gets no session."""
    if wanted := requested_url(request):
        update_session(request, next=wanted)


def known_email(request: BrandRequest) -> dict[str, str]:
    """The address this visitor last gave us, to begin a form with."""
    for key in ("sign_in", "confirm", "sign_up"):
        if email := request.session.get(key, {}).get("email"):
            return {"email": email}
    return {}
