"""On the staff pages, only a confirmed form makes a transfer, and only once."""

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
from billing.transfers.confirmation import sign_confirmation
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
ZERO_FIGURES = dict.fromkeys(_NAMES.split(), "0")
DO_NOT_REPEAT = "We can't tell whether this transfer went through. Don't send it again."


@pytest.fixture
def sue(aurora: Brand) -> User:
    """Sue works for Aurora too."""
    return staff_of(aurora, "sue@example.com")


@pytest.fixture
def bill(borealis: Brand) -> User:
    """Bill works for Borealis alone."""
    return staff_of(borealis, "bill@example.com")


@pytest.fixture
def sam_client(browse: Browse, sam: User) -> Client:
    """Sam's browser."""
    return browse(ADMIN, sam)


def start_url(customer: User) -> str:
    return f"/admin/billing/move/start/{customer.pk}/"


def confirm_url(customer: User) -> str:
    return f"/admin/billing/move/confirm/{customer.pk}/"


def transfer_url(transfer: Move, action: str = "") -> str:
    return f"/admin/billing/move/{transfer.pk}/{action}"


def hidden(response: HttpResponse) -> dict[str, str]:
    """Return the hidden fields of the page's forms."""
    tags = re.findall(r'<input[^>]*type="hidden"[^>]*>', response.content.decode())
    pairs = [(re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)) for tag in tags]
    return {name[1]: unescape(value[1]) for name, value in pairs if name and value}


def form_data(**changes: str) -> dict[str, str]:
    defaults = {
        "direction": "to_customer",
        "amount": "5",
        "description": "Top-up",
        "operation": str(uuid.uuid4()),
    }
    return {**defaults, **changes}


def preview(client: Client, customer: User, **changes: str) -> Any:
    """Submit the form and return the confirmation page."""
    return client.post(start_url(customer), form_data(**changes))


def confirm(client: Client, customer: User, preview_page: HttpResponse, **changes: str) -> Any:
    """Submit the confirmation page."""
    return client.post(confirm_url(customer), {**hidden(preview_page), **changes})


def amount_above_partner_balance(simulator: Simulator) -> str:
    """Return an amount above the balance of Aurora's partner account."""
    partner = next(p for p in simulator.listed("partners") if p["name"] == "Aurora")
    return str(Decimal(partner["balance"]).quantize(Decimal(1)) + 1)


def unknown_transfer(simulator: Simulator, customer: User, by: User, happened: bool = False) -> Move:
    """Make a transfer without a clear answer, which the carrier has booked or not."""
    simulator.fault("move_funds", "status_after" if happened else "status", status=503, times=1)
    transfer = ask(customer, by)
    assert transfer.outcome == State.UNKNOWN
    return transfer


def waiting_transfer(customer: User, by: User, amount: str = "5") -> Move:
    """Make a transfer that a second person has to approve."""
    rules(customer.brand, second_person_above=Decimal(0))
    transfer = ask(customer, by, amount)
    assert transfer.outcome == State.WAITING
    return transfer


# --- From the form to the transfer ---


def test_confirmed_transfer_makes_one_call_and_shows_new_balances(
    simulator: Simulator, aurora: Brand, carl: User, sam_client: Client
) -> None:
    first = sam_client.get(start_url(carl))
    assert f"Aurora Phone → customer {carl.account_number}" in words(first)
    assert "Limit per transfer A$500.00" in words(first)
    second = sam_client.post(
        start_url(carl),
        {**hidden(first), "direction": "to_customer", "amount": "5.25", "description": "Gift"},
    )
    page = words(second)
    assert f"Aurora Phone → customer {carl.account_number}" in page
    assert "Customer’s balance A$10.00 A$15.25" in page
    assert puts(simulator) == []
    third = confirm(sam_client, carl, second)
    transfer = Move.objects.get()
    assert (third.status_code, third["Location"]) == (303, transfer_url(transfer))
    transfer_page = sam_client.get(third["Location"])
    assert "The carrier made the transfer" in words(transfer_page)
    assert "Customer’s balance A$10.00 A$15.25" in words(transfer_page)
    assert (transfer.amount, transfer.description, transfer.outcome) == (Decimal("5.25"), "Gift", State.DONE)
    assert booked(simulator, carl) == [Decimal("5.25")]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"amount": ""}, "Fill in this field."),
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
        ({"amount": "500.01"}, "One transfer can be up to A$500.00."),
        ({"direction": ""}, "Fill in this field."),
        ({"direction": "back"}, "Select a valid choice."),
        ({"direction": "sideways"}, "Select a valid choice."),
        ({"description": ""}, "Fill in this field."),
        ({"description": "x" * 141}, "at most 140 characters"),
        ({"description": "two\nlines"}, "Write one line"),
        ({"description": "turned \u202e round"}, "Write one line"),
    ],
)
def test_invalid_form_shows_the_error_and_sends_nothing(
    simulator: Simulator, carl: User, sam_client: Client, changes: dict[str, str], says: str
) -> None:
    response = preview(sam_client, carl, **changes)
    assert says in words(response)
    assert "Balances as read" not in words(response)
    assert (simulator.calls("move_funds"), Move.objects.count()) == ([], 0)
    if "description" not in changes:
        assert value_of(response, "description") == "Top-up"


