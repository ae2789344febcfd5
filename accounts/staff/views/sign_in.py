"""Signing in to the admin in two steps, setting up the app for the second, and proving oneself once more.

The password alone signs nobody in. Until the code a session holds, for ten minutes:

`staff_step`   who took the first step, and when; see `accounts.staff.two_step.pending_login`
`staff_next`   the page that was wanted
`staff_key`    while an app is being set up: its key, encrypted
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
    client_network_of,
    code_error_message,
    pending_user,
    rate_limited,
    render_staff_page,
    requested_url,
    signed_in_staff,
)
from accounts.staff.views.enrolment import get_pending_key, render_setup_page
from accounts.views.device_cookie import get_device, set_device_cookie
from accounts.views.forms import form_view
from portal.admin import sessions
from portal.security.crypto import RedactedTuple, SecretUnreadable

_REFUSED = gettext_lazy("This e-mail address and password do not open the admin.")
_NOT_TAKEN = gettext_lazy(
    "The form that you sent just now came after that and was not taken: nothing was changed. Sign in, and "
    "fill it in once more."
)
WHY = {
    "idle": gettext_lazy("You were signed out because nothing had been done here for 15 minutes."),
    "long": gettext_lazy("You were signed out because a sign-in lasts 8 hours at most."),
    "changed": gettext_lazy("You were signed out because something about your sign-in was changed."),
    "again": gettext_lazy(
        "Please begin once more: the code has to be typed within 10 minutes after the password."
    ),
}


@login_not_required
@never_cache
@form_view
@rate_limited
@sensitive_post_parameters()
def sign_in(request: HttpRequest) -> HttpResponse:
    """/admin/login/, step one: the password. `?next=` names the page that was wanted, `?why=` one of WHY."""
    wanted = requested_url(request)
    if request.user.is_authenticated:
        return HttpResponseRedirect(wanted)
    form = PasswordForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        user = two_step.check_password_step(
            email=form.cleaned_data["username"],
            password=form.cleaned_data["password"],
            network=client_network_of(request),
            device=get_device(request, form.cleaned_data["username"]),
        )
        if user:
            return _start_second_factor(request, user, wanted)
        form.add_error(None, str(_REFUSED))
    context = {"form": form, "wanted": wanted, "why": _why(request)}
    return render_staff_page(request, "sign_in", _("Log in"), context)


def _why(request: HttpRequest) -> tuple[object, ...]:
    """Why somebody stands here who did not mean to, in sentences."""
    why, _dash, sent = request.GET.get("why", "").partition("-")
    if why not in WHY or request.method == "POST":
        return ()
    return (WHY[why], _NOT_TAKEN) if sent else (WHY[why],)


def _start_second_factor(request: HttpRequest, user: User, wanted: str) -> HttpResponse:
    """On to the second step, in a session with a new key that holds nothing of the time before."""
    request.session.flush()
    request.session.set_expiry(two_step.HALF_OPEN)
    request.session.update({"staff_step": two_step.pending_login(user), "staff_next": wanted})
    return redirect("staff_code" if totp.get_device(user=user) else "staff_enrol")


def _begin_again(request: HttpRequest) -> HttpResponse:
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
    """/admin/login/code/, the second step; `?with=recovery` asks for a recovery code."""
    user = pending_user(request)
    if user is None:
        return _begin_again(request)
    if totp.get_device(user=user) is None:
        return redirect("staff_enrol")
    recovery = request.GET.get("with") == "recovery"
    form = CodeForm(request.POST if request.method == "POST" else None, recovery=recovery)
    if form.is_valid():
        try:
            return _signed_in(request, user, form.cleaned_data["code"])
        except (CodeWrong, SecretUnreadable) as error:
            form.add_error("code", code_error_message(error))
    context = {"form": form, "recovery": recovery, "person": user}
    return render_staff_page(request, "code", _("Enter your code"), context)


def _signed_in(request: HttpRequest, user: User, code: str) -> HttpResponse:
    device = two_step.check_code_step(
        user=user, code=code, network=client_network_of(request), device=get_device(request, user.email)
    )
    wanted = sessions.page_inside(request, request.session.get("staff_next", ""))
    begin_session(request, user, device)
    if len(code) == totp.RECOVERY_LETTERS:
        text = _(
            "You signed in with a recovery code, which is used up now; %(count)d are left. If your phone is "
            "lost, set up another app now."
        )
        messages.warning(request, text % {"count": totp.count_recovery_codes(user=user)})
        wanted = reverse("staff_security")
    return set_device_cookie(request, HttpResponseRedirect(wanted), user)


@login_not_required
@never_cache
@form_view
@sensitive_post_parameters()
def enrol(request: HttpRequest) -> HttpResponse:
    """/admin/login/enrol/: whoever has no app yet sets one up, and is signed in by its first code."""
    user = pending_user(request)
    if user is None:
        return _begin_again(request)
    if totp.get_device(user=user):
        return redirect("staff_code")
    form = EnrolForm(request.POST if request.method == "POST" else None)
    key = get_pending_key(request)
    if form.is_valid():
        wanted = sessions.page_inside(request, request.session.get("staff_next", ""))
        try:
            device, codes = totp.set_up_authenticator(user=user, key=key, code=form.cleaned_data["code"])
        except AlreadySetUp:
            return redirect("staff_code")
        except CodeWrong as error:
            form.add_error("code", code_error_message(error))
        else:
            begin_session(request, user, device)
            return set_device_cookie(request, _codes_page(request, codes, wanted), user)
    return render_setup_page(request, "enrol", user, key, form)


def _codes_page(request: HttpRequest, codes: list[str], wanted: str) -> HttpResponse:
    context = {"codes": RedactedTuple(codes), "wanted": wanted}
    return render_staff_page(request, "recovery_codes_first", _("Keep your recovery codes"), context)


@form_view
@rate_limited
@sensitive_post_parameters()
def reauthenticate(request: HttpRequest) -> HttpResponse:
    """/admin/reauthenticate/: password and code once more, for a delicate step; then on to `?next=`."""
    wanted = requested_url(request)
    form = ReauthenticationForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            if _reauthenticated(request, form.cleaned_data):
                return HttpResponseRedirect(wanted)
            form.add_error("password", _("This password is not yours."))
        except (CodeWrong, SecretUnreadable) as error:
            form.add_error("code", code_error_message(error))
    context: dict[str, Any] = {"form": form, "wanted": wanted, "sent": request.GET.get("why") == "sent"}
    return render_staff_page(request, "reauthenticate", _("Confirm that it is you"), context)


def _reauthenticated(request: HttpRequest, data: dict[str, str]) -> bool:
    user, network = signed_in_staff(request), client_network_of(request)
    device = get_device(request, user.email)
    known = two_step.check_password_step(
        email=user.email, password=data["password"], network=network, device=device
    )
    if known is None or known.pk != user.pk:
        return False
    two_step.check_code_step(user=user, code=data["code"], network=network, device=device)
    request.session.cycle_key()
    sessions.prove(request.session)
    return True
