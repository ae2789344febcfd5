"""Parse and validate a customer's credit limit: a plain number, at most zero."""

import re
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

# The same number of digits as the form field allows.
_PLAIN = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,5})?", re.ASCII)


def parse_amount(text: str) -> Decimal | None:
    """Return the amount if the text is a plain number with at most five decimals, else None."""
    return Decimal(text) + 0 if _PLAIN.fullmatch(text) else None  # Adding 0 turns -0 into 0.


def validate_at_most_zero(limit: Decimal) -> None:
    """Raise ValidationError if a credit limit is above zero: it says how far the balance may fall."""
    if limit > 0:
        raise ValidationError(
            _(
                "A credit limit is how far the balance may go below zero, so it is no more than 0. "
                "For %(amount)s below zero write -%(amount)s."
            ),
            params={"amount": f"{limit:f}"},
        )
