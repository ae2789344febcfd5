"""The chart of the months: whatever the figures are, it is drawn in proportion, and in its frame."""

import re
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from billing.statements import chart
from billing.statements.chart import CHARGES, Chart
from billing.statements.periods import Period, complete_months
from billing.statements.service import StatementResult
from portal.brands.views import brand_css
from portal.core import colours
from portal.core.money import format_compact_number
from portal.models import Brand
from portal.voipline import Statement

NEAR = Decimal("0.002")  # Of 100: places are written with three decimals.
DAY = date(2026, 11, 26)
amounts = st.decimals(
    min_value=Decimal("-987654321098.12345"), max_value=Decimal("987654321098.12345"), places=5
) | st.sampled_from([Decimal(0), Decimal("0.00001"), Decimal("-0.00001"), Decimal("987654321098.12345")])
statements = st.builds(Statement, *[amounts] * 7)
years = st.lists(st.none() | statements, min_size=12, max_size=12)
languages = st.sampled_from(["en-au", "ar"])


def months(found: list[Statement | None]) -> list[StatementResult]:
    periods = [Period(DAY.replace(day=1), DAY), *complete_months(DAY, 11)]
    return [StatementResult(period, statement) for period, statement in zip(periods, found, strict=True)]


def number(share: str) -> Decimal:
    assert re.fullmatch(r"-?[0-9]+\.[0-9]{3}%", share), share
    return Decimal(share.removesuffix("%"))


def drawn(found: list[Statement | None], language: str = "en-au") -> Chart:
    with translation.override(language):
        return chart.draw(months(found))


@given(years, languages)
def test_everything_lies_within_the_frame(found: Any, language: str) -> None:
    result = drawn(found, language)
    places = [number(tick.y) for tick in (*result.charges, *result.balances)]
    for column in result.columns:
        places += [number(column.middle), number(column.left) + number(column.width)]
        places += [number(column.point)] if column.point else []
        for bar in column.bars:
            assert number(bar.height) >= 0
            places += [number(bar.x), number(bar.y)]
            places += [number(bar.x) + number(bar.width), number(bar.y) + number(bar.height)]
            assert number(column.left) <= number(bar.x)
            assert number(bar.x) + number(bar.width) <= number(column.left) + number(column.width) + NEAR
    assert all(-NEAR <= place <= 100 + NEAR for place in places)


@given(years)
def test_bars_are_as_high_as_their_amounts_and_stand_on_one_another(found: Any) -> None:
    result = drawn(found)
    zero = next(number(tick.y) for tick in result.charges if not tick.amount)
    unit = 100 / (result.charges[0].amount - result.charges[-1].amount)
    for column in result.columns:
        up = down = zero
        wanted = [name for name in CHARGES if column.statement and getattr(column.statement, name)]
        assert [bar.kind for bar in column.bars] == wanted
        for bar in column.bars:
            amount = getattr(column.statement, bar.kind)
            top, bottom = number(bar.y), number(bar.y) + number(bar.height)
            assert abs(number(bar.height) - abs(amount) * unit) <= NEAR
            assert abs((bottom - up) if amount > 0 else (top - down)) <= 3 * NEAR
            up, down = (top, down) if amount > 0 else (up, bottom)


@given(years)
def test_the_line_shows_each_known_balance_and_no_other(found: Any) -> None:
    result = drawn(found)
    top, span = result.balances[0].amount, result.balances[0].amount - result.balances[-1].amount
    for column in result.columns:
        assert bool(column.point) is (column.statement is not None)
        if column.statement:
            wanted = 100 * (top - column.statement.closing_balance) / span
            assert abs(number(column.point) - wanted) <= NEAR
    both = [pair for pair in pairwise(result.columns) if pair[0].point and pair[1].point]
    assert [(s.x1, s.y1, s.x2, s.y2) for s in result.steps] == [
        (one.middle, one.point, other.middle, other.point) for one, other in both
    ]


