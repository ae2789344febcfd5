"""Export a statement as CSV."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from billing.statements.labels import list_statement_amounts
from billing.statements.periods import Period
from billing.statements.service import StatementResult
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
        (_("Updated"), _moment(brand, as_of)),
        (_("Currency"), brand.currency),
    ]
    texts = [(escape_formula(label), escape_formula(value)) for label, value in head]
    figures = [
        (escape_formula(label), f"{amount:f}") for _name, label, amount in list_statement_amounts(statement)
    ]
    return _format_csv(texts + figures)


def render_months_csv(*, brand: Brand, account_number: str, months: Sequence[StatementResult]) -> str:
    """Return a table with a row for each month, the oldest first; a month without a statement has no amounts.

    Amounts and texts are as in `render_csv`.
    """
    amounts = next(list_statement_amounts(each.statement) for each in months if each.statement)
    labels = [_("Account number"), _("From"), _("To"), *(label for _name, label, _amount in amounts)]
    rows = [[escape_formula(label) for label in (*labels, _("Currency"), _("Updated"))]]
    for month in reversed(months):
        period = month.period_shown or month.period
        figures = [""] * len(amounts)
        if month.statement:
            figures = [f"{amount:f}" for _name, _label, amount in list_statement_amounts(month.statement)]
        days = period.from_date.isoformat(), period.to_date.isoformat()
        end = brand.currency, _moment(brand, month.as_of)
        rows.append([escape_formula(account_number), *days, *figures, *end])
    return _format_csv(rows)


def _moment(brand: Brand, at: datetime | None) -> str:
    return at.astimezone(brand.zone).isoformat(timespec="seconds") if at else ""


def _format_csv(rows: Iterable[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()
