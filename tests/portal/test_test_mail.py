"""The test mail on a brand's page: sent from its sender, limited, and with clear errors."""

import smtplib
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts.models import User
from portal.brands import config_file
from portal.mail import test_mail
from portal.mail.send import MailNotSent
from portal.models import Brand
from tests.conftest import ADMIN
from tests.portal.test_admin import brand_data, change_url
from tests.portal.test_config_file import AURORA
from tests.support.customer_flow import words


def send(client: Client, brand: Brand, to: str = "olga@example.com") -> Any:
    return client.post(f"/admin/portal/brand/{brand.pk}/test-mail/", {"to": to}, secure=True, follow=True)


def test_test_mail_comes_from_the_brand_sender(admin_client: Client, aurora: Brand) -> None:
    page = admin_client.get(change_url(aurora), secure=True)
    assert 'value="olga@example.com"' in page.content.decode()
    assert "No test email sent from this address yet." in words(page)
    response = send(admin_client, aurora)
    assert "The email server took the test email to olga@example.com" in words(response)
    assert "Aurora Phone <no-reply@aurora.example>" in words(response)
    sent = mail.outbox[0]
    assert (sent.to, sent.from_email) == (["olga@example.com"], "Aurora Phone <no-reply@aurora.example>")
    assert sent.subject == "Test email from Aurora Phone"
    assert "the Aurora Phone customer portal" in sent.body
    assert "https://aurora.test/" in sent.body
    tested = Brand.objects.get().mail_tested_at
    assert tested is not None
    assert (timezone.now() - tested).total_seconds() < 60
    assert "The email server last took one on" in words(response)
    assert [entry.get_change_message() for entry in LogEntry.objects.all()] == ["Sent a test email."]


def test_invalid_email_sends_nothing(admin_client: Client, aurora: Brand) -> None:
    for wrong in ("", "olga", "olga@example.com\nBcc: all@example.com"):
        assert "Enter the email address to send it to" in words(send(admin_client, aurora, wrong))
    assert mail.outbox == []


def test_unencodable_domain_is_refused_without_an_error(admin_client: Client, aurora: Brand) -> None:
    too_long = "ü" * 60 + ".example"  # Short enough as typed, but not after IDNA encoding.
    assert "No test email was sent (UnicodeError)" in words(send(admin_client, aurora, f"olga@{too_long}"))
    Brand.objects.filter(pk=aurora.pk).update(from_email=f"no-reply@{too_long}")
    assert "No test email was sent (UnicodeError)" in words(send(admin_client, aurora))
    assert mail.outbox == []


def test_test_mails_are_limited_per_operator(
    admin_client: Client, aurora: Brand, browse: Callable[..., Client]
) -> None:
    for _ in range(10):
        send(admin_client, aurora)
    assert "there were too many. Try again in 60 minutes." in words(send(admin_client, aurora))
    assert len(mail.outbox) == 10
    other = User.objects.create_superuser("otto", "otto@example.com", "correct horse battery")
    send(browse(ADMIN, other), aurora)
    assert len(mail.outbox) == 11


def test_unreachable_mail_server_is_reported(admin_client: Client, aurora: Brand, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    with socket.socket() as taken:  # Bound, but not listening.
        taken.bind(("127.0.0.1", 0))
        settings.EMAIL_HOST, settings.EMAIL_PORT = taken.getsockname()
        response = send(admin_client, aurora)
    assert "No test email was sent (ConnectionRefusedError). We can't reach the email server." in words(
        response
    )
    assert Brand.objects.get().mail_tested_at is None


@pytest.mark.parametrize(
    ("cause", "advice"),
    [
        (smtplib.SMTPAuthenticationError(535, b"canary"), "doesn't accept user and password"),
        (smtplib.SMTPSenderRefused(550, b"canary", "a@b.example"), "refuses the sender"),
        (smtplib.SMTPRecipientsRefused({}), "refuses the recipient"),
        (smtplib.SMTPNotSupportedError("canary"), "smtp+tls or smtp+ssl"),
        (ssl.SSLCertVerificationError("canary"), "smtp+tls or smtp+ssl"),
        (socket.gaierror(-2, "canary"), "don't know the name of the email server"),
        (TimeoutError("canary"), "can't reach the email server"),
        (smtplib.SMTPServerDisconnected("canary"), "ended the connection"),
        (smtplib.SMTPDataError(554, b"canary"), "Its own log says why"),
    ],
)
def test_each_smtp_error_says_what_to_check(cause: Exception, advice: str) -> None:
    error = MailNotSent(type(cause).__name__)
    error.__cause__ = cause
    message = test_mail.in_words(error)
    assert type(cause).__name__ in message
    assert advice in message
    assert "canary" not in message


def test_new_sender_counts_as_untested(admin_client: Client, aurora: Brand) -> None:
    send(admin_client, aurora)
    admin_client.post(change_url(aurora), brand_data(aurora, name="Aurora"), secure=True)
    assert Brand.objects.get().mail_tested_at is not None
    admin_client.post(change_url(aurora), brand_data(aurora, from_email="new@aurora.example"), secure=True)
    assert Brand.objects.get().mail_tested_at is None


def test_new_sender_from_the_config_file_counts_as_untested_too(db: None, tmp_path: Path) -> None:
    file = tmp_path / "brands.toml"
    file.write_text(AURORA)
    config_file.apply(file)
    Brand.objects.update(mail_tested_at=timezone.now())
    file.write_text(AURORA.replace('"Aurora Phone"', '"Aurora"'))
    config_file.apply(file)
    assert Brand.objects.get().mail_tested_at is not None
    file.write_text(AURORA.replace("no-reply@", "other@"))
    config_file.apply(file)
    assert Brand.objects.get().mail_tested_at is None
