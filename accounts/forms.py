"""Forms of the customer pages. Each field has its autocomplete token and input mode."""

import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import lazy
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.fields import ConfirmationCodeField, NameField, PhoneField, SignInCodeField, TrimmedEmailField
from accounts.services.login_url import form_action_sources
from portal.brands import phone_examples
from portal.captcha import CaptchaField
from portal.core.email_addresses import normal_email
from portal.models import Brand


def _missing(text: Any) -> dict[str, Any]:
    """Return the error messages of a field whose `text` says what to enter."""
    return {"required": text}


def _name_field(label: Any, autocomplete: str, **options: Any) -> NameField:
    widget = forms.TextInput(attrs={"autocomplete": autocomplete})
    return NameField(label=label, max_length=150, widget=widget, **options)


class EmailField(TrimmedEmailField):
    """Email address of a customer. Refuses addresses without a public domain."""

    def __init__(self, **options: Any) -> None:
        attrs = {
            "autocomplete": "email",
            "inputmode": "email",
            "autocapitalize": "none",
            "spellcheck": "false",
            "dir": "ltr",
        }
        defaults = {
            "label": _("Email address"),
            "max_length": 254,
            "widget": forms.EmailInput(attrs=attrs),
            "error_messages": {
                **_missing(_("Enter your email address.")),
                "invalid": _("Enter an email address in the format name@example.com."),
            },
        }
        super().__init__(**{**defaults, **options})

    def clean(self, value: Any) -> Any:
        """Return the address in its normal form. Raises ValidationError if no email can reach it."""
        typed = super().clean(value)
        email = normal_email(typed)
        domain = email.rpartition("@")[2]
        if typed and ("." not in domain or domain.startswith("[")):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return email


class BrandForm(forms.Form):
    """Base form of a brand's pages. If `action` is set, it ends with the brand's captcha."""

    action = ""

    def __init__(self, *args: Any, brand: Brand, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.brand = brand
        for field in self.fields.values():
            if field.error_messages["required"] is forms.Field.default_error_messages["required"]:
                field.error_messages["required"] = _("Fill in this field.")
        if self.action:
            self.fields["captcha"] = CaptchaField(brand=brand, action=self.action)

    @property
    def form_action_hosts(self) -> list[str]:
        """Other hosts to which submitting the form may redirect, for the policy's form-action."""
        return []

    @property
    def has_captcha(self) -> bool:
        """True if the page must load Google's script."""
        return "captcha" in self.fields

    @property
    def captcha_token(self) -> str:
        """Captcha token of a valid form; empty if the form has no captcha."""
        return str(self.cleaned_data.get("captcha", ""))

    @property
    def cache_key(self) -> str:
        """Key for caching the rendered fields of an empty form; empty if the form shows any input.

        Empty forms of one brand in one language look alike.
        """
        return "" if self.is_bound or self.initial else " ".join([type(self).__name__, *self.fields])

    def form_data(self) -> dict[str, str]:
        """Return the typed values to refill the form, without password and captcha token."""
        excluded = {"password", "captcha"}
        return {name: str(self[name].value() or "") for name in self.fields if name not in excluded}


class SignUpForm(BrandForm):
    """Details of a new customer that the carrier needs."""

    action = "sign_up"

    first_name = _name_field(
        _("First name"), "given-name", error_messages=_missing(_("Enter your first name."))
    )
    last_name = _name_field(
        _("Last name"), "family-name", error_messages=_missing(_("Enter your last name."))
    )
    company_name = _name_field(_("Company name"), "organization", required=False)
    email = EmailField(help_text=_("We'll email you a link to confirm it."))
    phone = PhoneField(
        label=_("Phone number"),
        max_length=40,
        error_messages=_missing(_("Enter your phone number.")),
        widget=forms.TextInput(
            attrs={"type": "tel", "autocomplete": "tel", "inputmode": "tel", "dir": "ltr"}
        ),
    )
    password = forms.CharField(
        label=_("Phone account password"),
        min_length=8,
        max_length=128,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_(
            "At least 8 characters. You'll use this for your phone account. To sign in here, we'll email "
            "you a code instead."
        ),
        error_messages={
            "min_length": _("Your password must have at least 8 characters."),
            **_missing(_("Choose a password.")),
        },
    )
    accept_terms = forms.BooleanField(error_messages={"required": _("Agree to the terms to continue.")})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["accept_terms"].label = lazy(_terms_label, str)(self.brand)

    def clean_phone(self) -> str:
        """Return the number if it can be dialled. The error has an example from the brand's country."""
        phone = str(self.cleaned_data["phone"])
        digits = sum(letter.isdigit() for letter in phone)
        if re.fullmatch(r"\+?[0-9 ().\-/]+", phone) and 6 <= digits <= 15:
            return phone
        words = _("Enter a phone number with its area code, like %(example)s.")
        raise ValidationError(words, params={"example": phone_examples.get_example(self.brand)})


def _terms_label(brand: Brand) -> SafeString:
    link = '<a href="{}" target="_blank" rel="noopener">{}</a>'
    terms, privacy = (
        format_html(link, url, text) if url else text
        for url, text in ((brand.terms_url, _("terms of service")), (brand.privacy_url, _("privacy policy")))
    )
    return format_html(
        str(_("I agree to the {terms} and have read the {privacy}.")), terms=terms, privacy=privacy
    )


class ConfirmForm(BrandForm):
    """Email address and the carrier's confirmation code.

    `known` are the values from the sign-up or the link. They are shown as text and sent as hidden inputs,
    until the customer changes one or it turns out to be wrong.
    """

    action = "confirm"

    email = EmailField()
    code = ConfirmationCodeField(
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
        help_text=_("It's in the email we sent you."),
        error_messages=_missing(_("Enter the confirmation code.")),
    )

    def __init__(self, *args: Any, known: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known = known

    def settled_fields(self) -> list[forms.BoundField]:
        """Return the fields that still have their known value."""
        return [
            self[name]
            for name in self.fields
            if self.known.get(name) and self[name].value() == self.known[name] and not self[name].errors
        ]

    def visible_fields(self) -> list[forms.BoundField]:
        """Return the fields to fill in."""
        settled = {field.name for field in self.settled_fields()}
        return [field for field in super().visible_fields() if field.name not in settled]


class SignInForm(BrandForm):
    """Asks for a sign-in code. Has a captcha only if the brand can verify one itself."""

    email = EmailField()

    def __init__(self, *args: Any, brand: Brand, **kwargs: Any) -> None:
        self.action = "sign_in" if brand.recaptcha_secret_key and brand.recaptcha_site_key else ""
        super().__init__(*args, brand=brand, **kwargs)


class CodeForm(BrandForm):
    """The eight digits of a sign-in code, with any text of the email around them."""

    code = SignInCodeField(
        label=_("Sign-in code"),
        max_length=200,
        error_messages=_missing(_("Enter the code from the email.")),
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "dir": "ltr"}),
    )


