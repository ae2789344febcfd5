"""A statement as a PDF file in the brand's look, in the language of the page."""

from io import BytesIO

from django.utils import timezone
from django.utils.translation import get_language, get_language_bidi, to_locale
from django.utils.translation import gettext as _
from PIL import Image

from accounts.models import User
from billing import paper
from billing.figures import Figures
from billing.paper import QUIET, Cell, Paper, Style
from billing.services import rounding_shows, rounding_words, statement_amounts
from portal import colour
from portal.bulkhead import DRAWING
from portal.models import Brand
from portal.templatetags.portal import day, moment, money
from portal.voipline import Statement

_LOGO = (62.0, 18.0)  # Millimetres that a logo is fitted into.
_MARK = 11.0
_LABEL = 50.0  # Millimetres for the names of facts.
_STRONG = ("total_charges", "closing_balance")
_WARN_BACK, _WARN = "#fff4dc", "#7a4d00"


def statement_pdf(*, brand: Brand, customer: User, found: Figures) -> bytes:
    """The file of figures that there are. Amounts are rounded to the cent, as on the page.

    Raises `portal.bulkhead.Busy` where too many are being drawn.
    """
    if brand.logo_hash:
        bytes(brand.logo)  # Deferred: read now, because drawing holds no connection.
    with DRAWING.slot():
        return _drawn(_Content(brand, customer, found))


def _drawn(content: "_Content") -> bytes:
    pages = 1
    while True:
        sheet = content.written(pages)
        if sheet.pages_count == pages:
            return bytes(sheet.output())
        sheet.discard()
        pages = sheet.pages_count  # Only a file with very long names gets here.


class _Content:
    """What stands in the file, as texts in the current language."""

    def __init__(self, brand: Brand, customer: User, found: Figures) -> None:
        assert found.statement
        assert found.shown
        assert found.as_of
        self.brand, self.statement = brand, found.statement
        self.title = _("Statement")
        self.period = _("%(first)s to %(last)s, both included") % {
            "first": day(found.shown.from_date),
            "last": day(found.shown.to_date),
        }
        self.facts = _facts(brand, customer, found)
        self.rows = _rows(brand, found.statement)
        self.notices = _notices(brand, found)
        self.foot = _foot(brand)

    def _number(self, page: int, pages: int) -> str:
        return _("Page %(page)s of %(pages)s") % {"page": page, "pages": pages}

    def _used(self) -> str:
        """Every character, and the digits of page numbers."""
        texts = [self.title, self.period, self.brand.name, self.brand.name[:1].upper(), *self.foot]
        texts += [*self.notices, self._number(0, 0), "0123456789"]
        texts += [text for name, value in self.facts for text in (name, value)]
        return " ".join(texts + [text for _name, label, amount in self.rows for text in (label, amount)])

    def written(self, pages: int) -> Paper:
        """The sheets, said to be so many."""
        sheet = Paper(
            rtl=get_language_bidi(),
            used=self._used(),
            accent=self.brand.accent.lower(),
            foot=self.foot,
            number=lambda page: self._number(page, pages),
        )
        self._describe(sheet)
        sheet.add_page()
        self._fill(sheet)
        return sheet

    def _fill(self, sheet: Paper) -> None:
        _head(sheet, self.brand)
        accent = paper.readable(self.brand.accent)
        sheet.paragraph(self.title, Style(22, accent, bold=True), "H1")
        sheet.paragraph(self.period, Style(11, QUIET))
        sheet.y += 4
        for name, value in self.facts:
            width = sheet.epw - _LABEL
            sheet.row(Cell(name, 0, _LABEL - 4, Style(colour=QUIET)), Cell(value, _LABEL, width))
        sheet.y += 6
        for text in self.notices:
            sheet.row(Cell(text, 4, sheet.epw - 8, Style(colour=_WARN)), space=2.5, back=_WARN_BACK)
            sheet.y += 4
        for name, label, amount in self.rows:
            self._amount(sheet, name, label, amount)

    def _amount(self, sheet: Paper, name: str, label: str, amount: str) -> None:
        """As much of the width for the label as the amount leaves."""
        style = Style(12, bold=name in _STRONG)
        wide = sheet.width_of(amount, style) + 2
        back = colour.mix("#ffffff", self.brand.accent.lower(), 0.1) if name == "closing_balance" else ""
        sheet.row(
            Cell(label, 3, sheet.epw - wide - 8, style),
            Cell(amount, sheet.epw - wide - 3, wide, style, "end"),
            space=2,
            back=back,
        )
        sheet.rule()

    def _describe(self, sheet: Paper) -> None:
        sheet.set_title(f"{self.title}, {self.period} · {self.brand.name}")
        sheet.set_author(self.brand.name)
        sheet.set_lang(to_locale(get_language() or self.brand.language).replace("_", "-"))
        sheet.set_creation_date(timezone.localtime())


