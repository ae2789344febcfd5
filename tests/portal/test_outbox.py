"""The log of emails and the outbox: at least once, later if refused, and never a secret in a row."""

import smtplib
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail as django_mail
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from portal.mail import outbox, smtp_backend
from portal.mail import send as mail
from portal.models import Brand, Email
from tests.conftest import AURORA, Simulator
from tests.support.customer_flow import at_once, send

pytestmark = pytest.mark.django_db


@pytest.fixture
def notice(alice: User) -> Email:
    """A mail that waits."""
    outbox.add(
        brand=alice.brand,
        to=alice.email,
        template="new_sign_in",
        language="es",
        person=alice.pk,
        device="Firefox",
    )
    return Email.objects.get()


@pytest.fixture
def server(settings: Any, simulator: Simulator) -> Simulator:
    """Send to the simulator's mail server."""
    settings.EMAIL_BACKEND = "portal.mail.smtp_backend.EmailBackend"
    settings.EMAIL_HOST, port = simulator.smtp.split(":")
    settings.EMAIL_PORT = int(port)
    return simulator


def pass_time(row: Email) -> None:
    """Let the next try be due."""
    row.refresh_from_db()
    assert row.next_try_at
    Email.objects.filter(pk=row.pk).update(next_try_at=timezone.now())


@pytest.mark.database
def test_notice_is_sent_by_the_job_in_the_readers_language(notice: Email, alice: User) -> None:
    assert django_mail.outbox == []
    assert outbox.send_emails() == 1
    [sent] = django_mail.outbox
    assert sent.to == [alice.email]
    assert "Firefox" in sent.body
    assert "Nuevo inicio de sesión" in sent.subject
    notice.refresh_from_db()
    assert notice.taken_at
    assert (notice.next_try_at, notice.values, notice.refusal) == (None, {}, "")
    assert outbox.send_emails() == 0


@pytest.mark.database
def test_refused_notice_is_tried_again_and_then_given_up(notice: Email, settings: Any) -> None:
    settings.EMAIL_BACKEND = "portal.mail.smtp_backend.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    pauses = []
    for _ in range(len(outbox._PAUSES)):
        before = timezone.now()
        assert outbox.send_emails() == 0
        notice.refresh_from_db()
        assert notice.next_try_at
        pauses.append(round((notice.next_try_at - before) / timedelta(minutes=1)))
        assert outbox.send_emails() == 0  # Not before it is due.
        pass_time(notice)
    assert pauses == [1, 5, 15, 60, 240, 480, 720, 720]
    outbox.send_emails()
    notice.refresh_from_db()
    assert (notice.next_try_at, notice.taken_at, notice.values) == (None, None, {})
    assert notice.refusal == "ConnectionRefusedError"
    assert django_mail.outbox == []


def test_notice_is_sent_when_the_server_is_back(notice: Email, settings: Any) -> None:
    backend, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, "portal.mail.smtp_backend.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    outbox.send_emails()
    settings.EMAIL_BACKEND = backend
    pass_time(notice)
    assert outbox.send_emails() == 1
    assert len(django_mail.outbox) == 1


@pytest.mark.database
def test_one_of_several_workers_sends_the_mail(notice: Email, threads: None) -> None:
    assert sum(at_once(4, lambda _nth: outbox.send_emails())) == 1
    assert len(django_mail.outbox) == 1


