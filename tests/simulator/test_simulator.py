"""The carrier simulator from outside: as a separate process, over HTTP and SMTP."""

import base64
import gzip
import json
import re
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import requests
from django_otp.oath import totp

from tests.support.timeouts import PATIENCE, SLACK

ROOT = Path(__file__).resolve().parents[2]
API = "/api/integration/v2/"
AURORA, BOREALIS = "aurora-api-key", "borealis-api-key"
JANUARY = {"account_number": "70001", "from_date": "2020-01-01", "to_date": "2020-01-31"}
DORA = {
    "first_name": "Dora",
    "last_name": "Dean",
    "company_name": "",
    "email": "dora@example.com",
    "phone": "+61 2 5550 0199",
    "password": "correct horse",
}


@dataclass
class Simulator:
    http: str
    smtp: tuple[str, int]
    process: subprocess.Popen[str]

    def control(self, name: str, value: object = None) -> dict[str, Any]:
        answer = requests.post(f"{self.http}/_control/{name}", json=value or {}, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def recorded(self, name: str, **query: str) -> list[dict[str, Any]]:
        return requests.get(f"{self.http}/_control/{name}", params=query, timeout=PATIENCE).json()[name]

    def token(self, site_key: str = "aurora-site-key") -> str:
        return self.control("token", {"site_key": site_key})["token"]

    def get(self, method: str, key: str = AURORA, **query: str) -> requests.Response:
        return requests.get(self.http + API + method, query, headers={"token": key}, timeout=PATIENCE)

    def send(
        self, verb: str, method: str, fields: object, key: str = AURORA, **more: Any
    ) -> requests.Response:
        """Send a multipart request; `fields` is a dict or a list of pairs."""
        pairs = fields.items() if isinstance(fields, dict) else fields
        files = [(name, (None, value)) for name, value in pairs]
        url = method if method.startswith("http") else self.http + API + method
        return requests.request(verb, url, files=files, headers={"token": key}, timeout=PATIENCE, **more)

    def post(self, method: str, key: str = AURORA, **fields: str) -> requests.Response:
        return self.send(
            "POST", method, {"google_captcha": self.token(f"{key[:-8]}-site-key"), **fields}, key
        )


def start(*arguments: str) -> Simulator:
    command = [sys.executable, "-m", "portal.simulator", "--port", "0", "--with-parent", *arguments]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT)
    assert process.stdout
    ready = re.fullmatch(r"ready http=(\S+) smtp=([\d.]+):(\d+)\n", process.stdout.readline())
    assert ready
    return Simulator(ready[1], (ready[2], int(ready[3])), process)


def stop(simulator: Simulator) -> int:
    """End it as the death of its parent would; return the exit code."""
    simulator.process.communicate(timeout=PATIENCE)
    return simulator.process.returncode


@pytest.fixture(scope="module")
def process() -> Iterator[Simulator]:
    simulator = start()
    yield simulator
    stop(simulator)


@pytest.fixture
def carrier(process: Simulator) -> Simulator:
    process.control("reset")
    return process


# The process


def test_simulator_ends_with_its_parent_and_on_sigterm() -> None:
    assert stop(start()) == 0
    simulator = start()
    simulator.process.terminate()
    assert simulator.process.wait(PATIENCE) == 0
    stop(simulator)


def test_simulator_listens_on_loopback_only() -> None:
    from portal.simulator.server import Server
    from portal.simulator.world import World

    with pytest.raises(ValueError, match=r"127\.0\.0\.1 only"):
        Server(World(), 0, host="0.0.0.0")


def test_simulator_shares_no_code_with_the_portal() -> None:
    code = "import sys, portal.simulator.__main__ as m; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    names = loaded.stdout.split()
    assert not [n for n in names if n.startswith(("django", "requests", "portal.voipline"))]
    assert {n for n in names if n.startswith("portal.")} == {
        n for n in names if n.startswith("portal.simulator")
    }


# The seven methods


