"""Render a statement as a PDF file in the brand's design, in the language of the page.

Typst compiles `statement.typ` with fonts from Python packages; system fonts are not used.
"""

import json
import unicodedata
from pathlib import Path
from typing import Any

import typst
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.models import User
from billing.statements.labels import get_rounding_note, is_rounding_visible, list_signed_amounts
from billing.statements.service import StatementResult
from portal.core import colours, text_input
from portal.core.fonts import load_fonts
from portal.core.formats import day, zoned_time
from portal.core.money import format_money
from portal.models import Brand
from portal.resilience.bulkhead import DRAWING

_TEMPLATE = Path(__file__).with_name("statement.typ")
_REGIONS = {"hans": "CN"}  # Typst selects a Chinese script by region.


def render_pdf(*, brand: Brand, customer: User, found: StatementResult) -> bytes:
    """Return the PDF of a known statement. Amounts are rounded to the cent, as on the page.

    If no font has a letter of the customer's name, the email address replaces it.
    Raises `portal.resilience.bulkhead.Busy` if too many PDFs are being rendered.
    """
    if brand.logo_hash:
        bytes(brand.logo)  # Deferred: load it now, as rendering has no connection.
    with DRAWING.slot():
        return _render(brand, customer, found)


def _render(brand: Brand, customer: User, found: StatementResult) -> bytes:
    data = _data(brand, customer, found)
    names = f"{customer.first_name} {customer.last_name}", customer.company_name
    for name, company in (names, (customer.email, names[1]), (customer.email, "")):
        try:
            return _compile({**data, "holder": _list_lines(name, company)}, accessible=True)
        except typst.TypstError:  # In an accessible file, a letter missing in all fonts is an error.
            continue
    # The brand's own texts have such letters, which are shown as boxes.
    return _compile({**data, "holder": _list_lines(*names)}, accessible=False)


def _compile(data: dict[str, Any], *, accessible: bool) -> bytes:
    """Compile the file, as PDF/UA-1 if accessible. Threads share the fonts, but no compiler."""
    return typst.compile(
        _TEMPLATE,
        root=_TEMPLATE.parent,
        format="pdf",
        font_paths=load_fonts(),
        sys_inputs={"data": json.dumps(data)},
        pdf_standards=["ua-1"] if accessible else [],
    )


def _data(brand: Brand, customer: User, found: StatementResult) -> dict[str, Any]:
    """Return the data of the file except the account holder, as texts in the current language."""
    assert found.statement
    assert found.period_shown
    accent, title = brand.accent.lower(), _("Statement")
    period = _("%(first)s to %(last)s") % {
        "first": day(found.period_shown.from_date),
        "last": day(found.period_shown.to_date),
    }
    lang, _dash, rest = (get_language() or brand.language).lower().partition("-")
    region = _REGIONS.get(rest, rest)
    return {
        "lang": lang,
        "region": region if len(region) == 2 else None,
        "name": _clean_line(f"{title}, {period} · {brand.name}"),
        "brand": _clean_line(brand.name),
        "logo": list(bytes(brand.logo)) if brand.logo_hash else [],
        "accent": accent,
        "on_accent": colours.text_on(accent),
        "readable": colours.readable_on(accent, "#ffffff"),
        "tint": colours.mix("#ffffff", accent, 0.1),
        "title": title,
        "period": _clean_line(period),
        "facts": _facts(brand, customer, found),
        "notices": _list_lines(*_notices(brand, found)),
        "rows": [
            (
                line.field == "closing_balance",
                line.label,
                _clean_line(line.format(brand)),
            )
            for line in list_signed_amounts(found.statement)
        ],
        "total": (_("Total charges"), _clean_line(format_money(found.statement.total_charges, brand))),
        "foot": _footer(brand),
        "number": _("Page %(page)s of %(pages)s") % {"page": "{page}", "pages": "{pages}"},
    }


def _clean_line(text: str) -> str:
    """Return the text in one line, without bidi marks, which would also apply after its end.

    Typst accepts neither NUL nor surrogates; other control characters are invisible anyway.
    """
    line = unicodedata.normalize("NFC", " ".join(text.split()))
    return text_input.name("".join(each for each in line if unicodedata.category(each) not in ("Cc", "Cs")))


def _list_lines(*texts: str) -> list[str]:
    return [line for text in texts if (line := _clean_line(text))]


def _facts(brand: Brand, customer: User, found: StatementResult) -> list[tuple[str, str]]:
    assert found.as_of
    facts = [
        (_("Account number"), customer.account_number),
        (_("Issued"), zoned_time(found.as_of, brand)),
        (_("Currency"), brand.currency),
    ]
    return [(name, line) for name, value in facts for line in _list_lines(value)]


def _notices(brand: Brand, found: StatementResult) -> list[str]:
    assert found.statement
    assert found.as_of
    notices = []
    if found.error:
        notices.append(
            _("This is the latest we have, from %(moment)s. Anything since then isn't included.")
            % {"moment": zoned_time(found.as_of, brand)}
        )
    if not found.statement.is_consistent:
        notices.append(
            _(
                "These amounts don't add up. We've shown them exactly as we received them. If you need to"
                " be sure, contact us."
            )
        )
    if is_rounding_visible(found.statement, brand):
        notices.append(get_rounding_note())
    if not found.statement.has_activity:
        notices.append(_("No payments or charges in this period."))
    return notices


def _footer(brand: Brand) -> list[tuple[str, list[str]]]:
    """Return the support and terms lines of the footer: (label, contacts or URLs)."""
    questions = _("Need help? Contact %(name)s:") % {"name": brand.name}
    foot = [
        (questions, [brand.support_email, brand.support_phone]),
        (f"{_('Terms of service')}:", [brand.terms_url]),
    ]
    lines = [(_clean_line(words), _list_lines(*values)) for words, values in foot]
    return [(words, values) for words, values in lines if values]
