"""Canary secrets: key, token, password, code and login URL appear only where they belong."""

import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.core.cache import cache
from django.core.signals import got_request_exception
from django.http import HttpResponse
from django.test import Client
from django.views.debug import ExceptionReporter

from accounts.models import User
from billing.models import CachedStatement
from portal.models import Brand
from portal.monitoring.logging import JsonFormatter
from portal.security.crypto import encrypt
from tests.conftest import ADMIN, AURORA, code_of
from tests.portal.test_admin import brand_data
from tests.support.customer_flow import DETAILS, PASSWORD, carrier_code, code_for, send, sign_up_form, words
from tests.support.leak_detector import PLACES, LeakDetector, WatchedClient, database, detect_leaks

pytestmark = pytest.mark.django_db
DORA = "dora@example.com"
KEY, SECRET = "canary-api-key", "canary-secret-key"
NEW_KEY, NEW_SECRET, OPERATORS = "canary-newer-key", "canary-newer-secret", "canary of the operator"


def logged(caplog: Any) -> str:
    """Return all log lines with all fields, except the debug lines of HTTP libraries."""
    ours = [record for record in caplog.records if not record.name.startswith(("urllib3", "requests"))]
    return "\n".join(JsonFormatter().format(record) + str(vars(record)) for record in ours)


@pytest.fixture
def canaries(aurora, simulator) -> None:
    """Aurora with recognisable secrets, at the carrier too."""
    simulator.post(
        "seed",
        partners=[
            {
                "key": KEY,
                "name": "Canary",
                "site_key": "canary-site-key",
                "secret_key": SECRET,
                "login_wants": ["password"],
            }
        ],
    )
    aurora.carrier_key, aurora.recaptcha_secret_key = encrypt(KEY), encrypt(SECRET)
    aurora.recaptcha_site_key = "canary-site-key"
    aurora.save()
    aurora.overrides.create(method="login_via_url", parameters={"password": "password"})


@pytest.fixture
def witness() -> Iterator[LeakDetector]:
    """Inspect every place after each request of a `Watched` browser."""
    with detect_leaks() as detector:
        yield detector


def fail(*args: object, **values: object) -> None:
    raise RuntimeError("a bug")


