"""The captcha: a forwarded token is never verified here, a token of our own form exactly once."""

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
from portal.captcha import CaptchaUnavailable, _is_good
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
def guarded(aurora, alice) -> Brand:
    """Aurora, whose sign-in form carries a captcha of its own."""
    aurora.recaptcha_secret_key = encrypt("aurora-secret-key")
    aurora.save()
    return aurora


def ask(client, simulator, **changes: str):
    data = {"email": ALICE, "g-recaptcha-response": simulator.token(), **changes}
    return send(client, "/sign-in/", {name: value for name, value in data.items() if value})


@pytest.mark.parametrize(
    "token", ["plain-token-of-nobody", "  blanks around it\t", "Ünï-çødé-🎫", "a+b%20c&d=e\"<'>"]
)
def test_a_forwarded_token_arrives_byte_for_byte(aurora, simulator, browse, token):
    browse(AURORA).post("/sign-up/", sign_up_form(token))
    assert [call["fields"]["google_captcha"] for call in simulator.calls()] == [token]


def test_a_brand_with_a_secret_key_still_verifies_no_forwarded_token(guarded, alice, simulator, browse):
    token = simulator.token
    send(browse(AURORA), "/sign-up/", sign_up_form(token()))
    confirmation = {"email": DETAILS["email"], "code": "X", "g-recaptcha-response": token()}
    send(browse(AURORA), "/sign-up/confirm/", confirmation)
    send(browse(AURORA), "/password-reset/", {"email": ALICE, "g-recaptcha-response": token()})
    send(browse(AURORA, alice), "/account/open/", {"g-recaptcha-response": token()})
    assert len(simulator.calls()) == 4
    assert simulator.listed("siteverify") == []


def test_our_own_form_verifies_its_token_once_and_tells_the_carrier_nothing(guarded, simulator, browse):
    token = simulator.token()
    response = ask(browse(AURORA), simulator, **{"g-recaptcha-response": token})
    assert response["Location"] == "/sign-in/code/"
    (check,) = simulator.listed("siteverify")
    expected = {"secret": "aurora-secret-key", "response": token, "remoteip": "127.0.0.1", "success": True}
    assert check == expected
    assert simulator.calls() == []


@pytest.mark.parametrize("changes", [{"email": "alice"}, {"g-recaptcha-response": ""}])
def test_our_own_form_verifies_nothing_while_another_field_is_wrong(guarded, simulator, browse, changes):
    assert ask(browse(AURORA), simulator, **changes).status_code == 200
    assert simulator.listed("siteverify") == []
    assert mail.outbox == []


def test_a_refused_token_of_our_own_form_mails_and_counts_nothing(guarded, simulator, browse):
    simulator.fault("siteverify", "refuse")
    response = ask(browse(AURORA), simulator)
    assert "do it again" in response.context["form"].errors["captcha"][0]
    assert value_of(response, "email") == ALICE
    assert (mail.outbox, Attempt.objects.count()) == ([], 0)


@pytest.mark.parametrize(
    "fault", [("status", {"status": 500}), ("html", {}), ("slow", {"seconds": 5}), ("down", {})]
)
def test_when_google_cannot_be_asked_the_page_says_so(
    guarded, simulator, browse, settings, monkeypatch, fault
):
    monkeypatch.setattr("portal.captcha._TIMEOUTS", Timeouts(0.3, 0.3, 0.6))
    name, options = fault
    client = browse(AURORA)
    token = simulator.token()
    if name == "down":
        settings.RECAPTCHA_URL = "http://127.0.0.1:9/recaptcha"
    else:
        simulator.fault("siteverify", name, **options)
    response = ask(client, simulator, **{"g-recaptcha-response": token})
    assert response.status_code == 503
    assert "security check does not work at the moment" in words(response)
    assert response["Retry-After"] == "60"
    assert value_of(response, "email") == ALICE
    assert mail.outbox == []
    assert len(simulator.listed("siteverify")) <= 1


