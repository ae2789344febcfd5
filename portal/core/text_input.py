"""What people type and paste, in the form that is kept and sent on.

Address books, mail programmes and keyboards add marks that nobody sees, and have blanks, hyphens and digits
of their own. Passwords and tokens never come here: they go on byte for byte.
"""

import re
import unicodedata

# Bidi controls (UAX 9), the soft hyphen, the zero-width blank, the word joiner and the byte order mark. The
# joiners U+200C and U+200D and the variation selectors belong to the spelling of names.
_UNSEEN_IN_NAMES = re.compile("[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_DIGITS_APART = re.compile(r"\d(?:[ -]*\d)*", re.ASCII)
_DIGITS = re.compile(r"\d+", re.ASCII)


def name(text: str) -> str:
    """A name as it was typed, with plain blanks for wide ones and without marks that nobody sees."""
    plain = _plain_blanks(_UNSEEN_IN_NAMES.sub("", text)).strip()
    return "" if all(_is_nothing(letter) for letter in plain) else plain


def phone(text: str) -> str:
    """A number as one types it, `+61 2-5550 0101`: unseen marks out, plain blanks, hyphens, digits, signs."""
    seen = _bare(unicodedata.normalize("NFKC", text))
    plain = _plain_blanks(_plain_hyphens(_ascii_digits(seen))).strip()
    return plain[4:].strip() if plain.lower().startswith("tel:") else plain


def trimmed(text: str) -> str:
    """A text without blanks and unseen marks at its ends, as an address is pasted."""
    first, last = 0, len(text)
    while first < last and _is_nothing(text[first]):
        first += 1
    while first < last and _is_nothing(text[last - 1]):
        last -= 1
    return text[first:last]


def account_number(text: str) -> str:
    """A number without blanks around it and without unseen marks."""
    return _seen(text).strip()


def digits(text: str, length: int) -> str:
    """The only run of so many digits in a text, in any script; blanks and hyphens may stand inside.

    Where there is no such run, or more than one, the text without blanks and unseen marks.
    """
    plain = _plain_blanks(_plain_hyphens(_ascii_digits(_bare(text))))
    for pattern in (_DIGITS, _DIGITS_APART):
        runs = {re.sub("[ -]", "", run) for run in pattern.findall(plain)}
        fitting = [run for run in runs if len(run) == length]
        if len(fitting) == 1:
            return fitting[0]
    return re.sub(r"\s", "", plain)


def code(text: str) -> str:
    """The carrier's confirmation code, which may hold letters: without blanks and hyphens, its case kept."""
    return re.sub(r"[\s-]", "", _plain_blanks(_plain_hyphens(_ascii_digits(_bare(text)))))


def _bare(text: str) -> str:
    """Without unseen marks and what is set over or around a letter, as in keycaps of emoji keyboards."""
    return "".join(each for each in text if unicodedata.category(each) not in ("Cf", "Mn", "Me"))


def _seen(text: str) -> str:
    return "".join(letter for letter in text if unicodedata.category(letter) != "Cf")


def _is_nothing(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter) == "Cf"


def _plain_blanks(text: str) -> str:
    return "".join(" " if unicodedata.category(each) == "Zs" or each == "\t" else each for each in text)


def _plain_hyphens(text: str) -> str:
    plain = text.replace("\u2212", "-")  # The minus sign is no hyphen to Unicode.
    return "".join("-" if unicodedata.category(letter) == "Pd" else letter for letter in plain)


def _ascii_digits(text: str) -> str:
    return "".join(str(unicodedata.digit(letter)) if letter.isdecimal() else letter for letter in text)
