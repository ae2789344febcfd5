"""The same attacks in HTTP/2, which nginx accepts from browsers and forwards as HTTP/1.1.

Frames delimit a request, so the attacks are in names, values and lengths that would mean something else once
they are written as lines.
"""

import contextlib
import secrets
import socket
import ssl
from collections.abc import Iterator

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, ResponseReceived, StreamEnded, StreamReset
from h2.exceptions import ProtocolError

from portal.web.client_ip import client_address
from tests.conftest import ADMIN, AURORA, BOREALIS
from tests.security.test_smuggling import HIDDEN, MARK, SOURCE, Site, requests_logged, site, via_nginx
from tests.support.nginx import NginxServer
from tests.support.timeouts import PATIENCE

__all__ = ["site"]  # A fixture of the HTTP/1.1 attacks.

Field = tuple[str, str]


@contextlib.contextmanager
def connected(front: NginxServer, host: str = AURORA) -> Iterator[tuple[ssl.SSLSocket, H2Connection]]:
    """A connection of a client that sends its headers unvalidated."""
    context = ssl.create_default_context(cafile=str(front.folder / "fullchain.pem"))
    context.set_alpn_protocols(["h2"])
    unvalidated = {"validate_outbound_headers": False, "normalize_outbound_headers": False}
    with (
        socket.create_connection(("127.0.0.1", front.tls), PATIENCE, (SOURCE, 0)) as plain,
        context.wrap_socket(plain, server_hostname=host) as tls,
    ):
        assert tls.selected_alpn_protocol() == "h2"
        http = H2Connection(H2Configuration(header_encoding=None, **unvalidated))
        http.initiate_connection()
        tls.sendall(http.data_to_send())
        yield tls, http


def send_request(tls: ssl.SSLSocket, http: H2Connection, fields: list[Field], body: bytes = b"") -> int:
    """Send one request and return its status, or 0 if the stream or connection was only closed."""
    stream, status = http.get_next_available_stream_id(), 0
    http.send_headers(stream, [(name.encode(), value.encode("latin-1")) for name, value in fields])
    http.send_data(stream, body, end_stream=True)
    tls.sendall(http.data_to_send())
    with contextlib.suppress(ConnectionError, ProtocolError):
        while data := tls.recv(65536):
            for event in http.receive_data(data):
                if isinstance(event, ResponseReceived):
                    status = int(dict(event.headers)[b":status"])
                if isinstance(event, StreamEnded | StreamReset | ConnectionTerminated):
                    return status
            tls.sendall(http.data_to_send())
    return status


def fields(*more: Field, **pseudo: str) -> list[Field]:
    """Return the fields of a form that is answered 200 unless refused; `pseudo` replaces pseudo-headers."""
    headers = {"method": "POST", "scheme": "https", "authority": AURORA, "path": f"/healthz?{MARK}", **pseudo}
    return [*((f":{name}", value) for name, value in headers.items()), *more]


