"""The admin's forms for people: an address or an account number that is taken is said at its field."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.credit import at_most_zero
from accounts.models import User
from portal.voipline import is_account_number


def _account_number(value: str) -> None:
    if not is_account_number(value):
        raise ValidationError(_("Write letters and digits, with . _ or - between them, and no spaces."))


class PersonForm(forms.ModelForm):  # type: ignore[type-arg]
    """What holds for everybody: an address stands once among a brand's customers, and once among staff."""

    class Meta:
        model = User
        exclude = ("username", "password")  # noqa: DJ006 - the admin's fieldsets name the fields.

    def clean(self) -> dict[str, Any]:
        """Look for others of the same brand (or none) with the same address, in whatever case."""
        cleaned = super().clean() or self.cleaned_data
        if self._taken(email__lower=cleaned.get("email", "").lower()):
            self.add_error("email", _("This address belongs to somebody else already."))
        return cleaned

    def _taken(self, **same: str) -> bool:
        if not all(same.values()) or "brand" in self.errors:
            return False
        brand = self.cleaned_data.get("brand") or self.instance.brand
        return User.objects.exclude(pk=self.instance.pk).filter(brand=brand, **same).exists()


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
        self.fields["credit_limit"].validators.append(at_most_zero)
        self.fields["credit_limit"].widget.attrs["dir"] = "ltr"  # The sign stands before the number.

    def clean(self) -> dict[str, Any]:
        """An account number belongs to one customer of a brand."""
        cleaned = super().clean()
        if self._taken(account_number=cleaned.get("account_number", "")):
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