class SignInCodeForm(CodeForm):
    """A sign-in code, and whether to stay signed in on this device."""

    keep = forms.BooleanField(
        label=_("Keep me signed in on this device"),
        required=False,
        help_text=_("For 30 days. Don't choose this on a shared device."),
    )


class PasswordResetForm(BrandForm):
    """Asks the carrier to email a password reset. `known` is the address of a signed-in customer."""

    action = "reset"

    email = EmailField()

    def __init__(self, *args: Any, known: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if known:
            del self.fields["email"]


class OpenForm(BrandForm):
    """Button to open the carrier's portal; asks for a password only if the brand's method wants it."""

    action = "open"

    password = forms.CharField(
        label=_("Phone account password"),
        max_length=128,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text=_("The password for your phone account, not the code we emailed you."),
        error_messages=_missing(_("Enter your phone account password.")),
    )

    def __init__(self, *args: Any, brand: Brand, **kwargs: Any) -> None:
        super().__init__(*args, brand=brand, **kwargs)
        if not brand.method("login_via_url").wants("password"):
            del self.fields["password"]

    @property
    def form_action_hosts(self) -> list[str]:
        """Hosts of the carrier's own portal. No other form may redirect there."""
        return form_action_sources(self.brand)

    @property
    def can_start(self) -> bool:
        """True if there is nothing to fill in but the captcha, so that a script may send the form."""
        return set(self.fields) == {"captcha"}


class NewEmailForm(BrandForm):
    """A new email address. A change of upper or lower case counts as a change."""

    email = EmailField(
        label=_("New email address"),
        help_text=_("We'll email a code to this address to check it's yours."),
    )

    def __init__(self, *args: Any, current: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.current = current

    def clean_email(self) -> str:
        """Refuse the current address."""
        email = str(self.cleaned_data["email"])
        if email == self.current:
            raise ValidationError(_("That's already your email address. Enter a different one."))
        return email


class EmailCodeForm(CodeForm):
    """The eight digits that were emailed to the new address."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].label = _("Code from the email")
