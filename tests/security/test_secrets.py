"""Canaries: key, token, password, code and login URL stand nowhere but where they belong."""

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
from tests.support.leak_detector import PLACES, Watched, Witness, database, watching

pytestmark = pytest.mark.django_db
DORA = "dora@example.com"
KEY, SECRET = "canary-api-key", "canary-secret-key"
NEW_KEY, NEW_SECRET, OPERATORS = "canary-newer-key", "canary-newer-secret", "canary of the operator"


def logged(caplog: Any) -> str:
    """All lines with all their fields, except those of HTTP libraries' own debugging."""
    ours = [record for record in caplog.records if not record.name.startswith(("urllib3", "requests"))]
    return "\n".join(JsonFormatter().format(record) + str(vars(record)) for record in ours)


@pytest.fixture
def canaries(aurora, simulator) -> None:
    """Aurora with secrets that can be recognised, at the carrier too."""
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
def witness() -> Iterator[Witness]:
    """Sees every place after each request of a `Watched` browser."""
    with watching() as seen:
        yield seen


def broken(*args: object, **values: object) -> None:
    raise RuntimeError("a bug")


class Walk:
    """Dora's visits, each flow once, and what must be seen nowhere."""

    def __init__(self, witness: Witness, simulator: Any) -> None:
        self.witness, self.simulator = witness, simulator
        self.client = Watched(witness, AURORA)
        self.secrets: list[str] = [KEY, SECRET, NEW_KEY, NEW_SECRET, PASSWORD, OPERATORS]
        self.codes: list[str] = []
        self.answers: list[int] = []

    def send(self, path: str, captcha: bool = True, **data: str) -> HttpResponse:
        """POST a form, with a token of its own."""
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
        """The code that was mailed last."""
        self.codes.append(code_for(DORA))
        return self.codes[-1]

    def sign_up(self) -> str:
        """Up to the confirmed address; the carrier's confirmation code."""
        self.open("/", "/sign-up/")
        self.send("/sign-up/", captcha=True, **{**DETAILS, "password": PASSWORD, "accept_terms": "on"})
        carriers = carrier_code(self.simulator, DORA)
        self.open("/sign-up/confirm/", email=DORA, code=carriers)
        self.open("/sign-up/confirm/")
        self.send("/sign-up/confirm/", email=DORA, code=carriers)
        self.open("/sign-in/code/", "/nowhere/")
        return carriers

    def sign_in(self) -> None:
        """By the code of the confirmation; after a sign-out by one of its own."""
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
        """Each flow once more, with a bug in it."""
        monkeypatch.setattr("portal.carrier.calls.voipline_call", broken)
        self.send("/account/open/", password=PASSWORD)
        self.send("/password-reset/", email=DORA)
        CachedStatement.objects.all().delete()  # So that the page asks.
        self.open("/")
        self.send("/sign-out/", captcha=False)
        self.open("/sign-up/")
        self.send("/sign-up/", captcha=True, **{**DETAILS, "password": PASSWORD, "accept_terms": "on"})
        self.send("/sign-up/confirm/", email=DORA, code="canary-carrier-code")
        self.send("/sign-in/", email=DORA)
        monkeypatch.setattr("accounts.sign_in.codes.mark_verified", broken)
        self.send("/sign-in/code/", captcha=False, code=self.code())
        monkeypatch.setattr("portal.captcha._is_valid", broken)
        self.send("/sign-in/", email=DORA)

    def enter_password(self, password: str = OPERATORS) -> None:
        self.send("/admin/login/", False, username="olga@example.com", password=password, next="/admin/")

    def set_up_app(self) -> None:
        """The operator's first sign-in, with mistakes; a recovery code; a proof; new codes."""
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

    def fail_at_the_admins_door(self, monkeypatch: Any) -> None:
        """Each step of its sign-in, with a bug in it."""
        with monkeypatch.context() as patch:
            patch.setattr("accounts.staff.totp._recovery_hash", broken)
            self.send("/admin/reauthenticate/", False, password=OPERATORS, code=self.recovery[-1])
            patch.setattr("accounts.staff.totp.TOTP.verify", broken)
            self.send("/admin/reauthenticate/", False, password=OPERATORS, code=self.apps[0])
            inside, self.client = self.client, Watched(self.witness, ADMIN)
            patch.setattr("accounts.staff.two_step.build_pending_login", broken)
            self.enter_password()
            self.client = inside

    def administer(self, brand: Brand, monkeypatch: Any) -> None:
        """Sign in as the operator, save a brand with new secrets, once wrongly and once with a bug."""
        self.client = Watched(self.witness, ADMIN)
        where = f"/admin/portal/brand/{brand.pk}/change/"
        self.open("/admin/login/", where)
        self.set_up_app()
        secrets = {"carrier_key": NEW_KEY, "recaptcha_secret_key": NEW_SECRET}
        for wrong in ({"currency": "XXX"}, {}):
            self.send(where, False, **admin_data(brand, **secrets, **wrong))
        self.open(where, where.replace("change", "history"), "/admin/portal/brand/", "/admin/")
        self.fail_at_the_admins_door(monkeypatch)
        monkeypatch.setattr("portal.models.Brand.save", broken)
        self.send(where, False, **admin_data(brand, **secrets))


