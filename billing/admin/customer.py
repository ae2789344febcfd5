"""A customer's page in the admin: statement, transfers, emails, codes, sign-ins and changes by staff."""

from decimal import Decimal
from typing import Any, cast

from django.contrib import messages
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import User
from accounts.services.support import codes_limited_until, list_codes
from accounts.sign_in.history import list_sign_ins
from billing.admin.refresh import consume_refresh
from billing.models import Move
from billing.statements import labels, periods
from billing.statements.forms import PeriodForm
from billing.statements.service import PAGE, Balance, get_balance, get_statement
from billing.transfers.labels import describe_direction, describe_outcome, format_amount
from billing.transfers.views.base import get_own_customer
from billing.views.context import build_balance_context, parse_period_form
from billing.views.files import has_file, statement_file
from portal.admin.site import site
from portal.core.account_types import POSTPAID
from portal.mail.log import list_emails
from portal.models import Brand
from portal.resilience import rate_limits
from portal.voipline import Statement
from portal.web import retry

MAX_ROWS = 10  # Of transfers, sign-ins and changes each.


@require_http_methods(["GET", "HEAD", "POST"])
def customer(request: HttpRequest, pk: int) -> HttpResponse:
    """/admin/billing/customer/PK/, for staff of its brand. POST refreshes the statement.

    With `?from_date=YYYY-MM-DD&to_date=YYYY-MM-DD` it shows another period than this month.
    """
    found = get_own_customer(request, pk)
    form = parse_period_form(request.GET, cast(Brand, found.brand))
    if request.method != "POST":
        return _page(request, found, form, _figures(found, form))
    if not consume_refresh(request, f"customer {found.pk}"):
        return redirect("customer_page", pk)
    figures = _figures(found, form, refresh=True)
    failed = figures and figures.current.error
    return _page(request, found, form, figures) if failed else redirect("customer_page", pk)


@require_safe
def customer_file(request: HttpRequest, pk: int, ending: str) -> HttpResponse:
    """/admin/billing/customer/PK/statement.pdf and .csv: the statement as the customer can download it."""
    found = get_own_customer(request, pk)
    form = parse_period_form(request.GET, cast(Brand, found.brand))
    figures = _figures(found, form)
    if figures is None or not form.is_valid() or not has_file(figures.current):
        return _page(request, found, form, figures)
    if ending == "pdf" and not _may_draw(request, found):
        return _page(request, found, form, figures)
    brand = cast(Brand, found.brand)
    return statement_file(brand=brand, customer=found, found=figures.current, ending=ending)


def _may_draw(request: HttpRequest, customer: User) -> bool:
    """Count a PDF file, which costs CPU time. Return False and add a message if there were too many."""
    try:
        rate_limits.consume(action="pdf", account=f"customer {customer.pk}")
    except rate_limits.Limited as limited:
        messages.warning(request, retry.try_again(limited.retry_after))
        return False
    return True


def _figures(customer: User, form: PeriodForm, *, refresh: bool = False) -> Balance | None:
    """Return the period's statement, cached or fetched; for this month with the last complete months too.

    None if there is no account number. An impossible period shows this month.
    """
    brand = customer.brand
    if brand is None or not customer.account_number:
        return None
    month = periods.this_month(form.today)
    period = form.period if form.is_valid() else month
    if period == month and not refresh:
        return get_balance(brand=brand, customer=customer)
    found = get_statement(brand=brand, customer=customer, period=period, refresh=refresh, deadlines=PAGE)
    return Balance(found, [], [])


def _page(request: HttpRequest, customer: User, form: PeriodForm, figures: Balance | None) -> HttpResponse:
    brand = cast(Brand, customer.brand)  # Only customers have this page.
    shown = figures.current if figures else None
    statement = shown.statement if shown else None
    sign_ins, transfers = list_sign_ins(user=customer), _transfer_rows(customer)
    context: dict[str, Any] = {
        **site.each_context(request),
        "title": customer.get_full_name() or customer.email,
        "subtitle": str(brand),
        "customer": customer,
        "brand": brand,
        "form": form,
        "figures": shown,
        "statement": statement,
        "is_this_month": shown is not None and shown.period == periods.this_month(form.today),
        "customer_reads": _forecast_text(brand, customer, figures),
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


def _forecast_text(brand: Brand, customer: User, figures: Balance | None) -> object:
    """Return the sentence about the balance that the customer reads; empty without one."""
    if figures is None or figures.current.statement is None or not figures.months:
        return ""
    return build_balance_context(brand, customer, figures).get("forecast_text", "")


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
