"""Emails: plain text and HTML in the brand's style, without unknown visitors' input and without tracking."""

import email
import email.policy
import os
import re
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser
from io import BytesIO
from types import SimpleNamespace
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
ALL = sorted(path.parent.name for path in (ROOT / "templates/mail").glob("*/subject.txt"))
EVERY = pytest.mark.parametrize("template", ALL)
DEVICE = "Firefox on Windows"
ASKED_AT = datetime(2026, 11, 29, 0, 26, tzinfo=UTC)
CONTEXT: dict[str, Any] = {
    "code": "01234567",
    "asked_at": ASKED_AT,
    "notice": "low",
    "amount": "$12.30",
    "days": 5,
    "state": "waiting",
    "asked_by": "sam@example.com",
    "key_refused": False,
    "url": "https://admin.test/page/",
    "by": None,
    "what": ["$5.00, customer 70001"],
    "by_staff": False,
    "stopped": False,
    "change": SimpleNamespace(asked_by="olga@example.com", effective_at=ASKED_AT),
    "transfer": SimpleNamespace(account_number="70001", booked_otherwise=False),
}
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
def send_mail(aurora) -> Any:
    """Send one email of Aurora, with these fields of the brand, and return it."""

    def send_mail(template: str = CODE, device: str = DEVICE, **fields: Any) -> EmailMultiAlternatives:
        for name, value in fields.items():
            setattr(aurora, name, value)
        values = {**CONTEXT, "device": device}
        send(brand=aurora, to="alice@example.com", template=template, **values)
        return mail.outbox[-1]  # type: ignore[return-value]

    return send_mail


def put_logo(brand: Brand) -> bytes:
    target = BytesIO()
    Image.new("RGB", (240, 60), "#0b6e4f").save(target, "PNG")
    brand.logo, brand.logo_type, brand.logo_hash = read_logo(target.getvalue())
    return bytes(brand.logo)


# Parts and headers


def test_code_is_grouped_for_the_eye_and_read_and_copied_as_one_run_of_digits(aurora, alice, browse):
    browse(AURORA).post("/sign-in/", {"email": alice.email})
    code, (message,) = code_for(alice.email), mail.outbox
    assert message.body.count(f"    {code[:4]} {code[4:]}\n") == 1
    (shown,) = re.findall(r"<p [^>]*user-select:all[^>]*>(.*?)</p>", html_of(message))
    assert re.sub("<[^>]*>", "", shown) == code
    assert f'<span style="letter-spacing:20px">{code[3]}</span>{code[4:]}' in shown
    assert code not in message.subject + visible_text(html_of(message))


def test_code_is_accepted_as_the_email_shows_it(aurora, alice, browse):
    client = browse(AURORA)
    client.post("/sign-in/", {"email": alice.email})
    code = code_for(alice.email)
    answer = client.post("/sign-in/code/", {"code": f" {code[:4]} {code[4:]} "})
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_email_to_an_unknown_address_contains_no_code(send_mail):
    message = send_mail(NO_ACCOUNT)
    text = re.sub("<[^>]*>", "", message.body + html_of(message) + message.subject)
    assert not re.search("0123 ?4567", text)


@BOTH
def test_plain_text_part_comes_first_and_matches_its_template(send_mail, aurora, template):
    message = send_mail(template)
    values = {"brand": aurora, "home": HOME, "device": DEVICE, **CONTEXT}
    with translation.override(aurora.language):
        assert message.body == render_to_string(f"mail/{template}/body.txt", values)
    wire = email.message_from_bytes(message.message().as_bytes(), policy=email.policy.default)
    assert wire.get_content_type() == "multipart/alternative"
    parts = [part.get_content_type() for part in wire.iter_parts()]  # type: ignore[attr-defined]
    assert parts == ["text/plain", "text/html"]


def test_html_part_says_the_same_as_the_text(send_mail):
    message = send_mail()
    shown = re.sub(r"(\d)</?span[^>]*>", r"\1", html_of(message))
    assert " ".join(message.body.replace("0123 4567", "01234567").split()) in (
        re.sub(r" ([,.])", r"\1", visible_text(shown))
    )


