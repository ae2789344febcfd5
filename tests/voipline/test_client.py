"""A single call over real sockets: what is sent, how often, and how long the caller waits."""

import functools
import gzip
import json
import logging
import socket
import ssl
import struct
import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from email import message_from_bytes
from http.client import HTTPConnection
from ipaddress import ip_address
from urllib.parse import parse_qsl

import pytest

from portal.voipline import (
    METHODS,
    BadAnswer,
    Carrier,
    Crowded,
    NoAnswer,
    NotAuthorised,
    RateLimited,
    Reach,
    Rejected,
    Secret,
    ServerError,
    Timeouts,
    Unreachable,
    UpstreamError,
    call,
    conversation,
    customise,
    http_exchange,
    transport,
)
from portal.voipline.methods import STATEMENT_NAMES
from tests.support.raw_server import FUNDS, Server, certify, drip, http, threads_end
from tests.support.timeouts import HASTY, PATIENCE, PATIENT, SLACK, eventually

KEY = "canary-key"
MOVE = {"account_number": "70001", "amount": Decimal("10.5"), "description": "canary-note"}
MONTH = {"from_date": date(2024, 2, 1), "to_date": date(2024, 2, 29)}
# A carrier on this machine, like the simulator.
local_carrier = functools.partial(Carrier, reach=Reach(loopback=True))


def parse_request(raw: bytes) -> tuple[str, dict[str, str], list[tuple[str, str]]]:
    """Return request line, headers (lower case) and fields of a multipart or urlencoded body."""
    line, _, rest = raw.partition(b"\r\n")
    message = message_from_bytes(rest)
    headers = {name.lower(): value for name, value in message.items()}
    if not message.is_multipart():
        body = rest.partition(b"\r\n\r\n")[2].decode()
        return line.decode(), headers, parse_qsl(body, keep_blank_values=True)
    parts = message.get_payload()
    pairs = [
        (str(part.get_param("name", header="content-disposition")), part.get_payload(decode=True).decode())
        for part in parts
    ]
    assert not any(part.get_filename() for part in parts)
    return line.decode(), headers, pairs


@pytest.fixture
def server() -> Iterator[Server]:
    raw_server = Server()
    yield raw_server
    raw_server.close()


@pytest.fixture
def carrier(server: Server) -> Carrier:
    return local_carrier(f"http://127.0.0.1:{server.port}/api/v2/", Secret(KEY), timeouts=PATIENT)


@pytest.fixture
def impatient(carrier: Carrier) -> Carrier:
    """The same carrier with short timeouts, for a slow server."""
    return local_carrier(carrier.url, carrier.key, timeouts=HASTY)


def failing_call(
    carrier: Carrier, key: str = "move_funds", within: float = HASTY.total + SLACK, **values: object
) -> UpstreamError:
    started = time.monotonic()
    with pytest.raises(UpstreamError) as caught:
        call(carrier, key, **(values or MOVE))
    assert time.monotonic() - started < within
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    assert not any(word in f"{error} {error.message}" for word in ("canary", "70001", "http:", "https:"))
    return error


# What is sent


def test_write_is_sent_as_multipart_with_the_token_header(server, carrier):
    answer = call(carrier, "move_funds", **MOVE)
    assert answer == {"customer_balance": Decimal("242.08793"), "customer_credit_limit": Decimal(-55)}
    line, headers, pairs = parse_request(server.received[0])
    assert line == "PUT /api/v2/move-funds HTTP/1.1"
    assert headers["token"] == KEY
    assert headers["content-type"].startswith("multipart/form-data; boundary=")
    assert headers["connection"] == "close"
    assert headers["accept"] == "application/json"
    assert headers["user-agent"] == "voipline-portal"
    assert headers["accept-encoding"] == "identity"
    assert not {"authorization", "cookie"} & set(headers)
    assert pairs == [("account_number", "70001"), ("amount", "10.5"), ("description", "canary-note")]


