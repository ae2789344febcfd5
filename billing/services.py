"""Reading a customer's figures from the carrier."""

import csv
import io
import logging
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from django.utils.translation import gettext as _

from accounts.outcomes import account_gone
from billing.periods import Period
from portal import upstream
from portal.cells import neutral
from portal.models import Brand
from portal.voipline import NotAuthorised, RateLimited, Rejected, Statement, UpstreamError

logger = logging.getLogger(__name__)


def statement_read(*, brand: Brand, account_number: str, period: Period) -> Statement:
    """The customer's statement for a period, as the carrier sends it.

    Amounts are in the brand's currency, with up to five decimals. Sums that do not hold are logged, never
    repaired. Raises UpstreamError.
    """
    answer = upstream.call(
        brand=brand,
        method="customer_balance",
        account_number=account_number,
        from_date=period.from_date,
        to_date=period.to_date,
    )
    statement = Statement.from_answer(answer)
    if not statement.sums_hold:
        logger.warning("statement does not add up", extra={"brand": brand.slug})
    return statement


def balance_state(statement: Statement) -> str:
    """`credit`, `empty` or `below` zero, of the closing balance as it is shown: to the cent."""
    shown = statement.closing_balance.quantize(Decimal("0.01"), ROUND_HALF_UP)
    return "credit" if shown > 0 else "below" if shown < 0 else "empty"


def statement_moves(statement: Statement) -> bool:
    """Whether anything was paid, charged or adjusted in the period."""
    names = ("payments", "call_charges", "other_charges", "adjustments", "total_charges")
    return any(getattr(statement, name) for name in names)


def statement_trouble(error: UpstreamError) -> Literal["gone", "refused", "busy", "down"]:
    """What an error means for whoever wants to see their figures.

    `gone`: the carrier knows no such account. `refused`: it does not take our question, and only we can
    mend that. `busy` and `down` pass by themselves.
    """
    if account_gone(error):
        return "gone"
    if isinstance(error, NotAuthorised | Rejected):
        return "refused"
    return "busy" if isinstance(error, RateLimited) else "down"


def statement_rows() -> list[tuple[str, str]]:
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


def statement_csv(*, brand: Brand, account_number: str, period: Period, statement: Statement) -> str:
    """The statement as CSV (RFC 4180): bare numbers with all their decimals, texts safe for a spreadsheet."""
    head = [
        (_("Account number"), account_number),
        (_("From"), period.from_date.isoformat()),
        (_("To"), period.to_date.isoformat()),
        (_("Currency"), brand.currency),
    ]
    figures = [(label, f"{getattr(statement, name):f}") for name, label in statement_rows()]
    texts = [(neutral(label), neutral(value)) for label, value in head]
    return _lines(texts + [(neutral(label), number) for label, number in figures])


def _lines(rows: Iterable[tuple[str, str]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()
