"""Amounts: exact to the last digit in every database, and rounded as they are shown."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from babel.numbers import get_currency_precision
from django import forms
from django.db import models
from django.utils.text import capfirst


def rounded(amount: Decimal, currency: str) -> Decimal:
    """As it is shown: half up, to the currency's minor unit."""
    return amount.quantize(Decimal(1).scaleb(-get_currency_precision(currency)), ROUND_HALF_UP)


class AmountField(models.CharField):  # type: ignore[type-arg]
    """A column that holds a `Decimal` as it came, in fixed notation; NULL where it is not known.

    A text, because SQLite keeps a decimal column as a binary float and so loses digits after the fifteenth.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_length": 24, "null": True, "blank": True, **kwargs})

    def from_db_value(self, value: str | None, *_: object) -> Decimal | None:
        """What a row's attribute holds after reading."""
        return None if value in (None, "") else Decimal(value)

    def to_python(self, value: Any) -> Decimal | None:
        """Used by validation and fixtures."""
        return None if value in (None, "") else Decimal(value)

    def get_prep_value(self, value: Any) -> str | None:
        """What goes into the column. Raises TypeError for a float, which would be exact by accident only."""
        if isinstance(value, float):
            raise TypeError(f"{self.name} takes a Decimal, not a float")
        return None if value in (None, "") else f"{Decimal(value):f}"

    def run_validators(self, value: Any) -> None:
        """What the column limits is the text's length."""
        super().run_validators(self.get_prep_value(value))

    def value_to_string(self, obj: models.Model) -> str:
        """What dumpdata writes."""
        return self.get_prep_value(self.value_from_object(obj)) or ""

    def formfield(self, **kwargs: Any) -> Any:
        """A number with at most five decimals."""
        wanted = {name: kwargs[name] for name in ("widget", "initial") if name in kwargs}
        return forms.DecimalField(
            label=capfirst(self.verbose_name),
            help_text=self.help_text,
            required=not self.blank,
            max_digits=17,
            decimal_places=5,
            **wanted,
        )
