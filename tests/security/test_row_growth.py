"""Nobody makes rows without end: what a stranger's request may write, at every address, and what ends it."""

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
from tests.security.test_hostile_input import ADDRESSES, admin_addresses, rows_now
from tests.security.test_staff_scope import world as world  # A fixture.
from tests.support.customer_flow import send, sign_in, sign_up_form, value_of
from tests.support.two_brands import World

pytestmark = [pytest.mark.django_db, pytest.mark.database]
DORA = "dora@example.com"
QUERY = {"email": DORA, "code": "x", "next": "/account/", "why": "again", "from_date": "2026-01-01", "v": "1"}
LINK = "/sign-up/confirm/"
SESSION, ATTEMPT, CODE = "sessions.Session", "portal.Attempt", "accounts.SignInCode"
CALLED = {SESSION, ATTEMPT, "accounts.Submission", "portal.CarrierCall"}
# The addresses at which a stranger's form may make a row, and of which tables: each asks a limit before.
BY_FORMS = {
    "/sign-in/": {SESSION, ATTEMPT, CODE},
    "/sign-up/": CALLED | {"accounts.User"},
    "/sign-up/confirm/": CALLED | {CODE},
    "/password-reset/": CALLED,
}


def counts() -> dict[str, int]:
    """How many rows each table has."""
    return {
        model._meta.label: model._default_manager.count()
        for model in apps.get_models(include_auto_created=True)
    }


def grown(before: dict[str, int]) -> set[str]:
    return {label for label, count in counts().items() if count > before[label]}


def written(client: Client, method: str, path: str, data: dict[str, Any]) -> dict[str, set[str]]:
    """Which tables one request makes rows in, by its address; nothing where it makes none."""
    before = counts()
    assert getattr(client, method)(path, data).status_code < 500
    tables = grown(before)
    return {path: tables} if tables else {}


def form(simulator: Simulator) -> dict[str, Any]:
    """What all forms of a stranger ask for at once, with a captcha that the carrier takes."""
    codes = [re.search(r"code is (\w+)", mail["text"]) for mail in simulator.mails(DORA)]
    code = next((code[1] for code in codes if code), "x")
    return {**QUERY, **sign_up_form(simulator.token()), "code": code, "others": "1", "do": "stop"}


def forms_sent(browse: Any, simulator: Simulator) -> dict[str, set[str]]:
    """Send the form to every address of a brand, each time as a stranger; what that wrote."""
    found: dict[str, set[str]] = {}
    for path in sorted(ADDRESSES, key=lambda path: path != "/sign-up/"):  # First of all Dora signs up.
        found |= written(browse(AURORA), "post", path, form(simulator))
    return found


def use_up_what_is_kept(brand: Brand, monkeypatch: pytest.MonkeyPatch, whose: str = "127.0.0.1") -> None:
    """Leave this network or customer nothing of any limit that Redis or the memory keeps."""
    for action, scopes in rate_limits.REDIS_LIMITS.items():
        monkeypatch.setitem(rate_limits.REDIS_LIMITS, action, dict.fromkeys(scopes, "1/hour"))
        for _ in range(2):
            with suppress(rate_limits.Limited):
                rate_limits.consume(action=action, network=whose, account=whose, brand=brand)


def use_up_what_is_counted(brand: Brand | None, email: str) -> None:
    """Leave an address nothing of any limit that the database counts."""
    for action in rate_limits.DB_LIMITS:
        with suppress(rate_limits.Limited):
            for _ in range(1000):
                rate_limits.record_attempt(brand=brand, action=action, email=email, network="127.0.0.1")


def test_a_stranger_who_looks_at_pages_makes_rows_at_one_address_alone(
    aurora: Brand, simulator: Simulator, browse: Any
) -> None:
    found: dict[str, set[str]] = {}
    for path in ADDRESSES:
        found |= written(browse(AURORA), "get", path, QUERY)
    assert found == {LINK: {SESSION}}


