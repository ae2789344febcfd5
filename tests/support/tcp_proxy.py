"""A TCP proxy in a process of its own, which lets a server vanish without stopping it: see `Proxy`.

By hand: `python -m tests.support.tcp_proxy PORT SERVER_PORT`. Commands come on standard input;
with its end all ends.
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
RESET = struct.pack("ii", 1, 0)  # Close at once, without a farewell: as a machine that has lost its memory.


class Proxy:
    """Stands before a server on 127.0.0.1. Each method has taken effect when it returns.

    What is silent takes connections and bytes and passes nothing on; the kernel acknowledges, so that nobody
    notices. Bytes that wait are passed on with `resume`.
    """

    def __init__(self, server: int) -> None:
        command = [sys.executable, "-m", "tests.support.tcp_proxy", "0", str(server)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.port = int(self._said())

    def _said(self) -> str:
        assert self._process.stdout
        said = self._process.stdout.readline()
        assert said, "the proxy has ended"
        return said

    def _tell(self, command: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{command}\n")
        assert self._said() == f"{command}\n"

    def silence(self) -> None:
        """What is connected falls silent; new connections work."""
        self._tell("silence")

    def silence_all(self) -> None:
        """New ones are taken, and silent too."""
        self._tell("silence all")

    def resume(self) -> None:
        """Pass on everything, also what has waited, as fast as ever."""
        self._tell("resume")

    def cut(self) -> None:
        """Reset what is connected."""
        self._tell("cut")

    def refuse(self) -> None:
        """Reset what is connected, and refuse new connections."""
        self._tell("refuse")

    def redirect_to(self, server: int) -> None:
        """New connections lead to another port, and are taken again; what is connected stays."""
        self._tell(f"lead {server}")

    def slow(self, seconds: float) -> None:
        """Whatever is passed on waits first."""
        self._tell(f"slow {seconds}")

    def drip(self, seconds: float) -> None:
        """Answers come byte by byte, each after so long."""
        self._tell(f"drip {seconds}")

    def close(self) -> None:
        """End it."""
        assert self._process.stdin
        assert self._process.stdout
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()


@dataclass(eq=False)
class _Line:
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
    """What runs in the process."""

    def __init__(self, port: int, server: int) -> None:
        self.port, self.server = port, server
        self.lines: set[_Line] = set()
        self.silent, self.wait, self.gap = False, 0.0, 0.0
        self.listening: asyncio.Server | None = None

    async def listen(self) -> None:
        if self.listening is None:
            self.listening = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
            self.port = self.listening.sockets[0].getsockname()[1]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, onwards = await asyncio.open_connection("127.0.0.1", self.server)
        except OSError:
            writer.transport.abort()
            return
        line = _Line((writer, onwards))
        if not self.silent:
            line.passes.set()
        self.lines.add(line)
        await asyncio.gather(self._pass(line, reader, onwards), self._pass(line, there, writer, answers=True))
        self.lines.discard(line)

    async def _pass(
        self, line: _Line, source: asyncio.StreamReader, to: asyncio.StreamWriter, *, answers: bool = False
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

    async def obey(self, command: str, value: str) -> None:
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
    while said := (await commands.readline()).decode():
        command, _, value = said.strip().partition(" ")
        await proxy.obey(command, value)
        print(said, end="", flush=True)


if __name__ == "__main__":
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C is for whoever started it, and needs it until the end.
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
