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
from billing.transfers.evidence import LISTED, Side, others_since, sides
from billing.transfers.forms import NoteForm, ResolveForm
from billing.transfers.labels import direction_words, outcome_words
from billing.transfers.reauthentication import reauthentication, restore_form_data
from billing.transfers.second_person import must_not_resolve_alone
from billing.transfers.service import (
    MoveRefused,
    move_approve,
    move_balances,
    move_decline,
    move_preview,
    move_resolve,
)
from billing.transfers.views.base import lead, outdated, own_move, page, person

_form_page = require_http_methods(["GET", "HEAD", "POST"])


@require_safe
def move(request: HttpRequest, pk: int) -> HttpResponse:
    """How it stands, and all that happened to it. Looking sends nothing, however often."""
    found = own_move(request, pk)
    return _page(request, "transfer", _("Move of funds"), found, events=found.events.select_related("by"))


@_form_page
def approve(request: HttpRequest, pk: int) -> HttpResponse:
    """What would happen by the balances as just read; a second person lets it happen."""
    found, by = own_move(request, pk), person(request)
    if found.asked_by_id == by.pk:
        messages.error(request, _("Somebody else than the person who asked for a move has to approve it."))
    if found.state != Move.State.WAITING or found.asked_by_id == by.pk:
        return lead("billing_admin:move", pk)
    if led := reauthentication(request, request.path):
        return led
    if request.method != "POST":
        return _approval(request, found)
    shown = read_confirmation(brand=found.brand, by=by, text=request.POST.get("shown", ""))
    if not shown or shown.get("move") != pk:
        return _approval(request, found, refused=outdated())
    return _approved(request, found, bool(shown["warned"]))


def _approved(request: HttpRequest, found: Move, warned: bool) -> HttpResponse:
    confirmed = warned and "empties_partner" in request.POST
    if warned and not confirmed:
        return _approval(request, found, unconfirmed=True)
    try:
        move_approve(brand=found.brand, move=found, by=person(request), empties_partner_confirmed=confirmed)
    except MoveRefused as refused:
        again = own_move(request, found.pk)
        return _approval(request, again, refused="" if refused.needs else refused.words)
    return lead("billing_admin:move", found.pk)


def _approval(
    request: HttpRequest, found: Move, refused: str = "", unconfirmed: bool = False
) -> HttpResponse:
    preview, shown, by = None, "", person(request)
    try:
        preview = move_preview(
            brand=found.brand, customer=found.customer, amount=found.amount, by=by, but=found
        )
        shown = sign_confirmation(brand=found.brand, by=by, move=found.pk, warned=preview.empties_partner)
    except MoveRefused as against:
        refused = refused or against.words
    status = HTTPStatus.CONFLICT if refused else HTTPStatus.OK
    told = {"preview": preview, "shown": shown, "refused": refused, "unconfirmed": unconfirmed}
    return _page(request, "transfer_approve", _("Approve a move of funds"), found, status, **told)


@_form_page
def decline(request: HttpRequest, pk: int) -> HttpResponse:
    """A second person says no; or whoever asked for it takes it back."""
    found = own_move(request, pk)
    if found.state != Move.State.WAITING:
        return lead("billing_admin:move", pk)
    if led := reauthentication(request, request.path, ("note",)):
        return led
    form = _posted(NoteForm, request)
    refused = ""
    if form.is_valid():
        refused = _refusal(
            move_decline, brand=found.brand, move=found, by=person(request), note=form.cleaned_data["note"]
        )
        if not refused:
            return lead("billing_admin:move", pk)
    mine = found.asked_by_id == person(request).pk
    title = _("Take back a move of funds") if mine else _("Decline a move of funds")
    status = HTTPStatus.CONFLICT if refused else HTTPStatus.OK
    return _page(request, "transfer_decline", title, found, status, form=form, refused=refused, mine=mine)


@_form_page
def resolve(request: HttpRequest, pk: int) -> HttpResponse:
    """A person looks at both balances, before and now, and says what became of an unknown move."""
    found, by = own_move(request, pk), person(request)
    if found.outcome != Move.State.UNKNOWN:
        return lead("billing_admin:move", pk)
    if led := reauthentication(request, request.path, ("happened", "note")):
        return led
    form, refused = _posted(ResolveForm, request), ""
    if form.is_valid():
        happened, note = form.cleaned_data["happened"] == "yes", form.cleaned_data["note"]
        refused = _refusal(move_resolve, brand=found.brand, move=found, by=by, happened=happened, note=note)
        if not refused:
            return lead("billing_admin:move", pk)
    return _resolution(request, own_move(request, pk), form, refused)


def _resolution(request: HttpRequest, found: Move, form: Any, refused: str) -> HttpResponse:
    by, shown = person(request), list[Side]()
    alone = _refusal(must_not_resolve_alone, move=found, by=by)
    customer = found.customer
    customer.account_number = found.account_number  # Of this account, whichever the customer has by now.
    try:
        shown = sides(found, move_balances(brand=found.brand, customer=customer, by=by))
    except MoveRefused as against:
        refused = refused or against.words
    refused = refused or alone
    status = HTTPStatus.CONFLICT if refused else HTTPStatus.OK
    told = {"form": form, "may": not alone, "refused": refused, "read_at": timezone.now(), "sides": shown}
    told["others"] = others_since(found)[:LISTED] if shown else []
    return _page(request, "transfer_resolve", _("What became of this move?"), found, status, **told)


def _posted(form: type[NoteForm], request: HttpRequest) -> NoteForm:
    return form(request.POST) if request.method == "POST" else form(initial=restore_form_data(request))


def _refusal(service: Callable[..., object], **told: Any) -> str:
    """Do it; what stands against it, or nothing."""
    try:
        service(**told)
    except MoveRefused as refused:
        return refused.words
    return ""


def _page(
    request: HttpRequest, name: str, title: str, found: Move, status: int = HTTPStatus.OK, **context: Any
) -> HttpResponse:
    told = {
        "move": found,
        "brand": found.brand,
        "amount": abs(found.amount),
        "direction": direction_words(found.amount, found.brand, found.account_number),
        "outcome": found.outcome,
        "outcome_words": outcome_words(found),
        "mine": found.asked_by_id == person(request).pk,
    }
    return page(request, name, title, status, **{**told, **context})
