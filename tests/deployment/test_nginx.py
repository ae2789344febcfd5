"""The portal as in production: nginx with the configuration from deploy/, TLS, and gunicorn behind it."""

import contextlib
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pytest
import requests
from playwright.sync_api import expect, sync_playwright

from tests.browser import chromium
from tests.conftest import ADMIN, AURORA, BOREALIS, ROOT, Simulator, code_of, start_simulator, stop_simulator
from tests.support.live_stack import (
    AURORA as AURORA_PHONE,
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
from tests.support.nginx import NginxServer, Visitor, code_from, hosts_redirected_to, nginx, raw
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer
from tests.support.timeouts import PATIENCE, eventually

YEAR = 365 * 24 * 3600

OPERATOR, PASSWORD = "olga@example.com", "correct horse battery"
CONFIRM_LINK = "/sign-up/confirm/?email=a@example.com&code=CANARYCODE"


@dataclass(frozen=True)
class Site(NginxServer):
    """nginx with the portal and the carrier behind it."""

    carrier: Simulator
    portal_log: Path
    portal_port: int


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Iterator[Site]:
    """Carrier, Redis, portal and nginx, with Alice as Aurora's customer and Olga as the operator."""
    tmp = tmp_path_factory.mktemp("production")
    port = free_port()
    with contextlib.ExitStack() as stack:
        # First, because it may skip the test.
        front = stack.enter_context(nginx(tmp / "nginx", port))
        redis_server = RedisServer()
        stack.callback(redis_server.stop)
        process, carrier = start_simulator()
        stack.callback(stop_simulator, process)
        portal = Stack(carrier, port, tmp / "portal.log", (AURORA_PHONE,))
        portal.database = stack.enter_context(_database(tmp, shared))
        environment = {
            **_environment(portal, portal.database),
            "SCHEME": "https",
            "ADMIN_HOSTS": ADMIN,
            # Several workers, so that a limit kept per worker would fail the tests.
            "WEB_CONCURRENCY": "4",
            "WEB_THREADS": "2",
            "REDIS_URL": redis_server.url,
        }
        _collect_static(environment, shared)
        (tmp / "brands.toml").write_text(_toml(AURORA_PHONE, portal).replace("aurora.localhost", AURORA))
        _manage(environment, "apply_config", str(tmp / "brands.toml"))
        (tmp / "customers.csv").write_text("email,account_number\nalice@example.com,70001\n")
        _manage(environment, "import_customers", "aurora", str(tmp / "customers.csv"))
        _create_operator(environment)
        stack.enter_context(_portal(portal, environment))
        portal.fresh()
        yield Site(front.folder, front.tls, front.plain, carrier, portal.log, port)


def _create_operator(environment: dict[str, str]) -> None:
    command = [sys.executable, "manage.py", "create_operator", OPERATOR, "--password-from-stdin"]
    subprocess.run(
        command, cwd=ROOT, env=environment, input=PASSWORD, text=True, check=True, capture_output=True
    )


@pytest.fixture
def redirect_hosts() -> Iterator[Callable[[NginxServer], None]]:
    """Redirect the ports 80 and 443 of all hosts to an nginx."""
    with contextlib.ExitStack() as stack:
        yield lambda front: stack.enter_context(hosts_redirected_to(front))


@pytest.fixture
def visitor(site: Site, redirect_hosts: Callable[[NginxServer], None]) -> Iterator[Callable[..., Visitor]]:
    """Make visitors of the site, in each test from its own IP addresses, so that no rate limit is shared."""
    redirect_hosts(site)
    with contextlib.ExitStack() as closing:

        def make(address: str, host: str = AURORA) -> Visitor:
            new_visitor = Visitor(site, address, host)
            closing.callback(new_visitor.session.close)
            return new_visitor

        yield make


@contextlib.contextmanager
def closing(visitor: Visitor) -> Iterator[Visitor]:
    """A visitor whose connections are closed at the end."""
    with visitor.session:
        yield visitor


def cookies(response: requests.Response) -> dict[str, str]:
    """Return the cookies a response sets: name and attributes."""
    lines = response.raw.headers.getlist("Set-Cookie")
    return {line.partition("=")[0]: line.partition(";")[2].strip() for line in lines}


def test_customer_signs_in_by_code_through_nginx(site, visitor):
    alice = visitor("127.0.1.1")
    assert alice.send("/sign-in/", {"email": "alice@example.com"}).headers["Location"] == "/sign-in/code/"
    signed_in = alice.send("/sign-in/code/", {"code": code_from(site.carrier, "alice@example.com")})
    assert (signed_in.status_code, signed_in.headers["Location"]) == (302, "/")
    home = alice.open("/")
    assert home.status_code == 200
    assert "70001" in home.text
    assert home.headers["Cache-Control"] == "no-store"
    assert "Content-Encoding" not in home.headers


def test_cookies_are_bound_to_the_host_and_to_https(visitor):
    alice = visitor("127.0.1.2")
    assert alice.open("/sign-in/").headers["Strict-Transport-Security"] == f"max-age={YEAR}"
    answer = alice.send("/sign-in/", {"email": "nobody@example.com"})
    set_then = {**cookies(visitor("127.0.1.2").open("/sign-in/")), **cookies(answer)}
    assert set(set_then) == {"__Host-session", "__Host-csrf"}
    for attributes in set_then.values():
        assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= set(attributes.split("; "))
        assert "Domain" not in attributes


@pytest.mark.parametrize("origin", ["https://evil.test", f"http://{AURORA}", f"https://{ADMIN}", "null"])
def test_cross_site_form_is_refused(visitor, origin):
    answer = visitor("127.0.1.3").send("/sign-in/", {"email": "a@example.com"}, Origin=origin)
    assert answer.status_code == 403


def test_http_redirects_to_https_with_the_path(visitor):
    answer = visitor("127.0.1.4").open("/statement/?from=2020-01-01&to=2020-01-31", scheme="http")
    assert answer.status_code == 301
    assert answer.headers["Location"] == f"https://{AURORA}/statement/?from=2020-01-01&to=2020-01-31"
    assert not cookies(answer)


def test_forged_forwarded_address_does_not_change_database_limits(visitor):
    def ask(address: str, nth: int) -> int:
        data = {"email": "bob@example.com"}
        return visitor(address).send("/sign-in/", data, **{"X-Forwarded-For": f"10.9.0.{nth}"}).status_code

    assert [ask("127.0.2.1", nth) for nth in range(4)] == [302, 302, 302, 429]
    assert ask("127.0.2.2", 0) == 302


def test_forged_forwarded_address_does_not_change_redis_limits(visitor):
    def junk(address: str, nth: int) -> int:
        data = {"email": "bob@example.com", "g-recaptcha-response": f"junk-token-{nth}"}
        forged = {"X-Forwarded-For": f"10.9.1.{nth}, 10.9.2.{nth}", "X-Real-Ip": "10.9.3.1"}
        return visitor(address).send("/password-reset/", data, **forged).status_code

    answers = [junk("127.0.3.1", nth) for nth in range(21)]
    assert 429 not in answers[:20]
    assert answers[20] == 429
    assert junk("127.0.3.2", 99) != 429


def test_forwarded_host_and_scheme_of_a_visitor_are_ignored(visitor):
    forged = {
        "X-Forwarded-Host": ADMIN,
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Port": "80",
        "Forwarded": f"host={ADMIN};proto=http;for=10.0.0.1",
    }
    alice = visitor("127.0.1.5")
    page = alice.open("/sign-in/", **forged)
    assert page.status_code == 200
    assert "Aurora Phone" in page.text
    assert ADMIN not in page.text
    assert alice.open("/admin/login/", **forged).status_code == 404
    assert alice.open("/sign-in", **forged).headers["Location"] == "/sign-in/"


def test_operator_signs_in_on_the_admin_host_only(visitor):
    assert visitor("127.0.1.6").open("/admin/login/").status_code == 404
    olga = visitor("127.0.1.6", ADMIN)
    data = {"username": OPERATOR, "password": PASSWORD, "next": "/admin/"}
    answer = olga.send("/admin/login/", data)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/login/enrol/")
    assert olga.open("/admin/").status_code == 302
    key = "".join(re.findall(r"<span>([A-Z2-7]{4})</span>", olga.open("/admin/login/enrol/").text))
    answer = olga.send("/admin/login/enrol/", {"code": code_of(key)})
    assert answer.status_code == 200
    assert {"Secure", "HttpOnly", "Path=/"} <= set(cookies(answer)["__Host-session"].split("; "))
    assert OPERATOR in unescape(olga.open("/admin/").text)
    assert visitor("127.0.1.6", ADMIN).open("/sign-in/").status_code == 404


@pytest.mark.parametrize(("inner", "outer"), [(ADMIN, AURORA), (AURORA, ADMIN)])
def test_host_must_match_the_chosen_server_block(site, inner, outer):
    """Otherwise a client denied in the admin's server block could enter through a brand's."""
    with raw(site, outer) as tls:
        request = f"GET https://{outer}/admin/login/ HTTP/1.1\r\nHost: {inner}\r\nConnection: close\r\n\r\n"
        tls.sendall(request.encode())
        status = tls.recv(12)
    assert status == (b"HTTP/1.1 404" if outer == AURORA else b"HTTP/1.1 200")


def test_unknown_host_gets_no_certificate_and_no_response(site):
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"), raw(site, "other.test"):
        pass
    with socket.create_connection(("127.0.0.1", site.plain), 10) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: other.test\r\n\r\n")
        assert plain.recv(1) == b""


@pytest.mark.parametrize("host", [AURORA, ADMIN])
def test_old_tls_is_refused_even_if_the_global_configuration_allows_it(site, host):
    context = ssl.create_default_context(cafile=str(site.folder / "fullchain.pem"))
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", site.tls), 10) as plain,
        pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"),
    ):
        context.wrap_socket(plain, server_hostname=host)
    with raw(site, host) as tls:
        assert tls.version() == "TLSv1.3"


