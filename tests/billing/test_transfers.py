"""A transfer happens once, not at all, or is known to be unknown, and never exceeds the limits."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from threading import Barrier
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts.models import User
from billing import triggers
from billing.checks import the_audit_trail_is_guarded
from billing.models import Move, MoveEvent
from billing.transfers import alerts, audit, dispatch, policy
from billing.transfers import service as transfers
from billing.transfers.service import TransferRefused
from portal.models import Brand, CarrierCall
from portal.voipline import Carrier, Reach, Secret, call
from tests.conftest import Simulator
from tests.support.customer_flow import at_once
from tests.support.jobs import tick
from tests.support.timeouts import PATIENCE, eventually, timeouts_for
from tests.support.transfers import ask, booked, new_customer, puts, rules, staff_of

pytestmark = [pytest.mark.django_db, pytest.mark.database]
State = Move.State


def pass_a_minute(transfer: Move) -> None:
    """Set the dispatch of a transfer more than a minute back."""
    Move.objects.filter(pk=transfer.pk).update(dispatched_at=timezone.now() - timedelta(seconds=61))
    transfer.refresh_from_db()


# --- Outcome ---


def test_transfer_is_made_once_and_records_balances_before_and_after(
    simulator: Simulator, aurora: Brand, carl: User, sam: User
) -> None:
    partner = Decimal(next(p for p in simulator.listed("partners") if p["name"] == "Aurora")["balance"])
    transfer = ask(carl, sam, "5.25")
    transfer.refresh_from_db()
    assert transfer.outcome == State.DONE
    assert (transfer.customer_before, transfer.customer_after) == (Decimal(10), Decimal("15.25"))
    assert (transfer.partner_before, transfer.partner_after) == (partner, partner - Decimal("5.25"))
    assert [event.partner_balance for event in transfer.events.all()] == [
        partner,
        partner,
        partner - Decimal("5.25"),
    ]
    assert booked(simulator, carl) == [Decimal("5.25")]
    [call] = simulator.calls("move_funds")
    assert call["fields"] == {
        "account_number": carl.account_number,
        "amount": "5.25",
        "description": str(transfer.operation),
    }
    row = CarrierCall.objects.get(method="move_funds")
    assert (row.customer_id, row.operation, row.outcome) == (carl.pk, str(transfer.operation), "ok")


def test_answer_to_a_transfer_updates_the_credit_limit(simulator: Simulator, carl: User, sam: User) -> None:
    seed = {"partner": "aurora-api-key", "account_number": carl.account_number, "credit_limit": "-55"}
    simulator.post("seed", customers=[seed])
    ask(carl, sam)
    carl.refresh_from_db()
    assert carl.credit_limit == Decimal(-55)


FAULTS_BEFORE_BOOKING = [
    ("status", {"status": 400}, State.REFUSED),
    ("status", {"status": 401}, State.REFUSED),
    ("status", {"status": 403}, State.REFUSED),
    ("status", {"status": 404}, State.REFUSED),
    ("status", {"status": 409}, State.REFUSED),
    ("status", {"status": 422}, State.REFUSED),
    ("status", {"status": 429, "retry_after": "30"}, State.REFUSED),
    ("code", {"status": 401}, State.REFUSED),
    ("status", {"status": 500}, State.UNKNOWN),
    ("status", {"status": 503}, State.UNKNOWN),
    ("html_error", {}, State.UNKNOWN),
    ("code", {"status": 500}, State.UNKNOWN),
    ("code", {"status": 7777}, State.UNKNOWN),
    *(("redirect", {"status": status}, State.UNKNOWN) for status in (301, 302, 303, 307, 308)),
    ("drop_before", {}, State.UNKNOWN),
    ("hang", {}, State.UNKNOWN),
    ("slow", {"seconds": 5}, State.UNKNOWN),  # Far longer than the timeout.
]
FAULTS_AFTER_BOOKING = [
    ("status_after", {"status": 503}),
    ("status_after", {"status": 502}),
    ("drop_after", {}),
    ("html", {}),
    ("empty", {}),
    ("truncated", {}),
    ("huge", {}),
    ("gzip_bomb", {}),
    *(("cut", {"message": part}) for part in ("status", "headers", "body")),
    *(("drip_" + part, {"seconds": 1}) for part in ("status", "headers", "body")),
    *(("wrong_json", {"message": kind}) for kind in ("array", "nan", "infinity", "exponent", "duplicate")),
    *(("wrong_json", {"message": kind}) for kind in ("missing", "types", "null_data", "no_data")),
]


def assert_books_agree(simulator: Simulator, customer: User, transfer: Move) -> None:
    """Assert that the carrier's books agree with ours, unless ours say unknown."""
    happened = len(booked(simulator, customer))
    if transfer.outcome in (State.DONE, State.FOUND_DONE):
        assert happened == 1
    elif transfer.outcome != State.UNKNOWN:
        assert happened == 0


