"""Previews: any page in the unsaved look, on a signed link, with nobody's data."""

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
    """The browser of a reseller who was sent a link: signed in nowhere."""
    return browse(ADMIN)


def url(brand: Brand) -> str:
    return f"/admin/portal/brand/{brand.pk}/preview/"


def draft(client: Client, where: str, data: dict[str, Any]) -> Any:
    """What the script sends and gets."""
    response = client.post(where, {"again": "", **data}, secure=True)
    assert response.status_code == 200
    return json.loads(response.content)


def token_of(client: Client, brand: Brand, **changes: Any) -> str:
    return str(draft(client, url(brand), brand_data(brand, **changes))["token"])


def see(client: Client, token: str, path: str = "visitor/", scheme: str = "auto") -> Any:
    return client.get(f"/preview/{token}/{scheme}/{path}", secure=True)


def seen(client: Client, token: str, path: str = "visitor/", scheme: str = "auto") -> str:
    response = see(client, token, path, scheme)
    assert response.status_code == 200
    return response.content.decode()


def paths() -> list[str]:
    import portal.urls.admin  # noqa: F401 - registers the samples.

    return [path for path, _label in rendering.page_choices()]


# --- What is shown ---


def test_the_unsaved_look_is_shown_and_nothing_is_saved(
    admin_client: Client, viewer: Client, aurora: Brand
) -> None:
    token = token_of(
        admin_client, aurora, name="Aurora Nova", accent="#ff8800", support_email="new@a.example"
    )
    page = seen(viewer, token)
    assert "Your account at Aurora Nova" in page
    assert "new@a.example" in page
    assert "--accent:#ff8800" in seen(viewer, token, "visitor/brand.css")
    saved = Brand.objects.get()
    assert (saved.name, saved.accent) == ("Aurora Phone", "#0b6e4f")


@pytest.mark.parametrize("path", paths())
@pytest.mark.parametrize("language", ["en", "en-gb"])
def test_every_page_is_the_real_one_with_nothing_missing(
    path: str, language: str, admin_client: Client, viewer: Client, aurora: Brand
) -> None:
    token = token_of(admin_client, aurora, language=language)
    page = seen(viewer, token, path)
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


def test_every_page_of_the_journey_can_be_chosen() -> None:
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


def test_the_pages_say_what_they_are(admin_client: Client, viewer: Client, aurora: Brand) -> None:
    token = token_of(admin_client, aurora)
    for path, text in {
        "customer/": "$242.09",
        "customer/statement/": "$242.09",
        "customer/history/": "Month by month",
        "unavailable/": "We cannot show your figures at the moment.",
        "unavailable/statement/": "We cannot show your figures at the moment.",
        "unnumbered/": "Your account number is not known to us yet",
        "visitor/sign-up/": "Google’s security check stands here.",
        "visitor/no-such-page/": "There is no such page",
    }.items():
        assert text in words(see(viewer, token, path)), path


@pytest.mark.parametrize(("scheme", "other"), [("light", "dark"), ("dark", "light")])
def test_a_scheme_is_forced_whatever_the_browser_prefers(
    scheme: str, other: str, admin_client: Client, viewer: Client, aurora: Brand
) -> None:
    token = token_of(admin_client, aurora)
    sheets = [seen(viewer, token, f"visitor/{name}", scheme) for name in ("portal.css", "brand.css")]
    assert not any("prefers-color-scheme" in sheet for sheet in sheets)
    assert f"color-scheme: {scheme};" in sheets[0]
    assert ("@media (min-width: 0)" in sheets[0]) is (scheme == "dark")
    page = seen(viewer, token, "visitor/", scheme)
    assert f'<meta name="color-scheme" content="{scheme}">' in page
    assert f'href="/preview/{token}/{scheme}/visitor/portal.css"' in page
    assert "/static/css/portal.css" not in page


def test_without_a_scheme_the_viewers_own_counts(admin_client: Client, viewer: Client, aurora: Brand) -> None:
    token = token_of(admin_client, aurora)
    assert "prefers-color-scheme: dark" in seen(viewer, token, "visitor/portal.css")
    for query, scheme in {"": "auto", "?scheme=dark": "dark", "?scheme=pink": "auto"}.items():
        response = viewer.get(f"/preview/{token}/{query}", secure=True)
        assert response.headers["Location"] == f"/preview/{token}/{scheme}/visitor/"


