"""Forms of the admin's sign-in."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.staff.totp import DIGITS, RECOVERY_LETTERS, normalise_code

_MAX_PASSWORD_LENGTH = 4096  # Django hashes no longer ones.


class PasswordForm(forms.Form):
    """First step: email address and password."""

    username = forms.EmailField(
        label=_("Email address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autofocus": True, "autocomplete": "username"}),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=_MAX_PASSWORD_LENGTH,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class NoEchoInput(forms.TextInput):
    """A text input that never shows the typed value again, as no page may show a code."""

    def format_value(self, value: Any) -> None:
        """Return None, so that the input is empty."""


class CodeForm(forms.Form):
    """Second step: six digits of the app, or a recovery code if the app is lost."""

    code = forms.CharField(
        label=_("Code from your authenticator app"),
        max_length=60,
        widget=NoEchoInput(
            attrs={"autofocus": True, "autocomplete": "one-time-code", "inputmode": "numeric", "dir": "ltr"}
        ),
    )

    def __init__(self, *args: Any, recovery: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if recovery:
            field = self.fields["code"]
            field.label = _("Recovery code")
            field.widget.attrs |= {"inputmode": "text", "autocomplete": "off", "autocapitalize": "characters"}

    def clean_code(self) -> str:
        """Return a normalised code of either kind. Other input is refused without counting as a try."""
        code = normalise_code(self.cleaned_data["code"])
        if len(code) not in (DIGITS, RECOVERY_LETTERS):
            raise forms.ValidationError(
                _("A code of your authenticator app has 6 digits. A recovery code has 20 letters and digits.")
            )
        return code


class EnrolForm(CodeForm):
    """Code that proves that the app has the key."""

    def clean_code(self) -> str:
        code = normalise_code(self.cleaned_data["code"])
        if len(code) != DIGITS or not code.isdecimal():
            raise forms.ValidationError(_("The code has 6 digits, as your authenticator app shows them."))
        return code


class ReauthenticationForm(CodeForm):
    """Password and code again, before a delicate step."""

    password = forms.CharField(
        label=_("Password"),
        max_length=_MAX_PASSWORD_LENGTH,
        strip=False,
        widget=forms.PasswordInput(attrs={"autofocus": True, "autocomplete": "current-password"}),
    )
    field_order = ("password", "code")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].widget.attrs.pop("autofocus")
