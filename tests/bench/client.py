"""A client that costs little: one GET on a connection of its own."""

import socket
import time

PATIENCE = 20.0  # Seconds.


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
