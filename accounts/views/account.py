"""Account page of a customer: details and sign-ins."""

from typing import cast

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.sign_in import history as sign_in_history
from accounts.views.device_cookie import set_device_cookie
from accounts.views.forms import form_view
from accounts.views.session import current_sign_in_id
from portal.web.http import BrandRequest

_MAX_LISTED = 10  # Latest sign-ins on the page. Those still valid are listed separately, without limit.


@form_view
def account(request: BrandRequest) -> HttpResponse:
    """/account/: details and sign-ins. POST signs out all other browsers."""
    user, current = cast(User, request.user), current_sign_in_id(request)
    if request.method == "POST":
        sign_in_history.end_other_sign_ins(user=user, exclude=current)
        update_session_auth_hash(request, user)
        messages.success(request, _("You've signed out everywhere else."))
        return set_device_cookie(request, redirect("accounts:account"), user)
    sign_ins = sign_in_history.list_sign_ins(user=user)
    live = [row for row in sign_ins if row.live]
    context = {"here": current, "live": live, "last": sign_ins[:_MAX_LISTED]}
    return render(request, "accounts/account.html", context)
