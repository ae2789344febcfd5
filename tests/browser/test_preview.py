"""The brand preview in the admin: live panel, shareable link, and what a reseller sees of it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.admin import sign_in
from tests.browser.chromium import AXE, LOOKS, Watch
from tests.support.live_stack import OPERATOR, Stack

# A sandboxed page may not fetch its own style sheets, which axe would do to inspect them.
RUN_AXE = "axe.run(document, {iframes: false, preload: false, resultTypes: ['violations']})"


@pytest.fixture
def brand_page(stack: Stack, page: Page) -> Page:
    """Aurora's page with the preview open."""
    sign_in(page, stack, "/admin/portal/brand/")
    page.get_by_role("link", name="Aurora Phone").click()
    page.wait_for_url("**/change/")  # Loaded, so that our script runs before the first click.
    page.get_by_text("Preview unsaved changes").click()
    return page


def preview_frame(page: Page, scheme: str) -> Any:
    return page.frame_locator(f"iframe[data-scheme={scheme}]")


def check(page: Page, name: str) -> None:
    """Check with axe and for horizontal scrolling, wide and narrow, light and dark."""
    page.evaluate(AXE)
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found = page.evaluate(RUN_AXE)["violations"]
        assert [(each["id"], each["nodes"][0]["html"]) for each in found] == [], (name, width, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)


def test_preview_follows_the_form_in_both_schemes(brand_page: Page, stack: Stack) -> None:
    for scheme in ("light", "dark"):
        expect(preview_frame(brand_page, scheme).get_by_role("heading", level=1)).to_contain_text(
            "Aurora Phone"
        )
    brand_page.locator("#id_name").fill("Nova Telecom")
    brand_page.locator("#id_accent").fill("#aa0000")
    for scheme in ("light", "dark"):
        expect(preview_frame(brand_page, scheme).get_by_role("heading", level=1)).to_contain_text(
            "Nova Telecom"
        )
    brand_page.get_by_label("Page", exact=True).select_option("Balance")
    expect(preview_frame(brand_page, "dark").get_by_text("$242.09").first).to_be_visible()
    backgrounds = [
        preview_frame(brand_page, scheme)
        .locator("body")
        .evaluate("body => getComputedStyle(body).backgroundColor")
        for scheme in ("light", "dark")
    ]
    lights = [sum(map(int, re.findall(r"\d+", background))) for background in backgrounds]
    assert lights[0] > 600 > 200 > lights[1]
    button = preview_frame(brand_page, "light").get_by_role("link", name="Go to my account").last
    assert button.evaluate("each => getComputedStyle(each).backgroundColor") == "rgb(170, 0, 0)"
    brand_page.reload()
    expect(brand_page.locator("#id_name")).to_have_value("Aurora Phone")


def test_invalid_look_is_reported_in_the_panel(brand_page: Page) -> None:
    brand_page.locator("#id_timezone").fill("Moon")
    problem = brand_page.locator("[data-problems]").get_by_role("link", name="Time zone")
    expect(problem).to_be_visible()
    problem.press("Enter")
    expect(brand_page.locator("#id_timezone")).to_be_focused()
    brand_page.locator("#id_timezone").fill("Europe/London")
    expect(problem).to_be_hidden()


def test_preview_request_contains_no_secrets(brand_page: Page) -> None:
    brand_page.locator("#id_carrier_key").fill("canary-key")
    with brand_page.expect_request("**/preview/") as sent:
        brand_page.locator("#id_name").fill("Nova")
    body = sent.value.post_data or ""
    assert 'name="accent"' in body
    assert "canary-key" not in body
    assert "carrier" not in body
    assert "hosts-0" not in body


def test_share_link_appears_while_the_preview_is_redrawn(brand_page: Page) -> None:
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        if 'name="keep"' in (route.request.post_data or ""):
            waiting.append(route)
        else:
            route.continue_()

    brand_page.route("**/preview/", hold)
    brand_page.get_by_role("button", name="Copy preview link").click()
    brand_page.locator("#id_name").fill("Nova Telecom")
    expect(preview_frame(brand_page, "light").get_by_role("heading", level=1)).to_contain_text("Nova Telecom")
    waiting[0].continue_()
    expect(brand_page.get_by_label("Preview link")).to_have_value(re.compile("/preview/"))
    expect(brand_page.locator("[data-said]")).to_contain_text("7 days")


def test_reseller_can_walk_through_the_preview(
    brand_page: Page, stack: Stack, new_context: Callable[..., tuple[BrowserContext, Watch]]
) -> None:
    brand_page.locator("#id_name").fill("Nova Telecom")
    brand_page.get_by_role("button", name="Copy preview link").click()
    field = brand_page.get_by_label("Preview link")
    expect(field).to_have_value(re.compile("/preview/"))
    expect(brand_page.locator("[data-said]")).to_contain_text("7 days")
    context, _watch = new_context()
    page = context.new_page()
    page.goto(field.input_value())
    page.get_by_text("Preview with sample data").click()
    names = page.get_by_role("complementary").get_by_role("link").all_inner_texts()
    assert len(names) == 18
    for name in names:
        banner = page.get_by_role("complementary")
        if not banner.get_by_role("link", name=name, exact=True).is_visible():
            banner.locator("summary").click()
        banner.get_by_role("link", name=name, exact=True).click()
        expect(page.locator("header").get_by_text("Nova Telecom")).to_be_visible()
        check(page, name)
    page.goto(field.input_value())
    page.get_by_role("link", name="Sign in").first.click()
    page.get_by_label("Email address").fill("me@example.com")
    page.get_by_role("button", name="Email me a code").click()
    page.get_by_label("Sign-in code").fill("12345678")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("$242.09").first).to_be_visible()
    assert context.cookies() == []
    assert stack.carrier.calls() == []


def test_preview_works_without_javascript_and_keeps_the_form(
    stack: Stack, brand_page: Page, new_context: Callable[..., tuple[BrowserContext, Watch]]
) -> None:
    context, _watch = new_context(java_script_enabled=False, storage_state=brand_page.context.storage_state())
    page = context.new_page()
    page.goto(brand_page.url)
    page.locator("#id_name").fill("Without Script")
    page.get_by_text("Preview unsaved changes").click()
    with context.expect_page() as opened:
        page.get_by_role("button", name="Preview in a new tab").click()
    expect(opened.value.get_by_role("heading", level=1)).to_contain_text("Without Script")
    expect(page.locator("#id_name")).to_have_value("Without Script")


def test_test_mail_arrives(brand_page: Page, stack: Stack) -> None:
    # Open until a test email has been sent.
    expect(brand_page.get_by_label("Send it to")).to_have_value(OPERATOR)
    brand_page.get_by_role("button", name="Send a test email").click()
    expect(brand_page.get_by_text("The email server took the test email")).to_be_visible()
    assert stack.carrier.mails(OPERATOR)[-1]["subject"] == "Test email from Aurora Phone"
