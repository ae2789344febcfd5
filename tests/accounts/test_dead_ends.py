"""Pages reached out of order: each says what happened and links to the next step."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts.customer_import.importer import import_customers
from accounts.models import SignInCode, User
from portal.models import Brand
from tests.conftest import AURORA, Simulator
from tests.support.customer_flow import carrier_code, code_for, send, sign_in, sign_up_form, words

pytestmark = [pytest.mark.django_db, pytest.mark.database]
ALICE, DORA, HELP = "alice@example.com", "dora@example.com", "mailto:help@aurora.example"


@dataclass
class Portal:
    """Fixtures and helpers for the steps that lead to a page."""

    brand: Brand
    simulator: Simulator
    alice: User
    browse: Callable[..., Client]

    def signed_in(self) -> Client:
        """Alice's browser, signed in by a code."""
        client = self.browse(AURORA)
        sign_in(client, ALICE)
        return client

    def code_requested(self, email: str = ALICE) -> Client:
        """A browser after requesting a code."""
        client = self.browse(AURORA)
        send(client, "/sign-in/", {"email": email})
        return client

    def signed_up(self) -> Client:
        """Dora's browser after the sign-up form."""
        client = self.browse(AURORA)
        send(client, "/sign-up/", sign_up_form(self.simulator.token()))
        return client

    def alice_with(self, **fields: Any) -> Client:
        """Alice signed in, with her row changed."""
        User.objects.filter(pk=self.alice.pk).update(**fields)
        self.alice.refresh_from_db()
        return self.browse(AURORA, self.alice)

    def captcha(self, client: Client, path: str, **data: str) -> Any:
        """Send a form with a fresh captcha token."""
        return send(client, path, {**data, "g-recaptcha-response": self.simulator.token()})


@pytest.fixture
def portal(aurora, simulator, alice, browse) -> Portal:
    return Portal(aurora, simulator, alice, browse)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**8:08d}"


def type_code(client: Client, code: str) -> Any:
    return send(client, "/sign-in/code/", {"code": code})


def follow(client: Client, path: str) -> Any:
    return client.get(path, follow=True, secure=True)


# Each returns the page that the reader finally sees.


def imported_customer_signs_in(portal: Portal) -> Any:
    import_customers(brand=portal.brand, data=f"email,account_number\n{DORA},70003\n".encode())
    return follow(portal.browse(AURORA), "/sign-in/")


def imported_customer_signs_up(portal: Portal) -> Any:
    portal.simulator.post("dialect", codes={"email_taken": 4009})
    portal.brand.response_codes.create(code="4009", meaning="email_taken")
    form = sign_up_form(portal.simulator.token(), email=ALICE)
    return send(portal.browse(AURORA), "/sign-up/", form)


def expired_code(portal: Portal) -> Any:
    client = portal.code_requested()
    SignInCode.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    return type_code(client, code_for(ALICE))


def old_tab_form(portal: Portal) -> Any:
    client = portal.browse(AURORA, enforce_csrf_checks=True)
    return send(client, "/sign-in/", {"email": ALICE}, referer=f"https://{AURORA}/sign-in/?next=/statement/")


def form_after_sign_out_elsewhere(portal: Portal) -> Any:
    client = portal.browse(AURORA, portal.alice, enforce_csrf_checks=True)
    client.get("/account/open/", secure=True)
    client.cookies["__Host-csrf"] = "x" * 32
    return send(client, "/account/open/", {}, referer=f"https://{AURORA}/account/open/")


def session_expired(portal: Portal) -> Any:
    client = portal.signed_in()
    portal.alice.set_unusable_password()
    portal.alice.save()
    return follow(client, "/statement/")


def form_after_sign_out_in_another_tab(portal: Portal) -> Any:
    client = portal.signed_in()
    send(client, "/sign-out/", {})
    return follow(client, send(client, "/account/email/", {"email": "a@b.example"})["Location"])


def sign_out_twice(portal: Portal) -> Any:
    client = portal.signed_in()
    send(client, "/sign-out/", {})
    return follow(client, send(client, "/sign-out/", {})["Location"])


def return_to_code_page(portal: Portal) -> Any:
    return follow(portal.signed_in(), "/sign-in/code/")


def second_code_after_sign_in(portal: Portal) -> Any:
    client = portal.signed_in()
    return follow(client, type_code(client, code_for(ALICE))["Location"])


def sign_up_again_by_back(portal: Portal) -> Any:
    client, form = portal.browse(AURORA), sign_up_form(portal.simulator.token())
    send(client, "/sign-up/", form)
    return follow(client, send(client, "/sign-up/", form)["Location"])


def older_of_two_codes(portal: Portal) -> Any:
    client = portal.code_requested()
    older = code_for(ALICE)
    send(client, "/sign-in/", {"email": ALICE})
    return type_code(client, older)


