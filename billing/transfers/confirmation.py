"""Sign what a page shows before a transfer, so that exactly that is confirmed."""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Self

from django.core import signing

from accounts.models import User
from portal.models import Brand

VALID_FOR = timedelta(minutes=10)


@dataclass(frozen=True)
class TransferRequest:
    """A transfer as requested on the first page; a negative amount goes back to the partner account.

    `operation` is its idempotency key. `warned`: the second page warned that the transfer empties the partner
    account.
    """

    operation: uuid.UUID
    amount: Decimal
    description: str
    warned: bool = False

    def form_data(self) -> dict[str, str]:
        """Return the values of the first page's form."""
        return {
            "operation": str(self.operation),
            "direction": "back" if self.amount < 0 else "to_customer",
            "amount": f"{abs(self.amount):f}",
            "description": self.description,
        }

    def sign(self, *, brand: Brand, customer: User, by: User) -> str:
        """Return the request as a token that only `by` can use, and only for this account of the customer."""
        return sign_confirmation(
            brand=brand,
            by=by,
            to=[customer.pk, customer.account_number],
            operation=str(self.operation),
            amount=str(self.amount),
            description=self.description,
            warned=self.warned,
        )

    @classmethod
    def load(
        cls, token: str, *, brand: Brand, customer: User, by: User, expired: bool = False
    ) -> Self | None:
        """Return the request in a token; None if the token is not of `by`, this account and ten minutes.

        With `expired`, one of any age or account is returned too: to fill the form again, not to be sent.
        """
        max_age = None if expired else VALID_FOR
        shown = read_confirmation(brand=brand, by=by, token=token, max_age=max_age)
        if not shown or not {"to", "operation", "amount", "description", "warned"} <= shown.keys():
            return None
        if not expired and shown["to"] != [customer.pk, customer.account_number]:
            return None
        operation, amount = uuid.UUID(shown["operation"]), Decimal(shown["amount"])
        return cls(operation, amount, shown["description"], shown["warned"])


def sign_confirmation(*, brand: Brand, by: User, **shown: Any) -> str:
    """Return what was shown as a token that only `by` can use, for ten minutes."""
    return signing.dumps(shown, salt=_salt(brand, by), compress=True)


def read_confirmation(
    *, brand: Brand, by: User, token: str, max_age: timedelta | None = VALID_FOR
) -> dict[str, Any] | None:
    """Return what was shown; None if the token is too old, or not one of this brand and person."""
    try:
        shown = signing.loads(token, salt=_salt(brand, by), max_age=max_age)
    except signing.BadSignature:
        return None
    return shown if isinstance(shown, dict) else None


def _salt(brand: Brand, by: User) -> str:
    return f"billing.move:{brand.pk}:{by.pk}"
