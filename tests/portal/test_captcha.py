"""Captchas: a forwarded token is never verified by us, a token of our own form exactly once."""

import json
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator

import pytest
from django.core import mail
from django.core.exceptions import ValidationError

from portal import captcha
from portal.captcha import CaptchaUnavailable, _is_valid
from portal.models import Attempt, Brand
from portal.monitoring.logging import TextFormatter
from portal.resilience import bulkhead
from portal.security.crypto import EncryptedSecret, encrypt
from portal.voipline import Timeouts, transport
from tests.conftest import AURORA, BOREALIS
from tests.support.customer_flow import DETAILS, at_once, code_for, send, sign_up_form, value_of, words
from tests.support.raw_server import Server, drip, http, threads_end
from tests.support.timeouts import PATIENCE, PATIENT, SLACK, eventually

pytestmark = pytest.mark.django_db
ALICE = "alice@example.com"
TEST_KEY = "6LeIxAcTAAAAAJcZVRqyHh71UMIEGNQ_MXjiZKhI"


@pytest.fixture
def own_captcha_brand(aurora, alice) -> Brand:
    """Aurora, whose sign-in form has a captcha that we verify."""
    aurora.recaptcha_secret_key = encrypt("aurora-secret-key")
    aurora.save()
    return aurora


def request_code(client, simulator, **changes: str):
    data = {"email": ALICE, "g-recaptcha-response": simulator.token(), **changes}
    return send(client, "/sign-in/", {name: value for name, value in data.items() if value})


@pytest.mark.parametrize(
    "token", ["plain-token-of-nobody", "  blanks around it\t", "Ünï-çødé-🎫", "a+b%20c&d=e\"<'>"]
)
def test_forwarded_token_arrives_byte_for_byte(aurora, simulator, browse, token):
    browse(AURORA).post("/sign-up/", sign_up_form(token))
    assert [call["fields"]["google_captcha"] for call in simulator.calls()] == [token]


def test_brand_with_a_secret_key_does_not_verify_forwarded_tokens(
    own_captcha_brand, alice, simulator, browse
):
    token = simulator.token
    send(browse(AURORA), "/sign-up/", sign_up_form(token()))
    confirmation = {"email": DETAILS["email"], "code": "X", "g-recaptcha-response": token()}
    send(browse(AURORA), "/sign-up/confirm/", confirmation)
    send(browse(AURORA), "/password-reset/", {"email": ALICE, "g-recaptcha-response": token()})
    send(browse(AURORA, alice), "/account/open/", {"g-recaptcha-response": token()})
    assert len(simulator.calls()) == 4
    assert simulator.listed("siteverify") == []


def test_own_form_verifies_its_token_once_without_a_carrier_call(own_captcha_brand, simulator, browse):
    token = simulator.token()
    response = request_code(browse(AURORA), simulator, **{"g-recaptcha-response": token})
    assert response["Location"] == "/sign-in/code/"
    (check,) = simulator.listed("siteverify")
    expected = {"secret": "aurora-secret-key", "response": token, "remoteip": "127.0.0.1", "success": True}
    assert check == expected
    assert simulator.calls() == []


@pytest.mark.parametrize("changes", [{"email": "alice"}, {"g-recaptcha-response": ""}])
def test_own_form_verifies_nothing_while_another_field_is_invalid(
    own_captcha_brand, simulator, browse, changes
):
    assert request_code(browse(AURORA), simulator, **changes).status_code == 200
    assert simulator.listed("siteverify") == []
    assert mail.outbox == []


def test_refused_token_of_own_form_sends_and_counts_nothing(own_captcha_brand, simulator, browse):
    simulator.fault("siteverify", "refuse")
    response = request_code(browse(AURORA), simulator)
    assert "Try it again" in response.context["form"].errors["captcha"][0]
    assert value_of(response, "email") == ALICE
    assert (mail.outbox, Attempt.objects.count()) == ([], 0)


