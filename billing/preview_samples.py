"""Sample billing pages for previews, with the amounts of the carrier's published example."""

from dataclasses import astuple, replace
from decimal import Decimal
from typing import Any, cast

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import preview_samples as account_samples
from accounts.forms import SignInForm
from accounts.models import User
from billing.statements import periods
from billing.statements.forms import PeriodForm
from billing.statements.service import MONTHS, Balance, StatementResult
from billing.views import context
from billing.views.history import render_chart, render_month
from portal.models import Brand
from portal.preview.sample_pages import CUSTOMER, UNAVAILABLE, UNNUMBERED, VISITOR, Sample
from portal.voipline import Statement

FIGURES = Statement(
    opening_balance=Decimal("245.71293"),
    payments=Decimal(57),
    adjustments=Decimal(5),
    call_charges=Decimal("48.125"),
    other_charges=Decimal("7.5"),
    total_charges=Decimal("60.625"),
    closing_balance=Decimal("242.08793"),
)


def _home(brand: Brand, scenario: str) -> dict[str, Any]:
    day = periods.today(brand)
    period = periods.this_month(day)
    if scenario == UNAVAILABLE:
        return {"period": period, "unavailable": "down"}
    found = _figures(period)
    months = [_figures(each) for each in periods.complete_months(day, MONTHS)]
    alex = cast(User, account_samples.person(brand, CUSTOMER))
    values = {"period": period, **context.build_balance_context(brand, alex, Balance(found, months, []))}
    return {**values, **context.statement_context(brand, found)}


def _figures(period: periods.Period) -> StatementResult:
    return StatementResult(period, FIGURES, period, timezone.now())


def _statement(brand: Brand, scenario: str) -> dict[str, Any]:
    today = periods.today(brand)
    form = PeriodForm(vars(periods.this_month(today)), today=today)
    return context.build_form_context(form) | _home(brand, scenario)


def _history(brand: Brand, _scenario: str) -> dict[str, Any]:
    """Return twelve months of the example's amounts, all of a month scaled alike, so sums stay consistent."""
    day = periods.today(brand)
    sizes = (Decimal(40 + (17 * number) % 61) / 60 for number in range(12))
    months = [
        replace(_figures(period), statement=Statement(*(size * each for each in astuple(FIGURES))))
        for period, size in zip(
            [periods.this_month(day), *periods.complete_months(day, 11)], sizes, strict=True
        )
    ]
    rows = [render_month(month, brand, running=month is months[0]) for month in months]
    return {"rows": rows, "picture": render_chart(months, brand)}


_HOME = "home"

WELCOME = Sample(
    _("Welcome"), VISITOR, _HOME, "billing/welcome.html", account_samples.form_context(SignInForm)
)
PAGES = (
    Sample(_("Balance"), CUSTOMER, _HOME, "billing/home.html", _home),
    Sample(_("Statements"), CUSTOMER, "billing:statement", "billing/statement.html", _statement),
    Sample(_("History"), CUSTOMER, "billing:history", "billing/history.html", _history),
    Sample(_("Balance without amounts"), UNAVAILABLE, _HOME, "billing/home.html", _home),
    Sample(_("Balance without an account number"), UNNUMBERED, _HOME, "billing/home.html", _home),
)
