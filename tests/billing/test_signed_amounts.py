"""A statement's lines add up to the eye: payments are added, charges taken off."""

from dataclasses import astuple, replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from billing.preview_samples import FIGURES
from billing.statements.labels import list_signed_amounts
from portal.voipline import Statement

AMOUNTS = st.decimals(-(10**12), 10**12, places=5)


def adds_up(statement: Statement) -> bool:
    *lines, last = list_signed_amounts(statement)
    return sum((line.amount for line in lines), Decimal(0)) == last.amount


def test_lines_are_in_reading_order_with_their_signs():
    assert [(line.field, str(line.amount), line.is_total) for line in list_signed_amounts(FIGURES)] == [
        ("opening_balance", "245.71293", True),
        ("payments", "57", False),
        ("call_charges", "-48.125", False),
        ("other_charges", "-7.5", False),
        ("adjustments", "-5", False),
        ("closing_balance", "242.08793", True),
    ]


def test_credited_adjustment_is_added():
    lines = {
        line.field: line.amount for line in list_signed_amounts(replace(FIGURES, adjustments=Decimal(-5)))
    }
    assert lines["adjustments"] == 5


@given(st.tuples(*[AMOUNTS] * 5))
def test_consistent_statement_adds_up_and_one_changed_amount_shows(amounts: tuple[Decimal, ...]) -> None:
    opening, paid, adjusted, calls, other = amounts
    total = calls + other + adjusted
    statement = Statement(opening, paid, adjusted, calls, other, total, opening + paid - total)
    assert statement.is_consistent
    assert adds_up(statement)
    for line in list_signed_amounts(statement):
        wrong = replace(statement, **{line.field: getattr(statement, line.field) + Decimal("0.00001")})
        assert not adds_up(wrong)


@given(st.tuples(*[st.integers(-3, 3).map(Decimal)] * 7).map(lambda amounts: Statement(*amounts)))
def test_lines_add_up_exactly_if_the_statement_is_consistent(statement: Statement) -> None:
    charges = statement.call_charges + statement.other_charges + statement.adjustments
    assert statement.is_consistent == (adds_up(statement) and charges == statement.total_charges)
    assert len(astuple(statement)) == len(list_signed_amounts(statement)) + 1
