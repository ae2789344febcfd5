"""Text for PDF files: fonts for every script that the portal speaks, Arabic joined, each line in its order.

A PDF page knows no writing direction and joins no letters: it shows glyphs from left to right. The fonts come
with Python packages; each is read only where a text needs it.
"""

import unicodedata
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import arabic_reshaper
from fontTools.ttLib import TTFont
from fpdf.bidi import BidiParagraph
from fpdf.enums import TextDirection

REPLACEMENT = "\ufffd"  # For what no font has; the first font has it.
_MIRRORED = dict(zip("()[]{}<>«»‹›", ")(][}{><»«›‹", strict=True))
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN", "RLE", "RLO", "RLI", "LRI", "FSI"})


@dataclass(frozen=True)
class Face:
    """A font file by the name that the PDF knows it by."""

    name: str
    package: str
    file: str

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return Path(str(files(self.package).joinpath(self.file)))


# In the order in which they are asked for a character; the last one is large.
FACES = (
    Face("sans", "fontpkg_noto_sans", "files/NotoSans[wdth,wght].ttf"),
    Face("arabic", "fontpkg_noto_sans_arabic", "files/NotoSansArabic[wdth,wght].ttf"),
    Face("chinese", "pylopdf_fonts_zh_cn", "NotoSansSC-Regular.otf"),
)


@cache
def _characters(face: Face) -> frozenset[int]:
    """Which code points the font has; read once per process."""
    with TTFont(face.path, lazy=True) as font:
        return frozenset(font.getBestCmap())


def face_of(character: str) -> Face | None:
    """The first font that has it."""
    return next((face for face in FACES if ord(character) in _characters(face)), None)


def joined(text: str) -> str:
    """The text in one line, its Arabic letters joined, and a sign for what no font has."""
    line = unicodedata.normalize("NFC", " ".join(text.split()))
    if any("ARABIC" in unicodedata.name(each, "") for each in line):
        line = arabic_reshaper.reshape(line)
    return "".join(_drawable(each) for each in line)


def _drawable(character: str) -> str:
    """Marks of direction are kept until the line has its order."""
    if _is_mark(character) or face_of(character):
        return character
    plain = unicodedata.normalize("NFKC", character)
    return plain if all(face_of(each) for each in plain) else REPLACEMENT


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in ("Cf", "Cc")


def in_order(line: str, *, rtl: bool) -> str:
    """A line of `joined` text as its glyphs stand from left to right, without marks of direction."""
    if rtl or any(unicodedata.bidirectional(each) in _RIGHT_TO_LEFT for each in line):
        line = _reordered(line, TextDirection.RTL if rtl else TextDirection.LTR) if line else line
    return bare(line)


def bare(text: str) -> str:
    """Without marks of direction, which no font draws."""
    return "".join(each for each in text if not _is_mark(each))


def _reordered(line: str, direction: TextDirection) -> str:
    """By the Unicode bidirectional algorithm, whose rule L4, mirrored brackets, fpdf leaves to others."""
    paragraph = BidiParagraph(text=line, base_direction=direction)
    return "".join(
        _MIRRORED.get(each.character, each.character) if each.embedding_level % 2 else each.character
        for each in paragraph.get_reordered_characters()
    )


def spoken(code_points: tuple[int, ...]) -> tuple[int, ...]:
    """What a glyph is called when it is copied: the letters that were joined into it."""
    text = "".join(map(chr, code_points))
    is_form = any(0xFB50 <= each <= 0xFDFF or 0xFE70 <= each <= 0xFEFC for each in code_points)
    return tuple(map(ord, unicodedata.normalize("NFKC", text))) if is_form else code_points
