"""A mail server that is slow, silent or rude: an honest page in a bounded time, and no code that is lost."""

import contextlib
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from accounts.models import SignInCode
from portal.mail import send as mail
from portal.mail import smtp_backend, test_mail
from portal.mail.send import MailNotSent
from portal.models import Attempt, Brand
from portal.resilience import bulkhead
from tests.conftest import AURORA
from tests.support.customer_flow import at_once, send, words
from tests.support.raw_server import certify, threads_end
from tests.support.timeouts import PATIENCE, SLACK

pytestmark = pytest.mark.django_db
ALICE = {"email": "alice@example.com"}


_ANSWERS = {"data": b"354 go on", "ehlo": b"250-slow.example\r\n250 STARTTLS"}


@dataclass
class Server:
    """A mail server that answers each command after `pause` seconds, and the one it is `stuck` at never."""

    port: int
    pause: float = 0
    stuck: str = ""
    rude: Callable[[socket.socket, threading.Event], None] | None = None  # Says what it likes.
    tls: ssl.SSLContext | None = None  # Its side of STARTTLS; `from_the_start`: before the greeting.
    from_the_start: bool = False
    mails: list[bytes] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def talk(self, line: socket.socket) -> None:
        """One conversation (RFC 5321)."""
        if self.rude:
            self.rude(line, self.over)
        else:
            self._greet(self._wrapped(line) if self.from_the_start else line)

    def _greet(self, line: socket.socket) -> None:
        self._say(line, "greeting", b"220 slow.example")
        self._go_on(line)

    def _go_on(self, line: socket.socket) -> None:
        with line, line.makefile("rb") as heard:
            for command in heard:
                word = command.split()[0].decode().lower()
                if word == "starttls":
                    self._say(line, word, b"220 go ahead")
                    self._go_on(self._wrapped(line))
                    return
                self._say(line, word, _ANSWERS.get(word, b"250 fine"))
                if word == "data":
                    self.mails.append(self._mail(heard))
                    self._say(line, "end", b"250 taken")

    def _wrapped(self, line: socket.socket) -> socket.socket:
        assert self.tls
        return self.tls.wrap_socket(line, server_side=True)

    def _mail(self, heard) -> bytes:
        lines = []
        while (found := heard.readline()) not in (b".\r\n", b""):
            lines.append(found)
        return b"".join(lines)

    def _say(self, line: socket.socket, word: str, words: bytes) -> None:
        if word == self.stuck:
            self.over.wait(PATIENCE)
        self.over.wait(self.pause)
        line.sendall(words + b"\r\n")


