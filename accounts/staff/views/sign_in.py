"""Two-step sign-in to the admin, set-up of the authenticator app, and reauthentication.

The password alone is no sign-in. Between password and code a session has, for ten minutes:

`staff_step`   user and time of the first step; see `accounts.staff.two_step.build_pending_login`
`staff_next`   URL to redirect to after the sign-in
`staff_key`    encrypted key of the app that is being set up
"""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts.models import User
from accounts.staff import totp, two_step
from accounts.staff.forms import CodeForm, EnrolForm, PasswordForm, ReauthenticationForm
from accounts.staff.totp import AlreadySetUp, CodeWrong
from accounts.staff.views.base import (
    begin_session,
    code_error_message,
    get_client_network,
    get_pending_user,
    get_requested_url,
    get_signed_in_staff,
    rate_limited,
    render_staff_page,
)
from accounts.staff.views.enrolment import get_pending_key, render_setup_page
from accounts.views.device_cookie import get_device, set_device_cookie
from accounts.views.forms import form_view
from portal.admin import sessions
from portal.security.crypto import RedactedTuple, SecretUnreadable

_REFUSED = gettext_lazy("You can't sign in to the admin with this email address and password.")
_FORM_NOT_SAVED = gettext_lazy(
    "The form you just sent came after that, so we didn't save it. Sign in and fill it in again."
)
SIGN_OUT_REASONS = {
    "idle": gettext_lazy("You were signed out because nothing had been done here for 15 minutes."),
    "long": gettext_lazy("You were signed out because a sign-in lasts 8 hours at most."),
    "changed": gettext_lazy("You were signed out because something about your sign-in was changed."),
    "again": gettext_lazy("Start again. You have to enter the code within 10 minutes after the password."),
}


@login_not_required
@never_cache
@form_view
@rate_limited
@sensitive_post_parameters()
def sign_in(request: HttpRequest) -> HttpResponse:
    """/admin/login/, first step: the password. `?next=`: the next URL, `?why=`: one of SIGN_OUT_REASONS."""
    next_url = get_requested_url(request)
    if request.user.is_authenticated:
        return HttpResponseRedirect(next_url)
    form = PasswordForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        user = two_step.check_password_step(
            email=form.cleaned_data["username"],
            password=form.cleaned_data["password"],
            network=get_client_network(request),
            device=get_device(request, form.cleaned_data["username"]),
        )
        if user:
            return _start_second_factor(request, user, next_url)
        form.add_error(None, str(_REFUSED))
    context = {"form": form, "wanted": next_url, "why": _sign_out_reason(request)}
    return render_staff_page(request, "sign_in", _("Sign in"), context)


def _sign_out_reason(request: HttpRequest) -> tuple[object, ...]:
    """Return the sentences that explain why the user was signed out."""
    why, _dash, sent = request.GET.get("why", "").partition("-")
    if why not in SIGN_OUT_REASONS or request.method == "POST":
        return ()
    return (SIGN_OUT_REASONS[why], _FORM_NOT_SAVED) if sent else (SIGN_OUT_REASONS[why],)


def _start_second_factor(request: HttpRequest, user: User, next_url: str) -> HttpResponse:
    """Redirect to the second step, in an empty session with a new key."""
    request.session.flush()
    request.session.set_expiry(two_step.PENDING_SECONDS)
    request.session.update({"staff_step": two_step.build_pending_login(user), "staff_next": next_url})
    return redirect("staff_code" if totp.get_device(user=user) else "staff_enrol")


def _redirect_to_sign_in(request: HttpRequest) -> HttpResponse:
    query = {"next": sessions.page_inside(request, request.session.get("staff_next", ""))}
    if "staff_step" in request.session:
        query["why"] = "again"
    return HttpResponseRedirect(reverse("admin:login", query=query))