def test_sending_a_form_leads_on_and_does_nothing(
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


def test_a_page_without_a_sample_leads_to_the_first(
    admin_client: Client, viewer: Client, aurora: Brand
) -> None:
    token = token_of(admin_client, aurora)
    response = see(viewer, token, "customer/statement.csv")
    assert response.headers["Location"] == f"/preview/{token}/auto/customer/"


def test_a_chosen_logo_is_shown_unsaved_written_anew(
    admin_client: Client, viewer: Client, aurora: Brand
) -> None:
    data = picture("PNG", (1000, 500))
    upload = SimpleUploadedFile("logo.png", data, "image/png")
    token = token_of(admin_client, aurora, logo_file=upload)
    assert f"/preview/{token}/auto/visitor/brand/logo?v=" in seen(viewer, token)
    logo = see(viewer, token, "visitor/brand/logo")
    assert (logo.status_code, logo.headers["Content-Type"]) == (200, "image/png")
    assert logo.content != data
    assert not Brand.objects.get().logo_hash


def test_the_stored_logo_is_shown_and_its_removal_too(
    admin_client: Client, viewer: Client, aurora: Brand
) -> None:
    aurora.logo, aurora.logo_type, aurora.logo_hash = b"stored", "image/png", "abc"
    aurora.save()
    assert see(viewer, token_of(admin_client, aurora), "visitor/brand/logo").content == b"stored"
    removed = token_of(admin_client, aurora, remove_logo="on")
    assert see(viewer, removed, "visitor/brand/logo").status_code == 404
    assert Brand.objects.get().logo_hash == "abc"


def test_a_name_with_marks_is_a_text(admin_client: Client, viewer: Client, aurora: Brand) -> None:
    token = token_of(admin_client, aurora, name="<script>alert(1)</script>")
    for path in paths():
        page = seen(viewer, token, path)
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_closed_sign_up_is_closed_in_the_preview(admin_client: Client, viewer: Client, aurora: Brand) -> None:
    data = brand_data(aurora)
    del data["signup_open"]
    token = draft(admin_client, url(aurora), data)["token"]
    assert "Sign up" not in words(see(viewer, token)).partition("Preview with sample data")[0]
    assert "Sign-up is closed at the moment" in words(see(viewer, token, "visitor/sign-up/"))


def test_what_leads_outside_opens_a_tab_of_its_own(
    admin_client: Client, viewer: Client, aurora: Brand
) -> None:
    page = seen(viewer, token_of(admin_client, aurora))
    assert '<a href="https://aurora.example/terms" target="_blank" rel="noopener noreferrer">' in page


def test_a_draft_of_another_release_still_shows(admin_client: Client, viewer: Client, aurora: Brand) -> None:
    token = token_of(admin_client, aurora)
    row = BrandPreview.objects.get()
    row.look = {**row.look, "gone": "since"}
    del row.look["privacy_url"]
    row.save()
    assert "at Aurora Phone" in words(see(viewer, token))


def test_a_brand_goes_with_its_previews(admin_client: Client, viewer: Client, aurora: Brand) -> None:
    token = token_of(admin_client, aurora)
    page = admin_client.get(f"/admin/portal/brand/{aurora.pk}/delete/", secure=True)
    assert "would require deleting the following protected" not in words(page)
    admin_client.post(f"/admin/portal/brand/{aurora.pk}/delete/", {"post": "yes"}, secure=True)
    assert not Brand.objects.exists()
    assert see(viewer, token).status_code == 404


def test_an_overridden_method_that_wants_a_password_shows_its_field(
    admin_client: Client, viewer: Client, aurora: Brand
) -> None:
    token = token_of(admin_client, aurora)
    assert 'name="password"' not in seen(viewer, token, "customer/account/open/")
    aurora.overrides.create(method="login_via_url", parameters={"password": "pw"})
    assert 'name="password"' in seen(viewer, token, "customer/account/open/")


# --- Who may, and what cannot be got out of it ---


def test_a_preview_tells_nothing_but_the_look(
    admin_client: Client, viewer: Client, aurora: Brand, alice: User, borealis: Brand
) -> None:
    changes = {"carrier_key": CANARY, "recaptcha_secret_key": CANARY}
    token = token_of(admin_client, aurora, **changes)
    row = BrandPreview.objects.get()
    assert set(row.look) == set(drafts.LOOK)
    texts = [json.dumps(row.look), *(seen(viewer, token, path) for path in paths())]
    for text in texts:
        for secret in (CANARY, aurora.carrier_url, "aurora-site-key", alice.email, "Borealis", "127.0.0.1"):
            assert secret not in text


def test_a_preview_sets_no_cookie_and_is_kept_nowhere(
    admin_client: Client, viewer: Client, aurora: Brand
) -> None:
    token = token_of(admin_client, aurora)
    for path in (*paths(), "visitor/brand.css", "visitor/portal.css"):
        response = see(viewer, token, path)
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


def test_only_previews_may_stand_in_a_frame(admin_client: Client, aurora: Brand) -> None:
    page = admin_client.get(f"/admin/portal/brand/{aurora.pk}/change/", secure=True)
    assert page.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert "frame-src 'self'" in page.headers["Content-Security-Policy"]
    elsewhere = admin_client.get("/admin/", secure=True)
    assert "frame-src" not in elsewhere.headers["Content-Security-Policy"]


def test_a_forged_or_foreign_token_opens_nothing(admin_client: Client, viewer: Client, aurora: Brand) -> None:
    token = token_of(admin_client, aurora)
    pk = BrandPreview.objects.get().pk
    for wrong in (token + "x", token[:-1], signing.dumps(pk, salt="another"), str(pk), "x"):
        for path in (f"/preview/{wrong}/", f"/preview/{wrong}/auto/visitor/"):
            response = viewer.get(path, secure=True)
            assert response.status_code == 404
            assert "This preview cannot be shown" in words(response)
    for path in ("pink/visitor/", "auto/nobody/"):
        assert viewer.get(f"/preview/{token}/{path}", secure=True).status_code == 404


def test_a_link_works_for_seven_days(
    admin_client: Client, viewer: Client, aurora: Brand, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_of(admin_client, aurora)
    monkeypatch.setattr(drafts, "LIFETIME", timedelta(seconds=-1))
    response = see(viewer, token)
    assert response.status_code == 404
    assert "works for seven days" in words(response)
    assert response.headers["Cache-Control"] == "no-store"


def test_drafts_older_than_their_links_are_removed(
    admin_client: Client, viewer: Client, aurora: Brand
) -> None:
    old = token_of(admin_client, aurora)
    BrandPreview.objects.update(made_at=timezone.now() - timedelta(days=8))
    token_of(admin_client, aurora)
    assert BrandPreview.objects.count() == 1
    assert see(viewer, old).status_code == 404


def test_making_one_wants_a_post(admin_client: Client, aurora: Brand) -> None:
    for path in (url(aurora), NEW, f"/admin/portal/brand/{aurora.pk}/test-mail/"):
        assert admin_client.get(path, secure=True).status_code == 405
    assert admin_client.post("/admin/portal/brand/999/preview/", secure=True).status_code == 404


def test_a_preview_leaves_addresses_as_they_were(admin_client: Client, viewer: Client, aurora: Brand) -> None:
    seen(viewer, token_of(admin_client, aurora))
    assert get_script_prefix() == "/"
    assert get_urlconf() != "portal.urls.brand"
    assert admin_client.get("/admin/", secure=True).status_code == 200


# --- Making one ---


def test_the_live_draft_follows_the_form_and_a_kept_link_does_not(
    admin_client: Client, viewer: Client, aurora: Brand
) -> None:
    first = token_of(admin_client, aurora, name="One")
    kept = token_of(admin_client, aurora, name="Two", again=first, keep="yes")
    token_of(admin_client, aurora, name="Three", again=first)
    later = token_of(admin_client, aurora, name="Four", again=kept)
    assert "at Three" in words(see(viewer, first))
    assert "at Two" in words(see(viewer, kept))
    assert "at Four" in words(see(viewer, later))
    assert BrandPreview.objects.count() == 3


def test_a_draft_of_one_brand_is_never_that_of_another(
    admin_client: Client, viewer: Client, aurora: Brand, borealis: Brand
) -> None:
    token = token_of(admin_client, aurora)
    token_of(admin_client, borealis, again=token)
    assert "at Aurora Phone" in words(see(viewer, token))


def test_a_new_brand_is_shown_before_it_is_complete(admin_client: Client, viewer: Client) -> None:
    answer = draft(admin_client, NEW, {"name": "Cirrus", "accent": "#123456"})
    assert "at Cirrus" in words(see(viewer, answer["token"]))
    assert answer["link"] == f"https://{ADMIN}/preview/{answer['token']}/"
    bare = draft(admin_client, NEW, {})["token"]
    assert "at Name of the brand" in words(see(viewer, bare))
    assert Brand.objects.count() == 0


def test_what_cannot_be_shown_is_named_by_field(admin_client: Client, aurora: Brand) -> None:
    data = brand_data(aurora, accent="red", timezone="Moon/Base", carrier_url="nonsense")
    upload = SimpleUploadedFile("logo.png", b"no picture", "image/png")
    problems = draft(admin_client, url(aurora), {**data, "logo_file": upload})["problems"]
    assert {problem["field"] for problem in problems} == {"accent", "timezone", "logo_file"}
    assert all(problem["label"] and problem["text"] for problem in problems)
    assert not BrandPreview.objects.exists()


def test_without_script_the_button_leads_to_the_link(
    admin_client: Client, viewer: Client, aurora: Brand
) -> None:
    page = admin_client.get(f"/admin/portal/brand/{aurora.pk}/change/", secure=True).content.decode()
    assert f'formaction="{url(aurora)}" formtarget="_blank"' in page
    response = admin_client.post(url(aurora), brand_data(aurora, name="Nova"), secure=True)
    assert response.status_code == 302
    assert "at Nova" in words(viewer.get(response.headers["Location"], secure=True, follow=True))
    assert BrandPreview.objects.get().kept
    wrong = admin_client.post(url(aurora), brand_data(aurora, accent="red"), secure=True)
    assert "Write the colour as # and six digits" in words(wrong)


def test_the_add_page_has_a_preview_too(admin_client: Client) -> None:
    page = admin_client.get("/admin/portal/brand/add/", secure=True).content.decode()
    assert f'data-url="{NEW}"' in page
    assert "Test mail" not in page
