"""Forms are validated before they are sent, and the button recovers whatever Google's script does."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect

from tests.browser.chromium import Watch, captcha_frame, check_page
from tests.support.customer_flow import DETAILS, PASSWORD
from tests.support.live_stack import AURORA, CYGNUS, DRACO, BrandSpec, Stack

# Replaces Google's script; the list says what each press results in.
SCRIPT = """
(() => {
  let options, field, pressed = 0;
  const outcomes = %s;
  const passed = () => { field.value = "a-token"; options.callback?.("a-token"); };
  window.late = passed;
  window.grecaptcha = {
    ready: (callback) => setTimeout(callback),
    render: (element, given) => {
      options = given;
      field = document.createElement("textarea");
      field.name = "g-recaptcha-response";
      field.hidden = true;
      element.append(field);
      return 0;
    },
    reset: () => {},
    getResponse: () => field.value,
    execute: () => {
      const outcome = outcomes[pressed++];
      if (outcome === "throw") throw new Error("half-way");
      if (outcome === "refuse") return Promise.reject(new Error("no"));
      if (outcome === "pass") { if (field) passed(); return Promise.resolve("a-token"); }
      return new Promise(() => {});
    },
  };
})();
"""

Open = Callable[..., tuple[Page, list[Request]]]


def is_form(request: Request) -> bool:
    return request.method == "POST" and request.is_navigation_request()


@pytest.fixture
def visit(stack: Stack, new_context: Callable[..., tuple[BrowserContext, Watch]]) -> Open:
    """Open a brand's sign-up page, filled in, with a fake Google script; returns it and the sent forms."""

    def opened(brand: BrandSpec, outcomes: str = "", **filled: str) -> tuple[Page, list[Request]]:
        context, watch = new_context()
        watch.expect(r".")
        page, sent = context.new_page(), []
        page.on("request", lambda request: sent.append(request) if is_form(request) else None)
        if outcomes:
            body = SCRIPT % str(outcomes.split())
            page.route("**/api.js*", lambda route: route.fulfill(body=body, content_type="text/javascript"))
        page.clock.install()
        page.goto(f"{stack.home(brand)}sign-up/")
        for name, value in {**DETAILS, "password": PASSWORD, **filled}.items():
            page.locator(f"[name={name}]").fill(value)
        page.locator("[name=accept_terms]").check()
        page.clock.run_for(1_000)  # Google's script has loaded.
        return page, sent

    return opened


def press(page: Page) -> None:
    page.get_by_role("button", name="Create an account").click()


def notice(page: Page) -> str:
    return page.locator("[data-captcha-problem]").inner_text()


def expect_timeout(page: Page, sent: list[Request]) -> None:
    """After ten seconds the button works again and says why."""
    page.clock.run_for(10_000)
    expect(page.locator("[data-captcha-problem]")).to_be_visible()
    assert sent == []


@pytest.mark.parametrize("brand", [CYGNUS, DRACO], ids=lambda brand: brand.kind)
@pytest.mark.parametrize("first", ["nothing", "throw", "refuse"])
def test_unsuccessful_press_can_be_repeated(visit: Open, brand: BrandSpec, first: str) -> None:
    if brand is CYGNUS and first == "refuse":
        pytest.skip("This kind gives no promise.")
    page, sent = visit(brand, f"{first} pass")
    press(page)
    button = page.locator("form.card button.main")
    if first == "nothing":
        expect(button).to_have_text("Sending…")
        button.click(force=True)
    expect_timeout(page, sent)
    assert ("select the button again" if first == "nothing" else "didn't load") in notice(page)
    expect(button).to_have_text("Create an account")
    with page.expect_navigation():
        press(page)
        page.clock.run_for(100)
    assert len(sent) == 1


def test_late_challenge_result_still_counts_once(visit: Open) -> None:
    page, sent = visit(CYGNUS, "nothing nothing")
    press(page)
    expect_timeout(page, sent)
    with page.expect_navigation():
        page.evaluate("window.late()")
        page.clock.run_for(100)
    assert len(sent) == 1


def test_unticked_captcha_prevents_sending_and_keeps_the_password(visit: Open, stack: Stack) -> None:
    page, sent = visit(AURORA)
    captcha_frame(page)
    press(page)
    expect(page.locator("[data-captcha-problem]")).to_have_text("Complete the security check.")
    assert page.locator("[name=password]").input_value() == PASSWORD
    assert sent == []
    captcha_frame(page).locator("input").press("Space")
    expect(page.locator("[data-captcha-problem]")).to_be_hidden()
    with page.expect_navigation():
        press(page)
    assert len(sent) == 1


def test_missing_or_short_input_is_reported_before_sending(visit: Open) -> None:
    page, sent = visit(AURORA, first_name="", password="")
    page.locator("[name=accept_terms]").uncheck()
    page.locator("[name=password]").press_sequentially("short")
    press(page)
    errors = {
        "first_name": "Enter your first name.",
        "password": "Your password must have at least 8 characters.",
        "accept_terms": "Agree to the terms to continue.",
    }
    assert page.locator(".field.wrong .errorlist").all_inner_texts() == list(errors.values())
    for name, text in errors.items():
        field = page.locator(f"[name={name}]")
        assert field.get_attribute("aria-invalid") == "true"
        described = (field.get_attribute("aria-describedby") or "").split()
        assert text in [page.locator(f"#{each}").inner_text() for each in described]
    summary = page.get_by_role("alert").filter(has_text="There's a problem")
    expect(summary).to_be_focused()
    assert page.title() == "Error: Create an account · Aurora Phone"
    assert summary.get_by_role("link").count() == 3
    summary.get_by_role("link", name="First name: Enter your first name.").click()
    expect(page.locator("[name=first_name]")).to_be_focused()
    assert sent == []
    check_page(page, "sign-up: checked in the browser")
    page.locator("[name=first_name]").fill("Dora")
    assert page.locator(".field.wrong").count() == 2
    assert page.locator("[name=first_name]").get_attribute("aria-invalid") is None
