"""Check the texts that customers read against the words to avoid: `python -m tests.copy_lint`.

Part of `make check`. A text that needs one of the words is named in WAIVERS with the reason.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.extract import extract_from_file

ROOT = Path(__file__).resolve().parents[1]

# Customers' pages and emails. The admin, emails to staff and operators' messages are not among them.
TEMPLATES = ("accounts", "billing", "includes", "portal", "django", "mail")
STAFF_MAILS = ("authenticator_reset", "limits_raised", "password_set", "test", "unknown_transfer")
MODULES = (
    "accounts/forms.py",
    "accounts/fields.py",
    "accounts/services/outcomes.py",
    "accounts/views",
    "billing/statements",
    "billing/views",
    "portal/captcha.py",
    "portal/web",
)
KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
}
AVOID = re.compile(
    r"e-mail|\bmail(s|ed|box)?\b|telephone|figures|;|at the moment|please|(do|does|is|are|was|can) ?not\b"
    r"|go(es)? on|whoever|so that",
    re.IGNORECASE,
)
# Text → why it may keep the word.
WAIVERS = {
    "There's a problem on our side. Your account isn't affected. Please let us know so we can fix it:": (
        "we ask for a favour"
    ),
}


def texts() -> Iterator[tuple[str, str]]:
    """Yield (path, text) of every text that customers read."""
    for folder in TEMPLATES:
        for path in sorted((ROOT / "templates" / folder).rglob("*")):
            if path.is_file() and path.parent.name not in STAFF_MAILS:
                yield from _extract(path, "portal.i18n.babel_extractor:extract_template")
    for name in MODULES:
        base = ROOT / name
        for path in [base] if base.is_file() else sorted(base.rglob("*.py")):
            yield from _extract(path, "python")


def _extract(path: Path, method: str) -> Iterator[tuple[str, str]]:
    for _line, message, _comments, _context in extract_from_file(method, path, keywords=KEYWORDS):
        for text in [message] if isinstance(message, str) else message:
            yield str(path.relative_to(ROOT)), text


def problems() -> list[str]:
    """Return a line for each text with a word to avoid, and for each waiver that is not needed."""
    found = {text: path for path, text in texts() if AVOID.search(text)}
    lines = [f"{path}: {text}" for text, path in found.items() if text not in WAIVERS]
    return lines + [f"waiver not needed: {text}" for text in WAIVERS if text not in found]


if __name__ == "__main__":
    if lines := problems():
        sys.exit("\n".join(["Words to avoid in texts for customers:", *lines]))
