"""Read the sign-in code in one of our emails."""

import re

PATTERN = r"^ {4}([0-9]{4} [0-9]{4})\b"  # Finds the code as the text part shows it, in two groups.


def find_code(text: str) -> str:
    """Return the code's digits in an email's text part."""
    found = re.search(PATTERN, text, re.MULTILINE)
    assert found, text
    return found[1].replace(" ", "")