def _facts(brand: Brand, customer: User, found: Figures) -> list[tuple[str, str]]:
    assert found.as_of
    named = [
        (_("Customer"), f"{customer.first_name} {customer.last_name}".strip()),
        (_("Company"), customer.company_name),
        (_("Account number"), customer.account_number),
        (_("Currency"), brand.currency),
        (_("As of"), moment(found.as_of)),
    ]
    return [(name, value) for name, value in named if value]


def _rows(brand: Brand, statement: Statement) -> list[tuple[str, str, str]]:
    return [(name, label, money(amount, brand)) for name, label, amount in statement_amounts(statement)]


def _notices(brand: Brand, found: Figures) -> list[str]:
    assert found.statement
    assert found.as_of
    notices = []
    if found.trouble:
        notices.append(
            _("These are the last figures we have, as of %(moment)s. What has happened since is not in them.")
            % {"moment": moment(found.as_of)}
        )
    if not found.statement.sums_hold:
        notices.append(
            _(
                "These figures do not add up. We show them as we received them and have made a note of it;"
                " please ask our support if you need certainty."
            )
        )
    if rounding_shows(found.statement, brand):
        notices.append(rounding_words())
    if not found.statement.moved:
        notices.append(_("No movement in this period."))
    return notices


def _foot(brand: Brand) -> list[str]:
    """Whom to ask, and the terms. Addresses keep their own direction."""
    contact = ", ".join(f"\u2066{each}\u2069" for each in (brand.support_email, brand.support_phone) if each)
    questions = _("Questions? %(name)s is glad to help:") % {"name": brand.name}
    terms = f"{_('Terms of service')}: \u2066{brand.terms_url}\u2069"
    return [f"{questions} {contact}", *([terms] if brand.terms_url else [])]


def _head(sheet: Paper, brand: Brand) -> None:
    """The logo, or the first letter and the name."""
    top = sheet.y
    if brand.logo_hash:
        picture = bytes(brand.logo)
        width, height = _fitted(picture)
        sheet.image(BytesIO(picture), sheet.column(0, width), top, width, height, alt_text=brand.name)
        sheet.set_y(top + height + 10)
        return
    _mark(sheet, brand)
    sheet.row(Cell(brand.name, _MARK + 4, sheet.epw - _MARK - 4, Style(14, bold=True)), space=2)
    sheet.set_y(max(sheet.y, top + _MARK) + 9)


def _mark(sheet: Paper, brand: Brand) -> None:
    accent = brand.accent.lower()
    style = Style(17, colour.text_on(accent), bold=True)
    x, top = sheet.column(0, _MARK), sheet.y
    with sheet.decoration():
        sheet.set_fill_color(accent)
        sheet.rect(x, top, _MARK, _MARK, style="F", round_corners=True, corner_radius=2.5)
        sheet.set_y(top + (_MARK - sheet.height(1, style)) / 2)
        sheet.put(sheet.lines(brand.name[:1].upper(), _MARK, style), x, _MARK, style, "middle")
    sheet.set_y(top)


def _fitted(picture: bytes) -> tuple[float, float]:
    """Width and height in millimetres."""
    with Image.open(BytesIO(picture)) as image:
        scale = min(_LOGO[0] / image.width, _LOGO[1] / image.height)
        return image.width * scale, image.height * scale
