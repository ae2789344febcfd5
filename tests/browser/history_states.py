"""States of the page of twelve months, complete when the browser's load event fires."""

from datetime import date
from typing import Any

from tests.browser.accounts import FAY, HANA, LONG, MOVER, NINA, NORA
from tests.browser.actor import carrier_has, fault, go, sql
from tests.browser.states_runner import row
from tests.support.live_stack import FORNAX

FORGET = sql("DELETE FROM billing_keptstatement")
FORGET_SOME = sql(
    "DELETE FROM billing_keptstatement WHERE id IN"
    " (SELECT id FROM billing_keptstatement ORDER BY from_date DESC LIMIT 5 OFFSET 2)"
)
NO_NUMBER = sql(f"UPDATE accounts_user SET account_number = '' WHERE email = '{NORA}'")
AT_ALL = {"says": "in AUD", "by": HANA}


def entry(months_ago: int, kind: str, amount: str) -> dict[str, str]:
    """Return a booking on the first day of a month."""
    today = date.today()
    index = today.year * 12 + today.month - 1 - months_ago
    return {"date": date(index // 12, index % 12 + 1, 1).isoformat(), "kind": kind, "amount": amount}


def a_year(scale: int = 1) -> list[dict[str, Any]]:
    """Return twelve active months with a credit note, a quiet month, and a balance that crosses zero."""
    calls = (48, 61, 35, 0, 72, 90, 41, 55, 12, 64, 38, 27)
    return [
        entry(14, "payment", "120"),
        *(entry(ago, "call", f"{amount * scale}.125") for ago, amount in enumerate(calls) if amount),
        *(entry(ago, "other", f"{19 * scale}.5") for ago in range(12) if ago != 3),
        entry(2, "adjustment", f"{-25 * scale}"),
        entry(5, "adjustment", f"{14 * scale}"),
        entry(9, "adjustment", f"{-95 * scale}.00005"),
        *(entry(ago, "payment", f"{80 * scale}") for ago in (1, 4, 5, 8)),
    ]


LIVELY = carrier_has("70010", email=HANA, entries=a_year())
HUGE = carrier_has(
    "70004", email=LONG, entries=[*a_year(31_000_000), entry(6, "payment", "987654321098.12345")]
)

HISTORY_STATES = (
    row("history: twelve months", FORGET, LIVELY, go("/history/"), **AT_ALL),
    row("history: kept", FORGET, LIVELY, go("/history/"), go("/history/"), **AT_ALL),
    row(
        "history: some missing",
        FORGET,
        carrier_has("70008", email=MOVER, entries=a_year()),
        go("/history/"),
        FORGET_SOME,
        fault("customer_balance", "status", status=400),
        go("/history/"),
        by=MOVER,
        says="Not available",
    ),
    row("history: long and large", FORGET, HUGE, go("/history/"), by=LONG, says="980,524,"),
    row(
        "history: nothing",
        FORGET,
        carrier_has("70003", email=NINA, entries=[]),
        go("/history/"),
        by=NINA,
        says="$0.00",
    ),
    row("history: carrier away", go("/history/"), by=FAY, brand=FORNAX, says="Not available"),
    row(
        "history: no account number",
        NO_NUMBER,
        go("/history/"),
        by=NORA,
        says="still setting up your account",
    ),
)