def test_example_of_the_contract_is_exact_to_the_last_digit(carrier: Simulator) -> None:
    answer = carrier.get("get-customer-balance", **JANUARY)
    assert answer.text == (
        '{"code":200,"data":{"opening_balance":245.71293,"payments":57,"adjustments":5,"call_charges":48.125,'
        '"other_charges":7.5,"total_charges":60.625,"closing_balance":242.08793}}'
    )


def test_monthly_statements_add_up_and_continue_from_each_other(carrier: Simulator) -> None:
    today = time.localtime()
    months = [divmod(today.tm_year * 12 + today.tm_mon - 1 - refund, 12) for refund in range(18, -1, -1)]
    closing = None
    for year, month in months:
        first, last = f"{year}-{month + 1:02}-01", f"{year}-{month + 1:02}-28"
        period = {"from_date": first, "to_date": last}
        text = carrier.get("get-customer-balance", account_number="70002", **period).text
        data = json.loads(text, parse_float=Decimal, parse_int=Decimal)["data"]
        assert data["total_charges"] == data["call_charges"] + data["other_charges"] + data["adjustments"]
        assert data["closing_balance"] == data["opening_balance"] + data["payments"] - data["total_charges"]
        assert data["payments"] > 0
        assert closing is None or data["opening_balance"] == closing
        closing = data["closing_balance"]


@pytest.mark.parametrize(
    ("status", "change"),
    [
        (400, {"from_date": "2020-1-1"}),
        (400, {"from_date": "01/01/2020"}),
        (400, {"from_date": "2020-02-01"}),
        (400, {"from_date": ""}),
        (400, {"account": "70001"}),
        (404, {"account_number": "80001"}),
        (404, {"account_number": "nobody"}),
    ],
)
def test_invalid_query_is_refused(carrier: Simulator, status: int, change: dict[str, str]) -> None:
    answer = carrier.get("get-customer-balance", **(JANUARY | change))
    assert (answer.status_code, answer.json()["code"]) == (status, status)
    assert carrier.recorded("calls")[-1]["worked"] is False


def test_wrong_key_and_foreign_ip_address_look_the_same(carrier: Simulator) -> None:
    wrong_key = carrier.get(
        "get-partner-balance", key="guessed", from_date="2020-01-01", to_date="2020-01-31"
    )
    carrier.control("seed", {"partners": [{"key": AURORA, "ips": ["203.0.113.9"]}]})
    strange = carrier.get("get-partner-balance", from_date="2020-01-01", to_date="2020-01-31")
    assert wrong_key.status_code == strange.status_code == 401
    assert wrong_key.text == strange.text == '{"code":401,"message":"Not authorised"}'
    assert [call["headers"]["token"] for call in carrier.recorded("calls")] == ["?", "Aurora"]
    assert AURORA not in json.dumps(carrier.recorded("calls"))


def test_every_malformed_request_is_refused(carrier: Simulator) -> None:
    transfer = {"account_number": "70001", "amount": "1.5", "description": "Top-up"}
    url = f"{carrier.http}{API}move-funds"
    headers = {"token": AURORA}
    assert carrier.send("POST", "move-funds", transfer).status_code == 405
    assert carrier.send("PUT", "move-money", transfer).status_code == 404
    assert carrier.send("PUT", f"{url}?x=1", transfer).status_code == 400
    assert requests.put(url, data=transfer, headers=headers, timeout=PATIENCE).status_code == 415
    assert requests.put(url, json=transfer, headers=headers, timeout=PATIENCE).status_code == 415
    assert requests.put(url, params=transfer, headers=headers, timeout=PATIENCE).status_code == 415
    assert (
        requests.put(url, files={"amount": ("a.txt", "1")}, headers=headers, timeout=PATIENCE).status_code
        == 400
    )
    assert carrier.send("PUT", "move-funds", [*transfer.items(), ("amount", "2")]).json()["message"] == {
        "amount": ["Given more than once."]
    }
    for amount in ("1,5", "1e3", "1.123456", "+1", " 1", "NaN", "0x1", "١"):
        assert carrier.send("PUT", "move-funds", transfer | {"amount": amount}).status_code == 400, amount
    body_with_get = requests.get(
        carrier.http + API + "get-customer-balance", JANUARY, data="x", headers=headers, timeout=PATIENCE
    )
    assert body_with_get.status_code == 400
    assert not any(call["worked"] for call in carrier.recorded("calls"))


