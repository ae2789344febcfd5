"""A visitor for whom only the page counts that is reached, not the way: quick, and the same in any language.

Steps, which the catalogue in `states` puts in a row, take a Visitor. Fields and buttons are found by their
names in HTML, because their words differ from language to language.
"""

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import requests
from playwright.sync_api import Frame, Locator, Page, Response, expect

from tests.browser.chromium import captcha_frame
from tests.support.live_stack import BrandSpec, Stack

PASSWORD = "a long enough passphrase"
WITHIN = 10  # Seconds for an answer without a browser.
FIELDS = "(form) => [...new FormData(form)].map(([name, value]) => ({ name, value }))"
Step = Callable[["Visitor"], None]


def new_address() -> str:
    """A client address that no limit has counted yet."""
    return f"198.18.{secrets.randbelow(256)}.{secrets.randbelow(256)}"


class Caller:
    """Sends forms without a browser: for signing in quickly, and for using up limits."""

    def __init__(self, stack: Stack, brand: BrandSpec, address: str) -> None:
        self.stack, self.brand = stack, brand
        self.http = requests.Session()
        self.http.trust_env = False
        self.http.headers["Host"] = f"{brand.slug}.localhost:{stack.port}"
        self.http.headers["X-Forwarded-For"] = address

    def post(self, path: str, times: int = 1, **fields: str) -> None:
        """Read the page of a form, then send the form so many times."""
        url = f"http://127.0.0.1:{self.stack.port}{path}"
        found = re.search(
            r'name="csrfmiddlewaretoken" value="(\w+)"', self.http.get(url, timeout=WITHIN).text
        )
        assert found, f"no form on {path}"
        for _ in range(times):
            self.http.post(
                url,
                data={"csrfmiddlewaretoken": found[1], **fields},
                allow_redirects=False,
                timeout=WITHIN,
            )

    def _token(self, domain: str) -> str:
        return self.stack.carrier.token(f"{self.brand.slug}-site-key", hostname=domain)

    def sign_in(self, email: str) -> list[dict[str, Any]]:
        """The cookies of somebody who has signed in."""
        domain = f"{self.brand.slug}.localhost"
        token = self._token(domain) if self.brand.secret_key else ""
        self.post("/sign-in/", email=email, **({"g-recaptcha-response": token} if token else {}))
        self.post("/sign-in/code/", code=newest_code(self.stack, email))
        return [
            {"name": each.name, "value": each.value, "domain": domain, "path": "/"}
            for each in self.http.cookies
        ]


def newest_code(stack: Stack, email: str) -> str:
    """The sign-in code in the newest mail to an address."""
    found = re.search(r"\b[0-9]{8}\b", stack.carrier.mails(to=email)[-1]["text"])
    assert found, f"no code for {email}"
    return found[0]


LACKS_SOMETHING = """(form) => [...form.elements].some(
  (field) => field.validity?.valueMissing || (field.value && field.value.length < field.minLength)
)"""


