"""Account takeover: another browser, brand or email, or a confused carrier, gives no access."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.core import mail

from accounts.models import User
from portal.models import Brand
from tests.conftest import AURORA, BOREALIS
from tests.support.customer_flow import carrier_code, send, sign_in, sign_up_form, words

pytestmark = pytest.mark.django_db
DORA = "dora@example.com"


class AlwaysSuccess(BaseHTTPRequestHandler):
    """A carrier that answers success to everything, with the data of one customer."""

    data: dict[str, str] = {}

    def do_POST(self) -> None:
        body = json.dumps({"code": 200, "data": self.data}).encode()
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def connect_to_permissive_carrier() -> Iterator[Callable[..., None]]:
    """Connect a brand to a carrier that answers 200 to everything, always with these data."""
    servers = []

    def connect(brand: Brand, **data: str) -> None:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Nod", (AlwaysSuccess,), {"data": data}))
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        brand.carrier_url = f"http://127.0.0.1:{server.server_port}/api/"
        brand.save()

    yield connect
    for server in servers:
        server.shutdown()
        server.server_close()


def confirm(client: Any, email: str, code: str = "ANY") -> Any:
    data = {"email": email, "code": code, "g-recaptcha-response": f"a-token-for-{email}-{code}"}
    return send(client, "/sign-up/confirm/", data)


def is_signed_in(client: Any) -> bool:
    return client.get("/statement/").status_code != 302


def test_permissive_carrier_gives_no_access(aurora, alice, bob, browse, connect_to_permissive_carrier):
    connect_to_permissive_carrier(aurora, account_number="70002", url="https://evil.example/")
    visitor = browse(AURORA)
    for email in (alice.email, "nobody@example.com"):
        confirm(visitor, email)
        send(visitor, "/sign-up/", sign_up_form(f"a-token-to-sign-up-{email}", email=email))
        send(visitor, "/password-reset/", {"email": email, "g-recaptcha-response": f"a-reset-token-{email}"})
        send(visitor, "/sign-in/code/", {"code": "12345678"})
        assert not is_signed_in(visitor)
    alice.refresh_from_db()
    assert (alice.account_number, alice.first_name) == ("70001", "Alice")
    assert alice.refused_account_number == "70002"
    assert {to for message in mail.outbox for to in message.to} == {alice.email, "nobody@example.com"}


def test_permissive_carrier_cannot_redirect_to_another_host(
    aurora, alice, browse, connect_to_permissive_carrier
):
    connect_to_permissive_carrier(aurora, url="https://evil.example/")
    response = send(browse(AURORA, alice), "/account/open/", {"g-recaptcha-response": "a-token-of-nobody"})
    assert (response.status_code, response.get("Location")) == (503, None)


@pytest.mark.parametrize("echo", ["account_number", "email"])
def test_response_about_another_customer_is_invalid(
    aurora, alice, browse, connect_to_permissive_carrier, echo
):
    connect_to_permissive_carrier(
        aurora,
        **{
            "url": "https://au.voipcloud.online/x",
            "account_number": "70001",
            "email": alice.email,
            echo: "other",
        },
    )
    aurora.overrides.create(method="login_via_url", parameters={"email": "email"})
    response = send(browse(AURORA, alice), "/account/open/", {"g-recaptcha-response": "a-token-of-nobody"})
    assert response.status_code == 503


def test_account_number_of_another_customer_is_refused_and_reported(
    aurora, bob, simulator, make_customer, browse, caplog
):
    make_customer(aurora, "holder@example.com", "90001")
    client = browse(AURORA)
    send(client, "/sign-up/", sign_up_form(simulator.token()))
    sign_in(client, DORA)
    dora = User.objects.get(email=DORA)
    assert (dora.account_number, dora.refused_account_number) == ("", "90001")
    assert "account number not taken over" in caplog.text
    page = client.get("/account/open/")
    assert page.status_code == 409
    assert "There's a problem with your account number" in words(page)
    assert "help@aurora.example" in words(page)
    assert "90001" not in words(page)
    assert simulator.calls("login_via_url") == []


def test_same_account_number_at_another_brand_is_no_conflict(
    aurora, borealis, simulator, make_customer, browse
):
    make_customer(borealis, "holder@example.com", "90001")
    client = browse(AURORA)
    send(client, "/sign-up/", sign_up_form(simulator.token()))
    sign_in(client, DORA)
    assert User.objects.get(email=DORA, brand=aurora).account_number == "90001"


def test_known_account_number_is_never_overwritten(aurora, simulator, make_customer, browse, caplog):
    user = make_customer(aurora, DORA, "777")
    send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token()))
    user.refresh_from_db()
    assert (user.account_number, user.refused_account_number) == ("777", "90001")
    assert "account number not taken over" in caplog.text


def test_two_pending_account_numbers_do_not_replace_each_other(
    aurora, make_customer, browse, connect_to_permissive_carrier
):
    user = make_customer(aurora, DORA, verified_at=None, offered_account_number="90001")
    connect_to_permissive_carrier(aurora, account_number="70001")
    confirm(browse(AURORA), DORA)
    user.refresh_from_db()
    assert (user.offered_account_number, user.refused_account_number) == ("90001", "70001")


def test_very_long_account_number_causes_no_error(
    aurora, make_customer, browse, connect_to_permissive_carrier
):
    user = make_customer(aurora, DORA)
    connect_to_permissive_carrier(aurora, account_number="9" * 400)
    assert confirm(browse(AURORA), DORA).status_code == 302
    user.refresh_from_db()
    assert user.account_number == ""
    assert user.refused_account_number


def test_confirming_the_email_of_another_customer_gives_no_access(aurora, simulator, browse):
    send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token()))
    visitor = browse(AURORA)
    data = {"email": DORA, "code": carrier_code(simulator, DORA), "g-recaptcha-response": simulator.token()}
    assert send(visitor, "/sign-up/confirm/", data)["Location"] == "/sign-in/code/"
    assert not is_signed_in(visitor)
    owner = browse(AURORA)
    sign_in(owner, DORA)
    assert is_signed_in(owner)
    assert not is_signed_in(visitor)


def test_sign_up_with_the_email_of_another_customer_shows_nothing(aurora, simulator, browse):
    visitor, owner = browse(AURORA), browse(AURORA)
    send(visitor, "/sign-up/", sign_up_form(simulator.token()))
    sign_in(owner, DORA)
    assert is_signed_in(owner)
    assert not is_signed_in(visitor)
    for path in ("/", "/account/open/", "/statement/", "/sign-up/confirm/"):
        assert "90001" not in words(visitor.get(path))


def test_customer_of_one_brand_has_no_access_at_the_other(aurora, borealis, alice, charlie, browse):
    client = browse(BOREALIS)
    send(client, "/sign-in/", {"email": alice.email})
    assert "no account" in mail.outbox[0].body
    assert "borealis.test" in mail.outbox[0].body
    assert "aurora" not in mail.outbox[0].body.lower()
    assert mail.outbox[0].from_email == "Borealis Phone <no-reply@borealis.example>"


def test_captcha_token_used_at_one_brand_is_unknown_at_the_other(aurora, borealis, simulator, browse):
    token = simulator.token()
    send(browse(AURORA), "/sign-up/", sign_up_form(token))
    response = send(browse(BOREALIS), "/sign-up/", sign_up_form(token))
    assert response.status_code == 200
    assert not User.objects.filter(brand=borealis).exists()


@pytest.mark.parametrize("host", ["evil.test", "aurora.test.evil.test", "", "aurora.test:x"])
def test_unknown_host_is_refused_and_no_email_is_sent(aurora, alice, browse, host):
    assert send(browse(host), "/sign-in/", {"email": alice.email}).status_code == 400
    assert mail.outbox == []


def test_links_in_emails_use_the_first_host_of_the_brand(aurora, alice, browse):
    aurora.hosts.create(host="second.test", position=1)
    client = browse("second.test")
    send(client, "/sign-in/", {"email": alice.email}, **{"x-forwarded-host": "evil.test"})
    assert "https://aurora.test/" in mail.outbox[0].body
    assert "evil" not in mail.outbox[0].body
    assert "second" not in mail.outbox[0].body


def test_staff_cannot_sign_in_on_a_brand_host(aurora, operator, browse):
    send(browse(AURORA), "/sign-in/", {"email": operator.email})
    assert "no account" in mail.outbox[0].body
