"""A customer's page in the admin: statement, transfers, emails, codes, sign-ins and changes by staff."""

from decimal import Decimal
from typing import Any, cast

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods

from accounts.models import User
from accounts.services.support import codes_limited_until, list_codes
from accounts.sign_in.history import list_sign_ins
from billing.admin.refresh import consume_refresh
from billing.models import Move
from billing.statements import labels, periods
from billing.statements.service import PAGE, StatementResult, get_statement
from billing.transfers.labels import describe_direction, describe_outcome, format_amount
from billing.transfers.views.base import get_own_customer
from portal.admin.site import site
from portal.core.account_types import POSTPAID
from portal.mail.log import list_emails
from portal.models import Brand
from portal.voipline import Statement

MAX_ROWS = 10  # Of transfers, sign-ins and changes each.


@require_http_methods(["GET", "HEAD", "POST"])
def customer(request: HttpRequest, pk: int) -> HttpResponse:
    """/admin/billing/customer/PK/, for staff of its brand. POST refreshes the statement."""
    found = get_own_customer(request, pk)
    if request.method != "POST":
        return _page(request, found, _figures(found))
    if not consume_refresh(request, f"customer {found.pk}"):
        return redirect("customer_page", pk)
    figures = _figures(found, refresh=True)
    failed = figures and figures.error
    return _page(request, found, figures) if failed else redirect("customer_page", pk)


def _figures(customer: User, *, refresh: bool = False) -> StatementResult | None:
    """Return this month's statement, cached or fetched; None if there is no account number."""
    brand = customer.brand
    if brand is None or not customer.account_number:
        return None
    month = periods.this_month(periods.today(brand))
    return get_statement(brand=brand, customer=customer, period=month, refresh=refresh, deadlines=PAGE)


def _page(request: HttpRequest, customer: User, figures: StatementResult | None) -> HttpResponse:
    brand = cast(Brand, customer.brand)  # Only customers have this page.
    statement = figures.statement if figures else None
    sign_ins, transfers = list_sign_ins(user=customer), _transfer_rows(customer)
    context: dict[str, Any] = {
        **site.each_context(request),
        "title": customer.get_full_name() or customer.email,
        "subtitle": str(brand),
        "customer": customer,
        "brand": brand,
        "figures": figures,
        "statement": statement,
        "rows": labels.list_statement_amounts(statement) if statement else [],
        "left": _credit_left(customer, statement),
        "transfers": transfers,
        "unknown": _unknown_transfer(customer),
        "sign_ins": sign_ins[:MAX_ROWS],
        "changes": _staff_changes(customer),
        "emails": list_emails(brand=brand, person=customer.pk, address=customer.email, most=MAX_ROWS),
        "codes": list_codes(customer=customer, most=MAX_ROWS),
        "limited_until": codes_limited_until(customer=customer),
    }
    return TemplateResponse(request, "admin/billing/customer.html", context)


def _credit_left(customer: User, statement: Statement | None) -> Decimal | None:
    """Return the credit left to a postpaid customer, if balance and limit are known."""
    if statement is None or customer.account_type != POSTPAID or customer.credit_limit is None:
        return None
    limit: Decimal = customer.credit_limit
    return statement.closing_balance - limit


def _unknown_transfer(customer: User) -> Move | None:
    """Return the unknown transfer, which blocks all others until staff resolve it."""
    return Move.objects.unknown().filter(customer=customer).first()


def _transfer_rows(customer: User) -> list[dict[str, Any]]:
    rows = Move.objects.filter(customer=customer).select_related("brand", "asked_by").defer("brand__logo")
    return [
        {
            "transfer": transfer,
            "amount": format_amount(transfer),
            "direction": describe_direction(transfer.amount, transfer.brand, transfer.account_number),
            "outcome": describe_outcome(transfer),
            "unknown": transfer.outcome == Move.State.UNKNOWN,
        }
        for transfer in rows[:MAX_ROWS]
    ]


def _staff_changes(customer: User) -> list[LogEntry]:
    """Return the latest changes of this customer by staff, the newest first."""
    kind = ContentType.objects.get_for_model(User)
    entries = LogEntry.objects.filter(content_type=kind, object_id=str(customer.pk)).select_related("user")
    return list(entries.order_by("-action_time", "-pk")[:MAX_ROWS])