@pytest.mark.parametrize(
    "fault", [("status", {"status": 500}), ("html", {}), ("slow", {"seconds": 5}), ("down", {})]
)
def test_unreachable_google_is_reported_on_the_page(
    own_captcha_brand, simulator, browse, settings, monkeypatch, fault
):
    monkeypatch.setattr("portal.captcha._TIMEOUTS", Timeouts(0.3, 0.3, 0.6))
    name, options = fault
    client = browse(AURORA)
    token = simulator.token()
    if name == "down":
        settings.RECAPTCHA_URL = "http://127.0.0.1:9/recaptcha"
    else:
        simulator.fault("siteverify", name, **options)
    response = request_code(client, simulator, **{"g-recaptcha-response": token})
    assert response.status_code == 503
    assert "security check isn't working right now" in words(response)
    assert response["Retry-After"] == "60"
    assert value_of(response, "email") == ALICE
    assert mail.outbox == []
    assert len(simulator.listed("siteverify")) <= 1


@pytest.mark.parametrize(
    "code", ["invalid-input-secret", "invalid-keys", "missing-input-secret", "bad-request"]
)
def test_configuration_error_is_not_reported_as_visitor_error(
    own_captcha_brand, google, browse, caplog, code
):
    body = json.dumps({"success": False, "error-codes": ["invalid-input-response", code]}).encode()
    google.handler = lambda conn: conn.sendall(http(body))
    response = send(
        browse(AURORA), "/sign-in/", {"email": ALICE, "g-recaptcha-response": "a-token-of-nobody"}
    )
    assert response.status_code == 503
    assert "security check isn't working right now" in words(response)
    assert mail.outbox == []
    [line] = [each for each in caplog.records if each.name == "portal.captcha"]
    assert line.levelname == "ERROR"
    assert code in line.error


def test_wrong_secret_key_is_a_configuration_error(own_captcha_brand, simulator, browse):
    Brand.objects.filter(pk=own_captcha_brand.pk).update(recaptcha_secret_key=encrypt("another"))
    assert request_code(browse(AURORA), simulator).status_code == 503


@pytest.mark.parametrize(
    ("host", "frames"),
    [
        ("www.google.com", "https://www.google.com https://recaptcha.google.com https://www.gstatic.com"),
        ("www.recaptcha.net", "https://www.recaptcha.net https://www.gstatic.com"),
    ],
)
def test_csp_allows_frames_of_the_recaptcha_host(aurora, browse, settings, host, frames):
    settings.RECAPTCHA_URL = f"https://{host}/recaptcha"
    policy = browse(AURORA).get("/sign-up/")["Content-Security-Policy"]
    assert f"frame-src {frames}" in policy.split("; ")


@pytest.fixture
def google(settings, monkeypatch) -> Iterator[Server]:
    """A server in place of Google; the portal waits at most a second for it."""
    monkeypatch.setattr(captcha, "_TIMEOUTS", Timeouts(0.5, 0.5, 1))
    monkeypatch.setattr(transport, "_slots", {})
    server = Server()
    settings.RECAPTCHA_URL = f"http://127.0.0.1:{server.port}/recaptcha"
    yield server
    server.close()


def verify(brand: Brand) -> bool:
    return captcha.verify(brand=brand, captcha_token="token", address="192.0.2.1", action="sign_in")


def fail_to_verify(brand: Brand) -> tuple[str, float]:
    """Return why Google could not be reached, and after how many seconds."""
    began = time.monotonic()
    with pytest.raises(CaptchaUnavailable) as caught:
        verify(brand)
    return str(caught.value), time.monotonic() - began


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_dripping_google_is_abandoned_at_timeout_for_40_visitors(own_captcha_brand, google, start):
    def answer(conn: socket.socket) -> None:
        conn.sendall(start)
        drip(conn, b"{" * 4000, google.over)  # Takes 200 seconds.

    google.handler = answer
    found = at_once(40, lambda _: fail_to_verify(own_captcha_brand))
    assert max(seconds for _, seconds in found) < SLACK
    assert bulkhead.CARRIERS.taken() == 0
    assert threads_end()