def test_form_is_hidden_without_account_number_or_for_a_stopped_brand(
    simulator: Simulator, aurora: Brand, carl: User, sam_client: Client
) -> None:
    User.objects.filter(pk=carl.pk).update(account_number="")
    assert "has no account number" in words(sam_client.get(start_url(carl)))
    assert "has no account number" in words(preview(sam_client, carl))
    User.objects.filter(pk=carl.pk).update(account_number="710999")
    policy.stop_transfers(brand=aurora, why="The balance went the wrong way.")
    page = sam_client.get(start_url(carl))
    assert "All transfers for this brand are paused" in words(page)
    assert "The balance went the wrong way." in words(page)
    assert 'name="amount"' not in page.content.decode()
    assert preview(sam_client, carl).status_code == 409


def test_unreachable_carrier_is_reported_before_anything_is_sent(
    simulator: Simulator, carl: User, sam_client: Client
) -> None:
    simulator.fault("partner_balance", "status", status=503)
    response = preview(sam_client, carl, amount="7")
    assert response.status_code == 409
    assert "couldn't read both balances from the carrier, so nothing was sent" in words(response)
    assert value_of(response, "amount") == "7"


# --- Confirmation ---


def test_get_head_and_reload_send_nothing(simulator: Simulator, carl: User, sam_client: Client) -> None:
    preview_page = preview(sam_client, carl)
    for method in (sam_client.get, sam_client.head):
        assert method(start_url(carl)).status_code == 200
        assert method(confirm_url(carl), hidden(preview_page)).status_code == 405
    assert puts(simulator) == []
    url = confirm(sam_client, carl, preview_page)["Location"]
    for method in (sam_client.get, sam_client.head, sam_client.get):
        assert method(url).status_code == 200
    for action in ("approve/", "decline/", "resolve/"):
        assert sam_client.get(url + action)["Location"] == url
    assert len(puts(simulator)) == 1


def test_posts_without_csrf_token_are_refused(
    simulator: Simulator, carl: User, sam: User, browse: Browse
) -> None:
    strict = browse(ADMIN, sam, enforce_csrf_checks=True)
    preview_page = preview(browse(ADMIN, sam), carl)
    assert preview(strict, carl).status_code == 403
    assert confirm(strict, carl, preview_page, csrfmiddlewaretoken="").status_code == 403
    transfer = unknown_transfer(simulator, carl, sam)
    for action in ("approve/", "decline/", "resolve/"):
        assert (
            strict.post(transfer_url(transfer, action), {"note": "x", "happened": "yes"}).status_code == 403
        )
    assert len(puts(simulator)) == 1


def assert_confirmation_refused(response: HttpResponse, simulator: Simulator, *, filled: bool = True) -> None:
    """Assert that the form is shown again, filled in unless the token is invalid for this user."""
    assert response.status_code == 409
    assert "Nothing was sent. What you saw is more than 10 minutes old" in words(response)
    assert value_of(response, "amount") == ("5" if filled else None)
    assert value_of(response, "description") == ("Top-up" if filled else None)
    assert (puts(simulator), Move.objects.count()) == ([], 0)


def test_confirmation_token_is_bound_to_user_customer_and_account(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, sam_client: Client, sue: User, browse: Browse
) -> None:
    preview_page = preview(sam_client, carl)
    signed = hidden(preview_page)["confirmation"]
    incomplete = {"to": [carl.pk, carl.account_number]}
    forged_tokens = (
        "",
        signed[:-1] + ("A" if signed[-1] != "A" else "B"),
        signing.dumps(incomplete),
        sign_confirmation(brand=aurora, by=sam, **incomplete),
    )
    for forged in forged_tokens:
        assert_confirmation_refused(
            confirm(sam_client, carl, preview_page, confirmation=forged), simulator, filled=False
        )
    assert_confirmation_refused(confirm(browse(ADMIN, sue), carl, preview_page), simulator, filled=False)
    other = new_customer(simulator, aurora)
    assert_confirmation_refused(confirm(sam_client, other, preview_page), simulator)
    User.objects.filter(pk=carl.pk).update(account_number="711999")
    assert_confirmation_refused(confirm(sam_client, carl, preview_page), simulator)


def test_confirmation_page_carries_only_its_token(
    simulator: Simulator, carl: User, sam_client: Client
) -> None:
    form = form_data()
    preview_page = sam_client.post(start_url(carl), form)
    assert {"operation", "amount", "description", "direction"}.isdisjoint(hidden(preview_page))
    confirm(
        sam_client,
        carl,
        preview_page,
        amount="400",
        description="Other",
        direction="back",
        operation=str(uuid.uuid4()),
    )
    transfer = Move.objects.get()
    assert (transfer.amount, transfer.description) == (Decimal(5), "Top-up")
    assert str(transfer.operation) == form["operation"]