@given(years)
def test_a_missing_month_stays_missing(found: Any) -> None:
    result = drawn(found)
    for column, statement in zip(result.columns, reversed(found), strict=True):
        assert column.statement is statement
        if statement is None:
            assert (column.bars, column.point) == ((), "")
    assert result.missing == found.count(None)
    assert result.is_blank is (found == [None] * 12)


@given(years)
def test_the_scales_are_a_few_round_amounts_that_read_differently(found: Any) -> None:
    result = drawn(found)
    for ticks in (result.charges, result.balances):
        assert 2 <= len(ticks) <= 8
        assert any(tick.amount == 0 for tick in ticks)
        for language in ("en-au", "es", "zh-hans", "ar"):
            with translation.override(language):
                assert len({format_compact_number(tick.amount) for tick in ticks}) == len(ticks)


@given(years)
def test_from_right_to_left_the_chart_is_the_mirror_image(found: Any) -> None:
    plain, mirrored = drawn(found), drawn(found, "ar")
    assert [column.month for column in mirrored.columns] == [c.month for c in reversed(plain.columns)]
    for one, other in zip(plain.columns, reversed(mirrored.columns), strict=True):
        assert abs(number(one.middle) + number(other.middle) - 100) <= NEAR
        assert (one.point, one.is_named) == (other.point, other.is_named)
        assert [(b.kind, b.y, b.height) for b in one.bars] == [(b.kind, b.y, b.height) for b in other.bars]
    assert (plain.edge, plain.aside, mirrored.edge, mirrored.aside) == ("0%", -8, "100%", 8)


@given(years, st.sampled_from(["en-au", "es", "zh-hans", "ar"]))
def test_the_picture_holds_nothing_that_is_no_number_in_any_language(found: Any, language: str) -> None:
    with translation.override(language):
        picture = render_to_string("billing/_history_chart.html", {"chart": chart.draw(months(found))})
    assert not re.search(
        r"nan|infinity|E[+-]?[0-9]", re.sub(r"<(title|desc|text).*?</\1>", "", picture), re.I
    )
    assert " style=" not in picture
    for name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height"):
        for value in re.findall(rf'\s{name}="([^"]*)"', picture):
            assert re.fullmatch(r"-?[0-9]+(\.[0-9]+)?%?", value), (name, value)
    if any(found):
        assert picture.count('role="img"') == 2
        assert picture.count("<title id=") == picture.count("<desc id=") == 2
    else:
        assert "<svg" not in picture


@given(st.from_regex(r"#[0-9a-f]{6}", fullmatch=True))
def test_the_chart_reads_with_any_accent(accent: str) -> None:
    """Its ink is the accent as text, on the card, light or dark: WCAG wants 3:1 of graphics."""
    light, dark = brand_css(Brand(accent=accent)).split("@media")
    for css, card in ((light, "#ffffff"), (dark, "#151a21")):
        ink = re.search(r"--accent-text:(#[0-9a-f]{6})", css)
        assert ink
        assert colours.contrast(ink[1], card) >= 3


@pytest.mark.parametrize("zero", [Decimal(0), Decimal("0.00000")])
def test_a_year_without_any_money_has_lines_and_no_bars(zero: Decimal) -> None:
    result = drawn([Statement(*[zero] * 7)] * 12)
    assert [column.bars for column in result.columns] == [()] * 12
    assert {column.point for column in result.columns} == {result.balances[-1].y}


def test_what_a_month_is_called_cannot_break_out_of_the_picture() -> None:
    hostile = SimpleNamespace(
        is_blank=False, missing=0, first=DAY, last=DAY, charges=(), balances=(), steps=(),
        edge='"><script>', aside=0, columns=(),
    )  # fmt: skip
    hostile.charges = (SimpleNamespace(amount=Decimal(1), y='"><script>'),)
    assert "<script>" not in render_to_string("billing/_history_chart.html", {"chart": hostile})


def test_the_months_of_a_year_are_named_once_and_end_with_the_newest() -> None:
    result = drawn([None] * 12)
    assert result.last - result.first < timedelta(days=366)
    assert [column.month.month for column in result.columns] == [12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert [column.month.month for column in result.columns if column.is_named] == [2, 5, 8, 11]
