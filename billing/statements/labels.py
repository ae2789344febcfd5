"""Labels of a statement's amounts, and the classification of errors when fetching it."""

from dataclasses import astuple
from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple

from django.utils.text import capfirst
from django.utils.translation import gettext as _

from accounts.services.outcomes import is_account_gone
from billing.statements.periods import Period, this_month
from portal.core import formats
from portal.core.money import format_money, format_signed_money, rounded
from portal.models import Brand
from portal.voipline import Crowded, NotAuthorised, RateLimited, Rejected, Statement, UpstreamError


def classify_error(error: UpstreamError) -> Literal["gone", "refused", "busy", "down"]:
    """Classify an error for the reader of a statement.

    `gone`: the carrier knows no such account. `refused`: it does not accept our request, which only we can
    fix. `busy` and `down` are temporary.
    """
    if is_account_gone(error):
        return "gone"
    if isinstance(error, NotAuthorised | Rejected):
        return "refused"
    return "busy" if isinstance(error, RateLimited | Crowded) else "down"


def list_statement_amounts(statement: Statement) -> list[tuple[str, str, Decimal]]:
    """Return (field, label, amount) in reading order."""
    labels = [
        ("opening_balance", _("Opening balance")),
        ("payments", _("Payments")),
        ("call_charges", _("Call charges")),
        ("other_charges", _("Other charges")),
        ("adjustments", _("Adjustments")),
        ("total_charges", _("Total charges")),
        ("closing_balance", _("Closing balance")),
    ]
    return [(name, label, getattr(statement, name)) for name, label in labels]


class SignedAmount(NamedTuple):
    """A line of a sum: a balance at its top or end (`is_total`), or what changes the balance in between."""

    field: str
    label: str
    amount: Decimal
    is_total: bool

    def format(self, brand: Brand) -> str:
        """Return the amount in the brand's currency, with a sign if it changes the balance."""
        return (format_money if self.is_total else format_signed_money)(self.amount, brand)


def list_signed_amounts(statement: Statement) -> list[SignedAmount]:
    """Return a statement as a sum: payments with their own sign, charges and adjustments with the opposite.

    The first balance and all changes make the last balance exactly if the statement is consistent. Its total
    of charges is no line of this sum, because the charges are.
    """
    lines = []
    for field, label, amount in list_statement_amounts(statement):
        is_total = field in ("opening_balance", "closing_balance")
        if field != "total_charges":
            signed = amount if is_total or field == "payments" else -amount
            lines.append(SignedAmount(field, label, signed, is_total))
    return lines


def describe_period(period: Period, day: date) -> str:
    """Return a heading: November so far, October 2026, or both days. `day` is the brand's today."""
    if period == this_month(day):
        return capfirst(_("%(month)s so far") % {"month": formats.month_name(period.from_date)})
    if period.is_month:
        return capfirst(formats.month(period.from_date))
    days = {"first": formats.day(period.from_date), "last": formats.day(period.to_date)}
    return _("%(first)s to %(last)s") % days


def is_rounding_visible(statement: Statement, brand: Brand) -> bool:
    """Return True if consistent amounts no longer add up once rounded to the currency's minor unit."""
    shown = Statement(*(rounded(amount, brand.currency) for amount in astuple(statement)))
    return statement.is_consistent and not shown.is_consistent


def get_rounding_note() -> str:
    """Return the note that explains visible rounding differences."""
    return _("Amounts are rounded, so totals may be slightly different.")
