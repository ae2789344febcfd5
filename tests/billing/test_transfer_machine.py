"""Moves, faults, double submits, killed processes and restarts in any order: none twice, none lost.

A random machine: after each step the carrier's books and ours agree, or ours say that they do not know. And
one process that is really killed.
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
from tests.support.transfers import FAULTS as FAULTS_OF_MOVES
from tests.support.transfers import ask, booked, new_customer, staff_of

pytestmark = pytest.mark.database

State = Move.State
EXAMPLES = int(os.environ.get("MOVE_EXAMPLES", "60"))
SHARDS = 8  # Each is a test, so that all workers take a part; and each has random examples of its own.
FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("", {}),
    *FAULTS_OF_MOVES,
    ("status", {"status": 302}),
    ("code", {"status": 500}),
]
FACTORS = ("100", "0.01")
# What those make of an amount, the other way round.
ASKED_FOR = (Decimal(1), Decimal("0.01"), Decimal(100))
KILLS = ("", "before", "after")


class Killed(BaseException):
    """The process is gone; no handler of ours may run."""


class Moves(RuleBasedStateMachine):
    """One customer, whom three people move funds to while everything goes wrong."""

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
        self.asked: list[uuid.UUID] = []
        self.amounts: dict[uuid.UUID, Decimal] = {}

    @rule(
        cents=st.integers(1, 300),
        fault=st.sampled_from(FAULTS),
        kill=st.sampled_from(KILLS),
        times=st.integers(1, 3),
    )
    def transfer(self, cents: int, fault: tuple[str, dict[str, Any]], kill: str, times: int) -> None:
        """Ask for a move, by a form that is sent up to three times."""
        operation = uuid.uuid4()
        self.asked.append(operation)
        # No two have the same amount, so that the books tell them apart.
        self.amounts[operation] = Decimal(cents) + Decimal(len(self.asked)) / 100
        self._with_faults(fault, kill, lambda: self._ask(operation), times)

    @rule(cents=st.integers(1, 300), factor=st.sampled_from(FACTORS))
    def move_that_is_booked_otherwise(self, cents: int, factor: str) -> None:
        """The carrier loses the decimal point."""
        self.transfer(cents, ("factor", {"factor": factor}), "", 1)

    @precondition(lambda self: self.asked)
    @rule(data=st.data(), fault=st.sampled_from(FAULTS))
    def send_an_old_form_again(self, data: Any, fault: tuple[str, dict[str, Any]]) -> None:
        """The back button, or a tab that was left open."""
        operation = data.draw(st.sampled_from(self.asked))
        self._with_faults(fault, "", lambda: self._ask(operation), 1)

    @rule(fault=st.sampled_from(FAULTS), kill=st.sampled_from(KILLS), times=st.integers(1, 2))
    def approve(self, fault: tuple[str, dict[str, Any]], kill: str, times: int) -> None:
        """A second person approves whatever waits."""
        for transfer in self._own().filter(state=State.WAITING):

            def work(transfer: Move = transfer) -> None:
                transfers.approve_transfer(
                    brand=self.brand, transfer=Move.objects.get(pk=transfer.pk), by=self.tess
                )

            self._with_faults(fault, kill, work, times)

    @rule()
    def a_minute_passes(self) -> None:
        """Also what a restart of the server amounts to: nobody waits for an answer any more."""
        self._own().filter(state=State.DISPATCHED).update(
            dispatched_at=timezone.now() - timedelta(seconds=61)
        )

    @rule()
    def an_operator_lets_moves_go_on(self) -> None:
        """After an amount that was booked otherwise than asked."""
        resume_transfers(brand=self.brand, by=self.olga, note="The carrier has said why.")

    @rule()
    def somebody_looks_into_the_books(self) -> None:
        """Resolves what is unknown, truthfully."""
        ours = list(self._own().select_related("brand", "customer"))
        unknown = [transfer for transfer in ours if transfer.outcome == State.UNKNOWN]
        both = self._asked_and_booked({transfer.amount for transfer in ours}) if unknown else []
        for transfer in unknown:
            happened = transfer.amount in [asked for asked, _amount in both]
            transfers.resolve_transfer(
                brand=self.brand, transfer=transfer, by=self.tess, happened=happened, note="books"
            )

    @invariant()
    def the_books_agree_or_ours_say_unknown(self) -> None:
        """None is made twice and none is lost."""
        ours = {transfer.amount: transfer for transfer in self._own()}
        both, sent = self._asked_and_booked(set(ours)), self._sent()
        found = [asked for asked, _amount in both]
        assert len(found) == len(set(found)), "moved twice"
        assert len(sent) == len(set(sent)), "sent twice"
        assert set(found) <= set(ours), "lost"
        for asked, amount in both:
            assert asked == amount or ours[asked].state != State.DONE, "booked otherwise, and nobody is told"
        for amount, transfer in ours.items():
            if transfer.state in (State.DONE, State.FOUND_DONE):
                assert amount in found
            elif transfer.state not in Move.OPEN:
                assert amount not in found, transfer.state
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
        with self._killer(kill):
            for _ in range(times):
                with suppress(TransferRefused, Killed):
                    work()
        if name:
            self.simulator.post("faults/clear")

    def _killer(self, when: str) -> Any:
        return _killed(self.patch, when)

    def _asked_and_booked(self, ours: set[Decimal]) -> list[tuple[Decimal, Decimal]]:
        """What the books hold, with what was asked for: no amount is another's hundredth or hundredfold."""
        return [
            (amount * next(f for f in (*ASKED_FOR, 0) if amount * f in ours or not f), amount)
            for amount in booked(self.simulator, self.customer)
        ]

    def _sent(self) -> list[str]:
        return [call["fields"]["description"] for call in self.simulator.calls("move_funds")]


