"""What changes between two looks at a move: other moves, the rules, whose account it is, the time of day."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts.models import User
from billing.models import CachedStatement, Move, MoveEvent
from billing.statements.periods import this_month, today
from billing.statements.service import get_statement
from billing.transfers import service as transfers
from billing.transfers.policy import get_policy
from billing.transfers.service import TransferRefused
from portal.models import Brand
from tests.conftest import Simulator
from tests.support.customer_flow import at_once
from tests.support.timeouts import PATIENCE, eventually
from tests.support.transfers import ask, booked, new_customer, puts, rules, staff_of

pytestmark = [pytest.mark.django_db, pytest.mark.database]
State = Move.State


@pytest.fixture
def sam(aurora: Brand) -> User:
    """Sam works for Aurora."""
    return staff_of(aurora)


@pytest.fixture
def tess(aurora: Brand) -> User:
    """Tess does so too."""
    return staff_of(aurora, "tess@example.com")


@pytest.fixture
def carl(simulator: Simulator, aurora: Brand) -> User:
    """A customer of Aurora with a balance of 10."""
    return new_customer(simulator, aurora)


def partner_balance(simulator: Simulator) -> Decimal:
    return Decimal(next(p for p in simulator.listed("partners") if p["name"] == "Aurora")["balance"])


def asked_ago(transfer: Move, **ago: float) -> Move:
    Move.objects.filter(pk=transfer.pk).update(asked_at=timezone.now() - timedelta(**ago))
    return Move.objects.get(pk=transfer.pk)


def test_of_two_moves_that_empty_the_partner_account_together_the_second_is_to_be_confirmed(
    threads: None,
    simulator: Simulator,
    aurora: Brand,
    carl: User,
    sam: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    amount = (partner_balance(simulator) * Decimal("0.7")).quantize(Decimal(1))
    rules(aurora, per_move=amount, per_day=3 * amount, second_person_above=amount)
    customers, both_have_read, record = [carl, new_customer(simulator, aurora)], Barrier(2), transfers._record

    def together(*told: Any) -> None:
        both_have_read.wait(PATIENCE)
        record(*told)

    monkeypatch.setattr(transfers, "_record", together)

    def job(nth: int) -> str:
        try:
            return ask(customers[nth], sam, str(amount)).outcome
        except TransferRefused as refused:
            return refused.needs

    assert sorted(at_once(2, job)) == [State.DONE, "empties_partner"]
    assert partner_balance(simulator) > 0


def test_a_balance_that_was_read_before_another_move_was_made_is_not_gone_by(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = transfers._record

    def after_another(*told: Any) -> None:
        monkeypatch.setattr(transfers, "_record", record)
        ask(carl, sam, "3")
        record(*told)

    monkeypatch.setattr(transfers, "_record", after_another)
    with pytest.raises(TransferRefused, match="Nothing was sent"):
        ask(carl, sam, "5")
    assert booked(simulator, carl) == [3]
    assert get_policy(aurora).stopped_at is None


def test_an_unknown_move_may_yet_be_taken_from_the_partner_account(
    simulator: Simulator, aurora: Brand, carl: User, sam: User
) -> None:
    amount = (partner_balance(simulator) * Decimal("0.7")).quantize(Decimal(1))
    rules(aurora, per_move=amount, per_day=3 * amount, second_person_above=amount)
    simulator.fault("move_funds", "drop_before", times=1)
    assert ask(carl, sam, str(amount)).outcome == State.UNKNOWN
    other = new_customer(simulator, aurora)
    seen = transfers.preview_transfer(brand=aurora, customer=other, amount=amount, by=sam)
    assert (seen.empties_partner, seen.under_way, seen.partner_at_worst < 0) == (True, amount, True)
    with pytest.raises(TransferRefused, match="confirmation of its own"):
        ask(other, sam, str(amount))
    assert ask(other, sam, str(amount), empties_partner_confirmed=True).outcome == State.DONE


def test_a_balance_that_somebody_else_asked_for_before_is_not_one_read_now(
    threads: None, simulator: Simulator, aurora: Brand, carl: User, sam: User
) -> None:
    simulator.fault("customer_balance", "slow", seconds=1, times=1)

    def job(nth: int) -> Any:
        if not nth:
            month = this_month(today(aurora))
            return get_statement(brand=aurora, customer=carl, period=month, refresh=True)
        assert eventually(simulator.calls)  # The other's question is under way.
        return timezone.now(), transfers.read_balances(brand=aurora, customer=carl, by=sam)

    shared, (began, balances) = at_once(2, job)
    assert shared.as_of < began < CachedStatement.objects.get(customer=carl).as_of
    assert balances[0] == 10
    assert len(simulator.calls("customer_balance")) == 2


def test_rules_that_change_while_balances_are_read_hold_for_the_move(
    simulator: Simulator, carl: User, sam: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview = transfers.preview_transfer

    def then_lowered(**told: Any) -> transfers.Preview:
        seen = preview(**told)
        rules(carl.brand, second_person_above=4)
        return seen

    monkeypatch.setattr(transfers, "preview_transfer", then_lowered)
    assert ask(carl, sam, "5").outcome == State.WAITING
    assert puts(simulator) == []


def test_a_move_counts_for_a_day_from_its_approval(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, tess: User
) -> None:
    rules(aurora, per_move=10, per_day=10, second_person_above=5)
    waiting = asked_ago(ask(carl, sam, "10"), hours=23.9)
    assert transfers.approve_transfer(brand=aurora, transfer=waiting, by=tess).outcome == State.DONE
    asked_ago(waiting, hours=24.1)
    with pytest.raises(TransferRefused, match=r"\b0.00 of that is left"):
        ask(carl, sam, "5")


def test_nobody_approves_after_a_day_even_where_nothing_has_expired_the_move(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, tess: User
) -> None:
    rules(aurora, second_person_above=4)
    waiting = asked_ago(ask(carl, sam, "5"), hours=24.1)
    with pytest.raises(TransferRefused, match="does not wait"):
        transfers.approve_transfer(brand=aurora, transfer=waiting, by=tess)
    assert puts(simulator) == []


def test_an_unknown_move_blocks_the_account_whoever_has_it_by_now(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, make_customer: Callable[..., User]
) -> None:
    simulator.fault("move_funds", "drop_after", times=1)
    assert ask(carl, sam).outcome == State.UNKNOWN
    number = carl.account_number
    User.objects.filter(pk=carl.pk).update(account_number="")
    heir = make_customer(aurora, "heir@example.com", number)
    with pytest.raises(TransferRefused, match="unknown"):
        ask(heir, sam)
    assert len(puts(simulator)) == 1


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL knows no such statement")
def test_no_event_is_replaced_by_another_of_its_number(simulator: Simulator, carl: User, sam: User) -> None:
    ask(carl, sam)
    event = MoveEvent.objects.order_by("pk")[0]
    event.amount, fields = Decimal(999), MoveEvent._meta.concrete_fields
    names = ", ".join(field.column for field in fields)
    marks = ", ".join(["%s"] * len(fields))
    values = [field.get_db_prep_save(getattr(event, field.attname), connection) for field in fields]
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"INSERT OR REPLACE INTO billing_moveevent ({names}) VALUES ({marks})", values)
    assert MoveEvent.objects.get(pk=event.pk).amount == 5