def test_confirmation_token_expires(
    simulator: Simulator, carl: User, sam_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    preview_page = preview(sam_client, carl)
    monkeypatch.setattr("billing.transfers.confirmation.VALID_FOR", timedelta(0))
    assert_confirmation_refused(confirm(sam_client, carl, preview_page), simulator)


def test_change_button_restores_the_form_data(simulator: Simulator, carl: User, sam_client: Client) -> None:
    form = form_data(amount="6.50")
    fields = hidden(sam_client.post(start_url(carl), form))
    first = sam_client.post(start_url(carl), {**fields, "change": "1"})
    assert first.status_code == 200
    assert value_of(first, "amount") == "6.50"
    assert value_of(first, "operation") == form["operation"]
    assert puts(simulator) == []


def test_resubmitted_form_redirects_to_the_first_transfer(
    simulator: Simulator, carl: User, sam_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = form_data()
    preview_page, second_tab = (sam_client.post(start_url(carl), form) for _ in range(2))
    url = confirm(sam_client, carl, preview_page)["Location"]
    for valid_for, resubmit in (
        (10, lambda: confirm(sam_client, carl, preview_page)),
        (10, lambda: confirm(sam_client, carl, second_tab)),
        (10, lambda: sam_client.post(start_url(carl), {**form, "amount": "6"})),
        (0, lambda: confirm(sam_client, carl, preview_page)),
    ):
        monkeypatch.setattr("billing.transfers.confirmation.VALID_FOR", timedelta(minutes=valid_for))
        response = resubmit()
        assert (response.status_code, response["Location"]) == (303, url)
        assert "didn't send it again" in words(sam_client.get(url))
    assert len(puts(simulator)) == 1


def test_ten_clicks_at_once_make_one_call_and_redirect_to_one_transfer(
    threads: None, simulator: Simulator, aurora: Brand, sam_client: Client
) -> None:
    carl = new_customer(simulator, aurora)
    fields = hidden(preview(sam_client, carl))
    simulator.fault("move_funds", "slow", seconds=0.5)
    answers = at_once(10, lambda _nth: twin(sam_client).post(confirm_url(carl), fields))
    transfer = Move.objects.get()
    assert {(answer.status_code, answer["Location"]) for answer in answers} == {(303, transfer_url(transfer))}
    assert len(simulator.calls("move_funds")) == 1
    assert transfer.outcome == State.DONE


# --- Outcome ---


ENDS = [
    (
        ("status", {"status": 422, "message": "Closed account"}),
        State.REFUSED,
        "The carrier didn't make the transfer.",
    ),
    (("status", {"status": 503}), State.UNKNOWN, DO_NOT_REPEAT),
    (("drop_after", {}), State.UNKNOWN, DO_NOT_REPEAT),
]


@pytest.mark.parametrize(("fault", "outcome", "says"), ENDS)
def test_transfer_page_explains_the_outcome(
    simulator: Simulator, carl: User, sam_client: Client, fault: Any, outcome: str, says: str
) -> None:
    simulator.fault("move_funds", fault[0], **fault[1])
    page = words(sam_client.get(confirm(sam_client, carl, preview(sam_client, carl))["Location"]))
    assert Move.objects.get().outcome == outcome
    assert says in page
    assert ("Closed account" in page) is (outcome == State.REFUSED)
    assert ("Start a new transfer" in page) is (outcome == State.REFUSED)


def test_transfer_that_was_not_sent_may_be_tried_again(carl: User, sam: User, sam_client: Client) -> None:
    transfer = ask(carl, sam)
    Move.objects.filter(pk=transfer.pk).update(state=State.NOT_SENT, why="name not found")
    page = words(sam_client.get(transfer_url(transfer)))
    assert "Nothing left our server, so no money was sent. It's safe to try again." in page
    assert "Start a new transfer for this customer" in page


@pytest.mark.parametrize("stored", [State.UNKNOWN, State.DISPATCHED])
def test_unknown_transfer_is_never_called_failed_and_blocks_the_next(
    simulator: Simulator, carl: User, sam: User, sam_client: Client, stored: str
) -> None:
    transfer = unknown_transfer(simulator, carl, sam)
    old = timezone.now() - timedelta(seconds=61)
    Move.objects.filter(pk=transfer.pk).update(state=stored, dispatched_at=old)
    page, trail = words(sam_client.get(transfer_url(transfer))).split("Audit trail (read-only)")
    assert DO_NOT_REPEAT in page
    assert "server failed" in trail  # The reason is shown only where it is not taken for the outcome.
    for harmless in (
        "Don't send it again.",
        "Sending it again could pay twice.",
        "customer then work again.",
    ):
        assert page.count(harmless) == 1
        page = page.replace(harmless, "")
    assert not re.search(r"fail|again|try|retry", page.lower())
    first = sam_client.get(start_url(carl))
    assert "We can't tell whether that transfer went through." in words(first)
    assert transfer_url(transfer) in first.content.decode()
    assert 'name="amount"' not in first.content.decode()
    second = preview(sam_client, carl)
    assert second.status_code == 409
    assert len(puts(simulator)) == 1


def test_transfer_under_way_is_not_called_unknown_yet(carl: User, sam: User, sam_client: Client) -> None:
    transfer = ask(carl, sam)
    Move.objects.filter(pk=transfer.pk).update(state=State.DISPATCHED, dispatched_at=timezone.now())
    page = words(sam_client.get(transfer_url(transfer)))
    assert "Reload this page in a moment. Reloading sends nothing." in page
    assert "Another transfer for this customer is in progress" in words(sam_client.get(start_url(carl)))


# --- Resolving an unknown transfer ---


@pytest.mark.parametrize("happened", [True, False])
def test_staff_resolve_an_unknown_transfer_with_both_balances_shown(
    simulator: Simulator, carl: User, sam: User, sam_client: Client, happened: bool
) -> None:
    transfer = unknown_transfer(simulator, carl, sam, happened)
    page = words(sam_client.get(transfer_url(transfer, "resolve/")))
    assert "Balances also change through calls and payments" in page
    now = "A$15.00" if happened else "A$10.00"
    assert f"as just read {now}" in page
    assert "expected if the transfer went through A$15.00" in page
    assert "expected if the transfer failed A$10.00" in page
    answer = {"happened": "yes" if happened else "no", "note": "Seen in the partner portal"}
    assert sam_client.post(transfer_url(transfer, "resolve/"), answer)["Location"] == transfer_url(transfer)
    transfer.refresh_from_db()
    assert transfer.outcome == (State.FOUND_DONE if happened else State.FOUND_NOT_DONE)
    assert (transfer.resolved_by, transfer.customer_after) == (sam, Decimal(15 if happened else 10))
    page = words(sam_client.get(transfer_url(transfer)))
    assert "Seen in the partner portal" in page
    assert f"Resolved by {sam.email}" in page
    assert preview(sam_client, carl).status_code == 200
    assert len(puts(simulator)) == 1


def test_resolve_page_lists_other_transfers_that_changed_the_balances(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, sam_client: Client
) -> None:
    earlier = ask(carl, sam, "7")
    Move.objects.filter(pk=earlier.pk).update(dispatched_at=timezone.now() - timedelta(minutes=5))
    Move.objects.filter(pk=earlier.pk).update(ended_at=timezone.now() - timedelta(minutes=4))
    transfer = unknown_transfer(simulator, carl, sam)
    others = [ask(new_customer(simulator, aurora), sam, amount) for amount in ("30", "12.50")]
    page = words(sam_client.get(transfer_url(transfer, "resolve/")))
    assert "changed since before the transfer A$0.00 −A$42.50" in page
    assert "of that by other transfers, listed below A$0.00 −A$42.50" in page
    for other in others:
        assert f"A${other.amount:.2f}, customer {other.account_number}, sent on" in page
    assert "A$7.00" not in page


def test_transfer_page_shows_the_change_of_both_balances(
    simulator: Simulator, carl: User, sam: User, sam_client: Client
) -> None:
    page = words(sam_client.get(transfer_url(ask(carl, sam, "5.25"))))
    assert "Customer’s balance A$10.00 A$15.25 A$5.25" in page
    assert re.search(r"Partner balance \S+ \S+ −A\$5.25 ", page)
    simulator.fault("move_funds", "factor", factor="100", times=1)
    page = words(sam_client.get(transfer_url(ask(carl, sam, "5"))))
    assert "the customer's balance didn't change as it should" in page
    assert "A$15.25 A$515.25 A$500.00" in page


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({"happened": "yes"}, "Fill in this field."),
        ({"note": "Seen"}, "Choose one of them."),
    ],
)
def test_resolving_requires_a_choice_and_a_note(
    simulator: Simulator, carl: User, sam: User, sam_client: Client, answer: dict[str, str], says: str
) -> None:
    transfer = unknown_transfer(simulator, carl, sam)
    assert says in words(sam_client.post(transfer_url(transfer, "resolve/"), answer))
    transfer.refresh_from_db()
    assert transfer.outcome == State.UNKNOWN


