"""What a browser may do on our pages: the policy on content, and no feature that no page uses."""

import re

import pytest

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
    """Directive → sources."""
    directives = (each.partition(" ") for each in answer["Content-Security-Policy"].split("; "))
    return {name: sources for name, _blank, sources in directives}


@pytest.mark.parametrize("path", ["/", "/sign-in/code/", "/nowhere/", "/brand.css"])
def test_a_page_without_captcha_lets_in_nothing_but_our_own_files(aurora, browse, path):
    assert get_policy(browse(AURORA).get(path)) == STRICT


def test_a_page_with_a_captcha_lets_google_in_and_scripts_by_its_nonce_alone(aurora, browse, settings):
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


def test_no_page_but_the_way_to_the_carrier_lets_a_form_lead_to_its_hosts(aurora, alice, browse):
    aurora.login_hosts = ["login.example"]
    aurora.save()
    client = browse(AURORA, alice)
    assert "https://login.example" in get_policy(client.get("/account/open/"))["form-action"].split()
    for path in ("/", "/statement/", "/account/", "/password-reset/"):
        assert get_policy(client.get(path))["form-action"] == "'self'"


def test_an_answer_for_programs_keeps_a_policy_of_its_own(aurora, browse):
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
def test_every_answer_switches_off_what_no_page_uses(aurora, browse, host, path, status):
    answer = browse(host).get(path)
    assert answer.status_code == status
    policy = dict(each.split("=") for each in answer["Permissions-Policy"].split(", "))
    assert {policy[name] for name in ("camera", "microphone", "geolocation", "payment", "usb")} == {"()"}
    assert {policy[name] for name in ("clipboard-write", "publickey-credentials-get")} == {"(self)"}
