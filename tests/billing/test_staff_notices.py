"""Emails to staff: a transfer waits, was decided or expired; a carrier fails. Each person chooses which."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from accounts.models import User
from accounts.staff import notices
from billing.alerts.carrier import watch_carriers
from billing.models import Move, PartnerAlert
from billing.transfers.alerts import expire_transfers
from billing.transfers.service import approve_transfer, decline_transfer
from portal.mail.outbox import send_emails
from portal.models import Brand, CarrierCall
from tests.conftest import ADMIN, Simulator
from tests.support.customer_flow import words
from tests.support.transfers import ask, rules, staff_of

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture
def waiting(simulator: Simulator, carl: User, sam: User, tess: User) -> Move:
    """A transfer that Sam has asked for, and Tess may approve."""
    rules(carl.brand, second_person_above=1)
    return ask(carl, sam, "5")


def sent() -> list[tuple[str, str]]:
    """Send what waits; return (recipient, subject)."""
    send_emails()
    found = sorted((message.to[0], message.subject) for message in mail.outbox)
    mail.outbox.clear()
    return found


def test_all_but_the_requester_are_told_that_a_transfer_waits(
    operator: User, waiting: Move, borealis: Brand
) -> None:
    staff_of(borealis, "bea@example.com")
    send_emails()
    body = mail.outbox[0].body
    assert "sam@example.com has asked for this transfer" in body
    assert f"https://admin.test/admin/billing/move/{waiting.pk}/" in body
    assert "$5.00" in body
    subject = "Aurora Phone: a transfer is waiting for your approval"
    assert sent() == [("olga@example.com", subject), ("tess@example.com", subject)]


def test_requester_is_told_of_an_approval(waiting: Move, tess: User) -> None:
    sent()
    approve_transfer(brand=waiting.brand, transfer=waiting, by=tess)
    assert sent() == [("sam@example.com", "Aurora Phone: your transfer was approved")]


def test_requester_is_told_of_a_refusal_but_not_of_their_own(waiting: Move, tess: User, sam: User) -> None:
    sent()
    decline_transfer(brand=waiting.brand, transfer=waiting, by=tess, note="no")
    assert sent() == [("sam@example.com", "Aurora Phone: your transfer was declined")]


def test_requester_who_withdraws_is_told_nothing(waiting: Move, sam: User) -> None:
    sent()
    decline_transfer(brand=waiting.brand, transfer=waiting, by=sam, note="mistake")
    assert sent() == []


def test_requester_is_told_that_nobody_approved_in_time(waiting: Move) -> None:
    sent()
    Move.objects.update(asked_at=timezone.now() - timedelta(hours=25))
    assert expire_transfers() == 1
    assert sent() == [("sam@example.com", "Aurora Phone: your transfer has expired")]


def test_direct_transfer_is_told_to_nobody(simulator: Simulator, carl: User, sam: User, tess: User) -> None:
    assert ask(carl, sam, "5").state == Move.State.DONE
    assert sent() == []


# Choosing


def test_person_chooses_which_emails_they_get(
    browse: Callable[..., Any], simulator: Simulator, carl: User, sam: User, tess: User
) -> None:
    client = browse(ADMIN, tess)
    page = client.get("/admin/security/").content.decode()
    assert page.count('name="notice"') == page.count(" checked") == len(notices.KINDS)
    answer = client.post("/admin/security/emails/", {"notice": ["carrier_down", "nonsense"]}, follow=True)
    assert "Saved." in words(answer)
    assert answer.content.decode().count(" checked") == 1
    assert notices.get_wanted(user=tess) == ["carrier_down"]
    rules(carl.brand, second_person_above=1)
    ask(carl, sam, "5")
    assert sent() == []
    client.post("/admin/security/emails/", {"notice": list(notices.KINDS)})
    assert notices.get_wanted(user=tess) == list(notices.KINDS)


# The carrier


def called(brand: Brand, minutes: float, outcome: str) -> None:
    CarrierCall.objects.create(
        brand=brand,
        method="partner_balance",
        outcome=outcome,
        milliseconds=1,
        at=timezone.now() - timedelta(minutes=minutes),
    )


@pytest.mark.parametrize(
    ("calls", "subject"),
    [
        ([(12, "ok"), (6, "NoAnswer"), (0, "Unreachable")], "Aurora Phone's carrier isn't responding"),
        ([(12, "ok"), (4, "NoAnswer"), (0, "NoAnswer")], None),
        ([(12, "NoAnswer"), (6, "NoAnswer"), (5, "ok"), (0, "NoAnswer")], None),
        ([(8, "NoAnswer"), (2, "Rejected"), (0, "ServerError")], None),
        ([(1, "NotAuthorised"), (0, "NotAuthorised")], "Aurora Phone's carrier refuses our key"),
        ([(0, "NotAuthorised")], None),
        ([(90, "NoAnswer"), (0, "NoAnswer")], None),
        ([(9, "NotAuthorised"), (0, "ServerError")], "Aurora Phone's carrier isn't responding"),
    ],
)
def test_carrier_that_fails_for_five_minutes_is_told_once(
    aurora: Brand, borealis: Brand, sam: User, calls: list[tuple[float, str]], subject: str | None
) -> None:
    PartnerAlert.objects.create(brand=aurora)
    called(borealis, 0, "ok")
    for minutes, outcome in calls:
        called(aurora, minutes, outcome)
    assert watch_carriers() == (subject is not None)
    assert watch_carriers() == 0
    assert sent() == ([("sam@example.com", subject)] if subject else [])


def test_failure_of_one_customers_calls_is_no_failure_of_the_carrier(aurora: Brand, alice: User) -> None:
    PartnerAlert.objects.create(brand=aurora)
    for minutes, outcome in ((9, "NoAnswer"), (0, "ServerError"), (0, "NotAuthorised")):
        called(aurora, minutes, outcome)
    CarrierCall.objects.update(customer=alice)
    assert watch_carriers() == 0


def test_carrier_is_told_of_if_the_first_attempt_to_tell_failed(
    aurora: Brand, sam: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    PartnerAlert.objects.create(brand=aurora)
    for minutes in (6, 0):
        called(aurora, minutes, "NoAnswer")

    def fail(**_: object) -> None:
        raise RuntimeError("of the database")

    with monkeypatch.context() as patch:
        patch.setattr("portal.mail.outbox.add", fail)
        with pytest.raises(RuntimeError):
            watch_carriers()
    assert watch_carriers() == 1
    assert len(sent()) == 1


def test_carrier_is_told_of_again_after_it_has_answered(aurora: Brand, sam: User) -> None:
    PartnerAlert.objects.create(brand=aurora)
    for minutes in (6, 0):
        called(aurora, minutes, "NoAnswer")
    assert watch_carriers() == 1
    CarrierCall.objects.update(at=timezone.now() - timedelta(minutes=20))
    called(aurora, 10, "ok")
    assert watch_carriers() == 0
    for minutes in (6, 0):
        called(aurora, minutes, "NoAnswer")
    assert watch_carriers() == 1
