"""Unbounded growth: which rows anonymous requests may create, per URL, and which limits bound them."""

import json
import re
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.models import Submission, User
from portal.middleware.sessions import Messages
from portal.models import Brand
from portal.resilience import rate_limits
from tests.conftest import ADMIN, AURORA, Simulator
from tests.security.test_hostile_input import ADDRESSES, admin_addresses, all_rows
from tests.security.test_staff_scope import world as world  # A fixture.
from tests.support.customer_flow import send, sign_in, sign_up_form, value_of
from tests.support.two_brands import World

pytestmark = [pytest.mark.django_db, pytest.mark.database]
DORA = "dora@example.com"
QUERY = {"email": DORA, "code": "x", "next": "/account/", "why": "again", "from_date": "2026-01-01", "v": "1"}
LINK = "/sign-up/confirm/"
SESSION, ATTEMPT, CODE = "sessions.Session", "portal.Attempt", "accounts.SignInCode"
EMAIL = "portal.Email"
CALLED = {SESSION, ATTEMPT, "accounts.Submission", "portal.CarrierCall"}
# URLs at which an anonymous form may create rows, and in which tables; each is rate limited first.
BY_FORMS = {
    "/sign-in/": {SESSION, ATTEMPT, CODE, EMAIL},
    "/sign-up/": CALLED | {"accounts.User"},
    "/sign-up/confirm/": CALLED | {CODE, EMAIL},
    "/password-reset/": CALLED,
}


def row_counts() -> dict[str, int]:
    """Return the row count of each table."""
    return {
        model._meta.label: model._default_manager.count()
        for model in apps.get_models(include_auto_created=True)
    }


def grown_tables(before: dict[str, int]) -> set[str]:
    return {label for label, count in row_counts().items() if count > before[label]}


def rows_created_by(client: Client, method: str, path: str, data: dict[str, Any]) -> dict[str, set[str]]:
    """Send a request; return {path: tables it created rows in}, empty if there are none."""
    before = row_counts()
    assert getattr(client, method)(path, data).status_code < 500
    tables = grown_tables(before)
    return {path: tables} if tables else {}


def form(simulator: Simulator) -> dict[str, Any]:
    """Return all fields of anonymous forms at once, with a valid captcha."""
    codes = [re.search(r"code is (\w+)", mail["text"]) for mail in simulator.mails(DORA)]
    code = next((code[1] for code in codes if code), "x")
    return {**QUERY, **sign_up_form(simulator.token()), "code": code, "others": "1", "do": "stop"}


def send_all_forms(browse: Any, simulator: Simulator) -> dict[str, set[str]]:
    """Send the form to every URL of a brand anonymously; return what each created."""
    found: dict[str, set[str]] = {}
    for path in sorted(ADDRESSES, key=lambda path: path != "/sign-up/"):  # Dora signs up first.
        found |= rows_created_by(browse(AURORA), "post", path, form(simulator))
    return found


def use_up_redis_limits(brand: Brand, monkeypatch: pytest.MonkeyPatch, account: str = "127.0.0.1") -> None:
    """Use up every limit in Redis or memory for this network or customer."""
    for action, scopes in rate_limits.REDIS_LIMITS.items():
        monkeypatch.setitem(rate_limits.REDIS_LIMITS, action, dict.fromkeys(scopes, "1/hour"))
        for _ in range(2):
            with suppress(rate_limits.Limited):
                rate_limits.consume(action=action, network=account, account=account, brand=brand)


def use_up_db_limits(brand: Brand | None, email: str) -> None:
    """Use up every limit in the database for an email."""
    for action in rate_limits.DB_LIMITS:
        with suppress(rate_limits.Limited):
            for _ in range(1000):
                rate_limits.record_attempt(brand=brand, action=action, email=email, network="127.0.0.1")


def test_anonymous_page_views_create_rows_at_one_url_only(
    aurora: Brand, simulator: Simulator, browse: Any
) -> None:
    found: dict[str, set[str]] = {}
    for path in ADDRESSES:
        found |= rows_created_by(browse(AURORA), "get", path, QUERY)
    assert found == {LINK: {SESSION}}


