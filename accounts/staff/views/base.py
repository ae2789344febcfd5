"""What the pages of the admin's sign-in have in common."""

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
    """A page of ours in the admin's look."""
    values = {**site.each_context(request), "title": title, "subtitle": None} | context
    return TemplateResponse(request, f"admin/staff/{name}.html", values, status=status)


def rate_limited(view: View) -> View:
    """So many forms, whatever is typed into them, as `counted` says; a view may raise Limited too."""

    @wraps(view)
    def gate(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            if request.method == HTTPMethod.POST:
                rate_limits.consume(
                    action="admin_sign_in",
                    network=rate_limit_key(request, get_device(request, _claimed(request))),
                )
            return view(request, *args, **kwargs)
        except rate_limits.Limited as error:
            return _too_many(request, error)

    return gate


def _claimed(request: HttpRequest) -> str:
    """The address of whoever sends a form: as typed, else of the first step or the sign-in."""
    person = request.user if isinstance(request.user, User) else pending_user(request)
    return request.POST.get("username", "").strip() or (person.email if person else "")


def pending_user(request: HttpRequest) -> User | None:
    """Who has typed the password in this session, and no code yet."""
    return two_step.load_pending_login(request.session.get("staff_step", {}))


def _too_many(request: HttpRequest, error: rate_limits.Limited) -> HttpResponse:
    """429: when to try again, and where. 503 where we cannot tell how many tries there were."""
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


def client_network_of(request: HttpRequest) -> str:
    """The client network, as limits count it."""
    return request.client_network  # type: ignore[attr-defined, no-any-return]


def requested_url(request: HttpRequest) -> str:
    """The page of `next`, if it is one of this admin; else the admin's first page."""
    return sessions.page_inside(request, request.POST.get("next") or request.GET.get("next", ""))


def signed_in_staff(request: HttpRequest) -> User:
    """Whoever is signed in."""
    return cast(User, request.user)


def begin_session(request: HttpRequest, user: User, device: TotpDevice) -> None:
    """Sign in, after both steps: a new session key, and nothing of the time before."""
    request.session.flush()
    login(request, user)
    otp_login(request, device)
    sessions.begin(request.session)
    request.session.set_expiry(sessions.LONGEST)
    User.objects.filter(pk=user.pk).update(language=get_language() or "")
    totp.record_event(user=user, kind="signed_in", by=user)


def code_error_message(error: Exception) -> str:
    """Why a code did not do, and what to do now."""
    if isinstance(error, SecretUnreadable):
        return _(
            "Your authenticator app cannot be checked at the moment: the installation lacks the key that "
            "protects it. Use a recovery code, or tell whoever runs the installation to look at "
            "ENCRYPTION_KEY."
        )
    if isinstance(error, totp.RecoveryCodeWrong):
        return _("This recovery code is not right, or it has served already. Each is good once.")
    if isinstance(error, totp.CodeUsed):
        text = ngettext(
            "This code has served already, and each is good once. Wait %(count)d second for the next one.",
            "This code has served already, and each is good once. Wait %(count)d seconds for the next one.",
            error.seconds,
        )
        return text % {"count": error.seconds}
    return _(
        "This code is not right. Type the one that your app shows now; if it is refused too, check that the "
        "clock of your phone is right."
    )
