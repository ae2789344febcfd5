"""Rate limits on carrier calls, emails and code attempts."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db.models import F

from accounts.models import SignInCode
from portal.models import Attempt
from portal.resilience import rate_limits
from tests.conftest import AURORA, BOREALIS, ROOT
from tests.support.customer_flow import (
    DETAILS,
    at_once,
    carrier_code,
    send,
    sign_in,
    sign_up_form,
    value_of,
    words,
)

pytestmark = [pytest.mark.django_db, pytest.mark.database]
ALICE = "alice@example.com"


def request_code(browse, nth: int = 1, email: str = ALICE, host: str = AURORA) -> Any:
    """Request a code from the n-th network, in a new browser."""
    client = browse(host, REMOTE_ADDR=f"10.0.{nth // 250}.{nth % 250}")
    return send(client, "/sign-in/", {"email": email})


def pass_time(**span: int) -> None:
    Attempt.objects.update(at=F("at") - timedelta(**span))


def test_at_most_twenty_of_a_hundred_junk_posts_reach_the_carrier(aurora, simulator, browse):
    client = browse(AURORA)
    answers = [send(client, "/sign-up/", sign_up_form(f"junk-token-{nth}-of-many")) for nth in range(100)]
    assert len(simulator.calls()) <= 20
    limited = [answer for answer in answers if answer.status_code == 429]
    assert len(limited) >= 80
    for answer in (limited[0], limited[-1]):
        assert 0 < int(answer["Retry-After"]) <= 60
        assert "Wait 1 minute, then" in words(answer)
        assert {name: value_of(answer, name) for name in DETAILS} == DETAILS
        assert value_of(answer, "password") is None


def test_anonymous_forms_of_all_brands_share_one_network_limit(aurora, borealis, simulator, browse):
    clients = [browse(AURORA), browse(BOREALIS), browse(AURORA)]
    paths = ["/password-reset/", "/sign-up/", "/sign-up/confirm/"]
    for nth in range(36):
        data = sign_up_form(f"junk-token-{nth}-of-many", code="x", email=f"nth{nth}@example.com")
        answer = send(clients[nth % 3], paths[nth % 3], data)
    assert answer.status_code == 429
    assert len(simulator.calls()) == 20


def test_anonymous_forms_do_not_use_up_the_carrier_login_limits(
    aurora, alice, bob, simulator, browse, monkeypatch
):
    def opened(customer: Any) -> int:
        form = {"g-recaptcha-response": simulator.token()}
        return send(browse(AURORA, customer), "/account/open/", form).status_code

    monkeypatch.setitem(rate_limits.REDIS_LIMITS, "carrier_form", {"brand": "3/minute", "all": "3/minute"})
    assert [reset(browse, nth) for nth in range(4)][-1] == 429
    for nth in range(21):  # From the customers' network.
        data = {"email": ALICE, "g-recaptcha-response": f"junk-token-{nth}-of-many"}
        answer = send(browse(AURORA), "/password-reset/", data)
    assert answer.status_code == 429
    assert (opened(alice), opened(bob)) == (303, 303)


def test_carrier_login_limits_are_separate_from_anonymous_limits(
    aurora, alice, bob, simulator, browse, monkeypatch
):
    monkeypatch.setitem(
        rate_limits.REDIS_LIMITS, "account_open", {"account": "2/minute", "brand": "3/minute"}
    )
    for customer, answers in ((alice, [303, 303, 429]), (bob, [303, 429])):
        client = browse(AURORA, customer)
        forms = [{"g-recaptcha-response": simulator.token()} for _ in answers]
        assert [send(client, "/account/open/", form).status_code for form in forms] == answers
    monkeypatch.setitem(rate_limits.REDIS_LIMITS, "carrier_form", {"brand": "1/minute"})
    assert reset(browse, 1) == 200


def test_junk_tokens_of_a_customer_are_limited_before_any_call(aurora, alice, simulator, browse, monkeypatch):
    monkeypatch.setitem(rate_limits.REDIS_LIMITS, "account_open", {"account": "3/minute"})
    client = browse(AURORA, alice)
    for nth in range(5):
        answer = send(client, "/account/open/", {"g-recaptcha-response": f"junk-token-{nth}-of-many"})
    assert answer.status_code == 429
    assert len(simulator.calls()) == 3


def test_another_network_is_not_limited(aurora, simulator, browse):
    for nth in range(21):
        answer = send(
            browse(AURORA), "/password-reset/", {"email": ALICE, "g-recaptcha-response": f"junk-token-{nth}"}
        )
    assert answer.status_code == 429
    data = {"email": ALICE, "g-recaptcha-response": simulator.token()}
    assert send(browse(AURORA, REMOTE_ADDR="10.1.1.1"), "/password-reset/", data).status_code == 302


def test_forged_forwarded_address_does_not_change_the_limit(aurora, simulator, browse):
    for nth in range(21):
        data = {"email": ALICE, "g-recaptcha-response": f"junk-token-{nth}"}
        answer = send(browse(AURORA), "/password-reset/", data, **{"x-forwarded-for": f"10.2.0.{nth}"})
    assert answer.status_code == 429


def test_three_codes_per_email_and_network_within_15_minutes(aurora, alice, browse):
    assert [request_code(browse).status_code for _ in range(4)] == [302, 302, 302, 429]
    assert request_code(browse, 2).status_code == 302
    assert request_code(browse, 1, "bob@example.com").status_code == 302
    pass_time(minutes=15, seconds=1)
    assert request_code(browse).status_code == 302


def test_limited_request_sends_no_email_and_says_when_to_retry(aurora, alice, browse):
    for _ in range(3):
        request_code(browse)
    pass_time(minutes=10)
    answer = request_code(browse)
    assert 295 <= int(answer["Retry-After"]) <= 302
    assert re.search(r"Wait \d minutes, then try again\.", words(answer))
    assert value_of(answer, "email") == ALICE
    assert len(mail.outbox) == 3


def test_ten_codes_per_email_and_hour_over_all_networks(aurora, alice, browse):
    assert [request_code(browse, nth).status_code for nth in range(11)] == [302] * 10 + [429]
    pass_time(minutes=61)
    assert request_code(browse).status_code == 302


def test_thirty_codes_per_email_and_day(aurora, alice, browse):
    for nth in range(30):
        if nth % 10 == 0:
            pass_time(minutes=61)
        assert request_code(browse, nth).status_code == 302
    pass_time(minutes=61)
    assert request_code(browse, 99).status_code == 429
    pass_time(hours=22)
    assert request_code(browse, 99).status_code == 302


@pytest.mark.parametrize("email", ["ALICE@example.com", " alice@EXAMPLE.com "])
def test_other_spellings_count_as_the_same_email(aurora, alice, browse, email):
    for _ in range(3):
        request_code(browse)
    assert request_code(browse, 1, email).status_code == 429


def test_unknown_emails_are_limited_alike(aurora, browse):
    assert [request_code(browse, 1, "nobody@example.com").status_code for _ in range(4)] == [
        302,
        302,
        302,
        429,
    ]


def test_limits_are_counted_per_brand(aurora, borealis, alice, browse):
    for _ in range(4):
        request_code(browse)
    assert request_code(browse, host=BOREALIS).status_code == 302


def test_concurrent_requests_get_no_more_codes_than_the_limit(threads, aurora, alice, browse):
    answers = at_once(12, lambda nth: request_code(browse, 1).status_code)
    assert set(answers) <= {302, 429}
    assert answers.count(302) == len(mail.outbox) == SignInCode.objects.count() <= 3
    assert Attempt.objects.count() <= 3


def test_concurrent_requests_of_many_networks_get_at_most_ten_codes(threads, aurora, alice, browse):
    answers = at_once(20, lambda nth: request_code(browse, nth).status_code)
    assert set(answers) <= {302, 429}
    assert answers.count(302) == len(mail.outbox) <= 10


def test_attempt_rows_contain_no_email(aurora, alice, browse):
    request_code(browse)
    assert "alice" not in str(Attempt.objects.values().get())


def test_code_guessing_is_limited_over_new_browsers_too(aurora, alice, browse):
    """30 codes a day with three attempts each, of 10^8: less than 0.0001 % a day."""
    tried = 0
    for nth in range(15):
        client = browse(AURORA, REMOTE_ADDR=f"10.3.0.{nth}")
        if send(client, "/sign-in/", {"email": ALICE}).status_code == 302:
            for _ in range(5):
                answer = words(send(client, "/sign-in/code/", {"code": "00000000"}))
                tried += bool(re.search(r"You have \d (try|tries) left|no longer works", answer))
    assert sum(SignInCode.objects.values_list("tries", flat=True)) == 30
    assert tried == 50


def test_code_posts_per_network_are_limited(aurora, alice, browse, settings):
    client = browse(AURORA)
    send(client, "/sign-in/", {"email": ALICE})
    for _ in range(31):
        answer = send(client, "/sign-in/code/", {"code": "00000000"})
    assert answer.status_code == 429
    assert "Retry-After" in answer


def reset(browse, nth: int, host: str = AURORA, email: str = "") -> int:
    """Request a password reset from the n-th network with a token the carrier refuses; return the status."""
    form = {"email": email or f"nth{nth}@example.com", "g-recaptcha-response": f"junk-{host}-{nth}-{email}"}
    client = browse(host, REMOTE_ADDR=f"10.4.0.{nth}")
    return send(client, "/password-reset/", form).status_code


def test_carrier_forms_are_limited_per_brand_and_installation(
    aurora, borealis, simulator, browse, monkeypatch
):
    monkeypatch.setitem(rate_limits.REDIS_LIMITS, "carrier_form", {"brand": "3/minute", "all": "5/minute"})
    assert [reset(browse, nth) for nth in range(4)] == [200, 200, 200, 429]
    assert [reset(browse, nth, BOREALIS) for nth in range(3)] == [200, 200, 429]
    assert len(simulator.calls()) == 5
    assert not Attempt.objects.exists()


def test_sign_in_emails_are_limited_per_brand_and_installation(aurora, borealis, alice, browse, monkeypatch):
    known_browser = browse(AURORA)
    sign_in(known_browser, ALICE)
    known_browser.post("/sign-out/")
    rate_limits.forget()
    monkeypatch.setitem(rate_limits.REDIS_LIMITS, "sign_in_mail", {"brand": "3/hour", "all": "5/hour"})
    assert [request_code(browse, 1).status_code for _ in range(5)] == [302, 302, 302, 429, 429]
    assert request_code(browse, 2).status_code == 429
    assert [
        request_code(browse, nth, f"nth{nth}@example.com", BOREALIS).status_code for nth in range(3, 6)
    ] == [*(302, 302, 429)]
    codes = [message for message in mail.outbox if not message.subject.startswith("New sign-in")]
    assert len(codes) == Attempt.objects.count() == 1 + 5
    assert (
        send(known_browser, "/sign-in/", {"email": ALICE}).status_code == 302
    )  # This browser has signed in before.
    assert "Wait 60 minutes, then" in words(request_code(browse, 7))


def test_limited_email_does_not_use_up_the_brand_limit(aurora, browse, monkeypatch):
    monkeypatch.setitem(rate_limits.REDIS_LIMITS, "sign_in_mail", {"brand": "4/hour"})
    assert [request_code(browse, 1).status_code for _ in range(9)] == [302] * 3 + [429] * 6
    assert request_code(browse, 2).status_code == 302


def test_code_after_confirmation_counts_against_the_brand_limit(
    aurora, alice, simulator, browse, monkeypatch
):
    monkeypatch.setitem(rate_limits.REDIS_LIMITS, "sign_in_mail", {"brand": "1/hour"})
    assert request_code(browse, 1, "nobody@example.com").status_code == 302
    send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token()))
    code = carrier_code(simulator, DETAILS["email"])
    form = {"email": DETAILS["email"], "code": code, "g-recaptcha-response": simulator.token()}
    answer = browse(AURORA).post("/sign-up/confirm/", form, follow=True)
    assert "You've asked for too many codes." in words(answer)
    assert len(mail.outbox) == 1


def test_documentation_names_every_limit():
    text = (ROOT / "docs" / "operations.md").read_text()
    named = {**rate_limits.DB_LIMITS, **rate_limits.REDIS_LIMITS}
    assert [action for action in named if f"| `{action}` |" not in text] == []


def test_request_refused_by_a_narrow_limit_does_not_use_up_wide_ones(aurora, simulator, browse, monkeypatch):
    monkeypatch.setitem(rate_limits.REDIS_LIMITS, "captcha_post", {"network": "1/minute"})
    monkeypatch.setitem(rate_limits.REDIS_LIMITS, "carrier_form", {"brand": "2/minute", "all": "2/minute"})
    assert [reset(browse, 1) for _ in range(5)] == [200] + [429] * 4
    assert [reset(browse, nth) for nth in (2, 3)] == [200, 429]


def test_statements_are_limited_per_account_and_brand(aurora, alice, bob, simulator, browse, monkeypatch):
    monkeypatch.setitem(rate_limits.REDIS_LIMITS, "statement", {"account": "2/minute", "brand": "3/minute"})
    for user, calls in ((alice, 2), (bob, 3)):  # The balance page alone reads several periods.
        browse(AURORA, user).get("/")
        assert len(simulator.calls()) == calls


def test_three_password_resets_per_email_within_15_minutes(aurora, simulator, browse):
    def request_code(network: int) -> int:
        data = {"email": ALICE, "g-recaptcha-response": simulator.token()}
        client = browse(AURORA, REMOTE_ADDR=f"10.6.0.{network}")
        return send(client, "/password-reset/", data).status_code

    assert [request_code(1) for _ in range(4)] == [302, 302, 302, 429]
    assert [request_code(network) for network in (2, 2, 2, 3, 3, 3, 4, 5)] == [302] * 7 + [429]


def test_three_sign_ups_per_email_within_15_minutes(aurora, simulator, browse):
    answers = []
    for _ in range(4):
        simulator.post("reset", seed="default")  # The email is free again.
        answers.append(send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token())).status_code)
    assert answers == [302, 302, 302, 429]


def test_attempts_without_an_email_do_not_use_up_the_email_limit(aurora, alice, simulator, browse):
    for nth in range(12):
        assert reset(browse, nth, email=ALICE) == 200
    data = {"email": ALICE, "g-recaptcha-response": simulator.token()}
    assert send(browse(AURORA, REMOTE_ADDR="10.5.0.1"), "/password-reset/", data).status_code == 302


def test_carrier_login_is_limited_to_ten_per_minute(aurora, alice, simulator, browse):
    client = browse(AURORA, alice)
    opened = [
        send(client, "/account/open/", {"g-recaptcha-response": simulator.token()}).status_code
        for _ in range(11)
    ]
    assert opened == [303] * 10 + [429]