class Visitor:
    """One page of a browser on a brand's host. `status` is that of the newest answer."""

    def __init__(self, page: Page, stack: Stack, brand: BrandSpec, address: str) -> None:
        self.page, self.stack, self.brand = page, stack, brand
        self.caller = Caller(stack, brand, address)
        self.email = f"v{secrets.token_hex(4)}@example.com"
        self.status = 0
        page.on("response", self._answered)

    def _answered(self, response: Response) -> None:
        # A frame that is gone, or not there yet, belongs to no answer of ours.
        own: Frame = self.page.main_frame
        if response.request.is_navigation_request() and response.frame == own:
            self.status = response.status

    def go(self, path: str) -> None:
        """Open a page of the brand."""
        self.page.goto(self.stack.home(self.brand) + path.lstrip("/"))

    def come_as(self, email: str, keys: dict[tuple[str, str], Any]) -> None:
        """Be signed in; `keys` keeps the cookies, so that nobody signs in twice."""
        key = (self.brand.slug, email)
        if key not in keys:
            keys[key] = Caller(self.stack, self.brand, new_address()).sign_in(email)
        self.page.context.add_cookies(keys[key])

    @property
    def form(self) -> Locator:
        """The first form of the content that sends something."""
        return self.page.locator("main form[method=post]").first

    def fill(self, **fields: str) -> None:
        """Fill in the form; its captcha too, if it has a box to tick."""
        for name, value in fields.items():
            field = self.form.locator(f"[name={name}]")
            if field.get_attribute("type") == "checkbox":
                field.check()
            else:
                field.fill(value.replace("NEW", self.email))

    def pass_captcha(self) -> None:
        """Tick the box, where there is one."""
        if self.form.locator(".g-recaptcha[data-kind=v2-checkbox]").count():
            captcha_frame(self.page).locator("input").press("Space")
            expect(self.form.locator("[name=g-recaptcha-response]")).not_to_have_value("")

    def press(self, captcha: bool = True) -> None:
        """Send the form; past our script, where that would hold it back."""
        with self.page.expect_navigation():
            if captcha and not self.form.evaluate(LACKS_SOMETHING):
                self.form.locator("button:not([type=button])").last.click()
            else:
                self.form.evaluate("(form) => HTMLFormElement.prototype.submit.call(form)")


def go(path: str, **query: str) -> Step:
    """Open a page."""
    return lambda visitor: visitor.go(f"{path}?{urlencode(query)}" if query else path)


def send(path: str = "", *, captcha: bool = True, **fields: str) -> Step:
    """Fill in the form of a page (without a path, of this page) and send it. NEW is an address never used."""

    def step(visitor: Visitor) -> None:
        if path:
            visitor.go(path)
        visitor.fill(**fields)
        if captcha:
            visitor.pass_captcha()
        visitor.press(captcha)

    return step


def fault(method: str, name: str, **options: Any) -> Step:
    """Let the carrier, Google or the mail server fail."""
    return lambda visitor: visitor.stack.carrier.fault(method, name, **options)


def carrier_has(number: str, **members: Any) -> Step:
    """Change or add a customer at the carrier."""

    def step(visitor: Visitor) -> None:
        customer = {"partner": f"{visitor.brand.slug}-api-key", "account_number": number, **members}
        visitor.stack.carrier.post("seed", customers=[customer])

    return step


def dialect(**told: Any) -> Step:
    """Let the carrier speak otherwise."""
    return lambda visitor: visitor.stack.carrier.post("dialect", **told) and None


def posted(path: str, times: int = 1, **fields: str) -> Step:
    """Send a form as the visitor, without the browser, with one token however often."""

    def step(visitor: Visitor) -> None:
        for cookie in visitor.page.context.cookies():
            visitor.caller.http.cookies.set(str(cookie.get("name")), str(cookie.get("value")))
        token = visitor.stack.carrier.token(f"{visitor.brand.slug}-site-key")
        filled = {name: value.replace("NEW", visitor.email) for name, value in fields.items()}
        visitor.caller.post(path, times, **{**filled, "g-recaptcha-response": token})

    return step


def sign_out(visitor: Visitor) -> None:
    """Press the button that every page has for it."""
    press("form[action$='/sign-out/'] button")(visitor)


def follow_link(visitor: Visitor) -> None:
    """The link in the carrier's newest mail."""
    found = re.search(r"(/sign-up/confirm/\?\S+)", visitor.stack.carrier.mails(to=visitor.email)[-1]["text"])
    assert found
    visitor.go(found[1])


def enter_mailed(pattern: str, path: str = "", *, newest: bool = True, **fields: str) -> Step:
    """Send a form whose `code` is what the pattern finds in the newest mail, or in the one before it."""

    def step(visitor: Visitor) -> None:
        mails = visitor.stack.carrier.mails(to=visitor.email)
        found = re.search(pattern, mails[-1 if newest else -2]["text"])
        assert found, pattern
        send(path, **fields, code=found[1])(visitor)

    return step