def test_transferred_funds_leave_the_partner_and_reach_the_customer(carrier: Simulator) -> None:
    carrier.control(
        "seed",
        {
            "customers": [
                {
                    "partner": AURORA,
                    "account_number": "1",
                    "email": "e@x.org",
                    "balance": "1.5",
                    "credit_limit": "-55",
                }
            ]
        },
    )
    partner = Decimal(carrier.recorded("partners")[0]["balance"])
    transfer = {"account_number": "1", "amount": "20.00001", "description": "Top-up"}
    answer = carrier.send("PUT", "move-funds", transfer)
    assert answer.text == '{"code":200,"data":{"customer_balance":21.50001,"customer_credit_limit":-55}}'
    assert Decimal(carrier.recorded("partners")[0]["balance"]) == partner - Decimal("20.00001")
    refund = carrier.send("PUT", "move-funds", transfer | {"amount": "-21"})
    assert refund.json()["data"]["customer_balance"] == 0.50001


def test_customer_registers_confirms_signs_in_and_resets_password(carrier: Simulator) -> None:
    registered = carrier.post("register-customer", **DORA).json()
    number = registered["data"]["account_number"]
    assert number not in ("70001", "80002")
    mail = carrier.recorded("mails", to="DORA@example.com")[0]
    code = re.search(r"code is (\w{8})\n", mail["text"])
    assert code
    assert f"aurora.localhost:8000/sign-up/confirm/?email=dora%40example.com&code={code[1]}" in mail["text"]

    wrong = carrier.post("confirm-customer-email", email=DORA["email"], code="WRONG123")
    assert (wrong.status_code, wrong.json()["message"]) == (422, {"code": ["The code is invalid."]})
    right = carrier.post("confirm-customer-email", email=DORA["email"], code=code[1])
    assert right.json() == {"code": 200, "data": {"account_number": number}}
    assert carrier.post("confirm-customer-email", email=DORA["email"], code=code[1]).status_code == 409

    url = carrier.post("login-customer-via-url", account_number=number).json()["data"]["url"]
    browser = requests.Session()
    assert (
        f"Signed in at the carrier as Dora Dean, account {number}" in browser.get(url, timeout=PATIENCE).text
    )
    assert requests.get(url, timeout=PATIENCE).status_code == 410
    assert requests.get(f"{carrier.http}/carrier/home", timeout=PATIENCE).status_code == 403

    assert carrier.post("reset-customer-password", email="nobody@example.com").status_code == 404
    assert carrier.post("reset-customer-password", email=DORA["email"]).json() == {"code": 200}
    link = re.search(r"http\S+ticket=(\S+)", carrier.recorded("mails")[-1]["text"])
    assert link
    form = {"ticket": link[1], "password": "another secret"}
    assert requests.get(link[0], timeout=PATIENCE).status_code == 200
    assert requests.post(f"{carrier.http}/carrier/reset", form, timeout=PATIENCE).status_code == 200
    assert requests.post(f"{carrier.http}/carrier/reset", form, timeout=PATIENCE).status_code == 410
    expected = {"partner": "Aurora", "email": DORA["email"], "password": "another secret"}
    assert carrier.control("password", expected)["matches"] is True
    assert carrier.recorded("calls")[0]["fields"]["password"] == "•••"


def test_email_is_taken_within_one_partner_only(carrier: Simulator) -> None:
    taken = carrier.post("register-customer", **DORA | {"email": "Alice@Example.com"})
    assert taken.json() == {"code": 422, "message": {"email": ["The email has already been taken."]}}
    weak = carrier.post("register-customer", **DORA | {"password": "short"})
    assert (weak.status_code, list(weak.json()["message"])) == (422, ["password"])
    assert carrier.post("register-customer", **DORA).ok
    assert carrier.post("register-customer", key=BOREALIS, **DORA).ok