def test_transfer_cannot_be_resolved_without_both_balances(
    simulator: Simulator, carl: User, sam: User, sam_client: Client
) -> None:
    transfer = unknown_transfer(simulator, carl, sam)
    simulator.fault("customer_balance", "status", status=503)
    for response in (
        sam_client.get(transfer_url(transfer, "resolve/")),
        sam_client.post(transfer_url(transfer, "resolve/"), {"happened": "no", "note": "Not seen"}),
    ):
        assert response.status_code == 409
        assert "couldn't read both balances" in words(response)
    transfer.refresh_from_db()
    assert transfer.outcome == State.UNKNOWN


# --- A second person ---


def test_second_person_approves_with_fresh_balances(
    simulator: Simulator, aurora: Brand, carl: User, sam_client: Client, sue: User, browse: Browse
) -> None:
    rules(aurora, second_person_above=Decimal(4))
    preview_page = preview(sam_client, carl)
    assert "send it once someone else approves it" in words(preview_page)
    confirm(sam_client, carl, preview_page)
    transfer = Move.objects.get()
    assert (transfer.outcome, puts(simulator)) == (State.WAITING, [])
    own = sam_client.get(transfer_url(transfer))
    assert "A colleague on this brand has to approve it" in words(own)
    assert transfer_url(transfer, "approve/") not in own.content.decode()
    sue_client = browse(ADMIN, sue)
    assert transfer_url(transfer, "approve/") in sue_client.get(transfer_url(transfer)).content.decode()
    simulator.post(
        "seed",
        customers=[{"partner": "aurora-api-key", "account_number": carl.account_number, "balance": "3"}],
    )
    shown = sue_client.get(transfer_url(transfer, "approve/"))
    assert "Customer’s balance A$3.00 A$8.00" in words(shown)
    assert puts(simulator) == []
    assert sue_client.post(transfer_url(transfer, "approve/"), hidden(shown))["Location"] == transfer_url(
        transfer
    )
    transfer.refresh_from_db()
    assert (transfer.outcome, transfer.approved_by) == (State.DONE, sue)
    assert sue_client.post(transfer_url(transfer, "approve/"), hidden(shown)).status_code == 303
    assert booked(simulator, carl) == [Decimal(5)]


