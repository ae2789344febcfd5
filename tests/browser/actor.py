"""A visitor that reaches pages quickly and in any language, because only the final page is tested.

Steps, which the catalogue in `states` puts in a row, take a Visitor. Fields and buttons are located by HTML
names, because their labels differ between languages.
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
from tests.support.emailed_code import find_code
from tests.support.live_stack import BrandSpec, Stack

PASSWORD = "a long enough passphrase"
WITHIN = 10  # Seconds for a response without a browser.
FIELDS = "(form) => [...new FormData(form)].map(([name, value]) => ({ name, value }))"
Step = Callable[["Visitor"], None]


def new_address() -> str:
    """Return a client IP address without rate-limit counts."""
    return f"198.18.{secrets.randbelow(256)}.{secrets.randbelow(256)}"


class Caller:
    """Sends forms without a browser: to sign in quickly, and to use up rate limits."""

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
        """Sign in and return the cookies."""
        domain = f"{self.brand.slug}.localhost"
        token = self._token(domain) if self.brand.secret_key else ""
        self.post("/sign-in/", email=email, **({"g-recaptcha-response": token} if token else {}))
        self.post("/sign-in/code/", code=newest_code(self.stack, email))
        return [
            {"name": each.name, "value": each.value, "domain": domain, "path": "/"}
            for each in self.http.cookies
        ]


def newest_code(stack: Stack, email: str) -> str:
    """Return the sign-in code in the newest email to an address."""
    return find_code(stack.carrier.mails(to=email)[-1]["text"])


IS_INCOMPLETE = """(form) => [...form.elements].some(
  (field) => field.validity?.valueMissing || (field.value && field.value.length < field.minLength)
)"""


class Visitor:
    """One browser page on a brand's host. `status` is that of the newest response."""

    def __init__(self, page: Page, stack: Stack, brand: BrandSpec, address: str) -> None:
        self.page, self.stack, self.brand = page, stack, brand
        self.caller = Caller(stack, brand, address)
        self.email = f"v{secrets.token_hex(4)}@example.com"
        self.status = 0
        page.on("response", self._on_response)

    def _on_response(self, response: Response) -> None:
        # A frame that is detached or not attached yet belongs to no response of ours.
        main_frame: Frame = self.page.main_frame
        if response.request.is_navigation_request() and response.frame == main_frame:
            self.status = response.status

    def go(self, path: str) -> None:
        """Open a page of the brand."""
        self.page.goto(self.stack.home(self.brand) + path.lstrip("/"))

    def sign_in_as(self, email: str, keys: dict[tuple[str, str], Any]) -> None:
        """Be signed in; `keys` caches the cookies, so that each customer signs in once."""
        key = (self.brand.slug, email)
        if key not in keys:
            keys[key] = Caller(self.stack, self.brand, new_address()).sign_in(email)
        self.page.context.add_cookies(keys[key])

    @property
    def form(self) -> Locator:
        """The first POST form of the content."""
        return self.page.locator("main form[method=post]").first

    def fill(self, **fields: str) -> None:
        """Fill in the form."""
        for name, value in fields.items():
            field = self.form.locator(f"[name={name}]")
            if field.get_attribute("type") == "checkbox":
                field.check()
            else:
                field.fill(value.replace("NEW", self.email))

    def pass_captcha(self) -> None:
        """Tick the captcha box, if there is one."""
        if self.form.locator(".g-recaptcha[data-kind=v2-checkbox]").count():
            captcha_frame(self.page).locator("input").press("Space")
            expect(self.form.locator("[name=g-recaptcha-response]")).not_to_have_value("")

    def press(self, captcha: bool = True) -> None:
        """Send the form, bypassing our script where it would prevent that."""
        with self.page.expect_navigation():
            if captcha and not self.form.evaluate(IS_INCOMPLETE):
                self.form.locator("button:not([type=button])").last.click()
            else:
                self.form.evaluate("(form) => HTMLFormElement.prototype.submit.call(form)")


def go(path: str, **query: str) -> Step:
    """Open a page."""
    return lambda visitor: visitor.go(f"{path}?{urlencode(query)}" if query else path)


def send(path: str = "", *, captcha: bool = True, **fields: str) -> Step:
    """Fill in the form of a page (by default the current one) and send it. NEW is an unused email."""

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


def dialect(**changes: Any) -> Step:
    """Change the carrier's dialect."""
    return lambda visitor: visitor.stack.carrier.post("dialect", **changes) and None


