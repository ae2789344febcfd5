"""Every page in every state a visitor can see, as data: one row each, with the steps to get there.

tests/browser/test_states.py checks a row in all looks, and `make screens` takes its screenshots. To add one:
a name (`page: state`), the steps, and, where they differ from the defaults, the response status, some text
that proves it was reached (in English), the signed-in customer, and the brand.
"""

from itertools import repeat

from tests.browser.account_states import ACCOUNT_STATES
from tests.browser.accounts import ALICE, BOB, CHARLIE, DORA, ERIN, FAY, LEAVER, LONG, NINA, NORA, RHEA
from tests.browser.actor import (
    Step,
    at_host,
    block_captcha,
    carrier_has,
    dialect,
    enter_emailed_code,
    fault,
    follow_link,
    forget_cookies,
    go,
    last_month,
    open_twice,
    post_form,
    send,
    send_too_much,
    set_email,
    sign_out,
    sql,
    wait_for_timeout,
    with_missing_table,
)
from tests.browser.history_states import HISTORY_STATES
from tests.browser.money_states import MONEY_STATES
from tests.browser.rare_states import RARE
from tests.browser.states_runner import row
from tests.support import emailed_code
from tests.support.live_stack import BOREALIS, CYGNUS, DRACO, ERIDANUS, FORNAX

JANUARY = {"from_date": "2020-01-01", "to_date": "2020-01-31"}
CONFIRMATION, SIGN_IN = r"code is (\w+)", emailed_code.PATTERN
FUTURE = {"from_date": "2999-01-01", "to_date": "2999-01-31"}
BACKWARDS = {"from_date": "2020-01-31", "to_date": "2020-01-01"}
SWAPPED = {"customer_balance": {"results": {"payments": "other_charges", "other_charges": "payments"}}}
RICH = {"email": LONG, "entries": [{"date": "2019-01-01", "kind": "payment", "amount": "987654321098.12345"}]}
NO_NUMBER = sql(f"UPDATE accounts_user SET account_number = '' WHERE email = '{NORA}'")
OTHER_NUMBER = sql(
    f"UPDATE accounts_user SET account_number = '', refused_account_number = '70001' WHERE email = '{RHEA}'"
)
EXPIRED = sql("UPDATE accounts_signincode SET expires_at = '2020-01-01 00:00:00'")
SIGNED_UP, ASKED = send("/sign-up/", **DORA), send("/sign-in/", email="NEW")
RIGHT_CODE = enter_emailed_code(CONFIRMATION)
CONFIRMED = (SIGNED_UP, RIGHT_CODE)
CONFIRM = send("/sign-up/confirm/", email="NEW", code="ABCDEFGH")
CONFIRMED_ELSEWHERE = (post_form("/sign-up/", **DORA), follow_link, send())
TOO_MANY_CODES = post_form("/sign-in/code/", times=30, code="00000000")
GOOGLE_AWAY = fault("siteverify", "status", status=503)
BUSY = {"status": 503, "says": "We're very busy"}
AWAY = {"brand": FORNAX, "status": 503, "says": "can't reach the phone system"}
UNCLEAR = {"status": 503, "says": "We don't know yet whether"}
LIMITED = {"status": 429, "says": "You've tried too many times."}
FIGURES_AWAY = {"status": 503, "says": "We can't show your balance right now"}
TOO_MANY = post_form("/password-reset/", times=20, email=BOB)
BLOCKED = {"says": "The security check didn't load.", "noise": r"api\.js|ERR_FAILED"}
NO_SCRIPT = {"says": "Turn on JavaScript to use the security check", "javascript": False}


def fails_after_doing(method: str) -> Step:
    """Let the carrier do it but answer with an error."""
    return fault(method, "status_after", status=503)


def refuses(method: str, code: int, message: str) -> Step:
    """Let the carrier refuse with a code of its own."""
    return fault(method, "code", status=code, message=message)


def wrong_codes(times: int) -> tuple[Step, ...]:
    """Enter a wrong code."""
    return (ASKED, *repeat(send(code="00000000"), times))