def admin_data(brand: Brand, **changes: str) -> dict[str, str]:
    brand.overrides.all().delete()
    return {name: str(value) for name, value in brand_data(brand, **changes).items()}


def test_no_flow_and_no_failure_leaves_a_secret_anywhere(
    canaries, aurora, operator, simulator, monkeypatch, witness
):
    operator.set_password(OPERATORS)
    operator.save()
    walk = Walk(witness, simulator)
    carriers = walk.sign_up()
    walk.sign_in()
    good, walk.answers = walk.answers, []
    assert not [status for status in good if status >= 400 and status != 404], good
    walk.fail(monkeypatch)
    assert walk.answers.count(500) == 7, walk.answers
    walk.answers = []
    walk.administer(aurora, monkeypatch)
    assert walk.answers[-4:] == [500] * 4
    assert LogEntry.objects.count() == 1

    assert all(witness.seen.values())
    assert sum("a bug" in text for text in witness.seen["error mails"]) >= 16
    assert len(walk.codes) == len(set(walk.codes)) == 3
    assert len(witness.session_keys) > 4
    for secret in (*walk.secrets, *walk.codes, *witness.session_keys):
        assert len(secret) >= 8
        assert witness.places_with(secret) == [], secret
    assert DORA not in str(witness.seen["error mails"])
    for code in walk.codes:
        assert sum(code in str(message.body) for message in mail.outbox) == 1
    for secret in (*walk.secrets, *witness.session_keys, carriers):
        assert not any(secret in str(message.message()) for message in mail.outbox)
    check_the_admins_door(walk)
    # The carrier's code is the visitor's own: it waits in the form of the page that asks for it.
    assert set(witness.places_with(carriers)) <= {"database", "pages"}
    assert carriers not in database()
    check_cookies(witness)


def check_the_admins_door(walk: Walk) -> None:
    """A recovery code stands on the page that gave it out; a code of the app stands nowhere."""
    seen = walk.witness.seen
    assert len({*walk.recovery}) == 20
    for code in walk.recovery:
        assert walk.witness.places_with(code) == ["pages"]
        assert sum(code in page for page in seen["pages"]) == 1
        assert walk.witness.places_with(code.replace("-", "")) == []
    for code in walk.apps:
        for place in ("log", "error mails", "cookies", "pages"):
            assert not any(re.search(rf"(?<!\d){code}(?!\d)", text) for text in seen[place]), place


def check_cookies(witness: Witness) -> None:
    """Every cookie ever set or taken back is bound to host and https, and hidden from scripts."""
    assert {cookie.key for cookie in witness.cookies} == {"__Host-session", "__Host-csrf", "__Host-device"}
    for cookie in witness.cookies:
        assert cookie["secure"]
        assert (cookie["path"], cookie["domain"], cookie["samesite"]) == ("/", "", "Lax")
        assert cookie["httponly"] or not cookie.value


