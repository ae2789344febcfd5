"""Printed balance and statement: figures in black on white, without controls."""

import pytest

from tests.browser.states import STATES
from tests.browser.states_runner import Visits

SEEN = """() => {
  const shown = (element) => element.getClientRects().length > 0;
  const colour = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const found = getComputedStyle(each).backgroundColor;
      if (found !== "rgba(0, 0, 0, 0)") return found;
    }
    return "none";
  };
  const texts = [...document.querySelectorAll("body *")].filter((each) => shown(each) &&
    [...each.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim()));
  return {
    for_screens: [...document.querySelectorAll(
      "nav, button, .button, form, .skip, .links a, .beside")].filter(shown).map((each) => each.outerHTML),
    text: [...new Set(texts.map((each) => getComputedStyle(each).color))],
    behind: [...new Set(texts.map(colour))],
    pictures: texts.filter((each) => getComputedStyle(each).backgroundImage !== "none").length,
    rows: [...document.querySelectorAll(".figures tr")].filter(shown).length,
  };
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "name",
    ["home: prepaid days left", "home: prepaid zero", "home: older figures", "statement: older figures"],
)
def test_figures_print_in_black_on_white_without_controls(visits: Visits, name: str, scheme: str) -> None:
    page = visits.reach(next(state for state in STATES if state.name == name))
    page.emulate_media(media="print", color_scheme=scheme)  # type: ignore[arg-type]
    visible = page.evaluate(SEEN)
    assert visible["for_screens"] == []
    assert visible["text"] == ["rgb(0, 0, 0)"]
    assert set(visible["behind"]) <= {"none", "rgb(255, 255, 255)"}
    assert (visible["pictures"], visible["rows"]) == (0, 6 if name.startswith("statement") else 5)
    paper = page.inner_text("body")
    assert "Updated " in paper
    assert "Closing balance" in paper or "Balance today" in paper
