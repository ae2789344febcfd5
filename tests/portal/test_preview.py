"""Previews: any page in the unsaved look, on a signed link, without customer data."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import signing
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import get_script_prefix, get_urlconf
from django.utils import timezone

from accounts.models import User
from portal.models import Brand, BrandPreview
from portal.preview import drafts, rendering
from tests.conftest import ADMIN, Simulator
from tests.portal.test_admin import CANARY, brand_data
from tests.portal.test_logo import picture
from tests.support.customer_flow import words

Browse = Callable[..., Client]
NEW = "/admin/portal/brand/preview/"


@pytest.fixture
def viewer(browse: Browse, db: None) -> Client:
    """The browser of a reseller who was sent a link, signed in nowhere."""
    return browse(ADMIN)


def url(brand: Brand) -> str:
    return f"/admin/portal/brand/{brand.pk}/preview/"


def draft(client: Client, path: str, data: dict[str, Any]) -> Any:
    """Send a draft as the script does and return the JSON."""
    response = client.post(path, {"again": "", **data}, secure=True)
    assert response.status_code == 200
    return json.loads(response.content)


def token_of(client: Client, brand: Brand, **changes: Any) -> str:
    return str(draft(client, url(brand), brand_data(brand, **changes))["token"])


def open_preview(client: Client, token: str, path: str = "visitor/", scheme: str = "auto") -> Any:
    return client.get(f"/preview/{token}/{scheme}/{path}", secure=True)


def preview_html(client: Client, token: str, path: str = "visitor/", scheme: str = "auto") -> str:
    response = open_preview(client, token, path, scheme)
    assert response.status_code == 200
    return response.content.decode()


def paths() -> list[str]:
    import portal.urls.admin  # noqa: F401 - registers the samples.

    return [path for path, _label in rendering.page_choices()]


# --- Content ---


def test_unsaved_look_is_shown_and_nothing_is_saved(
    admin_client: Client, viewer: Client, aurora: Brand
) -> None:
    token = token_of(
        admin_client, aurora, name="Aurora Nova", accent="#ff8800", support_email="new@a.example"
    )
    page = preview_html(viewer, token)
    assert "Manage your Aurora Nova account" in page
    assert "new@a.example" in page
    assert "--accent:#ff8800" in preview_html(viewer, token, "visitor/brand.css")
    saved = Brand.objects.get()
    assert (saved.name, saved.accent) == ("Aurora Phone", "#0b6e4f")


@pytest.mark.parametrize("path", paths())
@pytest.mark.parametrize("language", ["en", "en-gb"])
def test_every_previewed_page_is_complete(
    path: str, language: str, admin_client: Client, viewer: Client, aurora: Brand
) -> None:
    token = token_of(admin_client, aurora, language=language)
    page = preview_html(viewer, token, path)
    assert "MISSING-VARIABLE" not in page
    assert "Preview with sample data" in page
    assert f'<html lang="{language}"' in page
    inside = f"/preview/{token}/"
    outside = [
        address
        for address in re.findall(r'\b(?:href|src|action)="(/[^"]*)"', page)
        if not address.startswith((inside, "/static/"))
    ]
    assert outside == []
    banner = page.partition('class="preview-banner"')[2]
    assert re.findall(r'href="([^"]*)"', banner) == [f"{inside}auto/{each}" for each in paths()]


def test_every_page_can_be_chosen() -> None:
    assert paths() == [
        "visitor/",
        "visitor/sign-up/",
        "visitor/sign-up/confirm/",
        "visitor/sign-in/",
        "visitor/sign-in/code/",
        "customer/account/open/",
        "unnumbered/account/open/",
        "customer/account/",
        "customer/account/email/",
        "customer/account/email/code/",
        "visitor/password-reset/",
        "visitor/password-reset/sent/",
        "customer/",
        "customer/statement/",
        "customer/history/",
        "unavailable/",
        "unnumbered/",
        "visitor/no-such-page/",
    ]


def test_pages_are_marked_as_previews(admin_client: Client, viewer: Client, aurora: Brand) -> None:
    token = token_of(admin_client, aurora)
    for path, text in {
        "customer/": "$242.09",
        "customer/statement/": "$242.09",
        "customer/history/": "Monthly totals in AUD, newest first",
        "unavailable/": "We can't show your balance right now",
        "unavailable/statement/": "We can't show your balance right now",
        "unnumbered/": "We're still setting up your account",
        "visitor/sign-up/": "Google's security check appears here.",
        "visitor/no-such-page/": "Check the web address, or go to the home page.",
    }.items():
        assert text in words(open_preview(viewer, token, path)), path


@pytest.mark.parametrize(("scheme", "other"), [("light", "dark"), ("dark", "light")])
def test_colour_scheme_in_the_link_overrides_the_browser(
    scheme: str, other: str, admin_client: Client, viewer: Client, aurora: Brand
) -> None:
    token = token_of(admin_client, aurora)
    sheets = [preview_html(viewer, token, f"visitor/{name}", scheme) for name in ("portal.css", "brand.css")]
    assert not any("prefers-color-scheme" in sheet for sheet in sheets)
    assert f"color-scheme: {scheme};" in sheets[0]
    assert ("@media (min-width: 0)" in sheets[0]) is (scheme == "dark")
    page = preview_html(viewer, token, "visitor/", scheme)
    assert f'<meta name="color-scheme" content="{scheme}">' in page
    assert f'href="/preview/{token}/{scheme}/visitor/portal.css"' in page
    assert "/static/css/portal.css" not in page


def test_browser_colour_scheme_applies_without_one_in_the_link(
    admin_client: Client, viewer: Client, aurora: Brand
) -> None:
    token = token_of(admin_client, aurora)
    assert "prefers-color-scheme: dark" in preview_html(viewer, token, "visitor/portal.css")
    for query, scheme in {"": "auto", "?scheme=dark": "dark", "?scheme=pink": "auto"}.items():
        response = viewer.get(f"/preview/{token}/{query}", secure=True)
        assert response.headers["Location"] == f"/preview/{token}/{scheme}/visitor/"


def test_sending_a_form_continues_and_does_nothing(
    admin_client: Client, viewer: Client, simulator: Simulator, aurora: Brand
) -> None:
    token = token_of(admin_client, aurora)
    for path, then in {
        "visitor/sign-up/": "visitor/sign-up/confirm/",
        "visitor/sign-up/confirm/": "visitor/sign-in/code/",
        "visitor/sign-in/": "visitor/sign-in/code/",
        "visitor/sign-in/code/": "customer/",
        "customer/account/open/": "customer/",
        "customer/sign-out/": "visitor/",
        "visitor/no-such-page/": "visitor/",
    }.items():
        response = viewer.post(f"/preview/{token}/auto/{path}", {"email": "x@example.com"}, secure=True)
        assert (response.status_code, response.headers["Location"]) == (303, f"/preview/{token}/auto/{then}")
    assert simulator.calls() == []
    assert not User.objects.filter(brand=aurora).exists()


def test_page_without_a_sample_redirects_to_the_first(
    admin_client: Client, viewer: Client, aurora: Brand
) -> None:
    token = token_of(admin_client, aurora)
    response = open_preview(viewer, token, "customer/statement.csv")
    assert response.headers["Location"] == f"/preview/{token}/auto/customer/"


def test_chosen_logo_is_shown_reencoded_and_unsaved(
    admin_client: Client, viewer: Client, aurora: Brand
) -> None:
    data = picture("PNG", (1000, 500))
    upload = SimpleUploadedFile("logo.png", data, "image/png")
    token = token_of(admin_client, aurora, logo_file=upload)
    assert f"/preview/{token}/auto/visitor/brand/logo?v=" in preview_html(viewer, token)
    logo = open_preview(viewer, token, "visitor/brand/logo")
    assert (logo.status_code, logo.headers["Content-Type"]) == (200, "image/png")
    assert logo.content != data
    assert not Brand.objects.get().logo_hash


def test_stored_logo_and_its_removal_are_shown(admin_client: Client, viewer: Client, aurora: Brand) -> None:
    aurora.logo, aurora.logo_type, aurora.logo_hash = b"stored", "image/png", "abc"
    aurora.save()
    assert open_preview(viewer, token_of(admin_client, aurora), "visitor/brand/logo").content == b"stored"
    removed = token_of(admin_client, aurora, remove_logo="on")
    assert open_preview(viewer, removed, "visitor/brand/logo").status_code == 404
    assert Brand.objects.get().logo_hash == "abc"


def test_name_with_markup_is_escaped(admin_client: Client, viewer: Client, aurora: Brand) -> None:
    token = token_of(admin_client, aurora, name="<script>alert(1)</script>")
    for path in paths():
        page = preview_html(viewer, token, path)
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_closed_sign_up_is_closed_in_the_preview(admin_client: Client, viewer: Client, aurora: Brand) -> None:
    data = brand_data(aurora)
    del data["signup_open"]
    token = draft(admin_client, url(aurora), data)["token"]
    start = words(open_preview(viewer, token)).partition("Preview with sample data")[0]
    assert "Create an account" not in start
    page = words(open_preview(viewer, token, "visitor/sign-up/"))
    assert "You can't create an account online right now" in page


def test_external_links_open_a_new_tab(admin_client: Client, viewer: Client, aurora: Brand) -> None:
    page = preview_html(viewer, token_of(admin_client, aurora))
    assert '<a href="https://aurora.example/terms" target="_blank" rel="noopener noreferrer">' in page


def test_draft_of_another_release_is_still_shown(admin_client: Client, viewer: Client, aurora: Brand) -> None:
    token = token_of(admin_client, aurora)
    row = BrandPreview.objects.get()
    row.look = {**row.look, "gone": "since"}
    del row.look["privacy_url"]
    row.save()
    assert "Manage your Aurora Phone account" in words(open_preview(viewer, token))


def test_previews_are_deleted_with_their_brand(admin_client: Client, viewer: Client, aurora: Brand) -> None:
    token = token_of(admin_client, aurora)
    page = admin_client.get(f"/admin/portal/brand/{aurora.pk}/delete/", secure=True)
    assert "would require deleting the following protected" not in words(page)
    admin_client.post(f"/admin/portal/brand/{aurora.pk}/delete/", {"post": "yes"}, secure=True)
    assert not Brand.objects.exists()
    assert open_preview(viewer, token).status_code == 404


def test_login_method_with_password_shows_the_password_field(
    admin_client: Client, viewer: Client, aurora: Brand
) -> None:
    token = token_of(admin_client, aurora)
    assert 'name="password"' not in preview_html(viewer, token, "customer/account/open/")
    aurora.overrides.create(method="login_via_url", parameters={"password": "pw"})
    assert 'name="password"' in preview_html(viewer, token, "customer/account/open/")


# --- Access and isolation ---


def test_preview_contains_only_the_look(
    admin_client: Client, viewer: Client, aurora: Brand, alice: User, borealis: Brand
) -> None:
    changes = {"carrier_key": CANARY, "recaptcha_secret_key": CANARY}
    token = token_of(admin_client, aurora, **changes)
    row = BrandPreview.objects.get()
    assert set(row.look) == set(drafts.LOOK)
    texts = [json.dumps(row.look), *(preview_html(viewer, token, path) for path in paths())]
    for text in texts:
        for secret in (CANARY, aurora.carrier_url, "aurora-site-key", alice.email, "Borealis", "127.0.0.1"):
            assert secret not in text


def test_preview_sets_no_cookie_and_is_not_cacheable(
    admin_client: Client, viewer: Client, aurora: Brand
) -> None:
    token = token_of(admin_client, aurora)
    for path in (*paths(), "visitor/brand.css", "visitor/portal.css"):
        response = open_preview(viewer, token, path)
        assert not response.cookies
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["X-Robots-Tag"] == "noindex, nofollow"
        assert response.headers["X-Frame-Options"] == "SAMEORIGIN"
        policy = response.headers["Content-Security-Policy"]
        assert "frame-ancestors 'self'" in policy
        assert "sandbox allow-forms" in policy
        assert "allow-same-origin" not in policy
        assert "unsafe" not in policy


def test_only_previews_may_be_framed(admin_client: Client, aurora: Brand) -> None:
    page = admin_client.get(f"/admin/portal/brand/{aurora.pk}/change/", secure=True)
    assert page.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"]
    elsewhere = admin_client.get("/admin/", secure=True)
    assert "frame-src" not in elsewhere.headers["Content-Security-Policy"]


def test_forged_or_foreign_token_is_a_404(admin_client: Client, viewer: Client, aurora: Brand) -> None:
    token = token_of(admin_client, aurora)
    pk = BrandPreview.objects.get().pk
    for wrong in (token + "x", token[:-1], signing.dumps(pk, salt="another"), str(pk), "x"):
        for path in (f"/preview/{wrong}/", f"/preview/{wrong}/auto/visitor/"):
            response = viewer.get(path, secure=True)
            assert response.status_code == 404
            assert "We can't show this preview" in words(response)
    for path in ("pink/visitor/", "auto/nobody/"):
        assert viewer.get(f"/preview/{token}/{path}", secure=True).status_code == 404


def test_preview_link_works_for_seven_days(
    admin_client: Client, viewer: Client, aurora: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_of(admin_client, aurora)
    monkeypatch.setattr(drafts, "LIFETIME", timedelta(seconds=-1))
    response = open_preview(viewer, token)
    assert response.status_code == 404
    assert "works for 7 days" in words(response)
    assert response.headers["Cache-Control"] == "no-store"


def test_drafts_older_than_their_links_are_deleted(
    admin_client: Client, viewer: Client, aurora: Brand
) -> None:
    old = token_of(admin_client, aurora)
    BrandPreview.objects.update(made_at=timezone.now() - timedelta(days=8))
    token_of(admin_client, aurora)
    assert BrandPreview.objects.count() == 1
    assert open_preview(viewer, old).status_code == 404


def test_creating_a_preview_requires_post(admin_client: Client, aurora: Brand) -> None:
    for path in (url(aurora), NEW, f"/admin/portal/brand/{aurora.pk}/test-mail/"):
        assert admin_client.get(path, secure=True).status_code == 405
    assert admin_client.post("/admin/portal/brand/999/preview/", secure=True).status_code == 404


def test_preview_does_not_change_url_resolution(admin_client: Client, viewer: Client, aurora: Brand) -> None:
    preview_html(viewer, token_of(admin_client, aurora))
    assert get_script_prefix() == "/"
    assert get_urlconf() != "portal.urls.brand"
    assert admin_client.get("/admin/", secure=True).status_code == 200


# --- Creating ---


def test_live_draft_follows_the_form_but_a_shared_link_does_not(
    admin_client: Client, viewer: Client, aurora: Brand
) -> None:
    first = token_of(admin_client, aurora, name="One")
    shared = token_of(admin_client, aurora, name="Two", again=first, keep="yes")
    token_of(admin_client, aurora, name="Three", again=first)
    later = token_of(admin_client, aurora, name="Four", again=shared)
    assert "Manage your Three account" in words(open_preview(viewer, first))
    assert "Manage your Two account" in words(open_preview(viewer, shared))
    assert "Manage your Four account" in words(open_preview(viewer, later))
    assert BrandPreview.objects.count() == 3


def test_draft_of_one_brand_is_never_shown_for_another(
    admin_client: Client, viewer: Client, aurora: Brand, borealis: Brand
) -> None:
    token = token_of(admin_client, aurora)
    token_of(admin_client, borealis, again=token)
    assert "Manage your Aurora Phone account" in words(open_preview(viewer, token))


def test_incomplete_new_brand_can_be_previewed(admin_client: Client, viewer: Client) -> None:
    answer = draft(admin_client, NEW, {"name": "Cirrus", "accent": "#123456"})
    assert "Manage your Cirrus account" in words(open_preview(viewer, answer["token"]))
    assert answer["link"] == f"https://{ADMIN}/preview/{answer['token']}/"
    bare = draft(admin_client, NEW, {})["token"]
    assert "Manage your Name of the brand account" in words(open_preview(viewer, bare))
    assert Brand.objects.count() == 0


def test_invalid_look_is_reported_by_field(admin_client: Client, aurora: Brand) -> None:
    data = brand_data(aurora, accent="red", timezone="Moon/Base", carrier_url="nonsense")
    upload = SimpleUploadedFile("logo.png", b"no picture", "image/png")
    problems = draft(admin_client, url(aurora), {**data, "logo_file": upload})["problems"]
    assert {problem["field"] for problem in problems} == {"accent", "timezone", "logo_file"}
    assert all(problem["label"] and problem["text"] for problem in problems)
    assert not BrandPreview.objects.exists()


def test_preview_button_works_without_javascript(admin_client: Client, viewer: Client, aurora: Brand) -> None:
    page = admin_client.get(f"/admin/portal/brand/{aurora.pk}/change/", secure=True).content.decode()
    assert f'formaction="{url(aurora)}" formtarget="_blank"' in page
    response = admin_client.post(url(aurora), brand_data(aurora, name="Nova"), secure=True)
    assert response.status_code == 302
    assert "Manage your Nova account" in words(
        viewer.get(response.headers["Location"], secure=True, follow=True)
    )
    assert BrandPreview.objects.get().kept
    wrong = admin_client.post(url(aurora), brand_data(aurora, accent="red"), secure=True)
    assert "Write the colour as # and six digits" in words(wrong)


def test_add_page_has_a_preview_too(admin_client: Client) -> None:
    page = admin_client.get("/admin/portal/brand/add/", secure=True).content.decode()
    assert f'data-url="{NEW}"' in page
    assert "Test email" not in page
