"""A minimal HTTP client: one GET on a new connection."""

import socket
import statistics
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

PATIENCE = 20.0  # Seconds.
CLIENTS = 6  # Number of concurrent clients, each requesting pages one after another.


@dataclass(frozen=True)
class Page:
    """A page and the cookie to request it with."""

    port: int
    path: str
    cookie: str = ""

    def rate(self, seconds: float) -> float:
        """Return pages per second with several clients. Raises SystemExit for any status but 200."""
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
    """Return each page's rates per round; a round measures the pages one after another."""
    for page in pages.values():
        page.rate(1)  # Warm up the caches of each worker.
    samples: dict[str, list[float]] = {name: [] for name in pages}
    for _ in range(rounds):
        for name, page in pages.items():
            samples[name].append(page.rate(seconds))
    return samples


def ratio(samples: list[float], base: list[float]) -> float:
    """Return the median of the ratios per round: a slow machine slows both in a round."""
    return statistics.median(each / other for each, other in zip(samples, base, strict=True))


def get(port: int, path: str, cookie: str = "", host: str = "aurora.localhost") -> tuple[int, float, bytes]:
    """Return status, seconds and body. Raises OSError."""
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
    """Return the value below which that part of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
