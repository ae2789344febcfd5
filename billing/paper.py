"""Sheets of paper in a brand's look: lines of text that wrap, in either direction, and a foot on each page.

Nothing is shared between two files, so that any number of threads may draw at once. Lengths are millimetres,
sizes of letters points.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from fpdf import FPDF
from fpdf.enums import TextMode
from fpdf.fonts import TTFFont
from fpdf.prefs import ViewerPreferences

from billing import letters
from portal import colour

MARGIN, TOP, FOOT = 20.0, 18.0, 22.0  # The foot without its lines.
TEXT, QUIET, LINE = "#1b2430", "#556070", "#d5dae1"
_LEADING = 1.45  # From line to line, of the letters' size.
_EDGE = 0.012  # Of a bold letter, in millimetres for each point of its size.
_MILLIMETRES = 25.4 / 72  # A point.
# A variable font's own outlines are its regular ones; what could change them need not be embedded.
_VARIATIONS = ("fvar", "gvar", "avar", "HVAR", "MVAR", "STAT")


@dataclass(frozen=True)
class Style:
    """How a text looks."""

    size: float = 10.5
    colour: str = TEXT
    bold: bool = False


_SMALL = Style(8.5, QUIET)


@dataclass(frozen=True)
class Cell:
    """A text beside others: how far from the side where lines begin, how wide, and to which side of that."""

    text: str
    start: float
    width: float
    style: Style = Style()
    align: str = "start"  # Or `end`.


class Paper(FPDF):
    """A4, written from the top down. `y` is where the next line begins, `rtl` turns left and right round.

    `used` holds the characters of all texts: those alone are embedded. `foot` is a list of paragraphs, and
    `number` makes the words for a page's number.
    """

    def __init__(
        self, *, rtl: bool, used: str, accent: str, foot: Sequence[str], number: Callable[[int], str]
    ) -> None:
        super().__init__(format="A4")
        self.rtl, self.accent, self.number = rtl, accent, number
        self.c_margin = 0.0
        self.set_margin(MARGIN)
        self.set_auto_page_break(False)
        self.viewer_preferences = ViewerPreferences(display_doc_title=True)
        self._embed(used)
        self.foot = [line for text in foot for line in self.lines(text, self.epw, _SMALL)]
        self.bottom = self.h - FOOT - self.height(len(self.foot), _SMALL)

    def _embed(self, used: str) -> None:
        code_points = {ord(each) for each in letters.joined(used)} | {ord(" ")}
        faces = {face.name: face for each in code_points if (face := letters.face_of(chr(each)))}
        ordered = [face for face in letters.FACES if face.name in faces]
        for face in ordered:
            self.add_font(face.name, fname=face.path, unicode_range=sorted(code_points))
            self._make_plain(face.name)
        self.set_font(ordered[0].name)
        self.set_fallback_fonts([face.name for face in ordered[1:]])

    def _make_plain(self, name: str) -> None:
        font = self.fonts[name]
        assert isinstance(font, TTFFont)
        for table in _VARIATIONS:
            if table in font.ttfont:
                del font.ttfont[table]

    def column(self, start: float, width: float) -> float:
        """Where a column lies that begins so far from the side where lines begin."""
        return float(self.w - MARGIN - start - width if self.rtl else MARGIN + start)

    @contextmanager
    def tagged(self, kind: str) -> Iterator[None]:
        """What is written meanwhile is one element, such as H1 or P, for whoever has the page read out."""
        with self._marked_sequence() as element:
            element.s = f"/{kind}"
            yield

    @contextmanager
    def decoration(self) -> Iterator[None]:
        """What is drawn meanwhile is not read out."""
        self._out("/Artifact BMC")
        yield
        self._out("EMC")

    def lines(self, text: str, width: float, style: Style) -> list[str]:
        """The text in lines that fit, in logical order; a word that is longer than a line is cut."""
        self.set_font_size(style.size)
        done: list[str] = []
        line = ""
        for word in letters.joined(text).split(" "):
            for piece in self._pieces(word, width):
                longer = f"{line} {piece}" if line else piece
                if self._width(longer) <= width:
                    line = longer
                else:
                    done, line = [*done, line], piece
        return [*done, line]

    def _pieces(self, word: str, width: float) -> Iterator[str]:
        piece = ""
        for character in word:
            if piece and self._width(piece + character) > width:
                yield piece
                piece = ""
            piece += character
        yield piece

    def width_of(self, text: str, style: Style) -> float:
        """Of a text in one line."""
        self.set_font_size(style.size)
        return self._width(letters.joined(text))

    def _width(self, text: str) -> float:
        return float(self.get_string_width(letters.bare(text)))

    def height(self, count: int, style: Style) -> float:
        """Of so many lines."""
        return count * style.size * _LEADING * _MILLIMETRES

    def put(self, lines: Sequence[str], x: float, width: float, style: Style, align: str = "start") -> None:
        """Write lines below each other; `align` is `start`, `middle` or `end`, as the language reads."""
        side = {"start": "R" if self.rtl else "L", "end": "L" if self.rtl else "R"}.get(align, "C")
        with self._as(style):
            # By itself, fpdf forgets it where a line begins in another font.
            assert self.current_font
            self._out(self._set_font_for_page(self.current_font, self.font_size_pt))
            for line in lines:
                self.set_x(x)
                text = letters.in_order(line, rtl=self.rtl)
                self.cell(width, self.height(1, style), text, align=side, new_y="NEXT")

    def _as(self, style: Style) -> AbstractContextManager[None]:
        """There is one weight of each font; bold letters are drawn with an edge."""
        context: AbstractContextManager[None] = self.local_context(
            font_family=letters.FACES[0].name,
            font_size_pt=style.size,
            text_color=style.colour,
            draw_color=style.colour,
            line_width=style.size * _EDGE,
            text_mode=TextMode.FILL_STROKE if style.bold else TextMode.FILL,
        )
        return context

    def row(self, *cells: Cell, space: float = 0, back: str = "") -> None:
        """Texts side by side on one page, with some space above and below, perhaps on a coloured ground."""
        set_ = [(cell, self.lines(cell.text, cell.width, cell.style)) for cell in cells]
        height = 2 * space + max(self.height(len(lines), cell.style) for cell, lines in set_)
        self.room(height)
        top = self.y
        if back:
            self._ground(height, back)
        for cell, lines in set_:
            self.set_y(top + space)
            with self.tagged("P"):
                self.put(lines, self.column(cell.start, cell.width), cell.width, cell.style, cell.align)
        self.set_y(top + height)

    def _ground(self, height: float, shade: str) -> None:
        with self.decoration():
            self.set_fill_color(shade)
            self.rect(MARGIN, self.y, self.epw, height, style="F")

    def paragraph(self, text: str, style: Style, kind: str = "P") -> None:
        """The whole width, on one page."""
        lines = self.lines(text, self.epw, style)
        self.room(self.height(len(lines), style))
        with self.tagged(kind):
            self.put(lines, MARGIN, self.epw, style)

    def room(self, height: float) -> None:
        """A new page where so much does not fit on this one."""
        if self.y + height > self.bottom:
            self.add_page()

    def rule(self, shade: str = LINE, thickness: float = 0.2) -> None:
        """A line across the page."""
        with self.decoration():
            self.set_draw_color(shade)
            self.set_line_width(thickness)
            self.line(MARGIN, self.y, self.w - MARGIN, self.y)

    def header(self) -> None:
        """A band in the brand's colour."""
        with self.decoration():
            self.set_fill_color(self.accent)
            self.rect(0, 0, self.w, 4, style="F")
        self.set_y(TOP)

    def footer(self) -> None:
        """The foot's paragraphs and the page's number."""
        self.set_y(self.bottom + 4)
        self.rule()
        with self.decoration():
            self.y += 2
            self.put(self.foot, MARGIN, self.epw, _SMALL)
            self.set_y(-13)
            self.put([letters.joined(self.number(self.page))], MARGIN, self.epw, _SMALL, "end")
        self._name_glyphs()  # Here, because the last foot is the last that is written.

    def discard(self) -> None:
        """Close the fonts of a file that is not to be written."""
        for font in self.fonts.values():
            assert isinstance(font, TTFFont)
            font.close()

    def _name_glyphs(self) -> None:
        """Joined Arabic letters are copied as the letters that they are."""
        for font in self.fonts.values():
            assert isinstance(font, TTFFont)
            for glyph, _code in font.subset.items():
                if glyph and isinstance(glyph.unicode, tuple):
                    glyph.unicode = letters.spoken(glyph.unicode)


def readable(accent: str) -> str:
    """The accent as text on white."""
    return colour.readable_on(accent.lower(), "#ffffff")
