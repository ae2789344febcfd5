"""The pages on which staff move funds: nothing but a confirmed form moves anything, and that once."""

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.core import signing
from django.db import connection
from django.db.models.signals import post_save
from django.http import HttpResponse, QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import TotpDevice, User
from billing.models import CachedStatement, Move, MoveEvent, MovePolicy
from billing.transfers import policy
from portal.admin import sessions
from portal.models import Brand
from tests.conftest import ADMIN, Simulator, app_code
from tests.support.customer_flow import at_once, twin, value_of, words
from tests.support.transfers import ask, booked, new_customer, puts, rules, staff_of

pytestmark = pytest.mark.django_db
State = Move.State
Browse = Callable[..., Client]
PASSWORD = "correct horse battery"
_NAMES = "opening_balance payments adjustments call_charges other_charges total_charges closing_balance"
BROKE = dict.fromkeys(_NAMES.split(), "0")
DO_NOT_REPEAT = "We do not know whether the money moved. Do NOT repeat it."


@pytest.fixture
def sam(aurora: Brand) -> User:
    """Sam works for Aurora."""
    return staff_of(aurora)


@pytest.fixture
def sue(aurora: Brand) -> User:
    """Sue works for Aurora too."""
    return staff_of(aurora, "sue@example.com")


@pytest.fixture
def bill(borealis: Brand) -> User:
    """Bill works for Borealis alone."""
    return staff_of(borealis, "bill@example.com")


@pytest.fixture
def carl(simulator: Simulator, aurora: Brand) -> User:
    """A customer of Aurora with a balance of 10."""
    return new_customer(simulator, aurora)


@pytest.fixture
def sams(browse: Browse, sam: User) -> Client:
    """Sam's browser."""
    return browse(ADMIN, sam)


def start_url(customer: User) -> str:
    return f"/admin/billing/move/start/{customer.pk}/"


def confirm_url(customer: User) -> str:
    return f"/admin/billing/move/confirm/{customer.pk}/"


def move_url(transfer: Move, do: str = "") -> str:
    return f"/admin/billing/move/{transfer.pk}/{do}"


def hidden(response: HttpResponse) -> dict[str, str]:
    """The hidden fields of the page's forms."""
    tags = re.findall(r'<input[^>]*type="hidden"[^>]*>', response.content.decode())
    pairs = [(re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)) for tag in tags]
    return {name[1]: unescape(value[1]) for name, value in pairs if name and value}


def typed(**changes: str) -> dict[str, str]:
    wanted = {
        "direction": "to_customer",
        "amount": "5",
        "description": "Top-up",
        "operation": str(uuid.uuid4()),
    }
    return {**wanted, **changes}


def preview(client: Client, customer: User, **changes: str) -> Any:
    """The second page."""
    return client.post(start_url(customer), typed(**changes))


def confirm(client: Client, customer: User, seen: HttpResponse, **changes: str) -> Any:
    """Press the second page's button."""
    return client.post(confirm_url(customer), {**hidden(seen), **changes})


def everything(simulator: Simulator) -> str:
    """An amount that leaves Aurora's partner account with nothing."""
    partner = next(p for p in simulator.listed("partners") if p["name"] == "Aurora")
    return str(Decimal(partner["balance"]).quantize(Decimal(1)) + 1)


def unknown_move(simulator: Simulator, customer: User, by: User, happened: bool = False) -> Move:
    """A move without a clear answer, which the carrier has booked or not."""
    simulator.fault("move_funds", "status_after" if happened else "status", status=503, times=1)
    transfer = ask(customer, by)
    assert transfer.outcome == State.UNKNOWN
    return transfer


def waiting_move(customer: User, by: User, amount: str = "5") -> Move:
    """A move that a second person has to approve."""
    rules(customer.brand, second_person_above=Decimal(0))
    transfer = ask(customer, by, amount)
    assert transfer.outcome == State.WAITING
    return transfer


# --- From the form to the move ---


