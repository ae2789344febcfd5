"""The PDF statement has the page's figures as real text, in the brand's look, in every language."""

import io
import logging
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.utils import translation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfReader

from accounts.models import User
from billing.preview_samples import FIGURES
from billing.statements.pdf import render_pdf
from billing.statements.periods import Period
from billing.statements.service import StatementResult
from portal.brands.logo import read_logo
from portal.models import Brand
from portal.resilience.bulkhead import Slots
from tests.conftest import AURORA
from tests.support.http_steps import pdf_text

JANUARY = "?from_date=2020-01-01&to_date=2020-01-31"
PERIOD = Period(date(2020, 1, 1), date(2020, 1, 31))
RESULT = StatementResult(PERIOD, FIGURES, PERIOD, datetime(2026, 11, 26, 3, 5, tzinfo=UTC))
ALICE = {"first_name": "Alice", "last_name": "Archer", "account_number": "70001"}


def brand(**fields: Any) -> Brand:
    values: dict[str, Any] = {
        "name": "Aurora Phone",
        "currency": "AUD",
        "timezone": "Australia/Sydney",
        "language": "en-au",
        "accent": "#0b6e4f",
        "support_email": "help@aurora.example",
        "support_phone": "+61 2 5550 0100",
        "terms_url": "https://aurora.example/terms",
    }
    return Brand(**{**values, **fields})


def make_pdf(
    language: str = "en-au", result: StatementResult = RESULT, look: Any = None, **customer: Any
) -> bytes:
    with translation.override(language):
        return render_pdf(brand=look or brand(), customer=User(**{**ALICE, **customer}), found=result)


def logo_fields(kind: str, **options: Any) -> dict[str, Any]:
    """Return brand fields of an uploaded logo, half of it transparent if the format allows it."""
    image = Image.new("RGBA" if kind != "JPEG" else "RGB", (300, 90))
    image.paste((200, 30, 90), (0, 0, 150, 90))
    file = io.BytesIO()
    image.save(file, kind)
    logo, logo_type, logo_hash = read_logo(file.getvalue())
    return {"logo": logo, "logo_type": logo_type, "logo_hash": logo_hash}


def elements(reader: PdfReader) -> list[Any]:
    """Return the elements of a file's structure tree, from the top down."""
    tags, pending = [], [reader.root_object["/StructTreeRoot"]["/K"]]
    while pending:
        each = pending.pop(0).get_object()
        if isinstance(each, dict) and "/S" in each:
            tags.append(each)
        children = each if isinstance(each, list) else each.get("/K", []) if isinstance(each, dict) else []
        pending = [*(children if isinstance(children, list) else [children]), *pending]
    return tags


# The download


@pytest.mark.django_db
def test_example_of_the_article_is_right_in_the_file(simulator, alice, browse):
    response = browse(AURORA, alice).get(f"/statement.pdf{JANUARY}")
    assert response.headers["Content-Type"] == "application/pdf"
    name = "aurora-70001-2020-01.pdf"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert response.headers["Cache-Control"] == "no-store"
    text = pdf_text(response.content)
    for line in (
        *("Alice Archer", "70001", "AUD", "1 January 2020 to 31 January 2020\n", "Page 1 of 1"),
        *("Opening balance $245.71", "Payments +$57.00", "Call charges −$48.13", "Other charges −$7.50"),
        *("Adjustments −$5.00", "Closing balance $242.09\nTotal charges $60.63"),
        *("help@aurora.example", "+61 2 5550 0100", "https://aurora.example/terms"),
    ):
        assert line in text
    assert "don't add up" not in text