@pytest.mark.parametrize("place", PLACES)
def test_the_witness_sees_what_is_left_in_each_place(alice, witness, place):
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
    witness.look(Client(), response)
    cache.clear()
    assert place in witness.places_with(canary)


def test_faults_leave_no_secret_in_the_log(canaries, simulator, browse, caplog):
    caplog.set_level(logging.DEBUG)
    token = simulator.token("canary-site-key")
    for fault in ("drop_after", "html", "truncated", "redirect", "wrong_json"):
        simulator.fault("register_customer", fault, **({"message": "types"} if fault == "wrong_json" else {}))
        send(browse(AURORA), "/sign-up/", sign_up_form(f"{token}-{fault}"))
    for secret in (KEY, PASSWORD, token):
        assert secret not in logged(caplog) + database()


@pytest.fixture
def reports() -> Any:
    """The error reports, as text and as HTML, of every request that ends in an exception."""
    texts: list[str] = []

    def note(sender: Any, request: Any, **_: Any) -> None:
        import sys

        reporter = ExceptionReporter(request, *sys.exc_info(), is_email=True)
        texts.extend((reporter.get_traceback_text(), reporter.get_traceback_html()))

    got_request_exception.connect(note)
    yield texts
    got_request_exception.disconnect(note)


def break_carrier(monkeypatch: Any) -> None:
    monkeypatch.setattr("portal.carrier.calls.voipline_call", broken)


def test_an_error_report_tells_neither_what_was_typed_nor_who_it_was(
    canaries, simulator, browse, monkeypatch, reports, caplog
):
    caplog.set_level(logging.DEBUG)
    break_carrier(monkeypatch)
    client: Client = browse(AURORA)
    client.raise_request_exception = False
    client.get("/sign-up/confirm/?email=a@example.com&code=a")  # Begins the session.
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


def test_a_code_being_signed_in_with_is_in_no_error_report(aurora, alice, browse, monkeypatch, reports):
    client = browse(AURORA)
    client.raise_request_exception = False
    send(client, "/sign-in/", {"email": alice.email})
    code = code_for(alice.email)
    monkeypatch.setattr("accounts.sign_in.codes.mark_verified", broken)
    assert send(client, "/sign-in/code/", {"code": code}).status_code == 500
    assert len(reports) == 2
    for text in reports:
        assert code not in text
        assert client.cookies["__Host-session"].value not in text


def test_a_link_whose_session_cannot_be_kept_puts_its_code_into_no_error_report(
    aurora, browse, monkeypatch, reports
):
    monkeypatch.setattr("django.contrib.sessions.backends.db.SessionStore.save", broken)
    client = browse(AURORA)
    client.raise_request_exception = False
    client.get("/sign-up/confirm/", {"email": DORA, "code": "canary-carrier-code"})
    assert len(reports) == 2
    for text in reports:
        assert "canary-carrier-code" not in text


def test_after_an_unforeseen_failure_the_same_form_reports_an_unclear_outcome(
    canaries, simulator, browse, monkeypatch
):
    client = browse(AURORA)
    client.raise_request_exception = False
    form = sign_up_form(simulator.token("canary-site-key"))
    with monkeypatch.context() as patch:
        break_carrier(patch)
        assert send(client, "/sign-up/", form).status_code == 500
    response = send(client, "/sign-up/", form)
    assert response.status_code == 503
    assert "may have worked" in words(response)
    assert simulator.calls() == []


def test_a_link_that_fails_before_any_page_knows_it_puts_its_code_into_no_error_mail(
    aurora, witness, monkeypatch
):
    monkeypatch.setattr("portal.middleware.brand.get_brand_for_host", broken)
    client = Watched(witness, AURORA)
    for path in ("/sign-up/confirm/", "/sign-in/"):
        query = {"email": DORA, "code": "canary-carrier-code"}
        client.get(
            path, query, headers={"referer": f"https://{AURORA}/sign-up/confirm/?code=canary-referrer"}
        )
    assert "a bug" in str(witness.seen["error mails"])
    for canary in ("canary-carrier-code", "canary-referrer", DORA):
        assert witness.places_with(canary) == []
