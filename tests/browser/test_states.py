"""Every page in every state, in every look: no finding of axe, nothing to scroll sideways, no motion."""

import pytest

from tests.browser.chromium import check_calm, check_page, check_room
from tests.browser.states import STATES
from tests.browser.states_runner import State, Visits


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.slug)
def test_a_state_is_sound_in_every_look(visits: Visits, state: State) -> None:
    page = visits.reach(state)
    assert state.says in page.inner_text("body"), f"{state.name}: {page.inner_text('main')}"
    check_page(page if state.javascript else visits.with_scripts(page), state.name)


SMALL = """for (const link of main.querySelectorAll("a")) {
  Object.assign(link.style, {width: "8px", height: "8px", minHeight: 0, padding: 0, overflow: "hidden"});
}"""
SPOILT = {
    "px wider": (check_room, "main.style.width = '2000px'"),
    "moves": (check_calm, "main.style.transition = 'color 1s'"),
    "target-size": (check_page, SMALL),
    "color-contrast": (check_page, "main.style.color = '#888'"),
}


@pytest.mark.parametrize("finding", SPOILT)
def test_what_is_wrong_with_a_page_is_found(visits: Visits, finding: str) -> None:
    """The control: each check fails where there is something to find."""
    check, spoil = SPOILT[finding]
    page = visits.reach(STATES[0], bypass_csp=True)
    page.evaluate(f"() => {{ const main = document.querySelector('main'); {spoil}; }}")
    with pytest.raises(AssertionError, match=finding):
        check(page, "spoilt")
