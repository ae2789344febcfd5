"""`make screens`: screenshots of the journey for the README, and of every state in every look.

The former go to docs/screens, the latter to .screens, which git ignores: one picture per state, language,
width and colour scheme, and contact sheets of them. `--only sign-up` takes only the states that match.
"""

import argparse
import os
import re
import tempfile
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import django
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()  # Shared test code begins with Django's models.

from tests.browser import admin, chromium, screenshots  # noqa: E402
from tests.browser.accounts import CUSTOMERS  # noqa: E402
from tests.browser.journey import Journey, Person  # noqa: E402
from tests.browser.states import STATES  # noqa: E402
from tests.browser.states_runner import State, Visits  # noqa: E402
from tests.support.live_stack import AURORA, BOREALIS, ROOT, Stack, running  # noqa: E402

DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 720}
ADMIN_WINDOW = {"width": 1366, "height": 768}
# Pages of the journey in order; each becomes NN-name.png.
PICTURES = (
    *("welcome", "sign-up", "sign-up-error", "confirm", "mail-confirm", "code", "home", "statement"),
    *("open", "carrier", "reset", "admin-customer", "admin-partner", "admin-brand"),
)


class Album:
    """Writes screenshots; `shoot` can be the `look` of a journey."""

    def __init__(self, folder: Path, ending: str = "", only: tuple[str, ...] = PICTURES) -> None:
        self.folder, self.ending, self.only = folder, ending, only
        self.problems: list[str] = []

    def shoot(self, page: Page, name: str) -> None:
        """Take a screenshot of the whole page, if this album includes it."""
        if name in self.only:
            number = f"{PICTURES.index(name) + 1:02}-" if name in PICTURES else ""
            before = page.viewport_size or DESKTOP
            # A frame below the fold is painted only when the window reaches it.
            page.set_viewport_size({"width": before["width"], "height": 2000})
            if page.locator("iframe[title=reCAPTCHA]").count():
                page.frame_locator("iframe[title=reCAPTCHA]").get_by_label("I'm not a robot").wait_for()
            page.set_viewport_size(before)
            height = page.evaluate("document.documentElement.scrollHeight")
            page.set_viewport_size({"width": before["width"], "height": max(height, before["height"])})
            page.wait_for_load_state("networkidle")
            file = self.folder / f"{number}{name}{self.ending}.png"
            self.problems += screenshots.take(page, file)
            page.set_viewport_size(before)


def take_journey(browser: Browser, stack: Stack, album: Album, person: Person, **options: object) -> None:
    """Take the journey up to the password reset, with screenshots."""
    with browser.new_context(**options) as context:  # type: ignore[arg-type]
        brand = BOREALIS if "dark" in album.ending else AURORA
        journey = Journey(context.new_page(), stack, brand, person, album.shoot)
        journey.open_sign_up()
        journey.sign_up_with_error()
        journey.sign_up()
        journey.confirm_from_mail()
        journey.add_bookings(spent())
        stack.sql("UPDATE accounts_user SET account_type = 'prepaid'")
        journey.enter_code()
        journey.read_balance()
        journey.read_statement()
        journey.open_account()
        journey.reset_password()
        stack.sql("DELETE FROM billing_keptstatement")
        stack.carrier.fault("customer_balance", "status", status=503)
        journey.link("Balance").click()
        album.shoot(journey.page, "home-unavailable")


def take_admin(browser: Browser, stack: Stack, album: Album) -> None:
    """Take the admin's pages: a customer, the partner balance, and a brand."""
    stack.carrier.post("faults/clear")
    with browser.new_context(viewport=ADMIN_WINDOW, locale="en-AU") as context:
        page = context.new_page()
        admin.sign_in(page, stack, "/admin/accounts/user/")
        page.goto(f"http://admin.localhost:{stack.port}/admin/accounts/user/?q=dora@example.com")
        page.get_by_role("row").filter(has_text="dora@example.com").get_by_role("link").first.click()
        album.shoot(page, "admin-customer")
        page.get_by_role("link", name="Partner balance", exact=True).first.click()
        page.get_by_role("link", name=AURORA.name, exact=True).first.click()
        album.shoot(page, "admin-partner")
        page.get_by_role("link", name="Brands", exact=True).first.click()
        page.get_by_role("link", name=AURORA.name, exact=True).first.click()
        album.shoot(page, "admin-brand")