def test_hanging_dns_lookup_of_google_is_abandoned_in_time(own_captcha_brand, google, settings, monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(PATIENCE) and [])
    why, seconds = fail_to_verify(own_captcha_brand)
    over.set()
    assert "time" in why
    assert seconds < SLACK
    assert bulkhead.CARRIERS.taken() == 0
    assert threads_end()


def test_endless_google_response_is_abandoned_after_a_mebibyte(own_captcha_brand, google, monkeypatch):
    monkeypatch.setattr(captcha, "_TIMEOUTS", PATIENT)

    def endless(conn: socket.socket) -> None:
        conn.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(600):
            conn.sendall(b" " * 1024 * 1024)

    google.handler = endless
    tracemalloc.start()
    why, _ = fail_to_verify(own_captcha_brand)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "1 MiB" in why
    assert peak < 12_000_000


@pytest.mark.parametrize(
    "answer",
    [
        http(b"[" * 100_000),
        http(b"[]"),
        http(b'{"success": "true"}'),
        http(b"", "302 Found", "Location: http://127.0.0.1:9/"),
        http(b'{"success": true}', "500 No"),
    ],
)
def test_undocumented_google_response_counts_as_unavailable(own_captcha_brand, google, answer):
    google.handler = lambda conn: conn.sendall(answer)
    fail_to_verify(own_captcha_brand)
    assert google.connections == 1


def test_hanging_captcha_checks_do_not_block_another_brand(own_captcha_brand, borealis, google, monkeypatch):
    monkeypatch.setattr(captcha, "_TIMEOUTS", PATIENT)
    monkeypatch.setattr(transport, "MAX_IN_FLIGHT", 1)
    borealis.recaptcha_secret_key = encrypt("borealis-secret-key")

    def answer(conn: socket.socket) -> None:
        if b"aurora" in google.received[-1]:
            google.over.wait(PATIENCE)
        conn.sendall(http(b'{"success": false}'))

    google.handler = answer
    hanging = threading.Thread(target=verify, args=(own_captcha_brand,))
    hanging.start()
    assert eventually(lambda: google.received)
    assert "too many" in fail_to_verify(own_captcha_brand)[0]
    assert verify(borealis) is False
    google.over.set()
    hanging.join()


def test_unreadable_secret_key_shows_an_error_page(own_captcha_brand, simulator, browse):
    Brand.objects.update(recaptcha_secret_key=EncryptedSecret("gibberish"))
    assert request_code(browse(AURORA), simulator).status_code == 503
    assert simulator.listed("siteverify") == []


def test_own_form_sent_twice_verifies_once_and_sends_one_code(own_captcha_brand, simulator, browse):
    client, token = browse(AURORA), simulator.token()
    for _ in range(2):
        assert (
            request_code(client, simulator, **{"g-recaptcha-response": token})["Location"] == "/sign-in/code/"
        )
    assert len(simulator.listed("siteverify")) == len(mail.outbox) == 1
    assert send(client, "/sign-in/code/", {"code": code_for(ALICE)})["Location"] == "/"


@pytest.mark.parametrize(
    ("kind", "response", "good"),
    [
        ("v2-checkbox", {}, True),
        ("v2-checkbox", {"hostname": AURORA}, True),
        ("v2-checkbox", {"hostname": "second.aurora.test"}, True),
        ("v2-checkbox", {"hostname": AURORA.upper()}, True),
        ("v2-checkbox", {"hostname": BOREALIS}, False),
        ("v2-checkbox", {"hostname": f"{AURORA}.evil.example"}, False),
        ("v2-checkbox", {"hostname": ""}, False),
        ("v2-checkbox", {"hostname": None}, False),
        ("v2-checkbox", {"score": 0.4}, False),
        ("v3", {"score": 0.5, "action": "sign_in"}, True),
        ("v3", {"score": 0.4, "action": "sign_in"}, False),
        ("v3", {"score": 0.9, "action": "sign_up"}, False),
        ("v3", {"score": 0.9}, False),
        ("v3", {"action": "sign_in"}, False),
        ("v3", {"score": "much", "action": "sign_in"}, False),
    ],
)
def test_google_response_must_match_brand_form_and_score(own_captcha_brand, borealis, kind, response, good):
    own_captcha_brand.hosts.create(host="second.aurora.test", position=1)
    own_captcha_brand.recaptcha_kind = kind
    assert _is_valid(own_captcha_brand, {"success": True, **response}, "sign_in") is good