@pytest.mark.parametrize(
    "code", ["invalid-input-secret", "invalid-keys", "missing-input-secret", "bad-request"]
)
def test_a_fault_of_ours_is_not_the_visitors(guarded, google, browse, caplog, code):
    body = json.dumps({"success": False, "error-codes": ["invalid-input-response", code]}).encode()
    google.handler = lambda conn: conn.sendall(http(body))
    response = send(
        browse(AURORA), "/sign-in/", {"email": ALICE, "g-recaptcha-response": "a-token-of-nobody"}
    )
    assert response.status_code == 503
    assert "security check does not work at the moment" in words(response)
    assert mail.outbox == []
    [line] = [each for each in caplog.records if each.name == "portal.captcha"]
    assert line.levelname == "ERROR"
    assert code in line.error


def test_a_wrong_secret_key_is_our_fault(guarded, simulator, browse):
    Brand.objects.filter(pk=guarded.pk).update(recaptcha_secret_key=encrypt("another"))
    assert ask(browse(AURORA), simulator).status_code == 503


@pytest.mark.parametrize(
    ("host", "frames"),
    [
        ("www.google.com", "https://www.google.com https://recaptcha.google.com https://www.gstatic.com"),
        ("www.recaptcha.net", "https://www.recaptcha.net https://www.gstatic.com"),
    ],
)
def test_googles_challenges_may_be_shown_where_they_come_from_it(aurora, browse, settings, host, frames):
    settings.RECAPTCHA_URL = f"https://{host}/recaptcha"
    policy = browse(AURORA).get("/sign-up/")["Content-Security-Policy"]
    assert f"frame-src {frames}" in policy.split("; ")


@pytest.fixture
def google(settings, monkeypatch) -> Iterator[Server]:
    """Answers in Google's stead, as the test says; the portal has a second's patience."""
    monkeypatch.setattr(captcha, "_TIMEOUTS", Timeouts(0.5, 0.5, 1))
    monkeypatch.setattr(transport, "_slots", {})
    server = Server()
    settings.RECAPTCHA_URL = f"http://127.0.0.1:{server.port}/recaptcha"
    yield server
    server.close()


def verified(brand: Brand) -> bool:
    return captcha.verify(brand=brand, token="token", address="192.0.2.1", action="sign_in")


def unavailable(brand: Brand) -> tuple[str, float]:
    """Why Google could not be asked, and after how many seconds that was said."""
    began = time.monotonic()
    with pytest.raises(CaptchaUnavailable) as caught:
        verified(brand)
    return str(caught.value), time.monotonic() - began


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_forty_visitors_hold_nothing_once_the_time_of_a_google_that_drips_is_up(guarded, google, start):
    def answer(conn: socket.socket) -> None:
        conn.sendall(start)
        drip(conn, b"{" * 4000, google.over)  # Takes 200 seconds.

    google.handler = answer
    found = at_once(40, lambda _: unavailable(guarded))
    assert max(seconds for _, seconds in found) < SLACK
    assert bulkhead.CARRIERS.taken() == 0
    assert threads_end()


def test_a_google_whose_name_is_not_found_out_holds_nobody(guarded, google, settings, monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(PATIENCE) and [])
    why, seconds = unavailable(guarded)
    over.set()
    assert "time" in why
    assert seconds < SLACK
    assert bulkhead.CARRIERS.taken() == 0
    assert threads_end()


def test_an_answer_of_google_without_end_is_left_after_a_mebibyte(guarded, google, monkeypatch):
    monkeypatch.setattr(captcha, "_TIMEOUTS", PATIENT)

    def endless(conn: socket.socket) -> None:
        conn.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(600):
            conn.sendall(b" " * 1024 * 1024)

    google.handler = endless
    tracemalloc.start()
    why, _ = unavailable(guarded)
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
def test_an_answer_that_is_not_as_documented_says_nothing_about_the_visitor(guarded, google, answer):
    google.handler = lambda conn: conn.sendall(answer)
    unavailable(guarded)
    assert google.connections == 1


def test_a_brand_whose_checks_hang_takes_no_place_of_another_brand(guarded, borealis, google, monkeypatch):
    monkeypatch.setattr(captcha, "_TIMEOUTS", PATIENT)
    monkeypatch.setattr(transport, "MAX_IN_FLIGHT", 1)
    borealis.recaptcha_secret_key = encrypt("borealis-secret-key")

    def answer(conn: socket.socket) -> None:
        if b"aurora" in google.received[-1]:
            google.over.wait(PATIENCE)
        conn.sendall(http(b'{"success": false}'))

    google.handler = answer
    hanging = threading.Thread(target=verified, args=(guarded,))
    hanging.start()
    assert eventually(lambda: google.received)
    assert "too many" in unavailable(guarded)[0]
    assert verified(borealis) is False
    google.over.set()
    hanging.join()


