"""Redis down, hanging or read-only: pages stay readable, codes and captchas are refused, all recovers."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.core.cache import caches
from django.utils import timezone

from accounts.models import User
from billing.models import Move
from portal.carrier import calls as carrier_calls
from portal.models import JobRun
from portal.monitoring import metrics
from portal.resilience import rate_limits, redis_guard
from portal.settings import REDIS_OPTIONS
from tests.conftest import ADMIN, AURORA
from tests.support import transfers
from tests.support.customer_flow import code_for, send, sign_up_form, value_of, words
from tests.support.redis_server import RedisServer
from tests.support.timeouts import PATIENCE

pytestmark = pytest.mark.django_db
ALICE = "alice@example.com"
CLOSED = "We can't process this form right now, so we haven't sent it. Try again in a minute."


# The portal's timeouts, and timeouts that no busy machine exceeds.
SHORT, LONG = REDIS_OPTIONS, dict.fromkeys(REDIS_OPTIONS, PATIENCE)


@pytest.fixture
def own_redis(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    """The portal's Redis for this test; after a failure it is retried only after `pass_pause`."""
    own = RedisServer()
    settings.REDIS_URL, settings.REDIS_OPTIONS = own.url, LONG
    monkeypatch.setattr(redis_guard, "_RETRY_SECONDS", 10 * PATIENCE)
    yield own
    rate_limits._limiter(own.url).storage.storage.close()  # type: ignore[attr-defined]
    own.stop()


def pass_pause() -> None:
    """End the pause after a failure."""
    redis_guard._down_until = time.monotonic() - 1


def wait_for_redis(settings: Any, options: dict[str, int]) -> None:
    """Set the timeouts of the rate limits' Redis connection."""
    rate_limits._limiter(settings.REDIS_URL).storage.storage.close()  # type: ignore[attr-defined]
    rate_limits._limiter.cache_clear()
    settings.REDIS_OPTIONS = options


@pytest.fixture
def failures(monkeypatch: pytest.MonkeyPatch) -> list[redis.RedisError]:
    """Collect each failed Redis call."""
    errors, original = list[redis.RedisError](), redis_guard._mark_down

    def record(error: redis.RedisError) -> None:
        errors.append(error)
        original(error)

    monkeypatch.setattr(redis_guard, "_mark_down", record)
    return errors


def reset(browse: Callable[..., Any], simulator: Any) -> Any:
    """Request a password reset with a valid token."""
    form = {"email": ALICE, "g-recaptcha-response": simulator.token()}
    return send(browse(AURORA), "/password-reset/", form)


def assert_closed(answer: Any) -> None:
    """Check that it is the page for unavailable limits, not the one for too many attempts."""
    assert (answer.status_code, answer["Retry-After"]) == (503, "60")
    assert CLOSED in words(answer)
    assert value_of(answer, "email") == ALICE


def test_forms_are_closed_while_redis_is_down_and_reopen_afterwards(
    own_redis, aurora, alice, simulator, browse
):
    own_redis.stop()
    assert_closed(reset(browse, simulator))
    assert_closed(send(browse(AURORA), "/sign-in/", {"email": ALICE}))
    assert simulator.calls() == []
    own_redis.start()
    pass_pause()
    assert reset(browse, simulator).status_code == 302
    assert send(browse(AURORA), "/sign-in/", {"email": ALICE}).status_code == 302


def test_entered_code_is_not_lost_while_redis_is_down(own_redis, aurora, alice, browse):
    client = browse(AURORA)
    send(client, "/sign-in/", {"email": ALICE})
    own_redis.stop()
    answer = send(client, "/sign-in/code/", {"code": code_for(ALICE)})
    assert (answer.status_code, CLOSED in words(answer)) == (503, True)
    own_redis.start()
    pass_pause()
    assert send(client, "/sign-in/code/", {"code": code_for(ALICE)}).status_code == 302


def test_confirm_link_fills_its_form_while_redis_is_down(own_redis, aurora, browse):
    own_redis.stop()
    answer = browse(AURORA).get("/sign-up/confirm/", {"email": ALICE, "code": "ABC"})
    assert (answer.status_code, value_of(answer, "code")) == (200, "ABC")
    assert not answer.cookies.get("__Host-session")


def test_admin_sign_in_is_closed_while_redis_is_down(own_redis, operator, browse):
    own_redis.stop()
    answer = browse(ADMIN).post("/admin/login/", {"username": operator.email, "password": "x"})
    assert (answer.status_code, answer["Retry-After"]) == (503, "60")
    assert "we haven't checked anything" in words(answer)


def test_figures_stay_readable_while_redis_is_down_and_log_says_once(
    own_redis, aurora, alice, simulator, browse, caplog
):
    client = browse(AURORA, alice)
    own_redis.stop()
    for path in ("/", "/statement/", "/statement.pdf"):
        assert client.get(path).status_code == 200
    assert client.post("/statement/refresh/", {"next": "/"}).status_code == 302
    assert len(simulator.calls()) >= 1
    warnings = [record for record in caplog.records if record.msg == "store unreachable"]
    assert [record.levelname for record in warnings] == ["ERROR"]


