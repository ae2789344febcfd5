"""Every simulator fault on every method: the correct error, at most one write, in time."""

import itertools
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from portal.simulator.faults import CARRIER, WRONG_JSON
from portal.voipline import (
    METHODS,
    BadAnswer,
    Carrier,
    NoAnswer,
    NotAuthorised,
    RateLimited,
    Reach,
    Rejected,
    Secret,
    ServerError,
    Timeouts,
    Unreachable,
    UpstreamError,
    call,
    transport,
)
from tests.conftest import Simulator, start_simulator, stop_simulator
from tests.support.timeouts import HASTY, LATE, PATIENCE, PATIENT, SLACK, eventually, timeouts_for

MONTH = {"from_date": date(2020, 1, 1), "to_date": date(2020, 1, 31)}
PERSON = {
    "first_name": "Dora",
    "last_name": "Doe",
    "company_name": "",
    "phone": "1",
    "password": "correct horse",
}
numbers = itertools.count(1)

Expected = list[tuple[dict[str, Any], type[UpstreamError]]]
FAULTS: Expected = [
    *(({"fault": name}, NoAnswer) for name in ("hang", "drip_status", "drip_headers", "drip_body")),
    *(({"fault": name}, NoAnswer) for name in ("drop_before", "drop_after")),
    ({"fault": "slow", "seconds": PATIENCE}, NoAnswer),
    *(({"fault": "cut", "message": part}, NoAnswer) for part in ("status", "headers", "body")),
    *(({"fault": name}, BadAnswer) for name in ("html", "empty", "truncated", "huge", "gzip_bomb")),
    ({"fault": "html_error"}, ServerError),
    *(({"fault": "redirect", "status": status}, BadAnswer) for status in (301, 302, 303, 307, 308)),
    *(
        ({"fault": kind, "status": status}, NotAuthorised)
        for kind in ("status", "code")
        for status in (401, 403)
    ),
    *(
        ({"fault": kind, "status": status}, Rejected)
        for kind in ("status", "code")
        for status in (400, 402, 404, 405, 409, 418, 422)
    ),
    *(({"fault": kind, "status": 429}, RateLimited) for kind in ("status", "code")),
    *(
        ({"fault": kind, "status": status}, ServerError)
        for kind in ("status", "code")
        for status in (408, 500, 502, 503, 522)
    ),
    ({"fault": "status_after", "status": 500}, ServerError),
    *(({"fault": kind, "status": 201}, BadAnswer) for kind in ("status", "code")),
    *(({"fault": "code", "status": code}, BadAnswer) for code in (0, 302, 4711)),
    *(
        ({"fault": kind, "text": '{"code": 200, "error": "No such thing"}'}, BadAnswer)
        for kind in ("body", "body_after")
    ),
    *(
        ({"fault": "wrong_json", "message": kind}, BadAnswer)
        for kind in ("array", "string", "duplicate", "types")
    ),
    *(({"fault": "wrong_json", "message": kind}, BadAnswer) for kind in ("nan", "infinity", "exponent")),
    *(({"fault": "wrong_json", "message": kind}, BadAnswer) for kind in ("missing", "null_data", "no_data")),
]
# These responses have no result, so nothing in them can be missing or wrong; the carrier reports success.
WITHOUT_RESULTS = {"confirm_email", "register_customer", "reset_password"}


def carrier_for(simulator: Simulator, timeouts: Timeouts = PATIENT) -> Carrier:
    reach = Reach(loopback=True)
    return Carrier(simulator.api, Secret("aurora-api-key"), timeouts=timeouts, reach=reach)


def register(simulator: Simulator, email: str) -> str:
    """Register an unconfirmed customer; return the code in the carrier's email."""
    values = {**PERSON, "email": email, "google_captcha": simulator.token()}
    call(carrier_for(simulator), "register_customer", **values)
    found = re.search(r"address: (\w+)", simulator.mails(email)[-1]["subject"])
    assert found
    return found[1]


def valid_values(simulator: Simulator) -> dict[str, dict[str, Any]]:
    """Return for each method values with which it would succeed."""
    number = next(numbers)
    waiting = f"waiting-{number}@example.com"
    values: dict[str, dict[str, Any]] = {
        "customer_balance": {"account_number": "70001", **MONTH},
        "partner_balance": MONTH,
        "move_funds": {"account_number": "70001", "amount": Decimal("1.5"), "description": "x"},
        "register_customer": {**PERSON, "email": f"dora-{number}@example.com"},
        "confirm_email": {"email": waiting, "code": register(simulator, waiting)},
        "login_via_url": {"account_number": "70001"},
        "reset_password": {"email": "alice@example.com"},
    }
    for key, method in METHODS.items():
        if method.verb == "POST":
            values[key]["google_captcha"] = simulator.token()
    return values


def outcome(carrier: Carrier, key: str, values: dict[str, Any]) -> tuple[Any, float]:
    began = time.monotonic()
    try:
        found: Any = call(carrier, key, **values)
    except UpstreamError as error:
        found = error
    return found, time.monotonic() - began