def test_two_pages_and_one_put(simulator: Simulator, aurora: Brand, carl: User, sams: Client) -> None:
    first = sams.get(start_url(carl))
    assert f"Aurora Phone → customer {carl.account_number}" in words(first)
    assert "At most per move A$500.00" in words(first)
    second = sams.post(
        start_url(carl),
        {**hidden(first), "direction": "to_customer", "amount": "5.25", "description": "Gift"},
    )
    page = words(second)
    assert f"Aurora Phone → customer {carl.account_number}" in page
    assert "Customer’s balance A$10.00 A$15.25" in page
    assert puts(simulator) == []
    third = confirm(sams, carl, second)
    transfer = Move.objects.get()
    assert (third.status_code, third["Location"]) == (303, move_url(transfer))
    told = sams.get(third["Location"])
    assert "The carrier has moved the money" in words(told)
    assert "Customer’s balance A$10.00 A$15.25" in words(told)
    assert (transfer.amount, transfer.description, transfer.outcome) == (Decimal("5.25"), "Gift", State.DONE)
    assert booked(simulator, carl) == [Decimal("5.25")]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"amount": ""}, "Please fill this in."),
        ({"amount": "0"}, "above zero"),
        ({"amount": "-5"}, "Write the amount like"),
        ({"amount": "+5"}, "Write the amount like"),
        ({"amount": "5.001"}, "Write the amount like"),
        ({"amount": "1e2"}, "Write the amount like"),
        ({"amount": "1,000"}, "Write the amount like"),
        ({"amount": "NaN"}, "Write the amount like"),
        ({"amount": "Infinity"}, "Write the amount like"),
        ({"amount": "٥"}, "Write the amount like"),
        ({"amount": "99999999999"}, "Write the amount like"),
        ({"amount": "500.01"}, "At most A$500.00 may be moved at once."),
        ({"direction": ""}, "Please fill this in."),
        ({"direction": "back"}, "Select a valid choice."),
        ({"direction": "sideways"}, "Select a valid choice."),
        ({"description": ""}, "Please fill this in."),
        ({"description": "x" * 141}, "at most 140 characters"),
        ({"description": "two\nlines"}, "Write one line"),
        ({"description": "turned \u202e round"}, "Write one line"),
    ],
)
def test_what_cannot_be_moved_is_said_and_nothing_is_sent(
    simulator: Simulator, carl: User, sams: Client, changes: dict[str, str], says: str
) -> None:
    response = preview(sams, carl, **changes)
    assert says in words(response)
    assert "Balances as read" not in words(response)
    assert (simulator.calls("move_funds"), Move.objects.count()) == ([], 0)
    if "description" not in changes:
        assert value_of(response, "description") == "Top-up"


def test_a_customer_without_a_number_and_a_stopped_brand_show_no_form(
    simulator: Simulator, aurora: Brand, carl: User, sams: Client
) -> None:
    User.objects.filter(pk=carl.pk).update(account_number="")
    assert "has no account number" in words(sams.get(start_url(carl)))
    assert "has no account number" in words(preview(sams, carl))
    User.objects.filter(pk=carl.pk).update(account_number="710999")
    policy.stop_transfers(brand=aurora, why="The balance went the wrong way.")
    page = sams.get(start_url(carl))
    assert "All moves of this brand are stopped" in words(page)
    assert "The balance went the wrong way." in words(page)
    assert 'name="amount"' not in page.content.decode()
    assert preview(sams, carl).status_code == 409


def test_a_carrier_that_cannot_be_reached_is_said_before_anything_is_sent(
    simulator: Simulator, carl: User, sams: Client
) -> None:
    simulator.fault("partner_balance", "status", status=503)
    response = preview(sams, carl, amount="7")
    assert response.status_code == 409
    assert "does not tell both balances at the moment, so nothing was sent" in words(response)
    assert value_of(response, "amount") == "7"


# --- What is confirmed is what was shown ---


def test_no_get_no_head_and_no_reload_sends_anything(simulator: Simulator, carl: User, sams: Client) -> None:
    seen = preview(sams, carl)
    for method in (sams.get, sams.head):
        assert method(start_url(carl)).status_code == 200
        assert method(confirm_url(carl), hidden(seen)).status_code == 405
    assert puts(simulator) == []
    url = confirm(sams, carl, seen)["Location"]
    for method in (sams.get, sams.head, sams.get):
        assert method(url).status_code == 200
    for do in ("approve/", "decline/", "resolve/"):
        assert sams.get(url + do)["Location"] == url
    assert len(puts(simulator)) == 1


def test_without_the_csrf_token_nothing_is_taken(
    simulator: Simulator, carl: User, sam: User, browse: Browse
) -> None:
    strict = browse(ADMIN, sam, enforce_csrf_checks=True)
    seen = preview(browse(ADMIN, sam), carl)
    assert preview(strict, carl).status_code == 403
    assert confirm(strict, carl, seen, csrfmiddlewaretoken="").status_code == 403
    transfer = unknown_move(simulator, carl, sam)
    for do in ("approve/", "decline/", "resolve/"):
        assert strict.post(move_url(transfer, do), {"note": "x", "happened": "yes"}).status_code == 403
    assert len(puts(simulator)) == 1


def assert_nothing_came_of(response: HttpResponse, simulator: Simulator) -> None:
    assert response.status_code == 409
    assert "Nothing was sent: what you were shown is older than ten minutes" in words(response)
    assert value_of(response, "amount") == "5"
    assert value_of(response, "description") == "Top-up"
    assert (puts(simulator), Move.objects.count()) == ([], 0)


def test_what_was_shown_cannot_be_changed_or_lent(
    simulator: Simulator, aurora: Brand, carl: User, sams: Client, sue: User, browse: Browse
) -> None:
    seen = preview(sams, carl)
    signed = hidden(seen)["shown"]
    for forged in ("", signed[:-1] + ("A" if signed[-1] != "A" else "B"), signing.dumps({"to": [carl.pk]})):
        assert_nothing_came_of(confirm(sams, carl, seen, shown=forged), simulator)
    assert_nothing_came_of(confirm(browse(ADMIN, sue), carl, seen), simulator)
    other = new_customer(simulator, aurora)
    assert_nothing_came_of(confirm(sams, other, seen), simulator)
    User.objects.filter(pk=carl.pk).update(account_number="711999")
    assert_nothing_came_of(confirm(sams, carl, seen), simulator)