def test_login_link_is_valid_for_a_minute(carrier: Simulator) -> None:
    url = carrier.post("login-customer-via-url", account_number="70001").json()["data"]["url"]
    carrier.control("clock", {"advance": 61})
    assert requests.get(url, timeout=PATIENCE).status_code == 410


def test_partners_differ_in_parameters_and_messages(carrier: Simulator) -> None:
    carrier.control(
        "seed",
        {
            "partners": [
                {
                    "key": AURORA,
                    "login_wants": ["password"],
                    "codes_in_body": True,
                    "register_returns_account_number": False,
                }
            ]
        },
    )
    wrong = carrier.post("login-customer-via-url", account_number="70001", password="guess")
    assert (wrong.status_code, wrong.json()["code"]) == (200, 422)
    assert carrier.post("login-customer-via-url", account_number="70001").json()["code"] == 400
    right = carrier.post("login-customer-via-url", account_number="70001", password="alice-password")
    assert right.json()["code"] == 200
    assert carrier.post("register-customer", **DORA).json() == {"code": 200}


# Captcha


def test_token_is_valid_once_for_two_minutes_and_one_site_key(carrier: Simulator) -> None:
    def reset_with(token: str) -> int:
        fields = {"email": "bob@example.com", "google_captcha": token}
        return carrier.send("POST", "reset-customer-password", fields).status_code

    token = carrier.token()
    # Form errors are reported before the token is used.
    assert carrier.send("POST", "reset-customer-password", {"google_captcha": token}).status_code == 400
    assert reset_with(token) == 200
    refused = carrier.send(
        "POST", "reset-customer-password", {"email": "bob@example.com", "google_captcha": token}
    )
    assert refused.json() == {"code": 422, "message": {"google_captcha": ["timeout-or-duplicate"]}}
    assert reset_with(carrier.token("borealis-site-key")) == 422
    assert reset_with("made up") == 422
    old = carrier.token()
    carrier.control("clock", {"advance": 121})
    assert reset_with(old) == 422


def test_siteverify_answers_as_google_does(carrier: Simulator) -> None:
    def verify(**fields: str) -> dict[str, Any]:
        return requests.post(f"{carrier.http}/recaptcha/api/siteverify", fields, timeout=PATIENCE).json()

    token, secret = carrier.token(), "aurora-secret-key"
    assert verify(response=token)["error-codes"] == ["missing-input-secret"]
    assert verify(secret="?", response=token)["error-codes"] == ["invalid-input-secret"]
    assert verify(secret=secret)["error-codes"] == ["missing-input-response"]
    assert verify(secret="borealis-secret-key", response=token)["error-codes"] == ["invalid-input-response"]
    good = verify(secret=secret, response=token, remoteip="192.0.2.1")
    assert good["success"] is True
    assert set(good) == {"success", "challenge_ts", "hostname"}
    assert verify(secret=secret, response=token)["error-codes"] == ["timeout-or-duplicate"]
    assert carrier.recorded("siteverify")[4]["remoteip"] == "192.0.2.1"

    carrier.control("seed", {"partners": [{"key": AURORA, "captcha_kind": "v3"}]})
    scored = carrier.control("token", {"site_key": "aurora-site-key", "action": "sign_up"})["token"]
    assert verify(secret=secret, response=scored)["action"] == "sign_up"
    carrier.control("fault", {"method": "siteverify", "fault": "refuse", "times": 1})
    assert verify(secret=secret, response=carrier.token())["success"] is False


# Dialect