def test_requester_cannot_approve_their_own_transfer(
    simulator: Simulator, carl: User, sam: User, sam_client: Client
) -> None:
    transfer = waiting_transfer(carl, sam)
    for send in (sam_client.get, sam_client.post):
        response = send(transfer_url(transfer, "approve/"))
        assert response["Location"] == transfer_url(transfer)
        assert "Someone other than the person who asked" in words(sam_client.get(transfer_url(transfer)))
    transfer.refresh_from_db()
    assert (transfer.outcome, puts(simulator)) == (State.WAITING, [])


def test_approval_requires_a_confirmation_token_of_the_same_user(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, sue: User, browse: Browse
) -> None:
    transfer, sue_client = waiting_transfer(carl, sam), browse(ADMIN, sue)
    tim = browse(ADMIN, staff_of(aurora, "tim@example.com"))
    for shown in ("", "nonsense", hidden(tim.get(transfer_url(transfer, "approve/")))["confirmation"]):
        response = sue_client.post(transfer_url(transfer, "approve/"), {"confirmation": shown})
        assert response.status_code == 409
        assert "Nothing was sent. What you saw" in words(response)
    transfer.refresh_from_db()
    assert (transfer.outcome, puts(simulator)) == (State.WAITING, [])


@pytest.mark.parametrize("own", [True, False])
def test_waiting_transfer_is_declined_or_withdrawn_with_a_reason(
    simulator: Simulator, carl: User, sam: User, sue: User, browse: Browse, own: bool
) -> None:
    transfer, client = waiting_transfer(carl, sam), browse(ADMIN, sam if own else sue)
    assert ("Withdraw" if own else "Decline") in words(client.get(transfer_url(transfer)))
    assert "Fill in this field." in words(client.post(transfer_url(transfer, "decline/"), {"note": ""}))
    client.post(transfer_url(transfer, "decline/"), {"note": "Wrong customer"})
    transfer.refresh_from_db()
    assert (transfer.outcome, puts(simulator)) == (State.DECLINED, [])
    assert "Wrong customer" in words(client.get(transfer_url(transfer)))


def test_refused_approval_gives_the_reason_and_sends_nothing(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, sue: User, browse: Browse
) -> None:
    transfer, sue_client = waiting_transfer(carl, sam), browse(ADMIN, sue)
    shown = hidden(sue_client.get(transfer_url(transfer, "approve/")))
    policy.stop_transfers(brand=aurora, why="The balance went the wrong way.")
    response = sue_client.post(transfer_url(transfer, "approve/"), shown)
    assert response.status_code == 409
    assert "All transfers for this brand are paused" in words(response)
    assert puts(simulator) == []


# --- Emptying the partner account ---


def test_emptying_the_partner_account_requires_its_own_checkbox(
    simulator: Simulator, aurora: Brand, carl: User, sam_client: Client
) -> None:
    amount = amount_above_partner_balance(simulator)
    rules(aurora, **dict.fromkeys(("per_move", "per_day", "second_person_above"), Decimal(99999)))
    preview_page = preview(sam_client, carl, amount=amount)
    assert "All customers of Aurora Phone are cut off" in words(preview_page)
    checkbox_page = confirm(sam_client, carl, preview_page)
    assert "If you mean it, tick this box too." in words(checkbox_page)
    assert (puts(simulator), Move.objects.count()) == ([], 0)
    confirm(sam_client, carl, checkbox_page, empties_partner="on")
    assert Move.objects.get().outcome == State.DONE


def test_checkbox_that_was_not_shown_confirms_nothing(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, sam_client: Client
) -> None:
    """The balance is high enough when the page is shown, but not when it is confirmed."""
    amount = amount_above_partner_balance(simulator)
    rules(aurora, **dict.fromkeys(("per_move", "per_day", "second_person_above"), Decimal(99999)))
    preview_page = preview(sam_client, carl, amount=str(int(amount) - 5))
    assert "cut off" not in words(preview_page)
    ask(new_customer(simulator, aurora), sam, "10")
    response = confirm(sam_client, carl, preview_page, empties_partner="on")
    assert "All customers of Aurora Phone are cut off" in words(response)
    assert len(puts(simulator)) == 1


def test_approval_that_empties_the_partner_account_requires_the_checkbox(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, sue: User, browse: Browse
) -> None:
    rules(aurora, per_move=Decimal(99999), per_day=Decimal(99999), second_person_above=Decimal(0))
    transfer = ask(carl, sam, amount_above_partner_balance(simulator), empties_partner_confirmed=True)
    sue_client = browse(ADMIN, sue)
    shown = sue_client.get(transfer_url(transfer, "approve/"))
    checkbox_page = sue_client.post(transfer_url(transfer, "approve/"), hidden(shown))
    assert "If you mean it, tick this box too." in words(checkbox_page)
    assert puts(simulator) == []
    sue_client.post(transfer_url(transfer, "approve/"), {**hidden(checkbox_page), "empties_partner": "on"})
    transfer.refresh_from_db()
    assert transfer.outcome == State.DONE


