"""Request smuggling: ambiguous requests, sent to the shipped nginx configuration and to gunicorn directly.

A strict reader of RFC 9112 counts one request in each attack, or refuses it. Whatever a server makes of it:
there is no second response, the hidden part never becomes a request, and the next visitor gets their own
page.
"""

import contextlib
import re
import secrets
import shlex
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from portal.web.client_ip import client_address
from tests.conftest import ADMIN, AURORA, BOREALIS, Simulator
from tests.support.live_stack import (
    AURORA as AURORA_PHONE,
)
from tests.support.live_stack import (
    BOREALIS as BOREALIS_PHONE,
)
from tests.support.live_stack import (
    Stack,
    _collect_static,
    _database,
    _environment,
    _manage,
    _portal,
    _toml,
)
from tests.support.nginx import NginxServer, nginx, raw
from tests.support.ports import free_port
from tests.support.timeouts import eventually

FIRST, SILENCE = 20, 0.3  # Seconds to wait for the first response, and for another one.
SOURCE = "127.0.5.1"  # The attacker's address.
MARK = "XXXXXXXX"  # Placeholder in the attacks for the mark that identifies a test.
ACCENTS = {AURORA: AURORA_PHONE.accent, BOREALIS: BOREALIS_PHONE.accent}
FIELDS = ("status", "line", "host", "proto", "address")
LOG_LINE = "\t".join(
    ["%(s)s", "%(r)s", "%({http_host}e)s", "%({http_x_forwarded_proto}e)s", "%({http_x_forwarded_for}e)s"]
)
# gunicorn's own logger writes the access log that the portal's omits.
LISTENING = ("--logger-class", "gunicorn.glogging.Logger", "--access-logformat", LOG_LINE)


@dataclass(frozen=True)
class Site:
    """nginx, the port of the gunicorn behind it, and gunicorn's access log."""

    front: NginxServer
    port: int
    log: Path

    def logged(self, mark: str) -> list[dict[str, str]]:
        """Return the logged requests that contain this mark."""
        lines = self.log.read_text().splitlines()
        return [
            dict(zip(FIELDS, line.split("\t", len(FIELDS) - 1), strict=True))
            for line in lines
            if mark in line
        ]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Iterator[Site]:
    """Aurora and Borealis; no carrier is running, because none is called."""
    tmp = tmp_path_factory.mktemp("smuggling")
    port, log = free_port(), tmp / "access.log"
    brands = (AURORA_PHONE, BOREALIS_PHONE)
    portal = Stack(Simulator("http://127.0.0.1:9", "127.0.0.1:9"), port, tmp / "portal.log", brands)
    with contextlib.ExitStack() as stack:
        front = stack.enter_context(nginx(tmp / "nginx", port))
        environment = {
            **_environment(portal, stack.enter_context(_database(tmp, shared))),
            "SCHEME": "https",
            "ADMIN_HOSTS": ADMIN,
            "GUNICORN_CMD_ARGS": shlex.join([*LISTENING, "--access-logfile", str(log)]),
        }
        _collect_static(environment, shared)
        tables = "\n".join(_toml(brand, portal) for brand in brands)
        (tmp / "brands.toml").write_text(tables.replace('.localhost"', '.test"'))
        _manage(environment, "apply_config", str(tmp / "brands.toml"))
        stack.enter_context(_portal(portal, environment))
        yield Site(front, port, log)


Connect = Callable[[], contextlib.AbstractContextManager[socket.socket]]


@pytest.fixture(params=["nginx", "gunicorn"])
def connect(request: pytest.FixtureRequest, site: Site) -> Connect:
    """Open connections through nginx, or directly to gunicorn."""
    return via_nginx(site.front) if request.param == "nginx" else direct(site)


def via_nginx(front: NginxServer) -> Connect:
    """To nginx."""
    return lambda: raw(front, source=SOURCE)


def direct(site: Site) -> Connect:
    """To gunicorn."""
    return lambda: socket.create_connection(("127.0.0.1", site.port), 10, (SOURCE, 0))


@dataclass(frozen=True)
class Answer:
    """A response; status 0 means HTTP/0.9, which has no headers."""

    status: int
    body: bytes


def exchange(connection: socket.socket, sent: bytes, silence: float = SILENCE) -> list[Answer]:
    """Send these bytes and return the responses until the server closes or falls silent."""
    received, patience = b"", FIRST
    with contextlib.suppress(TimeoutError, ConnectionError):
        connection.sendall(sent)
        while True:
            connection.settimeout(patience)
            part = connection.recv(65536)
            if not part:
                break
            received, patience = received + part, silence
    return list(answers(received))