def test_get_has_a_query_and_no_body(server, carrier):
    server.handler = lambda conn: conn.sendall(http(b'{"code": 200}'))
    error = failing_call(carrier, "customer_balance", account_number="70001", **MONTH)
    assert type(error) is BadAnswer
    assert len(server.received) == 1
    line, headers, pairs = parse_request(server.received[0])
    assert line == (
        "GET /api/v2/get-customer-balance?account_number=70001&from_date=2024-02-01&to_date=2024-02-29"
        " HTTP/1.1"
    )
    assert pairs == []
    assert "content-type" not in headers


TEXTS = [
    "plain",
    "Zoë ☃ 漢字",
    'a"b',
    "a\r\n--x\r\nContent-Disposition: form-data; name=evil\r\n\r\n",
    " a&b=c+d%20;",
    "",
]


@pytest.mark.parametrize("body", ["multipart", "form"])
@pytest.mark.parametrize("text", TEXTS)
def test_any_text_arrives_intact(server, carrier, body, text):
    method = customise(
        METHODS["move_funds"], body=body, parameters={"description": 'no"te\\'}, constants={"ü": text}
    )
    custom = local_carrier(carrier.url, carrier.key, {"move_funds": method}, timeouts=PATIENT)
    call(custom, "move_funds", **{**MOVE, "description": text})
    _, headers, pairs = parse_request(server.received[0])
    assert ("form-urlencoded" in headers["content-type"]) is (body == "form")
    assert [value for _, value in pairs] == ["70001", "10.5", text, text]
    assert len(pairs) == 4


def test_captcha_token_is_sent_byte_for_byte_and_once(server, carrier):
    token = "03AFcWeA" + "aZ_-.~+/=" * 200
    server.handler = lambda conn: conn.sendall(http(b'{"code": 503}'))
    error = failing_call(carrier, "reset_password", email="a@example.org", google_captcha=token)
    assert type(error) is ServerError
    assert error.may_have_happened
    assert len(server.received) == 1
    assert parse_request(server.received[0])[2] == [("email", "a@example.org"), ("google_captcha", token)]


def test_every_name_can_be_replaced(server, carrier):
    method = customise(
        METHODS["customer_balance"],
        path="/kunden/{account_number}/saldo",
        date_format="%d.%m.%Y",
        parameters={"account_number": "", "from_date": "von", "to_date": ""},
        constants={"sprache": "de"},
        results={name: f"saldo.{name}" for name in METHODS["customer_balance"].results},
    )
    numbers = {
        name: 1 for name in METHODS["customer_balance"].results if name not in ("account_number", "email")
    }
    body = str({"code": 200, "data": {"saldo": numbers}}).replace("'", '"').encode()
    server.handler = lambda conn: conn.sendall(http(body))
    custom = local_carrier(carrier.url, carrier.key, {"customer_balance": method}, timeouts=PATIENT)
    assert call(custom, "customer_balance", account_number="7-a.B_1", **MONTH)["payments"] == 1
    line = parse_request(server.received[0])[0]
    assert line == "GET /kunden/7-a.B_1/saldo?von=01.02.2024&sprache=de HTTP/1.1"


@pytest.mark.parametrize(
    "number", ["", ".", "..", "../x", "a/b", "7 1", "7\n", "%2e", "-1", "7" * 65, "é", "7?x=1"]
)
def test_account_number_that_could_change_the_path_is_not_sent(server, carrier, number):
    with pytest.raises(ValueError, match="account_number"):
        call(carrier, "move_funds", **{**MOVE, "account_number": number})
    assert server.connections == 0


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("move_funds", {**MOVE, "iban": "x"}),
        ("move_funds", {"account_number": "7", "amount": Decimal(1)}),
        ("move_funds", {**MOVE, "account_number": None}),
        ("move_funds", {**MOVE, "amount": None}),
        ("move_funds", {**MOVE, "amount": 1.5}),
        ("customer_balance", {**MONTH, "account_number": None}),
        ("confirm_email", {"email": "a@b", "code": "", "google_captcha": "x"}),
        ("reset_password", {"email": "a@b", "google_captcha": None}),
        ("login_via_url", {"account_number": None, "email": "a@b", "google_captcha": "x"}),
    ],
)
def test_unknown_and_missing_values_are_programming_errors(server, carrier, key, values):
    with pytest.raises(TypeError):
        call(carrier, key, **values)
    assert server.connections == 0


