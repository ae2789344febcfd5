"""Format and round amounts, and store them exactly in every database."""

import re
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any, Protocol

from babel.numbers import (
    format_compact_currency,
    format_compact_decimal,
    format_currency,
    format_decimal,
    get_currency_precision,
)
from django import forms
from django.db import models
from django.utils.text import capfirst
from django.utils.translation import get_language_bidi

from portal.core.formats import current_locale

# In right-to-left languages an amount is isolated and runs left to right (UAX 9: LRI, RLI, PDI; LRM and RLM).
_ISOLATE, _ISOLATE_RTL, _RELEASE, _MARKS = "\u2066", "\u2067", "\u2069", "\u200e\u200f"
_MINUS = "\u2212"
WORD_JOINER = "\u2060"  # Browsers would end a line between a sign and a symbol like $ or £.

# GBP 5.00, as Unicode's rules demand and Babel omits.
_LETTERS_END = re.compile(r"(?<=[A-Za-z])(?=\d)")
_COMPACT_FROM = 1000  # Smaller amounts are written out.


def rounded(amount: Decimal, currency: str) -> Decimal:
    """Return the amount as it is shown: rounded half up to the currency's minor unit."""
    return amount.quantize(Decimal(1).scaleb(-get_currency_precision(currency)), ROUND_HALF_UP)


class HasCurrency(Protocol):
    """A brand or any other object with a currency."""

    currency: str


def format_money(amount: Decimal, brand: HasCurrency) -> str:
    """Format an amount in the brand's currency, rounded half up to its minor unit."""
    return _isolate(_format(amount, brand.currency, current_locale(), ""))


def format_signed_money(amount: Decimal, brand: HasCurrency) -> str:
    """Format an amount that comes or goes, like +$50.00 and −$37.58. One that rounds to zero has no sign."""
    return _isolate(_format(amount, brand.currency, current_locale(), "+"))


@lru_cache(maxsize=2000)
def _format(amount: Decimal, currency: str, locale: str, plus: str) -> str:
    value = rounded(amount, currency)
    text = str(format_currency(abs(value), currency, locale=locale)).strip(_MARKS)
    text = _LETTERS_END.sub("\u00a0", text)
    return _sign(text, _MINUS if value < 0 else plus if value else "")


def _sign(text: str, sign: str) -> str:
    return f"{sign}{WORD_JOINER if sign and not text[0].isalnum() else ''}{text}"


def format_compact_number(amount: Decimal) -> str:
    """Format an amount for the scale of a chart: without currency, large amounts abbreviated like 1.5K."""
    size, sign, locale = abs(amount), _MINUS if amount < 0 else "", current_locale()
    if size < _COMPACT_FROM and size != size.to_integral_value():
        return _isolate(sign + str(format_decimal(size, "0.00", locale=locale)))
    text = sign + str(format_compact_decimal(size, fraction_digits=1, locale=locale))
    number, gap, word = text.partition("\xa0")
    if not (word and get_language_bidi()):
        return _isolate(number + gap + word)
    return f"{_ISOLATE_RTL}{_isolate(number)}{gap}{word}{_RELEASE}"  # The number comes first, at the right.


def format_compact_money(amount: Decimal, brand: HasCurrency) -> str:
    """Format an amount for the scale of a chart: like $50, $2.50 or $1.5K; in Arabic without the currency.

    A right-to-left text would tear currency, number and abbreviation apart.
    """
    if get_language_bidi():
        return format_compact_number(amount)
    if abs(amount) < _COMPACT_FROM and amount != amount.to_integral_value():
        return format_money(amount, brand)
    digits = 1 if abs(amount) >= _COMPACT_FROM else 0
    text = format_compact_currency(
        abs(amount), brand.currency, locale=current_locale(), fraction_digits=digits
    )
    return _sign(str(text), _MINUS if amount < 0 else "")


def _isolate(text: str) -> str:
    return f"{_ISOLATE}{text.strip(_MARKS)}{_RELEASE}" if get_language_bidi() else text


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
