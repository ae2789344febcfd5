"""Admin forms for users. A duplicate email address or account number is an error of its field."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.fields import AccountNumberField, NameField, PhoneField, TrimmedEmailField
from accounts.models import User, with_email
from accounts.validators import validate_at_most_zero
from portal.core.email_addresses import normal_email
from portal.voipline import is_account_number


def _validate_account_number(value: str) -> None:
    if not is_account_number(value):
        raise ValidationError(_("Write letters and digits, with . _ or - between them, and no spaces."))


class BrandsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """Brands by checkbox. Refuses keys too long for the database, which Django would pass on."""

    _MAX_DIGITS = 18

    def clean(self, value: Any) -> Any:
        for key in value or ():
            if not (str(key).isdecimal() and len(str(key)) <= self._MAX_DIGITS):
                code = "invalid_pk_value"
                raise ValidationError(self.error_messages[code], code=code, params={"pk": key})
        return super().clean(value)


class UserForm(forms.ModelForm):  # type: ignore[type-arg]
    """Base form: an email address is unique among a brand's customers, and among staff."""

    class Meta:
        model = User
        exclude = ("username", "password")  # noqa: DJ006 - the admin's fieldsets name the fields.
        field_classes = {
            "first_name": NameField,
            "last_name": NameField,
            "company_name": NameField,
            "phone": PhoneField,
            "account_number": AccountNumberField,
            "email": TrimmedEmailField,
            "carrier_email": TrimmedEmailField,
        }

        labels = {"is_superuser": _("Operator")}
        help_texts = {
            "is_active": _("Untick this to sign the customer out everywhere and refuse further sign-ins."),
            "is_superuser": _("An operator works for all brands and may change their connections and rules."),
        }

    def clean_email(self) -> str:
        if email := normal_email(self.cleaned_data["email"]):
            return email
        raise ValidationError(EmailValidator.message, code="invalid")

    def clean(self) -> dict[str, Any]:
        """Refuse an address that another user of the same brand (or none) has, in any spelling."""
        cleaned = super().clean() or self.cleaned_data
        if (email := cleaned.get("email")) and self._is_taken(with_email(email)):
            self.add_error("email", _("This address already belongs to someone else."))
        return cleaned

    def _is_taken(self, condition: Q) -> bool:
        if "brand" in self.errors:
            return False
        brand = self.cleaned_data.get("brand") or self.instance.brand
        return User.objects.exclude(pk=self.instance.pk).filter(condition, brand=brand).exists()


class CustomerForm(UserForm):
    """Form of a brand's customer."""

    clear_refused_number = forms.BooleanField(
        label=_("Mark as resolved"),
        required=False,
        help_text=_("Removes this customer from “Account number refused”."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["account_number"].validators.append(_validate_account_number)
        self.fields["account_type"].help_text = _(
            "If you leave this empty, customers are told we don't know it."
        )
        self.fields["credit_limit"].validators.append(validate_at_most_zero)
        self.fields["credit_limit"].widget.attrs["dir"] = "ltr"  # Keeps the sign before the number.

    def clean_carrier_email(self) -> str:
        email = str(self.cleaned_data["carrier_email"])
        if email and not normal_email(email):
            raise ValidationError(EmailValidator.message, code="invalid")
        return normal_email(email)

    def clean(self) -> dict[str, Any]:
        """Refuse an account number that another customer of the brand has."""
        cleaned = super().clean()
        if (number := cleaned.get("account_number")) and self._is_taken(Q(account_number=number)):
            self.add_error("account_number", _("Another customer of this brand has this account number."))
        return cleaned


class NewCustomerForm(CustomerForm):
    """Form to add a customer. Customers have no password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["brand"].required = True
        self.instance.set_unusable_password()


class StaffForm(UserForm):
    """Form of a staff user or an operator."""
