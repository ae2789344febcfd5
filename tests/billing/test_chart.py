"""The chart of twelve months is drawn to scale and within its frame, whatever the figures."""

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
from portal.core.money import format_compact_money
from portal.models import Brand
from portal.voipline import Statement

TOLERANCE = Decimal("0.002")  # Per cent: positions are written with three decimals.
DAY = date(2026, 11, 26)
amounts = st.decimals(
    min_value=Decimal("-987654321098.12345"), max_value=Decimal("987654321098.12345"), places=5
) | st.sampled_from([Decimal(0), Decimal("0.00001"), Decimal("-0.00001"), Decimal("987654321098.12345")])
statements = st.builds(Statement, *[amounts] * 7)
years = st.lists(st.none() | statements, min_size=12, max_size=12)
languages = st.sampled_from(["en-au", "ar"])


def months(year: list[Statement | None]) -> list[StatementResult]:
    periods = [Period(DAY.replace(day=1), DAY), *complete_months(DAY, 11)]
    return [StatementResult(period, statement) for period, statement in zip(periods, year, strict=True)]


def percentage(share: str) -> Decimal:
    assert re.fullmatch(r"-?[0-9]+\.[0-9]{3}%", share), share
    return Decimal(share.removesuffix("%"))


AUD = Brand(currency="AUD")
PICTURES = ["billing/_history_chart.html", "billing/_balance_chart.html"]


def draw_chart(year: list[Statement | None], language: str = "en-au") -> Chart:
    with translation.override(language):
        return chart.draw_chart(months(year))


@given(years, languages)
def test_all_marks_lie_within_the_frame(year: Any, language: str) -> None:
    result = draw_chart(year, language)
    positions = [percentage(tick.y) for tick in (*result.charges, *result.balances)]
    for column in result.columns:
        positions += [percentage(column.middle), percentage(column.left) + percentage(column.width)]
        positions += [percentage(column.point)] if column.point else []
        for bar in column.bars:
            assert percentage(bar.height) >= 0
            positions += [percentage(bar.x), percentage(bar.y)]
            positions += [
                percentage(bar.x) + percentage(bar.width),
                percentage(bar.y) + percentage(bar.height),
            ]
            assert percentage(column.left) <= percentage(bar.x)
            assert (
                percentage(bar.x) + percentage(bar.width)
                <= percentage(column.left) + percentage(column.width) + TOLERANCE
            )
    assert all(-TOLERANCE <= position <= 100 + TOLERANCE for position in positions)


@given(years)
def test_bars_are_to_scale_and_stacked(year: Any) -> None:
    result = draw_chart(year)
    zero = next(percentage(tick.y) for tick in result.charges if not tick.amount)
    unit = 100 / (result.charges[0].amount - result.charges[-1].amount)
    for column in result.columns:
        up = down = zero
        expected = [name for name in CHARGES if column.statement and getattr(column.statement, name)]
        assert [bar.kind for bar in column.bars] == expected
        for bar in column.bars:
            amount = getattr(column.statement, bar.kind)
            top, bottom = percentage(bar.y), percentage(bar.y) + percentage(bar.height)
            assert abs(percentage(bar.height) - abs(amount) * unit) <= TOLERANCE
            assert abs((bottom - up) if amount > 0 else (top - down)) <= 3 * TOLERANCE
            up, down = (top, down) if amount > 0 else (up, bottom)


@given(years)
def test_line_has_a_point_for_each_known_balance_only(year: Any) -> None:
    result = draw_chart(year)
    top, span = result.balances[0].amount, result.balances[0].amount - result.balances[-1].amount
    for column in result.columns:
        assert bool(column.point) is (column.statement is not None)
        if column.statement:
            expected = 100 * (top - column.statement.closing_balance) / span
            assert abs(percentage(column.point) - expected) <= TOLERANCE
    known_pairs = [pair for pair in pairwise(result.columns) if pair[0].point and pair[1].point]
    assert [(s.x1, s.y1, s.x2, s.y2) for s in result.steps] == [
        (one.middle, one.point, other.middle, other.point) for one, other in known_pairs
    ]