def test_the_plain_fields_beside_it_decide_nothing(simulator: Simulator, carl: User, sams: Client) -> None:
    seen = preview(sams, carl)
    confirm(
        sams, carl, seen, amount="400", description="Other", direction="back", operation=str(uuid.uuid4())
    )
    transfer = Move.objects.get()
    assert (transfer.amount, transfer.description) == (Decimal(5), "Top-up")
    assert str(transfer.operation) == hidden(seen)["operation"]


def test_after_ten_minutes_one_has_to_look_again(
    simulator: Simulator, carl: User, sams: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = preview(sams, carl)
    monkeypatch.setattr("billing.transfers.confirmation.GOOD_FOR", timedelta(0))
    assert_nothing_came_of(confirm(sams, carl, seen), simulator)


def test_back_to_the_first_page_keeps_what_was_typed(simulator: Simulator, carl: User, sams: Client) -> None:
    fields = hidden(preview(sams, carl, amount="6.50"))
    first = sams.post(start_url(carl), {**fields, "change": "1"})
    assert first.status_code == 200
    assert value_of(first, "amount") == "6.50"
    assert value_of(first, "operation") == fields["operation"]
    assert puts(simulator) == []


def test_back_button_and_second_tab_lead_to_what_came_of_the_first(
    simulator: Simulator, carl: User, sams: Client
) -> None:
    form = typed()
    seen, again = (sams.post(start_url(carl), form) for _ in range(2))
    url = confirm(sams, carl, seen)["Location"]
    for sent_again in (
        lambda: confirm(sams, carl, seen),
        lambda: confirm(sams, carl, again),
        lambda: sams.post(start_url(carl), {**form, "amount": "6"}),
        lambda: confirm(sams, carl, seen, shown="too old"),
    ):
        response = sent_again()
        assert (response.status_code, response["Location"]) == (303, url)
        assert "was not sent again" in words(sams.get(url))
    assert len(puts(simulator)) == 1


def test_ten_clicks_at_once_make_one_put_and_all_see_what_came_of_it(
    threads: None, simulator: Simulator, aurora: Brand, sams: Client
) -> None:
    carl = new_customer(simulator, aurora)
    fields = hidden(preview(sams, carl))
    simulator.fault("move_funds", "slow", seconds=0.5)
    answers = at_once(10, lambda _nth: twin(sams).post(confirm_url(carl), fields))
    transfer = Move.objects.get()
    assert {(answer.status_code, answer["Location"]) for answer in answers} == {(303, move_url(transfer))}
    assert len(simulator.calls("move_funds")) == 1
    assert transfer.outcome == State.DONE


# --- How it ended ---


ENDS = [
    (
        ("status", {"status": 422, "message": "Closed account"}),
        State.REFUSED,
        "The carrier did not move the money.",
    ),
    (("status", {"status": 503}), State.UNKNOWN, DO_NOT_REPEAT),
    (("drop_after", {}), State.UNKNOWN, DO_NOT_REPEAT),
]


@pytest.mark.parametrize(("fault", "outcome", "says"), ENDS)
def test_how_it_ended_is_said_in_words_for_staff(
    simulator: Simulator, carl: User, sams: Client, fault: Any, outcome: str, says: str
) -> None:
    simulator.fault("move_funds", fault[0], **fault[1])
    page = words(sams.get(confirm(sams, carl, preview(sams, carl))["Location"]))
    assert Move.objects.get().outcome == outcome
    assert says in page
    assert ("Closed account" in page) is (outcome == State.REFUSED)
    assert ("Begin a new move" in page) is (outcome == State.REFUSED)


def test_what_provably_was_not_sent_may_be_tried_again(carl: User, sam: User, sams: Client) -> None:
    transfer = ask(carl, sam)
    Move.objects.filter(pk=transfer.pk).update(state=State.NOT_SENT, why="name not found")
    page = words(sams.get(move_url(transfer)))
    assert "Nothing left our server, so no money moved. It is safe to try it again." in page
    assert "Begin a new move for this customer" in page


@pytest.mark.parametrize("stored", [State.UNKNOWN, State.DISPATCHED])
def test_an_unknown_move_never_says_failed_and_blocks_the_next(
    simulator: Simulator, carl: User, sam: User, sams: Client, stored: str
) -> None:
    transfer = unknown_move(simulator, carl, sam)
    old = timezone.now() - timedelta(seconds=61)
    Move.objects.filter(pk=transfer.pk).update(state=stored, dispatched_at=old)
    page, trail = words(sams.get(move_url(transfer))).split("What happened, in order")
    assert DO_NOT_REPEAT in page
    assert "server failed" in trail  # The reason is kept, where nobody takes it for the outcome.
    assert not re.search(r"fail|again|try|retry", page.lower())
    first = sams.get(start_url(carl))
    assert "We do not know whether that money moved." in words(first)
    assert move_url(transfer) in first.content.decode()
    assert 'name="amount"' not in first.content.decode()
    second = preview(sams, carl)
    assert second.status_code == 409
    assert len(puts(simulator)) == 1


def test_a_move_under_way_is_not_called_unknown_yet(carl: User, sam: User, sams: Client) -> None:
    transfer = ask(carl, sam)
    Move.objects.filter(pk=transfer.pk).update(state=State.DISPATCHED, dispatched_at=timezone.now())
    page = words(sams.get(move_url(transfer)))
    assert "Do not repeat it. Reload this page in a moment: that sends nothing." in page
    assert "Another move of this customer is under way" in words(sams.get(start_url(carl)))


# --- What became of an unknown move ---


@pytest.mark.parametrize("happened", [True, False])
def test_a_person_resolves_an_unknown_move_with_both_balances_in_view(
    simulator: Simulator, carl: User, sam: User, sams: Client, happened: bool
) -> None:
    transfer = unknown_move(simulator, carl, sam, happened)
    page = words(sams.get(move_url(transfer, "resolve/")))
    assert "A balance is evidence, not proof: calls go on" in page
    now = "A$15.00" if happened else "A$10.00"
    assert f"as just read {now}" in page
    assert "would be, if it happened and nothing else did A$15.00" in page
    assert "would be, if it did not happen and nothing else did A$10.00" in page
    answer = {"happened": "yes" if happened else "no", "note": "Seen in the partner portal"}
    assert sams.post(move_url(transfer, "resolve/"), answer)["Location"] == move_url(transfer)
    transfer.refresh_from_db()
    assert transfer.outcome == (State.FOUND_DONE if happened else State.FOUND_NOT_DONE)
    assert (transfer.resolved_by, transfer.customer_after) == (sam, Decimal(15 if happened else 10))
    page = words(sams.get(move_url(transfer)))
    assert "Seen in the partner portal" in page
    assert f"Resolved by {sam.email}" in page
    assert preview(sams, carl).status_code == 200
    assert len(puts(simulator)) == 1


def test_what_other_moves_did_to_the_balances_in_between_is_named_beside_them(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, sams: Client
) -> None:
    earlier = ask(carl, sam, "7")
    Move.objects.filter(pk=earlier.pk).update(dispatched_at=timezone.now() - timedelta(minutes=5))
    Move.objects.filter(pk=earlier.pk).update(ended_at=timezone.now() - timedelta(minutes=4))
    transfer = unknown_move(simulator, carl, sam)
    others = [ask(new_customer(simulator, aurora), sam, amount) for amount in ("30", "12.50")]
    page = words(sams.get(move_url(transfer, "resolve/")))
    assert "changed since before the move A$0.00 -A$42.50" in page
    assert "of that by other moves, listed below A$0.00 -A$42.50" in page
    for other in others:
        assert f"A${other.amount:.2f}, customer {other.account_number}, sent on" in page
    assert "A$7.00" not in page


def test_the_page_of_a_move_shows_by_how_much_both_balances_have_changed(
    simulator: Simulator, carl: User, sam: User, sams: Client
) -> None:
    page = words(sams.get(move_url(ask(carl, sam, "5.25"))))
    assert "Customer’s balance A$10.00 A$15.25 A$5.25" in page
    assert re.search(r"Partner balance \S+ \S+ -A\$5.25 ", page)
    simulator.fault("move_funds", "factor", factor="100", times=1)
    page = words(sams.get(move_url(ask(carl, sam, "5"))))
    assert "the customer’s balance did not change as it should" in page
    assert "A$15.25 A$515.25 A$500.00" in page


@pytest.mark.parametrize(
    ("answer", "says"),
    [({"happened": "yes"}, "Please fill this in."), ({"note": "Seen"}, "Please choose one of them.")],
)
def test_resolving_takes_a_choice_and_a_note(
    simulator: Simulator, carl: User, sam: User, sams: Client, answer: dict[str, str], says: str
) -> None:
    transfer = unknown_move(simulator, carl, sam)
    assert says in words(sams.post(move_url(transfer, "resolve/"), answer))
    transfer.refresh_from_db()
    assert transfer.outcome == State.UNKNOWN


def test_without_both_balances_nothing_is_resolved(
    simulator: Simulator, carl: User, sam: User, sams: Client
) -> None:
    transfer = unknown_move(simulator, carl, sam)
    simulator.fault("customer_balance", "status", status=503)
    for response in (
        sams.get(move_url(transfer, "resolve/")),
        sams.post(move_url(transfer, "resolve/"), {"happened": "no", "note": "Not seen"}),
    ):
        assert response.status_code == 409
        assert "does not tell both balances" in words(response)
    transfer.refresh_from_db()
    assert transfer.outcome == State.UNKNOWN


# --- A second person ---


def test_a_second_person_approves_with_fresh_balances(
    simulator: Simulator, aurora: Brand, carl: User, sams: Client, sue: User, browse: Browse
) -> None:
    rules(aurora, second_person_above=Decimal(4))
    seen = preview(sams, carl)
    assert "is sent once somebody else has approved it" in words(seen)
    confirm(sams, carl, seen)
    transfer = Move.objects.get()
    assert (transfer.outcome, puts(simulator)) == (State.WAITING, [])
    own = sams.get(move_url(transfer))
    assert "Somebody else than you" in words(own)
    assert move_url(transfer, "approve/") not in own.content.decode()
    sues = browse(ADMIN, sue)
    assert move_url(transfer, "approve/") in sues.get(move_url(transfer)).content.decode()
    simulator.post(
        "seed",
        customers=[{"partner": "aurora-api-key", "account_number": carl.account_number, "balance": "3"}],
    )
    shown = sues.get(move_url(transfer, "approve/"))
    assert "Customer’s balance A$3.00 A$8.00" in words(shown)
    assert puts(simulator) == []
    assert sues.post(move_url(transfer, "approve/"), hidden(shown))["Location"] == move_url(transfer)
    transfer.refresh_from_db()
    assert (transfer.outcome, transfer.approved_by) == (State.DONE, sue)
    assert sues.post(move_url(transfer, "approve/"), hidden(shown)).status_code == 303
    assert booked(simulator, carl) == [Decimal(5)]


def test_nobody_approves_their_own_move(simulator: Simulator, carl: User, sam: User, sams: Client) -> None:
    transfer = waiting_move(carl, sam)
    for ask_for_it in (sams.get, sams.post):
        response = ask_for_it(move_url(transfer, "approve/"))
        assert response["Location"] == move_url(transfer)
        assert "Somebody else than the person who asked" in words(sams.get(move_url(transfer)))
    transfer.refresh_from_db()
    assert (transfer.outcome, puts(simulator)) == (State.WAITING, [])


def test_an_approval_is_of_what_was_shown_to_this_person(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, sue: User, browse: Browse
) -> None:
    transfer, sues = waiting_move(carl, sam), browse(ADMIN, sue)
    tim = browse(ADMIN, staff_of(aurora, "tim@example.com"))
    for shown in ("", "nonsense", hidden(tim.get(move_url(transfer, "approve/")))["shown"]):
        response = sues.post(move_url(transfer, "approve/"), {"shown": shown})
        assert response.status_code == 409
        assert "Nothing was sent: what you were shown" in words(response)
    transfer.refresh_from_db()
    assert (transfer.outcome, puts(simulator)) == (State.WAITING, [])


@pytest.mark.parametrize("mine", [True, False])
def test_a_waiting_move_is_declined_or_taken_back_with_a_reason(
    simulator: Simulator, carl: User, sam: User, sue: User, browse: Browse, mine: bool
) -> None:
    transfer, client = waiting_move(carl, sam), browse(ADMIN, sam if mine else sue)
    assert ("Take it back" if mine else "Decline") in words(client.get(move_url(transfer)))
    assert "Please fill this in." in words(client.post(move_url(transfer, "decline/"), {"note": ""}))
    client.post(move_url(transfer, "decline/"), {"note": "Wrong customer"})
    transfer.refresh_from_db()
    assert (transfer.outcome, puts(simulator)) == (State.DECLINED, [])
    assert "Wrong customer" in words(client.get(move_url(transfer)))


def test_a_refused_approval_says_why_and_sends_nothing(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, sue: User, browse: Browse
) -> None:
    transfer, sues = waiting_move(carl, sam), browse(ADMIN, sue)
    shown = hidden(sues.get(move_url(transfer, "approve/")))
    policy.stop_transfers(brand=aurora, why="The balance went the wrong way.")
    response = sues.post(move_url(transfer, "approve/"), shown)
    assert response.status_code == 409
    assert "All moves of this brand are stopped" in words(response)
    assert puts(simulator) == []


# --- The whole reseller's balance ---


def test_emptying_the_partner_account_wants_a_tick_of_its_own(
    simulator: Simulator, aurora: Brand, carl: User, sams: Client
) -> None:
    amount = everything(simulator)
    rules(aurora, **dict.fromkeys(("per_move", "per_day", "second_person_above"), Decimal(99999)))
    seen = preview(sams, carl, amount=amount)
    assert "All customers of Aurora Phone are cut off" in words(seen)
    again = confirm(sams, carl, seen)
    assert "If you mean it, tick this box too." in words(again)
    assert (puts(simulator), Move.objects.count()) == ([], 0)
    confirm(sams, carl, again, empties_partner="on")
    assert Move.objects.get().outcome == State.DONE


def test_a_tick_that_was_not_offered_confirms_nothing(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, sams: Client
) -> None:
    """The balance was high enough when it was shown, and is not any more."""
    amount = everything(simulator)
    rules(aurora, **dict.fromkeys(("per_move", "per_day", "second_person_above"), Decimal(99999)))
    seen = preview(sams, carl, amount=str(int(amount) - 5))
    assert "cut off" not in words(seen)
    ask(new_customer(simulator, aurora), sam, "10")
    response = confirm(sams, carl, seen, empties_partner="on")
    assert "All customers of Aurora Phone are cut off" in words(response)
    assert len(puts(simulator)) == 1


def test_an_approval_that_empties_the_partner_account_wants_the_tick_too(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, sue: User, browse: Browse
) -> None:
    rules(aurora, per_move=Decimal(99999), per_day=Decimal(99999), second_person_above=Decimal(0))
    transfer = ask(carl, sam, everything(simulator), empties_partner_confirmed=True)
    sues = browse(ADMIN, sue)
    shown = sues.get(move_url(transfer, "approve/"))
    again = sues.post(move_url(transfer, "approve/"), hidden(shown))
    assert "If you mean it, tick this box too." in words(again)
    assert puts(simulator) == []
    sues.post(move_url(transfer, "approve/"), {**hidden(again), "empties_partner": "on"})
    transfer.refresh_from_db()
    assert transfer.outcome == State.DONE


# --- Moving back, and the rules ---


def test_an_operator_tries_a_small_move_back_and_records_it_for_all(
    simulator: Simulator, aurora: Brand, carl: User, sams: Client, operator: User, browse: Browse
) -> None:
    olgas, rules_url = browse(ADMIN, operator), f"/admin/billing/policy/{aurora.pk}/"
    assert "customer " not in words(sams.get(start_url(carl))).split("Direction")[1].split("Amount")[0][30:]
    assert "as a trial of at most A$1.00" in words(olgas.get(start_url(carl)))
    assert "try at most A$1.00" in words(preview(olgas, carl, direction="back", amount="1.01"))
    seen = preview(olgas, carl, direction="back", amount="1")
    assert f"customer {carl.account_number} → Aurora Phone" in words(seen)
    confirm(olgas, carl, seen)
    trial = Move.objects.get()
    assert (trial.amount, trial.outcome) == (Decimal(-1), State.DONE)
    assert "Please choose the move" in words(olgas.post(rules_url, {"do": "back"}))
    assert "was A$10.00 and became A$9.00" in words(olgas.get(rules_url))
    olgas.post(rules_url, {"do": "back", "move": str(trial.pk)})
    assert MovePolicy.objects.get().back_by == operator
    assert f"Allowed: {operator.email} recorded on" in words(olgas.get(rules_url))
    confirm(sams, carl, preview(sams, carl, direction="back", amount="3"))
    assert booked(simulator, carl) == [Decimal(-1), Decimal(-3)]


def test_limits_are_an_operators_and_each_change_is_written_down(
    aurora: Brand, operator: User, browse: Browse
) -> None:
    client, url = browse(ADMIN, operator), f"/admin/billing/policy/{aurora.pk}/"
    limits = {"do": "limits", "per_move": "50", "per_day": "20", "second_person_above": "0"}
    assert "This is more than may be moved within 24 hours." in words(client.post(url, limits))
    assert "Write the amount like" in words(client.post(url, {**limits, "per_move": "1e1"}))
    assert not LogEntry.objects.exists()
    client.post(url, {**limits, "per_day": "75.50"})
    rules = MovePolicy.objects.get()
    assert (rules.per_move, rules.per_day, rules.second_person_above) == (50, Decimal("75.50"), 0)
    assert "per_move: 500.00 → 50" in words(client.get(url))
    client.post(url, {**limits, "per_day": "75.50"})
    assert LogEntry.objects.count() == 1
    assert "A$75.50" in words(client.get("/admin/billing/policy/"))


def test_an_operator_starts_moves_again_with_a_note(aurora: Brand, operator: User, browse: Browse) -> None:
    client, url = browse(ADMIN, operator), f"/admin/billing/policy/{aurora.pk}/"
    policy.stop_transfers(brand=aurora, why="The balance went the wrong way.")
    assert "Please fill this in." in words(client.post(url, {"do": "resume", "note": " "}))
    assert MovePolicy.objects.get().stopped_at
    client.post(url, {"do": "resume", "note": "It was a mapping fault."})
    assert MovePolicy.objects.get().stopped_at is None
    assert "It was a mapping fault." in words(client.get(url))


def test_an_operator_stops_moves_by_hand_and_staff_read_why(
    simulator: Simulator, aurora: Brand, carl: User, operator: User, sams: Client, browse: Browse
) -> None:
    client, url = browse(ADMIN, operator), f"/admin/billing/policy/{aurora.pk}/"
    assert "Please fill this in." in words(client.post(url, {"do": "stop", "why": " "}))
    assert MovePolicy.objects.get().stopped_at is None
    client.post(url, {"do": "stop", "why": "The books are being closed."})
    assert "The books are being closed." in words(sams.get(start_url(carl)))
    assert preview(sams, carl).status_code == 409
    assert LogEntry.objects.get().get_change_message() == "Stopped all moves: The books are being closed."
    assert LogEntry.objects.get().user == operator
    client.post(url, {"do": "stop", "why": "Another reason."})
    assert MovePolicy.objects.get().stopped_why == "The books are being closed."


def test_an_operator_switches_moving_back_off_on_the_rules_page(
    aurora: Brand, operator: User, browse: Browse
) -> None:
    client, url = browse(ADMIN, operator), f"/admin/billing/policy/{aurora.pk}/"
    rules(aurora, back_at=timezone.now(), back_by=operator)
    assert "Please fill this in." in words(client.post(url, {"do": "forbid", "note": ""}))
    assert MovePolicy.objects.get().back_at
    client.post(url, {"do": "forbid", "note": "The carrier changed it."})
    assert MovePolicy.objects.get().back_at is None
    assert "Switched moving back off: The carrier changed it." in words(client.get(url))


# --- What needs somebody ---


def test_the_first_page_tells_what_needs_somebody_of_their_own_brands(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, sams: Client, bill: User, browse: Browse
) -> None:
    assert "What needs you now" not in words(sams.get("/admin/"))
    unknown_move(simulator, new_customer(simulator, aurora), sam)
    waiting_move(carl, sam)
    policy.stop_transfers(brand=aurora, why="The balance went the wrong way.")
    CachedStatement.objects.filter(customer=None).update(figures=BROKE)
    asked = len(simulator.calls())
    page = sams.get("/admin/")
    for said in (
        "1 move of funds is unknown: say what became of it",
        "1 move of funds waits for a second person",
        "All moves of Aurora Phone are stopped until an operator lets them go on",
        "the partner account of Aurora Phone was at zero or below",
    ):
        assert said in words(page)
    link = "/admin/billing/move/?outcome=unknown"
    assert f'href="{link}"' in page.content.decode()
    assert "1 move of funds" in words(sams.get(link))
    stranger = words(browse(ADMIN, bill).get("/admin/"))
    assert "What needs you now" not in stranger
    assert "Aurora" not in stranger
    assert len(simulator.calls()) == asked


def test_the_first_page_takes_as_many_queries_for_many_brands_as_for_one(
    aurora: Brand, borealis: Brand, sam: User, sams: Client
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert "are stopped" in words(sams.get("/admin/"))
        return len(captured)

    policy.stop_transfers(brand=aurora, why="The balance went the wrong way.")
    policy.stop_transfers(brand=borealis, why="The balance went the wrong way.")
    one = queries()
    sam.brands.add(borealis)
    assert queries() == one


# --- Who sees what ---


def test_staff_of_another_brand_find_nothing_and_change_nothing(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, sams: Client, bill: User, browse: Browse
) -> None:
    seen = preview(sams, carl)
    waiting = waiting_move(carl, sam)
    unknown = unknown_move_of_another(simulator, aurora, sam)
    stranger, before = browse(ADMIN, bill), list(Move.objects.order_by("pk").values())
    urls = [
        *(
            start_url(carl),
            confirm_url(carl),
            f"/admin/billing/policy/{aurora.pk}/",
            "/admin/billing/policy/",
        ),
        *(
            move_url(transfer, do)
            for transfer in (waiting, unknown)
            for do in ("", "approve/", "decline/", "resolve/")
        ),
    ]
    fields = {**hidden(seen), "note": "x", "happened": "yes", "do": "limits", "per_move": "1"}
    answers = {(url, verb(url, fields).status_code) for url in urls for verb in (stranger.get, stranger.post)}
    plain = {
        (url, 405)
        for url in (confirm_url(carl), move_url(waiting), move_url(unknown), "/admin/billing/policy/")
    }
    assert {status for _url, status in answers - plain} == {404}
    assert list(Move.objects.order_by("pk").values()) == before
    for transfer in (waiting, unknown):
        for page in ("change", "history"):
            assert stranger.get(f"/admin/billing/move/{transfer.pk}/{page}/").status_code == 404
    listed = stranger.get("/admin/billing/move/")
    assert carl.account_number not in words(listed)
    assert "0 moves of funds" in words(listed)
    assert "Aurora" not in words(listed)
    for query in (
        f"brand={aurora.pk}",
        f"q={carl.account_number}",
        f"q={waiting.operation}",
        "outcome=waiting",
    ):
        assert "0 moves of funds" in words(stranger.get(f"/admin/billing/move/?{query}")), query


def unknown_move_of_another(simulator: Simulator, brand: Brand, by: User) -> Move:
    rules(brand, second_person_above=Decimal(100))
    return unknown_move(simulator, new_customer(simulator, brand), by)


def test_staff_have_no_rules_page_even_of_their_own_brand(aurora: Brand, sams: Client) -> None:
    url = f"/admin/billing/policy/{aurora.pk}/"
    for response in (
        sams.get(url),
        sams.post(url, {"do": "resume", "note": "x"}),
        sams.get("/admin/billing/policy/"),
    ):
        assert response.status_code == 404


@pytest.mark.parametrize("path", ["move/start/1/", "move/1/", "move/1/resolve/", "policy/", "policy/1/"])
def test_strangers_and_customers_are_led_to_the_sign_in(alice: User, browse: Browse, path: str) -> None:
    for client in (browse(ADMIN), browse(ADMIN, alice)):
        response = client.get(f"/admin/billing/{path}")
        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/")


def test_the_list_reads_an_old_dispatched_move_as_unknown_and_changes_nothing(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, sams: Client, operator: User, browse: Browse
) -> None:
    transfer, other = ask(carl, sam, "5"), ask(new_customer(simulator, aurora), sam, "6")
    old = timezone.now() - timedelta(seconds=61)
    Move.objects.filter(pk=transfer.pk).update(state=State.DISPATCHED, dispatched_at=old)

    def found(**query: str) -> list[str]:
        page = sams.get("/admin/billing/move/", query).content.decode()
        return [
            number for number in (carl.account_number, other.account_number) if f"customer {number}" in page
        ]

    assert found(outcome="unknown") == found(q=str(transfer.operation)) == [carl.account_number]
    assert found(outcome="dispatched") == []
    assert found(outcome="done") == found(q=other.account_number) == [other.account_number]
    assert found(q=carl.email) == found(q=transfer.description) == [carl.account_number]
    assert found(brand=str(aurora.pk)) == [carl.account_number, other.account_number]
    for client in (sams, browse(ADMIN, operator)):
        listed = client.get("/admin/billing/move/")
        assert 'name="action"' not in listed.content.decode()
        assert client.get(f"/admin/billing/move/{transfer.pk}/change/")["Location"] == move_url(transfer)
        for path in ("add/", f"{transfer.pk}/delete/"):
            assert client.post(f"/admin/billing/move/{path}", {"post": "yes"}).status_code == 403
    # Sent, done, and the partner balance after it.
    assert (Move.objects.count(), MoveEvent.objects.filter(move=transfer).count()) == (2, 3)


# --- Who one is has to be proved lately ---


def grow_stale(client: Client) -> None:
    """Six minutes pass since this person last proved who they are."""
    session = client.session
    session[sessions.PROVED] -= 360
    session.save()


def prove(client: Client, wanted: str) -> str:
    """Password and code once more; where that leads."""
    TotpDevice.objects.update(last_t=-1)
    form = {"password": PASSWORD, "code": app_code(), "next": wanted}
    return str(client.post("/admin/reauthenticate/", form)["Location"])


def test_a_stale_proof_stops_a_confirmation_and_what_was_typed_waits(
    simulator: Simulator, carl: User, sam: User, browse: Browse
) -> None:
    sam.set_password(PASSWORD)
    sam.save()
    client = browse(ADMIN, sam)
    seen = preview(client, carl)
    grow_stale(client)
    stopped = confirm(client, carl, seen)
    query = QueryDict(stopped["Location"].partition("?")[2])
    assert stopped["Location"].startswith("/admin/reauthenticate/")
    assert (query["next"], query["why"]) == (start_url(carl), "sent")
    again = client.get(prove(client, query["next"]))
    assert (value_of(again, "amount"), value_of(again, "description")) == ("5", "Top-up")
    assert value_of(again, "operation") == hidden(seen)["operation"]
    assert value_of(client.get(start_url(carl)), "amount") is None
    assert puts(simulator) == []


def test_each_delicate_step_wants_a_recent_proof_and_looking_does_not(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, sue: User, operator: User, browse: Browse
) -> None:
    unknown = unknown_move(simulator, new_customer(simulator, aurora), sam)
    waiting, policy_url = waiting_move(carl, sam), f"/admin/billing/policy/{aurora.pk}/"
    client = browse(ADMIN, operator)
    shown = hidden(client.get(move_url(waiting, "approve/")))
    grow_stale(client)
    note = {"note": "Looked into it", "happened": "yes"}
    deeds = [
        (start_url(carl), typed()),
        (move_url(waiting, "approve/"), shown),
        (move_url(waiting, "decline/"), note),
        (policy_url, {"do": "stop", "why": "x"}),
        (policy_url, {"do": "forbid", "note": "x"}),
        (policy_url, {"do": "limits", "per_move": "1", "per_day": "1", "second_person_above": "1"}),
        (move_url(unknown, "resolve/"), note),
    ]
    before = list(Move.objects.order_by("pk").values()), MovePolicy.objects.values().get()
    for url, data in deeds:
        assert client.post(url, data)["Location"].startswith("/admin/reauthenticate/"), url
        assert url == policy_url or client.get(url)["Location"].startswith("/admin/reauthenticate/")
    assert (list(Move.objects.order_by("pk").values()), MovePolicy.objects.values().get()) == before
    for url in (move_url(waiting), move_url(unknown), policy_url, "/admin/billing/move/"):
        assert client.get(url).status_code == 200
    session = client.session
    sessions.prove(session)
    session.save()
    assert "Looked into it" in client.get(move_url(unknown, "resolve/")).content.decode()
    assert len(puts(simulator)) == 1


def test_a_move_of_somebody_who_is_signed_out_meanwhile_is_answered_by_its_page(
    sams: Client, carl: User, simulator: Simulator
) -> None:
    def sign_out(**_: Any) -> None:
        Session.objects.all().delete()

    seen = preview(sams, carl)
    session = sams.session
    session[sessions.SEEN] -= 120  # So that this request writes the session.
    session.save()
    post_save.connect(sign_out, sender=Move)
    try:
        answer = confirm(sams, carl, seen)
    finally:
        post_save.disconnect(sign_out, sender=Move)
    transfer = Move.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, move_url(transfer))
    assert booked(simulator, carl) == [transfer.amount]
