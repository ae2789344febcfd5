"""Requests that two readers could take for different ones, to the shipped nginx file and to gunicorn itself.

An honest reader of RFC 9112 counts one request in each attack, or refuses it. Whatever a server makes of it:
there is no second answer, what is hidden in it never becomes a request, and whoever comes next gets their own
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
from tests.support.nginx import Front, nginx, raw
from tests.support.ports import free_port
from tests.support.timeouts import eventually

FIRST, SILENCE = 20, 0.3  # Seconds to wait for an answer, and for one more.
SOURCE = "127.0.5.1"  # The attacker's address.
MARK = "XXXXXXXX"  # In the attacks below, in the place of what a test is known by.
ACCENTS = {AURORA: AURORA_PHONE.accent, BOREALIS: BOREALIS_PHONE.accent}
FIELDS = ("status", "line", "host", "proto", "address")
LOG_LINE = "\t".join(
    ["%(s)s", "%(r)s", "%({http_host}e)s", "%({http_x_forwarded_proto}e)s", "%({http_x_forwarded_for}e)s"]
)
# gunicorn's own logger writes what the portal's leaves out.
LISTENING = ("--logger-class", "gunicorn.glogging.Logger", "--access-logformat", LOG_LINE)


@dataclass(frozen=True)
class Site:
    """nginx, the port of the gunicorn behind it, and the log of what that one took for requests."""

    front: Front
    port: int
    log: Path

    def seen(self, mark: str) -> list[dict[str, str]]:
        """The requests that hold this anywhere."""
        lines = self.log.read_text().splitlines()
        return [
            dict(zip(FIELDS, line.split("\t", len(FIELDS) - 1), strict=True))
            for line in lines
            if mark in line
        ]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Iterator[Site]:
    """Aurora and Borealis; nobody asks their carrier anything, so there is none."""
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


Way = Callable[[], contextlib.AbstractContextManager[socket.socket]]


@pytest.fixture(params=["nginx", "gunicorn"])
def way(request: pytest.FixtureRequest, site: Site) -> Way:
    """Makes connections: through nginx, or past it."""
    return through(site.front) if request.param == "nginx" else straight(site)


def through(front: Front) -> Way:
    """To nginx."""
    return lambda: raw(front, source=SOURCE)


def straight(site: Site) -> Way:
    """To gunicorn."""
    return lambda: socket.create_connection(("127.0.0.1", site.port), 10, (SOURCE, 0))


@dataclass(frozen=True)
class Answer:
    """One answer; status 0 is one of HTTP/0.9, which has no head."""

    status: int
    body: bytes


def said(connection: socket.socket, sent: bytes, silence: float = SILENCE) -> list[Answer]:
    """What comes back for these bytes until the server hangs up or says nothing more."""
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
    """Cut a stream into answers, by their lengths alone."""
    while received:
        if not received.startswith(b"HTTP/1."):
            yield Answer(0, received)
            return
        head, _, rest = received.partition(b"\r\n\r\n")
        status, length = int(head.split()[1]), re.search(rb"(?im)^content-length: *(\d+)", head)
        if length:
            body, received = rest[: int(length[1])], rest[int(length[1]) :]
        elif re.search(rb"(?im)^transfer-encoding: *chunked", head):
            body, received = unchunked(rest)
        else:
            body, received = (b"", rest) if status < 200 else (rest, b"")
        if status >= 200:
            yield Answer(status, body)


def unchunked(rest: bytes) -> tuple[bytes, bytes]:
    """A body that came in chunks, and what stands behind it."""
    body = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size or b"0", 16)
        body, rest = body + rest[:length], rest[length + 2 :]
        if not length:
            return body, rest


def request(line: str, *fields: str, body: bytes = b"", host: str = f"Host: {AURORA}") -> bytes:
    """A request as these lines, with a line of the host where it is not empty."""
    lines = [line, *([host] if host else []), *fields, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def post(*fields: str, body: bytes = b"", version: str = "1.1") -> bytes:
    """A request that is answered 200 where it is not refused, whatever its body."""
    return request(f"POST /healthz?{MARK} HTTP/{version}", *fields, body=body)


def get(*fields: str, **more: Any) -> bytes:
    """The same without a body."""
    return request(f"GET /healthz?{MARK} HTTP/1.1", *fields, **more)


HIDDEN = request(f"GET /smuggled-{MARK}/ HTTP/1.1")
LENGTH = f"Content-Length: {len(HIDDEN)}"
CHUNKED = "Transfer-Encoding: chunked"
BEHIND = b"0\r\n\r\n" + HIDDEN  # Behind the last chunk, or within the length.
LONG = f"Content-Length: {len(BEHIND)}"
WITHIN = b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)  # In a chunk.

# One request by its head; what is hidden is its body.
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
# No honest reader answers these with a page.
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
# Their fault is in the body, which a page that does not want one need not read.
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
# An honest reader may refuse them or read them in one way.
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


def seen_after(site: Site, way: Way, mark: str) -> list[dict[str, str]]:
    """What became a request, once two others have come, on any kept connection, and got their own pages."""
    honest = [f"GET /brand.css?honest-{nth}-{mark} HTTP/1.1" for nth in range(2)]
    for line in honest:
        with way() as connection:
            own = said(connection, request(line, "Connection: close"), FIRST)
        assert [each.status for each in own] == [200]
        assert AURORA_PHONE.accent.encode() in own[0].body
    # A worker writes its line after the answer, and two workers in any order.
    assert eventually(lambda: all(site.seen(f"honest-{nth}-{mark}") for nth in range(2)))
    seen = site.seen(mark)
    assert sorted(each["line"] for each in seen if "honest" in each["line"]) == honest
    return [each for each in seen if "honest" not in each["line"]]


def attacked(site: Site, way: Way, attack: bytes) -> list[Answer]:
    """The answers to an attack that did no harm."""
    mark = secrets.token_hex(len(MARK) // 2)
    with way() as connection:
        got = said(connection, attack.replace(MARK.encode(), mark.encode()))
    seen = seen_after(site, way, mark)
    assert [each for each in seen if "smuggled" in each["line"]] == []
    assert len(seen) <= 1
    assert len(got) <= 1
    assert not [each for each in got if each.status >= 500 and each.status not in (501, 505)]
    return got


def each_of(attacks: dict[str, bytes]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("attack", attacks.values(), ids=attacks.keys())


@each_of(TAKEN)
def test_what_a_body_holds_is_no_request(site, way, attack):
    assert attacked(site, way, attack) == [Answer(200, b"ok\n")]


@each_of(REFUSED)
def test_a_request_of_two_readings_is_refused(site, way, attack):
    assert all(400 <= each.status < 600 and each.status != 404 for each in attacked(site, way, attack))


@each_of(IN_CHUNKS)
def test_gunicorn_takes_no_chunk_for_a_request(site, attack):
    assert attacked(site, straight(site), attack) == [Answer(200, b"ok\n")]


def as_form(attack: bytes) -> bytes:
    """The same to a page that reads its body."""
    field = b"Content-Type: application/x-www-form-urlencoded\r\n"
    return attack.replace(b"/healthz?", b"/sign-in/?").replace(CHUNKED.encode(), field + CHUNKED.encode())


@each_of(MALFORMED)
def test_gunicorn_answers_a_malformed_body_once(site, attack):
    attacked(site, straight(site), attack)
    assert all(400 <= each.status < 500 for each in attacked(site, straight(site), as_form(attack)))


@each_of({**IN_CHUNKS, **MALFORMED})
def test_no_body_in_chunks_comes_through_nginx(site, attack):
    got = attacked(site, through(site.front), attack)
    assert [each.status for each in got] in ([400], [501])


@each_of(EITHER)
def test_a_request_that_may_be_read_is_read_as_one(site, way, attack):
    attacked(site, way, attack)


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
def test_the_portal_hears_of_the_host_that_nginx_chose(site, attack, hosts):
    mark = secrets.token_hex(len(MARK) // 2)
    attack = attack.replace(MARK.encode(), mark.encode()).replace(b"/healthz", b"/brand.css")
    with raw(site.front, source=SOURCE) as connection:
        got = said(connection, attack)
    assert {each["host"] for each in seen_after(site, through(site.front), mark)} <= hosts
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
def test_no_field_moves_the_address_or_the_scheme_that_the_portal_believes(site, fields):
    mark = secrets.token_hex(len(MARK) // 2)
    with raw(site.front, source=SOURCE) as connection:
        got = said(connection, get(*fields).replace(MARK.encode(), mark.encode()))
    for each in seen_after(site, through(site.front), mark):
        assert client_address("127.0.0.1", each["address"], 1) == SOURCE
        assert (each["proto"], each["host"]) == ("https", AURORA)
    assert [each.status for each in got] in ([200], [400])


@pytest.mark.parametrize("name", ["X_Forwarded_For", "X-Forwarded_For", "HTTP_X_FORWARDED_FOR"])
def test_gunicorn_takes_no_underscore_for_a_hyphen(site, name):
    mark = secrets.token_hex(len(MARK) // 2)
    sent = get(f"{name}: 6.6.6.6", "X_Forwarded_Proto: http").replace(MARK.encode(), mark.encode())
    with straight(site)() as connection:
        assert len(said(connection, sent)) == 1
    [seen] = seen_after(site, straight(site), mark)
    assert (seen["address"], seen["proto"]) == ("-", "-")


def test_requests_sent_at_once_are_answered_each_in_its_turn(site, way):
    sheet = request("GET /brand.css HTTP/1.1")
    other = request("GET /brand.css HTTP/1.1", host=f"Host: {BOREALIS}")
    nowhere = request("GET /nowhere/ HTTP/1.1")
    last = request("GET /brand.css HTTP/1.1", "Connection: close")
    with way() as connection:
        got = said(connection, sheet + post(LENGTH, body=HIDDEN) + other + nowhere + last, FIRST)
    assert [each.status for each in got] == [200, 200, 200, 404, 200]
    assert ACCENTS[AURORA].encode() in got[0].body
    assert ACCENTS[BOREALIS].encode() in got[2].body
    assert got[1].body == b"ok\n"


def test_nothing_behind_a_refused_request_is_read(site, way):
    with way() as connection:
        got = said(connection, get() + post(LONG, CHUNKED, body=BEHIND) + get(), FIRST)
    assert [each.status for each in got] == [200, 400]


def test_a_front_that_drops_lengths_is_noticed(site, tmp_path):
    """So that the tests above are known to see what they look for."""
    without = 'proxy_set_header Connection ""; proxy_set_header Content-Length "";'
    spoilt = {
        "zone portal_nodes 64k;": "zone portal_nodes 64k; keepalive 4;",
        "proxy_set_header Connection close;": without,
    }
    with (
        nginx(tmp_path / "nginx", site.port, spoilt=spoilt) as front,
        pytest.raises(AssertionError, match="smuggled"),
    ):
        attacked(site, through(front), TAKEN["a body that looks like a request"])
