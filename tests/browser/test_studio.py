"""Somebody who has never seen the project connects a brand in the admin, as the README says."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import check_page
from tests.browser.stack import OPERATOR, PASSWORD, BrandSpec, Stack

CIRRUS = BrandSpec("cirrus", "AUD", "$", "Australia/Sydney", "en-au", "#0e7490")


@pytest.fixture
def admin(stack: Stack, page: Page) -> Page:
    """Signed in to the admin; the carrier knows the new partner already."""
    stack.carrier.post("seed", partners=[stack._partner(CIRRUS)])
    page.goto(f"http://admin.localhost:{stack.port}/admin/")
    page.get_by_label("E-mail address").fill(OPERATOR)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    return page


def open_aurora(admin: Page) -> None:
    admin.get_by_role("link", name="Brands", exact=True).first.click()
    admin.get_by_role("link", name="Aurora Phone", exact=True).click()


def fill_in(page: Page, stack: Stack) -> None:
    """The README's table, from top to bottom."""
    page.get_by_label("Name", exact=False).first.fill("Cirrus")
    expect(page.get_by_label("Slug")).to_have_value("cirrus")
    page.get_by_label("Language").select_option("English (Australia)")
    page.get_by_label("Time zone").fill("Australia/Sydney")
    page.get_by_label("Currency").select_option("AUD")
    page.locator("[name=hosts-0-host]").fill("cirrus.localhost")
    page.get_by_label("Support e-mail").fill("help@cirrus.example")
    page.get_by_label("Sender of mails").fill("Cirrus <no-reply@cirrus.example>")
    page.get_by_label("Terms of service").fill("https://cirrus.example/terms")
    page.get_by_label("Privacy policy").fill("https://cirrus.example/privacy")
    page.get_by_label("API address").fill(stack.carrier.api)
    page.get_by_label("API key").fill("cirrus-api-key")
    page.get_by_label("Login hosts").fill(stack.carrier.host)
    page.get_by_label("Site key").fill("cirrus-site-key")


def test_a_brand_is_connected_in_the_admin_alone(admin: Page, stack: Stack) -> None:
    admin.locator("#content-main").get_by_role("row", name="Brands").get_by_role("link", name="Add").click()
    fill_in(admin, stack)
    admin.get_by_role("button", name="Save", exact=True).first.click()
    ready = admin.get_by_role("region", name=re.compile("Ready to go live"))
    expect(ready.get_by_text("The carrier has not yet answered with this address and key.")).to_be_visible()
    ready.get_by_role("button", name="Check the carrier connection").click()
    expect(ready.get_by_text("The carrier has answered with this address and key.")).to_be_visible()
    expect(ready.get_by_role("heading")).to_contain_text("1 to do")
    admin.goto(f"http://cirrus.localhost:{stack.port}/")
    expect(admin.get_by_role("heading", level=1)).to_have_text("Your account at Cirrus")
    admin.get_by_role("link", name="Sign up", exact=True).first.click()
    expect(admin.frame_locator("iframe[title=reCAPTCHA]").get_by_label("I'm not a robot")).to_be_visible()


def test_the_names_of_a_pasted_url_are_taken(admin: Page, stack: Stack) -> None:
    open_aurora(admin)
    admin.get_by_role("link", name="Paste a URL from the partner portal").click()
    check_page(admin, "paste")
    url = (
        f"{stack.carrier.api}get-customer-balance?acc_no=70001&from_date=2024-01-01&until=2024-01-31&fmt=json"
    )
    admin.get_by_label("Request URL").fill(url)
    admin.get_by_role("button", name="Show what it says").click()
    expect(admin.get_by_label("What acc_no is")).to_have_value("account_number")
    expect(admin.get_by_label("What until is")).to_have_value("to_date")
    expect(admin.get_by_label("What fmt is")).to_have_value("")
    expect(admin.get_by_text("70001")).to_have_count(0)
    check_page(admin, "paste-take")
    admin.get_by_role("button", name="Take these names").click()
    expect(admin.get_by_text("The names for customer_balance are saved.")).to_be_visible()
    expect(admin.locator("[name=overrides-0-parameters]")).to_have_value(
        re.compile("account_number = acc_no")
    )
    admin.locator("[name=overrides-0-DELETE]").check()
    admin.get_by_role("button", name="Save", exact=True).first.click()


def test_the_brands_page_is_right_in_every_look(admin: Page) -> None:
    open_aurora(admin)
    check_page(admin, "brand")
    admin.get_by_role("navigation", name="Sections of this page").get_by_role("link", name="Captcha").click()
    expect(admin.get_by_label("Site key")).to_be_in_viewport()
