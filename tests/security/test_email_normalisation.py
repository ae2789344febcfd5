"""Email normalisation: one mailbox has one spelling, so that limits hold for it."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core import mail
from django.core.management import CommandError, call_command

from accounts.customer_import.importer import Counts, import_customers
from accounts.models import User
from accounts.sign_in.device_cookies import find_device
from portal.core.email_addresses import email_key, email_spellings, mailbox_key, normal_email
from portal.models import Brand
from tests.accounts.test_staff_sign_in import PASSWORD, type_password
from tests.conftest import ADMIN, AURORA
from tests.support.customer_flow import code_for, send, sign_in, sign_up_form, words

pytestmark = [pytest.mark.django_db, pytest.mark.database]
DORA = "dora@example.com"
# A mail server delivers each of them to dora@example.com.
SAME = {
    "capitals": "dora@EXAMPLE.Com",
    "a wide letter": "dora@\uff45xample.com",
    "a wide dot": "dora@example\uff0ecom",
    "an ideographic dot": "dora@example\u3002com",
    "a hidden hyphen": "dora@exam\u00adple.com",
    "a hidden blank": "dora@exam\u200bple.com",
    "quotes": '"dora"@example.com',
    "quotes and a backslash": '"do\\ra"@example.com',
}
LETTERS, WIRE = "anna@bücher.example", "anna@xn--bcher-kva.example"


@pytest.fixture(params=SAME.values(), ids=SAME)
def spelling(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_other_spellings_get_no_codes_beyond_the_limit(aurora: Brand, browse: Any, spelling: str) -> None:
    assert [send(browse(AURORA), "/sign-in/", {"email": DORA}).status_code for _ in range(4)][-1] == 429
    assert send(browse(AURORA), "/sign-in/", {"email": spelling}).status_code in (200, 429)
    assert len(mail.outbox) == 3


@pytest.mark.parametrize(
    ("mailbox", "spelled"),
    [
        (DORA, "dora+{}@example.com"),
        ("DORA+shop@Example.com", "dora+{}+x@example.com"),
        ("do.ra@gmail.com", "d.o.r.a+{}@GoogleMail.com"),
    ],
)
def test_plus_addresses_share_the_limit_of_their_mailbox(
    aurora: Brand, browse: Any, mailbox: str, spelled: str
) -> None:
    emails = [mailbox, *(spelled.format(nth) for nth in range(9))]
    answers = [send(browse(AURORA), "/sign-in/", {"email": email}).status_code for email in emails]
    assert answers == [302] * 3 + [429] * 7
    assert len(mail.outbox) == 3


def test_dots_distinguish_mailboxes_except_at_gmail(aurora: Brand, browse: Any) -> None:
    for email in ("d.ora@example.com", "do.ra@example.com"):
        assert [send(browse(AURORA), "/sign-in/", {"email": email}).status_code for _ in range(3)] == [
            302
        ] * 3


@pytest.mark.parametrize("other", ["dora+shop@gmail.com", "do.ra@gmail.com", "dora@googlemail.com"])
def test_emails_sharing_a_limit_are_still_separate_customers(
    aurora: Brand, browse: Any, make_customer: Callable[..., User], other: str
) -> None:
    dora, browser = make_customer(aurora, "dora@gmail.com"), browse(AURORA)
    assert sign_in(browser, "dora@gmail.com")["Location"] == "/"
    assert find_device(brand=aurora, email=dora.email, cookie=browser.cookies["__Host-device"].value)
    assert not find_device(brand=aurora, email=other, cookie=browser.cookies["__Host-device"].value)
    send(browse(AURORA), "/sign-in/", {"email": other})
    assert mail.outbox[-1].to == [other]
    assert "no account" in mail.outbox[-1].body
    make_customer(aurora, other)  # There is room for both.
    assert sign_in(browse(AURORA), other)["Location"] == "/"


@pytest.mark.parametrize(
    ("email", "key"),
    [
        ("Dora+tag@Example.com", DORA),
        ("dora@example.com", DORA),
        ("d.ora+a+b@gmail.com", "dora@gmail.com"),
        ("d.ora@googlemail.com", "dora@gmail.com"),
        ("d.ora@example.com", "d.ora@example.com"),
        ("+tag@example.com", "@example.com"),
        ("anna+x@bücher.example", WIRE),
        ("customer 5", "customer 5"),
        ("2001:db8::/64", "2001:db8::/64"),
        ("a+b", "a+b"),
        ("", ""),
    ],
)
def test_mailbox_key(email: str, key: str) -> None:
    assert mailbox_key(email) == key


def test_other_spellings_get_no_more_confirmation_attempts(
    aurora: Brand, simulator: Any, browse: Any, spelling: str
) -> None:
    for email in [DORA] * 5 + [spelling]:
        form = {"email": email, "code": "wrong", "g-recaptcha-response": simulator.token()}
        send(browse(AURORA), "/sign-up/confirm/", form)
    assert len(simulator.calls()) == 5


def test_other_spellings_create_no_second_customer(
    aurora: Brand, simulator: Any, browse: Any, spelling: str
) -> None:
    for email in (DORA, spelling):
        simulator.post("reset", seed="default")  # The email is free again.
        send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token(), email=email))
    assert [user.email for user in User.objects.all()] == [DORA]


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("Alice@Example.COM", "Alice@example.com"),
        (LETTERS, WIRE),
        ("anna@BÜCHER.example", WIRE),
        ("anna@bu\u0308cher.example", WIRE),
        ("anna@bücher\u3002example", WIRE),
        (WIRE.upper().replace("ANNA", "anna"), WIRE),
        ("a@xn--strae-oqa.de", "a@xn--strae-oqa.de"),  # IDNA 2008 of ß.
        ("olga@localhost", "olga@localhost"),
        ("a@straße.de", ""),  # IDNA 2003, which Python uses for sending, makes strasse.de of it.
        ("a@exam\u200dple.com", ""),
        ("ünï@example.com", ""),
        ('"a b"@example.com', ""),
        ("a@" + "ü" * 64 + ".example", ""),
        ("a@" + ".".join(["ü" * 40] * 6), ""),  # Longer than an email may be.
        ("nobody", ""),
        ("", ""),
    ],
)
def test_normal_form_of_an_email(typed: str, normal: str) -> None:
    assert normal_email(typed) == normal
    assert normal_email(normal) == normal


def test_spellings_are_those_that_rows_may_contain() -> None:
    assert set(email_spellings(LETTERS.upper())) == set(email_spellings(WIRE)) == {LETTERS, WIRE}
    assert email_spellings("Alice@Example.com") == ("alice@example.com",)
    assert email_spellings("a@straße.de") == ("a@straße.de",)
    assert [email_key(each) for each in ("customer 5", "x" * 300, "a@..", "@", "a@xn--\x00")]


def test_new_customer_is_stored_and_emailed_in_the_normal_form(
    aurora: Brand, simulator: Any, browse: Any
) -> None:
    send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token(), email=LETTERS))
    assert User.objects.get().email == WIRE
    assert simulator.calls()[-1]["fields"]["email"] == WIRE
    assert sign_in(browse(AURORA), WIRE)["Location"] == "/"


@pytest.mark.parametrize("typed", [LETTERS, WIRE])
def test_older_customer_with_unicode_domain_is_found(
    aurora: Brand, simulator: Any, browse: Any, make_customer: Callable[..., User], typed: str
) -> None:
    anna = make_customer(aurora, LETTERS, "70009")
    client = browse(AURORA)
    send(client, "/sign-in/", {"email": typed})
    answer = send(client, "/sign-in/code/", {"code": code_for(LETTERS)})
    assert answer["Location"] == "/"
    assert client.session["_auth_user_id"] == str(anna.pk)
    client.post("/sign-out/")
    for nth in range(11):
        send(browse(AURORA, REMOTE_ADDR=f"10.7.0.{nth}"), "/sign-in/", {"email": WIRE})
    assert send(client, "/sign-in/", {"email": typed}).status_code == 302  # The browser is known.
    send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token(), email=typed))
    assert User.objects.get() == anna


def test_import_matches_every_spelling_to_the_same_customer(
    aurora: Brand, make_customer: Callable[..., User]
) -> None:
    def put(*rows: str) -> Counts:
        data = "\n".join(["email,account_number", *rows]).encode()
        return import_customers(brand=aurora, data=data, skip_invalid=True).counts

    anna = make_customer(aurora, LETTERS)
    assert put(f"{LETTERS},70009", f"{SAME['a wide dot']},70001", "a@straße.de,70004") == Counts(
        1, 1, 0, bad=1
    )
    assert put(f"{WIRE},70009", "dora@EXAMPLE.com,70001") == Counts(0, 0, 2)
    assert put(f"{DORA},70005", f"{SAME['a wide letter']},70005").bad == 2
    anna.refresh_from_db()
    assert anna.account_number == "70009"
    assert User.objects.exclude(pk=anna.pk).get().email == DORA


def test_admin_finds_and_stores_every_spelling_as_one(
    aurora: Brand, operator: User, browse: Any, make_customer: Callable[..., User]
) -> None:
    desk, url = browse(ADMIN, operator), "/admin/accounts/user/"
    anna = make_customer(aurora, LETTERS, "70009")
    make_customer(aurora, DORA)
    for email in (SAME["a wide letter"], WIRE, LETTERS):
        text = words(desk.post(f"{url}add/", {"brand": aurora.pk, "email": email}))
        assert "already belongs to someone else" in text
    assert "Enter a valid email address" in words(
        desk.post(f"{url}add/", {"brand": aurora.pk, "email": SAME["quotes"]})
    )
    for email in (LETTERS, WIRE):
        assert LETTERS in words(desk.get(url, {"q": email}))
    form = {"email": LETTERS, "first_name": "Anna", "account_number": "70009", "is_active": "on"}
    assert desk.post(f"{url}{anna.pk}/change/", form).status_code == 302
    anna.refresh_from_db()
    assert (anna.email, anna.first_name) == (WIRE, "Anna")
    assert anna.verified_at  # The email is still the same, so it needs no new verification.
    assert not mail.outbox


def test_older_staff_sign_in_with_every_spelling_as_the_same_user(
    operator: User, browse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.filter(pk=operator.pk).update(email=LETTERS)
    for email in (LETTERS, WIRE):
        assert type_password(browse(ADMIN), email).status_code == 302
        with pytest.raises(CommandError, match="has a place in the admin already"):
            call_command("create_operator", email)
    monkeypatch.setattr("sys.stdin", StringIO(PASSWORD))
    call_command("create_operator", "otto@Bücher.example", password_from_stdin=True, stdout=StringIO())
    assert User.objects.filter(email="otto@xn--bcher-kva.example").exists()
    call_command("reset_authenticator", WIRE, stdout=StringIO(), stderr=StringIO())
