"""Export a statement as CSV."""

import csv
import io
from collections.abc import Iterable
from datetime import datetime

from django.utils.translation import gettext as _

from billing.statements.labels import list_statement_amounts
from billing.statements.periods import Period
from portal.core.csv_escape import escape_formula
from portal.models import Brand
from portal.voipline import Statement


def render_csv(
    *, brand: Brand, account_number: str, period: Period, statement: Statement, as_of: datetime
) -> str:
    """Return the statement as CSV (RFC 4180): plain numbers with all decimals, texts safe for a spreadsheet.

    `as_of` is written in the brand's time zone, with its offset.
    """
    head = [
        (_("Account number"), account_number),
        (_("From"), period.from_date.isoformat()),
        (_("To"), period.to_date.isoformat()),
        (_("Updated"), as_of.astimezone(brand.zone).isoformat(timespec="seconds")),
        (_("Currency"), brand.currency),
    ]
    texts = [(escape_formula(label), escape_formula(value)) for label, value in head]
    figures = [
        (escape_formula(label), f"{amount:f}") for _name, label, amount in list_statement_amounts(statement)
    ]
    return _format_csv(texts + figures)


def _format_csv(rows: Iterable[tuple[str, str]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()
