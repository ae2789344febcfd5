"""What somebody was shown and is to confirm, signed: so that what is confirmed is what was shown."""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.core import signing

from accounts.models import User
from portal.models import Brand

GOOD_FOR = timedelta(minutes=10)


@dataclass(frozen=True)
class Wanted:
    """A move as somebody wants it; a negative amount goes back to the partner account."""

    operation: uuid.UUID
    amount: Decimal
    description: str

    def typed(self) -> dict[str, str]:
        """As the form's fields hold it."""
        return {
            "operation": str(self.operation),
            "direction": "back" if self.amount < 0 else "to_customer",
            "amount": f"{abs(self.amount):f}",
            "description": self.description,
        }


def sign_confirmation(*, brand: Brand, by: User, **shown: Any) -> str:
    """What was shown, as a text that this person alone can send back, for ten minutes."""
    return signing.dumps(shown, salt=_salt(brand, by), compress=True)


def read_confirmation(*, brand: Brand, by: User, text: str) -> dict[str, Any] | None:
    """What was shown; None where the text is too old, somebody else's, another brand's, or not ours."""
    try:
        shown = signing.loads(text, salt=_salt(brand, by), max_age=GOOD_FOR)
    except signing.BadSignature:
        return None
    return shown if isinstance(shown, dict) else None


def _salt(brand: Brand, by: User) -> str:
    return f"billing.move:{brand.pk}:{by.pk}"
