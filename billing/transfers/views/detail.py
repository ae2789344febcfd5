"""One transfer, and the pages to approve it, decline it, or record its result."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from billing.models import Move
from billing.transfers.confirmation import read_confirmation, sign_confirmation
from billing.transfers.forms import NoteForm, ResolveForm
from billing.transfers.labels import describe_direction, describe_state
from billing.transfers.reauthentication import require_reauthentication, restore_form_data
from billing.transfers.resolution_evidence import LISTED, Side, get_evidence, list_transfers_since
from billing.transfers.second_person_rules import require_other_person, require_second_person_to_resolve
from billing.transfers.service import (
    TransferRefused,
    approve_transfer,
    decline_transfer,
    preview_transfer,
    read_balances,
    resolve_transfer,
)
from billing.transfers.views.base import (
    expired_confirmation_message,
    get_own_transfer,
    get_signed_in_staff,
    redirect_303,
    render_page,
)

_form_page = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
def transfer(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a transfer's state and its audit log. Opening the page sends nothing."""
    found = get_own_transfer(request, pk)
    return _render(request, "transfer", _("Transfer"), found, events=found.events.select_related("by"))


@_form_page
def approve(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what would happen, by the balances as just read; a second person approves it."""
    found, by = get_own_transfer(request, pk), get_signed_in_staff(request)
    if own := _run(require_other_person, transfer=found, by=by):
        messages.error(request, own)
    if own or found.state != Move.State.WAITING:
        return redirect_303("billing_admin:transfer", pk)
    if response := require_reauthentication(request, request.path):
        return response
    if request.method != "POST":
        return _render_approval(request, found)
    shown = read_confirmation(brand=found.brand, by=by, token=request.POST.get("confirmation", ""))
    if not shown or shown.get("transfer") != pk:
        return _render_approval(request, found, refused=expired_confirmation_message())
    confirmed = shown["warned"] and "empties_partner" in request.POST
    if shown["warned"] and not confirmed:
        return _render_approval(request, found, unconfirmed=True)
    try:
        approve_transfer(brand=found.brand, transfer=found, by=by, empties_partner_confirmed=confirmed)
    except TransferRefused as refused:
        fresh = get_own_transfer(request, pk)
        return _render_approval(request, fresh, refused="" if refused.needs else refused.words)
    return redirect_303("billing_admin:transfer", pk)


def _render_approval(
    request: HttpRequest, found: Move, refused: str = "", unconfirmed: bool = False
) -> HttpResponse:
    preview, confirmation, by = None, "", get_signed_in_staff(request)
    try:
        preview = preview_transfer(
            brand=found.brand, customer=found.customer, amount=found.amount, by=by, exclude=found
        )
        confirmation = sign_confirmation(
            brand=found.brand, by=by, transfer=found.pk, warned=preview.empties_partner
        )
    except TransferRefused as error:
        refused = refused or error.words
    return _render(
        request,
        "transfer_approve",
        _("Approve a transfer"),
        found,
        HTTPStatus.CONFLICT if refused else HTTPStatus.OK,
        preview=preview,
        confirmation=confirmation,
        refused=refused,
        unconfirmed=unconfirmed,
    )


@_form_page
def decline(request: HttpRequest, pk: int) -> HttpResponse:
    """Decline a transfer that waits for approval; its requester can withdraw it."""
    found, by = get_own_transfer(request, pk), get_signed_in_staff(request)
    if found.state != Move.State.WAITING:
        return redirect_303("billing_admin:transfer", pk)
    if response := require_reauthentication(request, request.path, ("note",)):
        return response
    form, refused = _bind(NoteForm, request), ""
    if form.is_valid():
        note = form.cleaned_data["note"]
        refused = _run(decline_transfer, brand=found.brand, transfer=found, by=by, note=note)
        if not refused:
            return redirect_303("billing_admin:transfer", pk)
    is_own = found.asked_by_id == by.pk
    title = _("Withdraw a transfer") if is_own else _("Decline a transfer")
    status = HTTPStatus.CONFLICT if refused else HTTPStatus.OK
    return _render(request, "transfer_decline", title, found, status, form=form, refused=refused)


@_form_page
def resolve(request: HttpRequest, pk: int) -> HttpResponse:
    """Compare both balances, before and now, and record the result of an unknown transfer."""
    found, by = get_own_transfer(request, pk), get_signed_in_staff(request)
    if found.outcome != Move.State.UNKNOWN:
        return redirect_303("billing_admin:transfer", pk)
    if response := require_reauthentication(request, request.path, ("happened", "note")):
        return response
    form, refused = _bind(ResolveForm, request), ""
    if form.is_valid():
        happened, note = form.cleaned_data["happened"] == "yes", form.cleaned_data["note"]
        refused = _run(
            resolve_transfer, brand=found.brand, transfer=found, by=by, happened=happened, note=note
        )
        if not refused:
            return redirect_303("billing_admin:transfer", pk)
    return _render_resolution(request, get_own_transfer(request, pk), form, refused)


def _render_resolution(request: HttpRequest, found: Move, form: NoteForm, refused: str) -> HttpResponse:
    by, sides = get_signed_in_staff(request), list[Side]()
    needs_second_person = _run(require_second_person_to_resolve, transfer=found, by=by)
    customer = found.customer
    customer.account_number = found.account_number  # The customer may have another one by now.
    try:
        sides = get_evidence(found, read_balances(brand=found.brand, customer=customer, by=by))
    except TransferRefused as error:
        refused = refused or error.words
    refused = refused or needs_second_person
    return _render(
        request,
        "transfer_resolve",
        _("Record the result of this transfer"),
        found,
        HTTPStatus.CONFLICT if refused else HTTPStatus.OK,
        form=form,
        may=not needs_second_person,
        refused=refused,
        read_at=timezone.now(),
        sides=sides,
        others=list_transfers_since(found)[:LISTED] if sides else [],
    )


def _bind(form: type[NoteForm], request: HttpRequest) -> NoteForm:
    return form(request.POST) if request.method == "POST" else form(initial=restore_form_data(request))


def _run(service: Callable[..., object], **values: Any) -> str:
    """Call the service; return the reason if it refuses, else an empty text."""
    try:
        service(**values)
    except TransferRefused as refused:
        return refused.words
    return ""


def _render(
    request: HttpRequest, name: str, title: str, found: Move, status: int = HTTPStatus.OK, **context: Any
) -> HttpResponse:
    is_own = found.asked_by_id == get_signed_in_staff(request).pk
    return render_page(
        request,
        name,
        title,
        status,
        transfer=found,
        brand=found.brand,
        amount=abs(found.amount),
        direction=describe_direction(found.amount, found.brand, found.account_number),
        outcome=found.outcome,
        state=describe_state(found, is_own=is_own),
        mine=is_own,
        **context,
    )
