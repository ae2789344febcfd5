"""Texts in CSV files that no spreadsheet takes for a formula, and back."""

import re

# Quotation marks in front count too, so that what is made neutral can be told from what was written so.
_FORMULA = re.compile(r"'*(?:[\t\r\n]|\s*[=+\-@＝＋－＠])")


def escape_formula(text: str) -> str:
    """A text that no spreadsheet takes for a formula (OWASP, CSV injection; full-width signs included)."""
    return f"'{text}" if _FORMULA.match(text) else text


def unescape_formula(text: str) -> str:
    """The text that `neutral` made this one of."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