def answers(received: bytes) -> Iterator[Answer]:
    """Split a stream into responses by their lengths."""
    while received:
        if not received.startswith(b"HTTP/1."):
            yield Answer(0, received)
            return
        head, _, rest = received.partition(b"\r\n\r\n")
        status, length = int(head.split()[1]), re.search(rb"(?im)^content-length: *(\d+)", head)
        if length:
            body, received = rest[: int(length[1])], rest[int(length[1]) :]
        elif re.search(rb"(?im)^transfer-encoding: *chunked", head):
            body, received = read_chunked(rest)
        else:
            body, received = (b"", rest) if status < 200 else (rest, b"")
        if status >= 200:
            yield Answer(status, body)


def read_chunked(rest: bytes) -> tuple[bytes, bytes]:
    """Return the body of a chunked response, and the remaining bytes."""
    body = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size or b"0", 16)
        body, rest = body + rest[:length], rest[length + 2 :]
        if not length:
            return body, rest


def request(line: str, *fields: str, body: bytes = b"", host: str = f"Host: {AURORA}") -> bytes:
    """Return a request of these lines, with a Host line unless it is empty."""
    lines = [line, *([host] if host else []), *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def post(*fields: str, body: bytes = b"", version: str = "1.1") -> bytes:
    """Return a request that is answered 200 unless refused, whatever its body."""
    return request(f"POST /healthz?{MARK} HTTP/{version}", *fields, body=body)


def get(*fields: str, **more: Any) -> bytes:
    """The same without a body."""
    return request(f"GET /healthz?{MARK} HTTP/1.1", *fields, **more)


HIDDEN = request(f"GET /smuggled-{MARK}/ HTTP/1.1")
LENGTH = f"Content-Length: {len(HIDDEN)}"
CHUNKED = "Transfer-Encoding: chunked"
BEHIND = b"0\r\n\r\n" + HIDDEN  # After the last chunk, or within the length.
LONG = f"Content-Length: {len(BEHIND)}"
WITHIN = b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)  # In a chunk.