def test_none_omits_a_value_and_an_unknown_method_is_refused(server, carrier):
    call(carrier, "move_funds", **{**MOVE, "description": None})
    assert [name for name, _ in parse_request(server.received[0])[2]] == ["account_number", "amount"]
    with pytest.raises(ValueError, match="get_all"):
        call(carrier, "get_all")


def test_unmapped_optional_parameter_is_not_sent(server, carrier):
    server.handler = lambda conn: conn.sendall(http(b'{"data": {"url": "https://x/y"}}'))
    values = {"account_number": "7", "email": "a@b", "password": "canary-pw", "google_captcha": "t"}
    assert call(carrier, "login_via_url", **values) == {"url": "https://x/y"}
    assert parse_request(server.received[0])[2] == [("account_number", "7"), ("google_captcha", "t")]


# Destinations


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_an_error_and_reaches_no_second_host(server, carrier, status):
    other = Server()
    bomb = gzip.compress(b" " * 10_000_000)
    target = f"Location: http://127.0.0.1:{other.port}/"
    server.handler = lambda conn: conn.sendall(
        http(bomb, f"{status} Moved", target, "Content-Encoding: gzip")
    )
    error = failing_call(carrier)
    assert type(error) is BadAnswer
    assert error.status == status
    assert error.may_have_happened
    assert (len(server.received), other.connections) == (1, 0)
    other.close()


def test_proxy_environment_is_ignored(server, carrier, monkeypatch, tmp_path):
    other = Server()
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login canary password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{other.port}")
    call(carrier, "move_funds", **MOVE)
    assert "authorization" not in parse_request(server.received[0])[1]
    assert other.connections == 0
    other.close()


def test_no_cookie_is_sent_with_the_next_call(server, carrier):
    server.handler = lambda conn: conn.sendall(http(FUNDS, "200 OK", "Set-Cookie: a=b; Path=/"))
    for _ in range(2):
        call(carrier, "move_funds", **MOVE)
    assert "cookie" not in parse_request(server.received[1])[1]
    assert server.connections == 2


def test_keys_of_two_carriers_never_mix(server):
    other = Server()
    keys = {server: "key-a", other: "key-b"}
    slow = Timeouts(5, 5, 10)
    carriers = [
        local_carrier(f"http://127.0.0.1:{each.port}/", Secret(key), timeouts=slow)
        for each, key in keys.items()
    ]
    with ThreadPoolExecutor(transport.MAX_IN_FLIGHT) as pool:
        list(pool.map(lambda n: call(carriers[n % 2], "move_funds", **MOVE), range(100)))
    for each, key in keys.items():
        assert [parse_request(raw)[1]["token"] for raw in each.received] == [key] * 50
    other.close()


# Retries


def test_get_is_sent_at_most_three_times(server, carrier):
    server.handler = lambda conn: conn.sendall(http(b"<html>", "503 Busy"))
    error = failing_call(carrier, "partner_balance", **MONTH)
    assert type(error) is ServerError
    assert not error.may_have_happened
    assert error.status == 503
    assert len(server.received) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 418, 422, 429, 500, 501])
def test_get_is_not_retried_when_that_cannot_help(server, carrier, status):
    server.handler = lambda conn: conn.sendall(http(b"", f"{status} No", "Retry-After: 1"))
    failing_call(carrier, "partner_balance", **MONTH)
    assert len(server.received) == 1


ZEROS = json.dumps({"data": dict.fromkeys(STATEMENT_NAMES, 0)}).encode()
BAD_GATEWAYS = (408, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 527, 530)


@pytest.mark.parametrize("first", [b"", *(http(b"<html>", f"{code} Bad gateway") for code in BAD_GATEWAYS)])
def test_second_attempt_can_succeed(server, carrier, first):
    server.handler = lambda conn: conn.sendall(http(ZEROS) if len(server.received) > 1 else first)
    assert call(carrier, "partner_balance", **MONTH)["payments"] == 0
    assert len(server.received) == 2


