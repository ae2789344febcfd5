"""Connecting a brand in the admin, as docs/connect-a-brand.md describes."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.admin import sign_in
from tests.browser.chromium import AXE, BEYOND, LOOKS
from tests.conftest import ROOT
from tests.support.live_stack import BrandSpec, Stack

# Our part of the page; the rest is Django's. Style sheets are not loaded again, because the CSP forbids it.
RUN_AXE = """axe.run({include: [['.brand-admin-ready'], ['.brand-admin-contents'], ['.brand-admin-paste']]
  .filter(([part]) => document.querySelector(part))}, {preload: false, resultTypes: ['violations']})"""
CIRRUS = BrandSpec("cirrus", "AUD", "$", "Australia/Sydney", "en-au", "#0e7490")


@pytest.fixture
def admin(stack: Stack, page: Page) -> Page:
    """Signed in to the admin; the carrier already knows the new partner."""
    stack.carrier.post("seed", partners=[stack._partner(CIRRUS)])
    sign_in(page, stack)
    return page


def brand_link(admin: Page, link: str) -> Locator:
    """Return a link of the line "Brands" on the first page."""
    return admin.locator("#content-main .model-brand").get_by_role("link", name=link)


def open_aurora(admin: Page) -> None:
    brand_link(admin, "Brands").click()
    admin.get_by_role("link", name="Aurora Phone", exact=True).click()


def check_page(page: Page, name: str) -> None:
    """Check our part of the page with axe and for horizontal scrolling, in four looks."""
    page.evaluate(AXE)
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.wait_for_timeout(300)  # Django's links animate their colours.
        found = page.evaluate(RUN_AXE)["violations"]
        findings = [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
        assert findings == [], (name, width, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
    page.set_viewport_size({"width": 1280, "height": 800})


def documented_rows(stack: Stack) -> list[list[str]]:
    """Return section, field and value for the demo from the documented table."""
    guide = (ROOT / "docs" / "connect-a-brand.md").read_text()
    part = guide.split("\n## In the admin")[1].split("\n## ")[0]
    lines = [line.strip() for line in part.splitlines() if line.strip().startswith("| ")]
    cells = [[cell.strip(" `") for cell in line.strip("|").split("|")][:3] for line in lines[2:]]
    return [[text.replace("127.0.0.1:8090", stack.carrier.host) for text in row] for row in cells]


def fill_in(page: Page, section: str, field: str, value: str) -> None:
    """Fill in one row of that table."""
    part = page.locator(".brand-admin-section").filter(has=page.get_by_role("heading", name=section))
    box = part.get_by_label(re.compile(f"^{field}:?$", re.IGNORECASE)).first
    if box.evaluate("box => box.localName") == "select":
        box.select_option(value)
    else:
        box.press_sequentially(value)


def test_brand_is_connected_in_the_admin_only(admin: Page, stack: Stack) -> None:
    brand_link(admin, "Add").click()
    for row in documented_rows(stack):
        fill_in(admin, *row)
    expect(admin.get_by_label("Slug")).to_have_value("cirrus")
    admin.get_by_role("button", name="Save", exact=True).first.click()
    ready = admin.get_by_role("region", name=re.compile("Ready to go live"))
    expect(ready.get_by_text("The carrier has not yet answered with this address and key.")).to_be_visible()
    ready.get_by_role("button", name="Check the carrier connection").click()
    expect(ready.get_by_text("The carrier has answered with this address and key.")).to_be_visible()
    expect(ready.get_by_role("heading")).to_contain_text("1 to do")
    admin.goto(f"http://cirrus.localhost:{stack.port}/")
    expect(admin.get_by_role("heading", level=1)).to_have_text("Manage your Cirrus account")
    admin.get_by_role("link", name="Create an account", exact=True).first.click()
    expect(admin.frame_locator("iframe[title=reCAPTCHA]").get_by_label("I'm not a robot")).to_be_visible()


def test_names_of_a_pasted_url_are_accepted(admin: Page, stack: Stack) -> None:
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
    ready = admin.get_by_role("region", name=re.compile("Ready to go live"))
    ready.get_by_label("Account number of a customer").fill("70001")
    ready.get_by_role("button", name="Check the carrier connection").click()
    expect(admin.get_by_text("this customer's balance could not be read")).to_be_visible()
    admin.locator("[name=overrides-0-DELETE]").check()
    admin.get_by_role("button", name="Save", exact=True).first.click()


def test_brand_page_is_accessible_in_every_look(admin: Page) -> None:
    open_aurora(admin)
    check_page(admin, "brand")
    admin.get_by_role("navigation", name="Sections of this page").get_by_role("link", name="Captcha").click()
    expect(admin.get_by_label("Site key")).to_be_in_viewport()


def test_steps_of_the_checklist_focus_what_they_begin_with(admin: Page, stack: Stack) -> None:
    stack.run(
        "from portal.models import Brand; Brand.objects.update(mail_tested_at=None, carrier_proven_for='')"
    )
    open_aurora(admin)
    ready = admin.get_by_role("region", name=re.compile("Ready to go live"))
    ready.get_by_role("link", name="then press “Check the carrier connection”").click()
    expect(ready.get_by_role("button", name="Check the carrier connection")).to_be_focused()
    ready.get_by_role("link", name="Send yourself a test email").click()
    expect(admin.get_by_label("Send it to")).to_be_focused()


# A customer, a host, calls and transfers with the longest texts that come in practice.
LONG_ROWS = """
import uuid
from decimal import Decimal
from django.utils import timezone
from accounts.models import User
from billing.models import Move
from portal.models import Brand, CarrierCall
brand = Brand.objects.get(slug="aurora")
email = "wanda-maximiliana.bartholomea.featherstonehaugh@telecommunications-of-the-north.example"
names = {"first_name": "Wanda-Maximiliana Bartholomea", "last_name": "Featherstonehaugh-Cholmondeley"}
fields = {**names, "account_number": "AB-1234567890.1234567890-XYZ", "password": "!"}
wanda = User.objects.get_or_create(brand=brand, email=email, defaults=fields)[0]
User.objects.filter(brand=brand).update(verified_at=timezone.now())
operator = User.objects.filter(is_superuser=True).first()
brand.hosts.get_or_create(host="a-very-long-host-name-of-the-customers.portal.aurora-telecommunications.example")
call = {"method": "register_customer", "outcome": "BadAnswer", "status": 503, "milliseconds": 14999}
CarrierCall.objects.create(
    brand=brand, customer=wanda, operation=str(uuid.uuid4()), reference="ABCD-EFGH", **call)