def call_all(carrier: Carrier, values_by_method: dict[str, dict[str, Any]]) -> dict[str, tuple[Any, float]]:
    with ThreadPoolExecutor(len(values_by_method)) as pool:
        running = {
            key: pool.submit(outcome, carrier, key, values) for key, values in values_by_method.items()
        }
    return {key: future.result() for key, future in running.items()}


def holds_no_result(key: str, fault: dict[str, Any]) -> bool:
    empty = fault.get("message") in WRONG_JSON or fault.get("status") == 201
    return key in WITHOUT_RESULTS and empty


def kind_for(key: str, fault: dict[str, Any], kind: type[UpstreamError]) -> type[UpstreamError]:
    """Return the expected error: few codes surely refuse a transfer."""
    doubtful = kind is Rejected and fault["status"] not in METHODS[key].rules.refusals
    return BadAnswer if doubtful and key == "move_funds" else kind


def test_every_simulator_fault_is_covered():
    # An amount booked by another factor is answered as if nothing were wrong.
    assert {fault["fault"] for fault, _ in FAULTS} == set(CARRIER) - {"factor"}
    assert {fault["message"] for fault, _ in FAULTS if fault["fault"] == "wrong_json"} == set(WRONG_JSON)


def test_every_method_succeeds_without_a_fault(simulator):
    found = call_all(carrier_for(simulator), valid_values(simulator))
    assert not [answer for answer, _ in found.values() if isinstance(answer, UpstreamError)]
    assert set(found) == set(METHODS)


@pytest.mark.parametrize(
    ("fault", "kind"),
    FAULTS,
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_each_method_raises_the_expected_error_on_a_fault(simulator, fault, kind):
    values_by_method = valid_values(simulator)
    before = len(simulator.calls())
    for key in METHODS:
        simulator.fault(key, **fault)
    found = call_all(carrier_for(simulator, timeouts_for(fault["fault"])), values_by_method)
    # A caller that timed out may have done so before the simulator had read the request.
    assert eventually(lambda: {call["method"] for call in simulator.calls()[before:]} == set(METHODS))
    calls = simulator.calls()[before:]
    simulator.post("faults/clear")
    for key, (error, seconds) in found.items():
        arrived = sum(each["method"] == key for each in calls)
        assert seconds < HASTY.total + SLACK, key
        assert 1 <= arrived <= (1 if METHODS[key].writes else 3), key
        if holds_no_result(key, fault) and not isinstance(error, UpstreamError):
            continue
        expected = kind_for(key, fault, kind)
        if not METHODS[key].writes and fault["fault"] in LATE and type(error) is Unreachable:
            continue  # A second attempt began, and the time was up before it had sent anything.
        assert type(error) is expected, (key, error)
        uncertain = expected in (NoAnswer, ServerError, BadAnswer)
        assert error.may_have_happened is (METHODS[key].writes and uncertain), key
        assert "aurora-api-key" not in f"{error} {error.message} {error!r}"
    assert simulator.listed("elsewhere") == []


@pytest.mark.parametrize("kind", sorted(WRONG_JSON))
def test_method_with_results_refuses_wrong_results(simulator, kind):
    values_by_method = {
        key: values for key, values in valid_values(simulator).items() if key not in WITHOUT_RESULTS
    }
    for key in values_by_method:
        simulator.fault(key, "wrong_json", message=kind)
    found = call_all(carrier_for(simulator), values_by_method)
    assert {type(error) for error, _ in found.values()} == {BadAnswer}


def test_redirect_to_another_host_does_not_send_the_token(simulator):
    process, other = start_simulator()
    try:
        values_by_method = valid_values(simulator)
        for key in METHODS:
            simulator.fault(key, "redirect", status=307, location=f"{other.url}/elsewhere")
        found = call_all(carrier_for(simulator), values_by_method)
        assert {type(error) for error, _ in found.values()} == {BadAnswer}
        assert other.listed("elsewhere") == other.calls() == []
    finally:
        stop_simulator(process)


@pytest.mark.slow
def test_real_timeouts_bound_every_late_fault(simulator, monkeypatch):
    monkeypatch.setattr(transport, "MAX_IN_FLIGHT", 4 * len(METHODS))
    monkeypatch.setattr(transport, "_slots", {})
    carrier, running = carrier_for(simulator, Timeouts()), []
    names = ("hang", "drip_status", "drip_headers", "drip_body")
    with ThreadPoolExecutor(len(METHODS) * 4) as pool:
        for name in names:
            values_by_method, before = valid_values(simulator), len(simulator.calls())
            for key in METHODS:
                simulator.fault(key, name, seconds=0.4)
            running += [
                pool.submit(outcome, carrier, key, values) for key, values in values_by_method.items()
            ]
            until = time.monotonic() + PATIENCE
            while len(simulator.calls()) < before + len(METHODS):
                assert time.monotonic() < until, "not every call arrived"
                time.sleep(0.05)
            # The next round begins with a registration, which must succeed.
            simulator.fault("register_customer", "slow", seconds=0)
    found = [future.result() for future in running]
    assert {type(error) for error, _ in found} == {NoAnswer}
    assert max(seconds for _, seconds in found) < Timeouts().total + SLACK
    writes = [each for each in simulator.calls() if each["fault"] in names and each["verb"] != "GET"]
    assert len(writes) == 4 * sum(method.writes for method in METHODS.values())
