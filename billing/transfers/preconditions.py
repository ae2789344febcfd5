"""Preconditions of a transfer: ownership, and no other open transfer. Each raises TransferRefused."""

from datetime import datetime
from decimal import Decimal

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from billing.models import Move
from billing.transfers.policy import TransferRefused
from portal.brands.access import get_brands
from portal.models import Brand


def require_access(brand: Brand, customer: User, by: User) -> None:
    """Require that the customer belongs to the brand, and that `by` works for it."""
    if customer.brand_id != brand.pk or not get_brands(by).filter(pk=brand.pk).exists():
        raise TransferRefused(_("There is no such customer."))


def require_account_number(customer: User) -> None:
    """Require that the customer has an account number."""
    if not customer.account_number:
        raise TransferRefused(
            _("This customer has no account number, so there's no account to transfer funds to.")
        )


def describe_unknown_account(number: str) -> str:
    """Return the text that the carrier does not know the account."""
    return _(
        "The carrier knows no account with the number %(number)s, so nothing was sent. Check the number on "
        "the customer’s page, and compare it with the carrier’s partner portal."
    ) % {"number": number}


def describe_open_transfer() -> str:
    """Return the text that another transfer is open."""
    return _(
        "Another transfer for this customer is in progress or has no confirmed result. It has to be "
        "resolved first."
    )


def require_no_open_transfer(customer: User, exclude: Move | None = None) -> None:
    """Require that no transfer of this customer or account number is open."""
    if _others(customer, exclude).filter(state__in=Move.OPEN).exists():
        raise TransferRefused(describe_open_transfer())


def require_latest_balance(customer: User, read_at: datetime, exclude: Move | None = None) -> None:
    """Require that no other transfer was done since the balance was read: its change would look like ours."""
    if _others(customer, exclude).filter(state=Move.State.DONE, ended_at__gt=read_at).exists():
        raise TransferRefused(
            _(
                "Another transfer for this customer was made while we read the balances. Nothing was "
                "sent. Check the new balances and try again."
            )
        )


def _others(customer: User, exclude: Move | None) -> QuerySet[Move]:
    account = Q(brand=customer.brand_id, account_number=customer.account_number)
    rows = Move.objects.filter(Q(customer=customer) | account)
    return rows.exclude(pk=exclude.pk) if exclude else rows


def require_confirmation(empties_partner: bool, confirmed: bool) -> None:
    """Require a separate confirmation if the transfer cuts off all customers."""
    if empties_partner and not confirmed:
        raise TransferRefused(
            _(
                "This would take the partner balance to zero or below, and cut off all customers of the "
                "brand. You have to confirm this separately."
            ),
            needs="empties_partner",
        )


def would_empty_partner_account(amount: Decimal, partner: Decimal) -> bool:
    """Return True if the amount takes a partner balance to zero or below."""
    return amount > 0 and partner - amount <= 0