STATES = (
    row("welcome: open", go("/"), says="Manage your Aurora Phone account"),
    row("welcome: sign-up closed", go("/"), says="Manage your Eridanus Phone account", brand=ERIDANUS),
    row("welcome: with a captcha", go("/"), says="Email me a code", brand=BOREALIS),
    row(
        "welcome: signed out",
        carrier_has("70005", email=LEAVER),
        go("/"),
        sign_out,
        says="You've signed out.",
        by=LEAVER,
    ),
    row("sign-up: empty", go("/sign-up/"), says="Fill in this form"),
    row("sign-up: invisible captcha", go("/sign-up/"), says="Fill in this form", brand=CYGNUS),
    row("sign-up: scored captcha", go("/sign-up/"), says="Fill in this form", brand=DRACO),
    row("sign-up: nothing filled in", send("/sign-up/", captcha=False), says="There's a problem"),
    row(
        "sign-up: wrong",
        send("/sign-up/", **{**DORA, "phone": "12", "email": "dora@"}),
        says="There's a problem",
    ),
    row(
        "sign-up: email taken",
        refuses("register_customer", 4103, "taken"),
        SIGNED_UP,
        says="already an account",
    ),
    row(
        "sign-up: refused in the carrier's words", send("/sign-up/", **{**DORA, "email": ALICE}), says="taken"
    ),
    row(
        "sign-up: captcha refused",
        refuses("register_customer", 4101, "no"),
        SIGNED_UP,
        says="The security check didn't work.",
    ),
    row("sign-up: in doubt", fails_after_doing("register_customer"), SIGNED_UP, **UNCLEAR),
    row("sign-up: carrier busy", fault("register_customer", "status", status=429), SIGNED_UP, **BUSY),
    row("sign-up: carrier away", SIGNED_UP, **AWAY),
    row("sign-up: limited", TOO_MANY, SIGNED_UP, **LIMITED),
    row(
        "sign-up: closed",
        go("/sign-up/"),
        says="You can't create an account online right now",
        brand=ERIDANUS,
    ),
    row("sign-up: captcha blocked", block_captcha, go("/sign-up/"), wait_for_timeout, **BLOCKED),
    row("sign-up: no JavaScript", go("/sign-up/"), **NO_SCRIPT),
    row("confirm: signed up", SIGNED_UP, says="We've emailed"),
    row("confirm: from nowhere", go("/sign-up/confirm/"), says="Enter the code from the email"),
    row(
        "confirm: from the link",
        post_form("/sign-up/", **DORA),
        follow_link,
        says="Check these details",
    ),
    row(
        "confirm: code to be changed",
        post_form("/sign-up/", **DORA),
        follow_link,
        go("/sign-up/confirm/", change="code"),
        says="Confirmation code",
    ),
    row(
        "confirm: nothing filled in",
        send("/sign-up/confirm/", captcha=False),
        says="There's a problem",
    ),
    row("confirm: wrong code", SIGNED_UP, send(code="WRONG"), says="The code is invalid."),
    row(
        "confirm: already",
        *CONFIRMED,
        refuses("confirm_email", 4106, "x"),
        CONFIRM,
        says="Already confirmed.",
    ),
    row("confirm: in doubt", SIGNED_UP, fails_after_doing("confirm_email"), send(code="ABCDEFGH"), **UNCLEAR),
    row("confirm: carrier away", CONFIRM, **AWAY),
    row("confirm: limited", TOO_MANY, CONFIRM, **LIMITED),
    row(
        "confirm: no mail from us",
        SIGNED_UP,
        fault("smtp", "down"),
        RIGHT_CODE,
        status=503,
        says="can't send",
    ),
    row("confirm: captcha blocked", block_captcha, go("/sign-up/confirm/"), wait_for_timeout, **BLOCKED),
    row("confirm: no JavaScript", go("/sign-up/confirm/"), **NO_SCRIPT),
    row("sign-in: empty", go("/sign-in/"), says="We'll email you a sign-in code"),
    row("sign-in: with a captcha", go("/sign-in/"), says="We'll email you a sign-in code", brand=BOREALIS),
    row("sign-in: no address", send("/sign-in/"), says="There's a problem"),
    row(
        "sign-in: captcha missing",
        send("/sign-in/", captcha=False, email="NEW"),
        brand=BOREALIS,
        says="There's a problem",
    ),
    row(
        "sign-in: captcha refused",
        fault("siteverify", "refuse"),
        ASKED,
        brand=BOREALIS,
        says="The security check didn't work.",
    ),
    row(
        "sign-in: captcha away",
        GOOGLE_AWAY,
        ASKED,
        brand=BOREALIS,
        status=503,
        says="The security check isn't working right now",
    ),
    row(
        "sign-in: limited",
        post_form("/sign-in/", times=3, email="NEW"),
        ASKED,
        **{**LIMITED, "says": "asked for too many codes"},
    ),
    row("sign-in: no mail from us", fault("smtp", "down"), ASKED, status=503, says="can't send email"),
    row("sign-in: sign-up closed", go("/sign-in/"), says="We'll email you a sign-in code", brand=ERIDANUS),
    row("code: asked for", ASKED, says="Enter your code"),
    row("code: nothing filled in", ASKED, send(), says="There's a problem"),
    row("code: not a code", ASKED, send(code="1234"), says="Enter the 8-digit code from your email."),
    row("code: wrong", *wrong_codes(1), says="You have 2 tries left."),
    row("code: wrong again", *wrong_codes(2), says="You have 1 try left."),
    row("code: used up", *wrong_codes(3), says="Email me a new code"),
    row(
        "code: expired",
        set_email(BOB),
        ASKED,
        EXPIRED,
        enter_emailed_code(SIGN_IN),
        says="Email me a new code",
    ),
    row(
        "code: limited",
        post_form("/sign-in/", email="NEW"),
        TOO_MANY_CODES,
        ASKED,
        send(code="1" * 8),
        **LIMITED,
    ),
    row("code: confirmed", *CONFIRMED, says="Your email address is confirmed."),
    row("code: confirmed elsewhere", *CONFIRMED_ELSEWHERE, says="Signed up on another device? That's fine."),
    row("home: balance", go("/"), by=ALICE, says="Hello, Alice"),
    row("home: in pounds", go("/"), by=CHARLIE, brand=BOREALIS, says="£"),
    row("home: in debt", carrier_has("70002", balance="-42.5"), go("/"), by=BOB, says="42.50"),
    row("home: nothing", carrier_has("70003", email=NINA, entries=[]), go("/"), by=NINA, says="0.00"),
    row("home: long and large", carrier_has("70004", **RICH), go("/"), by=LONG, says="987,654,321"),
    row("home: sums do not hold", dialect(methods=SWAPPED), go("/"), by=ALICE, says="don't add up"),
    row("home: no account number", NO_NUMBER, go("/"), by=NORA, says="still setting up your account"),
    row(
        "home: account number refused",
        OTHER_NUMBER,
        go("/"),
        by=RHEA,
        says="There's a problem with your account number",
    ),
    row(
        "home: account number is new",
        *CONFIRMED_ELSEWHERE,
        enter_emailed_code(SIGN_IN),
        says="is now linked to your profile",
    ),
    *MONEY_STATES,
    row("home: carrier away", go("/"), by=FAY, **{**FIGURES_AWAY, "brand": FORNAX}),
    row("home: carrier fails", fault("customer_balance", "status"), go("/"), by=ALICE, **FIGURES_AWAY),
    row("statement: this month", go("/statement/"), by=ALICE, says="Balance today"),
    row("statement: a period", go("/statement/", **JANUARY), by=ALICE, says="242.09"),
    row("statement: last month", go("/statement/"), last_month, by=ALICE, says="Closing balance"),
    row(
        "statement: long and large",
        carrier_has("70004", **RICH),
        go("/statement/"),
        by=LONG,
        says="987,654,321",
    ),
    row(
        "statement: not a date",
        go("/statement/", from_date="x", to_date=""),
        by=ALICE,
        says="Enter a date like",
        noise="does not conform",
    ),
    row("statement: wrong way round", go("/statement/", **BACKWARDS), by=ALICE),
    row("statement: in the future", go("/statement/", **FUTURE), by=ALICE),
    row(
        "statement: sums do not hold",
        dialect(methods=SWAPPED),
        go("/statement/"),
        by=ALICE,
        says="don't add",
    ),
    row(
        "statement: no account number",
        NO_NUMBER,
        go("/statement/"),
        by=NORA,
        says="still setting up your account",
    ),
    row(
        "statement: carrier fails",
        fault("customer_balance", "status"),
        go("/statement/"),
        by=ALICE,
        **FIGURES_AWAY,
    ),
    row(
        "statement: no file",
        fault("customer_balance", "status"),
        go("/statement.csv"),
        by=ALICE,
        **FIGURES_AWAY,
    ),
    row("open: ready", go("/account/open/"), by=ALICE, says="We'll sign you in automatically."),
    row(
        "open: with a password",
        go("/account/open/"),
        by=ERIN,
        brand=ERIDANUS,
        says="Phone account password",
    ),
    row("open: password missing", send("/account/open/"), by=ERIN, brand=ERIDANUS, says="There's a problem"),
    row("open: captcha missing", send("/account/open/", captcha=False), by=ALICE, says="There's a problem"),
    row("open: already opened", open_twice, by=ALICE, says="Your phone account is already open"),
    row(
        "open: in doubt",
        fails_after_doing("login_via_url"),
        send("/account/open/"),
        by=ALICE,
        status=503,
        says="Nothing has changed. Try again in a few minutes. If it keeps happening",
    ),
    row(
        "open: refused",
        fault("login_via_url", "status", status=404),
        send("/account/open/"),
        by=ALICE,
        says="If you entered a password, check it",
    ),
    row("open: carrier away", send("/account/open/"), by=FAY, **AWAY),
    row(
        "open: limited",
        post_form("/account/open/", times=20),
        send("/account/open/"),
        by=BOB,  # No other state brings her to the carrier.
        **LIMITED,
    ),
    row(
        "open: no account number",
        NO_NUMBER,
        go("/account/open/"),
        by=NORA,
        status=409,
        says="still setting up your account",
    ),
    row("open: captcha blocked", block_captcha, go("/account/open/"), wait_for_timeout, by=ALICE, **BLOCKED),
    row("open: no JavaScript", go("/account/open/"), by=ALICE, **NO_SCRIPT),
    row("reset: empty", go("/password-reset/"), says="Reset your phone account password"),
    row("reset: nothing filled in", send("/password-reset/", captcha=False), says="There's a problem"),
    row("reset: sent", send("/password-reset/", email=ALICE), says="Check your email"),
    row("reset: from nowhere", go("/password-reset/sent/"), says="Reset your phone account password"),
    row(
        "reset: in doubt",
        fails_after_doing("reset_password"),
        send("/password-reset/", email=ALICE),
        **UNCLEAR,
    ),
    row("reset: carrier away", send("/password-reset/", email=FAY), **AWAY),
    row("reset: limited", TOO_MANY, send("/password-reset/", email=ALICE), **LIMITED),
    row("reset: captcha blocked", block_captcha, go("/password-reset/"), wait_for_timeout, **BLOCKED),
    row("reset: no JavaScript", go("/password-reset/"), **NO_SCRIPT),
    row("error: 400 too large", send_too_much, status=400, says="That didn't work"),
    row(
        "error: 400 no such host",
        at_host("nobody.localhost"),
        status=400,
        says="no customer portal at this address",
    ),
    row(
        "error: 403 form expired",
        go("/sign-in/"),
        forget_cookies,
        send(),
        status=403,
        says="form has expired",
    ),
    row("error: 404", go("/no/such/page/"), status=404, says="Page not found"),
    row(
        "error: 500",
        with_missing_table("accounts_signincode", ASKED),
        status=500,
        says="Something went wrong",
    ),
    *HISTORY_STATES,
    *ACCOUNT_STATES,
    *RARE,
)
