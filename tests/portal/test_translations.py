"""Every text is translatable, and translated into every offered language."""

import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.conf import settings as django_settings
from django.utils.translation import override, to_locale, trans_real

from portal.admin.brand.url_import_forms import PasteForm
from portal.i18n.language import OFFERED
from portal.i18n.translation import translate
from portal.voipline import METHODS, MappingError, customise
from tests.conftest import AURORA

ROOT = Path(django_settings.BASE_DIR)
TRANSLATED = [code for code in OFFERED if code != "en"]  # The texts are written in English.
KEYWORDS = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop", "Words")),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
    "npgettext": ((1, "c"), 2, 3),
}


def template() -> Catalog:
    """Return all texts of code and templates, as `make messages` extracts them."""
    with (ROOT / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    catalog = Catalog()
    found = extract_from_dir(ROOT, methods, options, KEYWORDS)
    for _file, _line, message, _comments, context in found:
        catalog.add(message, context=context)
    return catalog


def test_texts_are_marked_by_names_known_to_the_extraction() -> None:
    source = "\n".join(
        path.read_text() for app in ("accounts", "billing", "portal") for path in (ROOT / app).rglob("*.py")
    )
    aliases = set(
        re.findall(
            r"^from django.utils.translation import (?:n|p|np)?gettext\w* as (\w+)$", source, re.MULTILINE
        )
    )
    assert aliases
    assert aliases <= set(KEYWORDS)


@pytest.fixture(scope="module")
def texts() -> Catalog:
    return template()


def catalogue(code: str) -> Catalog:
    with (ROOT / "locale" / to_locale(code) / "LC_MESSAGES" / "django.po").open("rb") as file:
        return read_po(file, locale=to_locale(code))


def forms(text) -> tuple[str, ...]:
    return text if isinstance(text, tuple) else (text,)


@pytest.mark.parametrize("code", TRANSLATED)
def test_every_text_is_translated(texts, code):
    messages = catalogue(code)
    missing = []
    for message in texts:
        if not message.id:
            continue
        entry = messages.get(message.id, message.context)
        if entry is None or entry.fuzzy or not all(forms(entry.string)):
            missing.append(message.id)
    assert not missing, (
        f"{len(missing)} texts are not translated into {code}: run make messages, then fill in"
    )


@pytest.mark.parametrize("code", TRANSLATED)
def test_no_translation_is_obsolete(texts, code):
    ids = {(message.id, message.context) for message in texts}
    assert not [message.id for message in catalogue(code) if (message.id, message.context) not in ids]


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)[sd]|%[sd]|\{\w*\}|<[^>]*>", text))


@pytest.mark.parametrize("code", TRANSLATED)
def test_translation_keeps_placeholders_and_tags(code):
    """A plural form for exactly one or two may omit the number, as languages do."""
    wrong = []
    for message in catalogue(code):
        if not message.id:
            continue
        needed = placeholders(forms(message.id)[-1])
        spelled = {
            "%(count)d",
            "%(minutes)d",
            "%(counter)s",
            "%(minutes)s",
            "%(number)d",
            "%(months)s",
            "%(number)s",
            "%(days)s",
        }
        for text in forms(message.string):
            left_out = needed - placeholders(text)
            allowed = spelled if isinstance(message.id, tuple) else set()
            if placeholders(text) - needed or left_out - allowed:
                wrong.append((message.id, text))
    assert not wrong


@pytest.mark.parametrize("code", TRANSLATED)
def test_compiled_catalogue_is_up_to_date(code):
    compiled = io.BytesIO()
    write_mo(compiled, catalogue(code))
    stored = ROOT / "locale" / to_locale(code) / "LC_MESSAGES" / "django.mo"
    assert stored.read_bytes() == compiled.getvalue(), "run make messages"


# A language in which every text of ours is in brackets: text outside them is untranslated.


@pytest.fixture
def bracketed(texts, tmp_path, settings):
    marked = Catalog(locale="es")
    for message in texts:
        if message.id:
            string = tuple(f"⟦{form}⟧" for form in forms(message.id))
            text = (string[0], *[string[1]] * (marked.num_plurals - 1)) if len(string) > 1 else string[0]
            marked.add(message.id, text, context=message.context)
    folder = tmp_path / "es" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / "django.mo").open("wb") as file:
        write_mo(file, marked)
    settings.LOCALE_PATHS = [tmp_path]
    trans_real._translations.clear()
    yield
    trans_real._translations.clear()


