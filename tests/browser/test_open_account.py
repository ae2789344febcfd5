"""The phone account opens by itself from a link of ours, once, and by its button in every other case."""

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.accounts import ALICE, CORA, DAN, ERIN
from tests.browser.actor import Step, carrier_has, fault, go
from tests.browser.chromium import captcha_frame, check_page
from tests.browser.journey import open_tab
from tests.browser.states_runner import State, Visits, row
from tests.browser.test_captcha import SCRIPT
from tests.support.live_stack import AURORA, CYGNUS, DRACO, ERIDANUS, BrandSpec, Stack

OPENING = "Opening your phone account…"
WITHOUT_A_BOX = [(CYGNUS, CORA, "61001"), (DRACO, DAN, "62001")]
KINDS = pytest.mark.parametrize(
    ("brand", "email", "number"), WITHOUT_A_BOX, ids=[each[0].kind for each in WITHOUT_A_BOX]
)
AT_CARRIER = re.compile("/carrier/home$")


def signed_in(brand: BrandSpec, email: str, number: str, *steps: Step) -> State:
    """Return the state of a customer on the page of their profile."""
    return row(
        "account: before opening",
        carrier_has(number, email=email),
        *steps,
        go("/account/"),
        by=email,
        brand=brand,
    )


def from_link(page: Page) -> Page:
    """Open the page in another tab, by the link in the navigation."""
    return open_tab(page.locator("nav a[href='/account/open/']"))


def calls(stack: Stack) -> int:
    return len(stack.carrier.calls("login_via_url"))


def fake_google(context: BrowserContext, outcomes: str) -> None:
    """Replace Google's script; each run has the next outcome."""
    body = SCRIPT % str(outcomes.split())
    context.route("**/api.js*", lambda route: route.fulfill(body=body, content_type="text/javascript"))


@KINDS
def test_captcha_without_a_box_opens_the_account_by_itself_once(
    visits: Visits, stack: Stack, brand: BrandSpec, email: str, number: str
) -> None:
    tab = from_link(visits.reach(signed_in(brand, email, number)))
    expect(tab).to_have_url(AT_CARRIER)
    expect(tab.get_by_text(f"account {number}")).to_be_visible()
    assert calls(stack) == 1
    tokens = stack.tokens("login_via_url")
    assert len(set(tokens)) == 1
    assert tokens[0]


def test_ticked_box_opens_the_account_without_another_press(visits: Visits, stack: Stack) -> None:
    tab = from_link(visits.reach(signed_in(AURORA, ALICE, "70001")))
    expect(tab.get_by_text("When you complete the security check, your phone account opens.")).to_be_visible()
    check_page(tab, "open: from a link")
    assert calls(stack) == 0
    captcha_frame(tab).locator("input").press("Space")
    expect(tab).to_have_url(AT_CARRIER)
    assert calls(stack) == 1


@KINDS
@pytest.mark.parametrize("way", ["typed", "reload", "back"])
def test_no_other_way_to_the_page_starts_it(
    visits: Visits, stack: Stack, brand: BrandSpec, email: str, number: str, way: str
) -> None:
    page = visits.reach(signed_in(brand, email, number))
    address = f"{stack.home(brand)}account/open/"
    if way == "typed":
        page.goto(address)
    else:
        fake_google(page.context, "nothing " * 3)
        page.locator("nav a[href='/account/open/']").evaluate("(link) => { link.target = ''; link.click(); }")
        expect(page.get_by_text(OPENING)).to_be_visible()
        if way == "reload":
            with page.expect_navigation():
                page.evaluate("location.reload()")
        else:
            page.goto(f"{stack.carrier.url}/inbox/")
            page.go_back()
    expect(page).to_have_url(address)
    page.wait_for_timeout(500)  # A start would have begun.
    assert page.get_by_text(OPENING).count() == 0  # Not `expect`, which would wait until it had failed.
    assert page.get_by_role("button", name="Go to my account", exact=True).is_enabled()
    assert calls(stack) == 0


@KINDS
def test_back_from_the_carrier_opens_nothing_again(
    visits: Visits, stack: Stack, brand: BrandSpec, email: str, number: str
) -> None:
    page = visits.reach(signed_in(brand, email, number))
    page.locator("nav a[href='/account/open/']").evaluate("(link) => { link.target = ''; link.click(); }")
    expect(page).to_have_url(AT_CARRIER)
    page.go_back()
    expect(page).to_have_url(re.compile("/account/"))  # Chromium may skip the page that opened it.
    page.wait_for_timeout(500)  # A start would have begun.
    assert not AT_CARRIER.search(page.url)
    assert calls(stack) == 1


@KINDS
def test_page_restored_from_memory_does_not_start_again(
    visits: Visits, stack: Stack, brand: BrandSpec, email: str, number: str
) -> None:
    page = visits.reach(signed_in(brand, email, number))
    fake_google(page.context, "nothing nothing")
    tab = from_link(page)
    expect(tab.get_by_text(OPENING)).to_be_visible()
    expect(tab.get_by_role("button", name="Opening…")).to_have_attribute("aria-disabled", "true")
    tab.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    expect(tab.get_by_text(OPENING)).to_have_count(0)
    expect(tab.get_by_role("button", name="Go to my account", exact=True)).to_be_enabled()
    assert calls(stack) == 0


def test_start_without_result_leaves_the_button(visits: Visits, stack: Stack) -> None:
    page = visits.reach(signed_in(CYGNUS, CORA, "61001"))
    fake_google(page.context, "nothing")
    tab = from_link(page)
    expect(tab.get_by_text(OPENING)).to_be_visible()
    # Nine seconds in fact: Playwright's clock would hide how the page was opened.
    expect(tab.locator("[data-captcha-problem]")).to_contain_text("select the button again")
    expect(tab.get_by_text(OPENING)).to_have_count(0)
    expect(tab.get_by_role("button", name="Go to my account", exact=True)).to_be_enabled()
    assert calls(stack) == 0


def test_failed_start_shows_the_error_and_does_not_repeat_itself(visits: Visits, stack: Stack) -> None:
    before = signed_in(DRACO, DAN, "62001", fault("login_via_url", "status", status=503, times=1))
    page = visits.reach(State(**{**vars(before), "noise": "status of 503"}))
    tab = from_link(page)
    expect(tab.get_by_role("alert").filter(has_text="We couldn't open your phone account")).to_be_focused()
    assert tab.title().startswith("Error: Go to my account")
    assert tab.locator("form[data-start]").count() == 0
    assert calls(stack) == 1
    tab.get_by_role("button", name="Go to my account", exact=True).click()
    expect(tab).to_have_url(AT_CARRIER)


def test_password_is_asked_for_before_anything_starts(visits: Visits, stack: Stack) -> None:
    tab = from_link(visits.reach(signed_in(ERIDANUS, ERIN, "60001")))
    expect(tab.get_by_label("Phone account password")).to_be_visible()
    assert tab.locator("form[data-start]").count() == 0
    assert calls(stack) == 0


def test_page_without_script_has_its_button(visits: Visits, stack: Stack) -> None:
    before = signed_in(DRACO, DAN, "62001")
    tab = from_link(visits.reach(State(**{**vars(before), "javascript": False})))
    expect(tab.get_by_role("button", name="Go to my account", exact=True)).to_be_visible()
    expect(tab.get_by_text(OPENING)).to_have_count(0)
    assert calls(stack) == 0
