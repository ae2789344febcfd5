"""Moving funds, page by page: what is wanted, what would happen, and then once.

Nothing here runs inside a transaction: a move is stored for good before the carrier is asked.
"""

import time
import uuid
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
from billing.transfers.confirmation import Wanted, read_confirmation, sign_confirmation
from billing.transfers.forms import TransferForm, parse_operation
from billing.transfers.labels import describe_direction
from billing.transfers.policy import get_moved_today, get_policy
from billing.transfers.reauthentication import reauthentication, restore_form_data
from billing.transfers.service import TransferRefused, preview_transfer, request_transfer
from billing.transfers.views.base import (
    expired_confirmation_message,
    get_brand,
    get_own_customer,
    get_title,
    redirect_303,
    render_page,
    signed_in_staff,
)

TYPED = ("operation", "direction", "amount", "description")
# How long a second click waits for what became of the first.
_PATIENCE, _PAUSE = 4.0, 0.2


@require_http_methods(["GET", "HEAD", "POST"])
def start_transfer(request: HttpRequest, pk: int) -> HttpResponse:
    """The form; and, once it is sent, what would happen. Nothing is moved here."""
    customer = get_own_customer(request, pk)
    if request.method == "POST" and (known := _redirect_if_submitted(request, customer)):
        return known
    if led := reauthentication(request, request.path, TYPED):
        return led
    if request.method != "POST" or "change" in request.POST:
        return _start(
            request, customer, _form(request, customer, again=request.POST or restore_form_data(request))
        )
    form = _form(request, customer)
    if not form.is_valid():
        return _start(request, customer, form)
    return _preview(request, customer, form.wanted)


@require_POST
def confirm_transfer(request: HttpRequest, pk: int) -> HttpResponse:
    """Make the move that was shown, once, and lead to its own page."""
    customer = get_own_customer(request, pk)
    if known := _redirect_if_submitted(request, customer):
        return known
    if led := reauthentication(request, reverse("billing_admin:transfer_start", args=(pk,)), TYPED):
        return led
    shown = _shown(request, customer)
    if shown is None:
        words = expired_confirmation_message()
        return _start(request, customer, _form(request, customer, again=request.POST), words)
    wanted, warned = shown
    confirmed = warned and "empties_partner" in request.POST
    if warned and not confirmed:
        return _preview(request, customer, wanted, unconfirmed=True)
    return _make_transfer(request, customer, wanted, confirmed)


def _make_transfer(request: HttpRequest, customer: User, wanted: Wanted, confirmed: bool) -> HttpResponse:
    try:
        transfer = request_transfer(
            brand=get_brand(customer),
            customer=customer,
            amount=wanted.amount,
            description=wanted.description,
            operation=wanted.operation,
            by=signed_in_staff(request),
            empties_partner_confirmed=confirmed,
        )
    except TransferRefused as refused:
        return _refused(request, customer, wanted, refused)
    return redirect_303("billing_admin:transfer", _wait_until_finished(transfer).pk)


def _refused(request: HttpRequest, customer: User, wanted: Wanted, refused: TransferRefused) -> HttpResponse:
    """Nothing was sent by this request; another at the same moment may have sent the very same form."""
    if same := _find_transfer(wanted.operation, customer):
        return redirect_303("billing_admin:transfer", _wait_until_finished(same).pk)
    if refused.needs:  # The balance has changed since it was shown.
        return _preview(request, customer, wanted)
    return _start(request, customer, _form(request, customer, again=wanted.typed()), refused.words)


def _wait_until_finished(transfer: Move) -> Move:
    """What the first of two clicks sent may not have ended yet: the browser shows the second one's answer."""
    until = time.monotonic() + _PATIENCE
    while transfer.outcome == Move.State.DISPATCHED and time.monotonic() < until:
        time.sleep(_PAUSE)
        transfer.refresh_from_db(fields=["state", "dispatched_at"])
    return transfer


def _redirect_if_submitted(request: HttpRequest, customer: User) -> HttpResponse | None:
    """Where this form has been sent already (back button, another tab): what came of it."""
    operation = parse_operation(request.POST.get("operation", ""))
    transfer = _find_transfer(operation, customer) if operation else None
    if transfer is None:
        return None
    messages.info(request, _("This form was sent before, and was not sent again. This is what came of it."))
    return redirect_303("billing_admin:transfer", _wait_until_finished(transfer).pk)


def _find_transfer(operation: uuid.UUID, customer: User) -> Move | None:
    return Move.objects.filter(operation=operation, customer=customer).first()


def _form(request: HttpRequest, customer: User, again: Any = None) -> TransferForm:
    """The form as it was sent; or, with `again`, filled in and not judged yet."""
    typed = request.POST if again is None else again
    data = {name: typed[name] for name in TYPED if name in typed}
    if parse_operation(data.get("operation", "")) is None:
        data["operation"] = str(uuid.uuid4())
    told: dict[str, Any] = {"customer": customer, "policy": get_policy(get_brand(customer))}
    told["by"] = signed_in_staff(request)
    return TransferForm(data, **told) if again is None else TransferForm(initial=data, **told)


def _shown(request: HttpRequest, customer: User) -> tuple[Wanted, bool] | None:
    """What this person was shown for this account, and whether with the warning; None where it is not so."""
    shown = read_confirmation(
        brand=get_brand(customer), by=signed_in_staff(request), text=request.POST.get("shown", "")
    )
    if not shown or shown.get("to") != [customer.pk, customer.account_number]:
        return None
    form = _form(request, customer, again=shown["wanted"])
    wanted = TransferForm(form.initial, customer=customer, policy=form.policy, by=signed_in_staff(request))
    return (wanted.wanted, bool(shown["warned"])) if wanted.is_valid() else None


def _start(request: HttpRequest, customer: User, form: TransferForm, words: str = "") -> HttpResponse:
    brand = get_brand(customer)
    transfers = Move.objects.filter(customer=customer).select_related("brand").defer("brand__logo")
    blocking = transfers.filter(state__in=Move.OPEN).first()
    refused = words or (blocking and request.method == "POST")
    return render_page(
        request,
        "transfer_start",
        get_title(customer),
        HTTPStatus.CONFLICT if refused else HTTPStatus.OK,
        customer=customer,
        brand=brand,
        form=form,
        refused=words,
        policy=form.policy,
        left=max(form.policy.per_day - get_moved_today(brand), Decimal(0)),
        blocking=blocking,
        waiting=transfers.filter(state=Move.State.WAITING),
    )


def _preview(request: HttpRequest, customer: User, wanted: Wanted, unconfirmed: bool = False) -> HttpResponse:
    brand, by = get_brand(customer), signed_in_staff(request)
    try:
        preview = preview_transfer(brand=brand, customer=customer, amount=wanted.amount, by=by)
    except TransferRefused as refused:
        return _start(request, customer, _form(request, customer, again=wanted.typed()), refused.words)
    to = [customer.pk, customer.account_number]
    return render_page(
        request,
        "transfer_preview",
        get_title(customer),
        customer=customer,
        brand=brand,
        wanted=wanted,
        typed=wanted.typed(),
        amount=abs(wanted.amount),
        direction=describe_direction(wanted.amount, brand, customer.account_number),
        preview=preview,
        unconfirmed=unconfirmed,
        shown=sign_confirmation(
            brand=brand, by=by, to=to, wanted=wanted.typed(), warned=preview.empties_partner
        ),
    )
