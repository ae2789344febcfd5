"""Sign up, and confirm the email address."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from accounts.forms import ConfirmForm, SignInForm, SignUpForm
from accounts.models import User
from accounts.services.confirm_email import confirm_email
from accounts.services.confirm_link import parse_confirm_link
from accounts.services.customers import SignUpDetails
from accounts.services.outcomes import MAIL_SLOW, Outcome, mail_down
from accounts.services.sign_up import register_customer
from accounts.views.device_cookie import get_visitor
from accounts.views.forms import (
    form_view,
    render_form,
    render_form_limited,
    render_form_with_outcome,
    too_many_codes,
)
from accounts.views.session import remember_next_url, remember_requested_code, update_session
from accounts.views.sign_in import already_signed_in
from portal.resilience import rate_limits
from portal.web import retry
from portal.web.http import BrandRequest


@login_not_required
@form_view
@sensitive_post_parameters()
def sign_up(request: BrandRequest) -> HttpResponse:
    """/sign-up/; `?next=` names the page to open after signing in."""
    if request.user.is_authenticated:
        return already_signed_in(request)
    if not request.brand.signup_open:
        return render(request, "accounts/sign_up_closed.html")
    template = "accounts/sign_up.html"
    if request.method != "POST":
        return render_form(
            request, template, SignUpForm(brand=request.brand, initial=request.session.get("sign_up"))
        )
    form = SignUpForm(request.POST, brand=request.brand)
    if not form.is_valid():
        return render_form(request, template, form)
    try:
        rate_limits.consume(action="captcha_post", network=request.client_network)
        outcome = _register(request, form)
    except rate_limits.Limited as limited:
        return render_form_limited(request, template, form, limited)
    return (
        redirect("accounts:confirm")
        if outcome.done
        else render_form_with_outcome(request, template, form, outcome)
    )


def _register(request: BrandRequest, form: SignUpForm) -> Outcome:
    data = form.cleaned_data
    details = SignUpDetails(
        first_name=data["first_name"],
        last_name=data["last_name"],
        company_name=data["company_name"],
        email=data["email"],
        phone=data["phone"],
    )
    outcome = register_customer(
        brand=request.brand,
        details=details,
        password=data["password"],
        captcha_token=form.captcha_token,
        network=request.client_network,
    )
    remember_next_url(request)
    values: dict[str, object] = {"sign_up": form.form_data()}
    if outcome.may_have_happened:
        values["confirm"] = {"email": data["email"]}
    if outcome.done:  # Else another browser may have chosen the account's password.
        values["registered"] = data["email"]
    update_session(request, **values)
    return outcome


@login_not_required
@form_view
@sensitive_post_parameters()
def confirm(request: BrandRequest) -> HttpResponse:
    """/sign-up/confirm/"""
    if request.method == "POST":
        return _confirm(request)
    if query := parse_confirm_link(request.GET):
        return _store_link(request, query)
    form = ConfirmForm(brand=request.brand, initial=request.session.get("confirm"), known=_known(request))
    return _confirm_page(request, form)


def _known(request: BrandRequest) -> dict[str, str]:
    """Return what the session knows, without the field that `?change=` names."""
    known: dict[str, str] = request.session.get("confirm", {})
    return {name: value for name, value in known.items() if name != request.GET.get("change")}


def _store_link(request: BrandRequest, query: dict[str, str]) -> HttpResponse:
    """Move a link's query into the session, to keep its code out of address bars and error reports.

    If the limit on new sessions is reached, show the filled form at once instead.
    """
    request.GET, request.META["QUERY_STRING"] = QueryDict(), ""
    filled = {**request.session.get("confirm", {}), **query}
    try:
        rate_limits.consume(action="confirm_link", network=request.client_network, brand=request.brand)
    except rate_limits.Limited:
        form = ConfirmForm(brand=request.brand, initial=filled, known={})
        return _confirm_page(request, form)
    update_session(request, confirm=filled)
    return redirect("accounts:confirm")


def _context(request: BrandRequest) -> dict[str, Any]:
    return {"registered": request.session.get("registered", ""), "typed": "sign_up" in request.session}


def _confirm_page(request: BrandRequest, form: ConfirmForm) -> HttpResponse:
    return render_form(request, "accounts/confirm.html", form, **_context(request))


def _confirm(request: BrandRequest) -> HttpResponse:
    form = ConfirmForm(request.POST, brand=request.brand, known=_known(request))
    if not form.is_valid():
        return _confirm_page(request, form)
    email = form.cleaned_data["email"]
    visitor = get_visitor(request, email)
    try:
        rate_limits.consume(action="captcha_post", network=request.client_network)
        outcome = confirm_email(
            brand=request.brand,
            email=email,
            code=form.cleaned_data["code"],
            captcha_token=form.captcha_token,
            visitor=visitor,
            by=request.user if isinstance(request.user, User) else None,
        )
    except rate_limits.Limited as limited:
        return render_form_limited(request, "accounts/confirm.html", form, limited, **_context(request))
    if outcome.meaning == "already_confirmed":
        return _already_confirmed(request, email)
    if not outcome.done:
        return render_form_with_outcome(request, "accounts/confirm.html", form, outcome, **_context(request))
    return _confirmed(request, visitor.browser, email, outcome)


def _confirmed(request: BrandRequest, browser: str, email: str, outcome: Outcome) -> HttpResponse:
    """Redirect to the page for our code; advise another browser than the first to reset the password."""
    own = request.session.get("registered", "").lower() == email.lower()
    request.session.pop("confirm", None)
    if request.user.is_authenticated:
        messages.success(request, _("Your email address is confirmed."))
        return redirect("home")
    remember_requested_code(
        request, browser, email, outcome.sign_in_code, confirmed=True, advise_reset=not own
    )
    if outcome.meaning == "mail_slow":
        messages.warning(request, str(MAIL_SLOW))
    if outcome.sign_in_code:
        return redirect("accounts:sign_in_code")
    if outcome.meaning == "mail_down":
        return _confirmed_without_mail(request, email)
    messages.success(request, _("Your email address is confirmed."))
    messages.warning(request, too_many_codes(outcome.retry_after or retry.MINUTE))
    return redirect("accounts:sign_in")


def _already_confirmed(request: BrandRequest, email: str) -> HttpResponse:
    """An old link, or a second try: redirect to the sign-in."""
    request.session.pop("confirm", None)
    if request.user.is_authenticated:
        messages.success(request, _("Your email address is already confirmed."))
        return redirect("home")
    update_session(request, sign_in={"email": email})
    messages.success(request, _("Already confirmed. Sign in."))
    return redirect("accounts:sign_in")


def _confirmed_without_mail(request: BrandRequest, email: str) -> HttpResponse:
    messages.success(request, _("Your email address is confirmed."))
    form = SignInForm(brand=request.brand, data={"email": email})
    form.errors.clear()
    return render_form_with_outcome(request, "accounts/sign_in.html", form, mail_down())
