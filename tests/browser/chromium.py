"""Chromium, found on this machine; what a visit with it must not show; and a look at a page with axe."""

import contextlib
import functools
import json
import os
import re
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Frame,
    Page,
    Request,
    expect,
    sync_playwright,
)

HOW_TO_GET_IT = "Chromium is missing: `apt-get install chromium` or `.venv/bin/playwright install chromium`."
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Chromium would ask the visitor whether a page that a test answers itself may speak to this machine.
    "--disable-features=LocalNetworkAccessChecks",
    "--host-resolver-rules=MAP *.localhost 127.0.0.1",
]
LOUD = """addEventListener("securitypolicyviolation", (event) =>
  console.error("CSP", event.violatedDirective, event.blockedURI));"""
AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
# The captcha's frame is another origin's, which looks after itself. Without naming it, axe leaves out the
# one rule that is new in WCAG 2.2: the least size of what can be pressed.
RUN_AXE = """(only) => axe.run(document, {iframes: false, resultTypes: ["violations"], runOnly: only,
  ...(only.type === "tag" && {rules: {"target-size": {enabled: true}}})})"""
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
# In the dark only what a colour scheme can change is looked at again.
RULES = {
    "light": {"type": "tag", "values": TAGS},
    "dark": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
}
BEYOND = "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
MOVING = """[...document.querySelectorAll("*")].filter((element) => {
  const { animationName, transitionDuration } = getComputedStyle(element);
  return animationName !== "none" || transitionDuration.split(", ").some((time) => parseFloat(time) > 0.01);
}).map((element) => element.outerHTML.slice(0, 200))"""
# A window 1280 wide at 200 % and at 400 %, and a phone.
NARROW = (640, 360, 320)
LOOKS = ((1280, "light"), (320, "light"), (320, "dark"))


class Missing(Exception):
    """There is no Chromium."""


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """A running Chromium. Raises Missing."""
    path = executable()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_flags())
        yield browser
        browser.close()


@functools.cache
def executable() -> str:
    """The system's Chromium, else Playwright's own. Raises Missing."""
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    with sync_playwright() as playwright:
        if Path(playwright.chromium.executable_path).exists():
            return playwright.chromium.executable_path
    raise Missing(HOW_TO_GET_IT)


def _flags() -> list[str]:
    return [*FLAGS, "--no-sandbox"] if os.geteuid() == 0 else FLAGS


class Watch:
    """Collects whatever must not happen during a visit, on any page of a context."""

    def __init__(self, context: BrowserContext) -> None:
        self.problems: list[str] = []
        self._expected: list[str] = []
        context.add_init_script(LOUD)
        context.on("console", self._console)
        context.on("weberror", lambda error: self._note(f"page error: {error.error}"))
        context.on("requestfailed", self._failed)

    def expect(self, pattern: str) -> None:
        """A problem that matches is what the test is about."""
        self._expected.append(pattern)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._note(f"console {message.type}: {message.text} ({message.location.get('url', '')})")

    def _failed(self, request: Request) -> None:
        # Aborted is what a download counts as, and what was still to come when the visitor went on.
        if request.failure != "net::ERR_ABORTED":
            self._note(f"request failed: {request.method} {request.url} {request.failure}")

    def _note(self, text: str) -> None:
        if not any(re.search(pattern, text) for pattern in self._expected):
            self.problems.append(text)


def check_page(page: Page, name: str) -> None:
    """No axe finding wide, narrow and in the dark; nothing to scroll sideways on a narrow screen."""
    before = page.viewport_size
    page.evaluate(AXE)
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found = page.evaluate(RUN_AXE, RULES[scheme])["violations"]
        told = [{"rule": one["id"], "where": [node["html"] for node in one["nodes"]]} for one in found]
        assert not told, f"axe on {name!r}, {width} px, {scheme}:\n{json.dumps(told, indent=1)}"
    page.emulate_media(color_scheme="light")
    check_room(page, name)
    check_calm(page, name)
    if before:
        page.set_viewport_size(before)


def check_room(page: Page, name: str) -> None:
    """Nothing is wider than a narrow screen, nor than a wide one at 200 % or 400 %."""
    for width in NARROW:
        page.set_viewport_size({"width": width, "height": 800})
        beyond = page.evaluate(BEYOND)
        assert beyond <= 0, f"{name!r} is {beyond} px wider than its {width} px"


def check_calm(page: Page, name: str) -> None:
    """Nothing moves for a visitor who asked for that."""
    page.emulate_media(reduced_motion="reduce")
    moving = page.evaluate(MOVING)
    assert moving == [], f"{name!r} moves: {moving}"
    page.emulate_media(reduced_motion="no-preference")


def captcha_frame(page: Page) -> Frame:
    """The frame of the page's captcha, with its script come: before that, ticking its box does nothing."""
    frame = page.locator("iframe[title=reCAPTCHA]").element_handle().content_frame()
    assert frame
    expect(frame.locator("input")).to_be_enabled()
    return frame
