"""Abuse of public forms: what an anonymous visitor may try and must not achieve."""

import pytest
from django.core import mail

from accounts.models import User
from portal.core import validators
from portal.web.client_ip import network
from tests.conftest import ADMIN, AURORA
from tests.support.customer_flow import carrier_code, code_for, send, sign_up_form, words

pytestmark = pytest.mark.django_db
DORA = "dora@example.com"


def sign_in(client, email):
    send(client, "/sign-in/", {"email": email})
    return send(client, "/sign-in/code/", {"code": code_for(email)})


@pytest.mark.parametrize("field", ["first_name", "last_name", "company_name"])
def test_name_with_line_breaks_is_refused_before_any_call(aurora, simulator, browse, field):
    evil = sign_up_form(simulator.token()) | {field: "customer,\n\nYour account is suspended. Unlock it:"}
    answer = send(browse(AURORA), "/sign-up/", evil)
    assert "one line" in words(answer)
    assert simulator.calls() == []


def test_anonymous_input_never_appears_in_emails_of_the_brand(aurora, simulator, browse):
    evil = sign_up_form(simulator.token()) | {"first_name": "Win at https://evil.example"}
    assert send(browse(AURORA), "/sign-up/", evil).status_code == 302
    send(browse(AURORA), "/sign-in/", {"email": DORA})
    assert "evil.example" not in mail.outbox[-1].body


def test_account_number_of_another_sign_up_needs_sign_in_and_warning(
    aurora, simulator, browse, make_customer
):
    dora = make_customer(aurora, DORA)
    customer = browse(AURORA, dora)
    attacker = browse(AURORA, REMOTE_ADDR="10.9.9.9")
    assert send(attacker, "/sign-up/", sign_up_form(simulator.token())).status_code == 302
    dora.refresh_from_db()
    assert dora.account_number == ""
    assert "We're still setting up your account" in words(customer.get("/", secure=True))
    page = words(customer.get(sign_in(browse(AURORA), DORA)["Location"], secure=True))
    assert "Account" in page
    second = browse(AURORA, REMOTE_ADDR="10.9.9.10")
    User.objects.filter(pk=dora.pk).update(account_number="", offered_account_number="70999")
    landed = sign_in(second, DORA)
    assert "they may know its password" in words(second.get(landed["Location"], secure=True))


def test_own_sign_up_in_the_same_browser_shows_no_warning(aurora, simulator, browse):
    client = browse(AURORA)
    send(client, "/sign-up/", sign_up_form(simulator.token()))
    landed = sign_in(client, DORA)
    assert User.objects.get(email=DORA).account_number
    assert "someone else" not in words(client.get(landed["Location"], secure=True))


def test_invalid_account_number_is_not_stored(aurora, make_customer):
    from accounts.services.customers import apply_account_number

    dora = make_customer(aurora, DORA)
    apply_account_number(user=dora, account_number="70 001/../x", proven=True)
    dora.refresh_from_db()
    assert (dora.account_number, dora.refused_account_number) == ("", "?")


def test_junk_tokens_do_not_use_up_the_owners_confirmations(aurora, simulator, browse):
    send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token()))
    for nth in range(6):
        junk = {"email": DORA, "code": "X", "g-recaptcha-response": f"junk-{nth}"}
        assert send(browse(AURORA, REMOTE_ADDR="10.9.9.9"), "/sign-up/confirm/", junk).status_code == 200
    good = {
        "email": DORA,
        "code": carrier_code(simulator, DORA),
        "g-recaptcha-response": simulator.token(),
    }
    assert send(browse(AURORA), "/sign-up/confirm/", good).status_code == 302


def test_number_of_code_emails_per_network_is_limited(aurora, browse):
    answers = []
    for nth in range(61):
        answers.append(send(browse(AURORA), "/sign-in/", {"email": f"x{nth}@example.com"}).status_code)
    assert answers == [302] * 60 + [429]


@pytest.mark.parametrize(
    "email", ["root@localhost", "a@[10.0.0.5]", "a@server", "\u212aate@example.com", "k\u0131@example.com"]
)
def test_undeliverable_emails_are_refused_at_the_field(aurora, browse, email):
    answer = send(browse(AURORA), "/sign-in/", {"email": email})
    assert answer.status_code == 200
    assert "in the format name@example.com" in words(answer)
    assert mail.outbox == []


def test_password_reset_never_reveals_customers_without_mapped_codes(aurora, simulator, browse):
    answers = [
        send(browse(AURORA), "/password-reset/", {"email": email, "g-recaptcha-response": simulator.token()})
        for email in ("alice@example.com", "nobody@example.com")
    ]
    assert [(answer.status_code, answer["Location"]) for answer in answers] == [
        (302, "/password-reset/sent/")
    ] * 2


@pytest.mark.parametrize("host", ["evil.example", AURORA, ADMIN])
def test_only_known_hosts_are_redirected_to_https(aurora, browse, settings, host):
    settings.TRUSTED_PROXIES = 1
    answer = browse(host).get("/sign-in/", headers={"x-forwarded-proto": "http"})
    expected = (400, None) if host == "evil.example" else (301, f"https://{host}/sign-in/")
    assert (answer.status_code, answer.headers.get("Location")) == expected


@pytest.mark.parametrize(
    "entry", ["x; script-src *; a.localhost", "a b.localhost", "*.localhost", "-.localhost"]
)
def test_login_host_cannot_widen_the_csp(entry):
    with pytest.raises(validators.ValidationError):
        validators.login_hosts([entry])


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1:443", "192.0.2.1"),
        ("[2001:db8::1]:443", "2001:db8::/64"),
        ("[2001:db8::1]", "2001:db8::/64"),
        ("2001:db8::1", "2001:db8::/64"),
        ("nonsense", "unknown"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("64:ff9b::192.0.2.1", "192.0.2.1"),  # Behind NAT64, which has one /64 for all clients.
        ("64:ff9b::c000:202", "192.0.2.2"),
        ("64:ff9b:0:0:1::1", "64:ff9b::/64"),  # Not an address of a translator.
        ("2002:c000:0201:7::1", "192.0.2.1"),  # 6to4: a client with one IPv4 address has a /48.
    ],
)
def test_visitor_network_is_an_ipv4_address_or_an_ipv6_prefix(address, counted):
    assert network(address) == counted