@pytest.mark.django_db
def test_statement_page_links_to_its_pdf(simulator, alice, browse):
    assert f'href="/statement.pdf{JANUARY.replace("&", "&amp;")}"' in (
        browse(AURORA, alice).get(f"/statement/{JANUARY}").content.decode()
    )


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/statement.pdf", "/statement.csv"])
def test_failed_download_returns_a_page_with_the_reason(simulator, alice, browse, path):
    client = browse(AURORA, alice)
    wrong = client.get(f"{path}?from_date=x&to_date=2020-01-31")
    assert wrong.status_code == 400
    assert "Enter a date like" in wrong.content.decode()
    simulator.fault("customer_balance", "status", status=400)
    failed = client.get(path + JANUARY)
    assert failed.status_code == 503
    assert "We can't show your balance right now" in failed.content.decode()
    alice.account_number = ""
    alice.save()
    no_number = client.get(path + JANUARY)
    assert no_number.status_code == 409
    assert "still setting up your account" in no_number.content.decode()
    assert "Content-Disposition" not in {**wrong.headers, **failed.headers, **no_number.headers}


@pytest.mark.django_db
def test_log_lines_do_not_contain_the_customers_name(simulator, alice, browse, caplog):
    caplog.set_level(logging.DEBUG)
    alice.first_name = "Zoe \U00013000"
    alice.save()
    assert browse(AURORA, alice).get(f"/statement.pdf{JANUARY}").status_code == 200
    assert not [record for record in caplog.records if "Zoe" in record.getMessage()]


# Languages and fonts


@pytest.mark.parametrize(
    ("language", "labels", "amounts"),
    [
        ("es", ["Saldo inicial", "Total de cargos"], ["245,71 AUD", "60,63 AUD", "242,09 AUD"]),
        ("zh-hans", ["期初余额", "费用合计"], ["AU$245.71", "AU$60.63", "AU$242.09"]),
        ("ar", ["الرصيد", "الختامي", "المكالمات"], ["245.71 AU$", "60.63 AU$", "242.09 AU$"]),
    ],
)
def test_text_can_be_extracted_in_each_language(language, labels, amounts):
    data = make_pdf(language)
    text = pdf_text(data)
    without_spaces = text.replace(" ", "")
    assert all(label.replace(" ", "") in without_spaces for label in labels)
    assert all(amount in text for amount in amounts)
    # Letters, not their presentation forms.
    assert not re.search(r"[\ufb50-\ufdff\ufe70-\ufefc\ufffd]", text)
    assert PdfReader(io.BytesIO(data)).root_object["/Lang"].lower().startswith(language[:2])


def test_fonts_are_subset_to_the_characters_used():
    def names(data: bytes) -> set[str]:
        fonts = PdfReader(io.BytesIO(data)).pages[0]["/Resources"]["/Font"].values()
        return {font.get_object()["/BaseFont"].split("+")[1] for font in fonts}

    assert names(make_pdf()) == {"NotoSans-Regular"}
    assert len(names(make_pdf(first_name="小明"))) == 2
    assert max(len(make_pdf()), len(make_pdf("zh-hans")), len(make_pdf("ar"))) < 60_000


