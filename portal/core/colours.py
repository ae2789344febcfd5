"""Compute colours for a brand's accent: WCAG 2.2 contrast (relative luminance, success criterion 1.4.3)."""

import colorsys
import re
from functools import lru_cache

AA = 4.5
_HEX = re.compile(r"#[0-9a-f]{6}\Z")
# Pure black: with #111111 there are greys on which neither colour reaches 4.5.
DARK, LIGHT = "#000000", "#ffffff"
# The surfaces with the least contrast to accent-coloured text in pages and emails: light page, dark card.
LIGHT_SURFACE, DARK_SURFACE = "#f6f7f9", "#171d25"
_CALM = 0.55  # Saturation at most, of a light colour on a dark page.


def is_hex(colour: str) -> bool:
    """Return True if the text is a colour as brands write it: `#0b6e4f`."""
    return bool(_HEX.match(colour.lower()))


def channels(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue: `#0b6e4f` → (11, 110, 79)."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


@lru_cache(maxsize=256)  # Most calls are for our own surfaces.
def luminance(colour: str) -> float:
    """Return the relative luminance as WCAG defines it: 0 for black, 1 for white."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (v / 255 for v in channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio, from 1 (same colour) to 21 (black on white)."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def text_on(background: str) -> str:
    """Return black or white, the one with the higher contrast as text. The contrast is never below 4.5."""
    return max((DARK, LIGHT), key=lambda text: contrast(text, background))


def readable_on(colour: str, *backgrounds: str) -> str:
    """Return the colour, or the nearest mix with black or white that is readable on each background (AA).

    The backgrounds must be all light or all dark; the first decides whether to mix with black or white.
    """
    target = text_on(backgrounds[0])
    for step in range(0, 101, 2):
        mixed = mix(colour, target, step / 100)
        if all(contrast(mixed, background) >= AA for background in backgrounds):
            return mixed
    return target


def lighten(colour: str, background: str, least: float) -> str:
    """Return the nearest lighter shade of the same hue with this contrast to a dark background.

    A colour that is mixed with white looks grey, so the lightness is raised; strong colours are calmed.
    """
    hue, lightness, saturation = colorsys.rgb_to_hls(*(value / 255 for value in channels(colour)))
    for step in range(round(100 * lightness), 101):
        shade = colorsys.hls_to_rgb(hue, step / 100, min(saturation, _CALM))
        lighter = "#" + "".join(f"{round(255 * value):02x}" for value in shade)
        if contrast(lighter, background) >= least:
            return lighter
    return LIGHT


def mix(one: str, other: str, share: float) -> str:
    """Return a mix of two colours. With a `share` of 0 it is the first, with 1 the second."""
    mixed = (round(a + (b - a) * share) for a, b in zip(channels(one), channels(other), strict=True))
    return "#" + "".join(f"{value:02x}" for value in mixed)
