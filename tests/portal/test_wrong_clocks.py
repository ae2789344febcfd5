"""Stored times in the future, from a wrong clock, grant nothing and block nothing."""

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


def test_authentication_an_hour_ahead_is_not_recent():
    session: dict[str, float] = {}
    sessions.begin(session)
    assert sessions.proved_recently(session)
    session[sessions.PROVED] += AHEAD
    assert not sessions.proved_recently(session)


@pytest.mark.parametrize(("ahead", "recent"), [(0, True), (AHEAD, False)])
def test_sign_in_an_hour_ahead_is_not_recent(ahead, recent):
    session = {"signed_in_at": timezone.now().timestamp() + ahead}
    assert signed_in_recently(SimpleNamespace(session=session)) is recent


@pytest.mark.django_db
def test_pending_login_an_hour_ahead_is_expired(operator):
    pending = build_pending_login(operator)
    assert load_pending_login(pending) == operator
    assert load_pending_login({**pending, "at": pending["at"] + AHEAD}) is None


@pytest.mark.django_db
def test_submission_an_hour_ahead_is_not_waited_for(aurora):
    form = {"brand": aurora, "action": "reset", "captcha_token": "t", "fields": []}
    with submit_once(**form) as first:
        first.outcome = DONE
    stored = Submission.objects.get()
    pending = {"form": stored.outcome["form"]}  # As while its call is running.
    Submission.objects.update(outcome=pending, created_at=timezone.now() + timedelta(seconds=AHEAD))
    with submit_once(**form) as second:
        assert (second.new, second.outcome.state) == (False, "unknown")
