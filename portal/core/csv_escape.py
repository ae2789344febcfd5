"""Escape texts in CSV files so that no spreadsheet reads them as a formula, and unescape them."""

import re

# Leading quotation marks match too, so that an escaped text differs from one that was written like that.
_FORMULA = re.compile(r"'*(?:[\t\r\n]|\s*[=+\-@＝＋－＠])")


def escape_formula(text: str) -> str:
    """Quote a text that a spreadsheet would read as a formula (OWASP CSV injection; full-width signs too)."""
    return f"'{text}" if _FORMULA.match(text) else text


def unescape_formula(text: str) -> str:
    """Undo `escape_formula`."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
