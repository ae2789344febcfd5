"""Layout in a real browser: no overflow, no layout shift, and what our script adds."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.chromium import Watch, captcha_frame
from tests.browser.journey import PASSWORD, Journey, Person
from tests.support.customer_flow import DETAILS
from tests.support.emailed_code import find_code
from tests.support.live_stack import AURORA, Stack

LONG_NAME = "W" * 80
LONG_PERSON = "M" * 150
LONG_EMAIL = f"{'w' * 64}@{'m' * 63}.{'w' * 63}.{'m' * 53}.example"
BIG = "-$1,234,567,890,123,456.78"
PAGES = ("", "sign-in/", "sign-up/", "sign-up/confirm/", "password-reset/", "nowhere/")
# The longest allowed texts of a brand, a customer and the carrier.
LENGTHEN = """([name, person, email, big]) => {
  document.querySelectorAll(".brand span + span").forEach((one) => (one.textContent = name));
  document.querySelectorAll("h1").forEach((one) => (one.textContent = person));
  document.querySelectorAll(".lead strong, a[href^=mailto]").forEach((one) => (one.textContent = email));
  document.querySelectorAll(".amount, .figures td").forEach((one) => (one.textContent = big));
  document.querySelectorAll(".figures td").forEach((one) => one.classList.add("long")); // As by their length.
  const unseen = ".unseen, .who, .skip, .g-recaptcha";
  const all = [...document.querySelectorAll("body *")].filter((one) => !one.closest(unseen));
  return all.filter((one) => one.getBoundingClientRect().right > innerWidth + 0.5)
    .map((one) => one.outerHTML.slice(0, 120));
}"""
SHIFT = """new Promise((done) => {
  const sum = (list) => done(list.getEntries().reduce((total, one) => total + one.value, 0));
  new PerformanceObserver(sum).observe({type: "layout-shift", buffered: true});
  setTimeout(() => done(0), 1500);
})"""


def newest_code(stack: Stack) -> str:
    """Return the code in the newest email to Alice."""
    return find_code(stack.carrier.mails("alice@example.com")[-1]["text"])


def signed_in(stack: Stack, page: Page) -> Journey:
    """Alice on her balance page."""
    journey = Journey(page, stack, AURORA, Person("alice@example.com", first_name=""))
    page.goto(f"{stack.home(AURORA)}sign-in/")
    page.get_by_label("Email address").fill("alice@example.com")
    journey.button("Email me a code").click()
    journey.heading("Enter your code")
    assert_fits(page, "code")
    code = newest_code(stack)
    page.get_by_label("Sign-in code").fill(code)
    journey.button("Sign in").click()
    expect(page.locator(".amount")).to_be_visible()
    return journey


def assert_fits(page: Page, name: str) -> None:
    """Check that nothing overflows the screen, however long the texts are."""
    before = page.viewport_size
    page.set_viewport_size({"width": 320, "height": 700})
    found = page.evaluate(LENGTHEN, [LONG_NAME, LONG_PERSON, LONG_EMAIL, BIG])
    assert found == [], name
    if before:
        page.set_viewport_size(before)


def test_longest_texts_do_not_overflow_at_320_pixels(stack: Stack, page: Page, watch: Watch) -> None:
    watch.expect("status of 404")
    for path in PAGES:
        page.goto(stack.home(AURORA) + path)
        assert_fits(page, path)
    signed_in(stack, page)
    for path in ("", "statement/?from_date=2020-01-01&to_date=2020-01-31", "account/open/"):
        page.goto(stack.home(AURORA) + path)
        assert_fits(page, path)


def test_pages_are_a_bar_at_the_bottom_of_a_small_phone(stack: Stack, page: Page) -> None:
    signed_in(stack, page)
    page.set_viewport_size({"width": 320, "height": 700})
    boxes = [link.bounding_box() for link in page.locator(".pages > a").all()]
    assert [box["width"] for box in boxes if box] == [64] * 5
    assert {box["y"] + box["height"] for box in boxes if box} == {700}
    page.locator("footer").scroll_into_view_if_needed()
    last = page.get_by_role("link", name="Privacy policy").bounding_box()
    assert last
    assert last["y"] + last["height"] < min(box["y"] for box in boxes if box)
    page.set_viewport_size({"width": 1280, "height": 700})
    expect(page.get_by_role("link", name="Profile")).to_be_hidden()


def test_menu_of_the_person_closes_by_escape_and_a_click_beside_it(stack: Stack, page: Page) -> None:
    signed_in(stack, page)
    summary, leave = page.locator(".person summary"), page.get_by_role("button", name="Sign out")
    summary.press("Enter")
    expect(leave).to_be_visible()
    leave.press("Escape")
    expect(leave).to_be_hidden()
    expect(summary).to_be_focused()
    summary.click()
    page.get_by_role("main").click(position={"x": 1, "y": 1})
    expect(leave).to_be_hidden()


def test_bar_of_the_chart_shows_its_value_on_focus_and_links_to_its_month(stack: Stack, page: Page) -> None:
    signed_in(stack, page)
    page.goto(f"{stack.home(AURORA)}history/")
    bar = page.locator(".plot.charges a").first
    expect(bar.locator(".value")).to_be_hidden()
    bar.focus()
    expect(bar.locator(".value")).to_be_visible()
    bar.press("Enter")
    expect(page.get_by_role("heading", name="Statements")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 360, 320])
def test_loading_captcha_causes_no_layout_shift(stack: Stack, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 2000})
    page.goto(f"{stack.home(AURORA)}sign-up/")
    page.frame_locator("iframe[title=reCAPTCHA]").get_by_label("I'm not a robot").wait_for()
    assert page.evaluate(SHIFT) < 0.01


def test_password_can_be_shown_and_is_hidden_before_sending(stack: Stack, page: Page) -> None:
    page.goto(f"{stack.home(AURORA)}sign-up/")
    field = page.get_by_label("Phone account password")
    show = page.get_by_role("button", name="Show password")
    for name, value in DETAILS.items():
        page.locator(f"[name={name}]").fill(value)
    page.locator("[name=accept_terms]").check()
    captcha_frame(page).locator("input").press("Space")
    field.fill(PASSWORD)
    expect(show).to_have_attribute("aria-pressed", "false")
    show.press("Space")
    expect(show).to_have_attribute("aria-pressed", "true")
    expect(field).to_have_attribute("type", "text")
    expect(field).to_have_value(PASSWORD)
    page.evaluate("document.forms[0].addEventListener('submit', (event) => event.preventDefault())")
    page.get_by_role("button", name="Create an account").click()
    expect(field).to_have_attribute("type", "password")
    expect(page.get_by_role("button", name="Sending…")).to_have_attribute("aria-disabled", "true")


def test_button_says_sending_without_moving_and_recovers(stack: Stack, page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{stack.home(AURORA)}sign-in/")
    button = page.locator("form.card button.main")
    width = button.evaluate("(button) => button.offsetWidth")
    page.get_by_label("Email address").fill("alice@example.com")
    page.evaluate("document.forms[0].addEventListener('submit', (event) => event.preventDefault())")
    button.click()
    expect(button).to_have_text("Sending…")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(page.get_by_role("status").filter(has_text="Sending…")).to_be_attached()
    assert button.evaluate("(button) => button.offsetWidth") == width
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    expect(button).to_have_text("Email me a code")
    expect(button).not_to_have_attribute("aria-disabled", "true")


@pytest.mark.parametrize("fragment", ["", "#content"])
def test_errors_of_the_server_have_the_focus(stack: Stack, page: Page, fragment: str) -> None:
    page.goto(f"{stack.home(AURORA)}sign-up/confirm/{fragment}")
    page.get_by_label("Email address").fill("dora@")
    page.get_by_label("Confirmation code").fill("X")
    captcha_frame(page).locator("input").press("Space")
    expect(page.locator("[name=g-recaptcha-response]")).not_to_have_value("")
    page.get_by_role("button", name="Confirm").click()
    summary = page.get_by_role("alert").filter(has_text="There's a problem")
    expect(summary).to_be_focused()
    assert page.title() == "Error: Confirm your email address · Aurora Phone"


def test_errors_have_the_focus_without_javascript(
    stack: Stack, new_context: Callable[..., tuple[BrowserContext, Watch]]
) -> None:
    context, _ = new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(stack.home(AURORA))
    page.get_by_role("button", name="Email me a code").click()
    expect(page.get_by_role("alert")).to_be_focused()
    assert page.title() == "Error: Sign in · Aurora Phone"


def test_error_summary_links_focus_the_field(stack: Stack, page: Page) -> None:
    page.goto(f"{stack.home(AURORA)}sign-up/")
    page.get_by_role("button", name="Create an account").click()
    page.get_by_role("alert").get_by_role("link", name="Phone number: Enter your phone number.").click()
    expect(page.get_by_label("Phone number")).to_be_focused()


def test_sign_in_works_without_javascript(
    stack: Stack, new_context: Callable[..., tuple[BrowserContext, Watch]]
) -> None:
    context, _ = new_context(java_script_enabled=False)
    page = context.new_page()
    journey = Journey(page, stack, AURORA, Person("alice@example.com", first_name=""))
    page.goto(f"{stack.home(AURORA)}sign-in/")
    page.get_by_label("Email address").fill("alice@example.com")
    journey.button("Email me a code").click()
    code = newest_code(stack)
    page.get_by_label("Sign-in code").fill(code)
    journey.button("Sign in").click()
    expect(page.locator(".amount")).to_be_visible()
    expect(page.get_by_role("button", name="Show password")).to_have_count(0)


def test_streamed_page_says_that_it_is_loading_until_figures_arrive(stack: Stack, page: Page) -> None:
    journey = Journey(page, stack, AURORA, Person("bob@example.com", first_name=""))
    page.goto(stack.home(AURORA))
    journey.sign_in()
    expect(page.locator(".amount")).to_be_visible()
    stack.sql("DELETE FROM billing_keptstatement")
    stack.carrier.fault("customer_balance", "slow", seconds=60)
    page.goto(stack.home(AURORA), wait_until="commit")
    waiting = page.get_by_text("We're getting your latest amounts.")
    expect(waiting).to_be_visible()
    expect(page.get_by_role("link", name="History")).to_be_visible()
    stack.carrier.post("faults/clear")
    expect(page.locator(".amount")).to_be_visible()
    expect(waiting).to_be_hidden()
