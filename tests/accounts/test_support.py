"""What staff see of a customer's emails and codes, and how they help."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core import mail
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import SignInCode, User
from accounts.services.support import codes_limited_until, lift_code_limit
from portal.models import Attempt, Brand, Email
from portal.resilience import rate_limits
from tests.conftest import ADMIN, AURORA, BOREALIS
from tests.support.customer_flow import send, sign_in, words
from tests.support.transfers import staff_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def sam(aurora: Brand) -> User:
    return staff_of(aurora)


def ask(browse: Any, person: User, host: str = AURORA) -> int:
    return send(browse(host), "/sign-in/", {"email": person.email}).status_code


def page(browse: Any, sam: User, customer: User) -> str:
    return words(browse(ADMIN, sam).get(f"/admin/billing/customer/{customer.pk}/"))


def test_staff_see_the_limit_on_codes_and_lift_it(browse: Any, sam: User, alice: User, charlie: User) -> None:
    assert [ask(browse, alice) for _ in range(4)] == [302, 302, 302, 429]
    assert [ask(browse, charlie, BOREALIS) for _ in range(4)][-1] == 429
    assert "may get none until" in page(browse, sam, alice)
    answer = browse(ADMIN, sam).post(f"/admin/accounts/user/{alice.pk}/lift-limit/", follow=True)
    assert "The limit is lifted" in words(answer)
    assert "may get none until" not in words(answer)
    assert ask(browse, alice) == 302
    assert ask(browse, charlie, BOREALIS) == 429
    assert LogEntry.objects.get().get_change_message() == "Lifted the limit on sign-in codes."


def test_staff_sign_a_customer_out(browse: Any, sam: User, alice: User) -> None:
    client = browse(AURORA)
    sign_in(client, alice.email)
    assert client.get("/account/").status_code == 200
    browse(ADMIN, sam).post(f"/admin/accounts/user/{alice.pk}/sign-out/")
    assert client.get("/account/").status_code == 302
    assert LogEntry.objects.get().get_change_message() == "Signed out everywhere."


@pytest.mark.parametrize("action", ["lift-limit", "sign-out"])
def test_staff_of_another_brand_can_do_neither(browse: Any, sam: User, charlie: User, action: str) -> None:
    assert browse(ADMIN, sam).post(f"/admin/accounts/user/{charlie.pk}/{action}/").status_code == 404
    assert browse(ADMIN, sam).get(f"/admin/accounts/user/{charlie.pk}/{action}/").status_code in (404, 405)


def test_page_tells_what_became_of_emails(browse: Any, sam: User, alice: User) -> None:
    now = timezone.now()
    common = {"brand": alice.brand, "person": alice, "to": alice.email}
    Email.objects.create(**common, template="sign_in_code", taken_at=now)
    Email.objects.create(**common, template="new_sign_in", refusal="550 no such user")
    Email.objects.create(**common, template="new_sign_in", next_try_at=now, refusal="451 later")
    Email.objects.create(**common | {"to": "old@example.com"}, template="email_changed_old", taken_at=now)
    text = page(browse, sam, alice)
    for expected in (
        "Sign-in code",
        "550 no such user",
        "waiting",
        "451 later",
        "Next try:",
        "old@example.com",
    ):
        assert expected in text


def test_page_shows_no_email_of_another_brand(browse: Any, sam: User, alice: User, borealis: Brand) -> None:
    Email.objects.create(brand=borealis, to=alice.email, template="test", refusal="of Borealis")
    assert "of Borealis" not in page(browse, sam, alice)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"used_at": timezone.now()}, "used"),
        ({"tries": 3}, "refused after three wrong tries"),
        ({"tries": 1}, "wrong code typed, still valid"),
        ({}, "still valid"),
        ({"expires_at": timezone.now() - timedelta(minutes=1)}, "expired, not used"),
        ({"tries": 1, "expires_at": timezone.now() - timedelta(minutes=1)}, "wrong code typed, then expired"),
    ],
)
def test_page_tells_what_became_of_a_code(
    browse: Any, sam: User, alice: User, changes: dict[str, Any], expected: str
) -> None:
    ask(browse, alice)
    code = re.search(r"\b\d{4} ?\d{4}\b", mail.outbox[0].body)
    SignInCode.objects.update(**changes)
    response = browse(ADMIN, sam).get(f"/admin/billing/customer/{alice.pk}/")
    assert f">{expected}</td>" in response.content.decode()
    assert code
    assert code[0] not in response.content.decode()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(0, 25 * 60), st.sampled_from(["n1", "n2"]), st.booleans(), st.booleans()),
        max_size=40,
    )
)
def test_limit_is_told_exactly_while_some_browser_is_refused(
    aurora: Brand, alice: User, asked: list[tuple[int, str, bool, bool]]
) -> None:
    Attempt.objects.all().delete()
    now = timezone.now()
    for minutes, network, known, redeemed in asked:
        address = rate_limits._address(aurora, alice.email, known=known)
        row = {"action": "sign_in_code", "address": address, "network": network, "redeemed": redeemed}
        Attempt.objects.create(**row, at=now - timedelta(minutes=minutes, seconds=30))
    refused = False
    for network in ("n1", "n2"):
        for device in ("", network):
            try:
                rate_limits.record_attempt(
                    brand=aurora, action="sign_in_code", email=alice.email, network=network, device=device
                ).delete()
            except rate_limits.Limited:
                refused = True
    until = codes_limited_until(customer=alice)
    assert (until is not None) == refused
    lift_code_limit(customer=alice, by=alice)
    assert codes_limited_until(customer=alice) is None


# The list of all emails


def test_list_of_emails_is_narrowed_by_result_and_shows_own_brands_only(
    browse: Any, sam: User, alice: User, borealis: Brand
) -> None:
    now, common = timezone.now(), {"brand": alice.brand, "template": "test"}
    Email.objects.create(**common, to="sent@example.com", taken_at=now)
    Email.objects.create(**common, to="waits@example.com", next_try_at=now, refusal="451 later")
    Email.objects.create(**common, to="refused@example.com", refusal="550 never")
    Email.objects.create(brand=borealis, template="test", to="other@example.com", refusal="550 never")
    client = browse(ADMIN, sam)
    shown = {}
    for result in ("", "sent", "waiting", "refused", "nonsense"):
        text = words(client.get(f"/admin/portal/email/?result={result}"))
        shown[result] = {
            name for name in ("sent", "waits", "refused", "other") if f"{name}@example.com" in text
        }
    assert shown == {
        "": {"sent", "waits", "refused"},
        "sent": {"sent"},
        "waiting": {"waits"},
        "refused": {"refused"},
        "nonsense": set(),
    }
    assert "1 email was refused since yesterday" in words(client.get("/admin/"))


def test_staff_do_not_see_emails_to_operators_and_colleagues(
    browse: Any, sam: User, operator: User, aurora: Brand
) -> None:
    Email.objects.create(
        brand=aurora, person=operator, to=operator.email, template="authenticator_reset", refusal="550 no"
    )
    path = "/admin/portal/email/"
    assert operator.email not in words(browse(ADMIN, sam).get(path))
    assert "refused since yesterday" not in words(browse(ADMIN, sam).get("/admin/"))
    assert operator.email in words(browse(ADMIN, operator).get(path))


def test_list_of_emails_speaks_the_readers_language(browse: Any, operator: User, aurora: Brand) -> None:
    Email.objects.create(brand=aurora, to="x@example.com", template="test", refusal="550 no")
    client = browse(ADMIN, operator)
    client.get("/language/es/")
    text = words(client.get("/admin/portal/email/"))
    for english in ("Recipient", "Time", "answer", "asked at", "Refusal"):
        assert english not in text


def test_every_page_of_the_admin_finds_a_customer(browse: Any, sam: User, alice: User) -> None:
    client = browse(ADMIN, sam)
    for path in ("/admin/", "/admin/portal/email/", "/admin/security/"):
        page = client.get(path).content.decode()
        assert '<form class="find" action="/admin/accounts/user/" role="search">' in page
    for term in ("alice", "70001", "alice@example.com"):
        assert alice.email in words(client.get("/admin/accounts/user/", {"q": term}))