@pytest.mark.parametrize(
    ("solved", "why"),
    [
        ({"hostname": "phishing.example"}, "solved on another site"),
        ({"action": "sign_up"}, "solved for another form"),
    ],
)
def test_token_of_another_site_sends_nothing_and_is_not_logged(
    own_captcha_brand, simulator, browse, caplog, solved, why
):
    partner = {"key": "aurora-api-key", "name": "Aurora", "site_key": "aurora-site-key", "captcha_kind": "v3"}
    simulator.post("seed", partners=[{**partner, "secret_key": "aurora-secret-key"}])
    own_captcha_brand.recaptcha_kind = "v3"
    own_captcha_brand.save()
    good, bad = simulator.token(), simulator.token(**solved)
    response = request_code(browse(AURORA), simulator, captcha=bad)  # The field name of a v3 widget.
    assert "Try it again" in response.context["form"].errors["captcha"][0]
    assert mail.outbox == []
    (line,) = [TextFormatter().format(record) for record in caplog.records if record.name == "portal.captcha"]
    assert why in line
    assert bad not in line
    request_code(browse(AURORA), simulator, captcha=good)
    assert len(mail.outbox) == 1


def test_sign_in_has_no_captcha_without_a_secret_key(aurora, simulator, browse):
    page = browse(AURORA).get("/sign-in/").content.decode()
    assert "data-sitekey" not in page
    assert "api.js" not in page


def test_each_brand_shows_its_own_site_key(aurora, borealis, browse):
    for host, own, other in ((AURORA, "aurora", "borealis"), (BOREALIS, "borealis", "aurora")):
        page = browse(host).get("/sign-up/").content.decode()
        assert f'data-sitekey="{own}-site-key"' in page
        assert f"{other}-site-key" not in page


@pytest.mark.parametrize("kind", ["v2-checkbox", "v2-invisible", "v3"])
def test_page_with_a_captcha_loads_google_script_by_nonce_only(aurora, browse, kind):
    aurora.recaptcha_kind = kind
    aurora.save()
    response = browse(AURORA).get("/sign-up/")
    page = response.content.decode()
    nonce = page.partition('nonce="')[2].partition('"')[0]
    assert f"script-src 'nonce-{nonce}' 'strict-dynamic'" in response["Content-Security-Policy"] or (
        f"script-src 'strict-dynamic' 'nonce-{nonce}'" in response["Content-Security-Policy"]
    )
    assert ("render=aurora-site-key" if kind == "v3" else "render=explicit") in page
    assert "<noscript>" in page


def test_google_test_key_is_refused_when_debug_is_off(make_brand, settings):
    brand = make_brand("aurora", AURORA, recaptcha_site_key=TEST_KEY)
    with pytest.raises(ValidationError, match="public test key"):
        brand.full_clean(exclude=["carrier_key", "recaptcha_secret_key"])
    settings.DEBUG = True
    brand.clean_fields(exclude=["carrier_key", "recaptcha_secret_key"])


def test_system_check_names_a_brand_with_google_test_key(make_brand):
    from portal.checks import brands_are_usable

    make_brand("aurora", AURORA, recaptcha_site_key=TEST_KEY)
    assert any("aurora" in check.msg and "test key" in check.msg for check in brands_are_usable(["default"]))
