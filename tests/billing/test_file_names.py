"""A downloaded file's name says brand, account and month, and is safe for any system and header."""

import re
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.statements.file_names import build_file_name
from billing.statements.periods import Period
from portal.models import Brand

OCTOBER = Period(date(2026, 10, 1), date(2026, 10, 31))
PERIODS = st.tuples(st.dates(date(2000, 1, 1), date(2999, 12, 1)), st.integers(0, 366)).map(
    lambda pair: Period(pair[0], pair[0] + timedelta(days=pair[1]))
)


def file_name(
    account_number: str = "70001", period: Period = OCTOBER, slug: str = "aurora", ending: str = "pdf"
) -> str:
    return build_file_name(
        brand=Brand(slug=slug), account_number=account_number, period=period, ending=ending
    )


@pytest.mark.parametrize(
    ("first", "last", "name"),
    [
        ("2026-10-01", "2026-10-31", "aurora-70001-2026-10.pdf"),
        ("2024-02-01", "2024-02-29", "aurora-70001-2024-02.pdf"),
        ("2024-02-01", "2024-02-28", "aurora-70001-2024-02-01_2024-02-28.pdf"),
        ("2026-10-05", "2026-11-02", "aurora-70001-2026-10-05_2026-11-02.pdf"),
        ("2025-10-01", "2026-10-31", "aurora-70001-2025-10-01_2026-10-31.pdf"),
    ],
)
def test_name_has_brand_account_and_month_or_both_dates(first: str, last: str, name: str) -> None:
    assert file_name(period=Period(date.fromisoformat(first), date.fromisoformat(last))) == name


@pytest.mark.parametrize(
    ("account_number", "name"),
    [
        ("AU 70/001", "aurora-AU-70-001-2026-10.pdf"),
        ("../../etc/passwd", "aurora-etc-passwd-2026-10.pdf"),
        ('7"\r\nSet-Cookie: a=b', "aurora-7-Set-Cookie-a-b-2026-10.pdf"),
        ("７０００１", "aurora-70001-2026-10.pdf"),
        ("", "aurora-2026-10.pdf"),
        ("号", "aurora-2026-10.pdf"),
    ],
)
def test_any_account_number_leaves_a_plain_name(account_number: str, name: str) -> None:
    assert file_name(account_number) == name


@given(st.text(), st.text(max_size=60), PERIODS, st.sampled_from(["pdf", "csv"]))
def test_name_is_safe_for_any_account(account_number: str, slug: str, period: Period, ending: str) -> None:
    name = file_name(account_number, period, slug, ending)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*\.(pdf|csv)", name)
    assert len(name) < 120
    assert f"{period.from_date:%Y-%m}" in name


@pytest.mark.django_db
@pytest.mark.parametrize("ending", ["csv", "pdf"])
def test_download_has_that_name(simulator: Any, alice: Any, browse: Any, ending: str) -> None:
    answer = browse("aurora.test", alice).get(f"/statement.{ending}?from_date=2020-01-05&to_date=2020-02-02")
    assert answer["Content-Disposition"] == (
        f'attachment; filename="aurora-70001-2020-01-05_2020-02-02.{ending}"'
    )
