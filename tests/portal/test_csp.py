"""Content Security Policy and Permissions-Policy: only our own files, and no unused browser features."""

import re

import pytest

from portal.security.crypto import encrypt
from tests.conftest import ADMIN, AURORA

pytestmark = pytest.mark.django_db
STRICT = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
STATIC = "https://www.gstatic.com"


def get_policy(answer) -> dict[str, str]:
    """Return directive → sources."""
    directives = (each.partition(" ") for each in answer["Content-Security-Policy"].split("; "))
    return {name: sources for name, _blank, sources in directives}


@pytest.mark.parametrize("path", ["/", "/sign-in/code/", "/nowhere/", "/brand.css"])
def test_page_without_captcha_allows_only_own_files(aurora, browse, path):
    assert get_policy(browse(AURORA).get(path)) == STRICT


def test_page_with_captcha_allows_google_and_scripts_by_nonce(aurora, browse, settings):
    settings.RECAPTCHA_URL = "https://www.google.com/recaptcha"
    answer = browse(AURORA).get("/sign-up/")
    scripts = re.findall(r"<script[^>]*>", answer.content.decode())
    (nonce,) = {nonce for script in scripts for nonce in re.findall(r'nonce="([^"]+)"', script) or [""]}
    assert nonce
    assert get_policy(answer) == STRICT | {
        "script-src": f"'nonce-{nonce}' 'strict-dynamic'",
        "frame-src": f"https://www.google.com https://recaptcha.google.com {STATIC}",
        "connect-src": f"'self' https://www.google.com {STATIC}",
        "img-src": f"'self' {STATIC}",
    }


def test_welcome_page_allows_google_only_if_its_form_has_a_captcha(aurora, browse):
    assert get_policy(browse(AURORA).get("/")) == STRICT
    type(aurora).objects.update(recaptcha_secret_key=encrypt("a-secret-key"))
    page = browse(AURORA).get("/")
    assert b"g-recaptcha" in page.content
    assert STATIC in get_policy(page)["frame-src"]
    assert get_policy(page)["form-action"] == "'self'"


def test_only_the_carrier_login_page_allows_forms_to_login_hosts(aurora, alice, browse):
    aurora.login_hosts = ["login.example"]
    aurora.save()
    client = browse(AURORA, alice)
    assert "https://login.example" in get_policy(client.get("/account/open/"))["form-action"].split()
    for path in ("/", "/statement/", "/account/", "/password-reset/"):
        assert get_policy(client.get(path))["form-action"] == "'self'"


def test_non_html_response_keeps_its_own_policy(aurora, browse):
    assert get_policy(browse(AURORA).get("/healthz"))["default-src"] == "'none'"


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        (AURORA, "/", 200),
        (AURORA, "/sign-up/", 200),
        (AURORA, "/nowhere/", 404),
        (AURORA, "/healthz", 200),
        (ADMIN, "/admin/login/", 200),
        ("unknown.test", "/", 400),
    ],
)
def test_every_response_disables_unused_browser_features(aurora, browse, host, path, status):
    answer = browse(host).get(path)
    assert answer.status_code == status
    policy = dict(each.split("=") for each in answer["Permissions-Policy"].split(", "))
    assert {policy[name] for name in ("camera", "microphone", "geolocation", "payment", "usb")} == {"()"}
    assert {policy[name] for name in ("clipboard-write", "publickey-credentials-get")} == {"(self)"}