NAMES = {
    "Vietnamese": "Nguyễn Thị Hồng",
    "Polish": "Łucja Żółć-Wiśniewska",
    "Greek": "Ελένη Παπαδοπούλου",
    "Cyrillic": "Їжакевич Юлія",
    "Chinese": "王小明",
    "Japanese": "山田 はなこ",
    "Korean": "김민수",
    "Arabic": "محمد الأحمد",
    "Hebrew": "נועה כהן",
    "Thai": "สมชาย ใจดี",
    "Tamil": "கார்த்திக் ராஜா",
    "Hindi": "राहुल शर्मा",
    "Sinhala": "නිමල් පෙරේරා",
    "emoji": "Zoe 😀❤",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("language", ["en-au", "ar"])
def test_name_in_any_common_script_is_written_in_full(language, name):
    text = pdf_text(make_pdf(language, first_name=name, last_name="", email="zoe@example.com"))
    assert "zoe@example.com" not in text
    assert "\ufffd" not in text
    before = Counter(pdf_text(make_pdf(language, first_name="", last_name="", email="")))
    # Some readers reorder marks and joined letters, but none may be missing.
    assert not Counter(name.replace(" ", "")) - (Counter(text) - before)


@pytest.mark.parametrize("name", ["𓀀𓁐", "\ue000", "Zoe \U0010fffd"])
def test_customer_name_without_glyphs_is_replaced_by_email_and_number(name):
    for fields in ({"first_name": name}, {"first_name": "Zoe", "company_name": name}):
        text = pdf_text(make_pdf(**fields, email="zoe@example.com"))
        assert "\nzoe@example.com Account number" in text
        assert "Account number 70001" in text
        assert not set(name) & set(text) - set("Zoe ")


def test_brand_name_without_glyphs_shows_boxes():
    text = pdf_text(make_pdf(look=brand(name="Aurora 𓀀")))
    assert "\nAlice Archer Account number" in text
    assert "Closing balance $242.09" in text


@pytest.mark.parametrize(
    "text",
    [
        *(
            "#panic()",
            "#import",
            '#read("/etc/passwd")',
            "$x^2$",
            "*bold* _slanted_",
            "\\u{41} \\",
            "<label> @ref",
        ),
        *(
            "]] [[ ) }",
            "`raw`",
            "= Title",
            "// no comment",
            "/* none */",
            "- one",
            "https://a.example",
            "{page}",
        ),
        *('it\'s "so" -- ... ~', '", "facts": [], "x": "'),
    ],
)
def test_markup_in_names_is_written_literally(text):
    data = make_pdf(first_name=text, last_name="", company_name=text, look=brand(name=text, terms_url=text))
    assert pdf_text(data).count(text) >= 4
    assert b"/URI" not in data


def test_invisible_characters_are_removed():
    fields = {"first_name": "\u202eA\0l\ud800ice\u2066", "last_name": "\u2028Ar\x1bcher\ufeff\t"}
    assert "\nAlice Archer Account number" in pdf_text(make_pdf(**fields))


@given(st.text(min_size=1, max_size=80), st.text(max_size=150), st.sampled_from(["en-au", "ar", "zh-hans"]))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_pdf_is_readable_for_any_name(name: str, company: str, language: str) -> None:
    data = make_pdf(language, look=brand(name=name), company_name=company, last_name=company)
    assert "70001" in pdf_text(data)


# Look


def test_account_holder_stands_as_in_a_letter_beside_number_and_time_of_issue():
    lines = pdf_text(make_pdf(company_name="Archer & Sons")).splitlines()
    assert lines[1:6] == [
        *("Alice Archer", "Archer & Sons", "Account number 70001"),
        *("Issued 26 Nov 2026, 2:05 pm AEDT", "Currency AUD"),
    ]
    london = pdf_text(make_pdf("en-gb", look=brand(timezone="Europe/London", currency="GBP")))
    assert "Issued 26 Nov 2026, 03:05 GMT" in london


def test_lines_of_the_file_add_up_to_the_eye():
    figures = replace(FIGURES, call_charges=Decimal("48.13"), total_charges=Decimal("60.63"))
    figures = replace(
        figures,
        opening_balance=Decimal("-1.82"),
        adjustments=Decimal("-5"),
        total_charges=Decimal("50.63"),
        closing_balance=Decimal("4.55"),
    )
    text = pdf_text(make_pdf(result=replace(RESULT, statement=figures)))
    shown = [line.rpartition(" ")[2] for line in text.splitlines() if re.search(r" [+−]?\$[\d.]+$", line)]
    *lines, closing, total = [Decimal(each.replace("−", "-").replace("$", "")) for each in shown]
    assert (sum(lines), total) == (closing, Decimal("50.63"))
    assert "Adjustments +$5.00" in text


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_logo_is_on_the_first_page_with_the_brand_name_as_alt_text(kind):
    reader = PdfReader(io.BytesIO(make_pdf(look=brand(**logo_fields(kind)))))
    (image,) = reader.pages[0].images
    assert image.image.size == (300, 90)
    assert [each["/Alt"] for each in elements(reader) if each["/S"] == "/Figure"] == ["Aurora Phone"]
    assert (
        "Aurora Phone" not in pdf_text(make_pdf(look=brand(**logo_fields(kind)))).partition("Need help?")[0]
    )


def test_brand_name_is_shown_without_a_logo():
    assert pdf_text(make_pdf()).splitlines()[1] == "Aurora Phone" or "A Aurora Phone" in pdf_text(make_pdf())


def test_names_of_any_length_wrap_and_pages_are_numbered():
    customer = {"first_name": "W" * 150, "last_name": "F" * 150, "company_name": "Wilhelmina " * 60}
    look = brand(
        name="W" * 80, support_email=f"{'x' * 240}@a.example", terms_url=f"https://a.example/{'t' * 180}"
    )
    data = make_pdf(look=look, result=replace(RESULT, error="down"), **customer)
    reader = PdfReader(io.BytesIO(data))
    assert len(reader.pages) == 2
    for number, page in enumerate(reader.pages, 1):
        assert f"Page {number} of 2" in page.extract_text()
    assert "Closing balance $242.09" in pdf_text(data)
    assert pdf_text(data).replace("\n", "").count("t" * 180) == 2


def test_amounts_of_any_size_fit_on_one_line():
    huge = replace(FIGURES, payments=Decimal("-987654321098.12345"))
    assert "Payments −$987,654,321,098.12" in pdf_text(make_pdf(result=replace(RESULT, statement=huge)))


def test_inconsistent_stale_and_quiet_figures_have_a_notice():
    inconsistent = replace(FIGURES, payments=Decimal(58))
    quiet = replace(FIGURES, **dict.fromkeys(vars(FIGURES), Decimal(0)))
    for change, words in (
        ({"statement": inconsistent}, "These amounts don't add up."),
        ({"error": "down"}, "This is the latest we have, from"),
        ({"statement": quiet}, "No payments or charges in this period."),
    ):
        assert words in pdf_text(make_pdf(result=replace(RESULT, **change))).replace("\n", " ")
        assert words not in pdf_text(make_pdf()).replace("\n", " ")


# The file itself


def test_pdf_has_metadata_and_tags_but_no_active_content():
    data = make_pdf()
    reader = PdfReader(io.BytesIO(data))
    assert reader.metadata
    assert reader.metadata.title == ("Statement, 1 January 2020 to 31 January 2020 · Aurora Phone")
    assert reader.metadata.author == "Aurora Phone"
    root = reader.trailer["/Root"]
    assert root["/Lang"] == "en-AU"
    assert root["/MarkInfo"]["/Marked"]
    kinds = [each["/S"] for each in elements(reader)]
    assert (kinds.count("/H1"), set(kinds)) == (1, {"/Document", "/Div", "/P", "/H1"})
    assert b"<pdfuaid:part>1</pdfuaid:part>" in root["/Metadata"].get_data()
    for word in (b"/JavaScript", b"/JS", b"/URI", b"/Launch", b"/EmbeddedFile", b"/AA"):
        assert word not in data
    assert "/OpenAction" not in root
    for font in reader.pages[0]["/Resources"]["/Font"].values():
        descriptor = font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"]
        assert {"/FontFile2", "/FontFile3"} & set(descriptor)


def test_concurrent_rendering_gives_the_same_text(monkeypatch):
    monkeypatch.setattr(Slots, "MAX_WAIT", 300.0)  # Even on a slow machine.
    names = ["Alice", "小明", "محمد", "Zoë"] * 4
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda name: pdf_text(make_pdf(first_name=name, last_name="")), names))
    assert texts == [pdf_text(make_pdf(first_name=name, last_name="")) for name in names]