# --- Refunds and policy ---


def test_operator_makes_a_trial_refund_and_allows_refunds_for_all(
    simulator: Simulator, aurora: Brand, carl: User, sam_client: Client, operator: User, browse: Browse
) -> None:
    olga_client, policy_url = browse(ADMIN, operator), f"/admin/billing/policy/{aurora.pk}/"
    assert (
        "customer "
        not in words(sam_client.get(start_url(carl))).split("Direction")[1].split("Amount")[0][30:]
    )
    assert "as a trial of at most A$1.00" in words(olga_client.get(start_url(carl)))
    assert "For the test transfer, enter A$1.00 or less." in words(
        preview(olga_client, carl, direction="back", amount="1.01")
    )
    preview_page = preview(olga_client, carl, direction="back", amount="1")
    assert f"customer {carl.account_number} → Aurora Phone" in words(preview_page)
    confirm(olga_client, carl, preview_page)
    trial = Move.objects.get()
    assert (trial.amount, trial.outcome) == (Decimal(-1), State.DONE)
    assert "Choose the transfer" in words(olga_client.post(policy_url, {"do": "back"}))
    assert "was A$10.00 and became A$9.00" in words(olga_client.get(policy_url))
    olga_client.post(policy_url, {"do": "back", "move": str(trial.pk)})
    assert MovePolicy.objects.get().back_by == operator
    assert f"Allowed: {operator.email} recorded on" in words(olga_client.get(policy_url))
    confirm(sam_client, carl, preview(sam_client, carl, direction="back", amount="3"))
    assert booked(simulator, carl) == [Decimal(-1), Decimal(-3)]


def test_limits_are_validated_and_each_change_is_logged(
    aurora: Brand, operator: User, browse: Browse
) -> None:
    client, url = browse(ADMIN, operator), f"/admin/billing/policy/{aurora.pk}/"
    limits = {"do": "limits", "per_move": "50", "per_day": "20", "second_person_above": "0"}
    assert "This is more than the daily limit." in words(client.post(url, limits))
    assert "Write the amount like" in words(client.post(url, {**limits, "per_move": "1e1"}))
    assert not LogEntry.objects.exists()
    client.post(url, {**limits, "per_day": "75.50"})
    brand_policy = MovePolicy.objects.get()
    assert (brand_policy.per_move, brand_policy.per_day, brand_policy.second_person_above) == (
        50,
        Decimal("75.50"),
        0,
    )
    assert "per_move: 500.00 → 50" in words(client.get(url))
    client.post(url, {**limits, "per_day": "75.50"})
    assert LogEntry.objects.count() == 1
    assert "A$75.50" in words(client.get("/admin/billing/policy/"))


def test_operator_resumes_transfers_with_a_note(aurora: Brand, operator: User, browse: Browse) -> None:
    client, url = browse(ADMIN, operator), f"/admin/billing/policy/{aurora.pk}/"
    policy.stop_transfers(brand=aurora, why="The balance went the wrong way.")
    assert "Fill in this field." in words(client.post(url, {"do": "resume", "note": " "}))
    assert MovePolicy.objects.get().stopped_at
    client.post(url, {"do": "resume", "note": "It was a mapping fault."})
    assert MovePolicy.objects.get().stopped_at is None
    assert "It was a mapping fault." in words(client.get(url))


def test_operator_stops_transfers_and_staff_see_the_reason(
    simulator: Simulator, aurora: Brand, carl: User, operator: User, sam_client: Client, browse: Browse
) -> None:
    client, url = browse(ADMIN, operator), f"/admin/billing/policy/{aurora.pk}/"
    assert "Fill in this field." in words(client.post(url, {"do": "stop", "why": " "}))
    assert MovePolicy.objects.get().stopped_at is None
    client.post(url, {"do": "stop", "why": "The books are being closed."})
    assert "The books are being closed." in words(sam_client.get(start_url(carl)))
    assert preview(sam_client, carl).status_code == 409
    assert LogEntry.objects.get().get_change_message() == "Stopped all moves: The books are being closed."
    assert LogEntry.objects.get().user == operator
    client.post(url, {"do": "stop", "why": "Another reason."})
    assert MovePolicy.objects.get().stopped_why == "The books are being closed."


def test_operator_forbids_refunds_on_the_policy_page(aurora: Brand, operator: User, browse: Browse) -> None:
    client, url = browse(ADMIN, operator), f"/admin/billing/policy/{aurora.pk}/"
    rules(aurora, back_at=timezone.now(), back_by=operator)
    assert "Fill in this field." in words(client.post(url, {"do": "forbid", "note": ""}))
    assert MovePolicy.objects.get().back_at
    client.post(url, {"do": "forbid", "note": "The carrier changed it."})
    assert MovePolicy.objects.get().back_at is None
    assert "Switched moving back off: The carrier changed it." in words(client.get(url))