def test_mail_of_a_killed_worker_is_sent_a_minute_later(
    notice: Email, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """No exception handler of ours may catch it."""

    def die(*_: object) -> bool:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(mail, "deliver", die)
        with pytest.raises(Killed):
            outbox.send_emails()
    assert outbox.send_emails() == 0
    notice.refresh_from_db()
    assert notice.next_try_at
    assert notice.next_try_at - timezone.now() <= timedelta(minutes=1)
    pass_time(notice)
    assert outbox.send_emails() == 1


def test_unreachable_server_is_not_asked_for_each_mail(alice: User, settings: Any) -> None:
    for _ in range(3):
        outbox.add(brand=alice.brand, to=alice.email, template="test")
    settings.EMAIL_BACKEND = "portal.mail.smtp_backend.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    outbox.send_emails()
    assert sorted(Email.objects.values_list("tries", flat=True)) == [0, 0, 1]


def test_mail_that_cannot_be_made_does_not_keep_others_from_being_sent(alice: User) -> None:
    outbox.add(brand=alice.brand, to=alice.email, template="no_such_template")
    outbox.add(brand=alice.brand, to=alice.email, template="test")
    assert outbox.send_emails() == 1
    row = Email.objects.get(template="no_such_template")
    assert row.refusal == "TemplateDoesNotExist"
    assert row.next_try_at
    assert row.next_try_at > timezone.now()


@pytest.mark.parametrize(
    "error", [OSError("gone"), smtplib.SMTPServerDisconnected("silent"), smtplib.SMTPConnectError(421, b"no")]
)
def test_server_that_does_not_answer_holds_one_mail_a_run(
    alice: User, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    for _ in range(3):
        outbox.add(brand=alice.brand, to=alice.email, template="test")

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("django.core.mail.EmailMultiAlternatives.send", fail)
    assert outbox.send_emails() == 0
    assert sorted(Email.objects.values_list("tries", flat=True)) == [0, 0, 1]


def test_mail_that_was_not_confirmed_is_sent_once_more(
    notice: Email, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []

    def send_unsure(message: object, *_: object, **__: object) -> None:
        sent.append(message)
        raise smtp_backend.Unacknowledged()

    monkeypatch.setattr("django.core.mail.EmailMultiAlternatives.send", send_unsure)
    assert outbox.send_emails() == 0
    notice.refresh_from_db()
    assert (notice.taken_at, notice.values) == (None, {"device": "Firefox"})
    pass_time(notice)
    outbox.send_emails()
    notice.refresh_from_db()
    assert notice.taken_at
    assert notice.next_try_at is None
    assert len(sent) == 2


def test_worker_that_was_slow_does_not_revive_a_mail_of_another(
    notice: Email, monkeypatch: pytest.MonkeyPatch
) -> None:
    def be_overtaken(*_: object, **__: object) -> None:
        Email.objects.update(next_try_at=None, values={}, taken_at=timezone.now())
        raise smtplib.SMTPDataError(451, b"later")

    monkeypatch.setattr("django.core.mail.EmailMultiAlternatives.send", be_overtaken)
    outbox.send_emails()
    notice.refresh_from_db()
    assert notice.next_try_at is None


def test_time_of_a_wrong_clock_does_not_hold_a_mail_back(notice: Email) -> None:
    Email.objects.update(next_try_at=timezone.now() + timedelta(days=365))
    assert outbox.send_emails() == 1


def test_brand_without_a_host_can_email_its_staff(alice: User) -> None:
    alice.brand.hosts.all().delete()
    outbox.add(
        brand=alice.brand, to="sam@example.com", template="carrier_down", key_refused=True, url="https://x"
    )
    assert outbox.send_emails() == 1


def test_address_that_is_refused_for_good_is_not_tried_again(
    notice: Email, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise smtplib.SMTPRecipientsRefused({notice.to: (550, b"no such user")})

    monkeypatch.setattr("django.core.mail.EmailMultiAlternatives.send", refuse)
    outbox.send_emails()
    notice.refresh_from_db()
    assert (notice.next_try_at, notice.refusal) == (None, "550 no such user")


def test_code_has_a_row_without_the_code(browse: Any, alice: User) -> None:
    send(browse(AURORA), "/sign-in/", {"email": alice.email})
    [sent] = django_mail.outbox
    row = Email.objects.get()
    assert (row.template, row.to, row.person) == ("sign_in_code", alice.email, alice)
    assert row.taken_at
    code = next(word for word in sent.body.split() if word.isdigit())
    stored = str(Email.objects.values().get())
    assert code not in stored
    assert "http" not in stored


@given(st.text(max_size=300), st.from_regex(r"[0-9]{4} ?[0-9]{4}", fullmatch=True))
def test_words_of_the_server_never_contain_a_code_or_link(words: str, code: str) -> None:
    quoted = f"rejected {code} https://aurora.test/x?code=1 {words}".encode(errors="replace")
    stored = mail.describe_refusal(smtplib.SMTPDataError(554, quoted))
    assert code not in stored
    assert "https://aurora" not in stored
    assert len(stored) <= 200


def test_brand_and_address_of_a_row_are_those_of_the_mail(alice: User, charlie: User) -> None:
    for person in (alice, charlie):
        outbox.add(brand=person.brand, to=person.email, template="test", person=person.pk)
    assert outbox.send_emails() == 2
    senders = {message.to[0]: message.from_email for message in django_mail.outbox}
    assert senders == {
        each.email: Brand.objects.get(pk=each.brand_id).from_email for each in (alice, charlie)
    }
