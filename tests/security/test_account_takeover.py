"""Another browser, brand or address, a confused carrier: nobody gets in, nothing is overwritten."""

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


class Nodder(BaseHTTPRequestHandler):
    """A carrier that says yes to everything, with the same customer's data."""

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
def nodding() -> Iterator[Callable[..., None]]:
    """Connects a brand to a carrier that answers 200 to everything, always with these data."""
    servers = []

    def connect(brand: Brand, **data: str) -> None:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Nod", (Nodder,), {"data": data}))
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


def is_in(client: Any) -> bool:
    return client.get("/statement/").status_code != 302


def test_a_carrier_that_nods_at_everything_opens_nothing_for_anybody(aurora, alice, bob, browse, nodding):
    nodding(aurora, account_number="70002", url="https://evil.example/")
    stranger = browse(AURORA)
    for email in (alice.email, "nobody@example.com"):
        confirm(stranger, email)
        send(stranger, "/sign-up/", sign_up_form(f"a-token-to-sign-up-{email}", email=email))
        send(stranger, "/password-reset/", {"email": email, "g-recaptcha-response": f"a-reset-token-{email}"})
        send(stranger, "/sign-in/code/", {"code": "12345678"})
        assert not is_in(stranger)
    alice.refresh_from_db()
    assert (alice.account_number, alice.first_name) == ("70001", "Alice")
    assert alice.refused_account_number == "70002"
    assert {to for message in mail.outbox for to in message.to} == {alice.email, "nobody@example.com"}


def test_a_nodding_carrier_cannot_send_a_customer_to_a_strange_host(aurora, alice, browse, nodding):
    nodding(aurora, url="https://evil.example/")
    response = send(browse(AURORA, alice), "/account/open/", {"g-recaptcha-response": "a-token-of-nobody"})
    assert (response.status_code, response.get("Location")) == (503, None)


@pytest.mark.parametrize("echo", ["account_number", "email"])
def test_an_answer_about_somebody_else_is_no_answer(aurora, alice, browse, nodding, echo):
    nodding(
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


def test_an_account_number_of_another_customer_is_refused_listed_logged_and_told(
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
    assert "does not fit our records" in words(page)
    assert "help@aurora.example" in words(page)
    assert "90001" not in words(page)
    assert simulator.calls("login_via_url") == []


def test_the_same_account_number_at_another_brand_is_no_conflict(
    aurora, borealis, simulator, make_customer, browse
):
    make_customer(borealis, "holder@example.com", "90001")
    client = browse(AURORA)
    send(client, "/sign-up/", sign_up_form(simulator.token()))
    sign_in(client, DORA)
    assert User.objects.get(email=DORA, brand=aurora).account_number == "90001"


def test_a_known_account_number_is_never_overwritten(aurora, simulator, make_customer, browse, caplog):
    user = make_customer(aurora, DORA, "777")
    send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token()))
    user.refresh_from_db()
    assert (user.account_number, user.refused_account_number) == ("777", "90001")
    assert "account number not taken over" in caplog.text


def test_two_different_offers_before_the_first_sign_in_do_not_replace_each_other(
    aurora, make_customer, browse, nodding
):
    user = make_customer(aurora, DORA, verified_at=None, offered_account_number="90001")
    nodding(aurora, account_number="70001")
    confirm(browse(AURORA), DORA)
    user.refresh_from_db()
    assert (user.offered_account_number, user.refused_account_number) == ("90001", "70001")


def test_an_absurdly_long_account_number_breaks_nothing(aurora, make_customer, browse, nodding):
    user = make_customer(aurora, DORA)
    nodding(aurora, account_number="9" * 400)
    assert confirm(browse(AURORA), DORA).status_code == 302
    user.refresh_from_db()
    assert user.account_number == ""
    assert user.refused_account_number


def test_a_confirmation_by_somebody_else_gives_the_confirmer_nothing(aurora, simulator, browse):
    send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token()))
    stranger = browse(AURORA)
    data = {"email": DORA, "code": carrier_code(simulator, DORA), "g-recaptcha-response": simulator.token()}
    assert send(stranger, "/sign-up/confirm/", data)["Location"] == "/sign-in/code/"
    assert not is_in(stranger)
    owner = browse(AURORA)
    sign_in(owner, DORA)
    assert is_in(owner)
    assert not is_in(stranger)


def test_who_signs_up_with_anothers_address_sees_nothing_of_the_account(aurora, simulator, browse):
    stranger, owner = browse(AURORA), browse(AURORA)
    send(stranger, "/sign-up/", sign_up_form(simulator.token()))
    sign_in(owner, DORA)
    assert is_in(owner)
    assert not is_in(stranger)
    for path in ("/", "/account/open/", "/statement/", "/sign-up/confirm/"):
        assert "90001" not in words(stranger.get(path))


def test_an_address_of_one_brand_opens_nothing_at_the_other(aurora, borealis, alice, charlie, browse):
    client = browse(BOREALIS)
    send(client, "/sign-in/", {"email": alice.email})
    assert "no account" in mail.outbox[0].body
    assert "borealis.test" in mail.outbox[0].body
    assert "aurora" not in mail.outbox[0].body.lower()
    assert mail.outbox[0].from_email == "Borealis Phone <no-reply@borealis.example>"


def test_a_token_spent_at_one_brand_says_nothing_at_the_other(aurora, borealis, simulator, browse):
    token = simulator.token()
    send(browse(AURORA), "/sign-up/", sign_up_form(token))
    response = send(browse(BOREALIS), "/sign-up/", sign_up_form(token))
    assert response.status_code == 200
    assert not User.objects.filter(brand=borealis).exists()


@pytest.mark.parametrize("host", ["evil.test", "aurora.test.evil.test", "", "aurora.test:x"])
def test_an_unknown_host_gets_nothing_and_no_mail_is_sent(aurora, alice, browse, host):
    assert send(browse(host), "/sign-in/", {"email": alice.email}).status_code == 400
    assert mail.outbox == []


def test_links_in_mails_name_the_brands_first_host_whatever_the_request_says(aurora, alice, browse):
    aurora.hosts.create(host="second.test", position=1)
    client = browse("second.test")
    send(client, "/sign-in/", {"email": alice.email}, **{"x-forwarded-host": "evil.test"})
    assert "https://aurora.test/" in mail.outbox[0].body
    assert "evil" not in mail.outbox[0].body
    assert "second" not in mail.outbox[0].body


def test_staff_cannot_sign_in_on_a_brands_host(aurora, operator, browse):
    send(browse(AURORA), "/sign-in/", {"email": operator.email})
    assert "no account" in mail.outbox[0].body
