"""What we know of a customer, and from where they are signed in."""

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

_LAST = 10  # Sign-ins that the page lists; those that are still good are listed apart from them, all.


@form_view
def account(request: BrandRequest) -> HttpResponse:
    """/account/; its one form signs out everywhere else."""
    user, here = cast(User, request.user), current_sign_in_id(request)
    if request.method == "POST":
        sign_in_history.end_other_sign_ins(user=user, exclude=here)
        update_session_auth_hash(request, user)
        messages.success(request, _("You are signed out everywhere else."))
        return set_device_cookie(request, redirect("accounts:account"), user)
    found = sign_in_history.list_sign_ins(user=user)
    live = [row for row in found if row.live]
    context = {"here": here, "live": live, "last": found[:_LAST]}
    return render(request, "accounts/account.html", context)