# One request by its headers; the hidden one is its body.
TAKEN = {
    "a body that looks like a request": post(LENGTH, body=HIDDEN),
    "a get with a body": get(LENGTH, body=HIDDEN),
    "1.0 that wants to stay": post(LENGTH, "Connection: keep-alive", body=HIDDEN, version="1.0"),
    "a body that is awaited": post(LENGTH, "Expect: 100-continue", body=HIDDEN),
}
# The same in chunks.
IN_CHUNKS = {
    "a chunk that looks like a request": post(CHUNKED, body=WITHIN),
    "mixed case": post("tRANSFER-eNCODING: cHUNKED", body=WITHIN),
    "a tab before chunked": post("Transfer-Encoding:\tchunked", body=WITHIN),
    "an extension of a chunk": post(CHUNKED, body=WITHIN.replace(b"\r\n", b';a="b c"\r\n', 1)),
    "trailers": post(CHUNKED, body=WITHIN[:-2] + b"X-Forwarded-For: 6.6.6.6\r\nHost_: x\r\n\r\n"),
    "a size with zeros before it": post(CHUNKED, body=b"0000" + WITHIN),
    "a coding in spaces": post("Transfer-Encoding:  chunked ", body=WITHIN),
}
# A strict reader never answers these with a page.
REFUSED = {
    "both lengths": post(LONG, CHUNKED, body=BEHIND),
    "both lengths, the other first": post(CHUNKED, LONG, body=BEHIND),
    "both lengths, the shorter one": post("Content-Length: 4", CHUNKED, body=WITHIN),
    "two lengths": post("Content-Length: 0", LENGTH, body=HIDDEN),
    "two lengths, the longer first": post(LENGTH, "Content-Length: 0", body=HIDDEN),
    "two lengths in one line": post(f"Content-Length: 0, {len(HIDDEN)}", body=HIDDEN),
    "a length with a sign": post(f"Content-Length: +{len(HIDDEN)}", body=HIDDEN),
    "a negative length": post("Content-Length: -1", body=HIDDEN),
    "a length in hex": post(f"Content-Length: {len(HIDDEN):#x}", body=HIDDEN),
    "a length with an underscore": post("Content-Length: 1_0", body=HIDDEN),
    "an empty length": post("Content-Length:", body=HIDDEN),
    "a space before the colon": post("Content-Length : 0", CHUNKED, body=WITHIN),
    "a length before a space": post(f"Content-Length : {len(HIDDEN)}", body=HIDDEN),
    "a space before the coding's colon": post(LONG, "Transfer-Encoding : chunked", body=BEHIND),
    "xchunked": post(LONG, "Transfer-Encoding: xchunked", body=BEHIND),
    "chunked in quotes": post(LONG, 'Transfer-Encoding: "chunked"', body=BEHIND),
    "chunked and identity": post(LONG, "Transfer-Encoding: chunked, identity", body=BEHIND),
    "chunked and a comma": post(LONG, "Transfer-Encoding: chunked,", body=BEHIND),
    "chunked twice": post("Transfer-Encoding: chunked, chunked", body=BEHIND),
    "chunked in two lines": post(CHUNKED, CHUNKED, body=BEHIND),
    "chunked, then another": post(CHUNKED, "Transfer-Encoding: x", body=BEHIND),
    "another, then chunked": post("Transfer-Encoding: x", CHUNKED, body=BEHIND),
    "identity alone": post("Transfer-Encoding: identity", LENGTH, body=HIDDEN),
    "chunked of 1.0": post(CHUNKED, "Connection: keep-alive", body=BEHIND, version="1.0"),
    "a vertical tab before chunked": post(LONG, "Transfer-Encoding: \x0bchunked", body=BEHIND),
    "a line without a colon": post(LENGTH, "Transfer-Encoding chunked", body=HIDDEN),
    "a field without a name": post(": chunked", LENGTH, body=HIDDEN),
    "two hosts": get(f"Host: {BOREALIS}", body=HIDDEN),
    "no such version": request(f"GET /healthz?{MARK} HTTP/9.9", body=HIDDEN),
    "half a version": request(f"GET /healthz?{MARK} HTTP/1", body=HIDDEN),
    "a version in lower case": request(f"GET /healthz?{MARK} http/1.1", body=HIDDEN),
    "a version behind spaces": request(f"GET /healthz?{MARK} x HTTP/1.1", body=HIDDEN),
    "version 2 without its frames": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
}
# Their fault is in the body, which a page that ignores it need not read.
MALFORMED = {
    "no size": post(CHUNKED, body=b"\r\n" + HIDDEN),
    "a size that is no number": post(CHUNKED, body=b"zz\r\n" + HIDDEN),
    "a negative size": post(CHUNKED, body=b"-1\r\n" + HIDDEN),
    "a size in 0x": post(CHUNKED, body=b"0x" + WITHIN),
    "a size that runs over": post(CHUNKED, body=b"10000000000000000\r\n" + HIDDEN),
    "a chunk longer than its size": post(CHUNKED, body=b"1\r\nab" + HIDDEN),
    "a trailer without a colon": post(CHUNKED, body=b"0\r\nX-A\r\n\r\n" + HIDDEN),
    "a folded trailer": post(CHUNKED, body=b"0\r\nX-A: a\r\n b\r\n\r\n" + HIDDEN),
    "a length among the trailers": post(CHUNKED, body=b"0\r\n" + LENGTH.encode() + b"\r\n\r\n" + HIDDEN),
    "a bare return in an extension": post(CHUNKED, body=b"0;a\rb\r\n\r\n" + HIDDEN),
    "bare line ends behind the last chunk": post(CHUNKED, body=b"0\n\n" + HIDDEN),
    "two sizes in a line": post(CHUNKED, body=b"0 5\r\n\r\n" + HIDDEN),
}
# A strict reader may refuse them, or read them in one way.
EITHER = {
    "a length of too many digits": post(f"Content-Length: {2**64}", body=HIDDEN),
    "a coding behind a bare line end": post(LENGTH, "X-A: a\nTransfer-Encoding: chunked", body=HIDDEN),
    "a coding behind a bare return": post(LENGTH, "X-A: a\rTransfer-Encoding: chunked", body=HIDDEN),
    "a coding behind a NUL": post(LENGTH, "X-A: a\0Transfer-Encoding: chunked", body=HIDDEN),
    "a folded coding": post(LENGTH, "Transfer-Encoding:\r\n chunked", body=HIDDEN),
    "a folded field": post("X-A: a", " Transfer-Encoding: chunked", LENGTH, body=HIDDEN),
    "a folded first field": request(f"POST /healthz?{MARK} HTTP/1.1", host=f" Host: {AURORA}", body=HIDDEN),
    "a coding with an underscore": post(LENGTH, "Transfer_Encoding: chunked", body=HIDDEN),
    "a length with an underscore in its name": post("Content_Length: 0", LENGTH, body=HIDDEN),
    "a coding that the connection names": post(LENGTH, "Connection: Content-Length, close", body=HIDDEN),
    "a length that the connection names": post(LENGTH, "Connection: Content-Length", body=HIDDEN),
    "another protocol": post(
        LENGTH, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AA", body=HIDDEN
    ),
    "a socket": post(LENGTH, "Connection: Upgrade", "Upgrade: websocket", body=HIDDEN),
    "chunks with bare line ends": post(CHUNKED, body=WITHIN.replace(b"\r\n", b"\n", 1)),
    "an extension that ends in a bare line end": post(
        CHUNKED, body=b"2;\nxx\r\n%x\r\n0\r\n\r\n%s\r\n0\r\n\r\n" % (len(BEHIND), HIDDEN)
    ),
    "a space behind a size": post(CHUNKED, body=WITHIN.replace(b"\r\n", b" \r\n", 1)),
    "a bare return before the end of the head": get("X-A: a\r\r", "Connection: close", body=HIDDEN),
    "0.9": f"GET /healthz?{MARK}\r\n".encode() + HIDDEN,
    "0.9 with a version": request(f"GET /healthz?{MARK} HTTP/0.9", body=HIDDEN),
    "a tunnel": request(f"CONNECT {AURORA}:443 HTTP/1.1", LENGTH, body=HIDDEN),
    "a request in the path": request(
        f"GET /healthz?{MARK}%20HTTP/1.1%0d%0aHost:%20{AURORA}%0d%0a%0d%0aGET%20/smuggle HTTP/1.1",
        "Connection: close",
    ),
    "a return in the path": request(f"GET /healthz?{MARK}\rGET /smuggle HTTP/1.1", "Connection: close"),
}