class Scenario:
    """Dora's and the operator's visits, each flow once, and the secrets that must not leak."""

    def __init__(self, witness: LeakDetector, simulator: Any) -> None:
        self.witness, self.simulator = witness, simulator
        self.client = WatchedClient(witness, AURORA)
        self.secrets: list[str] = [KEY, SECRET, NEW_KEY, NEW_SECRET, PASSWORD, OPERATORS]
        self.codes: list[str] = []
        self.answers: list[int] = []

    def send(self, path: str, captcha: bool = True, **data: str) -> HttpResponse:
        """POST a form with a captcha token of its own."""
        if captcha:
            data["g-recaptcha-response"] = self.simulator.token("canary-site-key")
            self.secrets.append(data["g-recaptcha-response"])
        response = send(self.client, path, data)
        self.answers.append(response.status_code)
        return response

    def open(self, *paths: str, **query: str) -> None:
        """GET pages."""
        self.answers += [self.client.get(path, query).status_code for path in paths]

    def code(self) -> str:
        """Return the last emailed code."""
        self.codes.append(code_for(DORA))
        return self.codes[-1]

    def sign_up(self) -> str:
        """Sign up and confirm the email; return the carrier's confirmation code."""
        self.open("/", "/sign-up/")
        self.send("/sign-up/", captcha=True, **{**DETAILS, "password": PASSWORD, "accept_terms": "on"})
        carriers_code = carrier_code(self.simulator, DORA)
        self.open("/sign-up/confirm/", email=DORA, code=carriers_code)
        self.open("/sign-up/confirm/")
        self.send("/sign-up/confirm/", email=DORA, code=carriers_code)
        self.open("/sign-in/code/", "/nowhere/")
        return carriers_code

    def sign_in(self) -> None:
        """Sign in with the code of the confirmation, and after a sign-out with a new one."""
        self.send("/sign-in/code/", captcha=False, code="12345678")
        self.send("/sign-in/code/", captcha=False, code=self.code())
        self.open("/", "/statement/", "/statement.csv", "/account/open/")
        opened = self.send("/account/open/", password=PASSWORD)
        self.secrets.append(opened["Location"].partition("ticket=")[2])
        self.send("/sign-out/", captcha=False)
        self.open("/sign-in/")
        self.send("/sign-in/", email=DORA)
        self.send("/sign-in/code/", captcha=False, code=self.code())
        self.send("/password-reset/", email=DORA)
        self.open("/password-reset/sent/")

    def fail(self, monkeypatch: Any) -> None:
        """Run each flow again with an exception raised inside."""
        monkeypatch.setattr("portal.carrier.calls.voipline_call", fail)
        self.send("/account/open/", password=PASSWORD)
        self.send("/password-reset/", email=DORA)
        CachedStatement.objects.all().delete()  # So that the page calls the carrier.
        self.open("/")
        self.send("/sign-out/", captcha=False)
        self.open("/sign-up/")
        self.send("/sign-up/", captcha=True, **{**DETAILS, "password": PASSWORD, "accept_terms": "on"})
        self.send("/sign-up/confirm/", email=DORA, code="canary-carrier-code")
        self.send("/sign-in/", email=DORA)
        monkeypatch.setattr("accounts.sign_in.codes.mark_verified", fail)
        self.send("/sign-in/code/", captcha=False, code=self.code())
        monkeypatch.setattr("portal.captcha._is_valid", fail)
        self.send("/sign-in/", email=DORA)

    def enter_password(self, password: str = OPERATORS) -> None:
        self.send("/admin/login/", False, username="olga@example.com", password=password, next="/admin/")

    def set_up_app(self) -> None:
        """The operator's first sign-in, with errors; a recovery code; a reauthentication; new codes."""
        for password in (OPERATORS + "?", OPERATORS):
            self.enter_password(password)
        page = self.client.get("/admin/login/enrol/").content.decode()
        key = "".join(re.findall(r"<span>([A-Z2-7]{4})</span>", page))
        self.apps = [code_of(key, steps) for steps in range(2)]
        self.send("/admin/login/enrol/", False, code="1" * 6)
        page = self.send("/admin/login/enrol/", False, code=self.apps[0]).content.decode()
        self.send("/admin/logout/", False)
        self.enter_password()
        self.recovery = re.findall(r"<li>([0-9A-Z-]{23})</li>", page)
        self.send("/admin/login/code/", False, code=self.recovery[0])
        self.send("/admin/reauthenticate/", False, password=OPERATORS, code=self.apps[1])
        page = self.send("/admin/security/recovery-codes/", False).content.decode()
        self.recovery += re.findall(r"<li>([0-9A-Z-]{23})</li>", page)
        self.open("/admin/security/", "/admin/accounts/user/1/change/")
        self.secrets.append(key)

    def fail_admin_sign_in(self, monkeypatch: Any) -> None:
        """Raise an exception in each step of the admin sign-in."""
        with monkeypatch.context() as patch:
            patch.setattr("accounts.staff.totp._recovery_hash", fail)
            self.send("/admin/reauthenticate/", False, password=OPERATORS, code=self.recovery[-1])
            patch.setattr("accounts.staff.totp.TOTP.verify", fail)
            self.send("/admin/reauthenticate/", False, password=OPERATORS, code=self.apps[0])
            inside, self.client = self.client, WatchedClient(self.witness, ADMIN)
            patch.setattr("accounts.staff.two_step.build_pending_login", fail)
            self.enter_password()
            self.client = inside

    def administer(self, brand: Brand, monkeypatch: Any) -> None:
        """Sign in as operator; save a brand with new secrets: invalid, valid, and with an exception."""
        self.client = WatchedClient(self.witness, ADMIN)
        path = f"/admin/portal/brand/{brand.pk}/change/"
        self.open("/admin/login/", path)
        self.set_up_app()
        secrets = {"carrier_key": NEW_KEY, "recaptcha_secret_key": NEW_SECRET}
        for invalid in ({"currency": "XXX"}, {}):
            self.send(path, False, **admin_data(brand, **secrets, **invalid))
        self.open(path, path.replace("change", "history"), "/admin/portal/brand/", "/admin/")
        self.fail_admin_sign_in(monkeypatch)
        monkeypatch.setattr("portal.models.Brand.save", fail)
        self.send(path, False, **admin_data(brand, **secrets))


