"""Rare states: account page, email change, an older email, and failures of everything."""

from itertools import repeat

from tests.browser.accounts import BOB, LONG, MOVER, RHEA
from tests.browser.actor import (
    at_admin,
    at_host,
    enter_emailed_code,
    fault,
    go,
    send,
    set_email,
    sign_in_now,
    sql,
    with_missing_table,
)
from tests.browser.states_runner import row
from tests.support import emailed_code

CLOSED = sql(
    f"UPDATE accounts_user SET account_number = '79999', refused_account_number = '' WHERE email = '{RHEA}'"
)
GONE = {"by": RHEA, "status": 409, "says": "We can't find phone account 79999."}
NEW_ADDRESS = (sign_in_now(MOVER), send("/account/email/", email="NEW"))


RARE = (
    row("account: long", go("/account/"), by=LONG, says="This device"),
    row(
        "email change: nothing filled in",
        sign_in_now(MOVER),
        send("/account/email/"),
        says="There's a problem",
    ),
    row(
        "email change: no mail from us",
        sign_in_now(MOVER),
        fault("smtp", "down"),
        send("/account/email/", email="NEW"),
        status=503,
        says="can't send email",
    ),
    row(
        "email change: code used up",
        *NEW_ADDRESS,
        *repeat(send(code="00000000"), 3),
        says="Email me a new code",
    ),
    row(
        "email change: nothing waits",
        sign_in_now(MOVER),
        go("/account/email/code/"),
        says="Enter your new email address first",
    ),
    row("statement: account closed", CLOSED, go("/statement/"), **GONE),
    row(
        "code: from an older mail",
        set_email(BOB),
        send("/sign-in/", email="NEW"),
        send("/sign-in/", email="NEW"),
        enter_emailed_code(emailed_code.PATTERN, newest=False),
        says="Use the code in the latest one",
    ),
    row(
        "error: 503 no records",
        with_missing_table(
            "portal_brandhost", at_host("nobody.localhost")
        ),  # Known hosts stay cached for a minute.
        status=503,
        says="We'll be back soon",
    ),
    # Outside its sandbox axe cannot load the style sheet again.
    row(
        "preview: gone",
        at_admin("/preview/no-such-link/auto/visitor/"),
        status=404,
        says="show this preview",
        noise="XMLHttpRequest|ERR_FAILED|preload",
    ),
)
