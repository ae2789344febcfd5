"""Forms of transfers: request one, resolve one, and a brand's rules."""

import re
import unicodedata
import uuid
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from billing.models import MovePolicy
from billing.transfers.confirmation import TransferRequest
from billing.transfers.labels import describe_direction
from billing.transfers.policy import TRIAL
from portal.brands.access import is_operator
from portal.core.money import format_money

LONGEST_NOTE = 500
_FILL_IN = {"required": _("Fill in this field.")}


class PlainAmountField(forms.DecimalField):
    """An amount of digits with at most two decimals, and nothing else."""

    def __init__(self, **options: Any) -> None:
        # A text field, as browsers accept 1e3 in a number field.
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
        super().__init__(**{"max_digits": 12, "decimal_places": 2, "widget": widget, **options})
        self.error_messages |= _FILL_IN

    def to_python(self, value: Any) -> Decimal | None:  # type: ignore[override]
        """Stricter than Django's field, which takes exponents, signs and digits of any script."""
        if value in self.empty_values or isinstance(value, Decimal):
            return value or None
        if not re.fullmatch(r"[0-9]{1,10}(\.[0-9]{1,2})?", str(value).strip()):
            raise ValidationError(_("Write the amount like 25 or 25.50, without a currency."), code="invalid")
        return Decimal(str(value).strip())


def validate_one_line(text: str) -> None:
    """Refuse line breaks and characters that change the order of the text."""
    if any(unicodedata.category(sign) in ("Cc", "Zl", "Zp") or sign in _TURNING for sign in text):
        raise ValidationError(_("Write one line, without invisible characters."), code="invalid")


_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class TransferForm(forms.Form):
    """Amount, direction and description. `operation` is the idempotency key."""

    operation = forms.UUIDField(widget=forms.HiddenInput)
    direction = forms.ChoiceField(label=_("Direction"), widget=forms.RadioSelect, error_messages=_FILL_IN)
    amount = PlainAmountField()
    description = forms.CharField(
        label=_("Description"),
        max_length=140,
        validators=[validate_one_line],
        error_messages=_FILL_IN,
        help_text=_("It is sent to the carrier, and the customer may get to read it."),
    )

    def __init__(self, *args: Any, customer: User, policy: MovePolicy, by: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.policy = policy
        field: Any = self.fields["direction"]
        field.choices = _directions(policy, customer.account_number, by)
        field.initial = field.choices[0][0]
        self.fields["amount"].label = gettext("Amount in %(currency)s") % {"currency": policy.brand.currency}

    def clean_amount(self) -> Decimal:
        """Require more than zero; the direction is not a sign."""
        amount: Decimal = self.cleaned_data["amount"]
        if not amount:
            raise ValidationError(_("Write an amount above zero."))
        return amount

    def clean(self) -> None:
        """Until refunds are allowed, limit the amount of a test refund."""
        back = self.cleaned_data.get("direction") == "back"
        if back and not self.policy.back_at and self.cleaned_data.get("amount", 0) > TRIAL:
            words = gettext("Refunds aren't enabled yet. For the test transfer, enter %(most)s or less.")
            self.add_error("amount", words % {"most": format_money(TRIAL, self.policy.brand)})

    @property
    def transfer_request(self) -> TransferRequest:
        """The request of a valid form."""
        data = self.cleaned_data
        amount = -data["amount"] if data["direction"] == "back" else data["amount"]
        return TransferRequest(data["operation"], amount, data["description"])


def _directions(policy: MovePolicy, number: str, by: User) -> list[tuple[str, str]]:
    """Offer a refund only if refunds are allowed, or to operators as a test."""
    forward, back = (describe_direction(Decimal(sign), policy.brand, number) for sign in (1, -1))
    if policy.back_at:
        return [("to_customer", forward), ("back", back)]
    if not is_operator(by):
        return [("to_customer", forward)]
    words = gettext("%(direction)s, as a trial of at most %(most)s")
    return [
        ("to_customer", forward),
        ("back", words % {"direction": back, "most": format_money(TRIAL, policy.brand)}),
    ]


def parse_operation(text: str) -> uuid.UUID | None:
    """Return the operation in a form's field; None if it is not a UUID."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


class NoteForm(forms.Form):
    """The reason for a decision; it stays in the audit log."""

    note = forms.CharField(
        label=_("Note for the record"),
        max_length=LONGEST_NOTE,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages=_FILL_IN,
    )


class StopForm(forms.Form):
    """An operator's reason for stopping all transfers; shown to the brand's staff."""

    why = forms.CharField(
        label=_("Reason"),
        max_length=200,
        validators=[validate_one_line],
        error_messages=_FILL_IN,
        help_text=_("Write a full sentence. Everyone who wants to transfer funds will see it."),
    )


class ResolveForm(NoteForm):
    """The result of an unknown transfer; no choice is preselected."""

    happened = forms.ChoiceField(
        label=_("What you found"),
        choices=[
            ("yes", pgettext_lazy("a move of funds", "Yes, the transfer went through")),
            ("no", pgettext_lazy("a move of funds", "No, it didn't go through")),
        ],
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose one of them.")},
    )
    field_order = ("happened", "note")


class LimitsForm(forms.Form):
    """Limits of a brand's transfers, in the brand's currency."""

    per_move = PlainAmountField(label=_("Limit per transfer"))
    per_day = PlainAmountField(
        label=_("Daily limit (last 24 hours)"),
        help_text=_("All transfers of the brand together, in both directions."),
    )
    second_person_above = PlainAmountField(
        label=_("Approval needed above"),
        help_text=_(
            "We add up a customer's transfers without approval in the last 24 hours. Enter 0 to require "
            "approval for every transfer."
        ),
    )

    def clean(self) -> None:
        """The limit per transfer must not exceed the daily limit."""
        once, day = self.cleaned_data.get("per_move"), self.cleaned_data.get("per_day")
        if once is not None and day is not None and once > day:
            self.add_error("per_move", _("This is more than the daily limit."))