def admin_data(brand: Brand, **changes: str) -> dict[str, str]:
    brand.overrides.all().delete()
    return {name: str(value) for name, value in brand_data(brand, **changes).items()}


def test_no_flow_and_no_failure_leaks_a_secret(canaries, aurora, operator, simulator, monkeypatch, witness):
    operator.set_password(OPERATORS)
    operator.save()
    scenario = Scenario(witness, simulator)
    carriers_code = scenario.sign_up()
    scenario.sign_in()
    statuses, scenario.answers = scenario.answers, []
    assert not [status for status in statuses if status >= 400 and status != 404], statuses
    scenario.fail(monkeypatch)
    assert scenario.answers.count(500) == 7, scenario.answers
    scenario.answers = []
    scenario.administer(aurora, monkeypatch)
    assert scenario.answers[-4:] == [500] * 4
    assert LogEntry.objects.count() == 1

    assert all(witness.seen.values())
    assert sum("a bug" in text for text in witness.seen["error mails"]) >= 16
    assert len(scenario.codes) == len(set(scenario.codes)) == 3
    assert len(witness.session_keys) > 4
    as_emailed = [f"{code[:4]} {code[4:]}" for code in scenario.codes]
    for secret in (*scenario.secrets, *scenario.codes, *as_emailed, *witness.session_keys):
        assert len(secret) >= 8
        assert witness.places_with(secret) == [], secret
    assert DORA not in str(witness.seen["error mails"])
    for code in as_emailed:
        assert sum(code in str(message.body) for message in mail.outbox) == 1
    for secret in (*scenario.secrets, *witness.session_keys, carriers_code):
        assert not any(secret in str(message.message()) for message in mail.outbox)
    check_staff_codes(scenario)
    # The carrier's code is the visitor's own: it is kept in the form of the page that asks for it.
    assert set(witness.places_with(carriers_code)) <= {"database", "pages"}
    assert carriers_code not in database()
    check_cookies(witness)


def check_staff_codes(scenario: Scenario) -> None:
    """Check that a recovery code appears only on the page that issued it, and app codes nowhere."""
    detector = scenario.witness.seen
    assert len({*scenario.recovery}) == 20
    for code in scenario.recovery:
        assert scenario.witness.places_with(code) == ["pages"]
        assert sum(code in page for page in detector["pages"]) == 1
        assert scenario.witness.places_with(code.replace("-", "")) == []
    for code in scenario.apps:
        for place in ("log", "error mails", "cookies", "pages"):
            assert not any(re.search(rf"(?<!\d){code}(?!\d)", text) for text in detector[place]), place


def check_cookies(witness: LeakDetector) -> None:
    """Check that every cookie ever set or deleted is bound to host and https and hidden from scripts."""
    assert {cookie.key for cookie in witness.cookies} == {"__Host-session", "__Host-csrf", "__Host-device"}
    for cookie in witness.cookies:
        assert cookie["secure"]
        assert (cookie["path"], cookie["domain"], cookie["samesite"]) == ("/", "", "Lax")
        assert cookie["httponly"] or not cookie.value


@pytest.mark.parametrize("place", PLACES)
def test_leak_detector_finds_a_canary_in_each_place(alice, witness, place):
    canary = "canary-in-a-coal-mine"
    response = HttpResponse(canary if place == "pages" else "")
    if place == "cookies":
        response.set_cookie("x", canary)
    elif place == "cache":
        cache.set("x", canary, 10)
    elif place == "database":
        User.objects.filter(pk=alice.pk).update(company_name=canary)
    elif place == "log":
        logging.getLogger("portal.x").debug("x", extra={"y": canary})
    elif place == "error mails":
        logging.getLogger("django.request").error(canary)
    witness.inspect(Client(), response)
    cache.clear()
    assert place in witness.places_with(canary)


