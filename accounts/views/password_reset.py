"""Request a reset of the carrier's password, and say that a mail is on its way."""

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_safe

from accounts.forms import PasswordResetForm
from accounts.models import User
from accounts.services.password_reset import request_password_reset
from accounts.views.device_cookie import get_device
from accounts.views.forms import form_view, render_form, render_form_limited, render_form_with_outcome
from accounts.views.session import known_email, update_session
from portal.resilience import rate_limits
from portal.web.http import BrandRequest


@login_not_required
@form_view
@sensitive_post_parameters()
def password_reset(request: BrandRequest) -> HttpResponse:
    """/password-reset/: reset the carrier's password; the portal has none.

    For a signed-in customer the mail goes to the address that the carrier knows; a visitor types one.
    """
    template = "accounts/password_reset.html"
    known = request.user.address_at_carrier if isinstance(request.user, User) else ""
    context: dict[str, Any] = {"known": known}
    if request.method != "POST":
        form = PasswordResetForm(brand=request.brand, initial=known_email(request), known=known)
        return render_form(request, template, form, **context)
    form = PasswordResetForm(request.POST, brand=request.brand, known=known)
    if not form.is_valid():
        return render_form(request, template, form, **context)
    email = known or form.cleaned_data["email"]
    try:
        rate_limits.consume(action="captcha_post", network=request.client_network)
        outcome = request_password_reset(
            brand=request.brand,
            email=email,
            captcha_token=form.captcha_token,
            network=request.client_network,
            device=get_device(request, email),
        )
    except rate_limits.Limited as limited:
        return render_form_limited(request, template, form, limited, **context)
    if not outcome.done:
        return render_form_with_outcome(request, template, form, outcome, **context)
    update_session(request, reset={"email": email})
    return redirect("accounts:password_reset_sent")


@login_not_required
@require_safe
def password_reset_sent(request: BrandRequest) -> HttpResponse:
    """/password-reset/sent/: the same for every address. Without a request, redirect to the form."""
    asked = request.session.get("reset")
    if not asked:
        return redirect("accounts:password_reset")
    return render(request, "accounts/password_reset_sent.html", {"email": asked["email"]})
