"""Icons of a brand without a logo: the first letter of its name on its accent colour, as in the header."""

from functools import lru_cache
from pathlib import Path

import typst
from django.utils.html import format_html

from portal.core import colours
from portal.core.fonts import load_fonts
from portal.models import Brand

_TEMPLATE = Path(__file__).with_name("icon.typ")
_PIXELS_PER_INCH = 72  # One pixel a point: 180 by 180, as phones take it.


def get_letter(brand: Brand) -> str:
    """Return the letter of the header's mark."""
    return brand.name[:1].upper()


def draw_svg(brand: Brand) -> str:
    """Return the icon for a browser's tab."""
    accent = brand.accent.lower()
    return format_html(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" '
        'fill="{}"/><text x="16" y="22.500" font-family="system-ui,sans-serif" font-size="18" '
        'font-weight="700" text-anchor="middle" fill="{}">{}</text></svg>',
        accent,
        colours.text_on(accent),
        get_letter(brand),
    )


def draw_png(brand: Brand) -> bytes:
    """Return the icon for a phone's home screen, 180 by 180 pixels without transparency."""
    return _draw(get_letter(brand), brand.accent.lower())


@lru_cache(maxsize=50)
def _draw(letter: str, accent: str) -> bytes:
    values = {"letter": letter, "accent": accent, "on_accent": colours.text_on(accent)}
    return typst.compile(
        _TEMPLATE,
        root=_TEMPLATE.parent,
        format="png",
        ppi=_PIXELS_PER_INCH,
        font_paths=load_fonts(),
        sys_inputs=values,
    )
