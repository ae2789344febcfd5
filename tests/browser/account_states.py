"""States of the account page, of changing the email, and of figures the carrier refuses."""

from tests.browser.accounts import ALICE, LEAVER, NORA
from tests.browser.actor import age_sign_ins, fault, go, post_form, send, sign_in_now, sql
from tests.browser.states_runner import row

UNKNOWN_NUMBER = sql(f"UPDATE accounts_user SET account_number = '99999' WHERE email = '{NORA}'")
NO_NUMBER = sql(f"UPDATE accounts_user SET account_number = '' WHERE email = '{NORA}'")
# A sign-in just now, because only a recent one may change the email.
FRESH = (sign_in_now(LEAVER),)
NEW_ADDRESS = send("/account/email/", email="lea.new@example.com")

ACCOUNT_STATES = (
    row("account: details", go("/account/"), by=ALICE, says="Signed in now"),
    row("account: no account number", NO_NUMBER, go("/account/"), by=NORA, says="not known to us yet"),
    row(
        "account: signed out elsewhere",
        *FRESH,
        go("/account/"),
        send(),
        says="signed out everywhere else",
    ),
    row("e-mail change: new address", *FRESH, go("/account/email/"), says="Type the new address"),
    row(
        "e-mail change: the same address",
        *FRESH,
        send("/account/email/", email=LEAVER),
        says="marked fields",
    ),
    row("e-mail change: code", *FRESH, NEW_ADDRESS, says="If the address can be used"),
    row("e-mail change: wrong code", *FRESH, NEW_ADDRESS, send(code="00000000"), says="is not right"),
    row(
        "e-mail change: sign in again",
        *FRESH,
        age_sign_ins,
        go("/account/email/"),
        says="more than five minutes ago",
    ),
    row("home: account not found", UNKNOWN_NUMBER, go("/"), by=NORA, status=409, says="We cannot find"),
    row(
        "home: our key is refused",
        fault("customer_balance", "status", status=401),
        go("/"),
        by=ALICE,
        status=503,
        says="refuses our question",
    ),
    row(
        "home: the carrier is busy",
        fault("customer_balance", "status", status=429),
        go("/"),
        by=ALICE,
        status=503,
        says="Too many people are asking",
    ),
    row("sign-in: wanted a page", go("/account/"), says="Sign in"),
    row("sign-in: a code asked for elsewhere", go("/sign-in/code/"), says="Sign in"),
    row("sign-in: signed in already", go("/sign-in/"), by=ALICE, says="You are signed in already"),
    row("error: 405", go("/sign-out/"), by=ALICE, status=405, says="works only by a button"),
    row(
        "reset: sent twice",
        post_form("/password-reset/", email=ALICE),
        send("/password-reset/", email=ALICE),
        says="Look into your mailbox",
    ),
)
