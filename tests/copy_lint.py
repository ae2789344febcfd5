"""Check all translatable texts against the words to avoid, and the length of customers' sentences.

`python -m tests.copy_lint` is part of `make check`. A text that needs one of the words is in WAIVERS with
the reason.
"""

import html
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.extract import extract_from_file

ROOT = Path(__file__).resolve().parents[1]
# As `make messages` extracts them.
KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "Words": None,
}
AVOID = re.compile(
    r"e-mail|\bmail(s|ed|box)?\b|telephone|figures|;|at the moment|please|(do|does|is|are|was|can) ?not\b"
    r"|go(es)? on|whoever|so that",
    re.IGNORECASE,
)
MOST_WORDS = 22  # In a sentence that customers read.
# Paths of texts that only staff and operators read.
_STAFF = re.compile(
    r"admin|/staff/|/management/|customer_import|transfers|launch|config_file|url_import|connection|preview"
    r"|simulator|portal/(models|voipline|core|carrier|security|mail)/|checks\.py"
    r"|mail/(unknown_transfer|limits_raised|test|authenticator_reset|password_set)/"
)
# Text → why it may keep the word.
WAIVERS = {
    "There's a problem on our side. Your account isn't affected. Please let us know so we can fix it:": (
        "we ask for a favour"
    ),
}


def texts() -> Iterator[tuple[str, str]]:
    """Yield (path, text) of every translatable text."""
    for path in sorted((ROOT / "templates").rglob("*")):
        if path.suffix in (".html", ".txt"):
            yield from _extract(path, "portal.i18n.babel_extractor:extract_template")
    for app in ("portal", "accounts", "billing"):
        for path in sorted((ROOT / app).rglob("*.py")):
            yield from _extract(path, "python")


def _extract(path: Path, method: str) -> Iterator[tuple[str, str]]:
    for _line, message, _comments, _context in extract_from_file(method, path, keywords=KEYWORDS):
        for text in [message] if isinstance(message, str) else message:
            yield str(path.relative_to(ROOT)), text


def longest_sentence(text: str) -> int:
    """Return the number of words of the longest sentence; a placeholder counts as one."""
    plain = re.sub(r"<[^>]+>", "", html.unescape(text))
    return max(len(sentence.split()) for sentence in re.split(r"[.!?:]\s", plain))


def problems() -> list[str]:
    """Return a line for each text with a word to avoid or a long sentence, and for each needless waiver."""
    found = {text: path for path, text in texts() if AVOID.search(html.unescape(text))}
    lines = [f"{path}: {text}" for text, path in found.items() if text not in WAIVERS]
    lines += [
        f"{path}: a sentence of {length} words: {text}"
        for path, text in texts()
        if not _STAFF.search(path) and (length := longest_sentence(text)) > MOST_WORDS
    ]
    return lines + [f"waiver not needed: {text}" for text in WAIVERS if text not in found]


if __name__ == "__main__":
    if lines := problems():
        sys.exit("\n".join(["Words to avoid in texts, or long sentences:", *lines]))