@EVERY
def test_every_email_says_its_point_first_and_has_one_button_at_most(send_mail, template):
    message = send_mail(template)
    html = html_of(message)
    (headline,) = re.findall(r"<h1[^>]*>(.*?)</h1>", html)
    assert message.body.startswith(f"{unescape(headline)}\n\n")
    assert not re.search("hello|MISSING-VARIABLE", message.body + html, re.IGNORECASE)
    tags = TagParser(html).tags
    buttons = [attrs["href"] for _, attrs in tags if attrs.get("class") == "button"]
    assert len(buttons) <= 1
    assert all(each in message.body for each in buttons)
    first = re.sub(r"\W+", " ", message.body.split("\n\n")[1])
    assert first in re.sub(r"\W+", " ", visible_text(html))


# When and from what


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en-au", "Asked for on 29\xa0Nov\xa02026, 11:26\xa0am\xa0AEDT, from Firefox on Windows."),
        ("es", "29\xa0nov\xa02026, 11:26\xa0AEDT"),
        ("zh-hans", "2026年11月29日 11:26\xa0AEDT"),
        ("ar", "29\xa0نوفمبر\xa02026، 11:26\xa0ص\xa0AEDT"),
    ],
)
@pytest.mark.parametrize("template", [CODE, "email_code"])
def test_email_with_a_code_says_when_and_from_which_device(send_mail, template, language, line):
    message = send_mail(template, language=language, timezone="Australia/Sydney")
    assert line in message.body
    assert line in html_of(message)


def test_unknown_device_is_left_out(send_mail):
    message = send_mail(device="", timezone="Europe/London")
    for part in (message.body, html_of(message)):
        assert "Asked for on 29\xa0Nov\xa02026, 12:26\xa0am\xa0GMT." in part


@pytest.mark.parametrize("template", [NO_ACCOUNT, OFF, "email_taken"])
def test_email_without_a_code_names_no_device(send_mail, template):
    message = send_mail(template)
    assert not re.search("Firefox|11:26", message.body + html_of(message))


@pytest.mark.parametrize(
    ("header", "line"),
    [
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
            ", from Firefox on",
        ),
        ("<b>Firefox/1</b> $(id)\u0085", ", from Firefox."),
        ("curl/8.0", "."),
    ],
)
def test_device_is_named_in_our_own_words_and_its_header_is_never_repeated(
    aurora, alice, browse, header, line
):
    browse(AURORA).post("/sign-in/", {"email": alice.email}, headers={"User-Agent": header})
    (message,) = mail.outbox
    for part in (message.body, unescape(html_of(message))):
        assert re.search(rf"Asked for on [^.]+ \d+:\d\d(\xa0[ap]m)?\xa0\w+{re.escape(line)}", part)
        assert header not in part
        assert "$(id)" not in part


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
    assert message.body.startswith("News of Aurora Phone\n\nIt is <sunny>.\n\nAurora Phone\nhttps://")
    assert "News of Aurora Phone It is <sunny>." in visible_text(html_of(message))
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
    assert not re.search("0123 ?4567", message.subject + shown)
    assert shown.strip().startswith("Use it within 10 minutes")
    assert len(shown) > 200
    assert html_of(message).index(shown[-20:]) < html_of(message).index('class="code"')


@BOTH
@pytest.mark.parametrize(("language", "direction"), [("en-au", "ltr"), ("ar", "rtl")])
def test_html_part_declares_its_language_and_direction(send_mail, template, language, direction):
    tags = TagParser(html_of(send_mail(template, language=language))).tags
    declared = [attrs for _, attrs in tags if "lang" in attrs]
    assert [(attrs["lang"], attrs["dir"]) for attrs in declared] == [(language, direction)] * 2


# Content


def test_email_with_a_code_does_not_name_the_customer(aurora, alice, browse):
    browse(AURORA).post("/sign-in/", {"email": alice.email})
    assert "Alice" not in mail.outbox[0].body + html_of(mail.outbox[0])


@BOTH
def test_names_of_brands_are_escaped(send_mail, template):
    evil = "<img src=//evil.example>\"'&{{ code }}"
    message = send_mail(template, name=evil, support_phone=evil)
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
    assert len(marked) == 2
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
    shown = {template: html_of(send_mail(template)) for template in ALL}
    shown["bright"] = html_of(send_mail(NO_ACCOUNT, accent="#ffff00"))
    shown["long"] = html_of(send_mail(name=LONG, accent="#000000"))
    shown["arabic"] = html_of(send_mail(NO_ACCOUNT, language="ar", name="أورورا", accent="#0b6e4f"))
    shown["pale"] = html_of(send_mail(NO_ACCOUNT, language="en-au", accent="#ffffff", name="Aurora Phone"))
    logo = put_logo(aurora)
    shown["logo"] = html_of(send_mail(accent="#7c3aed"))
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
