"""Round amounts for display, and store them exactly in every database."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from babel.numbers import get_currency_precision
from django import forms
from django.db import models
from django.utils.text import capfirst


def rounded(amount: Decimal, currency: str) -> Decimal:
    """Return the amount as it is shown: rounded half up to the currency's minor unit."""
    return amount.quantize(Decimal(1).scaleb(-get_currency_precision(currency)), ROUND_HALF_UP)


class AmountField(models.CharField):  # type: ignore[type-arg]
    """A column for an unrounded `Decimal`, in fixed-point notation; NULL if the amount is unknown.

    It is stored as text, because SQLite stores decimals as binary floats and loses digits after the
    fifteenth.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_length": 24, "null": True, "blank": True, **kwargs})

    def from_db_value(self, value: str | None, *_: object) -> Decimal | None:
        return None if value in (None, "") else Decimal(value)

    def to_python(self, value: Any) -> Decimal | None:
        return None if value in (None, "") else Decimal(value)

    def get_prep_value(self, value: Any) -> str | None:
        """Return the text for the column. Raise TypeError for a float, which is exact only by accident."""
        if isinstance(value, float):
            raise TypeError(f"{self.name} takes a Decimal, not a float")
        return None if value in (None, "") else f"{Decimal(value):f}"

    def run_validators(self, value: Any) -> None:
        # The column limits the length of the text.
        super().run_validators(self.get_prep_value(value))

    def value_to_string(self, obj: models.Model) -> str:
        return self.get_prep_value(self.value_from_object(obj)) or ""

    def formfield(self, **kwargs: Any) -> Any:
        """Return a field for a number with at most five decimals."""
        options = {name: kwargs[name] for name in ("widget", "initial") if name in kwargs}
        return forms.DecimalField(
            label=capfirst(self.verbose_name),
            help_text=self.help_text,
            required=not self.blank,
            max_digits=17,
            decimal_places=5,
            **options,
        )
