"""Account page of a customer: details and devices."""

from typing import Any, cast

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from accounts.models import SignIn, User
from accounts.sign_in import history as sign_in_history
from accounts.views.device_cookie import set_device_cookie
from accounts.views.forms import form_view
from accounts.views.session import current_sign_in_id, end_session, renew_session
from portal.web.http import BrandRequest

_MAX_ENDED = 10  # Latest sign-ins on the page that have ended. Those still valid are listed without limit.


@form_view
def account(request: BrandRequest) -> HttpResponse:
    """/account/: details and devices. POST signs out the `device` (a sign-in), or without one all others."""
    user = cast(User, request.user)
    if request.method == "POST":
        device = request.POST.get("device")
        return _sign_out_device(request, user, device) if device else _sign_out_elsewhere(request, user)
    rows = sign_in_history.list_sign_ins(user=user)
    return render(request, "accounts/account.html", list_devices(rows, current_sign_in_id(request)))


def list_devices(rows: list[SignIn], here: int) -> dict[str, Any]:
    """Return the page's context: the sign-ins that are still valid, this one first, then ended ones."""
    live = sorted((row for row in rows if row.live), key=lambda row: row.pk != here)
    return {"here": here, "live": live, "ended": [row for row in rows if not row.live][:_MAX_ENDED]}


def _sign_out_elsewhere(request: BrandRequest, user: User) -> HttpResponse:
    sign_in_history.end_other_sign_ins(user=user, exclude=current_sign_in_id(request))
    renew_session(request, user)
    messages.success(request, _("You've signed out everywhere else."))
    return set_device_cookie(request, redirect("accounts:account"), user)


def _sign_out_device(request: BrandRequest, user: User, device: str) -> HttpResponse:
    rows = sign_in_history.list_sign_ins(user=user)
    row = next((row for row in rows if str(row.pk) == device and row.live), None)
    if row and row.pk == current_sign_in_id(request):
        end_session(request)
        messages.success(request, _("You've signed out."))
        return redirect("home")
    if row and row.session_key:
        if not sign_in_history.end_device(user=user, sign_in=row.pk):
            return _sign_out_elsewhere(request, user)
        messages.success(request, _("%(device)s is now signed out.") % {"device": row.device})
    else:
        messages.info(request, _("We couldn't find that device. It may already be signed out."))
    return redirect("accounts:account")