@pytest.mark.parametrize(
    "before",
    [
        b"HTTP/1.1 103 Early Hints\r\nLink: </x.css>; rel=preload\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n" * 3,
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n",
    ],
)
def test_informational_responses_are_skipped(server, carrier, before):
    server.handler = lambda conn: conn.sendall(before + http())
    assert call(carrier, "move_funds", **MOVE)["customer_balance"] == Decimal("242.08793")
    assert len(server.received) == 1


def test_endless_informational_responses_time_out(server, impatient):
    def handler(conn: socket.socket) -> None:
        while not server.over.wait(0.05):
            conn.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")

    server.handler = handler
    error = failing_call(impatient)
    assert type(error) is NoAnswer
    assert error.may_have_happened
    assert threads_end()


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (http(b"", "503 Busy", "Retry-After: 0"), ServerError),
        (http(b"{}", "429 Slow down", "Retry-After: 0"), RateLimited),
        (http(b'{"message": "no"}', "422 No"), Rejected),
        (http(b"{}", "401 No"), NotAuthorised),
        (http(b"<html>", "403 No"), BadAnswer),
        (http(b"", "408 Late"), ServerError),
        (b"", NoAnswer),
        (b"HTTP/1.1 20", NoAnswer),
        (b"nonsense\r\n\r\n", NoAnswer),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n", NoAnswer),
        (http()[:-5], BadAnswer),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{", BadAnswer),
        (http(b"<html>", "200 OK"), BadAnswer),
        (http(b"", "204 Empty"), BadAnswer),
    ],
)
def test_write_is_sent_once_whatever_the_response(server, carrier, raw, kind):
    server.handler = lambda conn: conn.sendall(raw)
    error = failing_call(carrier)
    assert type(error) is kind
    assert error.may_have_happened is (kind in (NoAnswer, BadAnswer, ServerError))
    time.sleep(0.05)
    assert (len(server.received), server.connections) == (1, 1)


def test_write_may_have_happened_if_reset_after_the_body(server, carrier):
    def reset(conn: socket.socket) -> None:
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    server.handler = reset
    error = failing_call(carrier)
    assert type(error) is NoAnswer
    assert error.may_have_happened
    assert server.connections == 1


def test_write_may_have_happened_if_sending_fails(server, carrier, monkeypatch):
    def broken(self, data):
        raise OSError("no buffer space")

    monkeypatch.setattr(HTTPConnection, "send", broken)
    error = failing_call(carrier)
    assert type(error) is NoAnswer
    assert error.may_have_happened


def test_write_did_not_happen_if_the_connection_is_refused(server, carrier):
    server.close()
    time.sleep(0.05)
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    error = failing_call(local_carrier(f"http://127.0.0.1:{port}/", Secret(KEY), timeouts=PATIENT))
    assert type(error) is Unreachable
    assert not error.may_have_happened


# Timeouts


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n{",
    ],
)
def test_hanging_carrier_times_out(server, impatient, start):
    def handler(conn: socket.socket) -> None:
        conn.sendall(start)
        server.over.wait(PATIENCE)

    server.handler = handler
    error = failing_call(impatient)
    assert type(error) is NoAnswer
    assert error.may_have_happened
    assert eventually(lambda: len(server.received) == 1)


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_dripping_carrier_times_out_and_the_thread_ends(server, impatient, start):
    def handler(conn: socket.socket) -> None:
        conn.sendall(start)
        drip(conn, b"H" + b"1" * 2000, server.over)

    server.handler = handler
    error = failing_call(impatient)
    assert type(error) is NoAnswer
    assert error.may_have_happened
    assert threads_end()


def test_get_with_retries_stays_within_the_total_timeout(server, impatient):
    server.handler = lambda conn: drip(conn, b"HTTP/1.1 200 OK" * 90, server.over)
    error = failing_call(impatient, "partner_balance", **MONTH)
    assert type(error) is NoAnswer
    assert not error.may_have_happened


