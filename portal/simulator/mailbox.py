"""A mailbox, shown by the inbox page, and a small SMTP server that fills it."""

import asyncio
import contextlib
import email
import email.policy
import threading
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from typing import Literal

from portal.simulator.world import Customer, Mail, World

MAX_MAIL_BYTES = 1024 * 1024
GREETING = ("stand-in", "8BITMIME", "SMTPUTF8", f"SIZE {MAX_MAIL_BYTES}")


def send(world: World, customer: Customer, subject: str, text: str) -> None:
    """Store a mail from the carrier itself directly in the mailbox."""
    headers = {"From": customer.partner.from_email, "To": customer.email, "Subject": subject}
    store(world, customer.partner.from_email, [customer.email], subject, text, None, headers, "carrier")


def store(
    world: World,
    sender: str,
    to: list[str],
    subject: str,
    text: str,
    html: str | None,
    headers: dict[str, str],
    source: Literal["carrier", "smtp"],
) -> None:
    with world.lock:
        at = datetime.fromtimestamp(world.now()).astimezone()
        world.mails.append(Mail(len(world.mails) + 1, sender, to, subject, text, html, headers, source, at))


def receive(world: World, sender: str, recipients: list[str], data: bytes) -> None:
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    headers = {name: str(value) for name, value in message.items()}
    text, html = body(message, "plain") or "", body(message, "html")
    store(
        world,
        headers.get("From", sender),
        recipients,
        headers.get("Subject", ""),
        text,
        html,
        headers,
        "smtp",
    )


def body(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body((kind,))
    if part is None:
        return None
    # Show the mail even if it declares a wrong encoding.
    try:
        return str(part.get_content())
    except (LookupError, UnicodeError):
        return bytes(part.get_payload(decode=True) or b"").decode("utf-8", "replace")


@dataclass
class Session:
    """One SMTP connection: read commands and send replies."""

    world: World
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    sender: str | None = None
    recipients: list[str] = field(default_factory=list)

    async def run(self) -> None:
        if await self.refused_by_fault():
            return
        await self.reply(220, "stand-in ready")
        while line := await self.reader.readline():
            verb, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
            if verb.upper() == "QUIT":
                await self.reply(221, "Bye")
                return
            await self.run_command(verb.upper(), rest)

    async def refused_by_fault(self) -> bool:
        if fault := self.world.take_fault("smtp", kinds={"slow"}):
            await asyncio.to_thread(fault.wait)
        return self.world.take_fault("smtp", kinds={"down"}) is not None

    async def run_command(self, verb: str, rest: str) -> None:
        commands = {"MAIL": self.mail, "RCPT": self.rcpt, "DATA": self.data, "RSET": self.rset}
        if verb in ("EHLO", "HELO"):
            self.reset()
            await self.reply(250, *(GREETING if verb == "EHLO" else GREETING[:1]))
        elif verb == "NOOP":
            await self.reply(250, "OK")
        elif verb in commands:
            await commands[verb](rest)
        else:
            await self.reply(500, "Unknown command")

    async def mail(self, rest: str) -> None:
        self.reset()
        self.sender = address(rest)
        await self.reply(250, "OK")

    async def rcpt(self, rest: str) -> None:
        if self.sender is None:
            await self.reply(503, "MAIL first")
        elif self.world.take_fault("smtp", kinds={"reject"}):
            await self.reply(550, "No such mailbox")
        else:
            self.recipients.append(address(rest))
            await self.reply(250, "OK")

    async def data(self, rest: str) -> None:
        if self.sender is None or not self.recipients:
            await self.reply(503, "MAIL and RCPT first")
            return
        await self.reply(354, "End with a dot")
        content = await self.content()
        if content is None:
            await self.reply(552, "Too big")
        else:
            receive(self.world, self.sender, self.recipients, content)
            await self.reply(250, "OK")
        self.reset()

    async def content(self) -> bytes | None:
        """Return the mail up to the line with a single dot; None if it is too big, but read it to its end."""
        lines, size = [], 0
        while (line := await self.reader.readline()) not in (b".\r\n", b".\n"):
            if not line:
                raise ConnectionError("gone in the middle of a mail")
            size += len(line)
            if size <= MAX_MAIL_BYTES:
                lines.append(line.removeprefix(b"."))
        return b"".join(lines) if size <= MAX_MAIL_BYTES else None

    async def rset(self, rest: str) -> None:
        self.reset()
        await self.reply(250, "OK")

    def reset(self) -> None:
        self.sender, self.recipients = None, []

    async def reply(self, code: int, *texts: str) -> None:
        marks = ["-"] * (len(texts) - 1) + [" "]
        self.writer.write(
            "".join(f"{code}{mark}{text}\r\n" for mark, text in zip(marks, texts, strict=True)).encode()
        )
        await self.writer.drain()


def address(rest: str) -> str:
    """`TO:<bob@example.com> SIZE=3` → `bob@example.com`"""
    return rest.partition("<")[2].partition(">")[0]


def start_sink(world: World, port: int) -> int:
    """Serve SMTP on the loopback address in a new thread. Return the port."""
    loop = asyncio.new_event_loop()

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The client may disconnect at any time, and a line may exceed the limit.
        with contextlib.suppress(OSError, ValueError):
            await Session(world, reader, writer).run()
        writer.close()

    server = loop.run_until_complete(asyncio.start_server(session, "127.0.0.1", port, limit=MAX_MAIL_BYTES))
    threading.Thread(target=loop.run_forever, daemon=True, name="smtp").start()
    return int(server.sockets[0].getsockname()[1])
