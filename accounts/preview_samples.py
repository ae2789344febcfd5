"""Sample customer pages for previews: real templates and forms, an invented customer."""

from collections.abc import Callable
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.forms import (
    BrandForm,
    ConfirmForm,
    EmailCodeForm,
    NewEmailForm,
    OpenForm,
    PasswordResetForm,
    SignInCodeForm,
    SignInForm,
    SignUpForm,
)
from accounts.models import SignIn, User
from portal.core.account_types import PREPAID
from portal.models import Brand
from portal.preview.sample_pages import CUSTOMER, UNNUMBERED, VISITOR, CaptchaSample, Sample

EMAIL = "alex@example.com"
_KNOWN = {"email": EMAIL}


def person(brand: Brand, scenario: str) -> User | None:
    """Return the invented customer Alex, or None for a visitor. Never a customer of the brand."""
    if scenario == VISITOR:
        return None
    number = "" if scenario == UNNUMBERED else "70001"
    details = {"first_name": "Alex", "last_name": "Archer", "account_number": number}
    return User(brand=brand, email=EMAIL, account_type=PREPAID, **details)


def form_context(
    form_class: type[BrandForm], *, values: dict[str, Any] | None = None, **context: object
) -> Callable[[Brand, str], dict[str, Any]]:
    """Return a function for the context of a page with this form; `values` are more arguments of the form."""

    def context_of(brand: Brand, _scenario: str) -> dict[str, Any]:
        form = form_class(brand=brand, **(values or {}))
        if form.has_captcha:
            form.fields["captcha"].widget = CaptchaSample()
        return {"form": form, **context}

    return context_of


def _sign_up(brand: Brand, scenario: str) -> dict[str, Any]:
    return form_context(SignUpForm)(brand, scenario) | {"outcome": None}


def _sign_up_page(brand: Brand) -> str:
    return "accounts/sign_up.html" if brand.signup_open else "accounts/sign_up_closed.html"


def _details(_brand: Brand, _scenario: str) -> dict[str, Any]:
    now = timezone.now()
    here = SignIn(pk=1, at=now, expires_at=now + SignIn.LONG, browser="Firefox", system="Windows")
    return {"here": 1, "live": [here], "ended": []}


def _new_email(brand: Brand, _scenario: str) -> dict[str, Any]:
    return {"form": NewEmailForm(brand=brand, current=EMAIL)}


_code = form_context(SignInCodeForm, email=EMAIL, confirmed=False, advise_reset=False)
_home = (CUSTOMER, "home")

PAGES = (
    Sample(
        _("Create an account"),
        VISITOR,
        "accounts:sign_up",
        _sign_up_page,
        _sign_up,
        (VISITOR, "accounts:confirm"),
    ),
    Sample(
        _("Confirm the email address"),
        VISITOR,
        "accounts:confirm",
        "accounts/confirm.html",
        form_context(ConfirmForm, values={"initial": _KNOWN, "known": _KNOWN}, registered=EMAIL, typed=True),
        (VISITOR, "accounts:sign_in_code"),
    ),
    Sample(
        _("Sign in"),
        VISITOR,
        "accounts:sign_in",
        "accounts/sign_in.html",
        form_context(SignInForm),
        (VISITOR, "accounts:sign_in_code"),
    ),
    Sample(_("Enter the code"), VISITOR, "accounts:sign_in_code", "accounts/sign_in_code.html", _code, _home),
    Sample(
        _("Go to my account"),
        CUSTOMER,
        "accounts:account_open",
        "accounts/account_open.html",
        form_context(OpenForm),
        _home,
    ),
    Sample(
        _("Go to my account without an account number"),
        UNNUMBERED,
        "accounts:account_open",
        "accounts/no_account_number.html",
        lambda _brand, _scenario: {},
    ),
    Sample(
        _("Profile"),
        CUSTOMER,
        "accounts:account",
        "accounts/account.html",
        _details,
        (CUSTOMER, "accounts:account"),
    ),
    Sample(
        _("Change your email address"),
        CUSTOMER,
        "accounts:email",
        "accounts/email.html",
        _new_email,
        (CUSTOMER, "accounts:email_code"),
    ),
    Sample(
        _("Enter your code"),
        CUSTOMER,
        "accounts:email_code",
        "accounts/email_code.html",
        form_context(EmailCodeForm, email="alex@new.example"),
        (CUSTOMER, "accounts:account"),
    ),
    Sample(
        _("Reset the password"),
        VISITOR,
        "accounts:password_reset",
        "accounts/password_reset.html",
        form_context(PasswordResetForm),
        (VISITOR, "accounts:password_reset_sent"),
    ),
    Sample(
        _("Email for a new password is on its way"),
        VISITOR,
        "accounts:password_reset_sent",
        "accounts/password_reset_sent.html",
        lambda _brand, _scenario: {"email": EMAIL},
    ),
)
