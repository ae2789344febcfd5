"""Finding Chromium, watching pages for problems, and accessibility checks with axe."""

import contextlib
import functools
import json
import os
import re
import shutil
import tempfile
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
    # Chromium would ask the visitor whether a page that a test serves itself may access this machine.
    "--disable-features=LocalNetworkAccessChecks",
    "--host-resolver-rules=MAP *.localhost 127.0.0.1",
]
FONTS = f"""<?xml version="1.0"?><fontconfig>
<include ignore_missing="yes">/etc/fonts/fonts.conf</include><dir>{files("manimgx_fonts_cjk")}</dir>
</fontconfig>"""
LOG_CSP_VIOLATIONS = """addEventListener("securitypolicyviolation", (event) =>
  console.error("CSP", event.violatedDirective, event.blockedURI));"""
AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
# The captcha frame belongs to another origin and is not ours to check. The rule target-size, new in WCAG 2.2,
# is named because axe skips it by default.
RUN_AXE = """(only) => axe.run(document, {iframes: false, resultTypes: ["violations"], runOnly: only,
  ...(only.type === "tag" && {rules: {"target-size": {enabled: true}}})})"""
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
# In the dark scheme only rules that depend on colours are checked again.
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
    """Chromium is not installed."""


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    """Run Chromium. Raises Missing.

    The PDF's Chinese font is added to the machine's own, so that pictures show the name of every language.
    """
    path = executable()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        fonts = Path(folder) / "fonts.conf"
        fonts.write_text(FONTS)
        environment: dict[str, str | float | bool] = {**os.environ, "FONTCONFIG_FILE": str(fonts)}
        browser = playwright.chromium.launch(executable_path=path, args=_flags(), env=environment)
        yield browser
        browser.close()


@functools.cache
def executable() -> str:
    """Return the path of the system's Chromium, or of Playwright's own. Raises Missing."""
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
    """Collects console messages, page errors and failed requests on all pages of a context."""

    def __init__(self, context: BrowserContext) -> None:
        self.problems: list[str] = []
        self._expected: list[str] = []
        context.add_init_script(LOG_CSP_VIOLATIONS)
        context.on("console", self._console)
        context.on("weberror", lambda error: self._add(f"page error: {error.error}"))
        context.on("requestfailed", self._failed)

    def expect(self, pattern: str) -> None:
        """Ignore problems that match, because the test provokes them."""
        self._expected.append(pattern)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._add(f"console {message.type}: {message.text} ({message.location.get('url', '')})")

    def _failed(self, request: Request) -> None:
        # Downloads count as aborted, and so do requests pending when the visitor left.
        if request.failure != "net::ERR_ABORTED":
            self._add(f"request failed: {request.method} {request.url} {request.failure}")

    def _add(self, text: str) -> None:
        if not any(re.search(pattern, text) for pattern in self._expected):
            self.problems.append(text)


def check_page(page: Page, name: str) -> None:
    """Check with axe wide, narrow and dark, and that a narrow screen has no horizontal scrolling."""
    before = page.viewport_size
    page.evaluate(AXE)
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found = page.evaluate(RUN_AXE, RULES[scheme])["violations"]
        findings = [{"rule": one["id"], "where": [node["html"] for node in one["nodes"]]} for one in found]
        assert not findings, f"axe on {name!r}, {width} px, {scheme}:\n{json.dumps(findings, indent=1)}"
    page.emulate_media(color_scheme="light")
    check_overflow(page, name)
    check_reduced_motion(page, name)
    if before:
        page.set_viewport_size(before)


def check_overflow(page: Page, name: str) -> None:
    """Check that nothing overflows a narrow screen, or a wide one at 200 % or 400 %."""
    for width in NARROW:
        page.set_viewport_size({"width": width, "height": 800})
        beyond = page.evaluate(BEYOND)
        assert beyond <= 0, f"{name!r} is {beyond} px wider than its {width} px"


def check_reduced_motion(page: Page, name: str) -> None:
    """Check that nothing moves with reduced motion."""
    page.emulate_media(reduced_motion="reduce")
    moving = page.evaluate(MOVING)
    assert moving == [], f"{name!r} moves: {moving}"
    page.emulate_media(reduced_motion="no-preference")


def captcha_frame(page: Page) -> Frame:
    """Return the frame of the captcha after its script has loaded; before that, a tick has no effect."""
    frame = page.locator("iframe[title=reCAPTCHA]").element_handle().content_frame()
    assert frame
    expect(frame.locator("input")).to_be_enabled()
    return frame
