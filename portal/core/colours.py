"""Colour arithmetic for a brand's accent: WCAG 2.2 contrast (relative luminance, success criterion 1.4.3)."""

import re
from functools import lru_cache

AA = 4.5
_HEX = re.compile(r"#[0-9a-f]{6}\Z")
# Black, and no softer one: with #111111 there are greys on which neither colour reaches 4.5.
DARK, LIGHT = "#000000", "#ffffff"
# Where pages and mails have the accent as text, the surface with the least contrast: light page, dark card.
LIGHT_SURFACE, DARK_SURFACE = "#f6f7f9", "#151a21"


def is_hex(colour: str) -> bool:
    """Whether the text is a colour as brands write it: `#0b6e4f`."""
    return bool(_HEX.match(colour.lower()))


def channels(colour: str) -> tuple[int, int, int]:
    """`#0b6e4f` → (11, 110, 79)."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


@lru_cache(maxsize=256)  # Our own surfaces are asked for again and again.
def luminance(colour: str) -> float:
    """Relative luminance as WCAG defines it: 0 for black, 1 for white."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (v / 255 for v in channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The contrast ratio, from 1 (same) to 21 (black on white)."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def text_on(background: str) -> str:
    """The text colour, black or white, with the higher contrast; it is never below 4.5."""
    return max((DARK, LIGHT), key=lambda text: contrast(text, background))


def readable_on(colour: str, *backgrounds: str) -> str:
    """The colour itself, or the nearest mixture with black or white that reads on each background (AA).

    The backgrounds are all light or all dark; the first decides which.
    """
    target = text_on(backgrounds[0])
    for step in range(0, 101, 2):
        mixed = mix(colour, target, step / 100)
        if all(contrast(mixed, background) >= AA for background in backgrounds):
            return mixed
    return target


def mix(one: str, other: str, share: float) -> str:
    """The colour that lies `share` of the way from one to the other; 0 is the one, 1 the other."""
    mixed = (round(a + (b - a) * share) for a, b in zip(channels(one), channels(other), strict=True))
    return "#" + "".join(f"{value:02x}" for value in mixed)
