"""Redis that is down or hangs: reading goes on, codes and forms with a captcha wait, and all comes back."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from portal import breaker, ratelimit, store
from tests.conftest import ADMIN, AURORA
from tests.journey import code_for, send, value_of, words
from tests.own_redis import OwnRedis

pytestmark = pytest.mark.django_db
ALICE = "alice@example.com"
CLOSED = "We cannot check this form at the moment, so nothing was sent. Please try again in a minute."


@pytest.fixture
def own_redis(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnRedis]:
    """The portal's Redis, for this test alone; after a failure it is asked again soon."""
    own = OwnRedis()
    settings.REDIS_URL = own.url
    monkeypatch.setattr(store, "_PAUSE", 0.3)
    yield own
    ratelimit._limiter(own.url).storage.storage.close()  # type: ignore[attr-defined]
    breaker._redis(own.url).close()
    own.stop()


def reset(browse: Callable[..., Any], simulator: Any) -> Any:
    """Ask for another password, with a good token."""
    form = {"email": ALICE, "g-recaptcha-response": simulator.token()}
    return send(browse(AURORA), "/password-reset/", form)


def assert_closed(answer: Any) -> None:
    """It is the page that says so, and not the one for too many attempts."""
    assert (answer.status_code, answer["Retry-After"]) == (503, "60")
    assert CLOSED in words(answer)
    assert value_of(answer, "email") == ALICE


def test_while_redis_is_down_forms_are_closed_and_open_again_by_themselves(
    own_redis, aurora, alice, simulator, browse
):
    own_redis.stop()
    assert_closed(reset(browse, simulator))
    assert_closed(send(browse(AURORA), "/sign-in/", {"email": ALICE}))
    assert simulator.calls() == []
    own_redis.start()
    time.sleep(0.31)
    assert reset(browse, simulator).status_code == 302
    assert send(browse(AURORA), "/sign-in/", {"email": ALICE}).status_code == 302


def test_while_redis_is_down_a_code_that_was_typed_is_not_lost(own_redis, aurora, alice, browse):
    client = browse(AURORA)
    send(client, "/sign-in/", {"email": ALICE})
    own_redis.stop()
    answer = send(client, "/sign-in/code/", {"code": code_for(ALICE)})
    assert (answer.status_code, CLOSED in words(answer)) == (503, True)
    own_redis.start()
    time.sleep(0.31)
    assert send(client, "/sign-in/code/", {"code": code_for(ALICE)}).status_code == 302


def test_while_redis_is_down_nobody_signs_in_to_the_admin_and_the_page_says_why(own_redis, operator, browse):
    own_redis.stop()
    answer = browse(ADMIN).post("/admin/login/", {"username": operator.email, "password": "x"})
    assert (answer.status_code, answer["Retry-After"]) == (503, "60")
    assert "nothing was checked" in words(answer)


def test_while_redis_is_down_figures_and_files_are_read_and_the_log_says_it_once(
    own_redis, aurora, alice, simulator, browse, caplog, monkeypatch
):
    monkeypatch.setattr(store, "_PAUSE", 60)
    client = browse(AURORA, alice)
    own_redis.stop()
    for path in ("/", "/statement/", "/statement.pdf"):
        assert client.get(path).status_code == 200
    assert client.post("/statement/refresh/", {"next": "/"}).status_code == 302
    assert len(simulator.calls()) >= 1
    told = [record for record in caplog.records if record.msg == "store unreachable"]
    assert [record.levelname for record in told] == ["ERROR"]


def test_redis_that_hangs_holds_one_request_for_a_second_and_the_next_not_at_all(
    own_redis, aurora, alice, simulator, browse, monkeypatch
):
    monkeypatch.setattr(store, "_PAUSE", 2)
    client = browse(AURORA, alice)
    assert client.get("/").status_code == 200
    own_redis.hold()
    try:
        spent = []
        for ask in (lambda: reset(browse, simulator), lambda: client.get("/statement/")) * 2:
            began = time.monotonic()
            assert ask().status_code in (200, 503)
            spent.append(time.monotonic() - began)
        assert spent[0] < 2
        assert max(spent[1:]) < 0.9
    finally:
        own_redis.go_on()
    monkeypatch.setattr(store, "_down_until", time.monotonic() - 1)  # As if the pause were over.
    assert reset(browse, simulator).status_code == 302


def test_while_one_request_tries_the_others_do_without(monkeypatch):
    monkeypatch.setattr(store, "_down_until", 1.0)

    def question() -> str:
        with pytest.raises(store.Unreachable):
            store.ask(lambda: "another")
        return "answer"

    assert store.ask(question) == "answer"
    assert store.ask(lambda: "another") == "another"


def test_no_address_stands_in_redis(own_redis, aurora, alice, simulator, browse):
    reset(browse, simulator)
    send(browse(AURORA), "/sign-in/", {"email": ALICE})
    with redis.Redis.from_url(own_redis.url) as kept:
        keys = list(kept.scan_iter())
        assert len(keys) >= 3
        assert "alice" not in str([(key, kept.dump(key)) for key in keys])
