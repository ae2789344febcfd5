"""Change of the email address: a recent sign-in, the new address, then the code emailed to it."""

from http import HTTPStatus
from typing import Any, cast

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from accounts.forms import BrandForm, EmailCodeForm, NewEmailForm
from accounts.models import User
from accounts.services import email_change
from accounts.services.outcomes import MAIL_SLOW, mail_down
from accounts.sign_in import codes
from accounts.views.device_cookie import get_client, get_device, rate_limit_key, set_device_cookie
from accounts.views.forms import (
    form_view,
    render_code_expired,
    render_form,
    render_form_limited,
    render_form_with_outcome,
)
from accounts.views.session import (
    browser_secret,
    current_sign_in_id,
    renew_session,
    signed_in_recently,
    update_session,
)
from accounts.views.sign_in import code_error_message
from portal.mail.send import MailNotSent
from portal.resilience import rate_limits
from portal.web.http import BrandRequest


@form_view
def email(request: BrandRequest) -> HttpResponse:
    """/account/email/: ask for the new address. Needs a sign-in within the last five minutes."""
    if not signed_in_recently(request):
        status = HTTPStatus.FORBIDDEN if request.method == "POST" else HTTPStatus.OK
        form = BrandForm(brand=request.brand)
        return render_form(request, "accounts/email_sign_in_again.html", form, status=status)
    template, current = "accounts/email.html", cast(User, request.user).email
    if request.method != "POST":
        return render_form(request, template, NewEmailForm(brand=request.brand, current=current))
    form = NewEmailForm(request.POST, brand=request.brand, current=current)
    if not form.is_valid():
        return render_form(request, template, form)
    try:
        _request_code(request, form.cleaned_data["email"])
    except rate_limits.Limited as limited:
        return render_form_limited(request, template, form, limited)
    except MailNotSent:
        return render_form_with_outcome(request, template, form, mail_down())
    return redirect("accounts:email_code")


def _request_code(request: BrandRequest, address: str) -> None:
    browser = browser_secret(request)
    row, confirmed = email_change.request_email_change(
        brand=request.brand,
        user=cast(User, request.user),
        email=address,
        network=request.client_network,
        browser=browser,
        client=get_client(request),
    )
    update_session(request, browser=browser, new_email={"code": row.pk, "email": address})
    if not confirmed:
        messages.warning(request, str(MAIL_SLOW))


@form_view
@sensitive_post_parameters()
def email_code(request: BrandRequest) -> HttpResponse:
    """/account/email/code/: ask for the code that was emailed to the new address."""
    pending = request.session.get("new_email")
    if not pending:
        messages.info(request, _("Enter your new email address first."))
        return redirect("accounts:email")
    template, context = "accounts/email_code.html", {"email": pending["email"]}
    if request.method != "POST":
        return render_form(request, template, EmailCodeForm(brand=request.brand), **context)
    form = EmailCodeForm(request.POST, brand=request.brand)
    if not form.is_valid():
        return render_form(request, template, form, **context)
    try:
        return _confirm_change(request, pending, form.cleaned_data["code"])
    except rate_limits.Limited as limited:
        return render_form_limited(request, template, form, limited, **context)
    except codes.CodeRefused as refused:
        if not refused.tries_left:
            new = NewEmailForm(brand=request.brand, current="", initial=context)
            return render_code_expired(request, new, pending["email"], reverse("accounts:email"))
        form.add_error("code", code_error_message(refused))
    return render_form(request, template, form, **context)


def _confirm_change(request: BrandRequest, pending: dict[str, Any], code: str) -> HttpResponse:
    user = cast(User, request.user)
    rate_limits.consume(action="code_post", network=rate_limit_key(request, get_device(request, user.email)))
    try:
        email_change.confirm_email_change(
            brand=request.brand,
            user=user,
            code_id=pending["code"],
            browser=browser_secret(request),
            code=code,
            sign_in=current_sign_in_id(request),
        )
    except email_change.EmailTaken:
        messages.error(
            request, _("We couldn't change your email address, because another account uses it now.")
        )
        return redirect("accounts:account")
    del request.session["new_email"]
    renew_session(request, user)
    text = _(
        "Your email address has been changed. Use it next time you sign in. You've been signed out "
        "everywhere else."
    )
    messages.success(request, text)
    return set_device_cookie(request, redirect("accounts:account"), user)
