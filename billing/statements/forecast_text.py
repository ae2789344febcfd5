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
        "You've run out of credit. You may not be able to make or receive calls until you top up."
    ),
    ("prepaid", "below"): _(
        "Your balance is below zero, so you can't make or receive calls. Top up to get them working again."
    ),
    ("prepaid", "no estimate"): _("Calls stop when your balance reaches zero."),
    ("prepaid", "more than a year"): _("At your current rate, your balance will last more than a year."),
    ("prepaid", "today"): _(
        "At your current rate, your balance will run out within a day and calls will stop."
    ),
    ("prepaid", "days"): ngettext_lazy(
        "At your current rate, your balance will last about %(days)s day, until around %(date)s. Then "
        "calls stop.",
        "At your current rate, your balance will last about %(days)s days, until around %(date)s. Then "
        "calls stop.",
        "days",
    ),
    ("postpaid", "at"): _(
        "You've reached your credit limit of %(limit)s. You may not be able to make or receive calls "
        "until you pay."
    ),
    ("postpaid", "below"): _(
        "You're over your credit limit of %(limit)s, so you can't make or receive calls. Pay now to get "
        "them working again."
    ),
    ("postpaid", "no estimate"): _(
        "You have %(left)s left before you reach your credit limit of %(limit)s. Calls stop there."
    ),
    ("postpaid", "more than a year"): _(
        "You have %(left)s left before you reach your credit limit of %(limit)s. At your current rate, "
        "that's more than a year."
    ),
    ("postpaid", "today"): _(
        "You have %(left)s left before you reach your credit limit of %(limit)s. At your current rate, "
        "calls will stop within a day."
    ),
    ("postpaid", "days"): ngettext_lazy(
        "You have %(left)s left before you reach your credit limit of %(limit)s. At your current rate, "
        "calls will stop in about %(days)s day, around %(date)s.",
        "You have %(left)s left before you reach your credit limit of %(limit)s. At your current rate, "
        "calls will stop in about %(days)s days, around %(date)s.",
        "days",
    ),
    ("no_limit", "above"): _(
        "Calls stop at your credit limit. We don't have that limit on file, so we can't estimate when."
    ),
    ("no_limit", "at"): _(
        "Your balance is zero. Calls stop at your credit limit, which we don't have on file. If calls "
        "aren't working, contact us."
    ),
    ("no_limit", "below"): _(
        "Your balance is below zero. Calls stop at your credit limit, which we don't have on file. If "
        "calls aren't working, contact us."
    ),
    ("unknown", "above"): _("We can't estimate how long your balance will last. To set this up, contact us."),
    ("unknown", "at"): _(
        "Your balance is zero. If you're on a prepaid plan, calls may not work until you top up."
    ),
    ("unknown", "below"): _(
        "Your balance is below zero, so calls may have stopped. If calls aren't working, top up or "
        "contact us."
    ),
}
_ESTIMATE_NOTE = ngettext_lazy(
    "Estimate based on your average daily spend last month.",
    "Estimate based on your average daily spend over the last %(months)s full months.",
    "months",
)
_NO_ESTIMATE_NOTES: dict[str, Promise] = {
    "new": _("We'll estimate how long your balance will last after your first full month."),
    "quiet": _("We can't estimate how long your balance will last, because you've had no recent charges."),
    "missing": _(
        "We can't estimate how long your balance will last right now, because some months didn't load."
    ),
}


def describe_forecast(forecast: Forecast, brand: Brand) -> tuple[str, str]:
    """Return (text, note) in the current language; the note on the estimate may be empty."""
    values = {
        "limit": "" if forecast.limit is None else format_money(abs(forecast.limit), brand),
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