# --- Action items ---


def test_admin_index_lists_action_items_of_own_brands_only(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, sam_client: Client, bill: User, browse: Browse
) -> None:
    assert "Needs attention" not in words(sam_client.get("/admin/"))
    unknown_transfer(simulator, new_customer(simulator, aurora), sam)
    waiting_transfer(carl, sam)
    policy.stop_transfers(brand=aurora, why="The balance went the wrong way.")
    CachedStatement.objects.filter(customer=None).update(figures=ZERO_FIGURES)
    call_count = len(simulator.calls())
    page = sam_client.get("/admin/")
    for message in (
        "1 transfer has no confirmed result. Check it",
        "1 transfer is waiting for approval",
        "Transfers for Aurora Phone are paused until an operator resumes them",
        "Aurora Phone's partner balance was zero or less when last checked. All of its customers were cut",
    ):
        assert message in words(page)
    link = "/admin/billing/move/?outcome=unknown"
    assert f'href="{link}"' in page.content.decode()
    assert "1 transfer " in words(sam_client.get(link))
    other_page = words(browse(ADMIN, bill).get("/admin/"))
    assert "Needs attention" not in other_page
    assert "Aurora" not in other_page
    assert len(simulator.calls()) == call_count


def test_admin_index_query_count_is_constant_for_any_number_of_brands(
    aurora: Brand, borealis: Brand, sam: User, sam_client: Client
) -> None:
    def count_queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert "are paused" in words(sam_client.get("/admin/"))
        return len(captured)

    policy.stop_transfers(brand=aurora, why="The balance went the wrong way.")
    policy.stop_transfers(brand=borealis, why="The balance went the wrong way.")
    baseline = count_queries()
    sam.brands.add(borealis)
    assert count_queries() == baseline


# --- Access ---


def test_staff_of_another_brand_see_and_change_nothing(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, sam_client: Client, bill: User, browse: Browse
) -> None:
    preview_page = preview(sam_client, carl)
    waiting = waiting_transfer(carl, sam)
    unknown = unknown_transfer_of_new_customer(simulator, aurora, sam)
    other_client, before = browse(ADMIN, bill), list(Move.objects.order_by("pk").values())
    urls = [
        *(
            start_url(carl),
            confirm_url(carl),
            f"/admin/billing/policy/{aurora.pk}/",
            "/admin/billing/policy/",
        ),
        *(
            transfer_url(transfer, action)
            for transfer in (waiting, unknown)
            for action in ("", "approve/", "decline/", "resolve/")
        ),
    ]
    fields = {**hidden(preview_page), "note": "x", "happened": "yes", "do": "limits", "per_move": "1"}
    answers = {
        (url, verb(url, fields).status_code) for url in urls for verb in (other_client.get, other_client.post)
    }
    not_allowed = {
        (url, 405)
        for url in (confirm_url(carl), transfer_url(waiting), transfer_url(unknown), "/admin/billing/policy/")
    }
    assert {status for _url, status in answers - not_allowed} == {404}
    assert list(Move.objects.order_by("pk").values()) == before
    for transfer in (waiting, unknown):
        for page in ("change", "history"):
            assert other_client.get(f"/admin/billing/move/{transfer.pk}/{page}/").status_code == 404
    listed = other_client.get("/admin/billing/move/")
    assert carl.account_number not in words(listed)
    assert "0 transfers" in words(listed)
    assert "Aurora" not in words(listed)
    for query in (
        f"brand={aurora.pk}",
        f"q={carl.account_number}",
        f"q={waiting.operation}",
        "outcome=waiting",
    ):
        assert "0 transfers" in words(other_client.get(f"/admin/billing/move/?{query}")), query


def unknown_transfer_of_new_customer(simulator: Simulator, brand: Brand, by: User) -> Move:
    rules(brand, second_person_above=Decimal(100))
    return unknown_transfer(simulator, new_customer(simulator, brand), by)


def test_staff_cannot_open_the_policy_page_of_their_own_brand(aurora: Brand, sam_client: Client) -> None:
    url = f"/admin/billing/policy/{aurora.pk}/"
    for response in (
        sam_client.get(url),
        sam_client.post(url, {"do": "resume", "note": "x"}),
        sam_client.get("/admin/billing/policy/"),
    ):
        assert response.status_code == 404


@pytest.mark.parametrize("path", ["move/start/1/", "move/1/", "move/1/resolve/", "policy/", "policy/1/"])
def test_anonymous_visitors_and_customers_are_sent_to_sign_in(alice: User, browse: Browse, path: str) -> None:
    for client in (browse(ADMIN), browse(ADMIN, alice)):
        response = client.get(f"/admin/billing/{path}")
        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/")