@pytest.mark.parametrize(("fault", "options", "state"), FAULTS_BEFORE_BOOKING)
def test_fault_before_booking_is_refused_or_unknown_without_a_retry(
    simulator: Simulator, carl: User, sam: User, settings: Any, fault: str, options: Any, state: str
) -> None:
    settings.CARRIER_TIMEOUTS = timeouts_for(fault)
    simulator.fault("move_funds", fault, **options)
    transfer = ask(carl, sam)
    transfer.refresh_from_db()
    assert transfer.outcome == state
    assert eventually(lambda: puts(simulator) == [str(transfer.operation)])
    assert_books_agree(simulator, carl, transfer)


@pytest.mark.parametrize(("fault", "options"), FAULTS_AFTER_BOOKING)
def test_fault_after_booking_is_unknown_without_a_retry(
    simulator: Simulator, carl: User, sam: User, settings: Any, fault: str, options: Any
) -> None:
    settings.CARRIER_TIMEOUTS = timeouts_for(fault)
    simulator.fault("move_funds", fault, **options)
    transfer = ask(carl, sam)
    transfer.refresh_from_db()
    assert transfer.outcome == State.UNKNOWN
    assert eventually(lambda: puts(simulator) == [str(transfer.operation)])
    assert eventually(lambda: booked(simulator, carl) == [Decimal(5)])


