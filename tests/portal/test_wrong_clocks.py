"""What is stored with a moment still to come, by a wrong clock, proves nothing and holds nobody up."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.utils import timezone

from accounts.models import Submission
from accounts.services.idempotency import submit_once
from accounts.services.outcomes import DONE
from accounts.staff.two_step import build_pending_login, load_pending_login
from accounts.views.session import signed_in_recently
from portal.admin import sessions

pytestmark = pytest.mark.database

AHEAD = 3600


def test_a_proof_from_an_hour_ahead_is_not_fresh():
    session: dict[str, float] = {}
    sessions.begin(session)
    assert sessions.proved_recently(session)
    session[sessions.PROVED] += AHEAD
    assert not sessions.proved_recently(session)


@pytest.mark.parametrize(("ahead", "recent"), [(0, True), (AHEAD, False)])
def test_a_sign_in_from_an_hour_ahead_is_not_recent(ahead, recent):
    session = {"signed_in_at": timezone.now().timestamp() + ahead}
    assert signed_in_recently(SimpleNamespace(session=session)) is recent


@pytest.mark.django_db
def test_a_first_step_from_an_hour_ahead_is_over(operator):
    kept = build_pending_login(operator)
    assert load_pending_login(kept) == operator
    assert load_pending_login({**kept, "at": kept["at"] + AHEAD}) is None


@pytest.mark.django_db
def test_a_form_whose_process_died_with_its_clock_an_hour_ahead_is_not_waited_for(aurora):
    form = {"brand": aurora, "action": "reset", "captcha_token": "t", "fields": []}
    with submit_once(**form) as first:
        first.outcome = DONE
    stored = Submission.objects.get()
    kept = {"form": stored.outcome["form"]}  # As while its call is under way.
    Submission.objects.update(outcome=kept, created_at=timezone.now() + timedelta(seconds=AHEAD))
    with submit_once(**form) as second:
        assert (second.new, second.outcome.state) == (False, "unknown")
