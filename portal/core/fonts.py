"""Fonts for typesetting, from Python packages: every machine draws the same letters."""

from functools import cache
from importlib.resources import files

import typst

_PACKAGES = ("manimgx_fonts", "manimgx_fonts_cjk", "fontpkg_almarai")


@cache
def load_fonts() -> typst.Fonts:
    """Return the fonts for Typst, which takes no others. Threads may share them."""
    paths = [str(files(package)) for package in _PACKAGES]
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=paths)