def test_dialect_renames_everything_and_removes_the_old_names(carrier: Simulator) -> None:
    carrier.control(
        "dialect",
        {
            "methods": {
                "customer_balance": {
                    "path": "/billing/{account_number}/statement",
                    "date_format": "%d/%m/%Y",
                    "parameters": {"from_date": "start", "to_date": "end"},
                    "constants": {"format": "json"},
                    "results": {"closing_balance": "sums.end"},
                },
                "register_customer": {
                    "path": "signup",
                    "body": "form",
                    "parameters": {"company_name": "", "email": "mail", "google_captcha": "human"},
                    "results": {"account_number": "customer.number"},
                },
            },
            "codes": {"email_taken": 4103, "captcha_failed": 4101, "not_authorised": 4001},
        },
    )
    assert carrier.get("get-customer-balance", **JANUARY).status_code == 404
    statement = f"{carrier.http}/billing/70001/statement"
    query = {"start": "01/01/2020", "end": "31/01/2020", "format": "json"}
    answer = requests.get(statement, query, headers={"token": AURORA}, timeout=PATIENCE)
    assert answer.json()["data"]["sums"] == {"end": 242.08793}
    no_constant = requests.get(
        statement, query | {"format": "xml"}, headers={"token": AURORA}, timeout=PATIENCE
    )
    assert no_constant.json()["message"] == {"format": ["Must be 'json'."]}
    assert requests.get(statement, query, headers={"token": "?"}, timeout=PATIENCE).json()["code"] == 4001

    def sign_up(**change: str) -> Any:
        fields = {n: v for n, v in DORA.items() if n not in ("email", "company_name")} | change
        url = f"{carrier.http}{API}signup"
        return requests.post(url, data=fields, headers={"token": AURORA}, timeout=PATIENCE).json()

    assert sign_up(mail="dora@example.com", human=carrier.token())["data"]["customer"]["number"]
    assert sign_up(mail="dora@example.com", human=carrier.token())["code"] == 4103
    assert sign_up(mail="eve@example.com", human="made up")["code"] == 4101
    assert sign_up(email="eve@example.com", human=carrier.token())["code"] == 400
    assert carrier.recorded("calls", method="register_customer")[0]["fields"]["password"] == "•••"


@pytest.mark.parametrize(
    ("dialect", "named"),
    [
        ({"methods": {"teleport": {}}}, "teleport"),
        ({"methods": {"move_funds": {"paht": "x"}}}, "paht"),
        ({"methods": {"move_funds": {"body": "json"}}}, "json"),
        ({"methods": {"move_funds": {"parameters": {"sum": "x"}}}}, "sum"),
        ({"methods": {"move_funds": {"parameters": {"amount": "description"}}}}, "same name"),
        ({"methods": {"confirm_email": {"parameters": {"google_captcha": ""}}}}, "google_captcha"),
        ({"codes": {"email_taken": "4103"}}, "email_taken"),
    ],
)
def test_error_in_a_dialect_is_named(carrier: Simulator, dialect: object, named: str) -> None:
    answer = requests.post(f"{carrier.http}/_control/dialect", json=dialect, timeout=PATIENCE)
    assert answer.status_code == 400
    assert named in answer.json()["error"]


# Faults


def balance(carrier: Simulator, **fault: Any) -> requests.Response:
    carrier.control("fault", {"method": "customer_balance", "times": 1, **fault})
    return carrier.get("get-customer-balance", **JANUARY)


def test_refusing_responses(carrier: Simulator) -> None:
    limited = balance(carrier, fault="status", status=429, retry_after=7)
    assert (limited.status_code, limited.headers["Retry-After"], limited.json()["code"]) == (429, "7", 429)
    coded = balance(carrier, fault="code", status=4242, message="Maintenance")
    assert (coded.status_code, coded.json()) == (200, {"code": 4242, "message": "Maintenance"})
    assert balance(carrier, fault="html_error").status_code == 502
    assert not any(call["worked"] for call in carrier.recorded("calls"))
    assert balance(carrier, fault="status_after", status=503).status_code == 503
    assert carrier.recorded("calls")[-1]["worked"] is True


