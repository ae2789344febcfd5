"""Texts of a forecast: one for each state that a balance can be in."""

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from billing.statements.forecast import Forecast
from portal.core.formats import day, nowrap
from portal.core.money import format_money
from portal.models import Brand

# By kind, then by place. Above the point at which calls stop, the estimate decides where the kind has one.
_TEXTS: dict[tuple[str, str], Any] = {
    ("prepaid", "at"): _(
        "There is no credit left. A prepaid account stops at zero: calls in and out may not work until it is "
        "topped up."
    ),
    ("prepaid", "below"): _(
        "Your balance is below zero. A prepaid account stops there: calls in and out do not work until it is "
        "topped up."
    ),
    ("prepaid", "no estimate"): _("You have credit. Calls in and out stop when it is used up."),
    ("prepaid", "more than a year"): _(
        "You have credit. Calls in and out stop when it is used up: at your recent pace, in more than a year."
    ),
    ("prepaid", "today"): _(
        "You have credit. Calls in and out stop when it is used up: at your recent pace, within a day."
    ),
    ("prepaid", "days"): ngettext_lazy(
        "You have credit. Calls in and out stop when it is used up: at your recent pace, in about %(days)s "
        "day (around %(date)s).",
        "You have credit. Calls in and out stop when it is used up: at your recent pace, in about %(days)s "
        "days (around %(date)s).",
        "days",
    ),
    ("postpaid", "at"): _(
        "Your balance is at your credit limit of %(limit)s. A postpaid account stops there: calls in and out "
        "may not work until you have paid."
    ),
    ("postpaid", "below"): _(
        "Your balance is below your credit limit of %(limit)s. A postpaid account stops there: calls in and "
        "out do not work until you have paid."
    ),
    ("postpaid", "no estimate"): _(
        "You have %(left)s left. Calls in and out stop at your credit limit, when your balance is %(limit)s."
    ),
    ("postpaid", "more than a year"): _(
        "You have %(left)s left. Calls in and out stop at your credit limit, when your balance is %(limit)s: "
        "at your recent pace, in more than a year."
    ),
    ("postpaid", "today"): _(
        "You have %(left)s left. Calls in and out stop at your credit limit, when your balance is %(limit)s: "
        "at your recent pace, within a day."
    ),
    ("postpaid", "days"): ngettext_lazy(
        "You have %(left)s left. Calls in and out stop at your credit limit, when your balance is %(limit)s: "
        "at your recent pace, in about %(days)s day (around %(date)s).",
        "You have %(left)s left. Calls in and out stop at your credit limit, when your balance is %(limit)s: "
        "at your recent pace, in about %(days)s days (around %(date)s).",
        "days",
    ),
    ("no_limit", "above"): _(
        "You have credit. Your account is postpaid, so calls in and out stop at its credit limit; we do not "
        "know this limit, so we cannot say when."
    ),
    ("no_limit", "at"): _(
        "Your balance is zero. Your account is postpaid, so calls in and out stop at its credit limit; we do "
        "not know this limit, so they may have stopped."
    ),
    ("no_limit", "below"): _(
        "Your balance is below zero. Your account is postpaid, so calls in and out stop at its credit limit; "
        "we do not know this limit, so they may have stopped."
    ),
    ("unknown", "above"): _(
        "You have credit. We do not know whether your account is prepaid or postpaid, so we cannot say when "
        "calls stop: a prepaid account stops at zero, a postpaid one at its credit limit."
    ),
    ("unknown", "at"): _(
        "Your balance is zero. If your account is prepaid, calls in and out may not work until it is topped "
        "up; we do not know whether it is prepaid or postpaid."
    ),
    ("unknown", "below"): _(
        "Your balance is below zero, so calls in and out may have stopped: a prepaid account stops at zero, "
        "a postpaid one at its credit limit. We do not know which yours is."
    ),
}
_ESTIMATE_NOTE = ngettext_lazy(
    "Your recent pace is what calls and other charges came to in the last complete month, per day. It is an "
    "estimate.",
    "Your recent pace is what calls and other charges came to in the last %(months)s complete months, per "
    "day. It is an estimate.",
    "months",
)
_NO_ESTIMATE_NOTES: dict[str, Promise] = {
    "new": _("There is no estimate of how long that lasts: your account has no complete month yet."),
    "quiet": _(
        "There is no estimate of how long that lasts: nothing was charged in the last complete months."
    ),
    "missing": _(
        "There is no estimate of how long that lasts: the figures of the last months are missing at the "
        "moment."
    ),
}


def describe_forecast(forecast: Forecast, brand: Brand) -> tuple[str, str]:
    """Return (text, note) in the current language; the note on the estimate may be empty."""
    values = {
        "limit": "" if forecast.limit is None else format_money(forecast.limit, brand),
        "left": "" if forecast.left is None else format_money(forecast.left, brand),
        "days": forecast.days or 0,
        "date": nowrap(day(forecast.around)) if forecast.around else "",
    }
    text = _TEXTS[forecast.kind, _situation(forecast)] % values
    if forecast.days is not None:
        return text, _ESTIMATE_NOTE % {"months": forecast.months}
    note = _NO_ESTIMATE_NOTES.get(forecast.why)
    return text, str(note) if note else ""


def _situation(forecast: Forecast) -> str:
    if forecast.place != "above" or forecast.kind not in ("prepaid", "postpaid"):
        return forecast.place
    if forecast.days is None:
        return "no estimate"
    if forecast.around is None:
        return "more than a year"
    return "days" if forecast.days else "today"
