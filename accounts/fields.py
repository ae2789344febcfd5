"""Form fields for what people type and paste about themselves, as `portal.core.text_input` reads it."""

from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import SignInCode
from portal.core import text_input, validators


class _TypedField(forms.CharField):
    """A text that is brought into its normal form before it is looked at."""

    def to_python(self, value: Any) -> Any:
        """Django's, of the normal form."""
        return super().to_python(self.normal(str(value or "")))

    @staticmethod
    def normal(text: str) -> str:
        """What is kept of a text."""
        raise NotImplementedError


class NameField(_TypedField):
    """A name of a person or a company, on one line."""

    normal = staticmethod(text_input.name)
    default_validators = [validators.name]


class PhoneField(_TypedField):
    """A telephone number, as address books copy it too."""

    normal = staticmethod(text_input.phone)
    default_validators = [validators.one_line]


class TypedEmailField(forms.EmailField):
    """An e-mail address; blanks and invisible marks around it do not matter."""

    def to_python(self, value: Any) -> Any:
        """Django's, without that."""
        return super().to_python(text_input.trimmed(str(value or "")))


class AccountNumberField(_TypedField):
    """The carrier's number of an account."""

    normal = staticmethod(text_input.account_number)


class ConfirmationCodeField(_TypedField):
    """The code in the carrier's mail."""

    normal = staticmethod(text_input.code)


class SignInCodeField(_TypedField):
    """The digits of our code."""

    default_validators = [
        RegexValidator(
            rf"\A[0-9]{{{SignInCode.DIGITS}}}\Z",
            format_lazy(_("The code has {digits} digits."), digits=SignInCode.DIGITS),
        )
    ]

    @staticmethod
    def normal(text: str) -> str:
        """The one run of so many digits."""
        return text_input.digits(text, SignInCode.DIGITS)
