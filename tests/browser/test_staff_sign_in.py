"""The admin sign-in in a browser: every page in every look, and how typing keeps the session alive."""

import re
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.admin import sign_in
from tests.browser.chromium import AXE, LOOKS
from tests.conftest import code_of
from tests.support.live_stack import OPERATOR, PASSWORD, Stack

# The frame is Django's; WCAG rules apply to the whole page, best practices to our part.
WHOLE = """axe.run(document, {preload: false, resultTypes: ['violations'],
  rules: {'target-size': {enabled: true}},
  runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']}})"""
NEW = """
from accounts.models import User
user = User.objects.filter(email="new@example.com").first() or User(email="new@example.com")
user.is_staff = True
user.set_password("correct horse battery")
user.save()
"""


def check(page: Page, name: str) -> None:
    """Check with axe and for horizontal scrolling, wide and narrow, light and dark."""
    page.evaluate(AXE)
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.wait_for_timeout(300)  # Django's links animate their colours.
        found = page.evaluate(WHOLE)["violations"]
        findings = [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
        assert findings == [], (name, width, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
        assert page.locator("h1").count() == 1, name
    page.set_viewport_size({"width": 1280, "height": 800})
    page.emulate_media(color_scheme="light")


def enter_password(page: Page, stack: Stack, email: str) -> None:
    page.goto(f"http://admin.localhost:{stack.port}/admin/")
    page.get_by_label("Email address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_first_sign_in_from_the_password_to_the_admin(page: Page, stack: Stack, visit: Any) -> None:
    stack.run(NEW)
    visit[0].grant_permissions(["clipboard-read", "clipboard-write"])
    enter_password(page, stack, "new@example.com")
    expect(page.get_by_role("heading", level=1)).to_have_text("Set up your authenticator app")
    check(page, "enrol")
    key = "".join(page.locator(".staff-key span").all_inner_texts())
    page.get_by_label("Code from your authenticator app").fill("12")
    page.get_by_role("button", name="Set up this app").click()
    expect(page.get_by_text("The code has 6 digits")).to_be_visible()
    check(page, "enrol, wrong")
    assert "".join(page.locator(".staff-key span").all_inner_texts()) == key
    page.get_by_label("Code from your authenticator app").fill(code_of(key))
    page.get_by_role("button", name="Set up this app").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Keep your recovery codes")
    check(page, "codes")
    codes = page.locator("[data-codes] li").all_inner_texts()
    assert len(codes) == 10
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    # By pasting, because our pages may not read the clipboard (Permissions-Policy).
    field = page.evaluate_handle("document.body.appendChild(document.createElement('textarea'))").as_element()
    assert field
    field.focus()
    page.keyboard.press("Control+V")
    assert field.input_value().split("\n") == codes
    page.get_by_role("link", name="I've saved them. Continue").click()
    expect(page.locator("#user-tools")).to_contain_text("new@example.com")
    page.get_by_role("button", name="Sign out").click()
    enter_password(page, stack, "new@example.com")
    page.get_by_role("link", name="Use a recovery code instead").click()
    check(page, "recovery")
    page.get_by_label("Recovery code").fill(codes[0])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("You have 9 left")).to_be_visible()


def test_sign_in_pages_are_accessible_in_every_look(page: Page, stack: Stack, watch: Any) -> None:
    page.goto(f"http://admin.localhost:{stack.port}/admin/")
    check(page, "password")
    page.goto(f"http://admin.localhost:{stack.port}/admin/login/?why=idle-sent&next=/admin/portal/brand/")
    expect(page.get_by_text("so we didn't save it")).to_be_visible()
    check(page, "why")
    enter_password(page, stack, OPERATOR)
    check(page, "code")
    watch.expect("status of 429")
    for _ in range(5):
        page.get_by_label("Code from your authenticator app").fill("ABCDE" * 4)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("That recovery code isn't right")).to_be_visible()
    check(page, "code, wrong")
    page.get_by_label("Code from your authenticator app").fill("ABCDE" * 4)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Too many tries")
    check(page, "too many")
    stack.sql("DELETE FROM portal_attempt")


PAST = """
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
for row in Session.objects.all():
    session = SessionStore(row.session_key)
    if "staff_proved" in session:
        session["staff_NAME"] -= SECONDS
        session.save()
"""


def age_session(stack: Stack, name: str, seconds: int) -> None:
    stack.run(PAST.replace("NAME", name).replace("SECONDS", str(seconds)))


def test_security_page_asks_for_reauthentication_before_changes(page: Page, stack: Stack) -> None:
    sign_in(page, stack)
    page.get_by_role("link", name="Security").click()
    check(page, "security")
    age_session(stack, "proved", 400)
    page.get_by_role("button", name="Make new recovery codes").click()
    expect(page.get_by_text("Nothing has been done yet.")).to_be_visible()
    check(page, "proof")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Code from your authenticator app").fill(stack.app_code())
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("button", name="Make new recovery codes").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Keep your recovery codes")
    check(page, "new codes")
    page.goto(f"http://admin.localhost:{stack.port}/admin/security/app/")
    check(page, "replace")
    page.goto(f"http://admin.localhost:{stack.port}/admin/password_change/")
    check(page, "password change")


def test_typing_into_a_long_form_keeps_the_session_alive(page: Page, stack: Stack) -> None:
    page.clock.install()
    sign_in(page, stack, "/admin/accounts/user/add/")
    age_session(stack, "seen", 14 * 60)
    with page.expect_response("**/still-here/") as findings:
        page.clock.run_for(3 * 60 * 1000)
        page.get_by_label("First name").press_sequentially("A long name")
    assert findings.value.status == 204
    age_session(stack, "seen", 14 * 60)
    page.get_by_role("link", name="Security").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Security")


def test_sign_in_after_idle_minutes_says_why_and_returns(page: Page, stack: Stack) -> None:
    sign_in(page, stack, "/admin/security/")
    age_session(stack, "seen", 16 * 60)
    page.get_by_role("button", name="Make new recovery codes").click()
    expect(page.get_by_text("nothing had been done here for 15 minutes")).to_be_visible()
    expect(page).to_have_url(re.compile(r"next=/admin/security/&why=idle-sent"))
