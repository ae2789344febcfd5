"""Above the threshold it takes two people: nobody raises it, splits amounts, or acts as a colleague alone."""

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
# What makes an account one that does not count as a second person.
TAKEN_OVER: list[tuple[str, bool]] = [
    ("reset", True),
    ("password_set", True),
    ("reset", False),
    ("password_set", False),
    ("new", False),
]


@pytest.fixture
def sam(aurora: Brand) -> User:
    """Sam works for Aurora."""
    return staff_of(aurora)


@pytest.fixture
def tess(aurora: Brand) -> User:
    """Tess does so too."""
    return staff_of(aurora, "tess@example.com")


@pytest.fixture
def opal(db: None) -> User:
    """Opal is the second operator."""
    return operator_of("opal@example.com")


@pytest.fixture
def carl(simulator: Simulator, aurora: Brand) -> User:
    """A customer of Aurora with a balance of 10."""
    return new_customer(simulator, aurora)


def take_over(person: User, kind: str, by: User | None) -> None:
    if kind == "new":
        User.objects.filter(pk=person.pk).update(date_joined=timezone.now() - timedelta(hours=23))
        person.refresh_from_db()
    else:
        handed_over(person, kind, by, hours=23.9)


def a_day_passes() -> None:
    """For the people, and for what they asked for."""
    day = timedelta(hours=24)
    for event in StaffEvent.objects.all():
        StaffEvent.objects.filter(pk=event.pk).update(at=event.at - day)
    for person in User.objects.filter(brand=None):
        User.objects.filter(pk=person.pk).update(date_joined=person.date_joined - day)


def limits_of(brand: Brand) -> dict[str, Decimal]:
    return {name: getattr(get_policy(brand), name) for name in MovePolicy.LIMITS}


def waiting(brand: Brand) -> LimitsChange:
    change = get_pending_limits(get_policy(brand))
    assert change
    return change


def unknown(simulator: Simulator, customer: User, by: User, amount: str, second: User | None = None) -> Move:
    simulator.fault("move_funds", "status_after", status=503, times=1)
    transfer = ask(customer, by, amount)
    if second:
        transfers.approve_transfer(brand=customer.brand, transfer=transfer, by=second)
    transfer.refresh_from_db()
    assert transfer.outcome == State.UNKNOWN
    return transfer


# --- Limits ---


def test_a_higher_limit_waits_for_another_operator_and_a_lower_one_does_not(
    simulator: Simulator, aurora: Brand, carl: User, operator: User, opal: User
) -> None:
    update_limits(brand=aurora, by=operator, per_move=Decimal(900), per_day=Decimal(1000))
    update_limits(brand=aurora, by=operator, second_person_above=Decimal(500), per_day=Decimal(900))
    assert limits_of(aurora) == {"per_move": 500, "per_day": 900, "second_person_above": 200}
    assert (ask(carl, operator, "400").outcome, mail.outbox) == (State.WAITING, [])
    change = waiting(aurora)
    assert change.limits == {"second_person_above": 500}  # What was wanted last counts.
    with pytest.raises(TransferRefused, match="another operator"):
        confirm_limits(change=change, by=operator)
    with pytest.raises(TransferRefused, match="Only an operator"):
        confirm_limits(change=change, by=staff_of(aurora))
    confirm_limits(change=change, by=opal)
    assert limits_of(aurora)["second_person_above"] == 500
    with pytest.raises(TransferRefused, match="just decided"):
        confirm_limits(change=change, by=opal)
    told = [(entry.user.email, entry.get_change_message()) for entry in LogEntry.objects.order_by("pk")]
    assert told[-2:] == [
        (operator.email, "Asked for second_person_above: 200.00 → 500 (another operator has to confirm it)"),
        (opal.email, f"Confirmed what {operator} asked for: second_person_above: 200.00 → 500.00"),
    ]


def test_where_there_is_one_operator_a_higher_limit_takes_a_day_and_all_are_mailed(
    aurora: Brand, borealis: Brand, operator: User, sam: User
) -> None:
    staff_of(borealis, "bea@example.com")
    User.objects.filter(pk=operator_of("left@example.com").pk).update(is_active=False)
    update_limits(brand=aurora, by=operator, per_move=Decimal(1500))
    assert sorted(each.to[0] for each in mail.outbox) == [operator.email, sam.email]
    assert "At most per move: $1,500.00 instead of $500.00" in mail.outbox[0].body
    assert [f"/policy/{aurora.pk}/" in each.body for each in mail.outbox] == [True, False]  # Staff have none.
    change = waiting(aurora)
    assert change.effective_at
    assert timedelta(hours=23.9) < change.effective_at - timezone.now() <= timedelta(hours=24)
    assert limits_of(aurora)["per_move"] == 500
    LimitsChange.objects.update(effective_at=timezone.now())
    assert limits_of(aurora)["per_move"] == 1500
    assert get_pending_limits(get_policy(aurora)) is None
    assert LogEntry.objects.latest("pk").get_change_message() == (
        "In force after 24 hours: per_move: 500.00 → 1500.00"
    )


