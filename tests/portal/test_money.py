"""Amounts carry one sign in front, hold together, and are read from left to right in every language."""

import re
from decimal import Decimal

import pytest
from babel.numbers import parse_decimal
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from portal.core.formats import current_locale
from portal.core.money import WORD_JOINER, format_money, format_signed_money, rounded
from portal.models import Brand
from portal.templatetags import formats

LANGUAGES = ["en", "en-au", "en-gb", "en-nz", "es", "zh-hans", "ar"]
AMOUNTS = st.decimals(-(10**14), 10**14, places=5)


def signed(amount: str, language: str = "en-au", currency: str = "AUD") -> str:
    with translation.override(language):
        return format_signed_money(Decimal(amount), Brand(currency=currency))


@pytest.mark.parametrize(
    ("amount", "language", "shown"),
    [
        ("50", "en-au", "+$50.00"),
        ("-37.575", "en-au", "−$37.58"),
        ("0", "en-au", "$0.00"),
        ("-0.00499", "en-au", "$0.00"),
        ("0.00499", "en-au", "$0.00"),
        ("50", "es", "+50,00\xa0AUD"),
        ("-1234.5", "es", "−1.234,50\xa0AUD"),
        ("50", "zh-hans", "+AU$50.00"),
        ("-37.58", "zh-hans", "−AU$37.58"),
        ("50", "ar", "\u2066+50.00\xa0AU$\u2069"),
        ("-37.58", "ar", "\u2066−37.58\xa0AU$\u2069"),
        ("0", "ar", "\u20660.00\xa0AU$\u2069"),
    ],
)
def test_amount_that_comes_or_goes_has_its_sign_in_front(amount, language, shown):
    assert signed(amount, language).replace(WORD_JOINER, "") == shown


def test_sign_and_symbol_stay_on_one_line():
    assert signed("-37.58") == f"−{WORD_JOINER}$37.58"
    assert signed("50", "en-gb", "GBP") == f"+{WORD_JOINER}£50.00"


def test_negative_balance_has_the_same_minus_and_no_plus():
    with translation.override("en-au"):
        assert format_money(Decimal("-1.82"), Brand(currency="AUD")) == signed("-1.82")
        assert format_money(Decimal("1.82"), Brand(currency="AUD")) == "$1.82"


def test_templates_know_the_filter():
    assert formats.register.filters["signed_money"] is format_signed_money


@given(AMOUNTS, st.sampled_from(LANGUAGES), st.sampled_from(["AUD", "NZD", "USD", "GBP"]))
def test_signed_amount_reads_back_in_every_language(amount: Decimal, language: str, currency: str) -> None:
    with translation.override(language):
        brand = Brand(currency=currency)
        text, plain = (write(amount, brand) for write in (format_signed_money, format_money))
        number = parse_decimal("".join(re.findall(r"[\d.,]", text)), locale=current_locale())
    value = rounded(amount, currency)
    assert number == abs(value)
    assert ("+" in text, "−" in text) == (value > 0, value < 0)
    assert plain == text.replace("+", "").replace(WORD_JOINER, "" if value > 0 else WORD_JOINER)
    assert not re.search(r"[ \u200e\u200f\u202a-\u202e-]", text)
    assert (text.startswith("\u2066"), text.endswith("\u2069")) == (language == "ar",) * 2
