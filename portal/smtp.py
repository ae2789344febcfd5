"""Django's SMTP backend in a bounded time, which knows when a mail may have been taken all the same.

Django bounds each answer of the mail server (EMAIL_TIMEOUT), not the conversation of a dozen answers. And a
server that has the whole mail but says so too late will deliver it: to call that a failure would make the
code in it worthless.
"""

import smtplib
import socket
import time
from typing import Any

from django.core.mail.backends import smtp

TOTAL = 15.0  # Seconds for one conversation, from connecting on.


class Unacknowledged(smtplib.SMTPServerDisconnected):
    """The whole mail was handed over, and no answer came to that: it may arrive."""


class _InTime(smtplib.SMTP):
    """A conversation that ends in time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._deadline = time.monotonic() + TOTAL
        self._replies = self._sent_after = 0
        super().__init__(*args, **kwargs)

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            self.close()
            raise smtplib.SMTPServerDisconnected("the mail server took too long")
        return min(left, self.timeout)

    def _hurry(self) -> None:
        left = self._left()
        if self.sock:
            self.sock.settimeout(left)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        # smtplib would give each address of the name the whole time.
        failed = OSError("the name has no address")
        for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            left = self._left()
            try:
                return socket.create_connection((str(address[0]), address[1]), left)
            except OSError as error:
                failed = error
        raise failed

    def getreply(self) -> tuple[int, bytes]:
        self._hurry()
        reply = super().getreply()
        self._replies += 1
        return reply

    def send(self, s: Any) -> None:
        self._hurry()
        super().send(s)
        self._sent_after = self._replies

    def data(self, msg: Any) -> tuple[int, bytes]:
        # A command, an answer, the mail, an answer (RFC 5321, section 4.1.1.4).
        self._replies = self._sent_after = 0
        try:
            return super().data(msg)
        except (OSError, smtplib.SMTPServerDisconnected) as error:
            if self._sent_after:
                raise Unacknowledged(str(error)) from error
            raise


class _InTimeOverTLS(_InTime, smtplib.SMTP_SSL):
    """The same over TLS from the first byte."""

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = super()._get_socket(host, port, timeout)
        plain.settimeout(self._left())
        return self.context.wrap_socket(plain, server_hostname=host)


class EmailBackend(smtp.EmailBackend):
    """Raises what Django's raises, and Unacknowledged."""

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        """The kind of conversation."""
        return _InTimeOverTLS if self.use_ssl else _InTime