def test_late_dns_answer_sends_nothing(server, monkeypatch):
    real = socket.getaddrinfo
    given_up, done = threading.Event(), threading.Event()

    def slow(*args, **kwargs):
        given_up.wait(PATIENCE)
        done.set()
        return real("127.0.0.1", *args[1:], **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    late = local_carrier(
        f"http://late.localhost:{server.port}/", Secret(KEY), timeouts=Timeouts(0.3, 0.3, 0.4)
    )
    error = failing_call(late)
    given_up.set()
    assert type(error) is Unreachable
    assert not error.may_have_happened
    assert done.wait(PATIENCE)
    assert threads_end()
    time.sleep(0.1)
    assert not any(server.received)


def test_nothing_is_sent_after_the_deadline(server, carrier, monkeypatch):
    connect = conversation.Conversation.connect

    def resume_after_deadline(held, *args):
        line = connect(held, *args)
        held._deadline = time.monotonic() - 60  # As after SIGSTOP, a minute and SIGCONT.
        return line

    monkeypatch.setattr(conversation.Conversation, "connect", resume_after_deadline)
    error = failing_call(carrier)
    assert type(error) is Unreachable
    assert not error.may_have_happened
    assert not any(server.received)


def test_calls_in_flight_are_bounded_even_after_callers_gave_up(server, monkeypatch):
    stop = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: stop.wait(PATIENCE) and [])
    stuck = local_carrier(
        f"http://stuck.localhost:{server.port}/", Secret(KEY), timeouts=Timeouts(0.1, 0.1, 0.1)
    )
    with ThreadPoolExecutor(transport.MAX_IN_FLIGHT) as pool:
        list(pool.map(lambda _: failing_call(stuck), range(transport.MAX_IN_FLIGHT)))
    error = failing_call(stuck)
    assert type(error) is Crowded
    assert "too many calls" in error.message
    assert error.retry_after > 0
    other = local_carrier(stuck.url, Secret("another-partner"), timeouts=stuck.timeouts)
    assert "too many calls" not in failing_call(other).message
    stop.set()
    assert threads_end()
    assert "too many" not in failing_call(stuck).message


def test_interrupt_while_waiting_closes_the_connection(server, carrier, monkeypatch):
    server.handler = lambda conn: server.over.wait(PATIENCE)

    def interrupted(self):
        time.sleep(0.2)
        raise KeyboardInterrupt

    monkeypatch.setattr(conversation.Conversation, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        call(carrier, "move_funds", **MOVE)
    assert threads_end()


@pytest.mark.slow
def test_default_total_timeout_is_fifteen_seconds(server):
    server.handler = lambda conn: drip(conn, b"HTTP/1.1 200 OK" + b"!" * 900, server.over)
    started = time.monotonic()
    failing_call(
        local_carrier(f"http://127.0.0.1:{server.port}/", Secret(KEY)), within=Timeouts().total + SLACK
    )
    assert time.monotonic() - started > 14.5


# Response size


BOMB = gzip.compress(b" " * 100_000_000, 1, mtime=0)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        pytest.param(b"1" * 1_048_577, "identity", id="large"),
        pytest.param(BOMB, "gzip", id="bomb"),
        pytest.param(gzip.compress(BOMB, mtime=0), "gzip, gzip", id="bomb-in-bomb"),
        pytest.param(gzip.compress(FUNDS, mtime=0)[:-9], "gzip", id="cut"),
        pytest.param(FUNDS, "gzip", id="not-gzip"),
        pytest.param(FUNDS, "br", id="not-asked-for"),
    ],
)
def test_oversized_or_undecodable_body_is_a_bad_answer(server, carrier, body, encoding):
    server.handler = lambda conn: conn.sendall(http(body, "200 OK", f"Content-Encoding: {encoding}"))
    tracemalloc.start()
    error = failing_call(carrier)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert type(error) is BadAnswer
    assert error.may_have_happened
    assert peak < 12_000_000


def test_endless_body_is_abandoned_after_a_mebibyte(server, carrier):
    def endless(conn: socket.socket) -> None:
        conn.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not server.over.is_set():
            conn.sendall(b" " * 65536)

    server.handler = endless
    error = failing_call(carrier)
    assert type(error) is BadAnswer
    assert "1 MiB" in error.message


