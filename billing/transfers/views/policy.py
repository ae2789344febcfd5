"""A brand's rules for transfers, for operators: limits, the stop, and refunds."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from billing.models import LimitsChange, Move, MovePolicy
from billing.transfers.forms import LimitsForm, NoteForm, StopForm
from billing.transfers.labels import describe_limits
from billing.transfers.limits import (
    confirm_limits,
    describe_decided_limits,
    get_pending_limits,
    list_policy_changes,
    update_limits,
    withdraw_limits,
)
from billing.transfers.policy import (
    TRIAL,
    TransferRefused,
    allow_refunds,
    forbid_refunds,
    get_policy,
    resume_transfers,
    stop_transfers_by_hand,
)
from billing.transfers.reauthentication import require_reauthentication, restore_form_data
from billing.transfers.views.base import get_signed_in_staff, redirect_303, render_page
from portal.brands.access import get_brands, is_operator
from portal.core.formats import zoned_time
from portal.models import Brand

# The page may have two note fields.
_BACK_ID = "id_back_%s"
_FIELDS = (*MovePolicy.LIMITS, "do", "note", "why")


@require_safe
def policies(request: HttpRequest) -> HttpResponse:
    """List all brands with their rules."""
    _for_operators(request)
    rows = [get_policy(brand) for brand in get_brands(request.user)]
    return render_page(request, "policies", _("Transfer rules"), rows=rows)


@require_http_methods(["GET", "HEAD", "POST"])
def policy(request: HttpRequest, pk: int) -> HttpResponse:
    """Show and change one brand's rules. The form field `do` names the action."""
    _for_operators(request)
    brand = get_object_or_404(get_brands(request.user), pk=pk)
    if request.method != "POST":
        return _render(request, brand, restore_form_data(request))
    if response := require_reauthentication(request, request.path, _FIELDS):
        return response
    action = _ACTIONS.get(request.POST.get("do", ""))
    if action is None:
        raise Http404
    return action(request, brand)


def _for_operators(request: HttpRequest) -> None:
    if not is_operator(request.user):
        raise Http404


def _set_limits(request: HttpRequest, brand: Brand) -> HttpResponse:
    form = LimitsForm(request.POST)
    if not form.is_valid():
        return _render(request, brand, {}, limits=form)
    try:
        lower, waiting = update_limits(brand=brand, by=get_signed_in_staff(request), **form.cleaned_data)
    except TransferRefused as refused:
        return _render(request, brand, {}, refused=refused.words, limits=form)
    if lower:
        messages.success(request, _("The lower limits apply now."))
    if waiting:
        messages.warning(request, _describe_pending(waiting))
    return redirect_303("billing_admin:policy", brand.pk)


def _describe_pending(change: LimitsChange) -> str:
    if not change.effective_at:
        return _("The higher limits are waiting. Another operator has to confirm them on this page.")
    words = _("The higher limits apply from %(when)s. We have emailed the people who work for this brand.")
    return words % {"when": zoned_time(change.effective_at, change.policy.brand)}


def _confirm(request: HttpRequest, brand: Brand) -> HttpResponse:
    return _decide(request, brand, confirm_limits, _("The higher limits apply now."))


def _withdraw(request: HttpRequest, brand: Brand) -> HttpResponse:
    return _decide(request, brand, withdraw_limits, _("The higher limits are withdrawn."))


def _decide(request: HttpRequest, brand: Brand, service: Callable[..., None], words: str) -> HttpResponse:
    """Decide about the change that was shown, if it is still the pending one."""
    change, shown = get_pending_limits(get_policy(brand)), request.POST.get("change", "")
    try:
        if change is None or shown != str(change.pk):
            raise TransferRefused(describe_decided_limits())
        service(change=change, by=get_signed_in_staff(request))
    except TransferRefused as refused:
        return _render(request, brand, {}, refused=refused.words)
    messages.success(request, words)
    return redirect_303("billing_admin:policy", brand.pk)