def test_malformed_responses(carrier: Simulator) -> None:
    assert balance(carrier, fault="html").headers["Content-Type"].startswith("text/html")
    assert balance(carrier, fault="empty").content == b""
    shapes = {
        "array": "[]",
        "string": '"fine"',
        "null_data": '{"code":200,"data":null}',
        "no_data": '{"code":200}',
    }
    for message, text in shapes.items():
        assert balance(carrier, fault="wrong_json", message=message).text == text
    pieces = {
        "nan": '"payments":NaN',
        "infinity": '"payments":Infinity',
        "exponent": '"payments":1e999999999',
        "duplicate": '"opening_balance":246.71293',
        "missing": '"total_charges":60.625}}',
        "types": '"opening_balance":[245.71293],"payments":{"value":57},"adjustments":true',
    }
    for message, piece in pieces.items():
        assert piece in balance(carrier, fault="wrong_json", message=message).text


def test_oversized_responses_end_with_the_correct_answer(carrier: Simulator) -> None:
    huge = balance(carrier, fault="huge")
    assert len(huge.content) > 60 * 1024 * 1024
    assert huge.json()["code"] == 200
    carrier.control("fault", {"method": "customer_balance", "fault": "gzip_bomb"})
    url = carrier.http + API + "get-customer-balance"
    with requests.get(url, JANUARY, headers={"token": AURORA}, timeout=PATIENCE, stream=True) as bomb:
        packed = bomb.raw.read(decode_content=False)
    assert len(packed) < 1024 * 1024
    assert len(gzip.decompress(packed)) > 100 * 1024 * 1024


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "cut", "truncated"])
def test_connection_can_be_dropped_before_or_after_the_work(carrier: Simulator, fault: str) -> None:
    carrier.control("fault", {"method": "move_funds", "fault": fault})
    before = len(carrier.recorded("customers")[0]["ledger"])
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        carrier.send("PUT", "move-funds", {"account_number": "70001", "amount": "1", "description": "Top-up"})
    call = carrier.recorded("calls")[-1]
    assert (call["fault"], call["status"], call["worked"]) == (fault, None, fault != "drop_before")
    assert len(carrier.recorded("customers")[0]["ledger"]) - before == call["worked"]


def test_customer_list_can_be_filtered_by_account_number(carrier: Simulator) -> None:
    assert [each["email"] for each in carrier.recorded("customers", account_number="70002")] == [
        "bob@example.com"
    ]
    assert carrier.recorded("customers", account_number="1") == []
    assert len(carrier.recorded("customers")) == 4


def test_amount_can_be_booked_by_a_factor(carrier: Simulator) -> None:
    carrier.control("fault", {"method": "move_funds", "fault": "factor", "factor": "0.01"})
    fields = {"account_number": "70001", "amount": "250", "description": "Top-up"}
    balance = carrier.send("PUT", "move-funds", fields).json()["data"]["customer_balance"]
    assert carrier.recorded("customers")[0]["ledger"][-1].split()[1:] == ["payment", "2.5"]
    assert Decimal(str(balance)) == Decimal(carrier.recorded("customers")[0]["balance"])


@pytest.mark.parametrize("part", ["status", "headers", "body"])
def test_response_can_drip_or_break_off_in_each_of_its_parts(carrier: Simulator, part: str) -> None:
    def first_bytes(fault: dict[str, Any], seconds: float) -> bytes:
        carrier.control("fault", {"method": "partner_balance", **fault})
        address = carrier.http.removeprefix("http://").split(":")
        with socket.create_connection((address[0], int(address[1])), timeout=PATIENCE) as client:
            client.sendall(f"GET {API}get-partner-balance HTTP/1.1\r\ntoken: {AURORA}\r\n\r\n".encode())
            return b"".join(until_the_end_or(client, time.monotonic() + seconds))

    dripped = first_bytes({"fault": f"drip_{part}", "seconds": 0.01}, 0.3)
    broken = first_bytes({"fault": "cut", "message": part}, PATIENCE)
    ends = {"status": (False, False), "headers": (True, False), "body": (True, True)}[part]
    assert (b"\r\n" in dripped, b"\r\n\r\n" in dripped) == ends
    assert (b"\r\n" in broken, b"\r\n\r\n" in broken) == ends


