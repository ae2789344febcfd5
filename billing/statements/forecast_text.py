"""Texts of a forecast: one for each state that a balance can be in."""

from typing import Any

from django.utils.functional import Promise
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from billing.statements.forecast import MAX_DAYS_NAMED, Forecast
from portal.core.formats import day_of_year, month, nowrap
from portal.core.money import format_money
from portal.models import Brand

_DAYS_PER_MONTH = 30.4
# By kind, then by place. Above the point at which calls stop, the estimate decides where the kind has one.
_TEXTS: dict[tuple[str, str], Any] = {
    ("prepaid", "at"): _(
        "You've run out of credit. You may not be able to make or receive calls until you top up."
    ),
    ("prepaid", "below"): _(
        "Your balance is below zero, so you can't make or receive calls. Top up to get them working again."
    ),
    ("prepaid", "no estimate"): _("Calls stop when your balance reaches zero."),
    ("prepaid", "more than a year"): _(
        "At your current rate, your balance will last <strong>more than a year</strong>. Then calls stop."
    ),
    ("prepaid", "today"): _(
        "At your current rate, your balance will run out <strong>within a day</strong>. Then calls stop."
    ),
    ("prepaid", "days"): ngettext_lazy(
        "At your current rate, your balance will last <strong>about %(days)s day</strong>, until around "
        "%(date)s. Then calls stop.",
        "At your current rate, your balance will last <strong>about %(days)s days</strong>, until around "
        "%(date)s. Then calls stop.",
        "days",
    ),
    ("prepaid", "months"): _(
        "At your current rate, your balance will last <strong>about %(months)s months</strong>, until around "
        "%(month)s. Then calls stop."
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
        "You have %(left)s left before you reach your credit limit of %(limit)s, where calls stop. At your "
        "current rate, that's in <strong>more than a year</strong>."
    ),
    ("postpaid", "today"): _(
        "You have %(left)s left before you reach your credit limit of %(limit)s. At your current rate, "
        "calls will stop <strong>within a day</strong>."
    ),
    ("postpaid", "days"): ngettext_lazy(
        "You have %(left)s left before you reach your credit limit of %(limit)s. At your current rate, "
        "calls will stop in <strong>about %(days)s day</strong>, around %(date)s.",
        "You have %(left)s left before you reach your credit limit of %(limit)s. At your current rate, "
        "calls will stop in <strong>about %(days)s days</strong>, around %(date)s.",
        "days",
    ),
    ("postpaid", "months"): _(
        "You have %(left)s left before you reach your credit limit of %(limit)s, where calls stop. At your "
        "current rate, that's in <strong>about %(months)s months</strong>, around %(month)s."
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


# By kind, then by state: a word for the chip. An account of unknown type has one only if its balance is low.
_CHIPS: dict[tuple[str, str], Promise] = {
    ("prepaid", "healthy"): _("In credit"),
    ("prepaid", "low"): _("Low balance"),
    ("prepaid", "stopped"): _("No credit left"),
    ("postpaid", "healthy"): _("Within limit"),
    ("postpaid", "low"): _("Near your limit"),
    ("postpaid", "stopped"): _("Limit reached"),
    ("unknown", "low"): _("Low balance"),
}


def describe_state(forecast: Forecast) -> str:
    """Return the state as a word or two; empty if the account's type does not tell."""
    return str(_CHIPS.get((forecast.kind, forecast.state), ""))


def describe_forecast(forecast: Forecast, brand: Brand) -> tuple[SafeString, str]:
    """Return (text, note) in the current language; the note on the estimate may be empty.

    The text is HTML: the time left is bold.
    """
    days = forecast.days or 0
    values: dict[str, Any] = {
        "limit": "" if forecast.limit is None else format_money(abs(forecast.limit), brand),
        "left": "" if forecast.left is None else format_money(forecast.left, brand),
        "months": round(days / _DAYS_PER_MONTH),
        "month": month(forecast.around) if forecast.around else "",
        "date": nowrap(day_of_year(forecast.around)) if forecast.around else "",
    }
    safe = {name: conditional_escape(value) for name, value in values.items()}
    template = _TEXTS[forecast.kind, _situation(forecast)]
    text = SafeString(template % {**safe, "days": days})  # nosec B703 - Our own text; each value is escaped.
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
    if forecast.days > MAX_DAYS_NAMED:
        return "months"
    return "days" if forecast.days else "today"
