"""The customer journey against a carrier with other names for everything, mapped by configuration."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.journey import Journey, Person
from tests.support.live_stack import AURORA, Stack, running

# Every path, parameter, result and code of the seven methods, renamed.
DIALECT: dict[str, Any] = {
    "methods": {
        "customer_balance": {
            "path": "/ext/subscribers/{account_number}/sheet",
            "date_format": "%d.%m.%Y",
            "parameters": {"account_number": "", "from_date": "since", "to_date": "until"},
            "constants": {"detail": "full"},
            "results": {
                "opening_balance": "sheet.start.carried",
                "payments": "sheet.in.paid",
                "adjustments": "sheet.out.corrections",
                "call_charges": "sheet.out.traffic",
                "other_charges": "sheet.out.sundries",
                "total_charges": "sheet.out.sum",
                "closing_balance": "sheet.end.remaining",
            },
        },
        "partner_balance": {
            "path": "own-sheet",
            "date_format": "%Y%m%d",
            "parameters": {"from_date": "day_one", "to_date": "day_last"},
            "results": {
                "opening_balance": "carried",
                "payments": "paid",
                "adjustments": "corrections",
                "call_charges": "traffic",
                "other_charges": "sundries",
                "total_charges": "sum",
                "closing_balance": "remaining",
            },
        },
        "move_funds": {
            "path": "credit/shift",
            "body": "form",
            "parameters": {"account_number": "subscriber", "amount": "units", "description": "memo"},
            "results": {"customer_balance": "after.remaining", "customer_credit_limit": "after.floor"},
        },
        "register_customer": {
            "path": "enrol",
            "body": "form",
            "parameters": {
                "first_name": "given",
                "last_name": "surname",
                "company_name": "firm",
                "email": "mailbox",
                "phone": "telephone",
                "password": "passphrase",
                "google_captcha": "robot_proof",
            },
            "constants": {"plan": "standard", "consent": "yes"},
            "results": {"account_number": "subscriber.id"},
        },
        "confirm_email": {
            "path": "enrol/finish",
            "parameters": {"email": "mailbox", "code": "pin", "google_captcha": "robot_proof"},
            "results": {"account_number": "subscriber.id"},
        },
        "login_via_url": {
            "path": "/ext/subscribers/{account_number}/door",
            "body": "form",
            "parameters": {
                "account_number": "",
                "email": "",
                "password": "",
                "google_captcha": "not_a_robot",
            },
            "results": {"url": "door.address"},
        },
        "reset_password": {
            "path": "forgotten",
            "body": "form",
            "parameters": {"email": "mailbox", "google_captcha": "robot_proof"},
        },
    },
    "codes": {
        "captcha_failed": 9001,
        "email_taken": 9002,
        "customer_unknown": 9003,
        "code_wrong": 9004,
        "already_confirmed": 9005,
        "not_authorised": 9006,
    },
}
DEFAULT_NAMES = {
    *("account_number", "from_date", "to_date", "amount", "description", "google_captcha", "email", "code"),
    *("first_name", "last_name", "company_name", "phone", "password"),
}
DEFAULT_PATHS = {
    *("get-customer-balance", "get-partner-balance", "move-funds", "register-customer"),
    *("confirm-customer-email", "login-customer-via-url", "reset-customer-password"),
}


def as_toml(dialect: Mapping[str, Any]) -> str:
    """Return the same as TOML tables of a brand's configuration, as an operator would write them."""
    lines = []
    for method, names in dialect["methods"].items():
        lines.append(f"[brand.methods.{method}]")
        for name in ("path", "body", "date_format"):
            if name in names:
                lines.append(f"{name} = {json.dumps(names[name])}")
        for name in ("parameters", "constants", "results"):
            if name in names:
                pairs = ", ".join(f"{ours} = {json.dumps(theirs)}" for ours, theirs in names[name].items())
                lines.append(f"{name} = {{ {pairs} }}")
    lines.append("[brand.codes]")
    lines += [f'"{code}" = "{meaning}"' for meaning, code in dialect["codes"].items()]
    return "\n".join(lines)


@pytest.fixture(scope="module")
def renamed(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Iterator[Stack]:
    """A carrier with renamed API, and a portal configured for it."""
    configuration = as_toml(DIALECT)
    for method in DIALECT["methods"].values():
        if method["path"].startswith("/"):
            configuration = configuration.replace(f'"{method["path"]}"', f'"CARRIER{method["path"]}"')
    brand = dataclasses.replace(AURORA, more=configuration)
    with running(tmp_path_factory.mktemp("renamed"), shared, (brand,), dialect=DIALECT) as stack:
        yield stack


def test_whole_customer_journey_with_renamed_api(renamed: Stack, page: Page) -> None:
    journey = Journey(page, renamed, renamed.brands[0], Person("gina@example.com"))
    journey.run_all()
    journey.expect_each_token_once()

    calls = renamed.carrier.calls()
    assert all(call["worked"] for call in calls)
    assert {call["method"] for call in calls} == set(DIALECT["methods"]) - {"partner_balance", "move_funds"}
    for call in calls:
        assert not DEFAULT_NAMES & {*call["query"], *call["fields"]}, call
        assert call["path"].rpartition("/")[2] not in DEFAULT_PATHS


def test_mapped_response_code_is_understood(renamed: Stack, page: Page) -> None:
    renamed.fresh()
    journey = Journey(page, renamed, renamed.brands[0], Person("alice@example.com"))
    journey.open_sign_up()
    journey.fill_sign_up()
    journey.tick_for("register_customer")
    journey.button("Create an account").click()
    expect(page.locator(".field.wrong")).to_contain_text(
        "There's already an account with this email address."
    )
