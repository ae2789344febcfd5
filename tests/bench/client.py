"""A client that costs little: one GET on a connection of its own."""

import socket
import statistics
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

PATIENCE = 20.0  # Seconds.
CLIENTS = 6  # As many as ask at the same time, each again at once.


@dataclass(frozen=True)
class Page:
    """Where a page is, and as whom it is asked for."""

    port: int
    path: str
    cookie: str = ""

    def rate(self, seconds: float) -> float:
        """Pages a second while several clients ask for it. Raises SystemExit for any answer but the page."""
        until = time.monotonic() + seconds

        def run(_: int) -> int:
            count = 0
            while time.monotonic() < until:
                status, _seconds, _body = get(self.port, self.path, self.cookie)
                if status != 200:
                    raise SystemExit(f"{self.path}: {status}")
                count += 1
            return count

        with ThreadPoolExecutor(CLIENTS) as pool:
            return sum(pool.map(run, range(CLIENTS))) / seconds


def rates(pages: Mapping[str, Page], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Pages a second of each page in each round; a round asks for one after the other, each so long."""
    for page in pages.values():
        page.rate(1)  # In each of its workers what is made once is made.
    taken: dict[str, list[float]] = {name: [] for name in pages}
    for _ in range(rounds):
        for name, page in pages.items():
            taken[name].append(page.rate(seconds))
    return taken


def ratio(taken: list[float], base: list[float]) -> float:
    """The median of the rounds' ratios: what slows the machine down in a round slows both."""
    return statistics.median(each / other for each, other in zip(taken, base, strict=True))


def get(port: int, path: str, cookie: str = "", host: str = "aurora.localhost") -> tuple[int, float, bytes]:
    """Status, seconds and body. Raises OSError."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"Cookie: {cookie}"] if cookie else []
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    seconds = time.perf_counter() - began
    if not answer:
        raise ConnectionResetError("no answer")
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), seconds, body


def quantile(values: list[float], part: float) -> float:
    """The value below which that part of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
