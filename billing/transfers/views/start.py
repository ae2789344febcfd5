"""Start a transfer: the form, the page to confirm it, and the transfer itself.

Nothing here runs inside a transaction: a transfer is committed before the carrier is called.
"""

import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User
from billing.models import Move
from billing.transfers.confirmation import TransferRequest
from billing.transfers.forms import TransferForm, parse_operation
from billing.transfers.labels import describe_direction
from billing.transfers.policy import get_moved_today, get_policy
from billing.transfers.reauthentication import require_reauthentication, restore_form_data
from billing.transfers.service import TransferRefused, preview_transfer, request_transfer
from billing.transfers.views.base import (
    expired_confirmation_message,
    get_brand,
    get_own_customer,
    get_signed_in_staff,
    get_title,
    redirect_303,
    render_page,
)

# Stored while staff authenticate again: the fields of the first page, or the second page's token.
FIELDS = ("operation", "direction", "amount", "description", "confirmation")
# How long a second click waits for the result of the first.
_PATIENCE, _PAUSE = 4.0, 0.2


@require_http_methods(["GET", "HEAD", "POST"])
def start_transfer(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the form; when it is sent, show what would happen. Nothing is moved here."""
    customer = get_own_customer(request, pk)
    if request.method == "POST" and (response := _redirect_if_submitted(request, customer)):
        return response
    if response := require_reauthentication(request, request.path, FIELDS):
        return response
    if request.method != "POST" or "change" in request.POST:
        data = request.POST or restore_form_data(request)
        form = _build_form(request, customer, initial=_form_data(request, customer, data))
        return _render_form(request, customer, form)
    form = _build_form(request, customer, data=_form_data(request, customer, request.POST))
    if not form.is_valid():
        return _render_form(request, customer, form)
    return _render_confirmation(request, customer, form.transfer_request)


@require_POST
def confirm_transfer(request: HttpRequest, pk: int) -> HttpResponse:
    """Make the transfer that was shown, once, and redirect to its own page."""
    customer, by = get_own_customer(request, pk), get_signed_in_staff(request)
    if response := _redirect_if_submitted(request, customer):
        return response
    if response := require_reauthentication(
        request, reverse("billing_admin:transfer_start", args=(pk,)), FIELDS
    ):
        return response
    wanted = TransferRequest.load(
        request.POST.get("confirmation", ""), brand=get_brand(customer), customer=customer, by=by
    )
    if wanted is None:
        form = _build_form(request, customer, initial=_form_data(request, customer, request.POST))
        return _render_form(request, customer, form, expired_confirmation_message())
    confirmed = wanted.warned and "empties_partner" in request.POST
    if wanted.warned and not confirmed:
        return _render_confirmation(request, customer, wanted, unconfirmed=True)
    try:
        transfer = request_transfer(
            brand=get_brand(customer),
            customer=customer,
            amount=wanted.amount,
            description=wanted.description,
            operation=wanted.operation,
            by=by,
            empties_partner_confirmed=confirmed,
        )
    except TransferRefused as refused:
        same = _find_transfer(wanted.operation, customer)  # Of another click at the same moment.
        if same is None:
            return _render_refusal(request, customer, wanted, refused)
        transfer = same
    return redirect_303("billing_admin:transfer", _wait_until_finished(transfer).pk)


def _redirect_if_submitted(request: HttpRequest, customer: User) -> HttpResponse | None:
    """Redirect to the transfer that this form has made already (back button, second tab), if any."""
    operation = parse_operation(_form_data(request, customer, request.POST)["operation"])
    transfer = _find_transfer(operation, customer) if operation else None
    if transfer is None:
        return None
    messages.info(request, _("You sent this form before, so we didn't send it again. This is the result."))
    return redirect_303("billing_admin:transfer", _wait_until_finished(transfer).pk)


def _find_transfer(operation: uuid.UUID, customer: User) -> Move | None:
    return Move.objects.filter(operation=operation, customer=customer).first()


def _wait_until_finished(transfer: Move) -> Move:
    """Wait for a transfer that an earlier click has sent: the browser shows the last click's answer."""
    until = time.monotonic() + _PATIENCE
    while transfer.outcome == Move.State.DISPATCHED and time.monotonic() < until:
        time.sleep(_PAUSE)
        transfer.refresh_from_db(fields=["state", "dispatched_at"])
    return transfer


def _form_data(request: HttpRequest, customer: User, data: Mapping[str, str]) -> dict[str, str]:
    """Return the form's values, with an operation: from the second page's token, else from the fields."""
    by, values = get_signed_in_staff(request), {name: data[name] for name in FIELDS if name in data}
    token = values.pop("confirmation", "")
    if shown := TransferRequest.load(
        token, brand=get_brand(customer), customer=customer, by=by, expired=True
    ):
        return shown.form_data()
    if parse_operation(values.get("operation", "")) is None:
        values["operation"] = str(uuid.uuid4())
    return values


def _build_form(request: HttpRequest, customer: User, **values: Any) -> TransferForm:
    policy = get_policy(get_brand(customer))
    return TransferForm(customer=customer, policy=policy, by=get_signed_in_staff(request), **values)


def _render_form(request: HttpRequest, customer: User, form: TransferForm, refused: str = "") -> HttpResponse:
    brand = get_brand(customer)
    transfers = Move.objects.filter(customer=customer).select_related("brand").defer("brand__logo")
    blocking = transfers.filter(state__in=Move.OPEN).first()
    is_conflict = refused or (blocking and request.method == "POST")
    return render_page(
        request,
        "transfer_start",
        get_title(customer),
        HTTPStatus.CONFLICT if is_conflict else HTTPStatus.OK,
        customer=customer,
        brand=brand,
        form=form,
        refused=refused,
        policy=form.policy,
        left=max(form.policy.per_day - get_moved_today(brand), Decimal(0)),
        blocking=blocking,
        waiting=transfers.filter(state=Move.State.WAITING),
    )


def _render_refusal(
    request: HttpRequest, customer: User, wanted: TransferRequest, refused: TransferRefused
) -> HttpResponse:
    if refused.needs:  # The balance has changed since it was shown.
        return _render_confirmation(request, customer, wanted)
    form = _build_form(request, customer, initial=wanted.form_data())
    return _render_form(request, customer, form, refused.words)


def _render_confirmation(
    request: HttpRequest, customer: User, wanted: TransferRequest, unconfirmed: bool = False
) -> HttpResponse:
    brand, by = get_brand(customer), get_signed_in_staff(request)
    try:
        preview = preview_transfer(brand=brand, customer=customer, amount=wanted.amount, by=by)
    except TransferRefused as refused:
        form = _build_form(request, customer, initial=wanted.form_data())
        return _render_form(request, customer, form, refused.words)
    shown = replace(wanted, warned=preview.empties_partner)
    return render_page(
        request,
        "transfer_preview",
        get_title(customer),
        customer=customer,
        brand=brand,
        description=wanted.description,
        amount=abs(wanted.amount),
        direction=describe_direction(wanted.amount, brand, customer.account_number),
        preview=preview,
        unconfirmed=unconfirmed,
        confirmation=shown.sign(brand=get_brand(customer), customer=customer, by=by),
    )
