"""What a browser may do on our pages: the policy on content, and no feature that no page uses."""

import pytest
from csp.constants import NONCE, SELF
from csp.exceptions import CSPNonceError
from csp.middleware import CSPMiddleware as Original
from django.http import HttpResponse
from django.test import RequestFactory

from portal.content_policy import CSPMiddleware
from tests.conftest import ADMIN, AURORA

CHANGES = (
    {},
    {"_csp_update": {"frame-src": ["https://www.google.com"]}},
    {"_csp_update": {"frame-src": ["https://www.google.com"], "form-action": [SELF, "https://a.example"]}},
    {"_csp_replace": {"script-src": [NONCE]}},
    {"_csp_config": {"default-src": [SELF]}},
)


def policy_of(middleware_class, changes, nonce):
    request = RequestFactory().get("/")
    middleware = middleware_class(lambda _request: HttpResponse())
    middleware.process_request(request)
    used = str(request.csp_nonce) if nonce else ""
    response = HttpResponse()
    vars(response).update(changes)
    header = middleware.process_response(request, response)["Content-Security-Policy"]
    return {each.replace(used, "NONCE") if used else each for each in header.split("; ")}


@pytest.mark.parametrize("nonce", [False, True])
@pytest.mark.parametrize("changes", CHANGES)
def test_it_is_the_one_that_the_library_composes(changes, nonce):
    expected = policy_of(Original, changes, nonce)
    for _ in range(2):  # Composed, and kept.
        assert policy_of(CSPMiddleware, changes, nonce) == expected


def test_an_answer_with_a_policy_of_its_own_keeps_it():
    response = HttpResponse(headers={"Content-Security-Policy": "sandbox"})
    answered = CSPMiddleware(lambda _: response).process_response(RequestFactory().get("/"), response)
    assert answered["Content-Security-Policy"] == "sandbox"


@pytest.mark.parametrize("middleware_class", [Original, CSPMiddleware])
def test_a_nonce_that_comes_too_late_for_the_policy_is_an_error(middleware_class):
    request = RequestFactory().get("/")
    middleware = middleware_class(lambda _request: HttpResponse())
    middleware.process_request(request)
    middleware.process_response(request, HttpResponse())
    with pytest.raises(CSPNonceError):
        str(request.csp_nonce)


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