def test_a_move_goes_by_the_limit_that_is_in_force_when_it_is_asked_for(
    simulator: Simulator, aurora: Brand, carl: User, operator: User
) -> None:
    update_limits(brand=aurora, by=operator, second_person_above=Decimal(500))
    assert ask(carl, operator, "400").outcome == State.WAITING
    LimitsChange.objects.update(effective_at=timezone.now())
    assert ask(new_customer(simulator, aurora), operator, "400").outcome == State.DONE


def test_a_second_operator_made_in_between_neither_hastens_nor_delays_it_but_may_withdraw_it(
    aurora: Brand, operator: User
) -> None:
    update_limits(brand=aurora, by=operator, per_move=Decimal(900))
    change, opal = waiting(aurora), operator_of("opal@example.com")
    with pytest.raises(TransferRefused, match="by themselves"):
        confirm_limits(change=change, by=opal)
    assert waiting(aurora).effective_at == change.effective_at
    withdraw_limits(change=change, by=opal)
    LimitsChange.objects.update(effective_at=timezone.now())
    assert limits_of(aurora)["per_move"] == 500
    with pytest.raises(TransferRefused, match="just decided"):
        withdraw_limits(change=change, by=opal)


def test_an_operator_who_leaves_does_not_let_a_change_take_effect_that_waits_for_a_second(
    aurora: Brand, operator: User, opal: User
) -> None:
    update_limits(brand=aurora, by=operator, per_move=Decimal(900))
    User.objects.filter(pk=opal.pk).update(is_active=False)
    LimitsChange.objects.update(asked_at=timezone.now() - timedelta(days=9))
    assert limits_of(aurora)["per_move"] == 500


def test_without_a_mail_server_no_limit_rises_by_itself(aurora: Brand, operator: User, settings: Any) -> None:
    settings.EMAIL_BACKEND = "portal.mail.smtp_backend.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    with pytest.raises(TransferRefused, match="can't email anybody"):
        update_limits(brand=aurora, by=operator, per_move=Decimal(900), per_day=Decimal(1000))
    assert get_pending_limits(get_policy(aurora)) is None
    assert limits_of(aurora)["per_day"] == 1000


@pytest.mark.parametrize(("kind", "by_olga"), TAKEN_OVER)
@pytest.mark.parametrize("asker", [True, False])
def test_an_operator_who_may_be_the_first_one_in_disguise_confirms_nothing(
    aurora: Brand, operator: User, opal: User, kind: str, by_olga: bool, asker: bool
) -> None:
    take_over(opal, kind, operator if by_olga else None)
    first, second = (opal, operator) if asker else (operator, opal)
    update_limits(brand=aurora, by=first, per_move=Decimal(900))
    with pytest.raises(TransferRefused, match=r"\(UTC\)"):
        confirm_limits(change=waiting(aurora), by=second)
    a_day_passes()
    second.refresh_from_db()
    confirm_limits(change=waiting(aurora), by=second)
    assert limits_of(aurora)["per_move"] == 900


def test_several_who_read_the_rules_at_once_put_a_change_in_force_once(
    threads: None, aurora: Brand, operator: User
) -> None:
    update_limits(brand=aurora, by=operator, per_move=Decimal(900))
    LimitsChange.objects.update(effective_at=timezone.now())
    assert at_once(4, lambda _nth: get_policy(aurora).per_move) == [900] * 4
    assert sum("In force" in entry.get_change_message() for entry in LogEntry.objects.all()) == 1


# --- The sum ---


def test_a_large_amount_in_small_moves_waits_for_a_second_person(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, tess: User
) -> None:
    moved = [ask(carl, sam, "200") for _ in range(3)]
    assert [transfer.outcome for transfer in moved] == [State.DONE, State.WAITING, State.WAITING]
    assert ask(carl, tess, "0.01").outcome == State.WAITING  # Whoever asks for it.
    assert ask(new_customer(simulator, aurora), sam, "200").outcome == State.DONE
    Move.objects.update(asked_at=timezone.now() - timedelta(hours=24.1), dispatched_at=None)
    assert ask(carl, sam, "200").outcome == State.DONE
    assert booked(simulator, carl) == [200, 200]


def test_what_a_second_person_has_approved_does_not_make_all_after_it_wait(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, tess: User
) -> None:
    transfers.approve_transfer(brand=aurora, transfer=ask(carl, sam, "400"), by=tess)
    assert ask(carl, sam, "150").outcome == State.DONE
    assert ask(carl, sam, "51").outcome == State.WAITING


