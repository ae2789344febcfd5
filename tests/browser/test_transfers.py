"""Transferring funds in the admin: each page in every look, and one transfer however staff click."""

import itertools
import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.admin import sign_in
from tests.browser.chromium import AXE, BEYOND, LOOKS
from tests.support.live_stack import Stack

# The frame is Django's; WCAG rules apply to the whole page.
WHOLE = """axe.run(document, {preload: false, resultTypes: ['violations'],
  rules: {'target-size': {enabled: true}},
  runOnly: {type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']}})"""
# Sam, a staff user of Aurora who requests; and a customer no other test uses.
SCENE = """
import uuid
from decimal import Decimal
from accounts.models import User
from billing.models import MovePolicy
from billing.transfers import policy
from billing.transfers.service import request_transfer
from portal.models import Brand
brand = Brand.objects.get(slug="aurora")
names = {"email": "cNUMBER@example.com", "account_number": "NUMBER", "password": "!"}
customer = User.objects.get_or_create(brand=brand, email=names["email"], defaults=names)[0]
sam = User.objects.get_or_create(email="sam@example.com", brand=None, defaults={"is_staff": True})[0]
sam.brands.add(brand)
User.objects.filter(brand=None).update(date_joined="2020-01-01T00:00Z")
def ask(amount):
    told = {"description": "Goodwill", "operation": uuid.uuid4(), "by": sam}
    return request_transfer(brand=brand, customer=customer, amount=Decimal(amount), **told)
"""
_numbers = itertools.count(790_000)


class Desk:
    """The operator's browser, and a customer with a balance of 10."""

    def __init__(self, page: Page, stack: Stack) -> None:
        self.page, self.stack, self.number = page, stack, str(next(_numbers))
        email = f"c{self.number}@example.com"
        seed = {"partner": "aurora-api-key", "account_number": self.number, "email": email, "balance": "10"}
        stack.carrier.post("seed", customers=[seed])
        self.run_in_portal()
        sign_in(page, stack, f"/admin/accounts/user/?q={email}")
        link = page.get_by_role("link", name=email, exact=True).get_attribute("href") or ""
        self.start = f"billing/move/start/{link.split('/user/')[1].split('/')[0]}/"

    def run_in_portal(self, code: str = "") -> None:
        """Run code in the portal; `ask(amount)` requests a transfer by Sam."""
        self.stack.run(SCENE.replace("NUMBER", self.number) + code)

    def go(self, path: str) -> None:
        """Open a page of the admin."""
        self.page.goto(f"http://admin.localhost:{self.stack.port}/admin/{path}")

    def newest(self) -> None:
        """Open the page of this customer's newest transfer."""
        self.go(f"billing/move/?q={self.number}")
        self.page.locator("#result_list tbody th a").first.click()

    def fill(self, amount: str) -> None:
        """Fill in the first page and continue to the preview."""
        self.go(self.start)
        self.page.get_by_label("Amount in AUD").fill(amount)
        self.page.get_by_label("Description").fill("Goodwill")
        self.page.get_by_role("button", name="Review transfer").click()

    def check(self, name: str) -> None:
        """Check with axe and for horizontal scrolling, wide and narrow, light and dark."""
        self.page.evaluate(AXE)
        for width, scheme in LOOKS:
            self.page.set_viewport_size({"width": width, "height": 800})
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            found = self.page.evaluate(WHOLE)["violations"]
            findings = [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
            assert findings == [], (name, width, scheme)
            assert self.page.evaluate(BEYOND) <= 0, (name, width)
            assert self.page.locator("h1").count() == 1, name
        self.page.set_viewport_size({"width": 1280, "height": 800})


@pytest.fixture
def desk(page: Page, stack: Stack) -> Desk:
    return Desk(page, stack)


def test_double_click_transfers_once_and_shows_the_result(desk: Desk, page: Page) -> None:
    desk.go(desk.start)
    desk.check("start")
    page.get_by_role("button", name="Review transfer").click()
    expect(page.get_by_text("Fill in this field.")).to_have_count(2)
    desk.check("start, wrong")
    desk.fill("5.25")
    expect(page.get_by_text(f"Aurora Phone → customer {desk.number}")).to_be_visible()
    expect(page.get_by_role("row", name="Customer’s balance")).to_contain_text("A$15.25")
    desk.check("preview")
    desk.stack.carrier.fault("move_funds", "slow", seconds=0.5)
    page.get_by_role("button", name="Transfer A$5.25 now").dblclick()
    expect(page.get_by_role("heading", name="Done")).to_be_visible()
    assert len(desk.stack.carrier.calls("move_funds")) == 1
    desk.check("done")
    page.reload()
    assert len(desk.stack.carrier.calls("move_funds")) == 1


def test_unknown_transfer_can_be_investigated_and_resolved(desk: Desk, page: Page) -> None:
    desk.stack.carrier.fault("move_funds", "status_after", status=503, times=1)
    desk.run_in_portal("ask('5')")
    desk.newest()
    expect(
        page.get_by_text("We can't tell whether this transfer went through. Don't send it again.")
    ).to_be_visible()
    desk.check("unknown")
    desk.go("billing/move/?outcome=unknown")
    desk.check("list")
    desk.go(desk.start)
    expect(page.get_by_label("Amount in AUD")).to_have_count(0)
    desk.check("blocked")
    page.get_by_role("link", name=re.compile("View the transfer of A")).click()
    page.get_by_role("link", name="Check balances and record the result").click()
    expect(page.get_by_role("row", name="as just read")).to_contain_text("A$15.00")
    page.get_by_role("button", name="Save result").click()
    desk.check("resolve, wrong")
    page.get_by_label("Yes, the transfer went through").check()
    page.get_by_label("Note for the record").fill("Seen in the partner portal")
    page.get_by_role("button", name="Save result").click()
    expect(page.get_by_role("heading", name="Confirmed by staff: paid")).to_be_visible()
    desk.check("found done")


def test_second_person_approves_or_declines(desk: Desk, page: Page) -> None:
    desk.run_in_portal("ask('321')")
    desk.newest()
    desk.check("waiting")
    page.get_by_role("link", name="Decline").click()
    desk.check("decline")
    page.go_back()
    page.get_by_role("link", name="Review and approve").click()
    expect(page.get_by_role("row", name="Customer’s balance")).to_contain_text("A$331.00")
    desk.check("approve")
    page.get_by_role("button", name="Approve and transfer A$321.00 now").click()
    expect(page.get_by_role("heading", name="Done")).to_be_visible()


def test_limits_and_warning_are_accessible_in_every_look(desk: Desk, page: Page) -> None:
    desk.go("billing/policy/")
    desk.check("policies")
    desk.run_in_portal("policy.get_policy(brand)\nMovePolicy.objects.update(per_move=90000, per_day=99999)")
    try:
        desk.fill("80000")
        page.get_by_role("button", name="Ask for approval").click()
        expect(page.get_by_text("If you mean it, tick this box too.")).to_be_visible()
        desk.check("danger")
        desk.run_in_portal("policy.stop_transfers(brand=brand, why='A strange answer.')")
        desk.go(desk.start)
        desk.check("stopped")
        page.get_by_role("link", name="Check the rules").click()
        desk.check("policy")
    finally:
        desk.run_in_portal("MovePolicy.objects.all().delete()")