@pytest.mark.parametrize("padding", [0, 1_048_576 - len(FUNDS)])
def test_body_of_a_mebibyte_and_gzip_are_read(server, carrier, padding):
    body = FUNDS + b" " * padding
    server.handler = lambda conn: conn.sendall(http(body))
    assert call(carrier, "move_funds", **MOVE)["customer_credit_limit"] == -55
    server.handler = lambda conn: conn.sendall(http(gzip.compress(body), "200 OK", "Content-Encoding: gzip"))
    assert call(carrier, "move_funds", **MOVE)["customer_credit_limit"] == -55


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> str:
    return certify(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls(server, certificate) -> Carrier:
    server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.tls.load_cert_chain(certificate)
    return local_carrier(f"https://127.0.0.1:{server.port}/", Secret(KEY), timeouts=PATIENT)


@pytest.fixture
def trusted(monkeypatch, certificate) -> None:
    context = ssl.create_default_context(cafile=certificate)
    monkeypatch.setattr(http_exchange, "tls_context", lambda: context)


def test_untrusted_certificate_is_refused_before_a_byte_is_sent(server, tls):
    error = failing_call(tls)
    assert type(error) is Unreachable
    assert not error.may_have_happened
    assert "certificate is not valid" in error.message
    assert not any(server.received)


def test_trusted_certificate_for_another_name_is_refused(server, tls, trusted):
    error = failing_call(local_carrier(tls.url.replace("127.0.0.1", "localhost"), tls.key, timeouts=PATIENT))
    assert type(error) is Unreachable
    assert not any(server.received)


def test_trusted_certificate_is_accepted_by_the_shared_context(server, tls, trusted, monkeypatch):
    def forbidden(*args, **kwargs):
        raise AssertionError("the certificates are read again")

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", forbidden)
    for _ in range(2):
        assert call(tls, "move_funds", **MOVE)["customer_credit_limit"] == -55
    assert parse_request(server.received[1])[1]["token"] == KEY
    assert http_exchange.tls_context().verify_mode is ssl.CERT_REQUIRED
    assert http_exchange.tls_context().check_hostname


def test_shared_context_verifies():
    context = http_exchange.tls_context()
    assert context is http_exchange.tls_context()
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.get_ca_certs()


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x16\x03\x03"])
def test_write_did_not_happen_if_the_handshake_breaks(server, carrier, data):
    server.read_request = False
    server.handler = lambda conn: conn.sendall(data) if conn.recv(65536) else None
    error = failing_call(local_carrier(f"https://127.0.0.1:{server.port}/", Secret(KEY), timeouts=PATIENT))
    assert type(error) is Unreachable
    assert not error.may_have_happened
    assert server.connections == 1


def test_dripping_handshake_times_out(server, trusted):
    server.read_request = False
    server.handler = lambda conn: drip(conn, b"\x16\x03\x03\x3f\xff" + b"\0" * 1000, server.over)
    error = failing_call(local_carrier(f"https://127.0.0.1:{server.port}/", Secret(KEY), timeouts=HASTY))
    assert type(error) is Unreachable
    assert threads_end()


def test_write_may_have_happened_if_tls_fails_after_the_body(server, tls, trusted):
    def broken(conn: socket.socket) -> None:
        raw = socket.socket(fileno=conn.detach())
        raw.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)
        time.sleep(0.1)
        raw.close()

    server.handler = broken
    error = failing_call(tls)
    assert type(error) is NoAnswer
    assert error.may_have_happened
    assert len(server.received) == 1


def test_hang_over_tls_times_out_and_the_thread_ends(server, tls, trusted):
    server.handler = lambda conn: drip(conn, b"HTTP/1.1 200 OK" * 90, server.over)
    error = failing_call(local_carrier(tls.url, tls.key, timeouts=HASTY))
    assert type(error) is NoAnswer
    assert threads_end()


# Logging


