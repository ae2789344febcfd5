"""The forms of a customer's journey; each field says what the browser may fill in and which keyboard fits."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator, RegexValidator
from django.utils.html import format_html
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import SignInCode
from portal import validators
from portal.captcha import CaptchaField
from portal.models import Brand
from portal.net import normal_email


def _phone(value: str) -> None:
    digits = sum(character.isdigit() for character in value)
    if not re.fullmatch(r"\+?[0-9 ().\-/]+", value) or not 6 <= digits <= 15:
        raise ValidationError(_("Write the number with its area code, like +61 2 5550 0100."))


def _name(label: Any, autocomplete: str, *, required: bool = True) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": autocomplete})
    return forms.CharField(
        label=label,
        max_length=150,
        required=required,
        widget=widget,
        validators=[validators.one_line],
    )


class EmailField(forms.EmailField):
    """An e-mail address, with the keyboard and the autocompletion that fit."""

    def __init__(self, **options: Any) -> None:
        attrs = {
            "autocomplete": "email",
            "inputmode": "email",
            "autocapitalize": "none",
            "spellcheck": "false",
            "dir": "ltr",
        }
        defaults = {"label": _("E-mail address"), "max_length": 254, "widget": forms.EmailInput(attrs=attrs)}
        super().__init__(**{**defaults, **options})

    def clean(self, value: Any) -> Any:
        """In its normal form. What no mail reaches is refused, and what has no public domain behind the @."""
        typed = super().clean(value)
        email = normal_email(typed)
        domain = email.rpartition("@")[2]
        if typed and ("." not in domain or domain.startswith("[")):
            raise ValidationError(EmailValidator.message, code="invalid")
        return email


class BrandForm(forms.Form):
    """A form on a brand's page; `action` set means that the brand's captcha stands at its end."""

    action = ""

    def __init__(self, *args: Any, brand: Brand, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.brand = brand
        for field in self.fields.values():
            if field.error_messages["required"] is forms.Field.default_error_messages["required"]:
                field.error_messages["required"] = _("Please fill this in.")
        if self.action:
            self.fields["captcha"] = CaptchaField(brand=brand, action=self.action)

    @property
    def has_captcha(self) -> bool:
        """Whether the page must load Google's script."""
        return "captcha" in self.fields

    def kept(self) -> dict[str, str]:
        """What was typed, for filling the form again: neither the password nor the captcha's token."""
        left_out = {"password", "captcha"}
        return {name: str(self[name].value() or "") for name in self.fields if name not in left_out}


class SignUpForm(BrandForm):
    """Everything the carrier wants to know of a new customer."""

    action = "sign_up"

    first_name = _name(_("First name"), "given-name")
    last_name = _name(_("Last name"), "family-name")
    company_name = _name(_("Company"), "organization", required=False)
    email = EmailField(help_text=_("We send a confirmation to this address."))
    phone = forms.CharField(
        label=_("Phone"),
        max_length=40,
        validators=[_phone],
        widget=forms.TextInput(
            attrs={"type": "tel", "autocomplete": "tel", "inputmode": "tel", "dir": "ltr"}
        ),
    )
    password = forms.CharField(
        label=_("Password for your telephone account"),
        min_length=8,
        max_length=128,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least 8 characters. Here you sign in without it, by a code we mail you."),
        error_messages={"min_length": _("Please choose a password of at least 8 characters.")},
    )
    accept_terms = forms.BooleanField(error_messages={"required": _("Please accept the terms to go on.")})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["accept_terms"].label = _terms_label(self.brand)


def _terms_label(brand: Brand) -> Any:
    link = '<a href="{}" target="_blank" rel="noopener">{}</a>'
    terms, privacy = (
        format_html(link, url, text) if url else text
        for url, text in ((brand.terms_url, _("terms of service")), (brand.privacy_url, _("privacy policy")))
    )
    return format_html(str(_("I accept the {terms} and the {privacy}.")), terms=terms, privacy=privacy)


class ConfirmForm(BrandForm):
    """The carrier's confirmation code, as mailed."""

    action = "confirm"

    email = EmailField()
    code = forms.CharField(
        label=_("Confirmation code"),
        max_length=200,
        widget=forms.TextInput(
            attrs={
                "autocomplete": "one-time-code",
                "autocapitalize": "none",
                "spellcheck": "false",
                "dir": "ltr",
            }
        ),
        help_text=_("It is in the mail we sent you."),
    )


class SignInForm(BrandForm):
    """Asks for a sign-in code; with a captcha only where the brand can verify one itself."""

    email = EmailField()

    def __init__(self, *args: Any, brand: Brand, **kwargs: Any) -> None:
        self.action = "sign_in" if brand.recaptcha_secret_key and brand.recaptcha_site_key else ""
        super().__init__(*args, brand=brand, **kwargs)


class _DigitsField(forms.CharField):
    """Digits as people copy them: blanks and hyphens between them do not matter."""

    def to_python(self, value: Any) -> str:
        return re.sub(r"[\s-]", "", str(value or ""))


class CodeForm(BrandForm):
    """The eight digits of a sign-in code."""

    code = _DigitsField(
        label=_("Sign-in code"),
        max_length=20,
        validators=[
            RegexValidator(
                rf"\A[0-9]{{{SignInCode.DIGITS}}}\Z",
                format_lazy(_("The code has {digits} digits."), digits=SignInCode.DIGITS),
            )
        ],
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "dir": "ltr"}),
    )


class PasswordResetForm(BrandForm):
    """Asks the carrier to mail a way to a new password."""

    action = "reset"

    email = EmailField()


class OpenForm(BrandForm):
    """The one button; the carrier's password only where the brand's method wants it."""

    action = "open"

    password = forms.CharField(
        label=_("Password of your telephone account"),
        max_length=128,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text=_("It is the one of the telephone system, not the code that we mail you."),
    )

    def __init__(self, *args: Any, brand: Brand, **kwargs: Any) -> None:
        super().__init__(*args, brand=brand, **kwargs)
        if not brand.method("login_via_url").wants("password"):
            del self.fields["password"]


class NewEmailForm(BrandForm):
    """A new e-mail address; other capitals than before are a change too."""

    email = EmailField(
        label=_("New e-mail address"),
        help_text=_("We mail a code to this address, to make sure it is yours."),
    )

    def __init__(self, *args: Any, current: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.current = current

    def clean_email(self) -> str:
        """Nothing to do where it is the same."""
        email = str(self.cleaned_data["email"])
        if email == self.current:
            raise ValidationError(_("This is your e-mail address already. Type the new one."))
        return email


class EmailCodeForm(CodeForm):
    """The eight digits that were mailed to a new address."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].label = _("Code from the mail")
