"""Requests, answers, and ways of delivering an answer, from correct to broken."""

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from email.utils import formatdate
from http import HTTPStatus
from urllib.parse import parse_qsl

from portal.simulator.json_exact import render

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Request:
    verb: str
    path: str
    query: str
    headers: Message
    body: bytes
    peer: str
    connection: int

    @property
    def content_type(self) -> str:
        return self.headers.get_content_type() if "Content-Type" in self.headers else ""

    def parameters(self) -> dict[str, str]:
        """Return the query, for our own pages. The carrier's API parses it more strictly."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


class Wire:
    """One client's connection, below HTTP."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def is_closed(self) -> bool:
        try:
            return self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False

    def reset(self) -> None:
        """Close with RST, so that the peer sees a broken connection and not an end."""
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            os.close(self.connection.detach())


@dataclass
class Answer:
    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    # How it is delivered; None: correctly, so that the connection may stay open.
    delivery: "Delivery | None" = None
    # False if the client never gets a complete answer; then the list of calls shows no status.
    complete: bool = True


Delivery = Callable[[Wire, Answer], None]


def json_answer(status: int, value: object, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, render(value).encode(), headers=dict(headers or {}))


def head(answer: Answer, length: int | None, close: bool = False) -> bytes:
    """Return status line and headers. Without a length the body is announced as chunked."""
    lines = [
        f"HTTP/1.1 {answer.status} {phrase(answer.status)}",
        "Server: stand-in",
        f"Date: {formatdate(usegmt=True)}",
    ]
    if answer.body or length is None:
        lines.append(f"Content-Type: {answer.content_type}")
    lines.append("Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}")
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    lines += ["Connection: close"] if close else []
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def hang(released: threading.Event) -> Delivery:
    def deliver(wire: Wire, answer: Answer) -> None:
        while not released.wait(0.05) and not wire.is_closed():
            pass

    return deliver


def drop(wire: Wire, answer: Answer) -> None:
    wire.reset()


def cut(part: str) -> Delivery:
    """Break off in the middle of the status line, the headers or the body."""

    def deliver(wire: Wire, answer: Answer) -> None:
        top = head(answer, len(answer.body))
        ends = {"status": 9, "headers": len(top) - 12, "body": len(top) + len(answer.body) // 2}
        wire.send((top + answer.body)[: ends[part]])
        # Wait, since the RST would discard data that is still under way.
        time.sleep(0.05)
        wire.reset()

    return deliver


def truncated(wire: Wire, answer: Answer) -> None:
    wire.send(head(answer, len(answer.body)) + answer.body[: len(answer.body) // 2])


def drip(part: str, seconds: float, released: threading.Event) -> Delivery:
    """Send one byte at a time, without end."""

    def deliver(wire: Wire, answer: Answer) -> None:
        top = head(answer, 1_000_000)
        at_once, slowly, padding = {
            "status": (b"", b"HTTP/1.1 200 O", b"K"),
            "headers": (top[: top.index(b"\r\n") + 2], b"X-Drip: ", b"x"),
            "body": (top, answer.body, b" "),
        }[part]
        wire.send(at_once)
        for byte in endless(slowly, padding):
            wire.send(byte)
            if released.wait(seconds) or wire.is_closed():
                return

    return deliver


def endless(data: bytes, padding: bytes) -> Iterable[bytes]:
    for value in data:
        yield bytes([value])
    while True:
        yield padding


def flood(chunk: bytes, times: int) -> Delivery:
    """Send the right answer after so much white space that a client without a limit would fill its memory."""

    def deliver(wire: Wire, answer: Answer) -> None:
        wire.send(head(answer, None))
        framed = b"%x\r\n%b\r\n" % (len(chunk), chunk)
        for _ in range(times):
            wire.send(framed)
        wire.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(answer.body), answer.body))

    return deliver
