"""Django's SMTP backend in a bounded time, which knows when a mail may have been taken all the same.

Django bounds each wait for the mail server (EMAIL_TIMEOUT), not the conversation, which a server that drips
can make as long as it likes. So it is held as those with carriers are: in a thread, given up at a deadline.
And a server that has the whole mail but says so too late will deliver it: to call that a failure would make
the code in it worthless.
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

TOTAL = 15.0  # Seconds for one conversation, from before the server's name is looked up.
MAX_IN_FLIGHT = 32  # Conversations of this process, those included that nobody waits for any more.
_MOST_SAID = 64 * 1024  # Bytes of replies that are read; a usual conversation has two thousand.

_places = threading.BoundedSemaphore(MAX_IN_FLIGHT)


def from_url(url: str) -> dict[str, Any]:
    """Django's settings for sending mail. Raises KeyError or ValueError for what names no mail server."""
    with warnings.catch_warnings(action="error"):  # A warning would print the URL, and a password is in it.
        config: dict[str, Any] = environ.Env.email_url_config(url)
    if config["EMAIL_BACKEND"].endswith(".smtp.EmailBackend"):
        if not config["EMAIL_HOST"]:
            raise ValueError("no mail server is named")
        config["EMAIL_BACKEND"] = "portal.mail.smtp_backend.EmailBackend"
    return config


class Unacknowledged(smtplib.SMTPServerDisconnected):
    """The mail was handed over, and no answer came to that: it may arrive."""


class _Replies:
    """What the server says, up to a bound; else one reply of ever more lines would fill the memory."""

    def __init__(self, said: IO[bytes]) -> None:
        self._said, self._left = said, _MOST_SAID
        self.close = said.close

    def readline(self, size: int) -> bytes:
        line = self._said.readline(size)
        self._left -= len(line)
        if self._left < 0:
            raise OSError("the mail server says too much")
        return line


class _Client(smtplib.SMTP):
    """Our side of a conversation, over TLS from its first byte where there is a `context`."""

    def __init__(
        self,
        *args: Any,
        conversation: Conversation[int],
        context: ssl.SSLContext | None = None,
        **kwargs: Any,
    ) -> None:
        self._conversation, self._context = conversation, context
        self._mail_is_next = self._handed_over = False
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
        code, said = super().getreply()
        self._mail_is_next = code == 354  # RFC 5321, section 4.2.3: start mail input.
        return code, said

    def send(self, s: Any) -> None:
        mail, self._mail_is_next = self._mail_is_next, False
        if mail:
            try:
                self._conversation.sending()
            except GivenUp:
                self.close()
                raise
        super().send(s)
        self._handed_over = mail

    def data(self, msg: Any) -> tuple[int, bytes]:
        try:
            return super().data(msg)
        except (OSError, smtplib.SMTPServerDisconnected) as error:
            if self._handed_over:
                raise Unacknowledged(str(error)) from error
            raise


class _OneConversation(smtp.EmailBackend):
    """Django's own backend, which connects as a conversation does."""

    def __init__(self, conversation: Conversation[int], **options: Any) -> None:
        super().__init__(**options)
        self._conversation = conversation

    @property
    def connection_class(self) -> Callable[..., smtplib.SMTP]:  # type: ignore[override]
        """What Django makes its connection with."""
        return functools.partial(_Client, conversation=self._conversation)


class EmailBackend(BaseEmailBackend):
    """Raises what Django's raises, within TOTAL seconds, and Unacknowledged."""

    def __init__(self, fail_silently: bool = False, **options: Any) -> None:
        super().__init__(fail_silently)
        self._options = {"fail_silently": fail_silently, **options}

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Send them in one conversation; the number of those that were taken."""

        def talk(conversation: Conversation[int]) -> int:
            return _OneConversation(conversation, **self._options).send_messages(email_messages) or 0

        try:
            return hold(talk, _places, time.monotonic() + TOTAL)
        except GivenUp as late:
            kind = Unacknowledged if late.sent else smtplib.SMTPServerDisconnected
            raise kind("the mail server took too long") from None
        except Crowded as full:
            raise smtplib.SMTPServerDisconnected(str(full)) from None