def test_anonymous_forms_create_no_rows_beyond_the_limits(
    aurora: Brand, simulator: Simulator, browse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert send_all_forms(browse, simulator) == BY_FORMS
    use_up_db_limits(aurora, DORA)
    before = all_rows()
    assert send_all_forms(browse, simulator) == {}
    assert all_rows() == before
    rate_limits.forget()
    use_up_redis_limits(aurora, monkeypatch)
    assert send_all_forms(browse, simulator) == {}
    assert rows_created_by(browse(AURORA), "get", LINK, QUERY) == {}
    assert all_rows() == before


def test_form_with_an_invalid_field_creates_no_rows(aurora: Brand, simulator: Simulator, browse: Any) -> None:
    before = all_rows()
    for path in ADDRESSES:
        answer = browse(AURORA).post(path, {**form(simulator), "email": "dora"})
        assert path not in BY_FORMS or answer.status_code == 200
    assert all_rows() == before


def test_anonymous_admin_requests_create_only_limited_attempt_rows(
    world: World, browse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {**QUERY, "username": "sam@example.com", "password": "wrong", "do": "stop", "post": "yes"}
    paths = [*admin_addresses(world), "/", "/nowhere/"]

    def sent() -> set[str]:
        before = row_counts()
        for path in paths:
            assert browse(ADMIN).get(path, QUERY).status_code < 500
            assert browse(ADMIN).post(path, body).status_code < 500
        return grown_tables(before)

    assert sent() == {ATTEMPT}
    use_up_db_limits(None, "sam@example.com")
    assert sent() == set()
    rate_limits.forget()
    use_up_redis_limits(world.aurora, monkeypatch)
    assert sent() == set()


def test_customer_forms_create_no_rows_beyond_the_limits(
    aurora: Brand, alice: User, simulator: Simulator, browse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [path for path in ADDRESSES if re.match("/(account|sign-up|password|language)", path)]

    def sent() -> set[str]:
        before = row_counts()
        for path in paths:
            client.get(path, QUERY)
            client.post(path, {**form(simulator), "email": "new@example.com"})
        return grown_tables(before)

    client = browse(AURORA)
    assert sign_in(client, alice.email)["Location"] == "/"
    assert sent() == (CALLED - {SESSION}) | {CODE, EMAIL}
    use_up_db_limits(aurora, "new@example.com")
    use_up_db_limits(aurora, f"customer {alice.pk}")
    for customer in ("127.0.0.1", f"customer {alice.pk}"):
        use_up_redis_limits(aurora, monkeypatch, customer)
    assert sent() == set()


def test_confirm_links_create_a_limited_number_of_sessions(
    aurora: Brand, browse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(rate_limits.REDIS_LIMITS, "confirm_link", {"network": "20/hour"})
    pages = [browse(AURORA).get(LINK, {"email": DORA, "code": "ABC"}) for _ in range(100)]
    assert [page.status_code for page in pages] == [302] * 20 + [200] * 80
    assert Session.objects.count() == 20
    assert (value_of(pages[-1], "email"), value_of(pages[-1], "code")) == (DORA, "ABC")


@pytest.mark.parametrize("path", ["/sign-out/", "/sign-in/again/"])
def test_sign_out_without_a_session_creates_none(aurora: Brand, browse: Any, path: str) -> None:
    answer = browse(AURORA).post(path)
    assert answer.status_code == 302
    assert not answer.cookies
    assert not Session.objects.exists()


def test_anonymous_session_lasts_a_day(aurora: Brand, alice: User, simulator: Simulator, browse: Any) -> None:
    browse(AURORA).get(LINK, QUERY)
    for path in BY_FORMS:
        send(browse(AURORA), path, form(simulator))
    client = browse(AURORA, alice)
    client.post("/sign-out/")
    assert Session.objects.count() == 6
    tomorrow = timezone.now() + timedelta(days=1)
    assert not Session.objects.filter(expire_date__gt=tomorrow).exists()


def test_submission_rows_are_bounded_by_the_limit_of_ten_minutes(
    aurora: Brand, simulator: Simulator, browse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 20 a minute, that is 200 rows for each network that sends junk."""
    monkeypatch.setitem(rate_limits.REDIS_LIMITS, "captcha_post", {"network": "5/hour"})
    for hour in range(3):
        for nth in range(8):
            send(browse(AURORA), "/sign-up/", sign_up_form(f"junk-token-{hour}-{nth}-of-many"))
        assert Submission.objects.count() == 5
        Submission.objects.update(created_at=timezone.now() - Submission.LIFETIME)
        rate_limits.forget()


def test_unread_messages_do_not_grow_the_session(aurora: Brand, alice: User, browse: Any) -> None:
    client = browse(AURORA, alice)
    for _ in range(3 * Messages.MAX_MESSAGES):
        assert client.get("/sign-in/").status_code == 302
    assert len(json.loads(client.session["_messages"])) == Messages.MAX_MESSAGES
