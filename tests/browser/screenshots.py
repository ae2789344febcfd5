"""Pictures of every state in every look, and sheets on which many lie side by side."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Page

from tests.browser.states_runner import State

WIDTHS, SCHEMES, LOCALES = (1280, 360, 320), ("light", "dark"), ("en", "ar")
PHONE = 600  # Pixels; anything narrower lies on the sheets in more detail.
LONGEST = 1500  # Pixels of a picture's height on a sheet.
PER_SHEET = 6
GAP, CAPTION = 16, 24
TIMES = 5  # Attempts at a picture.
EDGE = 6  # Pixels of a captcha box, with its rounded corners.
# Google's box chooses its size and colours when the page loads: put it up anew, by our own script.
AGAIN = """() => {
  for (const box of document.querySelectorAll(".g-recaptcha")) box.replaceWith(box.cloneNode(false));
  const old = [...document.scripts].find((script) => /captcha[^/]*\\.js/.test(new URL(script.src).pathname)
    && new URL(script.src).origin === location.origin);
  const script = Object.assign(document.createElement("script"), { src: old.src, nonce: old.nonce });
  document.head.append(script);
}"""


PAINTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


@dataclass(frozen=True)
class Look:
    """One way of looking at a page."""

    width: int
    scheme: str
    locale: str

    def file(self, folder: Path, state: State) -> Path:
        """Where its picture of a state lies."""
        return folder / self.locale / state.slug / f"{self.width}-{self.scheme}.png"


def looks(locale: str) -> list[Look]:
    """Those of one language, in the order of a sheet's columns."""
    return [Look(width, scheme, locale) for width in WIDTHS for scheme in SCHEMES]


def unpainted(page: Page, picture: Path) -> list[str]:
    """A complaint for each of Google's boxes that is of one colour on the picture."""
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
    """A picture, again while a captcha box on it is blank; what is wrong with the last."""
    for attempt in range(TIMES):
        page.wait_for_timeout(300 * attempt)
        page.screenshot(path=file)
        problems = unpainted(page, file)
        if not problems:
            break
    return problems


def shoot(page: Page, state: State, folder: Path, locale: str) -> list[str]:
    """All pictures of one state in one language; what is wrong with them."""
    problems = []
    for look in looks(locale):
        # A frame below the fold is painted only when the screen reaches down to it.
        page.set_viewport_size({"width": look.width, "height": 2000})
        page.emulate_media(color_scheme=look.scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        if page.locator(".g-recaptcha iframe").count():
            page.evaluate(AGAIN)
            page.frame_locator(".g-recaptcha iframe").locator("input").wait_for()
            page.wait_for_timeout(150)  # Its paint comes from another process, and tells nobody.
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
    """Write the sheets of one language: the states of a page below each other, the looks side by side."""
    for group in dict.fromkeys(state.group for state in states):
        own = [state for state in states if state.group == group and _taken(state, folder, locale)]
        for number, begin in enumerate(range(0, len(own), PER_SHEET), 1):
            path = folder / f"sheet-{locale}-{group}-{number}.png"
            _sheet(own[begin : begin + PER_SHEET], folder, locale).save(path)
            yield path


def _taken(state: State, folder: Path, locale: str) -> bool:
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
