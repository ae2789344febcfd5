"""Sign in with a mailed code, and sign out."""

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from accounts.forms import SignInCodeForm, SignInForm
from accounts.models import User
from accounts.services.outcomes import MAIL_SLOW, Outcome
from accounts.services.sign_in import mail_new_device, request_sign_in_code
from accounts.sign_in import codes
from accounts.sign_in import history as sign_in_history
from accounts.sign_in.device_cookies import Visitor
from accounts.views.device_cookie import get_device, get_visitor, rate_limit_key, recognise_browser
from accounts.views.forms import (
    form_view,
    render_code_expired,
    render_form,
    render_form_limited,
    render_form_with_outcome,
)
from accounts.views.session import (
    begin_session,
    browser_secret,
    end_session,
    get_requested_url,
    known_email,
    remember_next_url,
    remember_requested_code,
)
from portal.core.email_addresses import email_key
from portal.resilience import rate_limits
from portal.web.http import BrandRequest, safe_redirect_url


@login_not_required
@form_view
@sensitive_post_parameters()
def sign_in(request: BrandRequest) -> HttpResponse:
    """/sign-in/; `?next=` (then a field) names the page to open afterwards, `?why=` a reason in WHY."""
    wanted = get_requested_url(request)
    if request.user.is_authenticated:
        return HttpResponseRedirect(wanted) if wanted else already_signed_in(request)
    if request.method == "POST":
        return _sign_in(request, SignInForm(request.POST, brand=request.brand))
    form = SignInForm(brand=request.brand, initial=known_email(request))
    return render_form(request, "accounts/sign_in.html", form, why=_why(request, wanted), wanted=wanted)


# In the address, because a message would need a session, and that could replace one that has just begun.
WHY = {
    "code": gettext_lazy("Get a code first. Each code works once, in the browser you asked from."),
    "sent": gettext_lazy("We didn't save the form you just sent. Sign in and send it again."),
    "again": gettext_lazy("Sign in again to change your email address. We'll bring you straight back."),
}
_SIGNED_OUT = gettext_lazy("Sign in to see this page. If you were signed in before, your session has ended.")


def _why(request: BrandRequest, wanted: str) -> object:
    """Return the reason for a redirect to this page; empty if the visitor opened it."""
    return WHY.get(request.GET.get("why", ""), _SIGNED_OUT if wanted else "")


def already_signed_in(request: BrandRequest) -> HttpResponse:
    """Redirect to the balance with a message."""
    messages.info(request, _("You're already signed in."))
    return redirect("home")


def _sign_in(request: BrandRequest, form: SignInForm) -> HttpResponse:
    template, wanted = "accounts/sign_in.html", get_requested_url(request)
    if not form.is_valid():
        return render_form(request, template, form, wanted=wanted)
    visitor = get_visitor(request, form.cleaned_data["email"])
    try:
        outcome = _request_code(request, form, visitor)
    except rate_limits.Limited as limited:
        return render_form_limited(request, template, form, limited, asks_for_code=True, wanted=wanted)
    if not outcome.done:
        return render_form_with_outcome(request, template, form, outcome, wanted=wanted)
    remember_next_url(request)
    remember_requested_code(request, visitor.browser, form.cleaned_data["email"], outcome.sign_in_code)
    if outcome.meaning == "mail_slow":
        messages.warning(request, str(MAIL_SLOW))
    return redirect("accounts:sign_in_code")


def _request_code(request: BrandRequest, form: SignInForm, visitor: Visitor) -> Outcome:
    network = rate_limit_key(request, visitor.device)
    if form.has_captcha:
        rate_limits.consume(action="captcha_post", network=network)
    rate_limits.consume(action="sign_in_post", network=network)
    return request_sign_in_code(
        brand=request.brand,
        email=form.cleaned_data["email"],
        visitor=visitor,
        captcha_token=form.captcha_token,
        address=request.client_address,
    )


