"""A mail server that is slow, silent or rude: an honest page in a bounded time, and no code that is lost."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from accounts.models import SignInCode
from portal import mail, smtp, testmail
from portal.mail import MailNotSent
from portal.models import Attempt
from tests.conftest import AURORA
from tests.journey import send, words

pytestmark = pytest.mark.django_db
ALICE = {"email": "alice@example.com"}


@dataclass
class Server:
    """A mail server that answers each command after `pause` seconds, and the one it is `stuck` at never."""

    port: int
    pause: float = 0
    stuck: str = ""
    mails: list[bytes] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def talk(self, line: socket.socket) -> None:
        """One conversation (RFC 5321)."""
        with line, line.makefile("rb") as heard:
            self._say(line, "greeting", b"220 slow.example")
            for command in heard:
                word = command.split()[0].decode().lower()
                self._say(line, word, b"354 go on" if word == "data" else b"250 fine")
                if word == "data":
                    self.mails.append(self._mail(heard))
                    self._say(line, "end", b"250 taken")

    def _mail(self, heard) -> bytes:
        lines = []
        while (found := heard.readline()) not in (b".\r\n", b""):
            lines.append(found)
        return b"".join(lines)

    def _say(self, line: socket.socket, word: str, words: bytes) -> None:
        if word == self.stuck:
            self.over.wait(10)
        self.over.wait(self.pause)
        line.sendall(words + b"\r\n")


@pytest.fixture
def server(settings) -> Iterator[Server]:
    """The portal's mail server, with which the portal has little patience."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made = Server(listening.getsockname()[1])
        settings.EMAIL_BACKEND, settings.EMAIL_HOST = "portal.smtp.EmailBackend", "127.0.0.1"
        settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = made.port, 0.3
        threading.Thread(target=_serve, args=(listening, made), daemon=True).start()
        yield made
        made.over.set()
        listening.shutdown(socket.SHUT_RDWR)


def _serve(listening: socket.socket, server: Server) -> None:
    while True:
        try:
            line, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=_talk, args=(server, line), daemon=True).start()


def _talk(server: Server, line: socket.socket) -> None:
    with contextlib.suppress(OSError):  # The portal has hung up.
        server.talk(line)


def test_a_mail_that_was_taken_is_sent(server, aurora):
    assert mail.send(brand=aurora, to="a@example.com", template="portal/mail/test")
    assert len(server.mails) == 1


@pytest.mark.parametrize("stuck", ["greeting", "ehlo", "mail", "rcpt", "data"])
def test_a_server_that_falls_silent_before_it_has_the_mail_took_none(server, alice, browse, stuck):
    server.stuck = stuck
    began = time.monotonic()
    answer = send(browse(AURORA), "/sign-in/", ALICE)
    assert time.monotonic() - began < 2
    assert answer.status_code == 503
    assert "We cannot send mail at the moment" in words(answer)
    assert not (SignInCode.objects.exists())
    assert not (Attempt.objects.exists())


def test_a_code_whose_mail_was_handed_over_but_not_confirmed_still_signs_in(server, alice, browse, caplog):
    server.stuck = "end"
    client = browse(AURORA)
    assert send(client, "/sign-in/", ALICE)["Location"] == "/sign-in/code/"
    page = words(client.get("/sign-in/code/"))
    assert "Our mail server is slow at the moment, so your code may take a few minutes" in page
    code = next(line.strip() for line in server.mails[0].decode().splitlines() if line[:4] == "    ")
    assert send(client, "/sign-in/code/", {"code": code})["Location"] == "/"
    assert "mail not acknowledged" in caplog.text


def test_a_slow_conversation_ends_in_time(server, aurora, settings, monkeypatch):
    monkeypatch.setattr(smtp, "TOTAL", 0.5)
    settings.EMAIL_TIMEOUT, server.pause = 5, 0.2
    began = time.monotonic()
    with pytest.raises(MailNotSent):
        mail.send(brand=aurora, to="a@example.com", template="portal/mail/test")
    assert time.monotonic() - began < 1


def test_a_test_mail_that_was_not_confirmed_says_so(server, aurora):
    server.stuck = "end"
    with pytest.raises(MailNotSent) as caught:
        testmail.mail_test(brand=aurora, to="a@example.com")
    assert "did not confirm it in time" in testmail.in_words(caught.value)
    aurora.refresh_from_db()
    assert aurora.mail_tested_at is None


def test_known_and_unknown_addresses_are_told_the_same_by_a_slow_server(server, alice, browse):
    server.stuck = "end"

    def told(email: str) -> str:
        client = browse(AURORA)
        send(client, "/sign-in/", {"email": email})
        return words(client.get("/sign-in/code/")).replace(email, "")

    assert told("alice@example.com") == told("nobody@example.com")


@pytest.fixture
def silent() -> Iterator[int]:
    """A port where nobody takes up connections: its queue is full."""
    with contextlib.ExitStack() as held:
        full = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield full.getsockname()[1]


def many_addresses(monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
    """Makes mail.example a name with several addresses, here told apart by their ports."""
    resolve = socket.getaddrinfo
    found = [resolve("127.0.0.1", port, type=socket.SOCK_STREAM)[0] for port in ports]

    def resolved(host: str, *args: Any, **options: Any) -> Any:
        return found if host == "mail.example" else resolve(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)


@pytest.mark.parametrize("over_tls", [False, True])
def test_a_name_with_many_silent_addresses_is_given_up_in_time(
    silent, aurora, settings, monkeypatch, over_tls
):
    many_addresses(monkeypatch, *[silent] * 5)
    monkeypatch.setattr(smtp, "TOTAL", 1)
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = "portal.smtp.EmailBackend", "mail.example"
    settings.EMAIL_TIMEOUT, settings.EMAIL_USE_SSL = 0.6, over_tls
    began = time.monotonic()
    with pytest.raises(MailNotSent):
        mail.send(brand=aurora, to="a@example.com", template="portal/mail/test")
    assert time.monotonic() - began < 1.5


def test_the_next_address_of_a_name_takes_the_mail_where_one_is_silent(
    server, silent, aurora, settings, monkeypatch
):
    many_addresses(monkeypatch, silent, server.port)
    settings.EMAIL_HOST = "mail.example"
    assert mail.send(brand=aurora, to="a@example.com", template="portal/mail/test")
    assert len(server.mails) == 1


def test_a_server_that_never_finishes_its_tls_is_given_up_in_time(silent, aurora, settings, monkeypatch):
    monkeypatch.setattr(smtp, "TOTAL", 1)
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = "portal.smtp.EmailBackend", "mail.example"
    settings.EMAIL_TIMEOUT, settings.EMAIL_USE_SSL = 0.8, True
    with socket.create_server(("127.0.0.1", 0)) as mute:
        many_addresses(monkeypatch, silent, mute.getsockname()[1])
        began = time.monotonic()
        with pytest.raises(MailNotSent):
            mail.send(brand=aurora, to="a@example.com", template="portal/mail/test")
    assert time.monotonic() - began < 1.5
