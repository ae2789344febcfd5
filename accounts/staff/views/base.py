"""Helpers that the views of the admin's sign-in share."""

from collections.abc import Callable
from functools import wraps
from http import HTTPMethod, HTTPStatus
from typing import Any, cast

from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django_otp import login as otp_login

from accounts.models import TotpDevice, User
from accounts.staff import totp, two_step
from accounts.views.device_cookie import get_device, rate_limit_key
from portal.admin import sessions
from portal.admin.site import site
from portal.resilience import rate_limits
from portal.security.crypto import SecretUnreadable

View = Callable[..., HttpResponse]


def render_staff_page(
    request: HttpRequest, name: str, title: str, context: dict[str, Any], status: int = HTTPStatus.OK
) -> TemplateResponse:
    """Render a template of admin/staff/ in the admin's layout."""
    values = {**site.each_context(request), "title": title, "subtitle": None} | context
    return TemplateResponse(request, f"admin/staff/{name}.html", values, status=status)


def rate_limited(view: View) -> View:
    """Limit the forms sent to a view, by `rate_limit_key`. The view itself may raise Limited too."""

    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            if request.method == HTTPMethod.POST:
                rate_limits.consume(
                    action="admin_sign_in",
                    network=rate_limit_key(request, get_device(request, _claimed_email(request))),
                )
            return view(request, *args, **kwargs)
        except rate_limits.Limited as error:
            return _render_limited(request, error)

    return wrapper


def _claimed_email(request: HttpRequest) -> str:
    """Return the typed address, else that of the signed-in user or of the first step."""
    user = request.user if isinstance(request.user, User) else get_pending_user(request)
    return request.POST.get("username", "").strip() or (user.email if user else "")


def get_pending_user(request: HttpRequest) -> User | None:
    """Return the user who has typed the password in this session, but no code yet."""
    return two_step.load_pending_login(request.session.get("staff_step", {}))


def _render_limited(request: HttpRequest, error: rate_limits.Limited) -> HttpResponse:
    """Return 429 with the time to wait; 503 if attempts cannot be counted."""
    context: dict[str, Any] = {"minutes": -(-error.retry_after // 60), "back": request.get_full_path()}
    if isinstance(error, rate_limits.LimitUnavailable):
        name, title, status = (
            "limits_unavailable",
            _("Sign-in is closed for a moment"),
            HTTPStatus.SERVICE_UNAVAILABLE,
        )
    else:
        name, title, status = "too_many_attempts", _("Too many tries"), HTTPStatus.TOO_MANY_REQUESTS
    response = render_staff_page(request, name, title, context, status)
    response["Retry-After"] = str(error.retry_after)
    return response


def get_client_network(request: HttpRequest) -> str:
    """Return the client network, by which limits count."""
    return request.client_network  # type: ignore[attr-defined, no-any-return]


def get_requested_url(request: HttpRequest) -> str:
    """Return the URL of `next` if it is in this admin, else the admin's index."""
    return sessions.page_inside(request, request.POST.get("next") or request.GET.get("next", ""))


def get_signed_in_staff(request: HttpRequest) -> User:
    """Return the signed-in user."""
    return cast(User, request.user)


def begin_session(request: HttpRequest, user: User, device: TotpDevice) -> None:
    """Sign in after both steps, in an empty session with a new key."""
    request.session.flush()
    login(request, user)
    otp_login(request, device)
    sessions.begin(request.session)
    request.session.set_expiry(sessions.LONGEST)
    User.objects.filter(pk=user.pk).update(language=get_language() or "")
    totp.record_event(user=user, kind="signed_in", by=user)


def code_error_message(error: Exception) -> str:
    """Return the message for a refused code: the reason, and what to do."""
    if isinstance(error, SecretUnreadable):
        return _(
            "We can't check your authenticator app right now, because the installation lacks the key that"
            " protects it. Use a recovery code, or tell the person who runs the installation to check "
            "ENCRYPTION_KEY."
        )
    if isinstance(error, totp.RecoveryCodeWrong):
        return _("That recovery code isn't right, or you've already used it. Each works once.")
    if isinstance(error, totp.CodeUsed):
        text = ngettext(
            "You've already used this code. Wait %(count)d second for a new one.",
            "You've already used this code. Wait %(count)d seconds for a new one.",
            error.seconds,
        )
        return text % {"count": error.seconds}
    return _(
        "That code isn't right. Enter the one your app shows now. If it doesn't work either, check that "
        "your phone's clock is right."
    )
