"""Every page in every state and look: no axe findings, no horizontal scrolling, no motion."""

import pytest

from tests.browser.chromium import check_overflow, check_page, check_reduced_motion
from tests.browser.states import STATES
from tests.browser.states_runner import State, Visits


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.slug)
def test_state_is_accessible_in_every_look(visits: Visits, state: State) -> None:
    page = visits.reach(state)
    assert state.says in page.inner_text("body"), f"{state.name}: {page.inner_text('main')}"
    check_page(page if state.javascript else visits.with_scripts(page), state.name)


SMALL = """main.insertAdjacentHTML("beforeend", "<p><a href='/a'>a</a><a href='/b'>b</a></p>");
for (const link of main.lastElementChild.children) {
  Object.assign(link.style, {display: "inline-block", width: "8px", height: "8px", overflow: "hidden"});
}"""
BROKEN_PAGES = {
    "px wider": (check_overflow, "main.style.width = '2000px'"),
    "moves": (check_reduced_motion, "main.style.transition = 'color 1s'"),
    "target-size": (check_page, SMALL),
    "color-contrast": (check_page, "main.style.color = '#888'"),
}


@pytest.mark.parametrize("finding", BROKEN_PAGES)
def test_broken_page_is_found(visits: Visits, finding: str) -> None:
    """The control: each check fails if there is something to find."""
    check, change = BROKEN_PAGES[finding]
    page = visits.reach(STATES[0], bypass_csp=True)
    page.evaluate(f"() => {{ const main = document.querySelector('main'); {change}; }}")
    with pytest.raises(AssertionError, match=finding):
        check(page, "spoilt")
