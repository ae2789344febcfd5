"""A fresh proof before a delicate step: a code emailed to the customer, who stays signed in."""

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters

from accounts.forms import BrandForm, CodeForm
from accounts.models import User
from accounts.services.outcomes import MAIL_SLOW, Outcome
from accounts.services.sign_in import request_code_again
from accounts.sign_in import codes
from accounts.views.device_cookie import get_device, get_visitor, rate_limit_key, set_device_cookie
from accounts.views.forms import form_view, render_form, render_form_limited, render_form_with_outcome
from accounts.views.session import browser_secret, renew_session, update_session
from accounts.views.sign_in import add_account_messages, code_error_message
from portal.resilience import rate_limits
from portal.web.http import BrandRequest

_STEP = "accounts:email"  # The only step that asks for it.


@login_not_required
@form_view
def sign_in_again(request: BrandRequest) -> HttpResponse:
    """/sign-in/again/: POST emails a code to the customer. Without a session, sign in first."""
    if not request.user.is_authenticated:
        query = {"why": "again", "next": reverse(_STEP)}
        return HttpResponseRedirect(reverse("accounts:sign_in", query=query))
    if request.method != "POST":
        return redirect(_STEP)
    template, form = "accounts/email_sign_in_again.html", BrandForm(request.POST, brand=request.brand)
    form.full_clean()
    try:
        outcome = _request_code(request, request.user)
    except rate_limits.Limited as limited:
        return render_form_limited(request, template, form, limited)
    if not outcome.done:
        return render_form_with_outcome(request, template, form, outcome)
    if outcome.meaning == "mail_slow":
        messages.warning(request, str(MAIL_SLOW))
    return redirect("accounts:sign_in_again_code")


def _request_code(request: BrandRequest, user: User) -> Outcome:
    visitor = get_visitor(request, user.email)
    rate_limits.consume(action="sign_in_post", network=rate_limit_key(request, visitor.device))
    outcome = request_code_again(brand=request.brand, user=user, visitor=visitor)
    if outcome.done:
        update_session(request, browser=visitor.browser, sign_in_again=outcome.sign_in_code)
    return outcome


@form_view
@sensitive_post_parameters()
def sign_in_again_code(request: BrandRequest) -> HttpResponse:
    """/sign-in/again/code/: ask for that code, then lead on to the step."""
    user, code_id = cast(User, request.user), request.session.get("sign_in_again")
    if not code_id:
        return redirect(_STEP)
    template = "accounts/sign_in_again_code.html"
    if request.method != "POST":
        return render_form(request, template, CodeForm(brand=request.brand))
    form = CodeForm(request.POST, brand=request.brand)
    if not form.is_valid():
        return render_form(request, template, form)
    try:
        return _redeem(request, user, code_id, form.cleaned_data["code"])
    except rate_limits.Limited as limited:
        return render_form_limited(request, template, form, limited)
    except codes.CodeRefused as refused:
        if not refused.tries_left:
            return _code_expired(request, user)
        form.add_error("code", code_error_message(refused))
    return render_form(request, template, form)


def _redeem(request: BrandRequest, user: User, code_id: int, code: str) -> HttpResponse:
    rate_limits.consume(action="code_post", network=rate_limit_key(request, get_device(request, user.email)))
    verified = codes.redeem_sign_in_code(
        brand=request.brand, code_id=code_id, browser=browser_secret(request), code=code, user=user
    )
    del request.session["sign_in_again"]
    update_session(request, signed_in_at=timezone.now().timestamp())
    # `user` was read before: if all sessions have been ended since, this one stays so.
    renew_session(request, user)
    add_account_messages(request, verified, warn=verified.account_number_is_new)
    return set_device_cookie(request, redirect(_STEP), user)


def _code_expired(request: BrandRequest, user: User) -> HttpResponse:
    """Replace the form by one button that mails a new code."""
    return render_form(
        request,
        "accounts/code_expired.html",
        BrandForm(brand=request.brand),
        email=user.email,
        ask=reverse("accounts:sign_in_again"),
        back=reverse("accounts:account"),
    )
