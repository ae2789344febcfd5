"""Styles: contrast with any brand colour, wording of balances, page weight, and no need for JavaScript."""

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
OTHER_CSS = "".join((ROOT / f"static/css/{name}.css").read_text() for name in ("figures", "welcome"))
COLOURS = st.integers(0, 0xFFFFFF).map(lambda value: f"#{value:06x}")
MOST_BYTES = 45_000
FIGURES = "opening_balance payments adjustments call_charges other_charges total_charges closing_balance"


# Colours


def schemes() -> list[dict[str, str]]:
    """Return the light and the dark colours of portal.css, without the print colours, which come last."""
    roots = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    light, dark, _paper = (dict(re.findall(r"--([a-z-]+): (#\w{6});", root)) for root in roots)
    return [light, light | dark]


SCHEMES = schemes()


def unreadable(accent: str) -> list[tuple[str, str, str, float]]:
    """Return every pair of adjacent colours with too little contrast."""
    found = []
    for scheme, part in zip(SCHEMES, brand_css(Brand(accent=accent)).split("@media"), strict=True):
        own = scheme | dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{6})", part))
        between = [colours.mix(own["accent-soft"], own["card"], share) for share in (0.25, 0.5, 0.75)]
        grounds = [own["page"], own["card"], own["accent-soft"], *between]
        pairs = itertools.product(("text", "quiet", "accent-text", "warn"), grounds)
        pairs_with_colours = [(name, own[name], ground) for name, ground in pairs]
        pairs_with_colours.append(("on-accent", own["on-accent"], own["accent"]))
        measured = ((*meeting, colours.contrast(*meeting[1:])) for meeting in pairs_with_colours)
        found += [meeting for meeting in measured if meeting[-1] < colours.AA]
    return found


@settings(max_examples=300, deadline=None)
@given(COLOURS)
@example("#757575")
@example("#777777")
@example("#ffff00")
def test_every_text_is_readable_with_any_accent(accent):
    assert unreadable(accent) == []


def test_every_text_is_readable_with_a_short_accent():
    digits = "0123456789abcdef"
    corners = (f"#{r}{r}{g}{g}{b}{b}" for r, g, b in itertools.product(digits, repeat=3))
    assert [accent for accent in corners if unreadable(accent)] == []


def test_pages_without_a_brand_are_readable():
    for scheme in SCHEMES:
        assert colours.contrast(scheme["on-accent"], scheme["accent"]) >= colours.AA
        for ground in ("page", "card", "accent-soft"):
            assert colours.contrast(scheme["accent-text"], scheme[ground]) >= colours.AA


def test_hover_changes_no_colour():
    rules = re.findall(r"([^{}]*:hover[^{}]*)\{([^{}]*)\}", CSS + OTHER_CSS)
    assert rules
    for selector, body in rules:
        assert not re.search(r"(?<!-)\b(color|background|opacity|filter)\b[a-z-]*\s*:", body), selector
    assert not re.search(r"\b(opacity|filter|color-mix)\b", CSS + OTHER_CSS)


def test_style_sheet_uses_logical_directions_only():
    physical = r"(margin|padding|border|inset)-(left|right)|text-align: (left|right)|float:|\b(left|right):"
    assert re.findall(physical, CSS + OTHER_CSS) == []


# Balance and statement


def statement(closing: str = "0", **figures: str) -> Statement:
    values = dict.fromkeys(FIGURES.split(), "0") | figures | {"closing_balance": closing}
    return Statement(**{name: Decimal(value) for name, value in values.items()})


def test_period_has_activity_after_any_payment_charge_or_adjustment():
    assert not statement("5", opening_balance="5").has_activity
    for name in ("payments", "call_charges", "other_charges", "adjustments", "total_charges"):
        assert statement(**{name: "0.00001"}).has_activity


def test_balance_is_explained_and_dated(simulator, alice, browse):
    text = words(browse(AURORA, alice).get("/"))
    assert re.search(r"To set this up, contact us|If you're on a prepaid plan|calls may have stopped", text)
    assert re.search(
        r"Updated today, \d{1,2}:\d\d [ap]m · Refresh|Updated today, \d{1,2}:\d\d [ap]m Refresh", text
    )


def test_period_without_activity_says_so(simulator, alice, browse):
    quiet = words(browse(AURORA, alice).get("/statement/?from_date=2001-01-01&to_date=2001-01-02"))
    assert "No payments or charges in this period." in quiet
    busy = words(browse(AURORA, alice).get("/statement/?from_date=2020-01-01&to_date=2020-01-31"))
    assert "No payments or charges in this period." not in busy


@pytest.mark.parametrize(("path", "name"), [("/", "Balance"), ("/statement/", "Statements")])
def test_navigation_marks_the_current_page(simulator, alice, browse, path, name):
    text = browse(AURORA, alice).get(path).content.decode()
    assert re.findall(r'aria-current="page"><svg.*?</svg>([^<]*)<', text) == [name]


# Weight


def weight(client: Client, path: str, status: int = 200) -> int:
    """Return the uncompressed bytes of a page with everything it loads from us."""
    answer = client.get(path)
    assert answer.status_code == status, path
    own = re.findall(r'(?:href|src)="(/(?:static/|brand\.css)[^"]*)"', answer.content.decode())
    files = [(ROOT / each.lstrip("/")).stat().st_size for each in own if each.startswith("/static/")]
    return len(answer.content) + sum(files) + len(client.get("/brand.css").content)


def test_no_page_weighs_more_than_45_kb(simulator, aurora, alice, browse):
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


# Without JavaScript: a plain form submission is enough


def submit_form(client: Client, path: str, **typed: str) -> Any:
    """Open a page, fill in its form and submit it with its hidden fields."""
    text = client.get(path).content.decode()
    form = next(each for each in re.findall(r"<form.*?</form>", text, re.DOTALL) if "data-once" in each)
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form))
    names = set(re.findall(r'name="([^"]+)"', form)) | {"g-recaptcha-response"}
    assert set(typed) <= names
    action = re.search(r'<form[^>]*action="([^"]+)"', form)
    return client.post(
        action[1] if action else path, {**fields, **typed}, headers={"referer": f"https://{AURORA}/"}
    )


def test_each_form_works_without_javascript(simulator, aurora, alice):
    token = {"g-recaptcha-response": simulator.token()}
    visitor = Client(enforce_csrf_checks=True, headers={"host": AURORA})
    assert submit_form(visitor, "/sign-in/", email="alice@example.com").status_code == 302
    assert submit_form(visitor, "/sign-in/code/", code=code_for("alice@example.com")).status_code == 302
    assert submit_form(visitor, "/account/open/", **token).status_code == 303
    other = Client(enforce_csrf_checks=True, headers={"host": AURORA})
    assert submit_form(other, "/sign-up/", **sign_up_form(simulator.token())).status_code == 302
    code = {"code": carrier_code(simulator, "dora@example.com"), "email": "dora@example.com"}
    token = {"g-recaptcha-response": simulator.token()}
    assert submit_form(other, "/sign-up/confirm/", **code, **token).status_code == 302
    token = {"g-recaptcha-response": simulator.token()}
    assert submit_form(other, "/password-reset/", email="alice@example.com", **token).status_code == 302
