"""Template filters: money as the brand's customers write it."""

from decimal import ROUND_HALF_UP, Decimal

from babel.numbers import format_currency, get_currency_precision
from django import template
from django.utils.translation import get_language, to_locale

from portal.models import Brand

register = template.Library()


@register.filter
def money(amount: Decimal, brand: Brand) -> str:
    """An amount in the brand's currency, rounded half up to its minor unit, in the page's language."""
    unit = Decimal(1).scaleb(-get_currency_precision(brand.currency))
    rounded = amount.quantize(unit, ROUND_HALF_UP) + 0  # Adding 0 turns -0.00 into 0.00.
    return str(format_currency(rounded, brand.currency, locale=to_locale(get_language() or brand.language)))
