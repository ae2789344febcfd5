"""What a statement's figures are called, what an error means for them, and the statement as a file."""

import csv
import io
from collections.abc import Iterable
from dataclasses import astuple
from datetime import datetime
from decimal import Decimal
from typing import Literal

from django.utils.translation import gettext as _

from accounts.services.outcomes import is_account_gone
from billing.statements.periods import Period
from portal.core.csv_escape import escape_formula
from portal.core.money import rounded
from portal.models import Brand
from portal.voipline import Crowded, NotAuthorised, RateLimited, Rejected, Statement, UpstreamError


def classify_error(error: UpstreamError) -> Literal["gone", "refused", "busy", "down"]:
    """What an error means for whoever wants to see their figures.

    `gone`: the carrier knows no such account. `refused`: it does not take our question, and only we can
    mend that. `busy` and `down` pass by themselves.
    """
    if is_account_gone(error):
        return "gone"
    if isinstance(error, NotAuthorised | Rejected):
        return "refused"
    return "busy" if isinstance(error, RateLimited | Crowded) else "down"


def list_statement_rows() -> list[tuple[str, str]]:
    """(field, label) in the order in which a statement is read."""
    return [
        ("opening_balance", _("Opening balance")),
        ("payments", _("Payments")),
        ("call_charges", _("Call charges")),
        ("other_charges", _("Other charges")),
        ("adjustments", _("Adjustments")),
        ("total_charges", _("Total charges")),
        ("closing_balance", _("Closing balance")),
    ]


def list_statement_amounts(statement: Statement) -> list[tuple[str, str, Decimal]]:
    """(field, label, amount) in that order."""
    return [(name, label, getattr(statement, name)) for name, label in list_statement_rows()]


def is_rounding_visible(statement: Statement, brand: Brand) -> bool:
    """Whether amounts that add up no longer do as pages show them, rounded to the currency's minor unit."""
    shown = Statement(*(rounded(amount, brand.currency) for amount in astuple(statement)))
    return statement.is_consistent and not shown.is_consistent


def get_rounding_note() -> str:
    """What a reader with a calculator is told then."""
    return _("Amounts are rounded here, but added up with all their decimals. So the last digit may differ.")


def statement_csv(
    *, brand: Brand, account_number: str, period: Period, statement: Statement, as_of: datetime
) -> str:
    """The statement as CSV (RFC 4180): bare numbers with all their decimals, texts safe for a spreadsheet.

    The moment for which the figures hold is in the brand's time zone, with its offset.
    """
    head = [
        (_("Account number"), account_number),
        (_("From"), period.from_date.isoformat()),
        (_("To"), period.to_date.isoformat()),
        (_("As of"), as_of.astimezone(brand.zone).isoformat(timespec="seconds")),
        (_("Currency"), brand.currency),
    ]
    texts = [(escape_formula(label), escape_formula(value)) for label, value in head]
    figures = [
        (escape_formula(label), f"{amount:f}") for _name, label, amount in list_statement_amounts(statement)
    ]
    return _lines(texts + figures)


def _lines(rows: Iterable[tuple[str, str]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()