def test_a_secret_key_that_cannot_be_read_is_an_honest_page(guarded, simulator, browse):
    Brand.objects.update(recaptcha_secret_key=EncryptedSecret("gibberish"))
    assert ask(browse(AURORA), simulator).status_code == 503
    assert simulator.listed("siteverify") == []


def test_our_own_form_sent_twice_verifies_once_and_mails_one_code_that_works(guarded, simulator, browse):
    client, token = browse(AURORA), simulator.token()
    for _ in range(2):
        assert ask(client, simulator, **{"g-recaptcha-response": token})["Location"] == "/sign-in/code/"
    assert len(simulator.listed("siteverify")) == len(mail.outbox) == 1
    assert send(client, "/sign-in/code/", {"code": code_for(ALICE)})["Location"] == "/"


@pytest.mark.parametrize(
    ("kind", "told", "good"),
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
def test_google_s_answer_counts_only_for_this_brand_this_form_and_a_person(
    guarded, borealis, kind, told, good
):
    guarded.hosts.create(host="second.aurora.test", position=1)
    guarded.recaptcha_kind = kind
    assert _is_good(guarded, {"success": True, **told}, "sign_in") is good


@pytest.mark.parametrize(
    ("solved", "why"),
    [
        ({"hostname": "phishing.example"}, "solved on another site"),
        ({"action": "sign_up"}, "solved for another form"),
    ],
)
def test_a_token_solved_elsewhere_mails_nothing_and_is_logged_without_itself(
    guarded, simulator, browse, caplog, solved, why
):
    partner = {"key": "aurora-api-key", "name": "Aurora", "site_key": "aurora-site-key", "captcha_kind": "v3"}
    simulator.post("seed", partners=[{**partner, "secret_key": "aurora-secret-key"}])
    guarded.recaptcha_kind = "v3"
    guarded.save()
    good, bad = simulator.token(), simulator.token(**solved)
    response = ask(browse(AURORA), simulator, captcha=bad)  # As the field of a v3 widget is called.
    assert "do it again" in response.context["form"].errors["captcha"][0]
    assert mail.outbox == []
    (told,) = [TextFormatter().format(record) for record in caplog.records if record.name == "portal.captcha"]
    assert why in told
    assert bad not in told
    ask(browse(AURORA), simulator, captcha=good)
    assert len(mail.outbox) == 1


def test_without_a_secret_key_the_sign_in_has_no_captcha(aurora, simulator, browse):
    page = browse(AURORA).get("/sign-in/").content.decode()
    assert "data-sitekey" not in page
    assert "api.js" not in page


def test_each_brand_shows_its_own_site_key(aurora, borealis, browse):
    for host, own, other in ((AURORA, "aurora", "borealis"), (BOREALIS, "borealis", "aurora")):
        page = browse(host).get("/sign-up/").content.decode()
        assert f'data-sitekey="{own}-site-key"' in page
        assert f"{other}-site-key" not in page


@pytest.mark.parametrize("kind", ["v2-checkbox", "v2-invisible", "v3"])
def test_a_page_with_a_captcha_loads_googles_script_by_nonce_alone(aurora, browse, kind):
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


def test_googles_test_key_is_refused_when_debug_is_off(make_brand, settings):
    brand = make_brand("aurora", AURORA, recaptcha_site_key=TEST_KEY)
    with pytest.raises(ValidationError, match="public test key"):
        brand.full_clean(exclude=["carrier_key", "recaptcha_secret_key"])
    settings.DEBUG = True
    brand.clean_fields(exclude=["carrier_key", "recaptcha_secret_key"])


def test_the_start_check_names_a_brand_with_googles_test_key(make_brand):
    from portal.checks import brands_are_usable

    make_brand("aurora", AURORA, recaptcha_site_key=TEST_KEY)
    assert any("aurora" in check.msg and "test key" in check.msg for check in brands_are_usable(["default"]))
