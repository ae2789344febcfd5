"""The customer journey in Chromium, and failures on the way."""

from collections.abc import Callable
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.chromium import Watch, captcha_frame, check_page
from tests.browser.journey import Journey, Person
from tests.conftest import ROOT
from tests.support.emailed_code import find_code
from tests.support.live_stack import AURORA, BOREALIS, CYGNUS, DRACO, BrandSpec, Stack

LONG = Person(
    email="wilhelmina.featherstonehaugh-cholmondeley@telephones.example",
    first_name="Wilhelmina-Bartholomea Maximiliana Johan",
    last_name="Featherstonehaugh-Cholmondeley-Majoribank",
    company="Featherstonehaugh, Cholmondeley & Daughters (Telephones) Ltd",
)
CAPTCHA_ABSENT = "The security check didn't load."


@pytest.mark.parametrize(
    ("brand", "person"), [(AURORA, Person("dora@example.com")), (BOREALIS, LONG)], ids=["aurora", "borealis"]
)
def test_whole_customer_journey(stack: Stack, page: Page, brand: BrandSpec, person: Person) -> None:
    journey = Journey(page, stack, brand, person, look=check_page)
    journey.run_all()
    journey.expect_each_token_once()


@pytest.mark.parametrize("brand", [CYGNUS, DRACO], ids=lambda brand: brand.kind)
def test_captchas_without_a_box_sign_up_with_one_press(
    stack: Stack, new_context: Callable[..., tuple[BrowserContext, Watch]], brand: BrandSpec
) -> None:
    # Its script requests Google cross-origin, which an extra header would turn into a preflighted request.
    context, _ = new_context(extra_http_headers={})
    journey = Journey(context.new_page(), stack, brand, Person("erin@example.com"), look=check_page)
    journey.open_sign_up()
    journey.fill_sign_up()
    journey.button("Create an account").click()
    journey.heading("Confirm your email address")
    assert len(stack.tokens("register_customer")) == 1
    assert stack.carrier.listed("siteverify") == []


def test_double_click_signs_up_once(stack: Stack, page: Page) -> None:
    journey = Journey(page, stack, AURORA, Person("fred@example.com"))
    journey.open_sign_up()
    journey.fill_sign_up()
    journey.tick_for("register_customer")
    journey.button("Create an account").dblclick()
    journey.heading("Confirm your email address")
    expect(page.get_by_role("main")).to_contain_text("fred@example.com")
    assert stack.tokens("register_customer") == journey.tokens["register_customer"]


def test_sign_in_needs_no_mouse(stack: Stack, page: Page) -> None:
    journey = Journey(page, stack, AURORA, Person("alice@example.com", first_name="alice@example.com"))
    page.goto(stack.home(AURORA))

    def press_tab_to(name: str) -> None:
        for _ in range(12):
            page.keyboard.press("Tab")
            focused = page.locator(":focus")
            if name in (focused.inner_text().strip(), focused.get_attribute("name")):
                outline = focused.evaluate("(element) => getComputedStyle(element).outlineStyle")
                assert outline != "none", f"nobody sees that {name!r} has the focus"
                return
        raise AssertionError(f"{name!r} cannot be reached with the Tab key")

    press_tab_to("Sign in")
    page.keyboard.press("Enter")
    journey.heading("Sign in")
    press_tab_to("Skip to main content")
    page.keyboard.press("Enter")
    press_tab_to("email")
    page.keyboard.type("alice@example.com")
    press_tab_to("Email me a code")
    page.keyboard.press("Space")
    journey.heading("Enter your code")
    code = find_code(stack.carrier.mails(to="alice@example.com")[-1]["text"])
    press_tab_to("Skip to main content")
    page.keyboard.press("Enter")
    press_tab_to("code")
    page.keyboard.type(code)
    page.keyboard.press("Enter")
    expect(page.locator(".amount")).to_be_visible()


def test_missing_google_script_is_reported(stack: Stack, page: Page, watch: Watch) -> None:
    watch.expect(r"api\.js|ERR_FAILED")
    page.route("**/api.js*", lambda route: route.abort())
    page.goto(f"{stack.home(AURORA)}sign-up/")
    expect(page.get_by_text(CAPTCHA_ABSENT)).to_be_hidden()
    expect(page.get_by_text(CAPTCHA_ABSENT)).to_be_visible()
    check_page(page, "sign-up without captcha")


# What api.js defines at once; the rest is loaded from another host, which a blocker may prevent.
HALF = """window.grecaptcha = {ready: (callback) => waiting.push(callback)}; const waiting = [];
window.arrive = () => {
  grecaptcha.render = (element) => element.append("Here it is");
  waiting.forEach((callback) => callback());
};"""


@pytest.mark.parametrize("brand", [AURORA, CYGNUS, DRACO], ids=lambda brand: brand.kind)
def test_incomplete_google_script_is_reported(stack: Stack, page: Page, brand: BrandSpec) -> None:
    page.route("**/api.js*", lambda route: route.fulfill(body=HALF, content_type="text/javascript"))
    page.goto(f"{stack.home(brand)}sign-up/")
    expect(page.get_by_text(CAPTCHA_ABSENT)).to_be_visible()


