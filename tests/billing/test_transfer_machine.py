"""Run transfers, faults, repeated submits, killed processes and restarts in random order.

After each step of a state machine the carrier's books and ours agree, or ours say unknown. No transfer is
made twice or lost. Another test really kills a process.
"""

import os
import subprocess
import sys
import uuid
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from accounts.models import User
from billing.models import Move, MovePolicy
from billing.transfers import dispatch
from billing.transfers import service as transfers
from billing.transfers.policy import get_policy, resume_transfers
from billing.transfers.service import TransferRefused
from portal.models import Brand
from portal.voipline import Timeouts
from tests.conftest import ROOT, Simulator
from tests.support.timeouts import eventually
from tests.support.transfers import FAULTS as TRANSFER_FAULTS
from tests.support.transfers import ask, booked, new_customer, staff_of

pytestmark = pytest.mark.database

State = Move.State
EXAMPLES = int(os.environ.get("MOVE_EXAMPLES", "60"))
SHARDS = 8  # One test each, so that all workers share them; each has its own random examples.
FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("", {}),
    *TRANSFER_FAULTS,
    ("status", {"status": 302}),
    ("code", {"status": 500}),
]
FACTORS = ("100", "0.01")
# Factors that turn a booked amount back into the requested one.
INVERSE_FACTORS = (Decimal(1), Decimal("0.01"), Decimal(100))
KILLS = ("", "before", "after")


class Killed(BaseException):
    """Simulate the death of the process; no exception handler of ours may catch it."""


class TransferMachine(RuleBasedStateMachine):
    """Transfers of three staff to one customer, with faults."""

    simulator: ClassVar[Simulator]
    brand: ClassVar[Brand]
    sam: ClassVar[User]
    tess: ClassVar[User]
    olga: ClassVar[User]
    patch: ClassVar[pytest.MonkeyPatch]

    def __init__(self) -> None:
        super().__init__()
        self.simulator.post("reset", seed="default")
        self.customer = new_customer(self.simulator, self.brand, "1000")
        self.operations: list[uuid.UUID] = []
        self.amounts: dict[uuid.UUID, Decimal] = {}

    @rule(
        cents=st.integers(1, 300),
        fault=st.sampled_from(FAULTS),
        kill=st.sampled_from(KILLS),
        times=st.integers(1, 3),
    )
    def request_transfer(self, cents: int, fault: tuple[str, dict[str, Any]], kill: str, times: int) -> None:
        """Request a transfer with a form that is submitted up to three times."""
        operation = uuid.uuid4()
        self.operations.append(operation)
        # Amounts are unique, to identify transfers in the books.
        self.amounts[operation] = Decimal(cents) + Decimal(len(self.operations)) / 100
        self._with_faults(fault, kill, lambda: self._ask(operation), times)

    @rule(cents=st.integers(1, 300), factor=st.sampled_from(FACTORS))
    def request_transfer_booked_with_another_amount(self, cents: int, factor: str) -> None:
        """Let the carrier misplace the decimal point."""
        self.request_transfer(cents, ("factor", {"factor": factor}), "", 1)

    @precondition(lambda self: self.operations)
    @rule(data=st.data(), fault=st.sampled_from(FAULTS))
    def resubmit_an_old_form(self, data: Any, fault: tuple[str, dict[str, Any]]) -> None:
        """Submit a form again, as with the back button or an old tab."""
        operation = data.draw(st.sampled_from(self.operations))
        self._with_faults(fault, "", lambda: self._ask(operation), 1)

    @rule(fault=st.sampled_from(FAULTS), kill=st.sampled_from(KILLS), times=st.integers(1, 2))
    def approve(self, fault: tuple[str, dict[str, Any]], kill: str, times: int) -> None:
        """Let a second person approve all waiting transfers."""
        for transfer in self._own().filter(state=State.WAITING):

            def work(transfer: Move = transfer) -> None:
                transfers.approve_transfer(
                    brand=self.brand, transfer=Move.objects.get(pk=transfer.pk), by=self.tess
                )

            self._with_faults(fault, kill, work, times)

    @rule()
    def pass_a_minute(self) -> None:
        """Age dispatched transfers by a minute; also the effect of a restart of the server."""
        self._own().filter(state=State.DISPATCHED).update(
            dispatched_at=timezone.now() - timedelta(seconds=61)
        )

    @rule()
    def resume_transfers(self) -> None:
        """Let an operator resume transfers after a differing amount has stopped them."""
        resume_transfers(brand=self.brand, by=self.olga, note="The carrier has said why.")

    @rule()
    def resolve_unknown_transfers(self) -> None:
        """Resolve unknown transfers according to the carrier's books."""
        ours = list(self._own().select_related("brand", "customer"))
        unknown = [transfer for transfer in ours if transfer.outcome == State.UNKNOWN]
        entries = self._requested_and_booked({transfer.amount for transfer in ours}) if unknown else []
        for transfer in unknown:
            happened = transfer.amount in [requested for requested, _amount in entries]
            transfers.resolve_transfer(
                brand=self.brand, transfer=transfer, by=self.tess, happened=happened, note="books"
            )

    @invariant()
    def books_agree_or_ours_say_unknown(self) -> None:
        """Assert that no transfer is made twice or lost."""
        ours = {transfer.amount: transfer for transfer in self._own()}
        entries, sent = self._requested_and_booked(set(ours)), self._sent()
        booked_amounts = [requested for requested, _amount in entries]
        assert len(booked_amounts) == len(set(booked_amounts)), "moved twice"
        assert len(sent) == len(set(sent)), "sent twice"
        assert set(booked_amounts) <= set(ours), "lost"
        for requested, amount in entries:
            assert requested == amount or ours[requested].state != State.DONE, "done with another amount"
        for amount, transfer in ours.items():
            if transfer.state in (State.DONE, State.FOUND_DONE):
                assert amount in booked_amounts
            elif transfer.state not in Move.OPEN:
                assert amount not in booked_amounts, transfer.state
        assert sum(transfer.state in Move.OPEN for transfer in ours.values()) <= 1

    def _own(self) -> Any:
        return Move.objects.filter(customer=self.customer)

    def _ask(self, operation: uuid.UUID) -> None:
        customer = User.objects.get(pk=self.customer.pk)
        ask(customer, self.sam, str(self.amounts[operation]), operation=operation)

    def _with_faults(self, fault: tuple[str, dict[str, Any]], kill: str, work: Any, times: int) -> None:
        name, options = fault
        if name:
            self.simulator.fault("move_funds", name, times=1, **options)
        with _KillDuringCall(self.patch, kill):
            for _ in range(times):
                with suppress(TransferRefused, Killed):
                    work()
        if name:
            self.simulator.post("faults/clear")

    def _requested_and_booked(self, ours: set[Decimal]) -> list[tuple[Decimal, Decimal]]:
        """Return pairs of requested and booked amounts; no amount is 100 times another."""
        return [
            (amount * next(f for f in (*INVERSE_FACTORS, 0) if amount * f in ours or not f), amount)
            for amount in booked(self.simulator, self.customer)
        ]

    def _sent(self) -> list[str]:
        return [call["fields"]["description"] for call in self.simulator.calls("move_funds")]


