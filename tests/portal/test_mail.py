"""Emails: plain text and HTML in the brand's style, without unknown visitors' input and without tracking."""

import email
import email.policy
import os
import re
from html import unescape
from html.parser import HTMLParser
from io import BytesIO
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.http import HttpResponse
from django.template import TemplateDoesNotExist
from django.template.loader import render_to_string
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from portal.brands.logo import read_logo
from portal.core.colours import AA, contrast
from portal.mail.send import colours, send
from portal.models import Brand
from tests.browser import chromium
from tests.browser.chromium import check_page
from tests.conftest import AURORA, ROOT
from tests.support.customer_flow import code_for, words

pytestmark = pytest.mark.django_db
CODE = "sign_in_code"
NO_ACCOUNT = "no_account"
OFF = "account_off"
BOTH = pytest.mark.parametrize("template", [CODE, NO_ACCOUNT, OFF])
HOME = f"https://{AURORA}/"
LONG = "Featherstonehaugh-Cholmondeley-Majoribank-und-Donaudampfschifffahrtsgesellschaft"


class TagParser(HTMLParser):
    """The tags of an HTML email with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def values(self, *names: str) -> list[str]:
        return [attrs[name] for _, attrs in self.tags for name in names if name in attrs]


def html_of(message: Any) -> str:
    (part,) = message.alternatives
    assert part.mimetype == "text/html"
    return str(part.content)


def visible_text(html: str) -> str:
    return words(HttpResponse(re.sub(r"<(style|title)>.*?</\1>|<!--.*?-->", "", html, flags=re.DOTALL)))


def preheader(html: str) -> str:
    found = re.search(r'<div style="display:none[^>]*>(.*?)</div>', html, re.DOTALL)
    assert found
    return unescape(found[1])


@pytest.fixture
def send_mail(aurora, alice) -> Any:
    """Send one email of Aurora, with these fields of the brand and of Alice, and return it."""

    def send_mail(template: str = CODE, code: str = "01234567", **fields: Any) -> EmailMultiAlternatives:
        customer_fields = {"first_name", "verified_at"}
        for name, value in fields.items():
            setattr(alice if name in customer_fields else aurora, name, value)
        send(brand=aurora, to="alice@example.com", template=template, code=code, user=alice)
        return mail.outbox[-1]  # type: ignore[return-value]

    return send_mail


def put_logo(brand: Brand) -> bytes:
    target = BytesIO()
    Image.new("RGB", (240, 60), "#0b6e4f").save(target, "PNG")
    brand.logo, brand.logo_type, brand.logo_hash = read_logo(target.getvalue())
    return bytes(brand.logo)


# Parts and headers


def test_code_appears_once_in_each_part_as_one_run_of_digits(aurora, alice, browse):
    browse(AURORA).post("/sign-in/", {"email": alice.email})
    code, (message,) = code_for(alice.email), mail.outbox
    assert message.body.count(code) == 1
    assert html_of(message).count(code) == 1
    assert re.search(rf"<p [^>]*user-select:all[^>]*>{code}</p>", html_of(message))


def test_email_to_an_unknown_address_contains_no_code(send_mail):
    message = send_mail(NO_ACCOUNT)
    assert "01234567" not in message.body + html_of(message) + message.subject


@BOTH
def test_plain_text_part_comes_first_and_matches_its_template(send_mail, aurora, alice, template):
    message = send_mail(template)
    values = {"brand": aurora, "home": HOME, "code": "01234567", "user": alice}
    with translation.override(aurora.language):
        assert message.body == render_to_string(f"mail/{template}/body.txt", values)
    wire = email.message_from_bytes(message.message().as_bytes(), policy=email.policy.default)
    assert wire.get_content_type() == "multipart/alternative"
    parts = [part.get_content_type() for part in wire.iter_parts()]  # type: ignore[attr-defined]
    assert parts == ["text/plain", "text/html"]


def test_html_part_says_the_same_as_the_text(send_mail):
    message = send_mail()
    assert " ".join(message.body.split()) in visible_text(html_of(message)).replace(" ,", ",")


def test_new_email_needs_three_small_templates(aurora, settings, tmp_path):
    pieces = {
        "subject.txt": "News of {{ brand.name }}\n",
        "body.txt": '{% extends "mail/base.txt" %}{% block content %}It is {{ what }}.{% endblock %}',
        "body.html": '{% extends "mail/base.html" %}{% block content %}It is {{ what }}.{% endblock %}',
    }
    folder = tmp_path / "mail/news"
    folder.mkdir(parents=True)
    for name, text in pieces.items():
        (folder / name).write_text(text)
    (engine,) = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [*engine["DIRS"], tmp_path]}]
    send(brand=aurora, to="a@example.com", template="news", what="<sunny>")
    (message,) = mail.outbox
    assert message.subject == "News of Aurora Phone"
    assert message.body.startswith("Hello,\n\nIt is <sunny>.\n\nAurora Phone\nhttps://")
    assert "Hello, It is <sunny>." in visible_text(html_of(message))
    assert "MISSING-VARIABLE" not in message.body + html_of(message)


def test_email_without_its_html_part_is_not_sent(aurora, settings, tmp_path):
    folder = tmp_path / "mail/news"
    folder.mkdir(parents=True)
    for name in ("subject.txt", "body.txt"):
        (folder / name).write_text("News")
    (engine,) = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [*engine["DIRS"], tmp_path]}]
    with pytest.raises(TemplateDoesNotExist):
        send(brand=aurora, to="a@example.com", template="news")
    assert mail.outbox == []


@pytest.mark.parametrize(
    ("sender", "domain"),
    [
        ("Aurora Phone <no-reply@aurora.example>", "aurora.example"),
        ('"Phone, @Home" <no-reply@mail.aurora.example>', "mail.aurora.example"),
        ("no-reply@aurora.example", "aurora.example"),
        ("Köln <no-reply@köln.example>", "xn--kln-sna.example"),
    ],
)
def test_message_id_uses_the_sender_domain_and_names_no_machine(send_mail, sender, domain):
    one, other = (send_mail(from_email=sender).message() for _ in range(2))
    assert re.fullmatch(rf"<[0-9.]+@{re.escape(domain)}>", one["Message-ID"])
    assert one["Message-ID"] != other["Message-ID"]


def test_headers_mark_the_email_as_automatic(send_mail):
    message = send_mail().message()
    assert message["Auto-Submitted"] == "auto-generated"
    expected = {"Content-Type", "MIME-Version", "Subject", "From", "To", "Reply-To", "Date"}
    assert set(message.keys()) == expected | {"Message-ID", "Auto-Submitted"}


def test_inbox_preview_shows_no_code(send_mail):
    message = send_mail()
    shown = preheader(html_of(message))
    assert "01234567" not in message.subject + shown
    assert shown.strip().startswith("Use it within 10 minutes")
    assert len(shown) > 200
    assert html_of(message).index(shown[-20:]) < html_of(message).index("01234567")


@BOTH
@pytest.mark.parametrize(("language", "direction"), [("en-au", "ltr"), ("ar", "rtl")])
def test_html_part_declares_its_language_and_direction(send_mail, template, language, direction):
    tags = TagParser(html_of(send_mail(template, language=language))).tags
    declared = [attrs for _, attrs in tags if "lang" in attrs]
    assert [(attrs["lang"], attrs["dir"]) for attrs in declared] == [(language, direction)] * 2


# Content


def test_only_a_verified_customer_is_greeted_by_name(send_mail):
    assert "Hello Alice," in visible_text(html_of(send_mail()))
    message = send_mail(verified_at=None)
    assert "Alice" not in message.body + html_of(message)


@BOTH
def test_names_of_brands_and_customers_are_escaped(send_mail, template):
    evil = "<img src=//evil.example>\"'&{{ code }}"
    message = send_mail(template, name=evil, first_name=evil, support_phone=evil)
    html = html_of(message)
    assert "<img" not in html
    assert evil in visible_text(html)
    assert TagParser(html).values("src") == []


def test_alt_text_of_the_logo_is_the_escaped_brand_name(send_mail, aurora):
    put_logo(aurora)
    html = html_of(send_mail(name='Ann" onerror="x'))
    (image,) = [attrs for tag, attrs in TagParser(html).tags if tag == "img"]
    assert (image["alt"], set(image)) == ('Ann" onerror="x', {"src", "alt", "style"})


# Links and resources


@BOTH
def test_links_use_the_first_host_and_only_the_logo_is_loaded(send_mail, aurora, template):
    aurora.hosts.create(host="second.aurora.test", position=1)
    put_logo(aurora)
    html = html_of(send_mail(template))
    tags = TagParser(html)
    links = tags.values("href")
    assert {each for each in links if not each.startswith(HOME)} == {
        "mailto:help@aurora.example",
        "tel:+61255500100",
    }
    assert tags.values("src", "srcset", "background", "poster", "data") == [
        f"{HOME}brand/logo?v={aurora.logo_hash}"
    ]
    assert not re.search(r"url\(|@import|@font-face", html)
    assert {tag for tag, _ in tags.tags}.isdisjoint({"link", "script", "iframe", "form", "object", "base"})
    assert "alice" not in html


def test_email_without_a_logo_loads_nothing_and_shows_the_name(send_mail):
    tags = TagParser(html_of(send_mail()))
    assert tags.values("src") == []
    assert ("a", HOME) in [(tag, attrs.get("href")) for tag, attrs in tags.tags]


@pytest.mark.parametrize("is_open", [True, False])
def test_unknown_address_is_offered_sign_up_only_if_open(send_mail, is_open):
    message = send_mail(NO_ACCOUNT, signup_open=is_open)
    links = TagParser(html_of(message)).values("href")
    assert (f"{HOME}sign-up/" in links) is is_open
    assert (f"{HOME}sign-up/" in message.body) is is_open
    assert f"{HOME}sign-in/" in links


def test_special_characters_in_support_email_are_escaped(send_mail):
    links = TagParser(html_of(send_mail(support_email="a?b&c+d@aurora.example"))).values("href")
    assert "mailto:a%3Fb%26c+d@aurora.example" in links


# Colours


@given(number=st.integers(0, 0xFFFFFF))
def test_every_text_is_readable_on_every_accent_in_both_schemes(number):
    for scheme in colours(f"#{number:06X}"):
        assert contrast(scheme["on_accent"], scheme["accent"]) >= AA
        for text in ("text", "quiet", "link"):
            for background in ("page", "card"):
                assert contrast(scheme[text], scheme[background]) >= AA, (text, background)


def test_colours_match_those_of_the_pages():
    sheet = (ROOT / "static/css/portal.css").read_text()
    for nth, scheme in enumerate(colours("#0b6e4f")):
        for name in ("page", "card", "text", "quiet", "line"):
            assert re.findall(rf"--{name}: (#\w+);", sheet)[nth] == scheme[name]


def test_accent_is_used_for_header_and_buttons(send_mail):
    html = html_of(send_mail(NO_ACCOUNT, accent="#FFDD00"))
    marked = [attrs for _, attrs in TagParser(html).tags if attrs.get("class") in ("bar", "button")]
    assert len(marked) == 4
    for attrs in marked:
        assert "background-color:#ffdd00;color:#000000" in attrs["style"]


def test_styles_are_not_escaped(send_mail):
    (style,) = re.findall(r"<style>(.*?)</style>", html_of(send_mail()))
    assert "&" not in style
    assert style.count("{") == style.count("}")
    assert "@media (prefers-color-scheme:dark){" in style


# Looks


@pytest.mark.browser
def test_emails_render_narrow_and_wide_in_light_and_dark(send_mail, aurora, tmp_path):
    """Screenshots at 360 and 700 px go to MAIL_PICTURES if it names a directory."""
    try:
        chromium.executable()
    except chromium.Missing as missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(missing))
    shown = {"code": html_of(send_mail()), "no-account": html_of(send_mail(NO_ACCOUNT))}
    shown["bright"] = html_of(send_mail(NO_ACCOUNT, accent="#ffff00"))
    shown["long"] = html_of(send_mail(name=LONG, first_name=LONG[:40], accent="#000000"))
    shown["arabic"] = html_of(send_mail(NO_ACCOUNT, language="ar", name="أورورا", accent="#0b6e4f"))
    shown["pale"] = html_of(send_mail(NO_ACCOUNT, language="en-au", accent="#ffffff", name="Aurora Phone"))
    logo = put_logo(aurora)
    shown["logo"] = html_of(send_mail(accent="#7c3aed", first_name="Alice"))
    folder = os.environ.get("MAIL_PICTURES", str(tmp_path))
    fetched = []

    def answer(route: Any) -> None:
        fetched.append(route.request.url)
        route.fulfill(body=logo, content_type="image/png")

    with chromium.launched() as browser:
        page = browser.new_page(viewport={"width": 360, "height": 640})
        page.route("**/*", answer)
        for name, html in shown.items():
            page.set_content(html)
            check_page(page, name)
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                for width in (700, 360):
                    page.set_viewport_size({"width": width, "height": 640})
                    page.screenshot(path=f"{folder}/{name}-{scheme}-{width}.png", full_page=True)
            if page.locator(".code").count():
                page.locator(".code").click()
                assert page.evaluate("getSelection().toString().trim()") == "01234567"
                lines = "(e) => e.getClientRects().length === 1 && e.scrollWidth <= e.clientWidth"
                assert page.locator(".code").evaluate(lines)
    assert set(fetched) == {f"{HOME}brand/logo?v={aurora.logo_hash}"}