def post_form(path: str, times: int = 1, **fields: str) -> Step:
    """Send a form as the visitor, without the browser, with one captcha token for all times."""

    def step(visitor: Visitor) -> None:
        for cookie in visitor.page.context.cookies():
            visitor.caller.http.cookies.set(str(cookie.get("name")), str(cookie.get("value")))
        token = visitor.stack.carrier.token(f"{visitor.brand.slug}-site-key")
        filled = {name: value.replace("NEW", visitor.email) for name, value in fields.items()}
        visitor.caller.post(path, times, **{**filled, "g-recaptcha-response": token})

    return step


def sign_out(visitor: Visitor) -> None:
    """Press the sign-out button in the menu of the person."""
    visitor.page.locator(".person summary").click()
    press("form[action$='/sign-out/'] button")(visitor)


def follow_link(visitor: Visitor) -> None:
    """Open the link in the carrier's newest email."""
    found = re.search(r"(/sign-up/confirm/\?\S+)", visitor.stack.carrier.mails(to=visitor.email)[-1]["text"])
    assert found
    visitor.go(found[1])


def enter_emailed_code(pattern: str, path: str = "", *, newest: bool = True, **fields: str) -> Step:
    """Send a form whose `code` is what the pattern finds in the newest email, or in the one before it."""

    def step(visitor: Visitor) -> None:
        mails = visitor.stack.carrier.mails(to=visitor.email)
        found = re.search(pattern, mails[-1 if newest else -2]["text"], re.MULTILINE)
        assert found, pattern
        send(path, **fields, code=found[1])(visitor)

    return step


def sign_in_now(email: str) -> Step:
    """Sign in now, for steps that need a recent sign-in; earlier attempts are not counted."""

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


def age_sign_ins(visitor: Visitor) -> None:
    """Make all sign-ins older than an email change allows."""
    visitor.stack.run(LONG_AGO)


def press(selector: str) -> Step:
    """Press a button that opens a page."""

    def step(visitor: Visitor) -> None:
        with visitor.page.expect_navigation():
            visitor.page.locator(selector).first.click()

    return step


@contextmanager
def missing_table(stack: Stack, name: str) -> Iterator[None]:
    """Hide a table of the portal's database for a while: a failure no page can handle."""
    stack.sql(f"ALTER TABLE {name} RENAME TO {name}_away")
    try:
        yield
    finally:
        stack.sql(f"ALTER TABLE {name}_away RENAME TO {name}")


def with_missing_table(name: str, step: Step) -> Step:
    """Take a step while a table is missing."""

    def take_step(visitor: Visitor) -> None:
        with missing_table(visitor.stack, name):
            step(visitor)

    return take_step


def set_email(email: str) -> Step:
    """Be a known customer: from here on NEW is this email."""

    def step(visitor: Visitor) -> None:
        visitor.email = email

    return step


def sql(statement: str) -> Step:
    """Execute SQL in the portal's database."""
    return lambda visitor: visitor.stack.sql(statement)


def last_month(visitor: Visitor) -> None:
    """Choose the second of the offered periods."""
    visitor.page.locator("main nav a").nth(1).click()
    visitor.page.wait_for_url("**/statement/?*")


def at_host(host: str) -> Step:
    """Open the first page of another host."""
    return lambda visitor: visitor.page.goto(f"http://{host}:{visitor.stack.port}/") and None


def at_admin(path: str) -> Step:
    """Open a page of the admin's host."""
    return lambda visitor: visitor.page.goto(f"http://admin.localhost:{visitor.stack.port}{path}") and None


def open_twice(visitor: Visitor) -> None:
    """Press "Go to my account" on a page whose form has been sent before."""
    visitor.go("/account/open/")
    visitor.pass_captcha()
    fields = {each["name"]: each["value"] for each in visitor.form.evaluate(FIELDS)}
    cookies = {each["name"]: each["value"] for each in visitor.page.context.cookies()}
    url = f"http://127.0.0.1:{visitor.stack.port}/account/open/"
    first = visitor.caller.http.post(url, fields, cookies=cookies, allow_redirects=False, timeout=WITHIN)
    assert first.status_code == 303
    visitor.press()


def send_too_much(visitor: Visitor) -> None:
    """Enter more text than the portal reads."""
    visitor.go("/sign-in/")
    visitor.form.locator("[name=email]").evaluate("(field) => { field.value = 'x'.repeat(300 * 1024); }")
    visitor.press()


def forget_cookies(visitor: Visitor) -> None:
    """Delete the cookies while a page is open."""
    visitor.page.context.clear_cookies()


def block_captcha(visitor: Visitor) -> None:
    """Block Google's script, and let the waiting time end at once."""
    visitor.page.clock.install()
    visitor.page.route("**/api.js*", lambda route: route.abort())


def wait_for_timeout(visitor: Visitor) -> None:
    """Advance the clock by ten seconds."""
    visitor.page.clock.run_for(10_000)
