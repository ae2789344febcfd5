"""Language selection: the visitor's choice first, then the browser's, then the brand's."""

import pytest
from django.conf import settings as django_settings
from hypothesis import given
from hypothesis import strategies as st

from portal.i18n import language
from tests.conftest import AURORA

CODES = [code for code, _name in django_settings.LANGUAGES]


@pytest.mark.parametrize(
    ("chosen", "accepted", "default", "shown"),
    [
        ("", "", "en-au", "en-au"),
        ("", "es-MX,es;q=0.9,en;q=0.5", "en-au", "es"),
        ("", "fr,de;q=0.5", "en-au", "en-au"),
        ("", "fr,ar;q=0.5", "en-au", "ar"),
        ("", "zh-CN", "en-au", "zh-hans"),
        ("", "zh", "en-au", "zh-hans"),
        ("", "en-US,en;q=0.9", "en-au", "en-au"),
        ("", "en-US,en;q=0.9", "es", "en-us"),
        ("", "*", "es", "es"),
        ("", "en;q=0.1,ar;q=0.9", "es", "ar"),
        ("", "es;q=0", "en", "en"),
        ("ar", "es", "en-au", "ar"),
        ("en", "es", "en-au", "en-au"),
        ("en", "es", "ar", "en"),
        ("tlh", "es", "en-au", "es"),
        ("es;<script>", "", "en-au", "en-au"),
    ],
)
def test_choice_precedes_browser_and_browser_precedes_brand(chosen, accepted, default, shown):
    assert language.choose(chosen=chosen, accepted=accepted, default=default) == shown


@pytest.mark.parametrize(
    ("chosen", "accepted", "shown"),
    [
        ("", "en-AU,en;q=0.9", "en-au"),
        ("", "en-IE,en-GB;q=0.9,en-US;q=0.8,en;q=0.7", "en-gb"),
        ("", "en,en-AU;q=0.5", "en"),
        ("", "en-US", "en-us"),
        ("en", "es,en-NZ;q=0.5", "en-nz"),
        ("es", "en-AU", "es"),
        ("", "es-MX,es;q=0.9,en-AU;q=0.5", "es"),
        ("", "zh-CN", "zh-hans"),
        ("", "en-AU;q=0,en", "en"),
        ("", "fr", "en"),
        ("", "", "en"),
    ],
)
def test_browser_decides_on_the_region_of_staff(chosen, accepted, shown):
    assert language.choose_for_staff(chosen=chosen, accepted=accepted) == shown


@given(chosen=st.text(), accepted=st.text(), default=st.sampled_from(CODES))
def test_any_accept_language_gives_a_supported_language(chosen, accepted, default):
    assert language.choose(chosen=chosen, accepted=accepted, default=default) in CODES
    assert language.choose_for_staff(chosen=chosen, accepted=accepted) in CODES


def test_page_declares_its_language_and_direction(aurora, browse):
    page = browse(AURORA).get("/", headers={"accept-language": "ar"})
    assert '<html lang="ar" dir="rtl">' in page.content.decode()
    assert page["Content-Language"] == "ar"
    assert {"Accept-Language", "Cookie"} <= {name.strip() for name in page["Vary"].split(",")}


def test_switcher_stores_the_choice_and_returns_to_the_page(aurora, browse):
    visitor = browse(AURORA)
    reply = visitor.get("/language/es/?next=/sign-in/%3Fnext%3D/statement/")
    assert (reply.status_code, reply["Location"]) == (302, "/sign-in/?next=/statement/")
    cookie = reply.cookies["__Host-language"]
    assert cookie["secure"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["path"] == "/"
    assert '<html lang="es">' in visitor.get("/sign-in/", headers={"accept-language": "ar"}).content.decode()


@pytest.mark.parametrize(
    "next_url", ["https://evil.example/", "//evil.example", "/\\evil.example", "x" * 600]
)
def test_switcher_redirects_to_no_other_host(aurora, browse, next_url):
    assert browse(AURORA).get("/language/es/", {"next": next_url})["Location"] == "/"


def test_unknown_language_is_a_404(aurora, browse):
    assert browse(AURORA).get("/language/tlh/").status_code == 404


def test_page_offers_every_language_by_its_own_name(aurora, browse):
    page = browse(AURORA).get("/sign-in/?next=/statement/").content.decode()
    for name in ("English", "Español", "简体中文", "العربيّة"):
        assert f">{name}</a>" in page
    assert "/language/es/?next=%2Fsign-in%2F%3Fnext%3D%2Fstatement%2F" in page


def test_style_sheet_and_logo_are_the_same_in_all_languages(aurora, browse):
    reply = browse(AURORA).get("/brand.css", headers={"accept-language": "ar"})
    assert "Accept-Language" not in reply["Vary"]
    assert "Content-Language" not in reply


def test_admin_uses_the_chosen_language(db, client):
    page = client.get("/admin/login/", headers={"host": "admin.test", "accept-language": "es"})
    assert '<html lang="es"' in page.content.decode()