def test_the_sum_follows_the_account_and_both_directions(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, make_customer: Callable[..., User]
) -> None:
    rules(aurora, back_at=timezone.now())
    assert ask(carl, sam, "150").outcome == State.DONE
    number = carl.account_number
    User.objects.filter(pk=carl.pk).update(account_number="")
    heir = make_customer(aurora, "heir@example.com", number)
    assert ask(heir, sam, "-51").outcome == State.WAITING


@pytest.mark.parametrize(("alone", "outcome"), [(True, State.WAITING), (False, State.DONE)])
def test_who_finds_their_own_move_not_done_does_not_begin_again_from_nothing(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, tess: User, alone: bool, outcome: str
) -> None:
    transfer = unknown(simulator, carl, sam, "150")
    transfers.resolve_transfer(
        brand=aurora, transfer=transfer, by=sam if alone else tess, happened=False, note="Looked."
    )
    assert ask(carl, sam, "150").outcome == outcome


def test_several_at_once_do_not_get_past_the_sum(
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
@pytest.mark.parametrize("asker", [True, False])
def test_a_person_who_may_be_the_first_one_in_disguise_approves_nothing(
    simulator: Simulator,
    aurora: Brand,
    carl: User,
    sam: User,
    operator: User,
    kind: str,
    by_olga: bool,
    asker: bool,
) -> None:
    take_over(sam, kind, operator if by_olga else None)
    first, second = (sam, operator) if asker else (operator, sam)
    transfer = ask(carl, first, "400")
    with pytest.raises(TransferRefused, match=r"\(UTC\)"):
        transfers.approve_transfer(brand=aurora, transfer=transfer, by=second)
    assert booked(simulator, carl) == []
    a_day_passes()
    second.refresh_from_db()
    transfer = Move.objects.get()
    assert transfers.approve_transfer(brand=aurora, transfer=transfer, by=second).outcome == State.DONE


def test_what_people_do_with_their_own_way_in_disturbs_nothing(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, tess: User, operator: User
) -> None:
    handed_over(tess, "password_set", tess)
    handed_over(tess, "signed_in", operator)
    handed_over(tess, "reset", operator, hours=24.1)
    transfer = ask(carl, sam, "400")
    handed_over(sam, "reset", operator)  # After having asked.
    assert transfers.approve_transfer(brand=aurora, transfer=transfer, by=tess).outcome == State.DONE


def test_an_operator_who_takes_a_colleagues_place_in_the_admin_moves_nothing_with_it(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, admin_client: Client, browse: Browse
) -> None:
    app_of(sam)
    admin_client.post(f"/admin/accounts/user/{sam.pk}/reset-authenticator/")
    typed = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    admin_client.post(f"/admin/accounts/user/{sam.pk}/password/", typed)
    assert sorted(StaffEvent.objects.filter(user=sam).values_list("kind", "by__email")) == [
        ("password_set", "olga@example.com"),
        ("reset", "olga@example.com"),
    ]
    assert [each.to for each in mail.outbox] == [
        [sam.email],
        [sam.email],
    ]  # App and password.
    transfer = ask(carl, User.objects.get(email="olga@example.com"), "400")
    sams = browse(ADMIN, User.objects.get(pk=sam.pk))
    page = sams.get(f"/admin/billing/move/{transfer.pk}/approve/")
    assert "you do not count as a second person" in words(page)
    assert "Approve, and move" not in words(page)
    assert sams.post(f"/admin/billing/move/{transfer.pk}/approve/").status_code == 409
    assert booked(simulator, carl) == []


def test_a_form_that_sets_no_password_is_no_event(admin_client: Client, sam: User) -> None:
    admin_client.post(f"/admin/accounts/user/{sam.pk}/password/", {"password1": "x", "password2": "y"})
    admin_client.get(f"/admin/accounts/user/{sam.pk}/password/")
    assert not StaffEvent.objects.exists()
    assert mail.outbox == []


# --- Who says what became of it ---


@pytest.mark.parametrize("amounts", [("400",), ("150", "100")])
def test_above_the_threshold_the_asker_does_not_say_what_became_of_it(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, tess: User, amounts: tuple[str, ...]
) -> None:
    app_of(tess)
    for amount in amounts[:-1]:
        ask(carl, sam, amount)
    transfer = unknown(simulator, carl, sam, amounts[-1], second=tess)
    with pytest.raises(TransferRefused, match="somebody else has to say"):
        transfers.resolve_transfer(brand=aurora, transfer=transfer, by=sam, happened=False, note="Not seen.")
    found = transfers.resolve_transfer(brand=aurora, transfer=transfer, by=tess, happened=True, note="Seen.")
    assert found.outcome == State.FOUND_DONE


@pytest.mark.parametrize("other", ["nobody", "no app", "reset", "another brand", "left"])
def test_with_nobody_else_the_asker_says_it_after_a_day(
    simulator: Simulator, aurora: Brand, borealis: Brand, carl: User, sam: User, tess: User, other: str
) -> None:
    transfer = unknown(simulator, carl, sam, "400", second=tess)
    if other != "no app":
        app_of(tess)
    if other == "reset":
        handed_over(tess, "reset", None)
    elif other == "another brand":
        tess.brands.set([borealis])
    elif other != "no app":
        User.objects.filter(pk=tess.pk).update(is_active=False)
    told = {"brand": aurora, "by": sam, "happened": False, "note": "Not seen."}
    with pytest.raises(TransferRefused, match="24 hours after it was sent"):
        transfers.resolve_transfer(transfer=transfer, **told)
    transfer.dispatched_at = timezone.now() - timedelta(hours=24.1)
    transfer.save()
    assert transfers.resolve_transfer(transfer=transfer, **told).outcome == State.FOUND_NOT_DONE


def test_a_taken_over_colleague_does_not_say_it_either(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, tess: User, operator: User
) -> None:
    transfer = unknown(simulator, carl, operator, "400", second=tess)
    handed_over(sam, "reset", operator)
    with pytest.raises(TransferRefused, match="do not count as a second person"):
        transfers.resolve_transfer(brand=aurora, transfer=transfer, by=sam, happened=False, note="Not seen.")


# --- The pages ---


def test_the_rules_page_shows_what_waits_and_lets_another_operator_confirm_it(
    aurora: Brand, operator: User, opal: User, browse: Browse
) -> None:
    url, limits = f"/admin/billing/policy/{aurora.pk}/", {"do": "limits", "per_day": "2000"}
    olgas, opals = browse(ADMIN, operator), browse(ADMIN, opal)
    olgas.post(url, {**limits, "per_move": "900", "second_person_above": "100"})
    told = "Higher limits for moving funds of Aurora Phone are waiting"
    assert told in words(opals.get("/admin/"))
    assert told not in words(browse(ADMIN, staff_of(aurora)).get("/admin/"))
    own = words(olgas.get(url))
    assert "At most per move: A$900.00 instead of A$500.00" in own
    assert "The lower limits apply now." in own
    assert "Another operator has to confirm them." in own
    assert "Confirm the higher limits" not in own
    assert "Confirm the higher limits" in words(opals.get(url))
    shown = {"change": str(waiting(aurora).pk)}
    assert olgas.post(url, {"do": "confirm", **shown}).status_code == 409
    olgas.post(url, {**limits, "per_move": "1000", "second_person_above": "100"})
    stale = opals.post(url, {"do": "confirm", **shown})
    assert (stale.status_code, limits_of(aurora)["per_move"]) == (409, 500)  # Not what was shown.
    opals.post(url, {"do": "confirm", "change": str(waiting(aurora).pk)})
    assert limits_of(aurora) == {"per_move": 1000, "per_day": 2000, "second_person_above": 100}


def test_a_single_operator_reads_when_it_takes_effect_and_withdraws_it(
    aurora: Brand, operator: User, browse: Browse
) -> None:
    url, olgas = f"/admin/billing/policy/{aurora.pk}/", browse(ADMIN, operator)
    limits = {"do": "limits", "per_move": "900", "per_day": "2000", "second_person_above": "200"}
    olgas.post(url, limits)
    page = words(olgas.get(url))
    assert "We have emailed the people who work for this brand." in page
    assert "unless an operator withdraws them before" in page
    assert "Confirm the higher limits" not in page
    olgas.post(url, {"do": "withdraw", "change": str(waiting(aurora).pk)})
    assert get_pending_limits(get_policy(aurora)) is None
    assert "Withdrew what" in words(olgas.get(url))


def test_the_asker_sees_the_balances_of_a_large_unknown_move_and_no_form(
    simulator: Simulator, aurora: Brand, carl: User, sam: User, tess: User, browse: Browse
) -> None:
    app_of(tess)
    transfer = unknown(simulator, carl, sam, "400", second=tess)
    url = f"/admin/billing/move/{transfer.pk}/resolve/"
    page = browse(ADMIN, sam).get(url)
    assert page.status_code == 409
    assert "as just read A$410.00" in words(page)
    assert "So somebody else has to say" in words(page)
    assert "Write this down" not in page.content.decode()
    assert "Write this down" in browse(ADMIN, tess).get(url).content.decode()


def test_the_command_goes_by_the_sum_too(
    simulator: Simulator, carl: User, sam: User, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("aurora", carl.account_number, "150", "--by", sam.email, "--description", "x", "--yes")
    for _ in range(2):
        call_command("move_funds", *arguments)
    assert "A second person has to approve it" in capsys.readouterr().out
    assert booked(simulator, carl) == [150]