@pytest.fixture
def server(settings) -> Iterator[Server]:
    """The portal's mail server, with which the portal has little patience."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made = Server(listening.getsockname()[1])
        settings.EMAIL_BACKEND, settings.EMAIL_HOST = "portal.mail.smtp_backend.EmailBackend", "127.0.0.1"
        settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = made.port, 2
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
    with contextlib.suppress(OSError), line:  # The portal has hung up.
        server.talk(line)


def test_a_mail_that_was_taken_is_sent(server, aurora):
    assert mail.send(brand=aurora, to="a@example.com", template="test")
    assert len(server.mails) == 1


@pytest.mark.parametrize("stuck", ["greeting", "ehlo", "mail", "rcpt", "data"])
def test_a_server_that_falls_silent_before_it_has_the_mail_took_none(server, alice, browse, stuck):
    server.stuck = stuck  # For ten seconds; then it would take the mail.
    answer = send(browse(AURORA), "/sign-in/", ALICE)
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
    monkeypatch.setattr(smtp_backend, "TOTAL", 0.5)
    settings.EMAIL_TIMEOUT, server.pause = 20, 3  # A word each three seconds: 24 for the mail.
    began = time.monotonic()
    with pytest.raises(MailNotSent):
        mail.send(brand=aurora, to="a@example.com", template="test")
    assert time.monotonic() - began < SLACK


def test_a_test_mail_that_was_not_confirmed_says_so(server, aurora):
    server.stuck = "end"
    with pytest.raises(MailNotSent) as caught:
        test_mail.send_test_mail(brand=aurora, to="a@example.com")
    assert "did not confirm it in time" in test_mail.in_words(caught.value)
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
    monkeypatch.setattr(smtp_backend, "TOTAL", 1)
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = "portal.mail.smtp_backend.EmailBackend", "mail.example"
    settings.EMAIL_TIMEOUT, settings.EMAIL_USE_SSL = SLACK, over_tls
    began = time.monotonic()
    with pytest.raises(MailNotSent):
        mail.send(brand=aurora, to="a@example.com", template="test")
    assert time.monotonic() - began < SLACK


def test_the_next_address_of_a_name_takes_the_mail_where_one_is_silent(
    server, silent, aurora, settings, monkeypatch
):
    many_addresses(monkeypatch, silent, server.port)
    settings.EMAIL_HOST = "mail.example"
    assert mail.send(brand=aurora, to="a@example.com", template="test")
    assert len(server.mails) == 1


def test_a_server_that_never_finishes_its_tls_is_given_up_in_time(silent, aurora, settings, monkeypatch):
    monkeypatch.setattr(smtp_backend, "TOTAL", 1)
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = "portal.mail.smtp_backend.EmailBackend", "mail.example"
    settings.EMAIL_TIMEOUT, settings.EMAIL_USE_SSL = SLACK, True
    with socket.create_server(("127.0.0.1", 0)) as mute:
        many_addresses(monkeypatch, silent, mute.getsockname()[1])
        began = time.monotonic()
        with pytest.raises(MailNotSent):
            mail.send(brand=aurora, to="a@example.com", template="test")
    assert time.monotonic() - began < SLACK


def sent(brand: Brand) -> bool:
    return mail.send(brand=brand, to="a@example.com", template="test")


def given_up(brand: Brand) -> float:
    """The seconds after which a mail was said to be not sent; nothing is held by then."""
    began = time.monotonic()
    with pytest.raises(MailNotSent):
        sent(brand)
    seconds = time.monotonic() - began
    assert bulkhead.MAIL.taken() == 0
    assert threads_end()
    return seconds


def byte_by_byte(line: socket.socket, over: threading.Event) -> None:
    for byte in b"220-slow.example" + b"!" * 2000:  # Takes 100 seconds.
        line.sendall(bytes([byte]))
        over.wait(0.05)


def line_by_line(line: socket.socket, over: threading.Event) -> None:
    for _ in range(1000):
        line.sendall(b"220-slow.example\r\n")
        over.wait(0.1)


@pytest.mark.parametrize("rude", [byte_by_byte, line_by_line])
def test_a_greeting_that_drips_is_given_up_in_time(server, aurora, settings, monkeypatch, rude):
    monkeypatch.setattr(smtp_backend, "TOTAL", 0.5)
    settings.EMAIL_TIMEOUT, server.rude = 5, rude
    assert given_up(aurora) < SLACK


@pytest.mark.parametrize("greeting", [b"220-slow.example\r\n", b"220-" + b"!" * 8000 + b"\r\n"])
def test_a_greeting_without_end_does_not_fill_the_memory(server, aurora, settings, monkeypatch, greeting):
    def flood(line: socket.socket, over: threading.Event) -> None:
        for _ in range(300_000_000 // len(greeting)):
            line.sendall(greeting)

    monkeypatch.setattr(smtp_backend, "TOTAL", 60)
    settings.EMAIL_TIMEOUT, server.rude = 60, flood
    tracemalloc.start()
    given_up(aurora)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12_000_000


def test_a_name_look_up_that_hangs_is_given_up_in_time(server, aurora, monkeypatch):
    over, began = threading.Event(), time.monotonic()
    monkeypatch.setattr(smtp_backend, "TOTAL", 0.5)
    monkeypatch.setattr(smtp_backend, "_slots", threading.BoundedSemaphore(1))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(PATIENCE) and [])
    for _ in range(2):  # The second finds no place: the first one's thread still hangs.
        with pytest.raises(MailNotSent):
            sent(aurora)
    assert time.monotonic() - began < SLACK
    assert bulkhead.MAIL.taken() == 0
    over.set()
    assert threads_end()
    monkeypatch.undo()
    assert sent(aurora)


def test_forty_mails_hold_nothing_once_the_time_of_a_server_that_drips_is_up(
    server, aurora, settings, monkeypatch
):
    monkeypatch.setattr(smtp_backend, "TOTAL", 0.5)
    settings.EMAIL_TIMEOUT, server.rude = 5, byte_by_byte
    message = mail._message(aurora, "a@example.com", "test", "", {})
    monkeypatch.setattr(mail, "_message", lambda *_: message)  # The threads of this test have no database.

    def attempt(_: int) -> float:
        began = time.monotonic()
        with pytest.raises(MailNotSent):
            sent(aurora)
        return time.monotonic() - began

    assert max(at_once(40, attempt)) < SLACK
    assert bulkhead.MAIL.taken() == 0
    assert threads_end()
    server.rude = None
    assert sent(aurora)


def test_a_server_that_drips_its_thanks_for_a_mail_may_have_it(server, aurora, settings, monkeypatch):
    def thank(line: socket.socket, over: threading.Event) -> None:
        server.rude = None
        server._say = say_slowly  # type: ignore[method-assign]
        server.talk(line)

    say = server._say

    def say_slowly(line: socket.socket, word: str, words: bytes) -> None:
        if word == "end":
            byte_by_byte(line, server.over)
        say(line, word, words)

    monkeypatch.setattr(smtp_backend, "TOTAL", 1)
    settings.EMAIL_TIMEOUT, server.rude = 5, thank
    began = time.monotonic()
    assert sent(aurora) is False
    assert time.monotonic() - began < SLACK
    assert len(server.mails) == 1
    assert threads_end()


def test_no_mail_leaves_after_the_deadline_though_nobody_has_given_up_yet(server, aurora, monkeypatch):
    go_on = smtp_backend._Client.getreply

    def stopped_meanwhile(client: Any) -> tuple[int, bytes]:
        code, said = go_on(client)
        if code == 354:
            client._conversation._deadline = time.monotonic() - 60  # As after SIGSTOP and SIGCONT.
        return code, said

    monkeypatch.setattr(smtp_backend._Client, "getreply", stopped_meanwhile)
    with pytest.raises(MailNotSent):
        sent(aurora)
    assert threads_end()
    assert server.mails in ([], [b""])


@pytest.fixture
def secured(server, settings, monkeypatch, tmp_path) -> Server:
    """The mail server with a certificate that this machine trusts."""
    certificate = certify(tmp_path)
    server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.tls.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    settings.EMAIL_TIMEOUT = 5
    return server


@pytest.mark.parametrize("from_the_start", [False, True])
def test_mail_goes_over_tls_where_the_certificate_is_good_and_nowhere_else(
    secured, aurora, settings, monkeypatch, from_the_start
):
    secured.from_the_start = from_the_start
    settings.EMAIL_USE_SSL, settings.EMAIL_USE_TLS = from_the_start, not from_the_start
    assert sent(aurora)
    assert len(secured.mails) == 1
    monkeypatch.delenv("SSL_CERT_FILE")
    given_up(aurora)
    assert len(secured.mails) == 1


def test_a_server_that_falls_silent_in_its_handshake_is_given_up_in_time(
    secured, aurora, settings, monkeypatch
):
    monkeypatch.setattr(smtp_backend, "TOTAL", 0.5)
    secured.tls = MuteTLS(secured.over)
    settings.EMAIL_TIMEOUT, settings.EMAIL_USE_TLS = 20, True
    assert given_up(aurora) < SLACK


class MuteTLS:
    """A server's TLS that never answers the greeting of its client."""

    def __init__(self, over: threading.Event) -> None:
        self.over = over

    def wrap_socket(self, line: socket.socket, server_side: bool) -> socket.socket:
        self.over.wait(PATIENCE)
        raise OSError("hung up")