@login_not_required
@never_cache
@form_view
@rate_limited
@sensitive_post_parameters()
def sign_in_code(request: HttpRequest) -> HttpResponse:
    """/admin/login/code/, second step: the code. `?with=recovery` asks for a recovery code."""
    user = get_pending_user(request)
    if user is None:
        return _redirect_to_sign_in(request)
    if totp.get_device(user=user) is None:
        return redirect("staff_enrol")
    recovery = request.GET.get("with") == "recovery"
    form = CodeForm(request.POST if request.method == "POST" else None, recovery=recovery)
    if form.is_valid():
        try:
            return _finish_sign_in(request, user, form.cleaned_data["code"])
        except (CodeWrong, SecretUnreadable) as error:
            form.add_error("code", code_error_message(error))
    context = {"form": form, "recovery": recovery, "person": user}
    return render_staff_page(request, "code", _("Enter your code"), context)


def _finish_sign_in(request: HttpRequest, user: User, code: str) -> HttpResponse:
    device = two_step.check_code_step(
        user=user, code=code, network=get_client_network(request), device=get_device(request, user.email)
    )
    next_url = sessions.page_inside(request, request.session.get("staff_next", ""))
    begin_session(request, user, device)
    if len(code) == totp.RECOVERY_LETTERS:
        text = _(
            "You signed in with a recovery code, which no longer works. You have %(count)d left. If you "
            "lost your phone, set up another app now."
        )
        messages.warning(request, text % {"count": totp.count_recovery_codes(user=user)})
        next_url = reverse("staff_security")
    return set_device_cookie(request, HttpResponseRedirect(next_url), user)


@login_not_required
@never_cache
@form_view
@sensitive_post_parameters()
def enrol(request: HttpRequest) -> HttpResponse:
    """/admin/login/enrol/: set up a first app. Its first code signs the user in."""
    user = get_pending_user(request)
    if user is None:
        return _redirect_to_sign_in(request)
    if totp.get_device(user=user):
        return redirect("staff_code")
    form = EnrolForm(request.POST if request.method == "POST" else None)
    key = get_pending_key(request)
    if form.is_valid():
        next_url = sessions.page_inside(request, request.session.get("staff_next", ""))
        try:
            device, codes = totp.set_up_authenticator(user=user, key=key, code=form.cleaned_data["code"])
        except AlreadySetUp:
            return redirect("staff_code")
        except CodeWrong as error:
            form.add_error("code", code_error_message(error))
        else:
            begin_session(request, user, device)
            return set_device_cookie(request, _render_recovery_codes(request, codes, next_url), user)
    return render_setup_page(request, "enrol", user, key, form)


def _render_recovery_codes(request: HttpRequest, codes: list[str], next_url: str) -> HttpResponse:
    context = {"codes": RedactedTuple(codes), "wanted": next_url}
    return render_staff_page(request, "recovery_codes_first", _("Keep your recovery codes"), context)


@form_view
@rate_limited
@sensitive_post_parameters()
def reauthenticate(request: HttpRequest) -> HttpResponse:
    """/admin/reauthenticate/: password and code again, before a delicate step; then on to `?next=`."""
    next_url = get_requested_url(request)
    form = ReauthenticationForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            if _reauthenticated(request, form.cleaned_data):
                return HttpResponseRedirect(next_url)
            form.add_error("password", _("That isn't your password."))
        except (CodeWrong, SecretUnreadable) as error:
            form.add_error("code", code_error_message(error))
    context: dict[str, Any] = {"form": form, "wanted": next_url, "sent": request.GET.get("why") == "sent"}
    return render_staff_page(request, "reauthenticate", _("Confirm that it is you"), context)


def _reauthenticated(request: HttpRequest, data: dict[str, str]) -> bool:
    user, network = get_signed_in_staff(request), get_client_network(request)
    device = get_device(request, user.email)
    checked_user = two_step.check_password_step(
        email=user.email, password=data["password"], network=network, device=device
    )
    if checked_user is None or checked_user.pk != user.pk:
        return False
    two_step.check_code_step(user=user, code=data["code"], network=network, device=device)
    request.session.cycle_key()
    sessions.prove(request.session)
    return True
