"""One move and what a person can do about it: approve it, decline it, say what became of it."""

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
from billing.transfers.evidence import LISTED, Side, get_evidence, list_transfers_since
from billing.transfers.forms import NoteForm, ResolveForm
from billing.transfers.labels import describe_direction, describe_outcome
from billing.transfers.reauthentication import reauthentication, restore_form_data
from billing.transfers.second_person import require_second_person_to_resolve
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
    redirect_303,
    render_page,
    signed_in_staff,
)

_form_page = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
def transfer(request: HttpRequest, pk: int) -> HttpResponse:
    """How it stands, and all that happened to it. Looking sends nothing, however often."""
    found = get_own_transfer(request, pk)
    return _page(request, "transfer", _("Move of funds"), found, events=found.events.select_related("by"))


@_form_page
def approve(request: HttpRequest, pk: int) -> HttpResponse:
    """What would happen by the balances as just read; a second person lets it happen."""
    found, by = get_own_transfer(request, pk), signed_in_staff(request)
    if found.asked_by_id == by.pk:
        messages.error(request, _("Somebody else than the person who asked for a move has to approve it."))
    if found.state != Move.State.WAITING or found.asked_by_id == by.pk:
        return redirect_303("billing_admin:transfer", pk)
    if led := reauthentication(request, request.path):
        return led
    if request.method != "POST":
        return _approval(request, found)
    shown = read_confirmation(brand=found.brand, by=by, text=request.POST.get("shown", ""))
    if not shown or shown.get("transfer") != pk:
        return _approval(request, found, refused=expired_confirmation_message())
    return _approved(request, found, bool(shown["warned"]))


def _approved(request: HttpRequest, found: Move, warned: bool) -> HttpResponse:
    confirmed = warned and "empties_partner" in request.POST
    if warned and not confirmed:
        return _approval(request, found, unconfirmed=True)
    try:
        approve_transfer(
            brand=found.brand,
            transfer=found,
            by=signed_in_staff(request),
            empties_partner_confirmed=confirmed,
        )
    except TransferRefused as refused:
        again = get_own_transfer(request, found.pk)
        return _approval(request, again, refused="" if refused.needs else refused.words)
    return redirect_303("billing_admin:transfer", found.pk)


def _approval(
    request: HttpRequest, found: Move, refused: str = "", unconfirmed: bool = False
) -> HttpResponse:
    preview, shown, by = None, "", signed_in_staff(request)
    try:
        preview = preview_transfer(
            brand=found.brand, customer=found.customer, amount=found.amount, by=by, exclude=found
        )
        shown = sign_confirmation(brand=found.brand, by=by, transfer=found.pk, warned=preview.empties_partner)
    except TransferRefused as against:
        refused = refused or against.words
    status = HTTPStatus.CONFLICT if refused else HTTPStatus.OK
    told = {"preview": preview, "shown": shown, "refused": refused, "unconfirmed": unconfirmed}
    return _page(request, "transfer_approve", _("Approve a move of funds"), found, status, **told)


@_form_page
def decline(request: HttpRequest, pk: int) -> HttpResponse:
    """A second person says no; or whoever asked for it takes it back."""
    found = get_own_transfer(request, pk)
    if found.state != Move.State.WAITING:
        return redirect_303("billing_admin:transfer", pk)
    if led := reauthentication(request, request.path, ("note",)):
        return led
    form = _posted(NoteForm, request)
    refused = ""
    if form.is_valid():
        refused = _refusal(
            decline_transfer,
            brand=found.brand,
            transfer=found,
            by=signed_in_staff(request),
            note=form.cleaned_data["note"],
        )
        if not refused:
            return redirect_303("billing_admin:transfer", pk)
    mine = found.asked_by_id == signed_in_staff(request).pk
    title = _("Take back a move of funds") if mine else _("Decline a move of funds")
    status = HTTPStatus.CONFLICT if refused else HTTPStatus.OK
    return _page(request, "transfer_decline", title, found, status, form=form, refused=refused, mine=mine)


@_form_page
def resolve(request: HttpRequest, pk: int) -> HttpResponse:
    """A person looks at both balances, before and now, and says what became of an unknown move."""
    found, by = get_own_transfer(request, pk), signed_in_staff(request)
    if found.outcome != Move.State.UNKNOWN:
        return redirect_303("billing_admin:transfer", pk)
    if led := reauthentication(request, request.path, ("happened", "note")):
        return led
    form, refused = _posted(ResolveForm, request), ""
    if form.is_valid():
        happened, note = form.cleaned_data["happened"] == "yes", form.cleaned_data["note"]
        refused = _refusal(
            resolve_transfer, brand=found.brand, transfer=found, by=by, happened=happened, note=note
        )
        if not refused:
            return redirect_303("billing_admin:transfer", pk)
    return _resolution(request, get_own_transfer(request, pk), form, refused)


def _resolution(request: HttpRequest, found: Move, form: Any, refused: str) -> HttpResponse:
    by, shown = signed_in_staff(request), list[Side]()
    alone = _refusal(require_second_person_to_resolve, transfer=found, by=by)
    customer = found.customer
    customer.account_number = found.account_number  # Of this account, whichever the customer has by now.
    try:
        shown = get_evidence(found, read_balances(brand=found.brand, customer=customer, by=by))
    except TransferRefused as against:
        refused = refused or against.words
    refused = refused or alone
    status = HTTPStatus.CONFLICT if refused else HTTPStatus.OK
    told = {"form": form, "may": not alone, "refused": refused, "read_at": timezone.now(), "sides": shown}
    told["others"] = list_transfers_since(found)[:LISTED] if shown else []
    return _page(request, "transfer_resolve", _("What became of this move?"), found, status, **told)


def _posted(form: type[NoteForm], request: HttpRequest) -> NoteForm:
    return form(request.POST) if request.method == "POST" else form(initial=restore_form_data(request))


def _refusal(service: Callable[..., object], **told: Any) -> str:
    """Do it; what stands against it, or nothing."""
    try:
        service(**told)
    except TransferRefused as refused:
        return refused.words
    return ""


def _page(
    request: HttpRequest, name: str, title: str, found: Move, status: int = HTTPStatus.OK, **context: Any
) -> HttpResponse:
    told = {
        "transfer": found,
        "brand": found.brand,
        "amount": abs(found.amount),
        "direction": describe_direction(found.amount, found.brand, found.account_number),
        "outcome": found.outcome,
        "describe_outcome": describe_outcome(found),
        "mine": found.asked_by_id == signed_in_staff(request).pk,
    }
    return render_page(request, name, title, status, **{**told, **context})
