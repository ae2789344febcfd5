"""What a session keeps of a moment that is still to come, by a wrong clock, proves nothing."""

from types import SimpleNamespace

import pytest
from django.utils import timezone

from accounts.staff import half_open, half_open_read
from accounts.views.sessions import signed_in_recently
from portal import staff_session

AHEAD = 3600


def test_a_proof_from_an_hour_ahead_is_not_fresh():
    session: dict[str, float] = {}
    staff_session.begin(session)
    assert staff_session.proved_recently(session)
    session[staff_session.PROVED] += AHEAD
    assert not staff_session.proved_recently(session)


@pytest.mark.parametrize(("ahead", "recent"), [(0, True), (AHEAD, False)])
def test_a_sign_in_from_an_hour_ahead_is_not_recent(ahead, recent):
    session = {"signed_in_at": timezone.now().timestamp() + ahead}
    assert signed_in_recently(SimpleNamespace(session=session)) is recent


@pytest.mark.django_db
def test_a_first_step_from_an_hour_ahead_is_over(operator):
    kept = half_open(operator)
    assert half_open_read(kept) == operator
    assert half_open_read({**kept, "at": kept["at"] + AHEAD}) is None