def spent() -> list[dict[str, str]]:
    """Return 60 spent and paid again in each of the last complete months, so that there is a forecast."""
    day, entries = date.today(), []
    for _ in range(3):
        day = day.replace(day=1) - timedelta(days=1)
        entries += [{"date": f"{day}", "kind": kind, "amount": "60"} for kind in ("call", "payment")]
    return entries


def take_readme(browser: Browser, stack: Stack, out: Path) -> list[str]:
    """Take the screenshots of the README and return their problems."""
    out.mkdir(parents=True, exist_ok=True)
    first = Album(out, "", (*PICTURES, "home-unavailable"))
    take_journey(browser, stack, first, Person("dora@example.com"), viewport=DESKTOP, locale="en-AU")
    take_admin(browser, stack, first)
    problems = first.problems
    for album, options in (
        (Album(out, "-phone", ("sign-up", "home")), {"viewport": PHONE, "locale": "en-AU"}),
        (
            Album(out, "-dark", ("home", "statement")),
            {"viewport": DESKTOP, "color_scheme": "dark", "locale": "en-GB"},
        ),
    ):
        stack.fresh()
        take_journey(browser, stack, album, Person("emil@example.com", "Emil", "Evans"), **options)
        problems += album.problems
    return problems


def take_states(
    browser: Browser, stack: Stack, out: Path, states: list[State], locales: Sequence[str]
) -> list[str]:
    """Take every state in every look, and the contact sheets; return the problems."""
    problems: list[str] = []
    opened: list[tuple[BrowserContext, chromium.Watch]] = []

    def new_context(**options: Any) -> tuple[BrowserContext, chromium.Watch]:
        context = browser.new_context(**options)
        context.set_default_timeout(10_000)
        opened.append((context, chromium.Watch(context)))
        return opened[-1]

    for locale in locales:
        visits = Visits(
            stack, new_context, {}
        )  # A customer who signs out in one language signs in again in the next.
        for state in states:
            try:
                wrong = screenshots.shoot(visits.reach(state, locale=locale), state, out, locale)
                problems += [f"{state.name} ({locale}): {problem}" for problem in wrong]
            except (AssertionError, Error) as error:
                problems.append(f"{state.name} ({locale}): NO PICTURE: {error}")
            context, watch = opened.pop()
            context.close()
            problems += [f"{state.name} ({locale}): {problem}" for problem in watch.problems]
        for sheet in screenshots.sheets(states, out, locale):
            print(sheet, flush=True)
    return problems


def main() -> None:
    """Parse the options, take the screenshots and print what was written."""
    parser = argparse.ArgumentParser(prog="make screens", description=__doc__)
    parser.add_argument("--readme", type=Path, default=ROOT / "docs/screens", help="folder for the README's")
    parser.add_argument("--out", type=Path, default=ROOT / ".screens", help="folder for all states")
    parser.add_argument("--only", default="", help="only states whose name matches, and none for the README")
    parser.add_argument(
        "--locale", action="append", choices=screenshots.LOCALES, help="one language; else all"
    )
    options = parser.parse_args()
    expect.set_options(timeout=60_000)
    states = [state for state in STATES if re.search(options.only, state.name)]
    with tempfile.TemporaryDirectory() as name, chromium.launched() as browser:
        tmp = Path(name)
        with running(tmp, tmp, customers=CUSTOMERS) as stack:
            problems = take_states(browser, stack, options.out, states, options.locale or screenshots.LOCALES)
            if not options.only:
                stack.fresh()
                problems += take_readme(browser, stack, options.readme)
    print(*problems, sep="\n")
    for folder in (options.out, *(() if options.only else (options.readme,))):
        files = list(folder.rglob("*.png"))
        print(f"{len(files)} pictures, {sum(file.stat().st_size for file in files) // 2**20} MB, in {folder}")
    if problems:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