@login_not_required
@form_view
@sensitive_post_parameters()
def sign_in_code(request: BrandRequest) -> HttpResponse:
    """/sign-in/code/"""
    asked = request.session.get("sign_in", {})
    if request.user.is_authenticated:
        return already_signed_in(request)
    if not asked.get("code"):
        return HttpResponseRedirect(reverse("accounts:sign_in", query={"why": "code"}))
    template = "accounts/sign_in_code.html"
    context = {name: asked.get(name, False) for name in ("email", "confirmed", "advise_reset")}
    if request.method != "POST":
        return render_form(request, template, SignInCodeForm(brand=request.brand), **context)
    form = SignInCodeForm(request.POST, brand=request.brand)
    if not form.is_valid():
        return render_form(request, template, form, **context)
    device = get_device(request, asked["email"])
    try:
        user = _redeem(request, asked["code"], form.cleaned_data["code"], device)
    except rate_limits.Limited as limited:
        return render_form_limited(request, template, form, limited, **context)
    except codes.CodeRefused as refused:
        if not refused.tries_left:
            return _code_expired(request, asked["email"])
        form.add_error("code", code_error_message(refused))
        return render_form(request, template, form, **context)
    known = bool(device) and not sign_in_history.is_revoked(user=user, device_id=device)
    return _signed_in(request, user, keep=form.cleaned_data["keep"], known=known)


def _code_expired(request: BrandRequest, email: str) -> HttpResponse:
    """Replace the form by one button that mails a new code."""
    form = SignInForm(brand=request.brand, initial={"email": email})
    return render_code_expired(request, form, email, reverse("accounts:sign_in"))


def _redeem(request: BrandRequest, code_id: int, code: str, device: str) -> User:
    rate_limits.consume(action="code_post", network=rate_limit_key(request, device))
    return codes.redeem_sign_in_code(
        brand=request.brand, code_id=code_id, browser=browser_secret(request), code=code
    )


def code_error_message(refused: codes.CodeRefused) -> str:
    """Return the error text for a wrong code that has tries left."""
    tries_left = refused.tries_left
    if refused.older:
        return _("That code is from an earlier email. Use the code in the latest one.")
    return ngettext(
        "That code isn't right. You have %(count)d try left.",
        "That code isn't right. You have %(count)d tries left.",
        tries_left,
    ) % {"count": tries_left}


def _signed_in(request: BrandRequest, user: User, *, keep: bool, known: bool) -> HttpResponseRedirect:
    """Start a new session; of the old one only the page to open next remains."""
    wanted = safe_redirect_url(request, request.session.get("next", "")) or reverse("home")
    response, warn = HttpResponseRedirect(wanted), _may_be_signed_up_by_another(request, user)
    row = begin_session(request, user, keep=keep, device_id=recognise_browser(request, response, user))
    add_account_messages(request, user, warn=warn)
    if not known and not user.first_sign_in:
        mail_new_device(brand=request.brand, user=user, sign_in=row)
    return response


def _may_be_signed_up_by_another(request: BrandRequest, user: User) -> bool:
    """Return True if this browser did not sign up this address, and somebody has lately done so.

    That person may know the password of the phone account.
    """
    if request.session.get("stranger") == email_key(user.email):
        return True
    own = request.session.get("registered", "").lower() == user.email.lower()
    first = user.first_sign_in and user.confirmed_at is not None
    return not own and (user.account_number_is_new or first)


def add_account_messages(request: BrandRequest, user: User, *, warn: bool) -> None:
    """Tell what a sign-in has to tell about the account number; with `warn`, advise a new password."""
    if warn:
        number = user.account_number if user.account_number_is_new else ""
        messages.warning(request, _reset_advice(number))
    if user.account_number and user.refused_account_number:
        text = _(
            "The phone system has a different account number for you than we do. We haven't changed "
            "anything. Contact us so we can check: %(email)s"
        )
        messages.warning(request, text % {"email": request.brand.support_email})


def _reset_advice(number: str) -> str:
    link = format_html(
        '<a href="{}">{}</a>',
        reverse("accounts:password_reset"),
        _("Choose a new phone account password"),
    )
    if number:
        text = _(
            "Phone account {number} is now linked to your profile. If someone else signed up for you, they "
            "may know its password. {link}"
        )
    else:
        text = _(
            "You're signed in. If someone else signed up for you, they may know your phone account "
            "password. {link}"
        )
    return format_html(text, number=number, link=link)


@login_not_required
@require_POST
def sign_out(request: BrandRequest) -> HttpResponse:
    """/sign-out/: end the session on the server too. The message needs a session, so visitors get none."""
    if request.user.is_authenticated:
        end_session(request)
        messages.success(request, _("You've signed out."))
    return redirect("home")
