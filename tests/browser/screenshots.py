"""Screenshots of every state in every look, and contact sheets of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Page

from tests.browser.states_runner import State

WIDTHS, SCHEMES, LOCALES = (1280, 360, 320), ("light", "dark"), ("en", "ar")
PHONE = 600  # Pixels; narrower pictures appear on the sheets in more detail.
LONGEST = 1500  # Maximum height of a picture on a sheet, in pixels.
PER_SHEET = 6
GAP, CAPTION = 16, 24
TIMES = 5  # Attempts at a screenshot.
EDGE = 6  # Pixels of a captcha box's edge with rounded corners.
# Google's box chooses size and colours at page load, so our own script renders it again.
RENDER_AGAIN = """() => {
  for (const box of document.querySelectorAll(".g-recaptcha")) box.replaceWith(box.cloneNode(false));
  const old = [...document.scripts].find((script) => /captcha[^/]*\\.js/.test(new URL(script.src).pathname)
    && new URL(script.src).origin === location.origin);
  const script = Object.assign(document.createElement("script"), { src: old.src, nonce: old.nonce });
  document.head.append(script);
}"""


PAINTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@dataclass(frozen=True)
class Look:
    """A width, colour scheme and language."""

    width: int
    scheme: str
    locale: str

    def file(self, folder: Path, state: State) -> Path:
        """Return the path of a state's screenshot."""
        return folder / self.locale / state.slug / f"{self.width}-{self.scheme}.png"


def looks(locale: str) -> list[Look]:
    """Return the looks of a language, in the order of a sheet's columns."""
    return [Look(width, scheme, locale) for width in WIDTHS for scheme in SCHEMES]


def unpainted(page: Page, picture: Path) -> list[str]:
    """Return a problem for each captcha box of only one colour on the screenshot."""
    found = []
    with Image.open(picture) as image:
        for box in page.locator(".g-recaptcha[data-kind=v2-checkbox] iframe").all():
            at = box.bounding_box()
            if at:  # Within its edge, which the page draws.
                left, top = at["x"] + EDGE, at["y"] + EDGE
                right, bottom = at["x"] + at["width"] - EDGE, at["y"] + at["height"] - EDGE
                if image.convert("RGB").crop((left, top, right, bottom)).getcolors(maxcolors=1):
                    found.append(f"a blank captcha box on {picture.name}")
    return found


def take(page: Page, file: Path) -> list[str]:
    """Take a screenshot, again while a captcha box on it is blank; return the problems of the last."""
    for attempt in range(TIMES):
        page.wait_for_timeout(300 * attempt)
        page.screenshot(path=file)
        problems = unpainted(page, file)
        if not problems:
            break
    return problems


def shoot(page: Page, state: State, folder: Path, locale: str) -> list[str]:
    """Take all screenshots of a state in a language and return their problems."""
    problems = []
    for look in looks(locale):
        # A frame below the fold is painted only when the window reaches it.
        page.set_viewport_size({"width": look.width, "height": 2000})
        page.emulate_media(color_scheme=look.scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        if page.locator(".g-recaptcha iframe").count():
            page.evaluate(RENDER_AGAIN)
            page.frame_locator(".g-recaptcha iframe").locator("input").wait_for()
            page.wait_for_timeout(150)  # Another process paints it, without any event.
        page.set_viewport_size({"width": look.width, "height": 500})
        height = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": look.width, "height": max(height, 500)})
        if state.javascript:  # Each frame has to be painted in its new size.
            for frame in page.frames:
                frame.evaluate(PAINTED)
        file = look.file(folder, state)
        file.parent.mkdir(parents=True, exist_ok=True)
        problems += take(page, file)
    return problems


def sheets(states: list[State], folder: Path, locale: str) -> Iterator[Path]:
    """Write the sheets of a language: states of a page as rows, looks as columns."""
    for group in dict.fromkeys(state.group for state in states):
        taken = [state for state in states if state.group == group and _is_complete(state, folder, locale)]
        for number, begin in enumerate(range(0, len(taken), PER_SHEET), 1):
            path = folder / f"sheet-{locale}-{group}-{number}.png"
            _sheet(taken[begin : begin + PER_SHEET], folder, locale).save(path)
            yield path


def _is_complete(state: State, folder: Path, locale: str) -> bool:
    return all(look.file(folder, state).exists() for look in looks(locale))


def _sheet(states: list[State], folder: Path, locale: str) -> Image.Image:
    rows = [[_small(look.file(folder, state)) for look in looks(locale)] for state in states]
    widths = [max(row[nth].width for row in rows) + GAP for nth in range(len(rows[0]))]
    heights = [max(picture.height for picture in row) + CAPTION + GAP for row in rows]
    sheet = Image.new("RGB", (sum(widths) + GAP, sum(heights) + GAP), "#7f7f7f")
    top = GAP
    for state, row, height in zip(states, rows, heights, strict=True):
        ImageDraw.Draw(sheet).text((GAP, top), state.name, fill="#ffffff", font_size=18)
        for nth, picture in enumerate(row):
            sheet.paste(picture, (GAP + sum(widths[:nth]), top + CAPTION))
        top += height
    return sheet


def _small(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        scale = 0.5 if picture.width > PHONE else 0.75
        small = picture.convert("RGB").resize((round(picture.width * scale), round(picture.height * scale)))
    return small.crop((0, 0, small.width, min(small.height, LONGEST)))