def _resume(request: HttpRequest, brand: Brand) -> HttpResponse:
    form = NoteForm(request.POST)
    if not form.is_valid():
        return _render(request, brand, {}, resume=form)
    note = form.cleaned_data["note"]
    return _done(request, brand, _("Transfers have resumed."), resume_transfers, note=note)


def _stop(request: HttpRequest, brand: Brand) -> HttpResponse:
    form = StopForm(request.POST)
    if not form.is_valid():
        return _render(request, brand, {}, stop=form)
    why = form.cleaned_data["why"]
    return _done(
        request, brand, _("All transfers for this brand are paused."), stop_transfers_by_hand, why=why
    )


def _forbid_refunds(request: HttpRequest, brand: Brand) -> HttpResponse:
    form = NoteForm(request.POST, auto_id=_BACK_ID)
    if not form.is_valid():
        return _render(request, brand, {}, forbid=form)
    note = form.cleaned_data["note"]
    return _done(request, brand, _("Refunds to the partner account are off."), forbid_refunds, note=note)


def _allow_refunds(request: HttpRequest, brand: Brand) -> HttpResponse:
    chosen = request.POST.get("move", "")
    found = (
        _list_test_refunds(brand).filter(pk=int(chosen)).first()
        if chosen.isascii() and chosen.isdigit()
        else None
    )
    if found is None:
        return _render(request, brand, {}, refused=_("Choose the transfer whose direction you've checked."))
    return _done(
        request, brand, _("Staff can now make refunds to the partner account."), allow_refunds, transfer=found
    )


_ACTIONS: dict[str, Callable[[HttpRequest, Brand], HttpResponse]] = {
    "limits": _set_limits,
    "confirm": _confirm,
    "withdraw": _withdraw,
    "stop": _stop,
    "resume": _resume,
    "back": _allow_refunds,
    "forbid": _forbid_refunds,
}


def _done(
    request: HttpRequest, brand: Brand, words: str, service: Callable[..., None], **values: Any
) -> HttpResponse:
    try:
        service(brand=brand, by=get_signed_in_staff(request), **values)
    except TransferRefused as refused:
        return _render(request, brand, {}, refused=refused.words)
    messages.success(request, words)
    return redirect_303("billing_admin:policy", brand.pk)


def _list_test_refunds(brand: Brand) -> Any:
    """Return small refunds that are done: they can prove that refunds work."""
    done = Move.objects.filter(brand=brand, state=Move.State.DONE)
    rows = done.filter(amount__lt=0, amount__gte=-TRIAL)
    return rows.select_related("brand", "asked_by").defer("brand__logo")


def _render(
    request: HttpRequest, brand: Brand, typed: dict[str, str], refused: str = "", **forms: Any
) -> HttpResponse:
    rules: MovePolicy = get_policy(brand)
    waiting = get_pending_limits(rules)
    return render_page(
        request,
        "policy",
        _("Transfer rules: %(brand)s") % {"brand": brand.name},
        HTTPStatus.CONFLICT if refused else HTTPStatus.OK,
        brand=brand,
        policy=rules,
        refused=refused,
        **{**_forms(rules, typed), **forms},
        waiting=waiting,
        mine=bool(waiting and waiting.asked_by_id == get_signed_in_staff(request).pk),
        wanted=describe_limits(waiting, rules) if waiting else [],
        trials=_list_test_refunds(brand)[:20],
        history=list_policy_changes(rules)[:50],
        most=TRIAL,
    )


def _forms(rules: MovePolicy, typed: dict[str, str]) -> dict[str, Any]:
    """Return the page's forms, with the typed values in the form they were typed into."""
    do, note = typed.get("do"), {"note": typed.get("note", "")}
    return {
        "limits": LimitsForm(
            initial={name: typed.get(name, getattr(rules, name)) for name in MovePolicy.LIMITS}
        ),
        "stop": StopForm(initial={"why": typed.get("why", "")}),
        "resume": NoteForm(initial=note if do == "resume" else {}),
        "forbid": NoteForm(initial=note if do == "forbid" else {}, auto_id=_BACK_ID),
    }
