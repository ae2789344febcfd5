"""The customer journey through the portal, one step per method, using only what is visible."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from playwright.sync_api import Locator, Page, expect

from tests.browser.chromium import captcha_frame
from tests.support.live_stack import BrandSpec, Stack

# Example of CONTRACT: 245.71293 + 57 - (48.125 + 7.5 + 5) = 242.08793
JANUARY_2020 = [
    {"date": "2019-12-31", "kind": "payment", "amount": "245.71293"},
    {"date": "2020-01-01", "kind": "payment", "amount": "57"},
    {"date": "2020-01-15", "kind": "other", "amount": "7.5"},
    {"date": "2020-01-17", "kind": "adjustment", "amount": "5"},
    {"date": "2020-01-31", "kind": "call", "amount": "48.125"},
]
EXAMPLE = {
    "Opening balance": "245.71",
    "Payments": "+57.00",
    "Call charges": "−48.13",
    "Other charges": "−7.50",
    "Adjustments": "−5.00",
    "Closing balance": "242.09",
}
EXAMPLE_TO_THE_LAST_DIGIT = {
    "Opening balance": "245.71293",
    "Payments": "57",
    "Call charges": "48.125",
    "Other charges": "7.5",
    "Adjustments": "5",
    "Total charges": "60.625",
    "Closing balance": "242.08793",
}
WORD_JOINER = "\u2060"
NEW_TAB = "(opens in a new tab)"  # What a screen reader says after the name of a link.
PASSWORD = "a long enough passphrase"
NEW_PASSWORD = "another passphrase, set at the carrier"


def open_tab(link: Locator) -> Page:
    """Follow a link in another tab, and return that."""
    with link.page.context.expect_page() as opened:
        link.press("Enter")
    opened.value.wait_for_load_state()
    return opened.value


@dataclass(frozen=True)
class Person:
    """The customer on the journey."""

    email: str
    first_name: str = "Dora"
    last_name: str = "Dunn"
    company: str = ""
    phone: str = "+61 2 5550 0199"


@dataclass
class Journey:
    """`look` is called with each reached page and its name."""

    page: Page
    stack: Stack
    brand: BrandSpec
    person: Person
    look: Callable[[Page, str], None] = lambda page, name: None
    # Carrier method → submitted captcha tokens; "own" for tokens the portal verifies.
    tokens: dict[str, list[str]] = field(default_factory=dict)

    def button(self, name: str) -> Locator:
        """Return a button by its label."""
        return self.page.get_by_role("button", name=name, exact=True)

    def link(self, name: str) -> Locator:
        """Return the first link with this text."""
        return self.page.get_by_role("link", name=name, exact=True).first

    def heading(self, name: str) -> None:
        """Wait for the page with this heading."""
        expect(self.page.get_by_role("heading", level=1, name=name)).to_be_visible()

    def tick(self) -> str:
        """Solve the captcha and return the token in the form."""
        frame = captcha_frame(self.page)
        # By keyboard: just after a window has changed its size, Chromium may deliver a click to the
        # frame's element instead of into the frame. The test of two captchas uses the mouse.
        frame.get_by_label("I'm not a robot").press("Space")
        token = self.page.locator("[name=g-recaptcha-response]")
        expect(token).not_to_have_value("")
        return token.input_value()

    def tick_for(self, method: str) -> None:
        """Solve the captcha and record the token for this method."""
        self.tokens.setdefault(method, []).append(self.tick())

    def fill_sign_up(self, phone: str = "") -> None:
        """Fill in everything but the captcha."""
        page, person = self.page, self.person
        page.get_by_label("First name").fill(person.first_name)
        page.get_by_label("Last name").fill(person.last_name)
        page.get_by_label("Company name").fill(person.company)
        page.get_by_label("Email address").fill(person.email)
        page.get_by_label("Phone number").fill(phone or person.phone)
        page.get_by_label("Phone account password").fill(PASSWORD)
        page.get_by_label("I agree to the terms of service").check()

    def open_sign_up(self) -> None:
        """Open the first page and go to the sign-up."""
        self.page.goto(self.stack.home(self.brand))
        self.heading(f"Manage your {self.brand.name} account")
        self.look(self.page, "welcome")
        self.link("Create an account").click()
        self.heading("Create an account")
        self.look(self.page, "sign-up")

    def sign_up_with_error(self) -> None:
        """Send an invalid form: input is kept, the password is not, and nothing was sent."""
        self.fill_sign_up(phone="12")
        self.tick()
        self.button("Create an account").click()
        expect(self.page.get_by_text("There's a problem")).to_be_visible()
        self.look(self.page, "sign-up-error")
        page, person = self.page, self.person
        for label, value in (
            ("First name", person.first_name),
            ("Last name", person.last_name),
            ("Company name", person.company),
            ("Email address", person.email),
            ("Phone number", "12"),
            ("Phone account password", ""),
        ):
            expect(page.get_by_label(label)).to_have_value(value)
        expect(page.get_by_label("I agree to the terms of service")).to_be_checked()
        assert self.stack.carrier.calls("register_customer") == []

    def sign_up(self) -> None:
        """Complete only what was missing or invalid."""
        self.page.get_by_label("Phone number").fill(self.person.phone)
        self.page.get_by_label("Phone account password").fill(PASSWORD)
        self.tick_for("register_customer")
        self.button("Create an account").click()
        self.heading("Confirm your email address")
        expect(self.page.get_by_role("main")).to_contain_text(self.person.email)
        self.look(self.page, "confirm")

    def open_newest_mail(self, subject: str, name: str) -> Page:
        """Open the newest email to the customer in another tab."""
        tab = self.page.context.new_page()
        tab.goto(f"{self.stack.carrier.url}/inbox/")
        mail = tab.get_by_role("row").filter(has_text=self.person.email).filter(has_text=subject).first
        mail.get_by_role("link").click()
        self.look(tab, name)
        return tab

    def confirm_from_mail(self) -> None:
        """Open the carrier's link: it fills the form and does nothing until the button is pressed."""
        tab = self.open_newest_mail("Confirm your e-mail address", "mail-confirm")
        tab.get_by_role("link", name="/sign-up/confirm/").click()
        self.page.close()
        self.page = tab
        self.heading("Confirm your email address")
        assert self.page.url.endswith("/sign-up/confirm/"), "the code must leave the address bar"
        expect(self.page.get_by_role("definition").first).to_have_text(self.person.email)
        assert self.stack.carrier.calls("confirm_email") == []
        self.tick_for("confirm_email")
        self.button("Confirm").click()
        self.heading("Enter your code")
        expect(self.page.get_by_text("Your email address is confirmed.")).to_be_visible()
        self.look(self.page, "code")

    def enter_code(self) -> None:
        """Enter the newest code from the inbox and see the balance."""
        tab = self.open_newest_mail("sign-in code", "mail-code")
        found = re.search(r"\b[0-9]{4} [0-9]{4}\b", tab.locator(".letter").inner_text())
        assert found, "no code in the mail"
        tab.close()
        self.page.get_by_label("Sign-in code").fill(found[0])
        self.button("Sign in").click()
        self.heading(f"Hello, {self.person.first_name}")

    @property
    def account_number(self) -> str:
        """The customer's account number at the carrier."""
        customers = self.stack.carrier.listed("customers")
        return next(one["account_number"] for one in customers if one["email"] == self.person.email)

    def add_bookings(self, more: Sequence[dict[str, str]] = ()) -> None:
        """Give the new customer bookings: the example of January 2020, some this month, and more."""
        today = datetime.now(ZoneInfo(self.brand.timezone)).date()
        entries = [
            *JANUARY_2020,
            {"date": f"{today.replace(day=1)}", "kind": "call", "amount": "5.50001"},
            {"date": f"{today}", "kind": "payment", "amount": "20"},
            *more,
        ]
        customer = {"partner": f"{self.brand.slug}-api-key", "account_number": self.account_number}
        self.stack.carrier.post("seed", customers=[{**customer, "entries": entries}])

    def read_balance(self) -> None:
        """Check this month's figures of the carrier: 242.08793 + 20 - 5.50001."""
        self.link("Balance").click()
        account = next(
            one for one in self.stack.carrier.listed("customers") if one["email"] == self.person.email
        )
        assert Decimal(account["balance"]) == Decimal("256.58792")
        expect(self.page.locator(".amount")).to_have_text(f"{self.brand.symbol}256.59")
        self.expect_figures(
            {
                "Opening balance": "242.09",
                "Payments": "+20.00",
                "Call charges": "−5.50",
                "Other charges": "0.00",
                "Balance today": "256.59",
            }
        )
        self.look(self.page, "home")

    def expect_figures(self, figures: dict[str, str]) -> None:
        """Check the rows of the statement in the brand's currency, with the sign before it."""
        for label, amount in figures.items():
            row = self.page.get_by_role("row").filter(has_text=label)
            sign = f"{amount[0]}{WORD_JOINER}" if amount[0] in "+−" else ""
            expect(row.get_by_role("cell")).to_have_text(f"{sign}{self.brand.symbol}{amount.strip('+−')}")

    def read_statement(self) -> None:
        """Choose a preset, then a custom period; check the cents, and every digit in the file."""
        self.link("Statements").click()
        self.link("This year").click()
        expect(self.link("This year")).to_have_attribute("aria-current", "true")
        expect(self.page.get_by_role("row").filter(has_text="Balance today")).to_contain_text("256.59")
        self.page.get_by_text("Custom dates").click()
        self.page.get_by_label("From").fill("2020-01-01")
        self.page.get_by_label("To", exact=True).fill("2020-01-31")
        self.button("View").click()
        self.expect_figures(EXAMPLE)
        self.look(self.page, "statement")
        with self.page.expect_download() as download:
            self.link("Download CSV").click()
        text = download.value.path().read_text(encoding="utf-8-sig")
        rows = dict(line.split(",", 1) for line in text.splitlines())
        assert {label: rows[label] for label in EXAMPLE_TO_THE_LAST_DIGIT} == EXAMPLE_TO_THE_LAST_DIGIT
        assert rows["Account number"] == self.account_number
        assert download.value.suggested_filename == f"{self.brand.slug}-{self.account_number}-2020-01.csv"

    def open_account(self) -> None:
        """Tick the box in another tab and arrive signed in at the carrier's portal, on another origin."""
        self.page.goto(self.stack.home(self.brand))
        page, self.page = self.page, self.open_account_tab()
        self.heading("Go to my account")
        self.look(self.page, "open")
        page_url = self.page.url
        with self.page.expect_request(
            lambda request: (request.method, request.url) == ("POST", page_url)
        ) as sent:
            captcha_frame(self.page).get_by_label("I'm not a robot").press("Space")
            expect(self.page.get_by_text(f"account {self.account_number}")).to_be_visible()
        token = parse_qs(sent.value.post_data or "")["g-recaptcha-response"][0]
        self.tokens.setdefault("login_via_url", []).append(token)
        assert self.page.url == f"{self.stack.carrier.url}/carrier/home"
        self.look(self.page, "carrier")
        self.page.close()
        self.page = page

    def open_account_tab(self) -> Page:
        """Open the page that leads to the carrier's portal in another tab."""
        return open_tab(self.link(f"Go to my account {NEW_TAB}"))

    def reset_password(self) -> None:
        """Reset the carrier password through the email."""
        self.link("Balance").click()
        self.link("Reset password").click()
        self.heading("Reset your phone account password")
        expect(self.page.locator("form.card strong")).to_have_text(self.person.email)
        self.look(self.page, "reset")
        self.tick_for("reset_password")
        self.button("Email me instructions").click()
        self.heading("Check your email")
        self.look(self.page, "reset-sent")
        tab = self.open_newest_mail("Set a new password", "mail-reset")
        tab.get_by_role("link", name="/carrier/reset").click()
        tab.get_by_label("New password").fill(NEW_PASSWORD)
        tab.get_by_role("button", name="Set password").click()
        expect(tab.get_by_text("Your new password is set.")).to_be_visible()
        tab.close()
        known = {"partner": f"{self.brand.slug}-api-key", "email": self.person.email}
        assert self.stack.carrier.post("password", **known, password=NEW_PASSWORD)["matches"]

    def sign_out(self) -> None:
        """Sign out and see the first page without account data."""
        self.page.locator(".person summary").click()
        self.button("Sign out").click()
        expect(self.page.get_by_text("You've signed out.")).to_be_visible()
        expect(self.page.locator(".amount")).to_have_count(0)
        self.look(self.page, "signed-out")

    def sign_in(self) -> None:
        """Sign in by code from the sign-in page, with a captcha if the brand verifies one itself."""
        self.link("Sign in").click()
        self.heading("Sign in")
        self.look(self.page, "sign-in")
        self.page.get_by_label("Email address").fill(self.person.email)
        if self.brand.secret_key:
            self.tick_for("own")
        self.button("Email me a code").click()
        self.heading("Enter your code")
        self.enter_code()

    def run_all(self) -> None:
        """Take all steps in a new customer's order."""
        self.open_sign_up()
        self.sign_up_with_error()
        self.sign_up()
        self.confirm_from_mail()
        self.add_bookings()
        self.enter_code()
        self.read_balance()
        self.read_statement()
        self.open_account()
        self.reset_password()
        self.sign_out()
        self.sign_in()

    def expect_each_token_once(self) -> None:
        """Check that each token reached the carrier once, byte for byte, and Google only saw our own."""
        for method in ("register_customer", "confirm_email", "login_via_url", "reset_password"):
            assert self.stack.tokens(method) == self.tokens[method], method
        verified = [one["response"] for one in self.stack.carrier.listed("siteverify")]
        assert verified == self.tokens.get("own", [])
