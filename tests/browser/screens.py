"""`python -m tests.browser.screens [--out docs/screens]`: the journey in pictures, for the README."""

import argparse
import os
import tempfile
from pathlib import Path

import django
from playwright.sync_api import Browser, Page

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()  # What tests share begins with Django's models.

from tests.browser import chromium  # noqa: E402
from tests.browser.journey import Journey, Person  # noqa: E402
from tests.browser.stack import AURORA, BOREALIS, ROOT, Stack, running  # noqa: E402

DESKTOP, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 720}
# Pages of the journey in their order; each becomes NN-name.png.
PICTURES = (
    *("welcome", "sign-up", "sign-up-error", "confirm", "mail-confirm", "code", "home", "statement"),
    *("open", "carrier", "reset"),
)


class Album:
    """Writes pictures; `shoot` fits a journey's `look`."""

    def __init__(self, folder: Path, ending: str = "", only: tuple[str, ...] = PICTURES) -> None:
        self.folder, self.ending, self.only = folder, ending, only

    def shoot(self, page: Page, name: str) -> None:
        """One picture of the whole page, if this album is to have it."""
        if name in self.only:
            number = f"{PICTURES.index(name) + 1:02}-" if name in PICTURES else ""
            before = page.viewport_size or DESKTOP
            # A frame below the fold is painted only when the screen reaches down to it.
            page.set_viewport_size({"width": before["width"], "height": 2000})
            if page.locator("iframe[title=reCAPTCHA]").count():
                page.frame_locator("iframe[title=reCAPTCHA]").get_by_label("I'm not a robot").wait_for()
            page.set_viewport_size(before)
            height = page.evaluate("document.documentElement.scrollHeight")
            page.set_viewport_size({"width": before["width"], "height": max(height, before["height"])})
            page.wait_for_load_state("networkidle")
            page.screenshot(path=self.folder / f"{number}{name}{self.ending}.png")
            page.set_viewport_size(before)


def walk(browser: Browser, stack: Stack, album: Album, person: Person, **options: object) -> None:
    """The journey until the password is reset, with pictures."""
    with browser.new_context(**options) as context:  # type: ignore[arg-type]
        brand = BOREALIS if "dark" in album.ending else AURORA
        journey = Journey(context.new_page(), stack, brand, person, album.shoot)
        journey.arrive()
        journey.sign_up_with_a_mistake()
        journey.sign_up()
        journey.confirm_from_mail()
        journey.earlier_business()
        journey.enter_code()
        journey.read_balance()
        journey.read_statement()
        journey.open_account()
        journey.reset_password()
        stack.carrier.fault("customer_balance", "status", status=503)
        journey.link("Balance").click()
        album.shoot(journey.page, "home-unavailable")


def take(out: Path, everything: bool) -> None:
    """All pictures, into one folder."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, chromium.launched() as browser:
        tmp = Path(name)
        with running(tmp, tmp) as stack:
            every = (*PICTURES, "home-unavailable", "reset-sent", "sign-in", "mail-code", "mail-reset")
            phone = every if everything else ("sign-up", "home")
            dark = every if everything else ("home", "statement")
            first = every if everything else (*PICTURES, "home-unavailable")
            walk(
                browser,
                stack,
                Album(out, "", first),
                Person("dora@example.com"),
                viewport=DESKTOP,
                locale="en-AU",
            )
            for album, options in (
                (Album(out, "-phone", phone), {"viewport": PHONE, "locale": "en-AU"}),
                (Album(out, "-dark", dark), {"viewport": DESKTOP, "color_scheme": "dark", "locale": "en-GB"}),
            ):
                stack.fresh()
                walk(browser, stack, album, Person("emil@example.com", "Emil", "Evans"), **options)


def main() -> None:
    """Read the options and say what was written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs/screens")
    parser.add_argument("--all", action="store_true", help="every page in every look, for looking at")
    options = parser.parse_args()
    take(options.out, options.all)
    files = sorted(options.out.glob("*.png"))
    print(f"{len(files)} pictures, {sum(file.stat().st_size for file in files) // 1024} kB, in {options.out}")


if __name__ == "__main__":
    main()