def until_the_end_or(client: socket.socket, moment: float) -> Iterator[bytes]:
    try:
        while time.monotonic() < moment and (data := client.recv(4096)):
            yield data
    except ConnectionResetError:
        return


def test_waiting_ends_when_faults_are_cleared(carrier: Simulator, in_background: Callable[..., Any]) -> None:
    carrier.control("fault", {"method": "*", "fault": "hang"})
    hanging = in_background(carrier.get, "get-customer-balance", **JANUARY)
    wait_for(lambda: carrier.recorded("calls"))
    carrier.control("faults/clear")
    with pytest.raises(requests.ConnectionError):
        hanging.result(timeout=PATIENCE)
    began = time.monotonic()
    assert balance(carrier, fault="slow", seconds=0.2).ok
    assert 0.2 <= time.monotonic() - began < SLACK


@pytest.fixture
def in_background() -> Iterator[Callable[..., Any]]:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor() as pool:
        yield pool.submit


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_followed_redirect_is_recorded(carrier: Simulator) -> None:
    assert balance(carrier, fault="redirect", status=307).json() == {"code": 200, "data": {}}
    assert carrier.recorded("elsewhere") == [{"verb": "GET", "token": True}]


def test_connections_can_be_distinguished(carrier: Simulator) -> None:
    with requests.Session() as session:
        for _ in range(2):
            url = carrier.http + API + "get-customer-balance"
            session.get(url, params=JANUARY, headers={"token": AURORA}, timeout=PATIENCE)
    carrier.get("get-customer-balance", **JANUARY)
    first, second, third = (call["connection"] for call in carrier.recorded("calls"))
    assert first == second != third


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ({"method": "customer_balance", "fault": "explode"}, "explode"),
        ({"method": "teleport", "fault": "hang"}, "teleport"),
        ({"method": "smtp", "fault": "html"}, "html"),
        ({"method": "*", "fault": "hang", "second": 3}, "second"),
        ({"method": "*", "fault": "hang", "times": 0}, "times"),
        ({"method": "*", "fault": "wrong_json", "message": "odd"}, "odd"),
        ({"method": "*", "fault": "redirect", "status": 200}, "status"),
        ({"method": "*", "fault": "factor", "factor": "many"}, "factor"),
        ({"fault": "hang"}, "method"),
    ],
)
def test_error_in_a_fault_is_named(carrier: Simulator, fault: object, named: str) -> None:
    answer = requests.post(f"{carrier.http}/_control/fault", json=fault, timeout=PATIENCE)
    assert answer.status_code == 400
    assert named in answer.json()["error"]


# Mail


def test_email_sent_over_smtp_is_shown_escaped_with_links(carrier: Simulator) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = (
        "Aurora <a@x.org>",
        "Zoë <zoe@example.com>",
        "Ihr <Code>",
    )
    message.set_content("Grüße <b>\n.einsamer Punkt\nhttp://aurora.localhost/?a=1&b=2.\n")
    message.add_alternative("<p>Grüße</p>", subtype="html")
    with smtplib.SMTP(*carrier.smtp, timeout=PATIENCE) as client:
        client.send_message(message)
    mail = carrier.recorded("mails", to="zoe@example.com")[0]
    assert mail["text"].splitlines()[1] == ".einsamer Punkt"
    assert (mail["source"], mail["to"], mail["html"].strip()) == ("smtp", ["zoe@example.com"], "<p>Grüße</p>")
    listed = requests.get(f"{carrier.http}/inbox/?to=zoe@example.com", timeout=PATIENCE)
    assert "Ihr &lt;Code&gt;" in listed.text
    assert "default-src 'none'" in listed.headers["Content-Security-Policy"]
    shown = requests.get(f"{carrier.http}/inbox/{mail['id']}", timeout=PATIENCE).text
    assert "Grüße &lt;b&gt;" in shown
    assert '<a href="http://aurora.localhost/?a=1&amp;b=2"' in shown


