"""The customer journey by keyboard, and what a screen reader announces on its pages."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.accounts import DORA
from tests.browser.actor import newest_code
from tests.browser.chromium import captcha_frame
from tests.browser.journey import open_tab
from tests.browser.states import STATES
from tests.browser.states_runner import State, Visits
from tests.support.live_stack import AURORA, Stack

MOST_STOPS = 40
OUTLINE = "(element) => [getComputedStyle(element).outlineStyle, getComputedStyle(element).outlineWidth]"


class Keyboard:
    """Uses only the keyboard. Wherever the focus goes, it must be visible."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def tab_to(self, selector: str) -> None:
        """Press Tab until the focus is on an element that matches the selector."""
        for _ in range(MOST_STOPS):
            self.page.keyboard.press("Tab")
            stop = self.page.locator(":focus")
            if stop.count() and not stop.evaluate("(element) => element.matches('iframe')"):
                style, width = stop.evaluate(OUTLINE)
                invisible = style == "none" or width == "0px"
                assert not invisible, f"no focus to be seen on {stop.evaluate('(e) => e.outerHTML')}"
            if self.page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
                return
        raise AssertionError(f"{selector} cannot be reached with the Tab key on {self.page.url}")

    def write(self, **fields: str) -> None:
        """Fill in fields, tabbing from one to the next."""
        for name, value in fields.items():
            self.tab_to(f"main [name={name}]")
            self.page.keyboard.type(value)

    def tick_captcha(self) -> None:
        """Tab into the captcha frame of another origin and tick its box."""
        captcha_frame(self.page)
        self.tab_to(".g-recaptcha iframe")
        self.page.keyboard.press("Space")
        expect(self.page.locator("[name=g-recaptcha-response]")).not_to_have_value("")

    def enter(self, selector: str) -> None:
        """Tab to a link or button and press Enter."""
        self.tab_to(selector)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def skip(self) -> None:
        """Use the skip link, the first tab stop of each page."""
        self.page.keyboard.press("Tab")
        expect(self.page.locator("a[href='#content']")).to_be_focused()
        expect(self.page.locator("a[href='#content']")).to_be_in_viewport()
        self.page.keyboard.press("Enter")
        expect(self.page.locator("#content")).to_be_focused()


def test_customer_journey_needs_no_mouse(stack: Stack, page: Page) -> None:
    email = "kim@example.com"
    keyboard = Keyboard(page)
    page.goto(stack.home(AURORA))
    keyboard.skip()
    keyboard.enter("main a[href='/sign-up/']")
    keyboard.skip()
    details = {name: value for name, value in DORA.items() if name != "accept_terms"}
    keyboard.write(**{**details, "email": email})
    keyboard.tab_to("[name=accept_terms]")
    page.keyboard.press("Space")
    keyboard.tick_captcha()
    keyboard.enter("main form button:not([type=button])")
    expect(page).to_have_url(re.compile("/sign-up/confirm/"))
    found = re.search(r"code is (\w+)", stack.carrier.mails(to=email)[-1]["text"])
    assert found
    # A redirect keeps the fragment of the skip link, so this page starts after its header.
    keyboard.write(code=found[1])
    keyboard.tick_captcha()
    keyboard.enter("main form button:not([type=button])")
    expect(page).to_have_url(re.compile("/sign-in/code/"))
    keyboard.write(code=newest_code(stack, email))
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Get started")).to_be_visible()
    keyboard.enter("nav a[href='/statement/']")
    keyboard.enter("main nav a:nth-of-type(2)")
    assert "from_date" in page.url
    keyboard.tab_to(".person summary")
    page.keyboard.press("Enter")
    keyboard.enter(".menu a[href='/account/']")
    keyboard.enter("main a[href='/account/email/']")
    keyboard.write(email="kim.new@example.com")
    keyboard.enter("main form button:not([type=button])")
    keyboard.write(code=newest_code(stack, "kim.new@example.com"))
    keyboard.enter("main form button:not([type=button])")
    expect(page.get_by_role("definition").first).to_contain_text("kim.new@example.com")
    keyboard.enter("main form[action='/account/'] > button")
    expect(page.get_by_text("You've signed out everywhere else.")).to_be_visible()
    tab = open_tab(page.locator("nav a[href='/account/open/']"))
    keyboard_there = Keyboard(tab)
    keyboard_there.skip()
    captcha_frame(tab)
    keyboard_there.tab_to(".g-recaptcha iframe")
    tab.keyboard.press("Space")
    expect(tab).to_have_url(re.compile(re.escape(stack.carrier.url)))
    tab.close()
    keyboard.tab_to(".person summary")
    page.keyboard.press("Enter")
    keyboard.enter("form[action$='/sign-out/'] button")
    expect(page.get_by_text("You've signed out.")).to_be_visible()


def state(name: str) -> State:
    return next(each for each in STATES if each.name == name)


def test_screen_reader_announces_hint_and_error_with_the_field(visits: Visits) -> None:
    page = visits.reach(state("sign-up: wrong"))
    wrong = page.get_by_role("textbox", name="Email address")
    expect(wrong).to_have_attribute("aria-invalid", "true")
    expect(wrong).to_have_accessible_description(re.compile("link to confirm it.*in the format", re.S))
    right = page.get_by_role("textbox", name="First name")
    assert right.get_attribute("aria-invalid") is None
    assert right.evaluate("(field) => field.required")
    password = page.get_by_label("Phone account password")
    expect(password).to_have_accessible_description(re.compile("8 characters"))
    expect(page.get_by_role("alert").first).to_contain_text("There's a problem")


HEADS: dict[str, Callable[[Page], Locator]] = {
    "banner": lambda page: page.get_by_role("banner"),
    "main": lambda page: page.get_by_role("main"),
    "contentinfo": lambda page: page.get_by_role("contentinfo"),
    "heading": lambda page: page.get_by_role("heading", level=1),
}


@pytest.mark.parametrize(
    "name", ["welcome: open", "sign-up: wrong", "home: balance", "statement: a period", "error: 404"]
)
def test_screen_reader_finds_landmarks_and_headings(visits: Visits, name: str) -> None:
    page = visits.reach(state(name))
    for role, found in HEADS.items():
        expect(found(page), role).to_have_count(1)
    title, heading = page.title(), page.get_by_role("heading", level=1).inner_text()
    assert title.strip()
    assert heading.strip()
    assert title.endswith("Aurora Phone")
    for field in page.locator("main input:visible, main select:visible").all():
        assert field.evaluate("(field) => field.labels.length"), field.evaluate("(field) => field.outerHTML")


def test_statement_is_announced_as_a_table(visits: Visits) -> None:
    page = visits.reach(state("statement: a period"))
    expect(page.get_by_role("table")).to_match_aria_snapshot("""
      - table:
        - rowgroup:
          - row "Opening balance $245.71"
          - row "Payments +⁠$57.00"
    """)
    expect(page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="Closing"))).to_have_count(1)
