"""The look: it reads in any brand's colour, says what a balance means, weighs little, and needs no script."""

import itertools
import re
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from hypothesis import example, given, settings
from hypothesis import strategies as st

from portal.brands.views import brand_css
from portal.core import colours
from portal.models import Brand
from portal.voipline import Statement
from tests.conftest import AURORA, ROOT
from tests.support.customer_flow import carrier_code, code_for, sign_up_form, words

CSS = (ROOT / "static/css/portal.css").read_text()
COLOURS = st.integers(0, 0xFFFFFF).map(lambda value: f"#{value:06x}")
MOST_BYTES = 40_000
FIGURES = "opening_balance payments adjustments call_charges other_charges total_charges closing_balance"


# Colours


def schemes() -> list[dict[str, str]]:
    """The colours of portal.css: light, then dark; those of paper, which come last, are on no screen."""
    roots = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    light, dark, _paper = (dict(re.findall(r"--([a-z-]+): (#\w{6});", root)) for root in roots)
    return [light, light | dark]


SCHEMES = schemes()


def unreadable(accent: str) -> list[tuple[str, str, str, float]]:
    """Every pair of colours that meet on a page and have too little contrast."""
    found = []
    for scheme, part in zip(SCHEMES, brand_css(Brand(accent=accent)).split("@media"), strict=True):
        own = scheme | dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{6})", part))
        between = [colours.mix(own["accent-soft"], own["card"], share) for share in (0.25, 0.5, 0.75)]
        grounds = [own["page"], own["card"], own["accent-soft"], *between]
        pairs = itertools.product(("text", "quiet", "accent-text", "warn"), grounds)
        meetings = [(name, own[name], ground) for name, ground in pairs]
        meetings.append(("on-accent", own["on-accent"], own["accent"]))
        told = ((*meeting, colours.contrast(*meeting[1:])) for meeting in meetings)
        found += [meeting for meeting in told if meeting[-1] < colours.AA]
    return found


@settings(max_examples=300, deadline=None)
@given(COLOURS)
@example("#757575")
@example("#777777")
@example("#ffff00")
def test_no_accent_makes_any_text_unreadable(accent):
    assert unreadable(accent) == []


def test_no_short_written_accent_does_either():
    digits = "0123456789abcdef"
    corners = (f"#{r}{r}{g}{g}{b}{b}" for r, g, b in itertools.product(digits, repeat=3))
    assert [accent for accent in corners if unreadable(accent)] == []


def test_pages_without_a_brand_read_too():
    for scheme in SCHEMES:
        assert colours.contrast(scheme["on-accent"], scheme["accent"]) >= colours.AA
        for ground in ("page", "card", "accent-soft"):
            assert colours.contrast(scheme["accent-text"], scheme[ground]) >= colours.AA


def test_pointing_at_something_changes_no_colour():
    rules = re.findall(r"([^{}]*:hover[^{}]*)\{([^{}]*)\}", CSS)
    assert rules
    for selector, body in rules:
        assert not re.search(r"(?<!-)\b(color|background|opacity|filter)\b[a-z-]*\s*:", body), selector
    assert not re.search(r"\b(opacity|filter|color-mix)\b", CSS)


def test_the_sheet_knows_no_left_and_right():
    physical = r"(margin|padding|border|inset)-(left|right)|text-align: (left|right)|float:|\b(left|right):"
    assert re.findall(physical, CSS) == []


# Balance and statement


def statement(closing: str = "0", **figures: str) -> Statement:
    values = dict.fromkeys(FIGURES.split(), "0") | figures | {"closing_balance": closing}
    return Statement(**{name: Decimal(value) for name, value in values.items()})


def test_a_period_moves_if_anything_was_paid_charged_or_adjusted():
    assert not statement("5", opening_balance="5").has_activity
    for name in ("payments", "call_charges", "other_charges", "adjustments", "total_charges"):
        assert statement(**{name: "0.00001"}).has_activity


def test_the_balance_says_what_it_means_and_when_it_was_read(simulator, alice, browse):
    said = words(browse(AURORA, alice).get("/"))
    assert re.search(r"We do not know whether|If your account is prepaid|We do not know which", said)
    assert re.search(r"Account 70001, as of \d{1,2} \w+ 20\d\d", said)