def test_mail_server_fails_on_demand(carrier: Simulator) -> None:
    def send() -> None:
        with smtplib.SMTP(*carrier.smtp, timeout=PATIENCE) as client:
            client.sendmail("a@x.org", ["b@x.org"], "Subject: x\r\n\r\nx")

    carrier.control("fault", {"method": "smtp", "fault": "down", "times": 1})
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        send()
    carrier.control("fault", {"method": "smtp", "fault": "reject", "times": 1})
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send()
    send()
    with smtplib.SMTP(*carrier.smtp, timeout=PATIENCE) as client, pytest.raises(smtplib.SMTPDataError):
        client.sendmail("a@x.org", ["b@x.org"], b"x" * 100 + b"\r\n" + (b"y" * 500 + b"\r\n") * 2200)
    assert len(carrier.recorded("mails")) == 1


# Control


def test_reset_clears_everything(carrier: Simulator) -> None:
    carrier.post("register-customer", **DORA)
    carrier.control("fault", {"method": "*", "fault": "empty"})
    carrier.control("dialect", {"methods": {"move_funds": {"path": "elsewhere"}}})
    token = carrier.token()
    carrier.control("reset")
    assert (carrier.recorded("calls"), carrier.recorded("mails"), len(carrier.recorded("customers"))) == (
        [],
        [],
        4,
    )
    assert carrier.get("get-customer-balance", **JANUARY).json()["code"] == 200
    spent = carrier.post("reset-customer-password", email="bob@example.com", google_captcha=token)
    assert spent.status_code == 422
    carrier.control("reset", {"seed": "empty"})
    assert carrier.recorded("customers") == carrier.recorded("partners") == []


def test_error_in_a_seed_is_named_and_changes_nothing(carrier: Simulator) -> None:
    good = {"partner": AURORA, "account_number": "5", "email": "five@example.com"}
    seed = {"customers": [good, {**good, "account_number": "6", "balance": "lots"}]}
    answer = requests.post(f"{carrier.http}/_control/seed", json=seed, timeout=PATIENCE)
    assert answer.status_code == 400
    assert "customers[1].balance: 'lots'" in answer.json()["error"]
    assert len(carrier.recorded("customers")) == 4


def test_dialect_and_seed_from_files_survive_a_reset(tmp_path: Path) -> None:
    dialect, seed = tmp_path / "dialect.json", tmp_path / "seed.json"
    dialect.write_text('{"methods": {"partner_balance": {"path": "saldo"}}}')
    seed.write_text('{"partners": [{"key": "aurora-api-key", "currency": "NZD"}]}')
    simulator = start("--dialect", str(dialect), "--seed", str(seed))
    try:
        simulator.control("reset")
        assert simulator.get("saldo", from_date="2020-01-01", to_date="2020-01-31").ok
        assert simulator.recorded("partners")[0]["currency"] == "NZD"
    finally:
        stop(simulator)


def test_authenticator_page_shows_rfc_6238_codes_and_their_expiry(carrier: Simulator) -> None:
    key = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    carrier.control("authenticator", {"name": "olga@example.com", "key": key})
    requests.post(
        f"{carrier.http}/authenticator/new", {"name": "Sam <b>", "key": "gezd gnbv"}, timeout=PATIENCE
    )
    before = int(time.time()) // 30
    olga, sam = carrier.recorded("authenticator")
    page = requests.get(f"{carrier.http}/authenticator/", timeout=PATIENCE)
    if int(time.time()) // 30 == before:
        assert olga["code"] == f"{totp(base64.b32decode(key)):06d}"
        assert olga["code"] in page.text
    assert 0 < int(page.headers["Refresh"]) <= 30
    assert sam["name"] == "Sam <b>"
    assert "Sam &lt;b&gt;" in page.text
    wrong = requests.post(f"{carrier.http}/authenticator/new", {"name": "x", "key": "1"}, timeout=PATIENCE)
    assert wrong.status_code == 400
    carrier.control("reset")
    assert carrier.recorded("authenticator") == []