def test_carrier_faults_leave_no_secret_in_the_log(canaries, simulator, browse, caplog):
    caplog.set_level(logging.DEBUG)
    token = simulator.token("canary-site-key")
    for fault in ("drop_after", "html", "truncated", "redirect", "wrong_json"):
        simulator.fault("register_customer", fault, **({"message": "types"} if fault == "wrong_json" else {}))
        send(browse(AURORA), "/sign-up/", sign_up_form(f"{token}-{fault}"))
    for secret in (KEY, PASSWORD, token):
        assert secret not in logged(caplog) + database()


@pytest.fixture
def reports() -> Any:
    """Collect the error reports, as text and HTML, of every request that ends in an exception."""
    texts: list[str] = []

    def collect(sender: Any, request: Any, **_: Any) -> None:
        import sys

        reporter = ExceptionReporter(request, *sys.exc_info(), is_email=True)
        texts.extend((reporter.get_traceback_text(), reporter.get_traceback_html()))

    got_request_exception.connect(collect)
    yield texts
    got_request_exception.disconnect(collect)


def break_carrier(monkeypatch: Any) -> None:
    monkeypatch.setattr("portal.carrier.calls.voipline_call", fail)


def test_error_report_contains_no_input_and_no_identity(
    canaries, simulator, browse, monkeypatch, reports, caplog
):
    caplog.set_level(logging.DEBUG)
    break_carrier(monkeypatch)
    client: Client = browse(AURORA)
    client.raise_request_exception = False
    client.get("/sign-up/confirm/?email=a@example.com&code=a")  # Starts the session.
    cookie = client.cookies["__Host-session"].value
    token = simulator.token("canary-site-key")
    sign_up = send(client, "/sign-up/", sign_up_form(token))
    confirm = {"email": DORA, "code": "canary-carrier-code", "g-recaptcha-response": token + "2"}
    confirmation = send(client, "/sign-up/confirm/", confirm)
    assert (sign_up.status_code, confirmation.status_code) == (500, 500)
    assert "Something went wrong on our side" in words(sign_up)
    assert len(reports) == 4
    for text in (*reports, logged(caplog)):
        assert "a bug" in text
        for secret in (KEY, PASSWORD, token, "canary-carrier-code", cookie, DORA, "0199"):
            assert secret not in text


def test_error_report_does_not_contain_the_entered_code(aurora, alice, browse, monkeypatch, reports):
    client = browse(AURORA)
    client.raise_request_exception = False
    send(client, "/sign-in/", {"email": alice.email})
    code = code_for(alice.email)
    monkeypatch.setattr("accounts.sign_in.codes.mark_verified", fail)
    assert send(client, "/sign-in/code/", {"code": code}).status_code == 500
    assert len(reports) == 2
    for text in reports:
        assert code not in text
        assert client.cookies["__Host-session"].value not in text


def test_error_report_does_not_contain_the_code_of_a_link(aurora, browse, monkeypatch, reports):
    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.save", fail)
    client = browse(AURORA)
    client.raise_request_exception = False
    client.get("/sign-up/confirm/", {"email": DORA, "code": "canary-carrier-code"})
    assert len(reports) == 2
    for text in reports:
        assert "canary-carrier-code" not in text


def test_resubmission_after_an_exception_reports_an_unclear_outcome(canaries, simulator, browse, monkeypatch):
    client = browse(AURORA)
    client.raise_request_exception = False
    form = sign_up_form(simulator.token("canary-site-key"))
    with monkeypatch.context() as patch:
        break_carrier(patch)
        assert send(client, "/sign-up/", form).status_code == 500
    response = send(client, "/sign-up/", form)
    assert response.status_code == 503
    assert "We don't know yet whether your account was created" in words(response)
    assert simulator.calls() == []


def test_error_email_does_not_contain_the_code_of_a_failing_link(aurora, witness, monkeypatch):
    monkeypatch.setattr("portal.middleware.brand.get_brand_for_host", fail)
    client = WatchedClient(witness, AURORA)
    for path in ("/sign-up/confirm/", "/sign-in/"):
        query = {"email": DORA, "code": "canary-carrier-code"}
        client.get(
            path, query, headers={"referer": f"https://{AURORA}/sign-up/confirm/?code=canary-referrer"}
        )
    assert "a bug" in str(witness.seen["error mails"])
    for canary in ("canary-carrier-code", "canary-referrer", DORA):
        assert witness.places_with(canary) == []