def test_hanging_redis_delays_one_request_and_not_the_next(
    own_redis, aurora, alice, simulator, browse, settings, failures
):
    assert set(SHORT.values()) == {1}
    client = browse(AURORA, alice)
    assert client.get("/").status_code == 200
    wait_for_redis(settings, SHORT)
    own_redis.freeze()
    try:
        for ask in (lambda: reset(browse, simulator), lambda: client.get("/statement/")) * 2:
            assert ask().status_code in (200, 503)
        assert [type(error) for error in failures] == [
            redis.TimeoutError
        ]  # The other requests did not call Redis.
    finally:
        own_redis.unfreeze()
    wait_for_redis(settings, LONG)
    pass_pause()
    assert reset(browse, simulator).status_code == 302


def test_first_failure_is_logged_even_right_after_boot(monkeypatch, caplog):
    monkeypatch.setattr(redis_guard.time, "monotonic", lambda: 0.5)

    def redis_call() -> None:
        raise redis.ConnectionError

    with pytest.raises(redis_guard.Unreachable):
        redis_guard.call(redis_call)
    assert [record.msg for record in caplog.records] == ["store unreachable"]


def test_only_one_request_retries_redis(monkeypatch):
    monkeypatch.setattr(redis_guard, "_down_until", 1.0)

    def redis_call() -> str:
        with pytest.raises(redis_guard.Unreachable):
            redis_guard.call(lambda: "another")
        return "answer"

    assert redis_guard.call(redis_call) == "answer"
    assert redis_guard.call(lambda: "another") == "another"


def test_redis_contains_no_email(own_redis, aurora, alice, simulator, browse):
    reset(browse, simulator)
    send(browse(AURORA), "/sign-in/", {"email": ALICE})
    with redis.Redis.from_url(own_redis.url) as client:
        keys = list(client.scan_iter())
        assert len(keys) >= 3
        assert "alice" not in str([(key, client.dump(key)) for key in keys])


def cache_of(own: RedisServer, options: dict[str, int]) -> dict[str, Any]:
    backend = "django.core.cache.backends.redis.RedisCache"
    return {"default": {"BACKEND": backend, "LOCATION": own.url, "OPTIONS": options}}


@pytest.fixture
def ready(own_redis: RedisServer, settings: Any, browse: Callable[..., Any]) -> Iterator[Callable[[], Any]]:
    """Request /readyz of a node that uses the same Redis as its cache."""
    settings.CACHES = cache_of(own_redis, LONG)
    JobRun.objects.create(job="a job", due_at=timezone.now())
    yield lambda: browse(AURORA).get("/readyz")
    caches["default"]._cache.get_client().close()


def test_node_is_ready_without_redis_and_reports_it(own_redis, ready, caplog):
    assert (ready().status_code, ready().content) == (200, b"ready\n")
    assert "portal_store_answers 1.0" in metrics.text()
    own_redis.stop()
    for _ in range(3):
        answer = ready()
        assert (answer.status_code, answer.content) == (200, b"ready, but the cache does not answer\n")
    assert "portal_store_answers 0.0" in metrics.text()
    assert [record.msg for record in caplog.records] == ["store unreachable"]
    own_redis.start()
    pass_pause()
    assert ready().content == b"ready\n"


def test_hanging_redis_delays_one_readyz_and_not_the_next(own_redis, ready, settings, failures):
    settings.CACHES = cache_of(own_redis, SHORT)
    own_redis.freeze()
    try:
        for _ in range(3):
            assert ready().status_code == 200
    finally:
        own_redis.unfreeze()
    assert [type(error) for error in failures] == [redis.TimeoutError]


@pytest.mark.django_db(transaction=True)
def test_answered_transfer_is_done_although_redis_is_read_only(
    own_redis, aurora, alice, operator, simulator, caplog, monkeypatch
):
    monkeypatch.setattr(redis_guard, "_RETRY_SECONDS", 0.3)
    own_redis.refuse("full")
    simulator.fault("move_funds", "slow", seconds=0.5)  # Longer than the pause after a failure.
    transfer = transfers.ask(alice, operator)
    assert (transfer.state, transfer.why, transfer.status) == (Move.State.DONE, "", 200)
    assert len(caplog.records) < 20


def test_answered_sign_up_is_saved_although_redis_is_read_only(
    own_redis, aurora, simulator, browse, monkeypatch
):
    original = carrier_calls.voipline_call

    def call_then_refuse(*args: Any, **values: Any) -> Any:
        answer = original(*args, **values)
        own_redis.refuse("full")
        return answer

    monkeypatch.setattr(carrier_calls, "voipline_call", call_then_refuse)
    assert send(browse(AURORA), "/sign-up/", sign_up_form(simulator.token())).status_code == 302
    assert User.objects.filter(brand=aurora, email="dora@example.com").exists()