def test_failed_connection_leaves_the_transfer_not_sent(
    simulator: Simulator, carl: User, sam: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview = transfers.preview_transfer

    def preview_then_lose_the_carrier(**kwargs: Any) -> transfers.Preview:
        result = preview(**kwargs)
        Brand.objects.update(carrier_url="http://127.0.0.1:9/api/")
        kwargs["brand"].carrier_url = "http://127.0.0.1:9/api/"
        return result

    monkeypatch.setattr(transfers, "preview_transfer", preview_then_lose_the_carrier)
    transfer = ask(carl, sam)
    assert (transfer.outcome, puts(simulator)) == (State.NOT_SENT, [])


@pytest.mark.parametrize(
    "why",
    [
        "The carrier's answer to a move shows a balance that did not go the stated way.",
        "The carrier's answer to a move shows a balance that changed by another amount than was asked for.",
        Move.WRONG_WAY,
        Move.OTHER_AMOUNT,
    ],
)
def test_reason_is_recognised_in_the_words_of_every_version(why: str) -> None:
    assert Move(why=why).booked_otherwise
    assert not Move(why="").booked_otherwise


@pytest.mark.parametrize("factor", ["100", "2", "1.001", "0.49", "0.01", "-1"])
def test_differing_booked_amount_is_unknown_and_stops_the_brand(
    simulator: Simulator, carl: User, sam: User, factor: str
) -> None:
    rules(carl.brand, back_at=timezone.now())
    simulator.fault("move_funds", "factor", factor=factor, times=1)
    transfer = ask(carl, sam, "25")
    transfer.refresh_from_db()
    assert (transfer.outcome, transfer.customer_change) == (State.UNKNOWN, 25 * Decimal(factor))
    brand_policy = policy.get_policy(carl.brand)
    assert (brand_policy.stopped_why, brand_policy.back_at) == (transfer.why, None)
    assert transfer.why == (Move.WRONG_WAY if factor == "-1" else Move.OTHER_AMOUNT)
    with pytest.raises(TransferRefused, match="are paused"):
        ask(new_customer(simulator, carl.brand), sam)
    tick()
    assert "didn't change as it should" in mail.outbox[0].body


@pytest.mark.parametrize("factor", ["0.5", "0.98", "1", "1.0004"])
def test_call_charges_and_rounding_do_not_make_a_transfer_unknown(
    simulator: Simulator, carl: User, sam: User, factor: str
) -> None:
    simulator.fault("move_funds", "factor", factor=factor, times=1)
    assert ask(carl, sam, "25").outcome == State.DONE
    assert policy.get_policy(carl.brand).stopped_at is None


@pytest.mark.parametrize("factor", ["100", "0.49"])
def test_refund_with_a_differing_booked_amount_is_unknown(
    simulator: Simulator, carl: User, sam: User, factor: str
) -> None:
    rules(carl.brand, back_at=timezone.now())
    simulator.fault("move_funds", "factor", factor=factor, times=1)
    assert ask(carl, sam, "-5").outcome == State.UNKNOWN
    assert policy.get_policy(carl.brand).stopped_at


def test_concurrent_change_of_the_partner_balance_is_ignored(
    simulator: Simulator, carl: User, sam: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatch_transfer, carrier = (
        transfers.dispatch_transfer,
        Carrier(simulator.api, Secret("aurora-api-key"), reach=Reach(loopback=True)),
    )
    other_transfer = {"account_number": "70001", "amount": Decimal(300), "description": "beside it"}

    def dispatch_after_another(transfer: Move) -> Move:
        call(carrier, "move_funds", **other_transfer)
        return dispatch_transfer(transfer)

    monkeypatch.setattr(transfers, "dispatch_transfer", dispatch_after_another)
    transfer = ask(carl, sam, "25")
    transfer.refresh_from_db()
    assert (transfer.outcome, transfer.partner_change) == (State.DONE, -325)


def test_account_unknown_to_the_carrier_is_refused_and_nothing_is_sent(
    simulator: Simulator, aurora: Brand, sam: User, make_customer: Callable[..., User]
) -> None:
    customer = make_customer(aurora, "stranger@example.com", "999999")
    with pytest.raises(TransferRefused, match="knows no account with the number 999999"):
        ask(customer, sam)
    assert puts(simulator) == []


@pytest.mark.parametrize("method", ["customer_balance", "partner_balance"])
def test_without_both_balances_nothing_is_sent_or_recorded(
    simulator: Simulator, carl: User, sam: User, method: str
) -> None:
    simulator.fault(method, "status", status=503)
    with pytest.raises(TransferRefused, match="nothing was sent"):
        ask(carl, sam)
    assert not Move.objects.exists()
    assert puts(simulator) == []


def test_unexpected_internal_error_leaves_the_transfer_unknown(
    simulator: Simulator, carl: User, sam: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("whatever")

    monkeypatch.setattr(dispatch.calls, "call", broken)
    transfer = ask(carl, sam)
    transfer.refresh_from_db()
    assert transfer.outcome == State.UNKNOWN


def test_error_after_a_done_transfer_does_not_change_its_state(
    simulator: Simulator, carl: User, sam: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise DatabaseError("gone away")

    monkeypatch.setattr(dispatch, "_update_from_answer", broken)
    transfer = ask(carl, sam)
    transfer.refresh_from_db()
    assert transfer.outcome == State.DONE


def test_transfer_is_unknown_after_a_minute_if_its_end_was_not_stored(
    simulator: Simulator, carl: User, sam: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_event = audit.record_event

    def broken(*_: object, **__: object) -> None:
        raise DatabaseError("gone away")

    monkeypatch.setattr(audit, "record_event", broken)
    transfer = ask(carl, sam)
    monkeypatch.setattr(audit, "record_event", record_event)
    assert transfer.outcome == State.DISPATCHED
    pass_a_minute(transfer)
    assert transfer.outcome == State.UNKNOWN
    assert booked(simulator, carl) == [Decimal(5)]


@pytest.mark.parametrize("late", [21, -3600], ids=["held up", "by a clock an hour ahead"])
def test_delayed_process_does_not_send_its_transfer(
    simulator: Simulator, carl: User, sam: User, late: int
) -> None:
    transfer = Move(brand=carl.brand, customer=carl, account_number=carl.account_number, amount=Decimal(5))
    transfer.asked_by, transfer.asked_at, transfer.state = sam, timezone.now(), State.DISPATCHED
    transfer.dispatched_at = timezone.now() - timedelta(seconds=late)
    transfer.save()
    assert dispatch.dispatch_transfer(transfer).outcome == State.NOT_SENT
    assert puts(simulator) == []


def test_transfer_dispatched_in_the_future_by_a_wrong_clock_is_unknown(
    simulator: Simulator, carl: User, sam: User
) -> None:
    transfer = Move(brand=carl.brand, customer=carl, account_number=carl.account_number, amount=Decimal(5))
    transfer.asked_by, transfer.asked_at, transfer.state = sam, timezone.now(), State.DISPATCHED
    for ahead, outcome in ((2, State.DISPATCHED), (3600, State.UNKNOWN)):  # Clocks differ by seconds.
        transfer.dispatched_at = timezone.now() + timedelta(seconds=ahead)
        transfer.save()
        assert transfer.outcome == outcome
        assert list(Move.objects.unknown()) == ([transfer] if outcome == State.UNKNOWN else [])


# --- Idempotency ---


def test_repeated_operation_is_sent_once(simulator: Simulator, carl: User, sam: User) -> None:
    operation = uuid.uuid4()
    first = [ask(carl, sam, operation=operation) for _ in range(3)]
    assert {transfer.pk for transfer in first} == {first[0].pk}
    assert booked(simulator, carl) == [Decimal(5)]


def test_ten_concurrent_requests_of_one_operation_make_one_transfer(
    threads: None, simulator: Simulator, aurora: Brand, carl: User, sam: User
) -> None:
    operation = uuid.uuid4()

    def work(_number: int) -> int:
        return ask(User.objects.get(pk=carl.pk), sam, operation=operation).pk

    assert len(set(at_once(10, work))) == 1
    assert puts(simulator) == [str(operation)]
    assert booked(simulator, carl) == [Decimal(5)]


def test_concurrent_transfers_to_one_customer_are_not_made_twice(
    threads: None, simulator: Simulator, aurora: Brand, carl: User, sam: User
) -> None:
    simulator.fault("move_funds", "slow", seconds=0.3, times=None)

    def work(_number: int) -> bool:
        try:
            return ask(User.objects.get(pk=carl.pk), sam).outcome == State.DONE
        except TransferRefused:
            return False

    done = sum(at_once(4, work))
    assert done == len(booked(simulator, carl)) == len(puts(simulator)) >= 1


def test_operation_belongs_to_one_customer(simulator: Simulator, carl: User, bob: User, sam: User) -> None:
    operation = uuid.uuid4()
    ask(carl, sam, operation=operation)
    with pytest.raises(TransferRefused, match="another transfer"):
        ask(bob, sam, operation=operation)
    assert len(puts(simulator)) == 1


def test_transfer_inside_a_transaction_is_refused_before_any_call(
    transactional_db: None, simulator: Simulator, aurora: Brand, carl: User, sam: User
) -> None:
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        ask(carl, sam)
    assert puts(simulator) == []
    assert not Move.objects.exists()


# --- Unknown ---


def unknown_transfer(simulator: Simulator, customer: User, by: User) -> Move:
    simulator.fault("move_funds", "status_after", status=503, times=1)
    return ask(customer, by)


def test_unknown_transfer_blocks_only_the_next_of_that_customer(
    simulator: Simulator, carl: User, sam: User
) -> None:
    unknown_transfer(simulator, carl, sam)
    with pytest.raises(TransferRefused, match="resolved first"):
        ask(carl, sam)
    other = new_customer(simulator, carl.brand)
    assert ask(other, sam).outcome == State.DONE


@pytest.mark.parametrize(("happened", "state"), [(True, State.FOUND_DONE), (False, State.FOUND_NOT_DONE)])
def test_resolving_an_unknown_transfer_records_both_balances(
    simulator: Simulator, carl: User, sam: User, happened: bool, state: str
) -> None:
    transfer = unknown_transfer(simulator, carl, sam)
    resolved = transfers.resolve_transfer(
        brand=carl.brand, transfer=transfer, by=sam, happened=happened, note="I looked."
    )
    resolved.refresh_from_db()
    assert (resolved.state, resolved.resolved_by) == (state, sam)
    assert (resolved.customer_before, resolved.customer_after) == (Decimal(10), Decimal(15))
    assert resolved.partner_before - resolved.partner_after == 5
    assert ask(carl, sam).outcome == State.DONE
    with pytest.raises(TransferRefused):
        transfers.resolve_transfer(brand=carl.brand, transfer=resolved, by=sam, happened=True, note="Again.")


def test_transfer_can_be_resolved_only_once_it_is_no_longer_under_way(
    simulator: Simulator, carl: User, sam: User
) -> None:
    transfer = unknown_transfer(simulator, carl, sam)
    Move.objects.update(state=State.DISPATCHED)
    transfer.refresh_from_db()
    with pytest.raises(TransferRefused):
        transfers.resolve_transfer(
            brand=carl.brand, transfer=transfer, by=sam, happened=True, note="Too soon."
        )
    pass_a_minute(transfer)
    assert transfers.resolve_transfer(
        brand=carl.brand, transfer=transfer, by=sam, happened=True, note="I looked."
    )


def test_late_answer_is_recorded_but_does_not_change_the_resolution(
    simulator: Simulator, carl: User, sam: User
) -> None:
    transfer = unknown_transfer(simulator, carl, sam)
    late = Move.objects.get(pk=transfer.pk)
    transfers.resolve_transfer(brand=carl.brand, transfer=transfer, by=sam, happened=False, note="I looked.")
    assert dispatch._finish(late, State.DONE, "").state == State.FOUND_NOT_DONE
    assert "an answer came after that: done" in MoveEvent.objects.last().note


@pytest.mark.parametrize(("happened", "stops"), [(False, True), (True, False)])
def test_late_answer_that_contradicts_the_resolution_stops_transfers(
    simulator: Simulator, carl: User, sam: User, happened: bool, stops: bool
) -> None:
    transfer = unknown_transfer(simulator, carl, sam)
    late = Move.objects.get(pk=transfer.pk)
    transfers.resolve_transfer(
        brand=carl.brand, transfer=transfer, by=sam, happened=happened, note="I looked."
    )
    dispatch._finish(late, State.DONE, "")
    assert policy.get_policy(carl.brand).stopped_why == (dispatch.LATE if stops else "")


def test_unknown_transfer_alerts_staff_and_operators_once_a_day(
    simulator: Simulator, carl: User, sam: User, operator: User, borealis: Brand
) -> None:
    staff_of(borealis, "bea@example.com")
    transfer = unknown_transfer(simulator, carl, sam)
    Move.objects.update(state=State.DISPATCHED)
    tick()
    assert mail.outbox == []  # It may still be on its way.
    pass_a_minute(transfer)
    for _ in range(2):
        tick()
    assert sorted(each.to[0] for each in mail.outbox) == ["olga@example.com", "sam@example.com"]
    assert f"https://admin.test/admin/billing/move/{transfer.pk}/" in mail.outbox[0].body
    assert "Don't send it again" in mail.outbox[0].body
    Move.objects.update(alerted_at=timezone.now() - timedelta(hours=25))
    tick()
    assert len(mail.outbox) == 4


def test_alert_is_sent_again_after_the_mail_server_was_down(
    simulator: Simulator, carl: User, sam: User, settings: Any
) -> None:
    unknown_transfer(simulator, carl, sam)
    backend, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, "portal.mail.smtp_backend.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    tick()
    settings.EMAIL_BACKEND = backend
    tick()
    assert len(mail.outbox) == 1


def test_one_of_two_concurrent_ticks_sends_the_alert(
    threads: None,
    simulator: Simulator,
    aurora: Brand,
    carl: User,
    sam: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unknown_transfer(simulator, carl, sam)
    alert, both_have_looked = alerts._alert, Barrier(2)

    def alert_together(transfer: Move) -> bool:
        both_have_looked.wait(PATIENCE)
        return alert(transfer)

    monkeypatch.setattr(alerts, "_alert", alert_together)
    assert sorted(at_once(2, lambda _nth: alerts.alert_unknown_transfers())) == [0, 1]
    assert len(mail.outbox) == 1


def test_alert_of_a_killed_tick_is_sent_minutes_later(
    simulator: Simulator, carl: User, sam: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """No exception handler of ours may catch it."""

    def die(**_: object) -> bool:
        raise Killed

    unknown_transfer(simulator, carl, sam)
    with monkeypatch.context() as patch:
        patch.setattr(alerts, "send_notice", die)
        with pytest.raises(Killed):
            alerts.alert_unknown_transfers()
    assert alerts.alert_unknown_transfers() == 0
    Move.objects.update(alerted_at=Move.objects.get().alerted_at - timedelta(minutes=5))
    assert alerts.alert_unknown_transfers() == 1
    assert len(mail.outbox) == 1


# --- Limits and permissions ---


def test_limits_per_transfer_and_per_day_are_enforced(simulator: Simulator, carl: User, sam: User) -> None:
    rules(carl.brand, per_move=10, per_day=12)
    with pytest.raises(TransferRefused, match="One transfer can be up to"):
        ask(carl, sam, "10.01")
    assert ask(carl, sam, "10").outcome == State.DONE
    with pytest.raises(TransferRefused, match="24 hours"):
        ask(carl, sam, "2.01")
    assert ask(carl, sam, "2").outcome == State.DONE
    yesterday = timezone.now() - timedelta(hours=25)
    Move.objects.update(asked_at=yesterday, dispatched_at=yesterday)
    assert ask(carl, sam, "10").outcome == State.DONE


def test_unknown_transfer_counts_towards_the_day_and_refused_one_does_not(
    simulator: Simulator, carl: User, sam: User
) -> None:
    rules(carl.brand, per_day=10)
    unknown_transfer(simulator, carl, sam)
    other = new_customer(simulator, carl.brand)
    with pytest.raises(TransferRefused, match="24 hours"):
        ask(other, sam, "5.01")
    simulator.fault("move_funds", "status", status=422, times=1)
    assert ask(other, sam, "5").outcome == State.REFUSED
    assert ask(other, sam, "5").outcome == State.DONE


def test_concurrent_transfers_cannot_exceed_the_daily_limit(
    threads: None, simulator: Simulator, aurora: Brand, sam: User
) -> None:
    rules(aurora, per_day=12)
    customers = [new_customer(simulator, aurora) for _ in range(6)]

    def work(number: int) -> bool:
        try:
            return ask(User.objects.get(pk=customers[number].pk), sam, "5").outcome == State.DONE
        except TransferRefused:
            return False

    assert sum(at_once(6, work)) == 2
    assert len(puts(simulator)) == 2


def test_transfer_above_the_threshold_needs_approval_by_a_second_person(
    simulator: Simulator, carl: User, sam: User
) -> None:
    rules(carl.brand, second_person_above=4)
    transfer = ask(carl, sam)
    assert (transfer.outcome, puts(simulator)) == (State.WAITING, [])
    with pytest.raises(TransferRefused, match="Someone other"):
        transfers.approve_transfer(brand=carl.brand, transfer=transfer, by=sam)
    second = staff_of(carl.brand, "tess@example.com")
    approved = transfers.approve_transfer(brand=carl.brand, transfer=transfer, by=second)
    assert (approved.outcome, approved.approved_by) == (State.DONE, second)
    with pytest.raises(TransferRefused):
        transfers.approve_transfer(brand=carl.brand, transfer=Move.objects.get(), by=second)
    assert booked(simulator, carl) == [Decimal(5)]


def test_concurrent_approvals_make_one_transfer(
    threads: None, simulator: Simulator, aurora: Brand, carl: User, sam: User
) -> None:
    rules(aurora, second_person_above=4)
    transfer = ask(carl, sam)
    approvers = [staff_of(aurora, f"t{number}@example.com") for number in range(4)]

    def work(number: int) -> bool:
        try:
            transfers.approve_transfer(
                brand=aurora, transfer=Move.objects.get(pk=transfer.pk), by=approvers[number]
            )
        except TransferRefused:
            return False
        return True

    assert sum(at_once(4, work)) == 1
    assert booked(simulator, carl) == [Decimal(5)]


def test_staff_of_another_brand_cannot_approve_decline_or_request(
    simulator: Simulator, carl: User, sam: User, borealis: Brand
) -> None:
    rules(carl.brand, second_person_above=4)
    transfer, outsider = ask(carl, sam), staff_of(borealis, "bea@example.com")
    for attempt in (
        lambda: transfers.approve_transfer(brand=carl.brand, transfer=transfer, by=outsider),
        lambda: transfers.decline_transfer(brand=carl.brand, transfer=transfer, by=outsider, note=""),
        lambda: ask(carl, outsider),
    ):
        with pytest.raises(TransferRefused):
            attempt()
    transfer.refresh_from_db()
    assert (transfer.state, puts(simulator)) == (State.WAITING, [])


def test_declined_and_expired_transfers_are_never_sent(simulator: Simulator, carl: User, sam: User) -> None:
    rules(carl.brand, second_person_above=4)
    declined, forgotten = ask(carl, sam), ask(carl, sam)
    second = staff_of(carl.brand, "tess@example.com")
    transfers.decline_transfer(brand=carl.brand, transfer=declined, by=second, note="Not this one.")
    Move.objects.filter(pk=forgotten.pk).update(asked_at=timezone.now() - timedelta(hours=25))
    tick()
    for transfer in Move.objects.all():
        with pytest.raises(TransferRefused):
            transfers.approve_transfer(brand=carl.brand, transfer=transfer, by=second)
    assert {transfer.state for transfer in Move.objects.all()} == {State.DECLINED, State.EXPIRED}
    assert puts(simulator) == []


def test_emptying_the_partner_account_needs_its_own_confirmation(
    simulator: Simulator, carl: User, sam: User
) -> None:
    [partner] = [p for p in simulator.listed("partners") if p["name"] == "Aurora"]
    rules(carl.brand, per_move=10**9, per_day=10**9, second_person_above=10**9)
    amount = Decimal(partner["balance"]).quantize(Decimal("0.01")) + 1
    with pytest.raises(TransferRefused) as refused:
        ask(carl, sam, str(amount))
    assert refused.value.needs == "empties_partner"
    assert puts(simulator) == []
    assert ask(carl, sam, str(amount), empties_partner_confirmed=True).outcome == State.DONE


def test_refunds_are_off_until_an_operator_records_a_trial(
    simulator: Simulator, carl: User, sam: User, operator: User
) -> None:
    with pytest.raises(TransferRefused, match="aren't enabled"):
        ask(carl, sam, "-1")
    with pytest.raises(TransferRefused, match="aren't enabled"):
        ask(carl, operator, "-1.01")
    trial = ask(carl, operator, "-1")
    assert trial.outcome == State.DONE
    with pytest.raises(TransferRefused, match="aren't enabled"):
        ask(carl, sam, "-1")
    with pytest.raises(TransferRefused, match="Only an operator"):
        policy.allow_refunds(brand=carl.brand, transfer=trial, by=sam)
    policy.allow_refunds(brand=carl.brand, transfer=trial, by=operator)
    assert ask(carl, sam, "-3").outcome == State.DONE
    assert booked(simulator, carl) == [Decimal(-1), Decimal(-3)]


def test_operator_forbids_refunds_again(simulator: Simulator, carl: User, sam: User, operator: User) -> None:
    policy.allow_refunds(brand=carl.brand, transfer=ask(carl, operator, "-1"), by=operator)
    with pytest.raises(TransferRefused, match="Only an operator"):
        policy.forbid_refunds(brand=carl.brand, by=sam, note="Off.")
    policy.forbid_refunds(brand=carl.brand, by=operator, note="The carrier changed it.")
    with pytest.raises(TransferRefused, match="aren't enabled"):
        ask(carl, sam, "-1")


def test_refund_in_the_wrong_direction_stops_transfers_and_forbids_refunds(
    simulator: Simulator, carl: User, sam: User, operator: User
) -> None:
    policy.allow_refunds(brand=carl.brand, transfer=ask(carl, operator, "-1"), by=operator)
    policy.stop_transfers_by_hand(brand=carl.brand, by=operator, why="I look into it.")
    assert policy.get_policy(carl.brand).back_at
    policy.resume_transfers(brand=carl.brand, by=operator, note="Go on.")
    simulator.post("seed", partners=[{"key": "aurora-api-key", "moves_backwards": True}])
    assert ask(carl, sam, "-1").outcome == State.UNKNOWN
    brand_policy = policy.get_policy(carl.brand)
    assert brand_policy.stopped_at
    assert (brand_policy.back_at, brand_policy.back_by, brand_policy.back_move) == (None, None, None)


def test_transfer_to_a_customer_is_no_proof_for_refunds(
    simulator: Simulator, carl: User, operator: User
) -> None:
    forward = ask(carl, operator, "1")
    with pytest.raises(TransferRefused, match="proves"):
        policy.allow_refunds(brand=carl.brand, transfer=forward, by=operator)


def test_transfer_in_the_wrong_direction_stops_the_brand(
    simulator: Simulator, carl: User, sam: User, operator: User
) -> None:
    simulator.post("seed", partners=[{"key": "aurora-api-key", "moves_backwards": True}])
    transfer = ask(carl, sam)
    assert transfer.outcome == State.UNKNOWN
    tick()
    assert "All transfers for this brand are paused" in mail.outbox[0].body
    assert f"$5.00: Aurora Phone → customer {carl.account_number}" in mail.outbox[0].body
    other = new_customer(simulator, carl.brand)
    with pytest.raises(TransferRefused, match="are paused"):
        ask(other, sam)
    with pytest.raises(TransferRefused, match="Only an operator"):
        policy.resume_transfers(brand=carl.brand, by=sam, note="Go on.")
    policy.resume_transfers(brand=carl.brand, by=operator, note="The carrier has mended it.")
    simulator.post("seed", partners=[{"key": "aurora-api-key", "moves_backwards": False}])
    assert ask(other, sam).outcome == State.DONE


@pytest.mark.parametrize("why", ["no number", "another brand"])
def test_customer_without_number_or_of_another_brand_is_refused(
    simulator: Simulator, carl: User, charlie: User, sam: User, why: str
) -> None:
    customer = charlie if why == "another brand" else carl
    if why == "no number":
        carl.account_number = ""
        carl.save()
    with pytest.raises(TransferRefused):
        transfers.request_transfer(
            brand=carl.brand,
            customer=customer,
            amount=Decimal(5),
            description="x",
            operation=uuid.uuid4(),
            by=sam,
        )
    assert puts(simulator) == []


# --- The audit trail ---


def test_audit_trail_records_each_step_with_user_and_both_balances(
    simulator: Simulator, carl: User, sam: User
) -> None:
    transfer = unknown_transfer(simulator, carl, sam)
    transfers.resolve_transfer(
        brand=carl.brand, transfer=transfer, by=sam, happened=True, note="The books say so."
    )
    trail = [(event.state, event.by, event.customer_balance, event.note) for event in transfer.events.all()]
    assert trail[0] == (State.DISPATCHED, sam, Decimal(10), "")
    assert trail[1][:2] == (State.UNKNOWN, None)
    assert trail[2] == (State.FOUND_DONE, sam, Decimal(15), "The books say so.")
    assert {(e.brand, e.account_number, e.amount, e.operation) for e in transfer.events.all()} == {
        ("aurora", carl.account_number, Decimal(5), transfer.operation)
    }
    assert None not in {event.partner_balance for event in transfer.events.all()}


@pytest.mark.parametrize(
    "change",
    [
        lambda: MoveEvent.objects.update(note="another story"),
        lambda: MoveEvent.objects.all()._raw_delete("default"),
        lambda: MoveEvent.objects.get().delete(),
        lambda: Move.objects.all()._raw_delete("default"),
    ],
)
def test_database_refuses_changes_to_the_audit_trail(
    simulator: Simulator, carl: User, sam: User, change: Callable[[], object]
) -> None:
    rules(carl.brand, second_person_above=4)
    ask(carl, sam)

    def attempt() -> None:
        with transaction.atomic():
            change()
            transaction.get_connection().check_constraints()

    with pytest.raises(DatabaseError):
        attempt()
    assert MoveEvent.objects.get().note == ""


@pytest.mark.parametrize("column", ["amount", "account_number", "brand", "customer", "operation", "asked_by"])
def test_database_refuses_changes_to_the_request_of_a_transfer(
    simulator: Simulator, carl: User, bob: User, sam: User, borealis: Brand, operator: User, column: str
) -> None:
    transfer = ask(carl, sam)
    before = Move.objects.values().get()
    others: dict[str, Any] = {"amount": 1, "account_number": "1", "operation": uuid.UUID(int=0)}
    others |= {"brand": borealis, "customer": bob, "asked_by": operator}
    with pytest.raises(DatabaseError, match="what a move is about"), transaction.atomic():
        Move.objects.filter(pk=transfer.pk).update(**{column: others[column], "why": "another story"})
    assert Move.objects.values().get() == before


def test_transfers_cannot_be_deleted(simulator: Simulator, carl: User, sam: User) -> None:
    transfer = ask(carl, sam)
    with pytest.raises(DatabaseError, match="what a move is about"), transaction.atomic():
        Move.objects.filter(pk=transfer.pk)._raw_delete("default")


def test_other_fields_of_a_transfer_can_be_updated(simulator: Simulator, carl: User, sam: User) -> None:
    transfer = ask(carl, sam)
    transfer.why = "a word more"
    transfer.save()
    assert Move.objects.get().why == "a word more"


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no TRUNCATE")
@pytest.mark.parametrize("table", ["billing_move", "billing_moveevent"])
def test_transfer_tables_cannot_be_truncated(db: None, table: str) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {table} CASCADE")


@pytest.mark.parametrize("guard", triggers.GUARDS, ids=lambda guard: guard.table)
def test_check_fails_without_triggers_and_guard_moves_restores_them(db: None, guard: triggers.Guard) -> None:
    assert the_audit_trail_is_guarded(databases=["default"]) == []
    with connection.cursor() as cursor:
        for statement in guard.drop[connection.vendor]:
            cursor.execute(statement)
    assert_refused_until_guarded(guard)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite cannot switch a trigger off")
@pytest.mark.parametrize("how", ["DISABLE TRIGGER ALL", "DISABLE TRIGGER USER", "ENABLE REPLICA TRIGGER"])
@pytest.mark.parametrize("guard", triggers.GUARDS, ids=lambda guard: guard.table)
def test_check_fails_while_triggers_are_disabled(db: None, guard: triggers.Guard, how: str) -> None:
    one = f" {guard.table}_no_truncate" if "REPLICA" in how else ""
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {guard.table} {how}{one}")
    assert_refused_until_guarded(guard)


def assert_refused_until_guarded(guard: triggers.Guard) -> None:
    [error] = the_audit_trail_is_guarded(databases=["default"])
    assert error.id == "billing.E001"
    assert guard.table in error.msg
    assert "manage.py guard_moves" in str(error.hint)
    call_command("guard_moves", stdout=StringIO())
    assert the_audit_trail_is_guarded(databases=["default"]) == []


# --- The command ---


def command(customer: User, by: User, amount: str = "5", *options: str) -> None:
    arguments = (customer.brand.slug, customer.account_number, amount, "--by", by.email)
    call_command("move_funds", *arguments, "--description", "a top-up", *options)


def test_command_applies_the_same_policy(
    simulator: Simulator, carl: User, sam: User, capsys: pytest.CaptureFixture[str]
) -> None:
    command(carl, sam, "5", "--yes")
    assert ": done" in capsys.readouterr().out
    rules(carl.brand, per_move=4)
    with pytest.raises(CommandError, match="nothing was sent"):
        command(carl, sam, "5", "--yes")
    rules(carl.brand, per_move=500, second_person_above=4)
    command(carl, sam, "5", "--yes")
    assert "second person" in capsys.readouterr().out
    assert booked(simulator, carl) == [Decimal(5)]


def test_command_shows_both_balances_and_asks_for_confirmation(
    simulator: Simulator, carl: User, sam: User, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr("builtins.input", lambda _words: "no")
    with pytest.raises(CommandError, match="nothing was sent"):
        command(carl, sam)
    assert "customer  10 → 15" in capsys.readouterr().out
    assert puts(simulator) == []


def test_command_warns_not_to_repeat_an_unknown_transfer(simulator: Simulator, carl: User, sam: User) -> None:
    simulator.fault("move_funds", "drop_after")
    with pytest.raises(CommandError, match="Don't send it again"):
        command(carl, sam, "5", "--yes")


@pytest.mark.parametrize(
    "amount", ["0", "1e2", "NaN", "Infinity", "1.001", "five", "", "99999999999", "１２", "+5", "-0.00"]
)
def test_command_accepts_plain_amounts_only(simulator: Simulator, carl: User, sam: User, amount: str) -> None:
    with pytest.raises(CommandError, match="is no amount"):
        command(carl, sam, amount, "--yes")
    assert puts(simulator) == []


@pytest.mark.parametrize("description", ["", " ", "x" * 141, "two\nlines", "\u202edesrever"])
def test_command_refuses_descriptions_that_the_form_refuses(
    simulator: Simulator, carl: User, sam: User, description: str
) -> None:
    with pytest.raises(CommandError, match="description"):
        command(carl, sam, "5", "--yes", "--description", description)
    assert puts(simulator) == []