HIDDEN_LINE = HIDDEN.decode()
LENGTH = ("content-length", str(len(HIDDEN)))
# Each with the hidden request as its body.
ATTACKS = {
    "a body that looks like a request": fields(),
    "its length said": fields(LENGTH),
    "a shorter length": fields(("content-length", "4")),
    "no length": fields(("content-length", "0")),
    "a longer length": fields(("content-length", "4000")),
    "two lengths": fields(LENGTH, ("content-length", "0")),
    "two lengths in one": fields(("content-length", f"0, {len(HIDDEN)}")),
    "a negative length": fields(("content-length", "-1")),
    "chunked": fields(("transfer-encoding", "chunked")),
    "chunked with a length": fields(LENGTH, ("transfer-encoding", "chunked")),
    "chunked in capitals": fields(("Transfer-Encoding", "chunked")),
    "chunked in a value": fields(("x-a", "a\r\nTransfer-Encoding: chunked")),
    "a request in a value": fields(("x-a", f"a\r\n\r\n{HIDDEN_LINE}")),
    "a bare line end in a value": fields(("x-a", f"a\nTransfer-Encoding: chunked\n\n{HIDDEN_LINE}")),
    "a bare return in a value": fields(("x-a", "a\rTransfer-Encoding: chunked")),
    "a NUL in a value": fields(("x-a", "a\0b")),
    "a line in a name": fields(("x-a: a\r\ntransfer-encoding", "chunked")),
    "a colon in a name": fields(("transfer-encoding: chunked\r\nx-a", "a")),
    "a space behind a name": fields(("transfer-encoding ", "chunked")),
    "an empty name": fields(("", "chunked")),
    "a request in the method": fields(method=f"GET /smuggled-{MARK}/ HTTP/1.1\r\nHost: {AURORA}\r\n\r\nGET"),
    "a path in the method": fields(method=f"GET /smuggled-{MARK}/ HTTP/1.1"),
    "a request in the path": fields(path=f"/healthz?{MARK} HTTP/1.1\r\n\r\n{HIDDEN_LINE}"),
    "a version in the path": fields(path=f"/healthz?{MARK} HTTP/1.1"),
    "no slash before the path": fields(path=f"smuggled-{MARK}/"),
    "an empty path": fields(path=""),
    "a line in the authority": fields(authority=f"{AURORA}\r\nX-A: a"),
    "a request in the authority": fields(authority=f"{AURORA}\r\n\r\n{HIDDEN_LINE}"),
    "another scheme": fields(scheme=f"https://{AURORA}/smuggled-{MARK}/?"),
    "an upgrade": fields(("connection", "upgrade"), ("upgrade", "websocket")),
    "fields that the connection names": fields(("connection", "content-length, host")),
    "two paths": fields((":path", f"/smuggled-{MARK}/")),
    "an unknown pseudo field": fields((":x", "y")),
    "a tunnel": fields(method="CONNECT"),
}


def attack_with_mark(
    site: Site, attack: list[Field], body: bytes = HIDDEN, host: str = AURORA
) -> tuple[str, int]:
    """Send an attack; return the mark that identifies it, and its status."""
    mark = secrets.token_hex(len(MARK) // 2)
    marked = [(name, value.replace(MARK, mark)) for name, value in attack]
    with connected(site.front, host) as (tls, http):
        return mark, send_request(tls, http, marked, body.replace(MARK.encode(), mark.encode()))


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_http2_request_becomes_at_most_one_http1_request(site, attack):
    mark, status = attack_with_mark(site, attack)
    logged = requests_logged(site, via_nginx(site.front), mark)
    assert [each for each in logged if each["line"].partition("?")[0] != "POST /healthz"] == []
    assert len(logged) <= 1
    assert status == 200 if logged else status in (0, 400, 405, 413, 414, 501)
    for each in logged:
        assert (each["host"], each["proto"]) == (AURORA, "https")


def test_honest_request_is_answered_and_forwarded_once(site):
    mark, status = attack_with_mark(site, fields())
    [logged] = requests_logged(site, via_nginx(site.front), mark)
    assert (status, logged["line"], logged["host"]) == (200, f"POST /healthz?{mark} HTTP/1.1", AURORA)


@pytest.mark.parametrize(
    "attack",
    [
        fields(("host", BOREALIS), method="GET"),
        fields(("host", AURORA), ("host", BOREALIS), method="GET"),
        fields((":authority", BOREALIS), method="GET"),
        fields(("x-forwarded-host", BOREALIS), ("x-forwarded-proto", "http"), method="GET"),
        fields(("x-forwarded-for", "6.6.6.6"), ("x_forwarded_for", "6.6.6.6"), method="GET"),
    ],
    ids=["host", "two hosts", "two authorities", "forwarded", "addresses"],
)
def test_no_header_forges_host_address_or_scheme(site, attack):
    mark, _status = attack_with_mark(site, attack, b"")
    for each in requests_logged(site, via_nginx(site.front), mark):
        assert (each["host"], each["proto"]) == (AURORA, "https")
        assert client_address("127.0.0.1", each["address"], 1) == SOURCE


@pytest.mark.parametrize(("sni", "authority"), [(AURORA, ADMIN), (ADMIN, AURORA)])
def test_server_block_is_chosen_by_the_requested_host(site, sni, authority):
    mark, status = attack_with_mark(
        site, fields(method="GET", authority=authority, path=f"/admin/login/?{MARK}"), b"", sni
    )
    assert {each["host"] for each in requests_logged(site, via_nginx(site.front), mark)} <= {authority}
    assert status in ({ADMIN: (200, 421), AURORA: (404, 421)}[authority])
