"""Bulkhead: at most half of the threads wait for carriers, and no brand uses up another's share."""

import threading
import time
from contextlib import ExitStack

import pytest
from django.core import mail as outbox
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import SignInCode, Submission
from portal.mail import send as mail
from portal.models import Attempt, Brand
from portal.resilience import bulkhead, circuit_breaker
from portal.resilience.bulkhead import Bulkhead, BulkheadFull
from portal.web.retry import BUSY
from tests.conftest import AURORA, BOREALIS
from tests.support.customer_flow import at_once, send, sign_up_form, words
from tests.support.timeouts import PATIENCE

THREADS = 16


def brand(pk: int) -> Brand:
    return Brand(pk=pk)


def enter(slots: Bulkhead, stack: ExitStack, pk: int) -> bool:
    try:
        stack.enter_context(slots.slot(brand(pk)))
    except BulkheadFull:
        return False
    return True


@given(st.integers(1, 200), st.lists(st.integers(1, 6), max_size=120))
def test_half_of_the_threads_is_never_exceeded_and_every_brand_fits(threads, arrivals):
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setattr(bulkhead.settings, "WEB_THREADS", threads)
        slots, held = Bulkhead(2, "tests"), {}
        for pk in arrivals:
            if enter(slots, stack, pk):
                held[pk] = held.get(pk, 0) + 1
            assert slots.taken() == sum(held.values()) <= max(1, threads // 2)
            assert max(held.values()) <= -(-max(1, threads // 2) // 2)
        if threads >= 64:
            assert enter(slots, stack, 99)
    assert slots.taken() == 0


def test_one_brand_gets_half_of_the_slots_and_the_next_half_the_rest(settings):
    settings.WEB_THREADS = 64
    slots = Bulkhead(2, "tests")
    with ExitStack() as stack:
        assert sum(enter(slots, stack, 1) for _ in range(40)) == 16
        assert sum(enter(slots, stack, 2) for _ in range(40)) == 8
        assert enter(slots, stack, 3)


@pytest.mark.django_db
def test_hanging_carrier_of_one_brand_does_not_block_other_brands(
    threads, simulator, alice, charlie, browse, settings
):
    settings.WEB_THREADS = 8  # Of these four may wait, two for one brand.
    simulator.fault("customer_balance", "hang")
    hanging = [browse(AURORA, alice) for _ in range(6)]

    def open_statement(nth: int) -> tuple[float, int, int, str]:
        began, page = (
            time.monotonic(),
            hanging[nth].get(f"/statement/?from_date=2020-01-0{nth + 1}&to_date=2020-01-31"),
        )
        return time.monotonic() - began, page.status_code, int(page["Retry-After"]), words(page)

    found = sorted(at_once(6, open_statement))
    quick, waited = found[:4], found[4:]
    assert waited[0][0] > 2  # Until the call timed out.
    assert {status for _, status, _, _ in found} == {503}
    assert {retry_after for _, _, retry_after, _ in quick} == {BUSY}
    assert "We can't show your balance right now" in quick[0][3]
    circuit_breaker.forget()
    simulator.post("faults/clear")
    assert browse(BOREALIS, charlie).get("/statement/").status_code == 200
    assert bulkhead.CARRIERS.taken() == 0


@pytest.mark.django_db
def test_form_without_a_free_slot_is_returned_with_nothing_sent(aurora, browse, simulator, settings):
    settings.WEB_THREADS = 2
    client, form = browse(AURORA), sign_up_form(simulator.token())
    with bulkhead.CARRIERS.slot(aurora):
        answer = send(client, "/sign-up/", form)
    assert (answer.status_code, answer["Retry-After"]) == (503, str(BUSY))
    assert "We're very busy right now. Nothing has changed." in words(answer)
    assert simulator.calls() == []
    assert Submission.objects.get().outcome["state"] == "unavailable"


@pytest.mark.django_db
def test_email_without_a_free_slot_leaves_no_code_and_no_attempt(aurora, alice, browse, settings):
    settings.WEB_THREADS = 4
    with bulkhead.MAIL.slot(aurora):
        answer = send(browse(AURORA), "/sign-in/", {"email": "alice@example.com"})
    assert answer.status_code == 503
    assert "We can't send email right now" in words(answer)
    assert not (SignInCode.objects.exists())
    assert not (Attempt.objects.exists())
    assert not (outbox.outbox)
    assert mail.send(brand=aurora, to="a@example.com", template="test")


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'")
def test_waiting_for_a_carrier_holds_no_database_connection(aurora):
    Brand.objects.count()
    with bulkhead.CARRIERS.slot(aurora):
        assert connection.connection is None
    assert Brand.objects.count() == 1


def test_slots_are_released_whatever_ends_the_wait(settings):
    settings.WEB_THREADS = 4
    slots, thread_ended = Bulkhead(2, "tests"), threading.Event()

    def work() -> None:
        try:
            with slots.slot(brand(1)):
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            thread_ended.set()

    threading.Thread(target=work).start()
    assert thread_ended.wait(PATIENCE)
    assert slots.taken() == 0
