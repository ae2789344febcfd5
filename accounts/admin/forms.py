"""The admin's forms for people: an address or an account number that is taken is said at its field."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.fields import AccountNumberField, NameField, PhoneField, TypedEmailField
from accounts.models import User, with_email
from accounts.validators import validate_at_most_zero
from portal.core.email_addresses import normal_email
from portal.voipline import is_account_number


def _account_number(value: str) -> None:
    if not is_account_number(value):
        raise ValidationError(_("Write letters and digits, with . _ or - between them, and no spaces."))


class BrandsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """Brands that were ticked; Django would ask the database for keys of any length, which it cannot take."""

    _LONGEST = 18  # Digits.

    def clean(self, value: Any) -> Any:
        """Django's, for what may be a key."""
        for key in value or ():
            if not (str(key).isdecimal() and len(str(key)) <= self._LONGEST):
                code = "invalid_pk_value"
                raise ValidationError(self.error_messages[code], code=code, params={"pk": key})
        return super().clean(value)


class PersonForm(forms.ModelForm):  # type: ignore[type-arg]
    """What holds for everybody: an address stands once among a brand's customers, and once among staff."""

    class Meta:
        model = User
        exclude = ("username", "password")  # noqa: DJ006 - the admin's fieldsets name the fields.
        field_classes = {
            "first_name": NameField,
            "last_name": NameField,
            "company_name": NameField,
            "phone": PhoneField,
            "account_number": AccountNumberField,
            "email": TypedEmailField,
            "carrier_email": TypedEmailField,
        }

    def clean_email(self) -> str:
        """In its normal form."""
        if email := normal_email(self.cleaned_data["email"]):
            return email
        raise ValidationError(EmailValidator.message, code="invalid")

    def clean(self) -> dict[str, Any]:
        """Look for others of the same brand (or none) with the same address, in whatever spelling."""
        cleaned = super().clean() or self.cleaned_data
        if (email := cleaned.get("email")) and self._taken(with_email(email)):
            self.add_error("email", _("This address belongs to somebody else already."))
        return cleaned

    def _taken(self, same: Q) -> bool:
        if "brand" in self.errors:
            return False
        brand = self.cleaned_data.get("brand") or self.instance.brand
        return User.objects.exclude(pk=self.instance.pk).filter(same, brand=brand).exists()


class CustomerForm(PersonForm):
    """A customer of a brand."""

    clear_refused_number = forms.BooleanField(
        label=_("I have looked into this"),
        required=False,
        help_text=_("Takes the customer off the list “account number refused”."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["account_number"].validators.append(_account_number)
        self.fields["account_type"].help_text = _("Empty means: not known, and customers read that.")
        self.fields["credit_limit"].validators.append(validate_at_most_zero)
        self.fields["credit_limit"].widget.attrs["dir"] = "ltr"  # The sign stands before the number.

    def clean_carrier_email(self) -> str:
        """In its normal form; it may be empty."""
        written = str(self.cleaned_data["carrier_email"])
        if written and not normal_email(written):
            raise ValidationError(EmailValidator.message, code="invalid")
        return normal_email(written)

    def clean(self) -> dict[str, Any]:
        """An account number belongs to one customer of a brand."""
        cleaned = super().clean()
        if (number := cleaned.get("account_number")) and self._taken(Q(account_number=number)):
            self.add_error("account_number", _("Another customer of this brand has this account number."))
        return cleaned


class NewCustomerForm(CustomerForm):
    """A customer who is known to the carrier, or soon will be; there is no password to set."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["brand"].required = True
        self.instance.set_unusable_password()


class StaffForm(PersonForm):
    """Somebody who works in the admin."""
