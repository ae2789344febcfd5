"""`check_carrier`: each failure with a message that says what to do."""

import socket
from datetime import datetime
from io import StringIO
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from portal.carrier.connection_check import diagnose
from portal.core import validators
from portal.models import Brand
from portal.security.crypto import EncryptedSecret, encrypt
from portal.voipline import Reach
from tests.conftest import Simulator


def failure(brand: Brand, account_number: str = "") -> str:
    """Return the text of the last finding, which must not be ok."""
    finding = diagnose(brand, account_number)[-1]
    assert not finding.ok
    return finding.text


def test_working_connection_shows_both_balances(simulator: Simulator, aurora: Brand) -> None:
    out = StringIO()
    call_command("check_carrier", "aurora", account="70001", stdout=out)
    partner, customer, *_readiness = out.getvalue().splitlines()
    assert partner.startswith("partner_balance: ok. The closing balance of this month is ")
    assert customer.startswith("customer_balance: ok. ")
    assert customer.endswith(" AUD.")
    assert {call["verb"] for call in simulator.calls()} == {"GET"}


def test_check_requests_the_current_month_in_the_brand_time_zone(simulator: Simulator, aurora: Brand) -> None:
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
            ["API key is wrong", "public IP address isn't listed", "curl -4 https://"],
        ),
        ("status", {"status": 404}, ["the path “get-partner-balance” is unknown"]),
        ("status", {"status": 422, "message": "no dates"}, ["(code 422)", "“no dates”", "date format"]),
        ("status", {"status": 429, "retry_after": 7}, ["wait", "in 7 seconds"]),
        ("status", {"status": 429, "retry_after": 86400}, ["asks us to wait. Try again in 24 hours."]),
        ("status", {"status": 429, "retry_after": 999999999}, ["wait. Try again later"]),
        ("status", {"status": 500}, ["server failed (code 500)"]),
        ("code", {"status": 4103}, ["code 4103", "add it to the response codes"]),
        ("html", {}, ["Something in front of the API answered", "key may be right", "Compare the API"]),
        ("body", {"status": 403, "text": "<!DOCTYPE html><title>Just a moment...</title>"}, ["web page"]),
        ("body", {"status": 403, "text": "error code: 1020"}, ["web page or text", "(code 403)"]),
        ("body", {"text": '{"code": 200, "status": "weird"}'}, ["says both that it worked and that it did"]),
        ("body", {"text": '{"code": 200, "error": "No"}'}, ["says both that it worked and that it did"]),
        ("body", {"text": '{"code": "+200"}'}, ["couldn't read the carrier's answer"]),
        ("body", {"text": '{"success": false}'}, ["says no in words alone (code 200)"]),
        ("body", {"status": 502, "text": "<html>"}, ["server failed (code 502)", "a web page or a text"]),
        ("body", {"status": 401, "text": "Unauthorized"}, ["API key is wrong", "a web page or a text"]),
        ("body", {"text": '{"code": "E_X"}'}, ["code E_X", "add it to the response codes"]),
        (
            "wrong_json",
            {"message": "missing"},
            ["get-partner-balance”: closing_balance is missing", "result names"],
        ),
        ("redirect", {"status": 302}, ["redirects", "Write the final address"]),
        ("drop_before", {}, ["did not answer"]),
    ],
)
def test_failure_says_what_is_wrong(
    simulator: Simulator, aurora: Brand, fault: str, options: dict[str, Any], words: list[str]
) -> None:
    simulator.fault("partner_balance", fault, **options)
    text = failure(aurora)
    assert all(word in text for word in words), text


def test_unknown_account_is_distinguished_from_a_wrong_path(simulator: Simulator, aurora: Brand) -> None:
    assert "or the account number, is unknown" in failure(aurora, "99999")
    aurora.response_codes.create(code="Customer not found", meaning="customer_unknown")
    assert "knows no customer with this account number" in failure(aurora, "99999")


def test_impossible_account_number_is_not_sent(simulator: Simulator, aurora: Brand) -> None:
    assert "so we asked nothing" in failure(aurora, "../x")
    assert not simulator.calls("customer_balance")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "can't reach 127.0.0.1:9: the connection was refused. Nothing listens there"),
        (
            {"carrier_key": EncryptedSecret("not a Fernet token")},
            "can't read the API key. Brand aurora: carrier_key",
        ),
        ({"carrier_key": encrypt("env:PORTAL_SECRET_NONE")}, "PORTAL_SECRET_NONE isn't set"),
        ({"carrier_key": EncryptedSecret()}, "The API key is empty"),
    ],
)
def test_unusable_connection_says_why(make_brand: Any, fields: dict[str, Any], words: str) -> None:
    assert words in failure(make_brand("aurora", "aurora.test", **fields))


@pytest.mark.parametrize("host", ["127.0.0.1", "evil.localhost", "10.0.0.1", "169.254.169.254"])
def test_private_address_is_refused_naming_the_setting(
    simulator: Simulator, aurora: Brand, settings: Any, host: str
) -> None:
    settings.CARRIER_REACH = Reach()  # As in production.
    scheme = "http" if host in ("127.0.0.1", "evil.localhost") else "https"
    url = f"{scheme}://{host}:{simulator.host.rpartition(':')[2]}/api/integration/v2/"
    with pytest.raises(ValidationError, match="CARRIER_PRIVATE_HOSTS"):
        validators.carrier_url(url)
    Brand.objects.update(carrier_url=url)
    text = failure(Brand.objects.get())
    assert f"add {host} to CARRIER_PRIVATE_HOSTS" in text
    assert simulator.calls() == []


def test_name_with_private_address_is_refused_naming_the_setting(
    simulator: Simulator, aurora: Brand, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda _host, *rest, **more: resolve("127.0.0.1", *rest, **more)
    )
    aurora.carrier_url = simulator.api.replace("http://127.0.0.1", "https://carrier.example")
    settings.CARRIER_REACH = Reach()
    text = failure(aurora)
    assert text.startswith(
        f"We can't reach carrier.example:{simulator.host.rpartition(':')[2]}: its address is"
    )
    assert "Nothing was sent." in text
    assert "add its host to CARRIER_PRIVATE_HOSTS" in text
    settings.CARRIER_REACH = Reach(private_hosts=frozenset({"carrier.example"}))
    assert "CARRIER_PRIVATE_HOSTS" not in failure(aurora)  # It is called now, and does not speak TLS.


def test_api_key_is_never_shown(simulator: Simulator, aurora: Brand) -> None:
    for fault in ("html", "drop_before"):
        simulator.fault("partner_balance", fault)
        assert "aurora-api-key" not in repr(diagnose(aurora))


def test_command_fails_when_a_call_fails(aurora: Brand) -> None:
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("check_carrier", "aurora", stdout=out)
    assert out.getvalue().startswith("partner_balance: FAILED. ")


def test_unknown_brand_error_lists_the_existing_brands(aurora: Brand, borealis: Brand) -> None:
    with pytest.raises(CommandError, match=r"There are: aurora, borealis"):
        call_command("check_carrier", "austral")