def test_list_shows_an_old_dispatched_transfer_as_unknown_and_is_read_only(
    simulator: Simulator,
    aurora: Brand,
    carl: User,
    sam: User,
    sam_client: Client,
    operator: User,
    browse: Browse,
) -> None:
    transfer, other = ask(carl, sam, "5"), ask(new_customer(simulator, aurora), sam, "6")
    old = timezone.now() - timedelta(seconds=61)
    Move.objects.filter(pk=transfer.pk).update(state=State.DISPATCHED, dispatched_at=old)

    def listed_numbers(**query: str) -> list[str]:
        page = sam_client.get("/admin/billing/move/", query).content.decode()
        return [
            number for number in (carl.account_number, other.account_number) if f"customer {number}" in page
        ]

    assert (
        listed_numbers(outcome="unknown")
        == listed_numbers(q=str(transfer.operation))
        == [carl.account_number]
    )
    assert listed_numbers(outcome="dispatched") == []
    assert listed_numbers(outcome="done") == listed_numbers(q=other.account_number) == [other.account_number]
    assert listed_numbers(q=carl.email) == listed_numbers(q=transfer.description) == [carl.account_number]
    assert listed_numbers(brand=str(aurora.pk)) == [carl.account_number, other.account_number]
    for client in (sam_client, browse(ADMIN, operator)):
        listed = client.get("/admin/billing/move/")
        assert 'name="action"' not in listed.content.decode()
        assert client.get(f"/admin/billing/move/{transfer.pk}/change/")["Location"] == transfer_url(transfer)
        for path in ("add/", f"{transfer.pk}/delete/"):
            assert client.post(f"/admin/billing/move/{path}", {"post": "yes"}).status_code == 403
    # Sent, done, and the partner balance afterwards.
    assert (Move.objects.count(), MoveEvent.objects.filter(move=transfer).count()) == (2, 3)


# --- Re-authentication ---


def expire_authentication(client: Client) -> None:
    """Set the last authentication of this session six minutes further back."""
    session = client.session
    session[sessions.PROVED] -= 360
    session.save()


def reauthenticate(client: Client, next_url: str) -> str:
    """Enter password and code again; return the URL of the redirect."""
    TotpDevice.objects.update(last_t=-1)
    form = {"password": PASSWORD, "code": app_code(), "next": next_url}
    return str(client.post("/admin/reauthenticate/", form)["Location"])


def test_reauthentication_before_confirming_restores_the_form(
    simulator: Simulator, carl: User, sam: User, browse: Browse
) -> None:
    sam.set_password(PASSWORD)
    sam.save()
    client, form = browse(ADMIN, sam), form_data()
    preview_page = client.post(start_url(carl), form)
    expire_authentication(client)
    redirect = confirm(client, carl, preview_page)
    query = QueryDict(redirect["Location"].partition("?")[2])
    assert redirect["Location"].startswith("/admin/reauthenticate/")
    assert (query["next"], query["why"]) == (start_url(carl), "sent")
    restored = client.get(reauthenticate(client, query["next"]))
    assert (value_of(restored, "amount"), value_of(restored, "description")) == ("5", "Top-up")
    assert value_of(restored, "operation") == form["operation"]
    assert value_of(client.get(start_url(carl)), "amount") is None
    assert puts(simulator) == []


def test_changes_require_recent_authentication_and_reading_does_not(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, sue: User, operator: User, browse: Browse
) -> None:
    unknown = unknown_transfer(simulator, new_customer(simulator, aurora), sam)
    waiting, policy_url = waiting_transfer(carl, sam), f"/admin/billing/policy/{aurora.pk}/"
    client = browse(ADMIN, operator)
    shown = hidden(client.get(transfer_url(waiting, "approve/")))
    expire_authentication(client)
    note = {"note": "Looked into it", "happened": "yes"}
    changes = [
        (start_url(carl), form_data()),
        (transfer_url(waiting, "approve/"), shown),
        (transfer_url(waiting, "decline/"), note),
        (policy_url, {"do": "stop", "why": "x"}),
        (policy_url, {"do": "forbid", "note": "x"}),
        (policy_url, {"do": "limits", "per_move": "1", "per_day": "1", "second_person_above": "1"}),
        (transfer_url(unknown, "resolve/"), note),
    ]
    before = list(Move.objects.order_by("pk").values()), MovePolicy.objects.values().get()
    for url, data in changes:
        assert client.post(url, data)["Location"].startswith("/admin/reauthenticate/"), url
        assert url == policy_url or client.get(url)["Location"].startswith("/admin/reauthenticate/")
    assert (list(Move.objects.order_by("pk").values()), MovePolicy.objects.values().get()) == before
    for url in (transfer_url(waiting), transfer_url(unknown), policy_url, "/admin/billing/move/"):
        assert client.get(url).status_code == 200
    session = client.session
    sessions.prove(session)
    session.save()
    assert "Looked into it" in client.get(transfer_url(unknown, "resolve/")).content.decode()
    assert len(puts(simulator)) == 1


def test_session_that_ends_during_a_transfer_still_redirects_to_its_page(
    sam_client: Client, carl: User, simulator: Simulator
) -> None:
    def sign_out(**_: Any) -> None:
        Session.objects.all().delete()

    preview_page = preview(sam_client, carl)
    session = sam_client.session
    session[sessions.SEEN] -= 120  # Old enough for this request to save the session.
    session.save()
    post_save.connect(sign_out, sender=Move)
    try:
        answer = confirm(sam_client, carl, preview_page)
    finally:
        post_save.disconnect(sign_out, sender=Move)
    transfer = Move.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, transfer_url(transfer))
    assert booked(simulator, carl) == [transfer.amount]
