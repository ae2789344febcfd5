"""A slow, silent or misbehaving mail server: an error page in bounded time, and no lost code."""

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
    """A mail server that waits `pause` seconds before each reply, and never replies to command `stuck`."""

    port: int
    pause: float = 0
    stuck: str = ""
    override: Callable[[socket.socket, threading.Event], None] | None = (
        None  # Handles the whole conversation instead.
    )
    tls: ssl.SSLContext | None = None  # Its side of STARTTLS; with `from_the_start`, TLS before the greeting.
    from_the_start: bool = False
    mails: list[bytes] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def talk(self, line: socket.socket) -> None:
        """Hold one conversation (RFC 5321)."""
        if self.override:
            self.override(line, self.over)
        else:
            self._send_greeting(self._wrap_tls(line) if self.from_the_start else line)

    def _send_greeting(self, line: socket.socket) -> None:
        self._reply(line, "greeting", b"220 slow.example")
        self._serve_commands(line)

    def _serve_commands(self, line: socket.socket) -> None:
        with line, line.makefile("rb") as stream:
            for command in stream:
                command_name = command.split()[0].decode().lower()
                if command_name == "starttls":
                    self._reply(line, command_name, b"220 go ahead")
                    self._serve_commands(self._wrap_tls(line))
                    return
                self._reply(line, command_name, _ANSWERS.get(command_name, b"250 fine"))
                if command_name == "data":
                    self.mails.append(self._mail(stream))
                    self._reply(line, "end", b"250 taken")

    def _wrap_tls(self, line: socket.socket) -> socket.socket:
        assert self.tls
        return self.tls.wrap_socket(line, server_side=True)

    def _mail(self, stream) -> bytes:
        lines = []
        while (found := stream.readline()) not in (b".\r\n", b""):
            lines.append(found)
        return b"".join(lines)

    def _reply(self, line: socket.socket, command_name: str, words: bytes) -> None:
        if command_name == self.stuck:
            self.over.wait(PATIENCE)
        self.over.wait(self.pause)
        line.sendall(words + b"\r\n")


@pytest.fixture
def server(settings) -> Iterator[Server]:
    """The portal's mail server, with short timeouts in the portal."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        mail_server = Server(listening.getsockname()[1])
        settings.EMAIL_BACKEND, settings.EMAIL_HOST = "portal.mail.smtp_backend.EmailBackend", "127.0.0.1"
        settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = mail_server.port, 2
        threading.Thread(target=_serve, args=(listening, mail_server), daemon=True).start()
        yield mail_server
        mail_server.over.set()
        listening.shutdown(socket.SHUT_RDWR)


def _serve(listening: socket.socket, server: Server) -> None:
    while True:
        try:
            line, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=_talk, args=(server, line), daemon=True).start()


def _talk(server: Server, line: socket.socket) -> None:
    with contextlib.suppress(OSError), line:  # The portal has closed the connection.
        server.talk(line)


def test_accepted_email_counts_as_sent(server, aurora):
    assert mail.send(brand=aurora, to="a@example.com", template="test")
    assert len(server.mails) == 1


@pytest.mark.parametrize("stuck", ["greeting", "ehlo", "mail", "rcpt", "data"])
def test_email_is_not_sent_if_the_server_falls_silent_before_data(server, alice, browse, stuck):
    server.stuck = stuck  # For ten seconds; then it would accept the email.
    answer = send(browse(AURORA), "/sign-in/", ALICE)
    assert answer.status_code == 503
    assert "We can't send email right now" in words(answer)
    assert not (SignInCode.objects.exists())
    assert not (Attempt.objects.exists())


def test_code_of_an_unconfirmed_email_still_signs_in(server, alice, browse, caplog):
    server.stuck = "end"
    client = browse(AURORA)
    assert send(client, "/sign-in/", ALICE)["Location"] == "/sign-in/code/"
    page = words(client.get("/sign-in/code/"))
    assert "Email is slow right now, so your code may take a few minutes" in page
    code = next(line.strip() for line in server.mails[0].decode().splitlines() if line[:4] == "    ")
    assert send(client, "/sign-in/code/", {"code": code})["Location"] == "/"
    assert "mail not acknowledged" in caplog.text


def test_slow_conversation_ends_in_time(server, aurora, settings, monkeypatch):
    monkeypatch.setattr(smtp_backend, "TOTAL", 0.5)
    settings.EMAIL_TIMEOUT, server.pause = 20, 3  # Three seconds per reply: 24 for the email.
    began = time.monotonic()
    with pytest.raises(MailNotSent):
        mail.send(brand=aurora, to="a@example.com", template="test")
    assert time.monotonic() - began < SLACK


def test_unconfirmed_test_mail_says_so(server, aurora):
    server.stuck = "end"
    with pytest.raises(MailNotSent) as caught:
        test_mail.send_test_mail(brand=aurora, to="a@example.com")
    assert "didn't confirm it in time" in test_mail.in_words(caught.value)
    aurora.refresh_from_db()
    assert aurora.mail_tested_at is None


def test_slow_server_does_not_reveal_known_emails(server, alice, browse):
    server.stuck = "end"

    def confirmation_page(email: str) -> str:
        client = browse(AURORA)
        send(client, "/sign-in/", {"email": email})
        return words(client.get("/sign-in/code/")).replace(email, "")

    assert confirmation_page("alice@example.com") == confirmation_page("nobody@example.com")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts no connections, because its queue is full."""
    with contextlib.ExitStack() as held:
        full = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield full.getsockname()[1]