@given(years)
def test_missing_month_has_no_bars_and_no_point(year: Any) -> None:
    result = draw_chart(year)
    for column, statement in zip(result.columns, reversed(year), strict=True):
        assert column.statement is statement
        if statement is None:
            assert (column.bars, column.point) == ((), "")
    assert result.missing == year.count(None)
    assert result.is_blank is (year == [None] * 12)


@given(years)
def test_axis_ticks_are_few_and_have_distinct_labels(year: Any) -> None:
    result = draw_chart(year)
    assert any(tick.amount == 0 for tick in result.charges)
    for ticks in (result.charges, result.balances):
        assert 2 <= len(ticks) <= 8
        for language in ("en-au", "es", "zh-hans", "ar"):
            with translation.override(language):
                assert len({format_compact_money(tick.amount, AUD) for tick in ticks}) == len(ticks)


@given(
    st.decimals("-987654321098", "987654321098", places=5) | st.decimals("-20000", "20000", places=2),
    st.decimals("0", "10000", places=2) | st.decimals("0", "1", places=2),
)
def test_close_balances_use_the_height_and_have_distinct_labels(least: Decimal, spread: Decimal) -> None:
    result = draw_chart([Statement(*[least + spread * (number % 3) / 2] * 7) for number in range(12)])
    high, low = result.balances[0].amount, result.balances[-1].amount
    assert low <= least <= least + spread <= high
    assert 2 <= len(result.balances) <= 8
    largest = max(abs(least), abs(least + spread))
    assert high - low <= max(2 * spread, Decimal(1), largest if largest >= 1000 else 0)
    for language in ("en-au", "es", "zh-hans", "ar"):
        with translation.override(language):
            labels = [format_compact_money(tick.amount, AUD) for tick in result.balances]
        assert len(set(labels)) == len(labels)


def test_scale_of_balances_begins_near_them_and_that_of_charges_at_zero() -> None:
    result = draw_chart([Statement(*[Decimal(100 + number)] * 7) for number in range(12)])
    assert (result.balances[-1].amount, result.balances[0].amount) == (100, 115)
    assert result.charges[-1].amount == 0


@given(years)
def test_chart_is_mirrored_in_right_to_left_languages(year: Any) -> None:
    plain, mirrored = draw_chart(year), draw_chart(year, "ar")
    assert [column.period for column in mirrored.columns] == [c.period for c in reversed(plain.columns)]
    assert mirrored.running.period == plain.running.period == months(year)[0].period
    for one, other in zip(plain.columns, reversed(mirrored.columns), strict=True):
        assert abs(percentage(one.middle) + percentage(other.middle) - 100) <= TOLERANCE
        assert (one.point, one.is_named, one.top) == (other.point, other.is_named, other.top)
        assert one.is_running is other.is_running is (one.period.to_date == DAY)
        assert [(b.kind, b.y, b.height) for b in one.bars] == [(b.kind, b.y, b.height) for b in other.bars]
    assert (plain.edge, plain.aside, mirrored.edge, mirrored.aside) == ("0%", -8, "100%", 8)


def draw_picture(template: str, drawing: Any) -> str:
    request = SimpleNamespace(brand=AUD)
    return render_to_string(template, {"chart": drawing, "brand": AUD, "request": request, "stale": False})