def older_of_two_email_change_codes(portal: Portal) -> Any:
    client, new = portal.signed_in(), "new@example.com"
    send(client, "/account/email/", {"email": new})
    older = code_for(new)
    send(client, "/account/email/", {"email": new})
    return send(client, "/account/email/code/", {"code": older})


def confirmation_link_twice(portal: Portal) -> Any:
    portal.simulator.post("dialect", codes={"already_confirmed": 4300})
    portal.brand.response_codes.create(code="4300", meaning="already_confirmed")
    client = portal.signed_up()
    code = carrier_code(portal.simulator, DORA)
    portal.captcha(client, "/sign-up/confirm/", email=DORA, code=code)
    client = portal.browse(AURORA)
    portal.captcha(client, "/sign-up/confirm/", email=DORA, code=code)
    return follow(client, "/sign-in/")


def old_confirmation_link(portal: Portal) -> Any:
    portal.simulator.post("dialect", codes={"code_wrong": 4301})
    portal.brand.response_codes.create(code="4301", meaning="code_wrong")
    return portal.captcha(portal.signed_up(), "/sign-up/confirm/", email=DORA, code="OLD")


def disabled(portal: Portal) -> Any:
    client = portal.signed_in()
    User.objects.update(is_active=False)
    return follow(client, "/")


def disabled_while_signed_in(portal: Portal) -> Any:
    client = portal.signed_in()
    User.objects.update(is_active=False)
    return follow(client, "/statement/")


def carrier_says(status: int, path: str = "/", message: str = "") -> Callable[[Portal], Any]:
    def steps(portal: Portal) -> Any:
        portal.simulator.fault("customer_balance", "status", status=status, message=message)
        return portal.browse(AURORA, portal.alice).get(path)

    return steps


def closed_account_opens_carrier_portal(portal: Portal) -> Any:
    return portal.captcha(portal.alice_with(account_number="79999"), "/account/open/")


def reset_email_failed(portal: Portal) -> Any:
    client = portal.browse(AURORA)
    return follow(client, portal.captcha(client, "/password-reset/", email=ALICE)["Location"])


def email_change_mail_failed(portal: Portal) -> Any:
    client = portal.signed_in()
    return follow(client, send(client, "/account/email/", {"email": "new@example.com"})["Location"])


def sign_up_closed(portal: Portal) -> Any:
    Brand.objects.update(signup_open=False)
    return portal.browse(AURORA).get("/sign-up/")