def sign_in_now(email: str) -> Step:
    """Sign in at this moment, for what wants a recent sign-in; no limit counts those before."""

    def step(visitor: Visitor) -> None:
        visitor.stack.sql("DELETE FROM portal_attempt")
        visitor.page.context.add_cookies(visitor.caller.sign_in(email))

    return step


LONG_AGO = """
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
for row in Session.objects.all():
    session = SessionStore(row.session_key)
    if session.get("signed_in_at"):
        session["signed_in_at"] = 0
        session.save()
"""


def long_ago(visitor: Visitor) -> None:
    """Let all sign-ins be older than a change of address allows."""
    visitor.stack.run(LONG_AGO)


def press(selector: str) -> Step:
    """Press a button that leads to a page."""

    def step(visitor: Visitor) -> None:
        with visitor.page.expect_navigation():
            visitor.page.locator(selector).first.click()

    return step


@contextmanager
def without_table(stack: Stack, name: str) -> Iterator[None]:
    """The portal's database lacks a table for a moment: nothing that a page can be prepared for."""
    stack.sql(f"ALTER TABLE {name} RENAME TO {name}_away")
    try:
        yield
    finally:
        stack.sql(f"ALTER TABLE {name}_away RENAME TO {name}")


def failing(name: str, step: Step) -> Step:
    """Take a step while a table is away."""

    def failed(visitor: Visitor) -> None:
        with without_table(visitor.stack, name):
            step(visitor)

    return failed


def known_as(email: str) -> Step:
    """Be somebody whom the portal knows: NEW is this address from here on."""

    def step(visitor: Visitor) -> None:
        visitor.email = email

    return step


def sql(statement: str) -> Step:
    """Change the portal's database."""
    return lambda visitor: visitor.stack.sql(statement)


def last_month(visitor: Visitor) -> None:
    """The second of the periods that are offered."""
    visitor.page.locator("main nav a").nth(1).click()
    visitor.page.wait_for_url("**/statement/?*")


def at_host(host: str) -> Step:
    """Open the first page of another host."""
    return lambda visitor: visitor.page.goto(f"http://{host}:{visitor.stack.port}/") and None


def at_admin(path: str) -> Step:
    """Open a page of the admin's host."""
    return lambda visitor: visitor.page.goto(f"http://admin.localhost:{visitor.stack.port}{path}") and None


def open_twice(visitor: Visitor) -> None:
    """Press "Go to my account" in a page whose form has been sent before."""
    visitor.go("/account/open/")
    visitor.pass_captcha()
    fields = {each["name"]: each["value"] for each in visitor.form.evaluate(FIELDS)}
    cookies = {each["name"]: each["value"] for each in visitor.page.context.cookies()}
    url = f"http://127.0.0.1:{visitor.stack.port}/account/open/"
    first = visitor.caller.http.post(url, fields, cookies=cookies, allow_redirects=False, timeout=WITHIN)
    assert first.status_code == 303
    visitor.press()


def send_too_much(visitor: Visitor) -> None:
    """Type more than the portal reads."""
    visitor.go("/sign-in/")
    visitor.form.locator("[name=email]").evaluate("(field) => { field.value = 'x'.repeat(300 * 1024); }")
    visitor.press()


def forget_cookies(visitor: Visitor) -> None:
    """As a visitor does who empties the browser while a page is open."""
    visitor.page.context.clear_cookies()


def block_captcha(visitor: Visitor) -> None:
    """Google's script does not come, and the visitor's patience is spent at once."""
    visitor.page.clock.install()
    visitor.page.route("**/api.js*", lambda route: route.abort())


def wait_in_vain(visitor: Visitor) -> None:
    """Ten seconds later."""
    visitor.page.clock.run_for(10_000)
