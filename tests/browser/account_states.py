"""States of the account page, of changing the email, and of figures the carrier refuses."""

from itertools import repeat

from tests.browser.accounts import ALICE, LEAVER, NORA
from tests.browser.actor import Visitor, age_sign_ins, fault, go, post_form, press, send, sign_in_now, sql
from tests.browser.states_runner import row

UNKNOWN_NUMBER = sql(f"UPDATE accounts_user SET account_number = '99999' WHERE email = '{NORA}'")
NO_NUMBER = sql(f"UPDATE accounts_user SET account_number = '' WHERE email = '{NORA}'")
# A sign-in just now, because only a recent one may change the email.
FRESH = (sign_in_now(LEAVER),)
AGED = (*FRESH, age_sign_ins, go("/account/email/"))
AGAIN = press("form[action$='/sign-in/again/'] button")
# A session of 30 days, one that has ended, and one that was signed out.
DEVICES = f"""
from datetime import timedelta
from django.utils import timezone
from accounts.models import SignIn, User
now, day = timezone.now(), timedelta(days=1)
user = User.objects.get(email="{LEAVER}", brand__slug="aurora")
rows = (("Edge", now + 29 * day, None), ("Opera", now - day / 2, None), ("Safari", now + day, now))
for browser, until, ended in rows:
    SignIn.objects.create(
        user=user, at=now - day, browser=browser, system="Mac", expires_at=until, ended_at=ended,
        session_key="k",
    )
"""


def other_devices(visitor: Visitor) -> None:
    """Record sign-ins on other devices."""
    visitor.stack.run(DEVICES)


NEW_ADDRESS = send("/account/email/", email="lea.new@example.com")

ACCOUNT_STATES = (
    row("account: details", go("/account/"), by=ALICE, says="This device"),
    row(
        "account: no account number",
        NO_NUMBER,
        go("/account/"),
        by=NORA,
        says="still setting up your account",
    ),
    row(
        "account: signed out elsewhere",
        *FRESH,
        go("/account/"),
        send(),
        says="signed out everywhere else",
    ),
    row("email change: new address", *FRESH, go("/account/email/"), says="Enter a new address"),
    row(
        "email change: the same address",
        *FRESH,
        send("/account/email/", email=LEAVER),
        says="There's a problem",
    ),
    row("email change: code", *FRESH, NEW_ADDRESS, says="If that address is available"),
    row("email change: wrong code", *FRESH, NEW_ADDRESS, send(code="00000000"), says="isn't right"),
    row("account: other devices", other_devices, *FRESH, go("/account/"), says="Earlier sign-ins"),
    row("email change: sign in again", *AGED, says="we check first that it's you"),
    row("email change: signing in again", *AGED, AGAIN, says="We've emailed an 8-digit code to"),
    row("email change: wrong code again", *AGED, AGAIN, send(code="00000000"), says="isn't right"),
    row(
        "email change: code used up again",
        *AGED,
        AGAIN,
        *repeat(send(code="00000000"), 3),
        says="Email me a new code",
    ),
    row("home: account not found", UNKNOWN_NUMBER, go("/"), by=NORA, status=409, says="We can't find"),
    row(
        "home: our key is refused",
        fault("customer_balance", "status", status=401),
        go("/"),
        by=ALICE,
        status=503,
        says="There's a problem on our side.",
    ),
    row(
        "home: the carrier is busy",
        fault("customer_balance", "status", status=429),
        go("/"),
        by=ALICE,
        status=503,
        says="We're very busy",
    ),
    row("sign-in: wanted a page", go("/account/"), says="Sign in"),
    row("sign-in: a code asked for elsewhere", go("/sign-in/code/"), says="Sign in"),
    row("sign-in: signed in already", go("/sign-in/"), by=ALICE, says="You're already signed in"),
    row("error: 405", go("/sign-out/"), by=ALICE, status=405, says="You can't open this page directly"),
    row(
        "reset: sent twice",
        post_form("/password-reset/", email=ALICE),
        send("/password-reset/", email=ALICE),
        says="Check your email",
    ),
)