def resolve_to(monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
    """Let mail.example resolve to several addresses, here told apart by their ports."""
    resolve = socket.getaddrinfo
    found = [resolve("127.0.0.1", port, type=socket.SOCK_STREAM)[0] for port in ports]

    def resolved(host: str, *args: Any, **options: Any) -> Any:
        return found if host == "mail.example" else resolve(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)


@pytest.mark.parametrize("over_tls", [False, True])
def test_host_with_many_silent_addresses_times_out(silent_port, aurora, settings, monkeypatch, over_tls):
    resolve_to(monkeypatch, *[silent_port] * 5)
    monkeypatch.setattr(smtp_backend, "TOTAL", 1)
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = "portal.mail.smtp_backend.EmailBackend", "mail.example"
    settings.EMAIL_TIMEOUT, settings.EMAIL_USE_SSL = SLACK, over_tls
    began = time.monotonic()
    with pytest.raises(MailNotSent):
        mail.send(brand=aurora, to="a@example.com", template="test")
    assert time.monotonic() - began < SLACK


def test_next_address_of_a_host_is_tried_after_a_silent_one(
    server, silent_port, aurora, settings, monkeypatch
):
    resolve_to(monkeypatch, silent_port, server.port)
    settings.EMAIL_HOST = "mail.example"
    assert mail.send(brand=aurora, to="a@example.com", template="test")
    assert len(server.mails) == 1


def test_unfinished_tls_handshake_times_out(silent_port, aurora, settings, monkeypatch):
    monkeypatch.setattr(smtp_backend, "TOTAL", 1)
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = "portal.mail.smtp_backend.EmailBackend", "mail.example"
    settings.EMAIL_TIMEOUT, settings.EMAIL_USE_SSL = SLACK, True
    with socket.create_server(("127.0.0.1", 0)) as mute:
        resolve_to(monkeypatch, silent_port, mute.getsockname()[1])
        began = time.monotonic()
        with pytest.raises(MailNotSent):
            mail.send(brand=aurora, to="a@example.com", template="test")
    assert time.monotonic() - began < SLACK


def sent(brand: Brand) -> bool:
    return mail.send(brand=brand, to="a@example.com", template="test")


def seconds_until_failure(brand: Brand) -> float:
    """Return after how many seconds sending failed; no slot and no thread is left by then."""
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


@pytest.mark.parametrize("override", [byte_by_byte, line_by_line])
def test_dripping_greeting_times_out(server, aurora, settings, monkeypatch, override):
    monkeypatch.setattr(smtp_backend, "TOTAL", 0.5)
    settings.EMAIL_TIMEOUT, server.override = 5, override
    assert seconds_until_failure(aurora) < SLACK


@pytest.mark.parametrize("greeting", [b"220-slow.example\r\n", b"220-" + b"!" * 8000 + b"\r\n"])
def test_endless_greeting_does_not_fill_the_memory(server, aurora, settings, monkeypatch, greeting):
    def flood(line: socket.socket, over: threading.Event) -> None:
        for _ in range(300_000_000 // len(greeting)):
            line.sendall(greeting)

    monkeypatch.setattr(smtp_backend, "TOTAL", 60)
    settings.EMAIL_TIMEOUT, server.override = 60, flood
    tracemalloc.start()
    seconds_until_failure(aurora)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12_000_000


def test_hanging_dns_lookup_times_out(server, aurora, monkeypatch):
    over, began = threading.Event(), time.monotonic()
    monkeypatch.setattr(smtp_backend, "TOTAL", 0.5)
    monkeypatch.setattr(smtp_backend, "_slots", threading.BoundedSemaphore(1))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(PATIENCE) and [])
    for _ in range(2):  # The second finds no slot: the thread of the first still hangs.
        with pytest.raises(MailNotSent):
            sent(aurora)
    assert time.monotonic() - began < SLACK
    assert bulkhead.MAIL.taken() == 0
    over.set()
    assert threads_end()
    monkeypatch.undo()
    assert sent(aurora)


def test_forty_emails_to_a_dripping_server_release_slots_and_threads(
    threads, server, aurora, settings, monkeypatch
):
    monkeypatch.setattr(smtp_backend, "TOTAL", 0.5)
    settings.EMAIL_TIMEOUT, server.override = 5, byte_by_byte

    def attempt(_: int) -> float:
        began = time.monotonic()
        with pytest.raises(MailNotSent):
            sent(aurora)
        return time.monotonic() - began

    assert max(at_once(40, attempt)) < SLACK
    assert bulkhead.MAIL.taken() == 0
    assert threads_end()
    server.override = None
    assert sent(aurora)


def test_email_with_a_dripping_last_reply_is_unconfirmed(server, aurora, settings, monkeypatch):
    def drip_the_last_reply(line: socket.socket, over: threading.Event) -> None:
        server.override = None
        server._reply = reply_slowly  # type: ignore[method-assign]
        server.talk(line)

    reply = server._reply

    def reply_slowly(line: socket.socket, command_name: str, words: bytes) -> None:
        if command_name == "end":
            byte_by_byte(line, server.over)
        reply(line, command_name, words)

    monkeypatch.setattr(smtp_backend, "TOTAL", 1)
    settings.EMAIL_TIMEOUT, server.override = 5, drip_the_last_reply
    began = time.monotonic()
    assert sent(aurora) is False
    assert time.monotonic() - began < SLACK
    assert len(server.mails) == 1
    assert threads_end()


def test_no_email_is_sent_after_the_deadline(server, aurora, monkeypatch):
    original = smtp_backend._Client.getreply

    def getreply_after_pause(client: Any) -> tuple[int, bytes]:
        code, text = original(client)
        if code == 354:
            client._conversation._deadline = time.monotonic() - 60  # As after SIGSTOP and SIGCONT.
        return code, text

    monkeypatch.setattr(smtp_backend._Client, "getreply", getreply_after_pause)
    with pytest.raises(MailNotSent):
        sent(aurora)
    assert threads_end()
    assert server.mails in ([], [b""])


@pytest.fixture
def secured(server, settings, monkeypatch, tmp_path) -> Server:
    """The mail server, with a certificate this machine trusts."""
    certificate = certify(tmp_path)
    server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.tls.load_cert_chain(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", certificate)
    settings.EMAIL_TIMEOUT = 5
    return server


@pytest.mark.parametrize("from_the_start", [False, True])
def test_email_is_sent_over_tls_only_with_a_valid_certificate(
    secured, aurora, settings, monkeypatch, from_the_start
):
    secured.from_the_start = from_the_start
    settings.EMAIL_USE_SSL, settings.EMAIL_USE_TLS = from_the_start, not from_the_start
    assert sent(aurora)
    assert len(secured.mails) == 1
    monkeypatch.delenv("SSL_CERT_FILE")
    seconds_until_failure(aurora)
    assert len(secured.mails) == 1


def test_silent_server_in_the_tls_handshake_times_out(secured, aurora, settings, monkeypatch):
    monkeypatch.setattr(smtp_backend, "TOTAL", 0.5)
    secured.tls = MuteTLS(secured.over)
    settings.EMAIL_TIMEOUT, settings.EMAIL_USE_TLS = 20, True
    assert seconds_until_failure(aurora) < SLACK


class MuteTLS:
    """TLS of a server that never answers the client hello."""

    def __init__(self, over: threading.Event) -> None:
        self.over = over

    def wrap_socket(self, line: socket.socket, server_side: bool) -> socket.socket:
        self.over.wait(PATIENCE)
        raise OSError("hung up")
