"""Staff import, view and disable customers in the admin, in every look."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.accounts import IDA, LONG
from tests.browser.admin import sign_in
from tests.browser.chromium import AXE, LOOKS
from tests.support.live_stack import Stack

WHOLE = """axe.run(document, {preload: false, resultTypes: ['violations'],
  rules: {'target-size': {enabled: true}},
  runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']}})"""
FILE = f"""email,account_number,first_name,company_name,account_type,credit_limit
{IDA},70030,Isolde,Ilves & Sons,postpaid,-55.00
no-address,71000,,,,
{LONG},70999,,,,55
wanda.{LONG},71001,Wanda-Maximiliana Bartholomea,Featherstonehaugh Telecommunications,prepaid,0
"""


@pytest.fixture
def admin(stack: Stack, page: Page) -> Page:
    """Signed in to the admin."""
    sign_in(page, stack)
    return page


def check_page(page: Page, name: str) -> None:
    """Check with axe and for horizontal scrolling, in four looks and right-to-left."""
    for language in ("en", "ar"):
        name_of_cookie = {"name": "language", "value": language, "domain": "admin.localhost", "path": "/"}
        page.context.add_cookies([name_of_cookie])  # type: ignore[list-item]
        page.reload()
        page.evaluate(AXE)
        for width, scheme in LOOKS:
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            page.wait_for_timeout(300)  # Django's links animate their colours.
            found = page.evaluate(WHOLE)["violations"]
            findings = [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
            assert findings == [], (name, language, width, scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, language, width)
    page.context.clear_cookies(name="language")
    page.set_viewport_size({"width": 1280, "height": 800})
    page.reload()


def test_file_is_reported_and_its_valid_rows_are_imported(admin: Page, tmp_path: Path) -> None:
    (tmp_path / "customers.csv").write_text(FILE)
    admin.goto(re.sub(r"/admin/.*", "/admin/accounts/user/", admin.url))
    check_page(admin, "list")
    admin.get_by_role("link", name="Import customers").click()
    check_page(admin, "import: brand")
    admin.get_by_role("link", name="Aurora Phone").click()
    check_page(admin, "import: file")
    admin.get_by_label("CSV file").set_input_files(tmp_path / "customers.csv")
    admin.get_by_role("button", name="Show what would happen").click()
    expect(admin.get_by_text("Row by row, the bad ones first")).to_be_visible()
    expect(admin.get_by_role("row", name=re.compile("no-address"))).to_contain_text("not an email address")
    check_page(admin, "import: report")
    admin.get_by_role("button", name="Import the 2 good rows").click()
    expect(admin.get_by_text("The file is imported.")).to_be_visible()
    admin.go_back()
    expect(admin.get_by_text("has been imported already")).to_be_visible()


def test_customer_can_be_disabled_and_enabled_from_its_page(admin: Page) -> None:
    admin.goto(re.sub(r"/admin/.*", "/admin/accounts/user/?q=ida@", admin.url))
    admin.get_by_role("link", name="Open ida@example.com").click()
    expect(admin.get_by_role("heading", name="Balance at the carrier")).to_be_visible()
    check_page(admin, "customer")
    admin.get_by_role("link", name="Disable this customer").click()
    check_page(admin, "disable")
    admin.get_by_role("button", name="Disable 1 customer").click()
    expect(admin.get_by_role("heading", name="This customer is disabled")).to_be_visible()
    check_page(admin, "customer: disabled")
    admin.get_by_role("button", name="Enable customer").click()
    expect(admin.get_by_text("1 customer can sign in again.")).to_be_visible()


def test_export_downloads_what_the_list_shows(admin: Page) -> None:
    admin.goto(re.sub(r"/admin/.*", "/admin/accounts/user/?q=nora", admin.url))
    with admin.expect_download() as download:
        admin.get_by_role("button", name="Export this list (CSV)").click()
    lines = Path(download.value.path()).read_text("utf-8-sig").splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("nora@example.com,")