def test_a_strangers_forms_make_rows_at_few_addresses_and_none_beyond_a_limit(
    aurora: Brand, simulator: Simulator, browse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert forms_sent(browse, simulator) == BY_FORMS
    use_up_what_is_counted(aurora, DORA)
    before = rows_now()
    assert forms_sent(browse, simulator) == {}
    assert rows_now() == before
    rate_limits.forget()
    use_up_what_is_kept(aurora, monkeypatch)
    assert forms_sent(browse, simulator) == {}
    assert written(browse(AURORA), "get", LINK, QUERY) == {}
    assert rows_now() == before


def test_a_form_that_is_refused_for_a_field_writes_nothing(
    aurora: Brand, simulator: Simulator, browse: Any
) -> None:
    before = rows_now()
    for path in ADDRESSES:
        answer = browse(AURORA).post(path, {**form(simulator), "email": "dora"})
        assert path not in BY_FORMS or answer.status_code == 200
    assert rows_now() == before


def test_a_stranger_makes_no_row_in_the_admin_but_those_of_wrong_passwords_and_they_end(
    world: World, browse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {**QUERY, "username": "sam@example.com", "password": "wrong", "do": "stop", "post": "yes"}
    paths = [*admin_addresses(world), "/", "/nowhere/"]

    def sent() -> set[str]:
        before = counts()
        for path in paths:
            assert browse(ADMIN).get(path, QUERY).status_code < 500
            assert browse(ADMIN).post(path, body).status_code < 500
        return grown(before)

    assert sent() == {ATTEMPT}
    use_up_what_is_counted(None, "sam@example.com")
    assert sent() == set()
    rate_limits.forget()
    use_up_what_is_kept(world.aurora, monkeypatch)
    assert sent() == set()


def test_a_customer_who_repeats_every_form_makes_no_more_rows_beyond_a_limit(
    aurora: Brand, alice: User, simulator: Simulator, browse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [path for path in ADDRESSES if re.match("/(account|sign-up|password|language)", path)]

    def sent() -> set[str]:
        before = counts()
        for path in paths:
            hers.get(path, QUERY)
            hers.post(path, {**form(simulator), "email": "new@example.com"})
        return grown(before)

    hers = browse(AURORA)
    assert sign_in(hers, alice.email)["Location"] == "/"
    assert sent() == (CALLED - {SESSION}) | {CODE}
    use_up_what_is_counted(aurora, "new@example.com")
    use_up_what_is_counted(aurora, f"customer {alice.pk}")
    for customer in ("127.0.0.1", f"customer {alice.pk}"):
        use_up_what_is_kept(aurora, monkeypatch, customer)
    assert sent() == set()


def test_links_without_end_make_a_few_sessions_and_each_fills_the_form(
    aurora: Brand, browse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(rate_limits.REDIS_LIMITS, "confirm_link", {"network": "20/hour"})
    pages = [browse(AURORA).get(LINK, {"email": DORA, "code": "ABC"}) for _ in range(100)]
    assert [page.status_code for page in pages] == [302] * 20 + [200] * 80
    assert Session.objects.count() == 20
    assert (value_of(pages[-1], "email"), value_of(pages[-1], "code")) == (DORA, "ABC")


@pytest.mark.parametrize("path", ["/sign-out/", "/sign-in/again/"])
def test_who_is_not_signed_in_gets_no_session_by_leaving_one(aurora: Brand, browse: Any, path: str) -> None:
    answer = browse(AURORA).post(path)
    assert answer.status_code == 302
    assert not answer.cookies
    assert not Session.objects.exists()


def test_a_visitors_session_lasts_a_day(
    aurora: Brand, alice: User, simulator: Simulator, browse: Any
) -> None:
    browse(AURORA).get(LINK, QUERY)
    for path in BY_FORMS:
        send(browse(AURORA), path, form(simulator))
    hers = browse(AURORA, alice)
    hers.post("/sign-in/again/")
    assert Session.objects.count() == 6
    tomorrow = timezone.now() + timedelta(days=1)
    assert not Session.objects.filter(expire_date__gt=tomorrow).exists()


def test_sent_forms_are_as_many_as_the_limit_lets_through_in_ten_minutes(
    aurora: Brand, simulator: Simulator, browse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 20 a minute, 200 rows for each network that sends junk."""
    monkeypatch.setitem(rate_limits.REDIS_LIMITS, "captcha_post", {"network": "5/hour"})
    for hour in range(3):
        for nth in range(8):
            send(browse(AURORA), "/sign-up/", sign_up_form(f"junk-token-{hour}-{nth}-of-many"))
        assert Submission.objects.count() == 5
        Submission.objects.update(created_at=timezone.now() - Submission.LIFETIME)
        rate_limits.forget()


def test_messages_that_nobody_reads_make_no_session_grow(aurora: Brand, alice: User, browse: Any) -> None:
    hers = browse(AURORA, alice)
    for _ in range(3 * Messages.MOST):
        assert hers.get("/sign-in/").status_code == 302
    assert len(json.loads(hers.session["_messages"])) == Messages.MOST