def requests_logged(site: Site, connect: Connect, mark: str) -> list[dict[str, str]]:
    """Send two honest requests, check their pages, and return what else was logged as a request."""
    honest = [f"GET /brand.css?honest-{nth}-{mark} HTTP/1.1" for nth in range(2)]
    for line in honest:
        with connect() as connection:
            responses = exchange(connection, request(line, "Connection: close"), FIRST)
        assert [each.status for each in responses] == [200]
        assert AURORA_PHONE.accent.encode() in responses[0].body
    # A worker logs after the response, and two workers in any order.
    assert eventually(lambda: all(site.logged(f"honest-{nth}-{mark}") for nth in range(2)))
    logged = site.logged(mark)
    assert sorted(each["line"] for each in logged if "honest" in each["line"]) == honest
    return [each for each in logged if "honest" not in each["line"]]


def run_attack(site: Site, connect: Connect, attack: bytes) -> list[Answer]:
    """Send an attack, check that it did no harm, and return its responses."""
    mark = secrets.token_hex(len(MARK) // 2)
    with connect() as connection:
        got = exchange(connection, attack.replace(MARK.encode(), mark.encode()))
    logged = requests_logged(site, connect, mark)
    assert [each for each in logged if "smuggled" in each["line"]] == []
    assert len(logged) <= 1
    assert len(got) <= 1
    assert not [each for each in got if each.status >= 500 and each.status not in (501, 505)]
    return got


def each_of(attacks: dict[str, bytes]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("attack", attacks.values(), ids=attacks.keys())


@each_of(TAKEN)
def test_content_of_a_body_is_not_a_request(site, connect, attack):
    assert run_attack(site, connect, attack) == [Answer(200, b"ok\n")]


@each_of(REFUSED)
def test_ambiguous_request_is_refused(site, connect, attack):
    assert all(400 <= each.status < 600 and each.status != 404 for each in run_attack(site, connect, attack))


@each_of(IN_CHUNKS)
def test_gunicorn_does_not_read_a_chunk_as_a_request(site, attack):
    assert run_attack(site, direct(site), attack) == [Answer(200, b"ok\n")]


def to_form_page(attack: bytes) -> bytes:
    """Return the same attack on a page that reads its body."""
    field = b"Content-Type: application/x-www-form-urlencoded\r\n"
    return attack.replace(b"/healthz?", b"/sign-in/?").replace(CHUNKED.encode(), field + CHUNKED.encode())


@each_of(MALFORMED)
def test_gunicorn_answers_a_malformed_body_once(site, attack):
    run_attack(site, direct(site), attack)
    assert all(400 <= each.status < 500 for each in run_attack(site, direct(site), to_form_page(attack)))


@each_of({**IN_CHUNKS, **MALFORMED})
def test_nginx_refuses_chunked_bodies(site, attack):
    got = run_attack(site, via_nginx(site.front), attack)
    assert [each.status for each in got] in ([400], [501])


@each_of(EITHER)
def test_lenient_reading_gives_one_request(site, connect, attack):
    run_attack(site, connect, attack)


HOSTS = {
    "as it is": (get(), {AURORA}),
    "in capitals, with a dot and a port": (get(host="Host: AURORA.test.:8443"), {AURORA}),
    "another of the certificate": (get(host=f"Host: {BOREALIS}"), {BOREALIS}),
    "an absolute address": (request(f"GET https://{BOREALIS}/healthz?{MARK} HTTP/1.1"), {BOREALIS}),
    "an absolute address with a port": (
        request(f"GET http://{BOREALIS}:1/healthz?{MARK} HTTP/1.1"),
        {BOREALIS},
    ),
    "an unknown absolute address": (request(f"GET https://unknown.test/healthz?{MARK} HTTP/1.1"), set()),
    "an absolute address of somebody": (
        request(f"GET https://{AURORA}@{BOREALIS}/healthz?{MARK} HTTP/1.1"),
        {BOREALIS},
    ),
    "two": (get(f"Host: {BOREALIS}"), set()),
    "two of the same": (get(f"Host: {AURORA}"), set()),
    "two, one in capitals": (get(f"HOST: {BOREALIS}"), set()),
    "none": (get(host=""), set()),
    "none of 1.0": (request(f"GET /healthz?{MARK} HTTP/1.0", host=""), {AURORA}),
    "an empty one": (get(host="Host:"), set()),
    "two in a line": (get(host=f"Host: {AURORA}, {BOREALIS}"), set()),
    "two behind a space": (get(host=f"Host: {AURORA} {BOREALIS}"), set()),
    "somebody of another": (get(host=f"Host: {AURORA}@{BOREALIS}"), set()),
    "somebody with a password": (get(host=f"Host: {BOREALIS}:80@{AURORA}"), {BOREALIS}),
    "a port that is none": (get(host=f"Host: {AURORA}:x"), {AURORA}),
    "a path": (get(host=f"Host: {AURORA}/@{BOREALIS}"), set()),
    "a NUL": (get(host=f"Host: {AURORA}\0{BOREALIS}"), set()),
    "an underscore": (get(f"Ho_st: {BOREALIS}", f"X_Forwarded_Host: {BOREALIS}"), {AURORA}),
    "forwarded": (get(f"X-Forwarded-Host: {BOREALIS}", f"Forwarded: host={BOREALIS}"), {AURORA}),
    "folded": (get(f"X-A: a\r\n Host: {BOREALIS}"), {AURORA}),
    "named by the connection": (get("Connection: Host, close"), {AURORA}),
}


@pytest.mark.parametrize(("attack", "hosts"), HOSTS.values(), ids=HOSTS.keys())
def test_portal_receives_the_host_chosen_by_nginx(site, attack, hosts):
    mark = secrets.token_hex(len(MARK) // 2)
    attack = attack.replace(MARK.encode(), mark.encode()).replace(b"/healthz", b"/brand.css")
    with raw(site.front, source=SOURCE) as connection:
        got = exchange(connection, attack)
    assert {each["host"] for each in requests_logged(site, via_nginx(site.front), mark)} <= hosts
    assert len(got) <= 1
    for each in got:
        shown = {host for host, accent in ACCENTS.items() if accent.encode() in each.body}
        assert (each.status == 200 and shown == hosts) or (400 <= each.status < 500 and not shown)


FORGED = {
    "one": ("X-Forwarded-For: 6.6.6.6",),
    "two lines": ("X-Forwarded-For: 6.6.6.6", "x-forwarded-for: 7.7.7.7"),
    "a comma at the end": ("X-Forwarded-For: 6.6.6.6,",),
    "empty": ("X-Forwarded-For:",),
    "commas": ("X-Forwarded-For: ,,,",),
    "a tab": ("X-Forwarded-For: 6.6.6.6\t7.7.7.7",),
    "with underscores": ("X_Forwarded_For: 6.6.6.6", "X_FORWARDED-FOR: 6.6.6.6", "X-Forwarded_For: 6.6.6.6"),
    "with spaces": ("X-Forwarded-For : 6.6.6.6",),
    "folded": ("X-A: a", " X-Forwarded-For: 6.6.6.6"),
    "behind a bare line end": ("X-A: a\nX-Forwarded-For: 6.6.6.6",),
    "behind a bare return": ("X-A: a\rX-Forwarded-For: 6.6.6.6",),
    "with a NUL": ("X-Forwarded-For: 6.6.6.6\0",),
    "named by the connection": ("Connection: close, X-Forwarded-For", "X-Forwarded-For: 6.6.6.6"),
    "all named by the connection": ("Connection: X-Forwarded-For, X-Forwarded-Proto, Host",),
    "in two connections": ("Connection: X-Forwarded-For", "Connection: X-Forwarded-Proto"),
    "the scheme": ("X-Forwarded-Proto: http", "X_Forwarded_Proto: http", "X-Forwarded-Ssl: off"),
    "by other names": ("X-Real-IP: 6.6.6.6", "Forwarded: for=6.6.6.6;proto=http", "Client-IP: 6.6.6.6"),
    "as the server's own": ("Remote_Addr: 6.6.6.6", "REMOTE-ADDR: 6.6.6.6", "Script_Name: /healthz"),
}


@pytest.mark.parametrize("fields", FORGED.values(), ids=FORGED.keys())
def test_no_header_forges_client_address_or_scheme(site, fields):
    mark = secrets.token_hex(len(MARK) // 2)
    with raw(site.front, source=SOURCE) as connection:
        got = exchange(connection, get(*fields).replace(MARK.encode(), mark.encode()))
    for each in requests_logged(site, via_nginx(site.front), mark):
        assert client_address("127.0.0.1", each["address"], 1) == SOURCE
        assert (each["proto"], each["host"]) == ("https", AURORA)
    assert [each.status for each in got] in ([200], [400])


@pytest.mark.parametrize("name", ["X_Forwarded_For", "X-Forwarded_For", "HTTP_X_FORWARDED_FOR"])
def test_gunicorn_does_not_read_underscores_as_hyphens(site, name):
    mark = secrets.token_hex(len(MARK) // 2)
    sent = get(f"{name}: 6.6.6.6", "X_Forwarded_Proto: http").replace(MARK.encode(), mark.encode())
    with direct(site)() as connection:
        assert len(exchange(connection, sent)) == 1
    [logged] = requests_logged(site, direct(site), mark)
    assert (logged["address"], logged["proto"]) == ("-", "-")


def test_pipelined_requests_are_answered_in_order(site, connect):
    sheet = request("GET /brand.css HTTP/1.1")
    other = request("GET /brand.css HTTP/1.1", host=f"Host: {BOREALIS}")
    nowhere = request("GET /nowhere/ HTTP/1.1")
    last = request("GET /brand.css HTTP/1.1", "Connection: close")
    with connect() as connection:
        got = exchange(connection, sheet + post(LENGTH, body=HIDDEN) + other + nowhere + last, FIRST)
    assert [each.status for each in got] == [200, 200, 200, 404, 200]
    assert ACCENTS[AURORA].encode() in got[0].body
    assert ACCENTS[BOREALIS].encode() in got[2].body
    assert got[1].body == b"ok\n"


def test_nothing_after_a_refused_request_is_read(site, connect):
    with connect() as connection:
        got = exchange(connection, get() + post(LONG, CHUNKED, body=BEHIND) + get(), FIRST)
    assert [each.status for each in got] == [200, 400]


def test_proxy_that_drops_lengths_is_noticed(site, tmp_path):
    """The control: the tests above notice a proxy that drops lengths."""
    without = 'proxy_set_header Connection ""; proxy_set_header Content-Length "";'
    changes = {
        "zone portal_nodes 64k;": "zone portal_nodes 64k; keepalive 4;",
        "proxy_set_header Connection close;": without,
    }
    with (
        nginx(tmp_path / "nginx", site.port, replacements=changes) as front,
        pytest.raises(AssertionError, match="smuggled"),
    ):
        run_attack(site, via_nginx(front), TAKEN["a body that looks like a request"])
