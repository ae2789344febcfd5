"""A TCP proxy in a separate process, which can cut off a server without stopping it: see `Proxy`.

By hand: `python -m tests.support.tcp_proxy PORT SERVER_PORT`. Commands are read from standard input;
at its end the proxy ends.
"""

import asyncio
import contextlib
import signal
import socket
import struct
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESET = struct.pack("ii", 1, 0)  # Close at once without FIN, like a machine that has lost its memory.


class Proxy:
    """A proxy in front of a server on 127.0.0.1. Each method has taken effect when it returns.

    A silent connection accepts bytes and forwards nothing; the kernel acknowledges them, so neither side
    notices. `resume` forwards the waiting bytes.
    """

    def __init__(self, server: int) -> None:
        command = [sys.executable, "-m", "tests.support.tcp_proxy", "0", str(server)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.port = int(self._read_line())

    def _read_line(self) -> str:
        assert self._process.stdout
        line_text = self._process.stdout.readline()
        assert line_text, "the proxy has ended"
        return line_text

    def _command(self, command: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{command}\n")
        assert self._read_line() == f"{command}\n"

    def silence(self) -> None:
        """Silence established connections; new ones work."""
        self._command("silence")

    def silence_all(self) -> None:
        """Silence established and new connections."""
        self._command("silence all")

    def resume(self) -> None:
        """Forward everything again, waiting bytes included, at full speed."""
        self._command("resume")

    def cut(self) -> None:
        """Reset established connections."""
        self._command("cut")

    def refuse(self) -> None:
        """Reset established connections and refuse new ones."""
        self._command("refuse")

    def redirect_to(self, server: int) -> None:
        """Forward new connections to another port, and accept them again; established ones stay."""
        self._command(f"lead {server}")

    def slow(self, seconds: float) -> None:
        """Delay everything that is forwarded."""
        self._command(f"slow {seconds}")

    def drip(self, seconds: float) -> None:
        """Forward responses byte by byte, with a delay after each."""
        self._command(f"drip {seconds}")

    def close(self) -> None:
        """End it."""
        assert self._process.stdin
        assert self._process.stdout
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()


@dataclass(eq=False)
class _Connection:
    """Two connections, one to each side."""

    writers: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    passes: asyncio.Event = field(default_factory=asyncio.Event)

    def reset(self) -> None:
        for writer in self.writers:
            with contextlib.suppress(OSError):
                raw = writer.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()


class _Server:
    """The proxy in its process."""

    def __init__(self, port: int, server: int) -> None:
        self.port, self.server = port, server
        self.lines: set[_Connection] = set()
        self.silent, self.wait, self.gap = False, 0.0, 0.0
        self.listening: asyncio.Server | None = None

    async def listen(self) -> None:
        if self.listening is None:
            self.listening = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
            self.port = self.listening.sockets[0].getsockname()[1]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.server)
        except OSError:
            writer.transport.abort()
            return
        line = _Connection((writer, server_writer))
        if not self.silent:
            line.passes.set()
        self.lines.add(line)
        await asyncio.gather(
            self._forward(line, reader, server_writer),
            self._forward(line, server_reader, writer, answers=True),
        )
        self.lines.discard(line)

    async def _forward(
        self,
        line: _Connection,
        source: asyncio.StreamReader,
        to: asyncio.StreamWriter,
        *,
        answers: bool = False,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                await line.passes.wait()
                await asyncio.sleep(self.wait)
                while data:
                    part = 1 if answers and self.gap else len(data)
                    to.write(data[:part])
                    await to.drain()
                    data = data[part:]
                    await asyncio.sleep(self.gap if answers else 0)
            await line.passes.wait()
        with contextlib.suppress(OSError, RuntimeError):
            to.close()

    async def execute(self, command: str, value: str) -> None:
        if command == "silence":
            self.silent = value == "all"
            for line in self.lines:
                line.passes.clear()
        elif command == "resume":
            self.silent, self.wait, self.gap = False, 0.0, 0.0
            for line in self.lines:
                line.passes.set()
        elif command in ("cut", "refuse"):
            if self.listening and command == "refuse":
                self.listening.close()
                self.listening = None
            for line in self.lines:
                line.reset()
        elif command == "lead":
            self.server = int(value)
            await self.listen()
        elif command == "slow":
            self.wait = float(value)
        elif command == "drip":
            self.gap = float(value)


async def _serve(port: int, server: int) -> None:
    proxy, commands = _Server(port, server), asyncio.StreamReader()
    await proxy.listen()
    print(proxy.port, flush=True)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line_text := (await commands.readline()).decode():
        command, _, value = line_text.strip().partition(" ")
        await proxy.execute(command, value)
        print(line_text, end="", flush=True)


if __name__ == "__main__":
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C is meant for the parent, which needs the proxy until the end.
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