def test_access_log_shows_paths_without_query(site, visitor):
    alice = visitor("127.0.1.7")
    # The portal removes the code from the browser's URL at once.
    assert alice.open(CONFIRM_LINK).headers["Location"] == "/sign-up/confirm/"
    assert alice.open(CONFIRM_LINK, scheme="http").status_code == 301
    alice.open("/sign-in/", Referer=f"https://{AURORA}{CONFIRM_LINK}")
    logs = site.wait_for_log(f'"GET {AURORA} /sign-in/ HTTP/1.1" 200')
    assert f'"GET {AURORA} /sign-up/confirm/ HTTP/1.1" 302' in logs
    assert f'"GET {AURORA} /sign-up/confirm/ HTTP/1.1" 301' in logs
    assert "CANARYCODE" not in logs
    assert "a@example.com" not in logs


def test_portal_log_contains_no_code_session_or_query(site, visitor):
    alice = visitor("127.0.1.12")
    alice.open(CONFIRM_LINK)
    alice.open("/nowhere/?code=CANARYCODE")
    alice.send("/sign-in/", {"email": "alice@example.com"})
    code = code_from(site.carrier, "alice@example.com")
    keys = {alice.session.cookies["__Host-session"]}
    alice.send("/sign-in/code/", {"code": f"{(int(code) + 1) % 10**8:08d}"})
    alice.send("/sign-in/code/", {"code": code})
    assert alice.open("/").status_code == 200
    keys.add(alice.session.cookies["__Host-session"])
    assert len(keys) == 2
    logs = site.portal_log.read_text()
    assert "route=none method=GET status=404" in logs
    for secret in (code, "CANARYCODE", "/nowhere/", "alice@example.com", *keys):
        assert secret not in logs