Move.objects.create(brand=brand, customer=wanda, account_number=wanda.account_number, description="x",
    amount=Decimal("9999999999.99"), asked_by=operator, asked_at=timezone.now(), state="refused")
"""
WIDER_THAN_ITSELF = """[...document.querySelectorAll(".results, #content-main")]
  .filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.className || one.id)"""
LISTS = ("accounts/user/", "billing/move/", "portal/brand/", "portal/carriercall/", "billing/policy/")


def test_columns_of_all_lists_fit_a_laptop(admin: Page, stack: Stack) -> None:
    stack.run(LONG_ROWS)
    home = admin.url
    for path in (*LISTS, "portal/brand/1/history/", "billing/partner/"):
        admin.goto(home + path)
        for width in (1366, 1280):
            admin.set_viewport_size({"width": width, "height": 800})
            assert admin.evaluate(WIDER_THAN_ITSELF) == [], (path, width)
            assert admin.evaluate(BEYOND) <= 0, (path, width)
        admin.set_viewport_size({"width": 360, "height": 800})
        assert admin.evaluate(BEYOND) <= 0, path  # A list scrolls inside its own container.
    admin.set_viewport_size({"width": 1280, "height": 800})


# The number of different pictures of a text's letters: a letter that is missing in all fonts is a box.
PICTURES = """(text) => new Set([...text].map((letter) => {
  const canvas = document.createElement("canvas").getContext("2d");
  canvas.font = getComputedStyle(document.querySelector(".languages a")).font;
  canvas.fillText(letter, 20, 40);
  return canvas.canvas.toDataURL();
})).size"""


def test_letters_of_every_offered_language_are_drawn(admin: Page) -> None:
    for name in ("Español", "简体中文", "العربيّة"):
        expect(admin.get_by_role("link", name=name)).to_be_visible()
        assert admin.evaluate(PICTURES, name) == len(set(name)), name


WHOLE = """axe.run(document, {preload: false, resultTypes: ['violations'],
  rules: {'target-size': {enabled: true}},
  runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']}})"""


def test_pages_of_django_meet_wcag_too(admin: Page) -> None:
    home = admin.url
    listed = ["accounts/user/", "accounts/user/1/change/", "portal/brand/", "portal/brand/1/history/"]
    money = ["billing/partner/", "billing/partner/1/", "portal/carriercall/"]
    for path in ["", *listed, *money, "portal/brand/1/change/", "accounts/user/add/", "password_change/"]:
        admin.goto(home + path)
        admin.evaluate(AXE)
        found = admin.evaluate(WHOLE)["violations"]
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == [], path
