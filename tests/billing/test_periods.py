"""Periods have names that a customer knows, in every language."""

from datetime import date, timedelta

import pytest
from django.utils import translation

from billing.statements.labels import describe_period
from billing.statements.periods import Period, complete_months, this_month

DAY = date(2026, 11, 30)


@pytest.mark.parametrize(
    ("period", "day", "name"),
    [
        (Period(date(2026, 11, 1), DAY), DAY, "November so far"),  # Even on its last day.
        (Period(date(2026, 11, 1), DAY), date(2026, 12, 1), "November 2026"),
        (Period(date(2026, 10, 1), date(2026, 10, 31)), DAY, "October 2026"),
        (Period(date(2024, 2, 1), date(2024, 2, 29)), DAY, "February 2024"),
        (Period(date(2024, 2, 1), date(2024, 2, 28)), DAY, "1 February 2024 to 28 February 2024"),
        (Period(date(2026, 11, 1), date(2026, 11, 29)), DAY, "1 November 2026 to 29 November 2026"),
        (Period(date(2026, 11, 2), DAY), DAY, "2 November 2026 to 30 November 2026"),
        (Period(date(2026, 10, 1), DAY), DAY, "1 October 2026 to 30 November 2026"),
        (Period(date(2025, 11, 1), date(2026, 11, 30)), DAY, "1 November 2025 to 30 November 2026"),
        (Period(DAY, DAY), DAY, "30 November 2026 to 30 November 2026"),
    ],
)
def test_period_is_named_by_its_month_or_both_days(period, day, name):
    with translation.override("en-au"):
        assert describe_period(period, day) == name


@pytest.mark.parametrize(
    ("language", "running", "month", "days"),
    [
        ("es", "Noviembre hasta ahora", "Octubre de 2026", "2 de noviembre de 2026"),
        ("zh-hans", "十一月", "2026年10月", "2026年11月2日"),
        ("ar", "نوفمبر", "أكتوبر 2026", "2 نوفمبر 2026"),
    ],
)
def test_names_are_headings_in_the_readers_language(language, running, month, days):
    with translation.override(language):
        assert running in describe_period(this_month(DAY), DAY)
        assert describe_period(complete_months(DAY, 1)[0], DAY) == month
        assert days in describe_period(Period(date(2026, 11, 2), DAY), DAY)


def test_only_a_whole_calendar_month_is_a_month():
    first = date(2023, 12, 1)
    while first.year < 2025:
        (month,) = complete_months(first + timedelta(days=32), 1)
        assert month.is_month
        day = timedelta(days=1)
        assert not Period(month.from_date + day, month.to_date).is_month
        assert not Period(month.from_date, month.to_date - day).is_month
        assert not Period(month.from_date, month.to_date + day).is_month
        assert not Period((month.from_date - day).replace(day=1), month.to_date).is_month
        first = month.to_date + day
