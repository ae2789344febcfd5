"""Transfers stay correct when other transfers, the policy or the account change between two steps."""

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
from tests.support.transfers import ask, booked, new_customer, puts, rules

pytestmark = [pytest.mark.django_db, pytest.mark.database]
State = Move.State


def partner_balance(simulator: Simulator) -> Decimal:
    return Decimal(next(p for p in simulator.listed("partners") if p["name"] == "Aurora")["balance"])


def backdate_request(transfer: Move, **ago: float) -> Move:
    Move.objects.filter(pk=transfer.pk).update(asked_at=timezone.now() - timedelta(**ago))
    return Move.objects.get(pk=transfer.pk)


def test_concurrent_transfers_that_empty_the_account_need_confirmation(
    threads: None,
    simulator: Simulator,
    aurora: Brand,
    carl: User,
    sam: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    amount = (partner_balance(simulator) * Decimal("0.7")).quantize(Decimal(1))
    rules(aurora, per_move=amount, per_day=3 * amount, second_person_above=amount)
    customers, both_have_read, store_request = (
        [carl, new_customer(simulator, aurora)],
        Barrier(2),
        transfers._store_request,
    )

    def wait_for_both(*args: Any) -> None:
        both_have_read.wait(PATIENCE)
        store_request(*args)

    monkeypatch.setattr(transfers, "_store_request", wait_for_both)

    def job(nth: int) -> str:
        try:
            return ask(customers[nth], sam, str(amount)).outcome
        except TransferRefused as refused:
            return refused.needs

    assert sorted(at_once(2, job)) == [State.DONE, "empties_partner"]
    assert partner_balance(simulator) > 0


def test_balance_read_before_another_transfer_is_not_used(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_request = transfers._store_request

    def store_after_another(*args: Any) -> None:
        monkeypatch.setattr(transfers, "_store_request", store_request)
        ask(carl, sam, "3")
        store_request(*args)

    monkeypatch.setattr(transfers, "_store_request", store_after_another)
    with pytest.raises(TransferRefused, match="Nothing was sent"):
        ask(carl, sam, "5")
    assert booked(simulator, carl) == [3]
    assert get_policy(aurora).stopped_at is None


def test_unknown_transfer_counts_as_pending_outflow(
    simulator: Simulator, aurora: Brand, carl: User, sam: User
) -> None:
    amount = (partner_balance(simulator) * Decimal("0.7")).quantize(Decimal(1))
    rules(aurora, per_move=amount, per_day=3 * amount, second_person_above=amount)
    simulator.fault("move_funds", "drop_before", times=1)
    assert ask(carl, sam, str(amount)).outcome == State.UNKNOWN
    other = new_customer(simulator, aurora)
    preview = transfers.preview_transfer(brand=aurora, customer=other, amount=amount, by=sam)
    assert (preview.empties_partner, preview.under_way, preview.partner_at_worst < 0) == (True, amount, True)
    with pytest.raises(TransferRefused, match="You have to confirm this separately"):
        ask(other, sam, str(amount))
    assert ask(other, sam, str(amount), empties_partner_confirmed=True).outcome == State.DONE


def test_transfer_does_not_reuse_a_balance_call_already_under_way(
    threads: None, simulator: Simulator, aurora: Brand, carl: User, sam: User
) -> None:
    simulator.fault("customer_balance", "slow", seconds=1, times=1)

    def job(nth: int) -> Any:
        if not nth:
            month = this_month(today(aurora))
            return get_statement(brand=aurora, customer=carl, period=month, refresh=True)
        assert eventually(simulator.calls)  # The other call is under way.
        return timezone.now(), transfers.read_balances(brand=aurora, customer=carl, by=sam)

    shared, (started, balances) = at_once(2, job)
    assert shared.as_of < started < CachedStatement.objects.get(customer=carl).as_of
    assert balances[0] == 10
    assert len(simulator.calls("customer_balance")) == 2


def test_policy_changed_while_balances_are_read_applies_to_the_transfer(
    simulator: Simulator, carl: User, sam: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview = transfers.preview_transfer

    def preview_then_lower(**kwargs: Any) -> transfers.Preview:
        result = preview(**kwargs)
        rules(carl.brand, second_person_above=4)
        return result

    monkeypatch.setattr(transfers, "preview_transfer", preview_then_lower)
    assert ask(carl, sam, "5").outcome == State.WAITING
    assert puts(simulator) == []


def test_transfer_counts_towards_the_day_from_its_approval(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, tess: User
) -> None:
    rules(aurora, per_move=10, per_day=10, second_person_above=5)
    waiting = backdate_request(ask(carl, sam, "10"), hours=23.9)
    assert transfers.approve_transfer(brand=aurora, transfer=waiting, by=tess).outcome == State.DONE
    backdate_request(waiting, hours=24.1)
    with pytest.raises(TransferRefused, match=r"\b0\.00 is left"):
        ask(carl, sam, "5")


def test_transfer_cannot_be_approved_after_a_day_even_before_it_expires(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, tess: User
) -> None:
    rules(aurora, second_person_above=4)
    waiting = backdate_request(ask(carl, sam, "5"), hours=24.1)
    with pytest.raises(TransferRefused, match="no longer waiting for approval"):
        transfers.approve_transfer(brand=aurora, transfer=waiting, by=tess)
    assert puts(simulator) == []


def test_unknown_transfer_blocks_the_account_for_a_new_customer_too(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, make_customer: Callable[..., User]
) -> None:
    simulator.fault("move_funds", "drop_after", times=1)
    assert ask(carl, sam).outcome == State.UNKNOWN
    number = carl.account_number
    User.objects.filter(pk=carl.pk).update(account_number="")
    new_owner = make_customer(aurora, "heir@example.com", number)
    with pytest.raises(TransferRefused, match="no confirmed result"):
        ask(new_owner, sam)
    assert len(puts(simulator)) == 1


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL knows no such statement")
def test_audit_event_cannot_be_replaced_by_its_primary_key(
    simulator: Simulator, carl: User, sam: User
) -> None:
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
