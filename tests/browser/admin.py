"""Signing in to the admin with a browser, as the operator whose authenticator key the tests know."""

from playwright.sync_api import Page

from tests.support.live_stack import OPERATOR, PASSWORD, Stack


def sign_in(page: Page, stack: Stack, path: str = "/admin/") -> None:
    """Open a page of the admin and complete both sign-in steps."""
    page.goto(f"http://admin.localhost:{stack.port}{path}")
    page.get_by_label("Email address").fill(OPERATOR)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Code from your authenticator app").fill(stack.app_code())
    page.get_by_role("button", name="Sign in").click()
    page.locator("#user-tools").wait_for()