@given(years, st.sampled_from(["en-au", "es", "zh-hans", "ar"]), st.sampled_from(PICTURES))
def test_svg_attributes_are_plain_numbers_in_every_language(year: Any, language: str, template: str) -> None:
    with translation.override(language):
        picture = draw_picture(template, chart.draw_chart(months(year)))
    assert " style=" not in picture
    for name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx", "dx", "dy", "width", "height"):
        for value in re.findall(rf'\s{name}="([^"]*)"', picture):
            assert re.fullmatch(r"-?[0-9]+(\.[0-9]+)?%?", value), (name, value)
    assert not re.search(r'="[^"]*(\bnan\b|infinity|[0-9]e[+-]?[0-9])[^"]*"', picture, re.I)
    plots = re.findall(r'<svg class="plot.*?</svg>', picture, re.DOTALL)
    named = [re.search(r'aria-labelledby="([\w-]+)">\s*<title id="\1">[^<]+</title>', plot) for plot in plots]
    assert all(named)
    if template == PICTURES[1] or any(year):
        assert len(plots) == picture.count('role="group"') == (1 if template == PICTURES[1] else 2)
        for plot in plots:  # A reader without the picture hears the month and amount of each link.
            spoken = re.findall(r'<a href="[^"]+"[^>]*? aria-label="[^"]*: [^"]*[0-9]', plot)
            assert len(spoken) == plot.count("<a ") == 12 - year.count(None)
    else:
        assert "<svg" not in picture


@given(st.from_regex(r"#[0-9a-f]{6}", fullmatch=True))
def test_chart_colour_has_enough_contrast_for_any_accent(accent: str) -> None:
    """WCAG requires a contrast of 3:1 for graphics; the chart uses the accent's text colour on the card."""
    light, dark = brand_css(Brand(accent=accent)).split("@media")
    for css, card in ((light, "#ffffff"), (dark, "#171d25")):
        ink = re.search(r"--accent-text:(#[0-9a-f]{6})", css)
        assert ink
        assert colours.contrast(ink[1], card) >= 3


@pytest.mark.parametrize("zero", [Decimal(0), Decimal("0.00000")])
def test_year_of_zero_amounts_has_a_line_and_no_bars(zero: Decimal) -> None:
    result = draw_chart([Statement(*[zero] * 7)] * 12)
    assert [column.bars for column in result.columns] == [()] * 12
    assert {column.point for column in result.columns} == {result.balances[-1].y}


@pytest.mark.parametrize("template", PICTURES)
def test_svg_attribute_values_are_escaped(template: str) -> None:
    evil, zero = '"><script>', Decimal(0)
    statement = Statement(*[zero] * 7)
    bars = [SimpleNamespace(kind=kind, x=evil, y=evil, width=evil, height=evil) for kind in (*CHARGES, evil)]
    marks = dict.fromkeys(("side", "top", "middle", "left", "width", "point"), evil)
    column = SimpleNamespace(
        period=Period(DAY, DAY), statement=statement, is_running=True, is_named=True, bars=bars, **marks
    )
    missing = SimpleNamespace(**{**vars(column), "statement": None, "bars": (), "point": ""})
    ticks = [SimpleNamespace(amount=Decimal(amount), y=evil) for amount in (0, 1)]
    hostile = SimpleNamespace(
        is_blank=False, missing=1, first=DAY, last=DAY, charges=ticks, balances=ticks, edge=evil, aside=evil,
        columns=[column, missing], running=column,
        steps=[SimpleNamespace(x1=evil, y1=evil, x2=evil, y2=evil)],
    )  # fmt: skip
    picture = draw_picture(template, hostile)
    assert "<script>" not in picture
    assert picture.count("&quot;&gt;&lt;script&gt;") > 15
    assert "MISSING-VARIABLE" not in picture


def test_columns_end_with_the_newest_month_and_every_third_is_labelled() -> None:
    result = draw_chart([None] * 12)
    assert result.last - result.first < timedelta(days=366)
    named = [column.period.from_date.month for column in result.columns if column.is_named]
    assert [column.period.from_date.month for column in result.columns] == [12, *range(1, 12)]
    assert named == [2, 5, 8, 11]
    assert [column.period.from_date.month for column in result.columns if column.is_running] == [11]
    assert [column.side for column in result.columns] == ["start"] * 3 + ["middle"] * 6 + ["end"] * 3