class Words(HTMLParser):
    """The texts a visitor reads on a page, and those a screen reader speaks."""

    SPOKEN = {"aria-label", "alt", "title", "placeholder"}

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag, attrs):
        self.silent += tag in ("script", "style")
        attributes = dict(attrs)
        own_name = "hreflang" in attributes  # A language is named in itself.
        self.silent += own_name
        self.texts += [value or "" for name, value in attrs if name in self.SPOKEN]

    def handle_endtag(self, tag):
        self.silent -= bool(self.silent) and tag in ("script", "style", "a")

    def handle_data(self, data):
        if not self.silent:
            self.texts.append(data)


# Data of the brand and the visitor, Django's own texts, and texts without language.
DATA = re.compile(
    r"Aurora Phone|help@aurora\.example|Alice|Archer|alice@example\.com|70001|\bAA\b|AUD"
    r"|(\d+ de )?\w+ de \d{4}|\w{3,4} 20\d\d"
    r"|Este campo es obligatorio\.|Introduzca una dirección de correo electrónico válida\."
    r"|CSV|[A-Z0-9]{4}-[A-Z0-9]{4}"
)


def untranslated(html: str) -> list[str]:
    parser = Words()
    parser.feed(html)
    text = "\n".join(parser.texts)
    rest = text
    while "⟦" in rest:
        shorter = re.sub(r"⟦[^⟦⟧]*⟧", "", rest)
        assert shorter != rest, f"unbalanced: {rest}"
        rest = shorter
    return [line for line in DATA.sub("", rest).splitlines() if re.search(r"[^\W\d_]{2,}", line)]


PUBLIC = [
    "/",
    "/sign-up/",
    "/sign-up/confirm/",
    "/sign-in/",
    "/password-reset/",
    "/password-reset/sent/",
    "/nowhere/",
]
PRIVATE = [
    *("/", "/statement/", "/statement/?from_date=1999-13-01&to_date=x", "/account/open/"),
    *("/account/", "/account/email/", "/sign-out/"),
]


@pytest.mark.parametrize("path", PUBLIC)
def test_public_pages_contain_no_untranslated_text(simulator, aurora, browse, bracketed, path):
    page = browse(AURORA).get(path, headers={"accept-language": "es"})
    assert untranslated(page.content.decode()) == []


@pytest.mark.parametrize("path", ["/sign-up/", "/sign-up/confirm/", "/sign-in/", "/password-reset/"])
def test_invalid_forms_contain_no_untranslated_text(simulator, aurora, browse, bracketed, path):
    page = browse(AURORA).post(path, {"email": "nobody", "phone": "x"}, headers={"accept-language": "es"})
    assert untranslated(page.content.decode()) == []


@pytest.mark.parametrize("path", PRIVATE)
def test_private_pages_contain_no_untranslated_text(simulator, alice, browse, bracketed, path):
    page = browse(AURORA, alice).get(path, headers={"accept-language": "es"})
    assert untranslated(page.content.decode()) == []


def test_messages_of_the_carrier_client_are_translated(bracketed):
    with pytest.raises(MappingError) as caught, override("es"):
        customise(METHODS["customer_balance"], parameters={"account_number": ""})
    [(key, words)] = caught.value.problems
    assert key == "parameters.account_number"
    assert words == "customer_balance must send account_number"
    with override("es"):
        assert translate(words) == "⟦customer_balance must send account_number⟧"


def test_emails_contain_no_untranslated_text(alice, browse, bracketed, mailoutbox):
    for email in ("alice@example.com", "nobody@example.com"):
        browse(AURORA).post("/sign-in/", {"email": email}, headers={"accept-language": "es"})
    assert len(mailoutbox) == 2
    for message in mailoutbox:
        html, _type = message.alternatives[0]
        urls = re.compile(r"https?://\S+|[\w.]+@[\w.]+")
        for text in (message.subject, message.body, html):
            assert untranslated(urls.sub("", text)) == []


@pytest.mark.parametrize("text", ["no address", "https://user:secret@carrier.example/x?y=1"])
def test_errors_of_a_pasted_url_are_translated(aurora, bracketed, text):
    with override("es"):
        form = PasteForm(aurora, {"text": text, "method": ""})
        [words] = form.errors["text"]
    assert untranslated(words) == []
