"""Every page in every state, in every look: no finding of axe, nothing to scroll sideways, no motion."""

import pytest

from tests.browser.chromium import check_page
from tests.browser.states import STATES, State, Visits


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.slug)
def test_a_state_is_sound_in_every_look(visits: Visits, state: State) -> None:
    page = visits.reach(state)
    assert state.says in page.inner_text("body"), f"{state.name}: {page.inner_text('main')}"
    check_page(page, state.name)