class _killed:
    """The process dies just before, or just after, the carrier was asked."""

    def __init__(self, patch: pytest.MonkeyPatch, when: str) -> None:
        self.patch, self.when, self.call = patch, when, dispatch.calls.call

    def __enter__(self) -> None:
        if self.when:
            self.patch.setattr(dispatch.calls, "call", self._dies)

    def __exit__(self, *_: object) -> None:
        self.patch.setattr(dispatch.calls, "call", self.call)

    def _dies(self, *args: Any, **values: Any) -> None:
        if self.when == "after":
            with suppress(Exception):
                self.call(*args, **values)
        raise Killed


@pytest.fixture
def machine(
    simulator: Simulator, aurora: Brand, operator: User, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> type[Moves]:
    settings.CARRIER_TIMEOUTS = Timeouts(connect=0.2, read=0.15, total=0.3)
    Moves.simulator, Moves.brand, Moves.patch = simulator, aurora, monkeypatch
    Moves.sam, Moves.tess, Moves.olga = staff_of(aurora), staff_of(aurora, "tess@example.com"), operator
    get_policy(aurora)
    MovePolicy.objects.update(per_move=10**6, per_day=10**9, second_person_above=400)
    monkeypatch.setattr(
        "portal.resilience.rate_limits.consume", lambda **_: None
    )  # Nobody presses that many buttons.
    return Moves


@pytest.mark.django_db
@pytest.mark.parametrize("shard", range(SHARDS))
def test_in_any_order_no_move_is_made_twice_and_none_is_lost(machine: type[Moves], shard: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=-(-EXAMPLES // SHARDS),
            stateful_step_count=6,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_process_that_is_killed_while_it_waits_leaves_an_unknown_move(
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
    manage("shell", "-v", "0", "-c", PREPARE.replace("CARRIER", simulator.api))
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
    assert manage("shell", "-v", "0", "-c", LOOK).split() == ["dispatched", "dispatched", "unknown"]


PREPARE = """
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
LOOK = """
from datetime import timedelta
from billing.models import Move, MoveEvent
move = Move.objects.get()
print(move.state, MoveEvent.objects.get().state)
move.dispatched_at -= timedelta(seconds=61)
print(move.outcome)
"""
