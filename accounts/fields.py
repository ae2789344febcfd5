"""Form fields that normalise what users type or paste; see `portal.core.text_input`."""

from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import SignInCode
from portal.core import text_input, validators


class _NormalisedField(forms.CharField):
    """A text field that normalises its input before validation."""

    def to_python(self, value: Any) -> Any:
        return super().to_python(self.normalise(str(value or "")))

    @staticmethod
    def normalise(text: str) -> str:
        """Return the normal form of a text."""
        raise NotImplementedError


class NameField(_NormalisedField):
    """Name of a person or company, on one line."""

    normalise = staticmethod(text_input.name)
    default_validators = [validators.name]


class PhoneField(_NormalisedField):
    """Phone number, also as copied from an address book."""

    normalise = staticmethod(text_input.phone)
    default_validators = [validators.one_line]


class TrimmedEmailField(forms.EmailField):
    """Email address. Blanks and invisible characters around it are removed."""

    def to_python(self, value: Any) -> Any:
        return super().to_python(text_input.trimmed(str(value or "")))


class AccountNumberField(_NormalisedField):
    """Account number at the carrier."""

    normalise = staticmethod(text_input.account_number)


class ConfirmationCodeField(_NormalisedField):
    """Code from the carrier's confirmation email."""

    normalise = staticmethod(text_input.code)


class SignInCodeField(_NormalisedField):
    """Digits of our sign-in code."""

    default_validators = [
        RegexValidator(
            rf"\A[0-9]{{{SignInCode.DIGITS}}}\Z",
            format_lazy(_("Enter the {digits}-digit code from your email."), digits=SignInCode.DIGITS),
        )
    ]

    @staticmethod
    def normalise(text: str) -> str:
        """Return the only run of `SignInCode.DIGITS` digits in the text."""
        return text_input.digits(text, SignInCode.DIGITS)
