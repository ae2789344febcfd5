"""Django's SMTP backend with a total deadline, which also knows when an unconfirmed mail may arrive.

Django limits each wait for the mail server (EMAIL_TIMEOUT), not the whole conversation, which a slow server
can extend without end. So the conversation runs in a thread and is given up at a deadline, as with carriers.
A server that has the whole mail but confirms it too late will deliver it: if that counted as a failure, the
code in the mail would be invalid.
"""

import functools
import smtplib
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from typing import IO, Any

import environ
from django.core.mail import EmailMessage
from django.core.mail.backends import smtp
from django.core.mail.backends.base import BaseEmailBackend

from portal.voipline.conversation import Conversation, Crowded, GivenUp, hold

TOTAL = 15.0  # Seconds for one conversation, including the look-up of the server's name.
MAX_IN_FLIGHT = 32  # Conversations of this process, including those whose caller has given up.
_MAX_REPLY_BYTES = 64 * 1024  # For all replies of a conversation; the usual size is 2 kB.

_slots = threading.BoundedSemaphore(MAX_IN_FLIGHT)


def from_url(url: str) -> dict[str, Any]:
    """Return Django's mail settings for a URL. Raise KeyError or ValueError if it names no mail server."""
    with warnings.catch_warnings(action="error"):  # A warning would print the URL with its password.
        config: dict[str, Any] = environ.Env.email_url_config(url)
    if config["EMAIL_BACKEND"].endswith(".smtp.EmailBackend"):
        if not config["EMAIL_HOST"]:
            raise ValueError("no mail server is named")
        config["EMAIL_BACKEND"] = "portal.mail.smtp_backend.EmailBackend"
    return config


class Unacknowledged(smtplib.SMTPServerDisconnected):
    """The mail was sent but not confirmed: it may arrive."""


class _Replies:
    """The server's replies up to a limit, since one endless reply would fill the memory."""

    def __init__(self, replies: IO[bytes]) -> None:
        self._replies, self._bytes_left = replies, _MAX_REPLY_BYTES
        self.close = replies.close

    def readline(self, size: int) -> bytes:
        line = self._replies.readline(size)
        self._bytes_left -= len(line)
        if self._bytes_left < 0:
            raise OSError("the mail server says too much")
        return line


class _Client(smtplib.SMTP):
    """An SMTP client on a conversation's connection, with TLS from the first byte if there is a `context`."""

    def __init__(
        self,
        *args: Any,
        conversation: Conversation[int],
        context: ssl.SSLContext | None = None,
        **kwargs: Any,
    ) -> None:
        self._conversation, self._context = conversation, context
        self._mail_is_next = self._mail_sent = False
        super().__init__(*args, **kwargs)

    def connect(
        self, host: str = "localhost", port: int = 0, source_address: Any = None
    ) -> tuple[int, bytes]:
        port = port or (smtplib.SMTP_SSL_PORT if self._context else smtplib.SMTP_PORT)
        plain = self._conversation.connect(host, port, self.timeout)
        self.sock = self._context.wrap_socket(plain, server_hostname=host) if self._context else plain
        return self.getreply()

    def getreply(self) -> tuple[int, bytes]:
        if self.sock and not self.file:
            self.file = _Replies(self.sock.makefile("rb"))
        code, reply = super().getreply()
        self._mail_is_next = code == 354  # RFC 5321, section 4.2.3: start mail input.
        return code, reply

    def send(self, s: Any) -> None:
        is_mail, self._mail_is_next = self._mail_is_next, False
        if is_mail:
            try:
                self._conversation.sending()
            except GivenUp:
                self.close()
                raise
        super().send(s)
        self._mail_sent = is_mail

    def data(self, msg: Any) -> tuple[int, bytes]:
        try:
            return super().data(msg)
        except (OSError, smtplib.SMTPServerDisconnected) as error:
            if self._mail_sent:
                raise Unacknowledged(str(error)) from error
            raise


class _OneConversation(smtp.EmailBackend):
    """Django's own backend, connecting through a conversation."""

    def __init__(self, conversation: Conversation[int], **options: Any) -> None:
        super().__init__(**options)
        self._conversation = conversation

    @property
    def connection_class(self) -> Callable[..., smtplib.SMTP]:  # type: ignore[override]
        """The factory of Django's connection."""
        return functools.partial(_Client, conversation=self._conversation)


class EmailBackend(BaseEmailBackend):
    """Django's SMTP backend with a deadline of TOTAL seconds. Raise its errors, or Unacknowledged."""

    def __init__(self, fail_silently: bool = False, **options: Any) -> None:
        super().__init__(fail_silently)
        self._options = {"fail_silently": fail_silently, **options}

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Send mails in one conversation. Return the number of accepted ones."""

        def talk(conversation: Conversation[int]) -> int:
            return _OneConversation(conversation, **self._options).send_messages(email_messages) or 0

        try:
            return hold(talk, _slots, time.monotonic() + TOTAL)
        except GivenUp as error:
            kind = Unacknowledged if error.sent else smtplib.SMTPServerDisconnected
            raise kind("the mail server took too long") from None
        except Crowded as error:
            raise smtplib.SMTPServerDisconnected(str(error)) from None
