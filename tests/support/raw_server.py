"""A raw TCP server on loopback, for responses no real server would send."""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.timeouts import PATIENCE

FUNDS = b'{"code": 200, "data": {"customer_balance": 242.08793, "customer_credit_limit": -55}}'


Handler = Callable[[socket.socket], None]


def http(body: bytes = FUNDS, status: str = "200 OK", *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


class Server:
    """A raw TCP server on loopback; `handler` answers a connection whose request has been read."""

    def __init__(self) -> None:
        self.handler: Handler = lambda conn: conn.sendall(http())
        self.read_request = True
        self.received: list[bytes] = []
        self.tls: ssl.SSLContext | None = None
        self.connections = 0
        self.over = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                conn, _ = self._socket.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn: socket.socket) -> None:
        with suppress(OSError), conn:
            stream = self.tls.wrap_socket(conn, server_side=True) if self.tls else conn
            with stream:
                if self.read_request:
                    self.received.append(read_request(stream))
                self.handler(stream)

    def close(self) -> None:
        self.over.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # Wakes the accepting thread.
        self._socket.close()


def read_request(conn: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (piece := conn.recv(65536)):
            return data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(message_from_bytes(head.partition(b"\r\n")[2])["Content-Length"] or 0)
    while len(body) < length and (piece := conn.recv(65536)):
        body += piece
    return head + b"\r\n\r\n" + body


def drip(conn: socket.socket, data: bytes, over: threading.Event) -> None:
    for byte in data:
        if over.is_set():
            break
        conn.sendall(bytes([byte]))
        time.sleep(0.05)


def certify(folder: Path) -> str:
    """Write a self-signed certificate for 127.0.0.1 and its key; return the path of the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(usage, True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "cert.pem"
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(pem + built.public_bytes(serialization.Encoding.PEM))
    return str(path)


def threads_end() -> bool:
    """Return True if all threads of HTTP or SMTP conversations end in time."""
    deadline = time.monotonic() + PATIENCE
    while any(thread.name == "conversation" for thread in threading.enumerate()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
