"""States of the figures: forecast, stale figures, refresh, and periods without activity."""

from datetime import date, timedelta
from typing import Any

from tests.browser.accounts import ALICE, PETER, QUINN
from tests.browser.actor import Step, Visitor, carrier_has, fault, go, press, sql
from tests.browser.states_runner import State, row

PREPAID, POSTPAID = {"number": "70020", "email": PETER}, {"number": "70021", "email": QUINN}
REFRESH = press("form[action$='/statement/refresh/'] button")


def has_spent(balance: str, *, number: str, email: str, a_day: str = "1") -> Step:
    """Let the carrier have charges on each of 130 days, and this balance."""
    days = [(date.today() - timedelta(days=ago)).isoformat() for ago in range(130)]
    entries = [{"date": day, "kind": "call", "amount": a_day} for day in days] if a_day else []
    return carrier_has(number, email=email, entries=entries, balance=balance)


def is_billed(email: str, account_type: str, limit: str = "NULL") -> Step:
    """Set account type and credit limit, as staff do."""
    values = f"account_type = '{account_type}', credit_limit = {limit}"
    return sql(f"UPDATE accounts_user SET {values} WHERE email = '{email}'")


def age_figures(days: int) -> Step:
    """Make all cached figures so many days older."""

    def step(visitor: Visitor) -> None:
        visitor.stack.run(
            "from datetime import timedelta; from django.db.models import F; "
            "from billing.models import CachedStatement as K; "
            f"K.objects.update(as_of=F('as_of') - timedelta(days={days}), attempted_at=None)"
        )

    return step


def prepaid(name: str, balance: str, says: str, **more: Any) -> State:
    """Peter's first page with this balance."""
    billed = is_billed(PETER, "prepaid")
    steps = (billed, has_spent(balance, **PREPAID, **more), go("/"))
    return row(f"home: prepaid {name}", *steps, by=PETER, says=says)


def postpaid(name: str, balance: str, says: str, limit: str = "'-55'") -> State:
    """Quinn's first page with this balance."""
    billed = is_billed(QUINN, "postpaid", limit)
    steps = (billed, has_spent(balance, **POSTPAID), go("/"))
    return row(f"home: postpaid {name}", *steps, by=QUINN, says=says)


def stale(name: str, path: str, failing: Step, says: str, **query: str) -> State:
    """Quinn's page when the carrier fails three days after it last answered."""
    page, has = go(path, **query), has_spent("40", **POSTPAID)
    return row(
        name, has, is_billed(QUINN, "prepaid"), page, age_figures(3), failing, page, by=QUINN, says=says
    )


QUIET = has_spent("5", **PREPAID, a_day="")
A_PERIOD = {"from_date": "2020-01-01", "to_date": "2020-01-31"}
MONEY_STATES = (
    prepaid("days left", "31.5", "about 31 days, until around"),
    prepaid("a day left", "1.5", "about 1 day, until around"),
    prepaid("hours left", "0.5", "will run out within a day"),
    prepaid("more than a year", "999.99", "will last more than a year"),
    prepaid("no estimate", "7", "you've had no recent charges", a_day=""),
    prepaid("zero", "0", "You've run out of credit."),
    prepaid("below zero", "-3.21", "Your balance is below zero, so you can't make or receive calls"),
    postpaid("days left", "-20", "You have $35.00 left before"),
    postpaid("at the limit", "-55", "You've reached your credit limit"),
    postpaid("below the limit", "-60", "You're over your credit limit"),
    postpaid("limit unknown", "12", "We don't have that limit on file, so we can't estimate when", "NULL"),
    postpaid(
        "limit unknown and below zero", "-12", "below zero. Calls stop at your credit limit, which", "NULL"
    ),
    row(
        "home: unknown type at zero",
        is_billed(QUINN, ""),
        has_spent("0", **POSTPAID),
        go("/"),
        by=QUINN,
        says="If you're on a prepaid plan",
    ),
    stale("home: older figures", "/", fault("customer_balance", "status"), "This is the latest we have"),
    stale(
        "home: older figures and account gone",
        "/",
        fault("customer_balance", "status", status=404, message="No such customer"),
        "This is the latest we have",
    ),
    stale(
        "statement: older figures",
        "/statement/",
        fault("customer_balance", "status", status=401),
        "This is the latest we have",
        **A_PERIOD,
    ),
    row("statement: refreshed", go("/statement/", **A_PERIOD), REFRESH, by=ALICE, says="242.09"),
    row("home: refreshed too often", QUIET, go("/"), *[REFRESH] * 7, by=PETER, says="Wait a minute"),
    row("home: no movement", QUIET, go("/"), by=PETER, says="There was nothing in the last"),
    row(
        "statement: no movement",
        go("/"),
        go("/statement/", from_date="2001-01-01", to_date="2001-01-31"),
        by=ALICE,
        says="Your last activity was in",
    ),
)
