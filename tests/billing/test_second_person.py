"""Transfers above the threshold need two staff, whatever the limits, split amounts or reset accounts."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from accounts.models import StaffEvent, User
from billing.models import LimitsChange, Move, MovePolicy
from billing.transfers import service as transfers
from billing.transfers.limits import confirm_limits, get_pending_limits, update_limits, withdraw_limits
from billing.transfers.policy import get_policy
from billing.transfers.service import TransferRefused
from portal.models import Brand
from tests.conftest import ADMIN, Simulator, app_of
from tests.support.customer_flow import at_once, words
from tests.support.transfers import ask, booked, handed_over, new_customer, operator_of, rules, staff_of

pytestmark = [pytest.mark.django_db, pytest.mark.database]
State = Move.State
Browse = Callable[..., Client]
PASSWORD = "correct horse battery"
# Events (kind, caused by Olga) after which an account does not count as a second person for a day.
TAKEN_OVER: list[tuple[str, bool]] = [
    ("reset", True),
    ("password_set", True),
    ("reset", False),
    ("password_set", False),
    ("new", False),
]


@pytest.fixture
def opal(db: None) -> User:
    """Opal is the second operator."""
    return operator_of("opal@example.com")


def take_over(user: User, kind: str, by: User | None) -> None:
    """Make an account not count as a second person: it is new, or its password or app was reset."""
    if kind == "new":
        User.objects.filter(pk=user.pk).update(date_joined=timezone.now() - timedelta(hours=23))
        user.refresh_from_db()
    else:
        handed_over(user, kind, by, hours=23.9)


def pass_a_day() -> None:
    """Backdate staff events and the creation of staff accounts by 24 hours."""
    day = timedelta(hours=24)
    for event in StaffEvent.objects.all():
        StaffEvent.objects.filter(pk=event.pk).update(at=event.at - day)
    for user in User.objects.filter(brand=None):
        User.objects.filter(pk=user.pk).update(date_joined=user.date_joined - day)


def get_limits(brand: Brand) -> dict[str, Decimal]:
    return {name: getattr(get_policy(brand), name) for name in MovePolicy.LIMITS}


def pending_change(brand: Brand) -> LimitsChange:
    change = get_pending_limits(get_policy(brand))
    assert change
    return change


def unknown_transfer(
    simulator: Simulator, customer: User, by: User, amount: str, second: User | None = None
) -> Move:
    simulator.fault("move_funds", "status_after", status=503, times=1)
    transfer = ask(customer, by, amount)
    if second:
        transfers.approve_transfer(brand=customer.brand, transfer=transfer, by=second)
    transfer.refresh_from_db()
    assert transfer.outcome == State.UNKNOWN
    return transfer


# --- Limits ---


def test_higher_limit_waits_for_another_operator_and_lower_one_does_not(
    simulator: Simulator, aurora: Brand, carl: User, operator: User, opal: User
) -> None:
    update_limits(brand=aurora, by=operator, per_move=Decimal(900), per_day=Decimal(1000))
    update_limits(brand=aurora, by=operator, second_person_above=Decimal(500), per_day=Decimal(900))
    assert get_limits(aurora) == {"per_move": 500, "per_day": 900, "second_person_above": 200}
    assert (ask(carl, operator, "400").outcome, mail.outbox) == (State.WAITING, [])
    change = pending_change(aurora)
    assert change.limits == {"second_person_above": 500}  # The last request replaces earlier ones.
    with pytest.raises(TransferRefused, match="another operator"):
        confirm_limits(change=change, by=operator)
    with pytest.raises(TransferRefused, match="Only an operator"):
        confirm_limits(change=change, by=staff_of(aurora))
    confirm_limits(change=change, by=opal)
    assert get_limits(aurora)["second_person_above"] == 500
    with pytest.raises(TransferRefused, match="just decided"):
        confirm_limits(change=change, by=opal)
    log_entries = [
        (entry.user.email, entry.get_change_message()) for entry in LogEntry.objects.order_by("pk")
    ]
    assert log_entries[-2:] == [
        (operator.email, "Asked for second_person_above: 200.00 → 500 (another operator has to confirm it)"),
        (opal.email, f"Confirmed what {operator} asked for: second_person_above: 200.00 → 500.00"),
    ]


def test_higher_limit_of_a_single_operator_takes_a_day_and_is_emailed(
    aurora: Brand, borealis: Brand, operator: User, sam: User
) -> None:
    staff_of(borealis, "bea@example.com")
    User.objects.filter(pk=operator_of("left@example.com").pk).update(is_active=False)
    update_limits(brand=aurora, by=operator, per_move=Decimal(1500))
    assert sorted(each.to[0] for each in mail.outbox) == [operator.email, sam.email]
    assert "Limit per transfer: $1,500.00 instead of $500.00" in mail.outbox[0].body
    assert [f"/policy/{aurora.pk}/" in each.body for each in mail.outbox] == [True, False]  # Staff have none.
    change = pending_change(aurora)
    assert change.effective_at
    assert timedelta(hours=23.9) < change.effective_at - timezone.now() <= timedelta(hours=24)
    assert get_limits(aurora)["per_move"] == 500
    LimitsChange.objects.update(effective_at=timezone.now())
    assert get_limits(aurora)["per_move"] == 1500
    assert get_pending_limits(get_policy(aurora)) is None
    assert LogEntry.objects.latest("pk").get_change_message() == (
        "In force after 24 hours: per_move: 500.00 → 1500.00"
    )


def test_transfer_uses_the_limit_in_force_when_it_is_requested(
    simulator: Simulator, aurora: Brand, carl: User, operator: User
) -> None:
    update_limits(brand=aurora, by=operator, second_person_above=Decimal(500))
    assert ask(carl, operator, "400").outcome == State.WAITING
    LimitsChange.objects.update(effective_at=timezone.now())
    assert ask(new_customer(simulator, aurora), operator, "400").outcome == State.DONE


def test_new_operator_may_withdraw_but_not_confirm_a_delayed_change(aurora: Brand, operator: User) -> None:
    update_limits(brand=aurora, by=operator, per_move=Decimal(900))
    change, opal = pending_change(aurora), operator_of("opal@example.com")
    with pytest.raises(TransferRefused, match="by themselves"):
        confirm_limits(change=change, by=opal)
    assert pending_change(aurora).effective_at == change.effective_at
    withdraw_limits(change=change, by=opal)
    LimitsChange.objects.update(effective_at=timezone.now())
    assert get_limits(aurora)["per_move"] == 500
    with pytest.raises(TransferRefused, match="just decided"):
        withdraw_limits(change=change, by=opal)


def test_change_still_needs_confirmation_after_second_operator_leaves(
    aurora: Brand, operator: User, opal: User
) -> None:
    update_limits(brand=aurora, by=operator, per_move=Decimal(900))
    User.objects.filter(pk=opal.pk).update(is_active=False)
    LimitsChange.objects.update(asked_at=timezone.now() - timedelta(days=9))
    assert get_limits(aurora)["per_move"] == 500


def test_limit_is_not_raised_while_the_mail_server_is_down(
    aurora: Brand, operator: User, settings: Any
) -> None:
    settings.EMAIL_BACKEND = "portal.mail.smtp_backend.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    with pytest.raises(TransferRefused, match="can't email anybody"):
        update_limits(brand=aurora, by=operator, per_move=Decimal(900), per_day=Decimal(1000))
    assert get_pending_limits(get_policy(aurora)) is None
    assert get_limits(aurora)["per_day"] == 1000


@pytest.mark.parametrize(("kind", "by_olga"), TAKEN_OVER)
@pytest.mark.parametrize("requester_taken_over", [True, False])
def test_taken_over_operator_account_cannot_confirm_limits(
    aurora: Brand, operator: User, opal: User, kind: str, by_olga: bool, requester_taken_over: bool
) -> None:
    take_over(opal, kind, operator if by_olga else None)
    first, second = (opal, operator) if requester_taken_over else (operator, opal)
    update_limits(brand=aurora, by=first, per_move=Decimal(900))
    with pytest.raises(TransferRefused, match=r"AE[DS]T"):
        confirm_limits(change=pending_change(aurora), by=second)
    pass_a_day()
    second.refresh_from_db()
    confirm_limits(change=pending_change(aurora), by=second)
    assert get_limits(aurora)["per_move"] == 900


def test_concurrent_readers_apply_a_due_change_once(threads: None, aurora: Brand, operator: User) -> None:
    update_limits(brand=aurora, by=operator, per_move=Decimal(900))
    LimitsChange.objects.update(effective_at=timezone.now())
    assert at_once(4, lambda _nth: get_policy(aurora).per_move) == [900] * 4
    assert sum("In force" in entry.get_change_message() for entry in LogEntry.objects.all()) == 1


# --- The sum ---


def test_split_transfers_above_the_threshold_wait_for_a_second_person(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, tess: User
) -> None:
    requested = [ask(carl, sam, "200") for _ in range(3)]
    assert [transfer.outcome for transfer in requested] == [State.DONE, State.WAITING, State.WAITING]
    assert ask(carl, tess, "0.01").outcome == State.WAITING  # For any requester.
    assert ask(new_customer(simulator, aurora), sam, "200").outcome == State.DONE
    Move.objects.update(asked_at=timezone.now() - timedelta(hours=24.1), dispatched_at=None)
    assert ask(carl, sam, "200").outcome == State.DONE
    assert booked(simulator, carl) == [200, 200]


def test_approved_transfers_do_not_count_towards_the_threshold(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, tess: User
) -> None:
    transfers.approve_transfer(brand=aurora, transfer=ask(carl, sam, "400"), by=tess)
    assert ask(carl, sam, "150").outcome == State.DONE
    assert ask(carl, sam, "51").outcome == State.WAITING


def test_threshold_sums_both_directions_of_an_account_number(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, make_customer: Callable[..., User]
) -> None:
    rules(aurora, back_at=timezone.now())
    assert ask(carl, sam, "150").outcome == State.DONE
    number = carl.account_number
    User.objects.filter(pk=carl.pk).update(account_number="")
    new_owner = make_customer(aurora, "heir@example.com", number)
    assert ask(new_owner, sam, "-51").outcome == State.WAITING


@pytest.mark.parametrize(("by_requester", "outcome"), [(True, State.WAITING), (False, State.DONE)])
def test_transfer_resolved_by_its_requester_still_counts_in_the_sum(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, tess: User, by_requester: bool, outcome: str
) -> None:
    transfer = unknown_transfer(simulator, carl, sam, "150")
    transfers.resolve_transfer(
        brand=aurora, transfer=transfer, by=sam if by_requester else tess, happened=False, note="Looked."
    )
    assert ask(carl, sam, "150").outcome == outcome


def test_concurrent_transfers_cannot_exceed_the_threshold(
    threads: None, simulator: Simulator, aurora: Brand, carl: User, sam: User
) -> None:
    def work(_nth: int) -> str:
        try:
            return str(ask(User.objects.get(pk=carl.pk), sam, "150").outcome)
        except TransferRefused:
            return "refused"

    assert at_once(5, work).count(State.DONE) == 1
    assert booked(simulator, carl) == [150]


# --- Who approves ---


@pytest.mark.parametrize(("kind", "by_olga"), TAKEN_OVER)
@pytest.mark.parametrize("requester_taken_over", [True, False])
def test_taken_over_account_cannot_approve_a_transfer(
    simulator: Simulator,
    aurora: Brand,
    carl: User,
    sam: User,
    operator: User,
    kind: str,
    by_olga: bool,
    requester_taken_over: bool,
) -> None:
    take_over(sam, kind, operator if by_olga else None)
    first, second = (sam, operator) if requester_taken_over else (operator, sam)
    transfer = ask(carl, first, "400")
    with pytest.raises(TransferRefused, match=r"AE[DS]T"):
        transfers.approve_transfer(brand=aurora, transfer=transfer, by=second)
    assert booked(simulator, carl) == []
    pass_a_day()
    second.refresh_from_db()
    transfer = Move.objects.get()
    assert transfers.approve_transfer(brand=aurora, transfer=transfer, by=second).outcome == State.DONE


def test_harmless_staff_events_do_not_prevent_an_approval(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, tess: User, operator: User
) -> None:
    handed_over(tess, "password_set", tess)
    handed_over(tess, "signed_in", operator)
    handed_over(tess, "reset", operator, hours=24.1)
    transfer = ask(carl, sam, "400")
    handed_over(sam, "reset", operator)  # After the request.
    assert transfers.approve_transfer(brand=aurora, transfer=transfer, by=tess).outcome == State.DONE


def test_operator_cannot_approve_as_a_colleague_whose_password_they_set(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, admin_client: Client, browse: Browse
) -> None:
    app_of(sam)
    admin_client.post(f"/admin/accounts/user/{sam.pk}/reset-authenticator/")
    form_data = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    admin_client.post(f"/admin/accounts/user/{sam.pk}/password/", form_data)
    assert sorted(StaffEvent.objects.filter(user=sam).values_list("kind", "by__email")) == [
        ("password_set", "olga@example.com"),
        ("reset", "olga@example.com"),
    ]
    assert [each.to for each in mail.outbox] == [
        [sam.email],
        [sam.email],
    ]  # One each for app and password.
    transfer = ask(carl, User.objects.get(email="olga@example.com"), "400")
    sam_client = browse(ADMIN, User.objects.get(pk=sam.pk))
    page = sam_client.get(f"/admin/billing/move/{transfer.pk}/approve/")
    assert "You don't count as a second person" in words(page)
    assert "Approve and transfer" not in words(page)
    assert sam_client.post(f"/admin/billing/move/{transfer.pk}/approve/").status_code == 409
    assert booked(simulator, carl) == []


def test_invalid_password_form_records_no_event(admin_client: Client, sam: User) -> None:
    admin_client.post(f"/admin/accounts/user/{sam.pk}/password/", {"password1": "x", "password2": "y"})
    admin_client.get(f"/admin/accounts/user/{sam.pk}/password/")
    assert not StaffEvent.objects.exists()
    assert mail.outbox == []


# --- Who resolves an unknown transfer ---


@pytest.mark.parametrize("amounts", [("400",), ("150", "100")])
def test_requester_cannot_resolve_a_transfer_above_the_threshold(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, tess: User, amounts: tuple[str, ...]
) -> None:
    app_of(tess)
    for amount in amounts[:-1]:
        ask(carl, sam, amount)
    transfer = unknown_transfer(simulator, carl, sam, amounts[-1], second=tess)
    with pytest.raises(TransferRefused, match="Someone else has to record the result"):
        transfers.resolve_transfer(brand=aurora, transfer=transfer, by=sam, happened=False, note="Not seen.")
    resolved = transfers.resolve_transfer(
        brand=aurora, transfer=transfer, by=tess, happened=True, note="Seen."
    )
    assert resolved.outcome == State.FOUND_DONE


@pytest.mark.parametrize("other", ["inactive", "no app", "reset", "another brand", "left"])
def test_requester_may_resolve_after_a_day_without_other_staff(
    simulator: Simulator, aurora: Brand, borealis: Brand, carl: User, sam: User, tess: User, other: str
) -> None:
    transfer = unknown_transfer(simulator, carl, sam, "400", second=tess)
    if other != "no app":
        app_of(tess)
    if other == "reset":
        handed_over(tess, "reset", None)
    elif other == "another brand":
        tess.brands.set([borealis])
    elif other != "no app":
        User.objects.filter(pk=tess.pk).update(is_active=False)
    resolution = {"brand": aurora, "by": sam, "happened": False, "note": "Not seen."}
    with pytest.raises(TransferRefused, match="24 hours after it was sent"):
        transfers.resolve_transfer(transfer=transfer, **resolution)
    transfer.dispatched_at = timezone.now() - timedelta(hours=24.1)
    transfer.save()
    assert transfers.resolve_transfer(transfer=transfer, **resolution).outcome == State.FOUND_NOT_DONE


def test_taken_over_account_cannot_resolve_a_transfer(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, tess: User, operator: User
) -> None:
    transfer = unknown_transfer(simulator, carl, operator, "400", second=tess)
    handed_over(sam, "reset", operator)
    with pytest.raises(TransferRefused, match="don't count as a second person"):
        transfers.resolve_transfer(brand=aurora, transfer=transfer, by=sam, happened=False, note="Not seen.")


# --- The pages ---


def test_policy_page_shows_a_pending_change_for_another_operator(
    aurora: Brand, operator: User, opal: User, browse: Browse
) -> None:
    url, limits = f"/admin/billing/policy/{aurora.pk}/", {"do": "limits", "per_day": "2000"}
    olga_client, opal_client = browse(ADMIN, operator), browse(ADMIN, opal)
    olga_client.post(url, {**limits, "per_move": "900", "second_person_above": "100"})
    notice = "Higher transfer limits for Aurora Phone are waiting"
    assert notice in words(opal_client.get("/admin/"))
    assert notice not in words(browse(ADMIN, staff_of(aurora)).get("/admin/"))
    own = words(olga_client.get(url))
    assert "Limit per transfer: A$900.00 instead of A$500.00" in own
    assert "The lower limits apply now." in own
    assert "Another operator has to confirm them." in own
    assert "Confirm the higher limits" not in own
    assert "Confirm the higher limits" in words(opal_client.get(url))
    shown = {"change": str(pending_change(aurora).pk)}
    assert olga_client.post(url, {"do": "confirm", **shown}).status_code == 409
    olga_client.post(url, {**limits, "per_move": "1000", "second_person_above": "100"})
    stale = opal_client.post(url, {"do": "confirm", **shown})
    assert (stale.status_code, get_limits(aurora)["per_move"]) == (409, 500)  # Not what was shown.
    opal_client.post(url, {"do": "confirm", "change": str(pending_change(aurora).pk)})
    assert get_limits(aurora) == {"per_move": 1000, "per_day": 2000, "second_person_above": 100}


def test_single_operator_sees_the_delay_and_may_withdraw_the_change(
    aurora: Brand, operator: User, browse: Browse
) -> None:
    url, olga_client = f"/admin/billing/policy/{aurora.pk}/", browse(ADMIN, operator)
    limits = {"do": "limits", "per_move": "900", "per_day": "2000", "second_person_above": "200"}
    olga_client.post(url, limits)
    page = words(olga_client.get(url))
    assert "We have emailed the people who work for this brand." in page
    assert "unless an operator withdraws them before" in page
    assert "Confirm the higher limits" not in page
    olga_client.post(url, {"do": "withdraw", "change": str(pending_change(aurora).pk)})
    assert get_pending_limits(get_policy(aurora)) is None
    assert "Withdrew what" in words(olga_client.get(url))


def test_requester_sees_balances_but_no_form_of_a_large_unknown_transfer(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, tess: User, browse: Browse
) -> None:
    app_of(tess)
    transfer = unknown_transfer(simulator, carl, sam, "400", second=tess)
    url = f"/admin/billing/move/{transfer.pk}/resolve/"
    page = browse(ADMIN, sam).get(url)
    assert page.status_code == 409
    assert "as just read A$410.00" in words(page)
    assert "Someone else has to record the result" in words(page)
    assert "Save result" not in page.content.decode()
    assert "Save result" in browse(ADMIN, tess).get(url).content.decode()


def test_command_applies_the_threshold_to_the_sum(
    simulator: Simulator, carl: User, sam: User, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("aurora", carl.account_number, "150", "--by", sam.email, "--description", "x", "--yes")
    for _ in range(2):
        call_command("move_funds", *arguments)
    assert "A second person has to approve it" in capsys.readouterr().out
    assert booked(simulator, carl) == [150]