def test_a_period_in_which_nothing_happened_says_so(simulator, alice, browse):
    quiet = words(browse(AURORA, alice).get("/statement/?from_date=2001-01-01&to_date=2001-01-02"))
    assert "No movement in this period." in quiet
    busy = words(browse(AURORA, alice).get("/statement/?from_date=2020-01-01&to_date=2020-01-31"))
    assert "No movement in this period." not in busy


@pytest.mark.parametrize(("path", "name"), [("/", "Balance"), ("/statement/", "Statement")])
def test_the_navigation_marks_the_page_one_is_on(simulator, alice, browse, path, name):
    text = browse(AURORA, alice).get(path).content.decode()
    assert re.findall(r'aria-current="page">([^<]*)<', text) == [name]


# Weight


def weight(client: Client, path: str, status: int = 200) -> int:
    """Bytes of a page with all that it loads from us, as they are."""
    answer = client.get(path)
    assert answer.status_code == status, path
    own = re.findall(r'(?:href|src)="(/(?:static/|brand\.css)[^"]*)"', answer.content.decode())
    files = [(ROOT / each.lstrip("/")).stat().st_size for each in own if each.startswith("/static/")]
    return len(answer.content) + sum(files) + len(client.get("/brand.css").content)


def test_no_page_weighs_more_than_40_kb(simulator, aurora, alice, browse):
    visitor, customer = browse(AURORA), browse(AURORA, alice)
    visitor.post("/sign-in/", {"email": "alice@example.com"})
    token = simulator.token()
    visitor.post("/password-reset/", {"email": "alice@example.com", "g-recaptcha-response": token})
    pages = [
        *((visitor, path, 200) for path in ("/", "/sign-up/", "/sign-up/confirm/", "/sign-in/")),
        *((visitor, path, 200) for path in ("/sign-in/code/", "/password-reset/", "/password-reset/sent/")),
        *((customer, path, 200) for path in ("/", "/statement/", "/account/open/", "/account/")),
        (customer, "/account/email/", 200),
        (visitor, "/nowhere/", 404),
    ]
    heavy = {path: weight(*page) for page in pages if weight(*page) > MOST_BYTES for path in [page[1]]}
    assert heavy == {}


# Without our JavaScript: what a browser sends by itself is all that a form needs


def plain(client: Client, path: str, **typed: str) -> Any:
    """Open a page, fill its form in, and send what stands in it, the protection included."""
    text = client.get(path).content.decode()
    form = next(each for each in re.findall(r"<form.*?</form>", text, re.DOTALL) if "data-once" in each)
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
    names = set(re.findall(r'name="([^"]+)"', form)) | {"g-recaptcha-response"}
    assert set(typed) <= names
    action = re.search(r'<form[^>]*action="([^"]+)"', form)
    return client.post(
        action[1] if action else path, {**fields, **typed}, headers={"referer": f"https://{AURORA}/"}
    )


def test_each_form_works_without_a_script_of_ours(simulator, aurora, alice):
    token = {"g-recaptcha-response": simulator.token()}
    visitor = Client(enforce_csrf_checks=True, headers={"host": AURORA})
    assert plain(visitor, "/sign-in/", email="alice@example.com").status_code == 302
    assert plain(visitor, "/sign-in/code/", code=code_for("alice@example.com")).status_code == 302
    assert plain(visitor, "/account/open/", **token).status_code == 303
    other = Client(enforce_csrf_checks=True, headers={"host": AURORA})
    assert plain(other, "/sign-up/", **sign_up_form(simulator.token())).status_code == 302
    code = {"code": carrier_code(simulator, "dora@example.com"), "email": "dora@example.com"}
    token = {"g-recaptcha-response": simulator.token()}
    assert plain(other, "/sign-up/confirm/", **code, **token).status_code == 302
    token = {"g-recaptcha-response": simulator.token()}
    assert plain(other, "/password-reset/", email="alice@example.com", **token).status_code == 302