def test_access_log_shows_no_query_while_the_portal_is_down(tmp_path, redirect_hosts):
    with nginx(tmp_path / "nginx", free_port()) as front:
        redirect_hosts(front)
        alice = Visitor(front, "127.0.1.8", AURORA)
        with alice.session:
            assert alice.open(CONFIRM_LINK).status_code == 502
        logs = front.wait_for_log(f'"GET {AURORA} /sign-up/confirm/ HTTP/1.1" 502')
    assert "CANARYCODE" not in logs


class Node(threading.Thread):
    """A fake node that records what it receives, then answers, or hangs up like a dying node."""

    def __init__(self, answer: bytes) -> None:
        super().__init__(daemon=True)
        self.answer, self.received = answer, list[str]()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                with connection, connection.makefile("rb") as request:
                    self.received.append(request.readline().decode())
                    while request.readline().strip():
                        pass
                    connection.sendall(self.answer)

    def stop(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.join()


def test_failed_pages_are_retried_on_the_other_node_but_forms_are_not(tmp_path, redirect_hosts):
    dying, alive = Node(b""), Node(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    with nginx(tmp_path / "nginx", dying.port, alive.port) as front:
        redirect_hosts(front)
        alice = Visitor(front, "127.0.1.15", AURORA)
        with alice.session:
            posts = [f"https://{AURORA}/form/{nth}/" for nth in range(4)]
            answered = [alice.session.post(url, timeout=PATIENCE).status_code for url in posts]
            pages = [alice.open(f"/page/{nth}/").status_code for nth in range(4)]
            dying.stop()
            after = [alice.session.post(url, timeout=PATIENCE).status_code for url in posts]
    alive.stop()
    assert sorted(answered) == [200, 200, 502, 502]
    assert pages == [200] * 4
    received = [line for line in dying.received + alive.received if line.startswith("POST")]
    assert len(received) == len(answered) + len(after)
    assert after == [200] * 4  # Nothing listens: no form was received, so the other node may have it.


def test_static_file_missing_on_one_node_is_served_by_the_other(tmp_path, redirect_hosts):
    old, new = (
        Node(f"HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n".encode()) for line in ("404 No", "200 OK")
    )
    with nginx(tmp_path / "nginx", old.port, new.port) as front:
        redirect_hosts(front)
        alice = Visitor(front, "127.0.1.16", AURORA)
        with alice.session:
            static = {alice.open(f"/static/css/{nth}.css").status_code for nth in range(4)}
            pages = {alice.open(f"/page/{nth}/").status_code for nth in range(4)}
    old.stop()
    new.stop()
    assert static == {200}
    assert pages == {200, 404}


@pytest.mark.parametrize("host", [AURORA, ADMIN])
@pytest.mark.parametrize(
    "path", ["/metrics", "/readyz", "//metrics", "/%6detrics", "/x/../readyz", "/readyz?x"]
)
def test_internal_urls_are_not_reachable_from_outside(tmp_path, redirect_hosts, host, path):
    node = Node(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    with nginx(tmp_path / "nginx", node.port) as front:
        with raw(front, host) as tls:
            tls.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            status = tls.recv(12)
        redirect_hosts(front)
        visitor = Visitor(front, "127.0.1.17", host)
        with visitor.session:
            assert visitor.open("/healthz").status_code == 200
    node.stop()
    assert status == b"HTTP/1.1 404"
    assert [line.split()[1] for line in node.received] == ["/healthz"]


def test_static_files_are_compressed_and_cached_for_ever(visitor):
    alice = visitor("127.0.1.9")
    sheet = re.search(r'href="(/static/css/portal\.[0-9a-f]+\.css)"', alice.open("/sign-in/").text)
    assert sheet
    answer = alice.open(sheet[1])
    assert answer.status_code == 200
    assert answer.headers["Content-Encoding"] in ("br", "gzip")
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Server"] == "nginx"


def test_oversized_body_never_reaches_the_portal(visitor):
    assert visitor("127.0.1.10").send("/sign-in/", {"email": "a" * 600_000}).status_code == 413


def test_customer_file_is_accepted_on_the_admin_host_only(visitor):
    for user, host, size, status in (
        ("127.0.1.12", ADMIN, 2_200_000, 403),  # Without its CSRF token, so the portal refuses it.
        ("127.0.1.13", ADMIN, 3_300_000, 413),
        ("127.0.1.14", AURORA, 2_200_000, 413),
    ):
        url = f"https://{host}/admin/accounts/user/import/1/"
        answer = visitor(user, host).session.post(url, files={"file": b"a" * size}, timeout=PATIENCE)
        assert answer.status_code == status, host


BEGUN = f"POST /sign-in/ HTTP/1.1\r\nHost: {AURORA}\r\nContent-Length: 90000\r\n\r\nemail=".encode()
FOR_EVER = {"client_body_timeout 10s;": "client_body_timeout 1h;"}  # However slow the machine.


def test_unfinished_requests_hold_no_thread_of_the_portal(site, tmp_path, redirect_hosts):
    with (
        nginx(tmp_path / "nginx", site.portal_port, replacements=FOR_EVER) as front,
        contextlib.ExitStack() as held,
    ):
        for _ in range(16):  # Twice as many as it has threads.
            held.enter_context(raw(front)).sendall(BEGUN + b"a" * 20_000)
        redirect_hosts(front)
        alice = Visitor(front, "127.0.1.11", AURORA)
        held.callback(alice.session.close)
        assert alice.open("/sign-in/").status_code == 200


def test_one_ip_address_cannot_hold_all_connections(tmp_path, redirect_hosts):
    node = Node(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    low_limit = {**FOR_EVER, "limit_conn portal_visitors 200;": "limit_conn portal_visitors 5;"}
    with (
        nginx(tmp_path / "nginx", node.port, replacements=low_limit) as front,
        contextlib.ExitStack() as held,
    ):
        redirect_hosts(front)
        for _ in range(5):
            held.enter_context(raw(front, source="127.0.6.1")).sendall(BEGUN)
        same, other = (held.enter_context(closing(Visitor(front, f"127.0.6.{n}", AURORA))) for n in (1, 2))
        assert eventually(lambda: same.open("/").status_code == 429)
        assert other.open("/").status_code == 200
        held.close()
    node.stop()


@pytest.mark.browser
def test_browser_signs_in_over_tls(site):
    try:
        program = chromium.executable()
    except chromium.Missing as missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))
    rules = f"MAP {AURORA}:443 127.0.0.1:{site.tls}, MAP {AURORA}:80 127.0.0.1:{site.plain}"
    flags = [flag for flag in chromium._flags() if not flag.startswith("--host-resolver-rules")]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=[*flags, f"--host-resolver-rules={rules}"]
        )
        with contextlib.closing(browser):
            context = browser.new_context(ignore_https_errors=True)
            watch, page = chromium.Watch(context), context.new_page()
            page.goto(f"http://{AURORA}/sign-in/")
            assert page.url == f"https://{AURORA}/sign-in/"
            page.get_by_label("Email address").fill("alice@example.com")
            page.get_by_role("button", name="Email me a code").click()
            expect(page.get_by_label("Sign-in code")).to_be_visible()
            page.get_by_label("Sign-in code").fill(code_from(site.carrier, "alice@example.com"))
            page.get_by_role("button", name="Sign in", exact=True).click()
            expect(page.get_by_text("70001").first).to_be_visible()
            redis_server = {each["name"]: each for each in context.cookies()}
            assert watch.problems == []
    assert {"__Host-session"} <= set(redis_server)
    assert all(each["secure"] and each["httpOnly"] for each in redis_server.values())


LOGIN_URL = f"https://carrier.example/login?token={'a' * 7_864}"


def test_login_url_of_nearly_8000_characters_is_forwarded(tmp_path, redirect_hosts):
    assert len(LOGIN_URL) == 7_900
    head = f"HTTP/1.1 303 See Other\r\nLocation: {LOGIN_URL}\r\nContent-Length: 0\r\nConnection: close\r\n"
    policy = "Content-Security-Policy: form-action 'self' https://carrier.example; " + "x" * 1000
    node = Node(f"{head}{policy}\r\n\r\n".encode())
    with nginx(tmp_path / "nginx", node.port) as front:
        redirect_hosts(front)
        with closing(Visitor(front, "127.0.1.18", AURORA)) as alice:
            answer = alice.open("/account/open/")
    node.stop()
    assert (answer.status_code, answer.headers.get("Location")) == (303, LOGIN_URL)


def test_hundreds_of_the_longest_host_names_fit(tmp_path):
    names = [f"{nth:03d}{'n' * 60}.{'d' * 63}.{'e' * 63}.test" for nth in range(400)]
    ours = f"{AURORA} {BOREALIS}"
    with (
        nginx(tmp_path / "nginx", 9, replacements={ours: " ".join([ours, *names])}) as front,
        raw(front) as tls,
    ):
        tls.sendall(f"GET /readyz HTTP/1.1\r\nHost: {names[-1]}\r\nConnection: close\r\n\r\n".encode())
        assert tls.recv(12) == b"HTTP/1.1 404"


def test_access_log_shows_no_preview_token(tmp_path, redirect_hosts):
    node = Node(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    with nginx(tmp_path / "nginx", node.port) as front:
        redirect_hosts(front)
        with closing(Visitor(front, "127.0.1.19", ADMIN)) as olga:
            for path in ("/preview/CANARY/", "//preview/CANARY/light/visitor/", "/%70review/CANARY/x"):
                assert olga.open(path).status_code == 200
            olga.open("/preview/CANARY/", scheme="http")
            olga.open("/last/")
        logs = front.wait_for_log(f'"GET {ADMIN} /last/ HTTP/1.1" 200')
    node.stop()
    assert logs.count(f'"GET {ADMIN} /preview/... HTTP/1.1" 200') == 3
    assert "CANARY" not in logs


def tls_client(site: NginxServer, version: ssl.TLSVersion, suites: str = "") -> ssl.SSLContext:
    """A client that supports only this version of TLS, with these cipher suites."""
    context = ssl.create_default_context(cafile=str(site.folder / "fullchain.pem"))
    context.minimum_version = context.maximum_version = version
    if suites:
        context.set_ciphers(f"{suites}:@SECLEVEL=0")
    return context


@contextlib.contextmanager
def tls_connection(
    site: NginxServer, context: ssl.SSLContext, host: str = AURORA, session: ssl.SSLSession | None = None
) -> Iterator[ssl.SSLSocket]:
    """A TLS connection of this client."""
    with (
        socket.create_connection(("127.0.0.1", site.tls), PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname=host, session=session) as tls,
    ):
        yield tls


@pytest.mark.parametrize("host", [AURORA, ADMIN])
def test_weak_cipher_suites_are_refused(site, host):
    """CBC, ARIA, Camellia, CCM: all except AES-GCM and ChaCha20; and all without forward secrecy."""
    weak = tls_client(site, ssl.TLSVersion.TLSv1_2, "ALL:!AESGCM:!CHACHA20")
    assert len(weak.get_ciphers()) > 20
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"), tls_connection(site, weak, host):
        pass
    suites = re.search(r"ssl_ciphers (\S+);", (ROOT / "deploy" / "nginx.tls.conf").read_text())
    assert suites
    assert all(re.fullmatch(r"ECDHE-.+-(GCM-\w+|CHACHA20-POLY1305)", suite) for suite in suites[1].split(":"))


@pytest.mark.parametrize("host", [AURORA, ADMIN])
@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"])
def test_tls_1_2_browsers_are_served(site, host, suite):
    with tls_connection(site, tls_client(site, ssl.TLSVersion.TLSv1_2, suite), host) as tls:
        assert (tls.cipher() or [""])[0] == suite


@pytest.mark.parametrize("host", [AURORA, ADMIN])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_session_is_resumed(site, host, version):
    context, reused, session = tls_client(site, version), [], None
    for _ in range(2):
        with tls_connection(site, context, host, session) as tls:
            tls.sendall(f"GET /readyz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            while tls.recv(4096):
                pass
            session = tls.session
            reused.append(tls.session_reused)
            # Not a ticket, whose key would decrypt recorded traffic.
            assert version == ssl.TLSVersion.TLSv1_3 or not tls.session.has_ticket
    assert reused == [False, True]


@pytest.mark.parametrize("host", [AURORA, ADMIN])
def test_http_2_is_negotiated(site, host):
    context = tls_client(site, ssl.TLSVersion.TLSv1_3)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with tls_connection(site, context, host) as tls:
        assert tls.selected_alpn_protocol() == "h2"


@pytest.mark.parametrize("path", ["/sign-in/", "/nowhere/", "/healthz", "/static/css/portal.css"])
def test_every_response_of_the_portal_has_a_permissions_policy(visitor, path):
    assert "camera=()" in visitor("127.0.1.20").open(path).headers["Permissions-Policy"]


def test_systemd_unit_makes_the_checks_of_make_serve():
    unit = (ROOT / "deploy" / "portal@.service").read_text()
    started = re.search(
        r"^ExecStart=/usr/bin/env BIND=127.0.0.1:%i \.venv/bin/python (.+)$", unit, re.MULTILINE
    )
    assert started
    assert started[1] == "-m gunicorn -c portal/gunicorn.py portal.wsgi"
    recipe = (ROOT / "Makefile").read_text()
    for checked in re.findall(r"^ExecStartPre=\S+/python (.+)$", unit, re.MULTILINE):
        assert checked in recipe