def test_each_attempt_is_logged_once_without_secrets(server, carrier, caplog):
    caplog.set_level(logging.INFO)
    call(carrier, "move_funds", **MOVE)
    malformed = b"HTTP/1.1 503 Busy\r\nno colon here\r\nContent-Length: 0\r\n\r\n"
    server.handler = lambda conn: conn.sendall(malformed)
    failing_call(carrier, "customer_balance", account_number="canary-7", **MONTH)
    records = [record for record in caplog.records if record.name == "portal.voipline"]
    found = [(record.levelname, record.method, record.outcome, record.status) for record in records]
    assert found[0] == ("INFO", "move_funds", "ok", 200)
    assert found[1:] == [("WARNING", "customer_balance", "ServerError", 503)] * (len(server.received) - 1)
    assert all(isinstance(record.milliseconds, int) for record in records)
    assert not any(word in caplog.text for word in ("canary", "70001", "from_date"))


# Private addresses


def resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Let each name resolve to one of these addresses; returns the list of resolved names."""
    real, resolved_hosts = socket.getaddrinfo, []

    def resolved(host: str, port: int, **options: object) -> list[object]:
        resolved_hosts.append(host)
        return [found for address in addresses for found in real(address, port, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    return resolved_hosts


@pytest.fixture
def reached(monkeypatch) -> list[object]:
    """The addresses to which a connection was attempted."""
    tried: list[object] = []

    class RecordingSocket(socket.socket):
        def connect(self, address):
            tried.append(address[0])
            raise ConnectionRefusedError

    monkeypatch.setattr(socket, "socket", RecordingSocket)
    return tried


INSIDE = [
    "127.0.0.1",
    "127.9.9.9",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "192.0.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::1",
    "2002:a00:1::1",
]


@pytest.mark.parametrize("address", INSIDE)
def test_name_with_a_private_address_is_not_connected_to(reached, monkeypatch, address):
    resolving(monkeypatch, address)
    error = failing_call(Carrier("https://carrier.example/", Secret(KEY), timeouts=PATIENT))
    assert type(error) is Unreachable
    assert "CARRIER_PRIVATE_HOSTS" in error.message
    assert not error.may_have_happened
    assert reached == []


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "172.32.0.1", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]
)
def test_name_with_a_public_address_is_connected_to(reached, monkeypatch, address):
    resolving(monkeypatch, address)
    failing_call(Carrier("https://carrier.example/", Secret(KEY), timeouts=PATIENT))
    assert set(map(ip_address, reached)) == {ip_address(address)}


def test_host_in_the_settings_may_have_a_private_address(server, tls, trusted, monkeypatch):
    resolved_hosts = resolving(monkeypatch, "127.0.0.1")
    url = tls.url.replace("127.0.0.1", "carrier.internal")
    named = Carrier(
        url, tls.key, timeouts=PATIENT, reach=Reach(private_hosts=frozenset({"Carrier.internal"}))
    )
    assert "certificate is not valid" in failing_call(named).message  # It is allowed for another name.
    assert (server.connections, resolved_hosts) == (1, ["carrier.internal"])
    other = Carrier(url.replace("carrier", "other"), tls.key, timeouts=PATIENT, reach=named.reach)
    assert "CARRIER_PRIVATE_HOSTS" in failing_call(other).message
    assert server.connections == 1


def test_checked_address_is_the_one_connected_to(server, carrier, monkeypatch):
    """Whatever the name resolves to later: it is resolved once, and private addresses are skipped."""
    resolved_hosts = resolving(monkeypatch, "10.255.255.1", "127.0.0.1")
    call(
        local_carrier(f"http://carrier.localhost:{server.port}/", Secret(KEY), timeouts=PATIENT),
        "move_funds",
        **MOVE,
    )
    assert resolved_hosts == ["carrier.localhost"]
    assert server.connections == 1


def test_localhost_must_resolve_to_loopback(reached, monkeypatch):
    """Otherwise the key could be sent in plain text, to a name for which plain http is allowed."""
    resolving(monkeypatch, "8.8.8.8")
    named = Reach(loopback=True, private_hosts=frozenset({"evil.localhost"}))
    error = failing_call(Carrier("http://evil.localhost/", Secret(KEY), timeouts=PATIENT, reach=named))
    assert "CARRIER_PRIVATE_HOSTS" in error.message
    assert reached == []