def test_late_captcha_removes_the_error_message(stack: Stack, page: Page) -> None:
    page.route("**/api.js*", lambda route: route.fulfill(body=HALF, content_type="text/javascript"))
    page.goto(f"{stack.home(AURORA)}sign-up/")
    expect(page.get_by_text(CAPTCHA_ABSENT)).to_be_visible()
    page.evaluate("arrive()")
    expect(page.get_by_text("Here it is")).to_be_visible()
    expect(page.get_by_text(CAPTCHA_ABSENT)).to_be_hidden()


def test_missing_javascript_is_reported(
    stack: Stack, new_context: Callable[..., tuple[BrowserContext, Watch]]
) -> None:
    context, _ = new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{stack.home(AURORA)}sign-up/")
    expect(page.locator("noscript")).to_be_visible()
    assert "Turn on JavaScript to use the security check" in page.inner_text("main")


TWO_FORMS = """<!doctype html><html lang="en"><title>Two forms</title>
<form method="post" action="/first" data-once><label>First <input name="word" required></label>
<div class="g-recaptcha" data-sitekey="KEY" data-kind="KIND"></div>
<p data-captcha-problem hidden>problem</p><button class="main">Send first</button></form>
<form method="post" action="/second" data-once><label>Second <input name="word" required></label>
<div class="g-recaptcha" data-sitekey="KEY" data-kind="KIND"></div>
<p data-captcha-problem hidden>problem</p><button class="main">Send second</button></form>
<script src="API" async defer></script>
<script src="/captcha.js" defer></script>
<script src="/forms.js" defer></script>
"""


@pytest.mark.parametrize("brand", [AURORA, CYGNUS], ids=lambda brand: brand.kind)
def test_two_captchas_on_one_page_send_their_own_tokens(stack: Stack, page: Page, brand: BrandSpec) -> None:
    sent: list[tuple[str, dict[str, list[str]]]] = []
    html = TWO_FORMS.replace("KEY", f"{brand.slug}-site-key").replace("KIND", brand.kind)
    html = html.replace("API", f"{stack.carrier.url}/recaptcha/api.js?render=explicit")

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(stack.home(brand))
        if path.endswith(".js"):
            route.fulfill(path=ROOT / "static/js" / path, content_type="text/javascript")
            return
        if route.request.method == "POST":
            sent.append((path, parse_qs(route.request.post_data or "")))
        route.fulfill(body=html, content_type="text/html")

    page.route(f"{stack.home(brand)}*", answer)
    for name in ("first", "second"):
        page.goto(f"{stack.home(brand)}forms")
        fields = page.locator("[name=g-recaptcha-response]")
        expect(fields).to_have_count(2)
        if brand.kind == "v2-checkbox":
            for index in (0, 1):
                frame = page.frame_locator("iframe[title=reCAPTCHA]").nth(index)
                frame.get_by_label("I'm not a robot").check()
                expect(fields.nth(index)).not_to_have_value("")
        page.get_by_role("button", name=f"Send {name}").click()
        assert not sent or sent[-1][0] != name, "an empty required field must hold the form back"
        page.get_by_label(name.capitalize()).fill("hello")
        with page.expect_navigation():
            page.get_by_role("button", name=f"Send {name}").click()
        assert sent[-1][0] == name
        assert sent[-1][1]["word"] == ["hello"]
        assert len(sent[-1][1]["g-recaptcha-response"]) == 1
    tokens = [fields["g-recaptcha-response"][0] for _, fields in sent]
    assert len(tokens) == len(set(tokens)) == 2


def test_watch_sees_a_csp_violation(stack: Stack, page: Page, watch: Watch) -> None:
    """The control: a page with a problem would fail its test."""
    page.goto(stack.home(AURORA))
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {textContent: '1'}))")
    page.evaluate("document.body.setAttribute('style', 'color: red')")
    page.evaluate("setTimeout(() => undefinedFunction())")
    page.wait_for_timeout(100)
    problems, watch.problems = watch.problems, []
    assert any("CSP script-src" in problem for problem in problems)
    assert any("CSP style-src" in problem for problem in problems)
    assert any("undefinedFunction" in problem for problem in problems)


def test_failing_carrier_shows_error_pages(stack: Stack, page: Page, watch: Watch) -> None:
    watch.expect("status of 503")
    journey = Journey(page, stack, AURORA, Person("alice@example.com"))
    page.goto(f"{stack.home(AURORA)}sign-in/")
    page.get_by_label("Email address").fill("alice@example.com")
    journey.button("Email me a code").click()
    stack.carrier.fault("customer_balance", "status", status=500)
    code = find_code(stack.carrier.mails(to="alice@example.com")[-1]["text"])
    page.get_by_label("Sign-in code").fill(code)
    journey.button("Sign in").click()
    expect(page.get_by_text("We can't show your balance right now")).to_be_visible()
    expect(page.get_by_text("0.00")).to_have_count(0)
    check_page(page, "home with the carrier down")
    tab = journey.open_account_tab()
    captcha_frame(tab).locator("input").press("Space")
    expect(tab.get_by_text("account 70001")).to_be_visible()