# (reader, steps, the sentence, the link)
Steps = Callable[[Portal], Any]
READERS: list[tuple[str, Steps, str, str]] = [
    (
        "imported, signs in",
        imported_customer_signs_in,
        "You don't need to create an account. Use the email address",
        HELP,
    ),
    ("imported, signs up", imported_customer_signs_up, "There's already an account with this", "/sign-in/"),
    ("imported, at the sign-up", lambda p: p.browse(AURORA).get("/sign-up/"), "Already a", "/sign-in/"),
    (
        "mistyped at sign-up",
        lambda p: follow(p.signed_up(), "/sign-up/confirm/"),
        "Wrong email address?",
        "/sign-up/",
    ),
    (
        "mistyped at sign-in",
        lambda p: follow(p.code_requested("alcie@example.com"), "/sign-in/code/"),
        "Use a different email address",
        "/sign-in/",
    ),
    (
        "lost our mail",
        lambda p: follow(p.code_requested(), "/sign-in/code/"),
        "Check your spam or junk folder",
        "/sign-in/",
    ),
    ("lost the carrier's mail", lambda p: follow(p.signed_up(), "/sign-up/confirm/"), "No email yet?", HELP),
    (
        "lost the reset's mail",
        reset_email_failed,
        "No email yet? It can take a few minutes. Check your spam or junk folder",
        "/password-reset/",
    ),
    (
        "lost the new address's mail",
        email_change_mail_failed,
        "Check your spam or junk folder",
        "/account/email/",
    ),
    ("waited with the code", expired_code, "no longer works.", "/sign-in/"),
    ("waited with a form", old_tab_form, "We didn't send your form.", "/sign-in/?next=/statement/"),
    ("signed out and in elsewhere", form_after_sign_out_elsewhere, "in another tab", "/account/open/"),
    (
        "waited with the session",
        session_expired,
        "If you were signed in before, your session has ended",
        HELP,
    ),
    ("pressed back to the code", return_to_code_page, "You're already signed in.", "/account/open/"),
    ("sent the code again", second_code_after_sign_in, "You're already signed in.", "/account/open/"),
    ("sent the sign-up again", sign_up_again_by_back, "We've emailed you a link. Open it", "/sign-in/"),
    (
        "reloaded a reset",
        lambda p: follow(p.browse(AURORA), "/password-reset/sent/"),
        "We'll email you instructions",
        HELP,
    ),
    (
        "form in a second tab",
        form_after_sign_out_in_another_tab,
        "We didn't save the form you just sent",
        HELP,
    ),
    ("signed out in both tabs", sign_out_twice, "You've signed out.", "/sign-in/"),
    ("asked twice, types the older", older_of_two_codes, "Use the code in the latest one", "/sign-in/"),
    (
        "asked twice for a new address",
        older_of_two_email_change_codes,
        "Use the code in the latest one",
        "/account/email/",
    ),
    (
        "old link to the code",
        lambda p: follow(p.browse(AURORA), "/sign-in/code/"),
        "Get a code first",
        HELP,
    ),
    (
        "old link to a new address's code",
        lambda p: follow(p.signed_in(), "/account/email/code/"),
        "Enter your new email address first",
        "/account/",
    ),
    ("used confirmation link", confirmation_link_twice, "Already confirmed. Sign in.", "/sign-up/"),
    ("old confirmation link", old_confirmation_link, "Copy it from the latest email", HELP),
    ("old address", lambda p: p.browse(AURORA).get("/my-old-portal/"), "Page not found Check the web", "/"),
    (
        "signed in, signs in",
        lambda p: follow(p.signed_in(), "/sign-in/"),
        "already signed in",
        "/account/open/",
    ),
    (
        "signed in, signs up",
        lambda p: follow(p.signed_in(), "/sign-up/"),
        "already signed in",
        "/account/open/",
    ),
    *(
        (f"no number, {path}", lambda p, path=path: p.alice_with(account_number="").get(path), text, HELP)
        for path in ("/", "/statement/", "/statement.csv", "/account/", "/account/open/")
        for text in ("We're still setting up your account",)
    ),
    (
        "refused number",
        lambda p: p.alice_with(account_number="", refused_account_number="70002").get("/"),
        "There's a problem with your account number",
        HELP,
    ),
    *(
        (f"closed, {path}", lambda p, path=path: p.alice_with(account_number="79999").get(path), text, HELP)
        for path in ("/", "/statement/", "/statement.csv")
        for text in ("We can't find phone account 79999. It may have been closed",)
    ),
    ("closed, opens", closed_account_opens_carrier_portal, "can't find your phone account", HELP),
    ("key refused", carrier_says(401), "There's a problem on our side", HELP),
    ("question refused", carrier_says(422, "/statement/", "No"), "There's a problem on our side", HELP),
    ("busy", carrier_says(429), "Try again in a minute", "/"),
    ("carrier down", carrier_says(503, "/statement/"), "Try again in a few minutes", "/statement/"),
    ("disabled, at the start", disabled, "Sign in", "/sign-in/"),
    (
        "disabled, at a page",
        disabled_while_signed_in,
        "If you were signed in before, your session has ended",
        HELP,
    ),
    ("sign-up closed", sign_up_closed, "Our team can set up an account for you", "/sign-in/"),
]


@pytest.mark.parametrize(
    ("steps", "sentence", "link"), [row[1:] for row in READERS], ids=[r[0] for r in READERS]
)
def test_page_reached_out_of_order_links_to_the_next_step(portal, steps, sentence, link):
    page = steps(portal)
    assert sentence in words(page)
    main = page.content.decode().partition("<main")[2].partition("</main>")[0]
    assert re.search(rf'(href|action)="{re.escape(link)}"', main)


def test_closed_account_does_not_suggest_a_retry(portal):
    page = portal.alice_with(account_number="79999").get("/")
    assert (page.status_code, page.headers.get("Retry-After")) == (409, None)
    assert "Try again" not in words(page)


def test_plain_404_does_not_mean_a_closed_account(portal):
    page = carrier_says(404)(portal)
    assert page.status_code == 503
    assert "We can't find" not in words(page)


def test_disabled_customer_is_emailed_the_support_address(portal):
    User.objects.update(is_active=False)
    portal.code_requested()
    assert "help@aurora.example" in mail.outbox[-1].body


def test_explanation_page_never_replaces_a_new_session(portal):
    """The second request of a double click has the old session; it must not set a cookie of its own."""
    answer = portal.browse(AURORA).get("/sign-in/code/")
    assert "__Host-session" not in answer.cookies


@pytest.mark.parametrize(
    ("referer", "link"),
    [
        (f"https://{AURORA}/statement/?from_date=2026-01-01", "/statement/?from_date=2026-01-01"),
        ("https://evil.example/sign-in/", "/"),
        (f"https://{AURORA}//evil.example/", "/"),
        (f"https://{AURORA}/\\evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("https://[", "/"),
        ("", "/"),
    ],
)
def test_expired_form_links_back_to_its_page_on_the_same_host(portal, referer, link):
    client = portal.browse(AURORA, enforce_csrf_checks=True)
    page = send(client, "/sign-in/", {"email": ALICE}, referer=referer)
    assert page.status_code == 403
    assert f'<a class="button main" href="{link}">Reload the page</a>' in page.content.decode()
