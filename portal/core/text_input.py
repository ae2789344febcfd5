"""Clean up text that users type or paste, before it is stored or sent on.

Address books, email programs and keyboards add invisible characters, and use other spaces, hyphens and digits
than ASCII. Passwords and tokens are never cleaned: they are passed on byte for byte.
"""

import re
import unicodedata

# Bidi controls (UAX 9), the soft hyphen, the zero-width space, the word joiner and the byte order mark. The
# joiners U+200C and U+200D and the variation selectors are part of the spelling of names.
_INVISIBLE_IN_NAMES = re.compile("[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_SPACED_DIGITS = re.compile(r"\d(?:[ -]*\d)*", re.ASCII)
_DIGITS = re.compile(r"\d+", re.ASCII)


def name(text: str) -> str:
    """Return a name with ASCII spaces and without invisible characters."""
    plain = _plain_spaces(_INVISIBLE_IN_NAMES.sub("", text)).strip()
    return "" if all(_is_invisible(letter) for letter in plain) else plain


def phone(text: str) -> str:
    """Return a phone number like `+61 2-5550 0101` with ASCII digits and signs, all visible."""
    plain = _plain(unicodedata.normalize("NFKC", text)).strip()
    return plain[4:].strip() if plain.lower().startswith("tel:") else plain


def trimmed(text: str) -> str:
    """Return a text without spaces and invisible characters at its ends, as pasted addresses have them."""
    first, last = 0, len(text)
    while first < last and _is_invisible(text[first]):
        first += 1
    while first < last and _is_invisible(text[last - 1]):
        last -= 1
    return text[first:last]


def account_number(text: str) -> str:
    """Return an account number without invisible characters and without spaces around it."""
    return "".join(letter for letter in text if unicodedata.category(letter) != "Cf").strip()


def digits(text: str, length: int) -> str:
    """Return the only run of `length` digits in a text. Any script; spaces and hyphens may be inside the run.

    If there is no such run, or more than one, return the text without spaces and invisible characters.
    """
    plain = _plain(text)
    for pattern in (_DIGITS, _SPACED_DIGITS):
        runs = {re.sub("[ -]", "", run) for run in pattern.findall(plain)}
        matching = [run for run in runs if len(run) == length]
        if len(matching) == 1:
            return matching[0]
    return re.sub(r"\s", "", plain)


def code(text: str) -> str:
    """Return the carrier's confirmation code without spaces and hyphens. It may have letters of any case."""
    return re.sub(r"[\s-]", "", _plain(text))


def _plain(text: str) -> str:
    """Return a text without invisible characters, and with ASCII digits, hyphens and spaces."""
    return _plain_spaces(_plain_hyphens(_ascii_digits(_strip_marks(text))))


def _strip_marks(text: str) -> str:
    """Remove invisible characters and combining marks, such as the keycaps of emoji keyboards."""
    return "".join(letter for letter in text if unicodedata.category(letter) not in ("Cf", "Mn", "Me"))


def _is_invisible(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter) == "Cf"


def _plain_spaces(text: str) -> str:
    return "".join(
        " " if unicodedata.category(letter) == "Zs" or letter == "\t" else letter for letter in text
    )


def _plain_hyphens(text: str) -> str:
    plain = text.replace("\u2212", "-")  # Unicode does not class the minus sign as a dash.
    return "".join("-" if unicodedata.category(letter) == "Pd" else letter for letter in plain)


def _ascii_digits(text: str) -> str:
    return "".join(str(unicodedata.digit(letter)) if letter.isdecimal() else letter for letter in text)
