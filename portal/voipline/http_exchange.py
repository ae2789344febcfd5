"""Send one request on a new connection and read the reply. Runs inside the thread of `transport.send`."""

import functools
import http.client
import socket
import ssl
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ReadTimeoutError
from urllib3.response import BaseHTTPResponse

from portal.voipline.allowed_addresses import Reach
from portal.voipline.carrier import Timeouts
from portal.voipline.conversation import Conversation, GivenUp, PrivateAddress

MAX_BODY = 1024 * 1024
_CHUNK = 64 * 1024
_ENCODED = ("gzip", "x-gzip", "deflate")


@dataclass(frozen=True)
class Reply:
    """A reply. `body` is None if it could not be read in full; then `flaw` says why."""

    status: int
    body: bytes | None
    retry_after: str = ""
    flaw: str = ""


class _FinalResponse(http.client.HTTPResponse):
    """A response that waits for the final status: 102 and 103 may come before it (RFC 9110, section 15.2)."""

    def begin(self) -> None:
        super().begin()
        while 100 <= self.status <= 199:
            self.headers = self.msg = None  # type: ignore[assignment]  # Else begin() returns at once.
            super().begin()


class _ObservedConnection(HTTPConnection):
    """A connection opened by the conversation, which also checks the deadline before the first byte."""

    response_class = _FinalResponse

    def __init__(
        self, *args: Any, conversation: Conversation[Any], reach: Reach | None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._conversation, self._reach = conversation, reach

    def _new_conn(self) -> socket.socket:
        try:
            return self._conversation.connect(self.host, self.port, cast(float, self.timeout), self._reach)
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "") from error
        except OSError as error:
            raise NewConnectionError(self, "") from error

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self._conversation.sending()
        super().send(data)

    def getresponse(self) -> Any:
        # If urllib3 cannot parse a header, it logs the request target at WARNING.
        if self._response_options is not None:
            self._response_options = self._response_options._replace(request_url="/")
        return super().getresponse()


class _ObservedTLSConnection(_ObservedConnection, HTTPSConnection):
    """The same over TLS. The handshake is part of connecting."""


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Return one verifying context for all connections: loading the certificates takes milliseconds."""
    return ssl.create_default_context(cafile=certifi.where())


class _Adapter(HTTPAdapter):
    """A requests adapter for one exchange, whose connections belong to the conversation."""

    def __init__(self, conversation: Conversation[Any], reach: Reach | None) -> None:
        super().__init__(max_retries=0)
        self._conversation, self._reach = conversation, reach

    def build_connection_pool_key_attributes(self, *args: Any, **kwargs: Any) -> Any:
        host, tls = super().build_connection_pool_key_attributes(*args, **kwargs)
        if host["scheme"] == "https":
            tls["ssl_context"] = tls_context()
        return host, tls

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        # requests would name the bundle here, and urllib3 would read it again for each connection.
        conn.cert_reqs = "CERT_REQUIRED"

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> HTTPConnectionPool:
        pool = cast(HTTPConnectionPool, super().get_connection_with_tls_context(*args, **kwargs))
        kind = _ObservedTLSConnection if pool.scheme == "https" else _ObservedConnection
        factory = functools.partial(kind, conversation=self._conversation, reach=self._reach)
        pool.ConnectionCls = cast(Any, factory)
        return pool


def run(
    conversation: Conversation[Any],
    request: requests.PreparedRequest,
    timeouts: Timeouts,
    reach: Reach | None,
) -> Reply:
    """Send the request once and read at most 1 MiB of the reply. Raise the libraries' errors unchanged."""
    adapter = _Adapter(conversation, reach)
    try:
        # Not with a Session: it would read the whole body of a redirect and prepare the next request.
        response = adapter.send(request, stream=True, timeout=(timeouts.connect, timeouts.read), verify=True)
        try:
            return _reply(response.status_code, response.raw)
        finally:
            response.close()
    finally:
        adapter.close()


def _reply(status: int, raw: BaseHTTPResponse) -> Reply:
    retry_after = raw.headers.get("Retry-After", "")
    try:
        body = _decompress(_read_body(raw), raw.headers.get("Content-Encoding", "").strip().lower())
    except _UnusableBody as flaw:
        return Reply(status, None, retry_after, str(flaw))
    return Reply(status, body, retry_after)


class _UnusableBody(Exception):
    """The reply's body cannot be used."""


def _read_body(raw: BaseHTTPResponse) -> bytes:
    body = bytearray()
    try:
        while len(body) <= MAX_BODY and (chunk := raw.read(_CHUNK, decode_content=False)):
            body += chunk
    except Exception as error:
        if any(isinstance(cause, http.client.IncompleteRead) for cause in _causes(error)):
            raise _UnusableBody("the answer was cut short") from None
        raise
    return _check_size(bytes(body))


def _check_size(body: bytes) -> bytes:
    if len(body) > MAX_BODY:
        raise _UnusableBody("the answer is larger than 1 MiB")
    return body


def _decompress(body: bytes, encoding: str) -> bytes:
    """Decompress the body up to MAX_BODY, so that a small body cannot fill the memory."""
    if encoding in ("", "identity"):
        return body
    if encoding not in _ENCODED:
        raise _UnusableBody("the answer is encoded in a way that we did not ask for")
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        decompressed = _check_size(inflater.decompress(body, MAX_BODY + 1))
    except zlib.error:
        raise _UnusableBody("the answer cannot be decompressed") from None
    if not inflater.eof:
        raise _UnusableBody("the answer was cut short")
    return decompressed


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and all that it wraps: requests and urllib3 store the first cause in various places."""
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        cause = queue.pop(0)
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            queue += [getattr(cause, "reason", None), cause.__cause__, cause.__context__, *cause.args]


_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (GivenUp, "the time for the whole call is up"),
    (
        PrivateAddress,
        "its address is a private one, and CARRIER_PRIVATE_HOSTS does not name it",
    ),
    (socket.gaierror, "the host's name could not be resolved"),
    (ConnectionRefusedError, "the connection was refused"),
    (NewConnectionError, "no connection could be made"),
    (ConnectTimeoutError, "no connection could be made in time"),
    (ReadTimeoutError, "nothing came in time"),
    (TimeoutError, "nothing came in time"),
    (http.client.RemoteDisconnected, "the connection was closed without an answer"),
    (ConnectionError, "the connection was reset"),
    (ssl.SSLError, "TLS failed"),
    (http.client.HTTPException, "the answer is not HTTP"),
)


def reason(error: BaseException) -> str:
    """Return what happened as a text without any part of the request (exceptions' texts may hold the URL)."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the host's certificate is not valid ({cause.verify_message})"
    for kind, words in _REASONS:
        if any(isinstance(cause, kind) for cause in causes):
            return words
    return f"the exchange failed ({type(error).__name__})"