class _KillDuringCall:
    """Raise Killed just before or after the carrier is called, or do nothing if `when` is empty."""

    def __init__(self, patch: pytest.MonkeyPatch, when: str) -> None:
        self.patch, self.when, self.call = patch, when, dispatch.calls.call

    def __enter__(self) -> None:
        if self.when:
            self.patch.setattr(dispatch.calls, "call", self._die)

    def __exit__(self, *_: object) -> None:
        self.patch.setattr(dispatch.calls, "call", self.call)

    def _die(self, *args: Any, **values: Any) -> None:
        if self.when == "after":
            with suppress(Exception):
                self.call(*args, **values)
        raise Killed


@pytest.fixture
def machine(
    simulator: Simulator, aurora: Brand, operator: User, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> type[TransferMachine]:
    settings.CARRIER_TIMEOUTS = Timeouts(connect=0.2, read=0.15, total=0.3)
    TransferMachine.simulator, TransferMachine.brand, TransferMachine.patch = simulator, aurora, monkeypatch
    TransferMachine.sam, TransferMachine.tess, TransferMachine.olga = (
        staff_of(aurora),
        staff_of(aurora, "tess@example.com"),
        operator,
    )
    get_policy(aurora)
    MovePolicy.objects.update(per_move=10**6, per_day=10**9, second_person_above=400)
    # Staff do not press that many buttons.
    monkeypatch.setattr("portal.resilience.rate_limits.consume", lambda **_: None)
    return TransferMachine


@pytest.mark.django_db
@pytest.mark.parametrize("shard", range(SHARDS))
def test_no_transfer_is_made_twice_or_lost_in_any_order(machine: type[TransferMachine], shard: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=-(-EXAMPLES // SHARDS),
            stateful_step_count=6,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_process_killed_while_waiting_leaves_an_unknown_transfer(
    simulator: Simulator, tmp_path: Path, settings: Any
) -> None:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'killed.sqlite3'}",
    }

    def manage(*arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    manage("migrate", "--verbosity", "0")
    manage("shell", "-v", "0", "-c", SETUP_CODE.replace("CARRIER", simulator.api))
    simulator.fault("move_funds", "hang")
    command = (
        "move_funds",
        "aurora",
        "70001",
        "5",
        "--by",
        "olga@example.com",
        "--description",
        "x",
        "--yes",
    )
    process = subprocess.Popen([sys.executable, "manage.py", *command], cwd=ROOT, env=environment)
    assert eventually(lambda: simulator.calls("move_funds"))
    process.kill()
    process.wait()
    assert len(simulator.calls("move_funds")) == 1
    assert manage("shell", "-v", "0", "-c", STATE_CODE).split() == ["dispatched", "dispatched", "unknown"]


SETUP_CODE = """
from accounts.models import User
from portal.security.crypto import encrypt
from portal.models import Brand
brand = Brand.objects.create(
    slug="aurora", name="Aurora", currency="AUD", timezone="Australia/Sydney", support_email="a@example.com",
    from_email="a@example.com", carrier_url="CARRIER", carrier_key=encrypt("aurora-api-key"),
)
User.objects.create(brand=brand, email="alice@example.com", account_number="70001", password="!")
User.objects.create_superuser("olga", "olga@example.com", "correct horse battery")
"""
STATE_CODE = """
from datetime import timedelta
from billing.models import Move, MoveEvent
move = Move.objects.get()
print(move.state, MoveEvent.objects.get().state)
move.dispatched_at -= timedelta(seconds=61)
print(move.outcome)
"""
