"""A statement as a file, for customers and for staff."""

from django.http import HttpResponse

from accounts.models import User
from billing.statements import csv_export
from billing.statements.file_names import build_file_name
from billing.statements.pdf import render_pdf
from billing.statements.service import StatementResult
from portal.models import Brand

CSV_TYPE = "text/csv; charset=utf-8"


def has_file(found: StatementResult) -> bool:
    """Return True if there is a statement to put into a file."""
    return bool(found.statement and found.period_shown and found.as_of)


def statement_file(*, brand: Brand, customer: User, found: StatementResult, ending: str) -> HttpResponse:
    """Return the statement as an attachment; `ending` is csv or pdf. Only if it `has_file`."""
    assert found.statement
    assert found.period_shown
    assert found.as_of
    number = customer.account_number
    if ending == "pdf":
        content, kind = render_pdf(brand=brand, customer=customer, found=found), "application/pdf"
    else:
        text = csv_export.render_csv(
            brand=brand,
            account_number=number,
            period=found.period_shown,
            statement=found.statement,
            as_of=found.as_of,
        )
        content, kind = ("\ufeff" + text).encode(), CSV_TYPE
    name = build_file_name(brand=brand, account_number=number, period=found.period_shown, ending=ending)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(content, content_type=kind, headers=headers)
