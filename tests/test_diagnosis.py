"""`check_carrier`: each failure in words that say what to do."""

from datetime import datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from portal.crypto import Sealed, seal
from portal.diagnosis import diagnose
from portal.models import Brand
from tests.conftest import Simulator


def failure(brand: Brand, account_number: str = "") -> str:
    """The text of the last finding, which must not be ok."""
    finding = diagnose(brand, account_number)[-1]
    assert not finding.ok
    return finding.text


def test_a_working_connection_shows_both_balances(simulator: Simulator, aurora: Brand) -> None:
    out = StringIO()
    call_command("check_carrier", "aurora", account="70001", stdout=out)
    partner, customer, *_readiness = out.getvalue().splitlines()
    assert partner.startswith("partner_balance: ok. The closing balance of this month is ")
    assert customer.startswith("customer_balance: ok. ")
    assert customer.endswith(" AUD.")
    assert {call["verb"] for call in simulator.calls()} == {"GET"}


def test_it_asks_for_this_month_where_the_brand_is(simulator: Simulator, aurora: Brand) -> None:
    diagnose(aurora)
    (call,) = simulator.calls("partner_balance")
    today = datetime.now(aurora.zone).date()
    assert call["query"] == {"from_date": f"{today:%Y-%m}-01", "to_date": f"{today}"}


@pytest.mark.parametrize(
    ("fault", "options", "words"),
    [
        (
            "status",
            {"status": 401},
            ["API key is wrong", "public IP address is not listed", "curl -4 https://"],
        ),
        ("status", {"status": 404}, ["the path “get-partner-balance” is unknown"]),
        ("status", {"status": 422, "message": "no dates"}, ["(code 422)", "“no dates”", "date format"]),
        ("status", {"status": 429, "retry_after": 7}, ["wait", "in 7 seconds"]),
        ("status", {"status": 500}, ["server failed (code 500)"]),
        ("code", {"status": 4103}, ["code 4103", "add it to the response codes"]),
        ("html", {}, ["shape: the answer is not JSON", "Compare the path"]),
        ("wrong_json", {"message": "missing"}, ["shape: closing_balance is missing", "names of the results"]),
        ("redirect", {"status": 302}, ["redirects", "Write the final address"]),
        ("drop_before", {}, ["did not answer"]),
    ],
)
def test_a_failure_says_what_is_wrong(
    simulator: Simulator, aurora: Brand, fault: str, options: dict[str, Any], words: list[str]
) -> None:
    simulator.fault("partner_balance", fault, **options)
    text = failure(aurora)
    assert all(word in text for word in words), text


def test_an_unknown_account_is_told_from_a_wrong_path(simulator: Simulator, aurora: Brand) -> None:
    assert "or the account number, is unknown" in failure(aurora, "99999")
    aurora.response_codes.create(code="Customer not found", meaning="customer_unknown")
    assert "knows no customer with this account number" in failure(aurora, "99999")


def test_what_cannot_be_an_account_number_is_not_asked_for(simulator: Simulator, aurora: Brand) -> None:
    assert "nothing was asked" in failure(aurora, "../x")
    assert not simulator.calls("customer_balance")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "127.0.0.1:9 cannot be reached: the connection was refused. Nothing listens there"),
        ({"carrier_key": Sealed("not a Fernet token")}, "cannot be read. Brand aurora: carrier_key"),
        ({"carrier_key": seal("env:PORTAL_SECRET_NONE")}, "PORTAL_SECRET_NONE is not set"),
        ({"carrier_key": Sealed()}, "The API key is empty"),
    ],
)
def test_a_connection_that_cannot_work_says_why(make_brand: Any, fields: dict[str, Any], words: str) -> None:
    assert words in failure(make_brand("aurora", "aurora.test", **fields))


def test_the_key_is_never_shown(simulator: Simulator, aurora: Brand) -> None:
    for fault in ("html", "drop_before"):
        simulator.fault("partner_balance", fault)
        assert "aurora-api-key" not in repr(diagnose(aurora))


def test_the_command_fails_when_a_call_does(aurora: Brand) -> None:
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("check_carrier", "aurora", stdout=out)
    assert out.getvalue().startswith("partner_balance: FAILED. ")


def test_an_unknown_brand_is_answered_with_those_there_are(aurora: Brand, borealis: Brand) -> None:
    with pytest.raises(CommandError, match=r"There are: aurora, borealis"):
        call_command("check_carrier", "austral")
