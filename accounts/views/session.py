"""Session of a visitor or customer. Its keys before the sign-in:

`browser`     secret that binds codes to this browser
`sign_in`     the requested code
`next`        URL to redirect to after the sign-in
`sign_up`     typed values of the sign-up form
`registered`  email address that this browser signed up
`stranger`    email address that this browser confirmed and did not sign up
`confirm`     initial values of the confirmation form

After the sign-in:

`signed_in_at`  time, in seconds since 1970
`sign_in_row`   primary key of its `SignIn`
`sign_in_again` primary key of the code that shall renew `signed_in_at`
`new_email`     new email address that waits for its code
`ends_with_browser`  see `portal.middleware.sessions`
"""

import secrets

from django.conf import settings
from django.contrib.auth import login, logout, update_session_auth_hash
from django.utils import timezone
from django.utils.translation import get_language

from accounts.models import SignIn, User
from accounts.sign_in import history as sign_in_history
from portal.core.email_addresses import email_key
from portal.security.crypto import keyed_hash
from portal.web.http import BrandRequest, get_next_url

_VISITOR_SECONDS = 24 * 3600  # A visitor's session lasts this long; signing in starts another.
_RECENT_SECONDS = 5 * 60  # After a sign-in, the email address may be changed for this long.


def begin_session(request: BrandRequest, user: User, *, keep: bool, device_id: str) -> SignIn:
    """Sign in, in an empty session with a new key.

    It ends after 30 days if the customer wants to `keep` it, else with the browser, and after 12 hours at
    most. Its use changes nothing.
    """
    request.session.flush()
    login(request, user)
    row = sign_in_history.record_sign_in(
        user=user,
        user_agent=request.headers.get("User-Agent", ""),
        language=get_language() or "",
        lasts=SignIn.LONG if keep else SignIn.SHORT,
        session_key=request.session.session_key or "",
        device_id=device_id,
    )
    request.session.update(
        {
            "sign_in_row": row.pk,
            "signed_in_at": row.at.timestamp(),
            "ends_with_browser": row.ends_with_browser,
        }
    )
    request.session.set_expiry(row.ends_at)
    return row


def renew_session(request: BrandRequest, user: User) -> None:
    """Give the session a new key, and bind it to the user's `password`. Its end stays.

    If the customer has just ended it from another device, it stays ended.
    """
    update_session_auth_hash(request, user)
    key = request.session.session_key or ""
    if not sign_in_history.move_sign_in(user=user, sign_in=current_sign_in_id(request), session_key=key):
        _log_out(request)


def end_session(request: BrandRequest) -> None:
    """Sign out, and record the end of the sign-in."""
    if request.user.is_authenticated:
        sign_in_history.end_sign_in(user=request.user, sign_in=current_sign_in_id(request))
    _log_out(request)


def _log_out(request: BrandRequest) -> None:
    """End the session. A message that follows begins a visitor's."""
    logout(request)
    request.session.set_expiry(_VISITOR_SECONDS)


def current_sign_in_id(request: BrandRequest) -> int:
    """Return the primary key of this session's `SignIn`; 0 for a session from before that model."""
    return int(request.session.get("sign_in_row", 0))


def signed_in_recently(request: BrandRequest) -> bool:
    """Return True if the customer signed in within the last five minutes."""
    return bool(abs(timezone.now().timestamp() - request.session.get("signed_in_at", 0)) <= _RECENT_SECONDS)


def update_session(request: BrandRequest, **values: object) -> None:
    """Store values in the session. This may create a session row, so check a rate limit first.

    A visitor's session lasts a day from then on; the session of a sign-in has its own end.
    """
    if not request.user.is_authenticated:
        request.session.set_expiry(_VISITOR_SECONDS)
    request.session.update(values)


def browser_secret(request: BrandRequest) -> str:
    """Return the browser's secret from its session, else a new one, which the caller must store there.

    A new one is derived from the form's CSRF cookie if there is one: if a form is sent twice, the second may
    arrive before the first response has set a session, and both must count as the same browser.
    """
    if stored := request.session.get("browser"):
        return str(stored)
    cookie = request.COOKIES.get(settings.CSRF_COOKIE_NAME) or secrets.token_urlsafe(32)
    return keyed_hash("browser-of-form", request.brand.pk, cookie)


def remember_requested_code(
    request: BrandRequest, browser: str, email: str, code: int | None, **more: object
) -> None:
    """Store which code the next page asks for, and the secret of the browser that it was created for.

    With `advise_reset` also store, until the sign-in, that somebody else may have signed up the address.
    """
    update_session(request, browser=browser, sign_in={"code": code, "email": email, **more})
    if more.get("advise_reset"):
        update_session(request, stranger=email_key(email))


def get_requested_url(request: BrandRequest) -> str:
    """Return the URL of `next` in the form or in its URL; else empty."""
    return get_next_url(request, request.POST) or get_next_url(request)


def remember_next_url(request: BrandRequest) -> None:
    """Store that URL for after the sign-in. Only for accepted forms: viewing a page creates no session."""
    if next_url := get_requested_url(request):
        update_session(request, next=next_url)


def known_email(request: BrandRequest) -> dict[str, str]:
    """Return the email address this visitor last gave, as initial data; none with the query ?other."""
    if "other" in request.GET:
        return {}
    for key in ("sign_in", "confirm", "sign_up"):
        if email := request.session.get(key, {}).get("email"):
            return {"email": email}
    return {}
