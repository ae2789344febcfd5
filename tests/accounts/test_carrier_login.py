""" "Go to my account": redirects only to a listed host, once, and the login URL is not stored anywhere."""

import logging
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.sessions.models import Session
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts.models import Submission
from accounts.services import login_url
from accounts.services.login_url import form_action_sources, validate_login_url
from portal.models import Brand
from portal.voipline import Reach
from tests.conftest import AURORA
from tests.support.customer_flow import at_once, send, twin, words

pytestmark = pytest.mark.django_db
HOST = "au.voipcloud.online"
LISTED = Brand(carrier_url=f"https://{HOST}/api/", login_hosts=[HOST, "login.example:8443"])
HERE = Brand(carrier_url="http://127.0.0.1:8090/api/", login_hosts=["127.0.0.1:8090"])


@pytest.fixture
def client(aurora, alice, simulator, browse) -> Any:
    """Alice's browser, signed in."""
    return browse(AURORA, alice)


def form(simulator, **more: str) -> dict[str, str]:
    return {"g-recaptcha-response": simulator.token(), **more}


# Allowed login URLs


@pytest.mark.parametrize(
    "url",
    [
        f"https://{HOST}/login?t=1#x",
        f"https://{HOST}",
        f"https://{HOST}:443/",
        f"https://{HOST.upper()}/",
        "https://login.example:8443/a",
    ],
)
def test_login_url_of_listed_host_is_allowed_unchanged(url):
    assert validate_login_url(LISTED, url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        " \n",
        "//evil.example/",
        "///evil.example/",
        f"http://{HOST}/",
        f"ftp://{HOST}/",
        f"javascript://{HOST}/%0aalert(1)",
        "data:text/html,x",
        f"https:{HOST}/",
        f"https:///{HOST}/",
        f"https:/{HOST}/",
        f"https://{HOST}./",
        f"https://x.{HOST}/",
        f"https://{HOST}.evil.example/",
        f"https://evil.example/{HOST}",
        f"https://evil.example?{HOST}",
        f"https://evil.example#@{HOST}/",
        f"https://{HOST}@evil.example/",
        f"https://user@{HOST}/",
        f"https://user:pass@{HOST}/",
        f"https://@{HOST}/",
        f"https://evil.example\\@{HOST}/",
        f"https://{HOST}\\.evil.example/",
        f"https://{HOST}:8443/",
        f"https://{HOST}:0/",
        f"https://{HOST}:443443/",
        f"https://{HOST}:x/",
        f"https://{HOST}:-443/",
        "https://login.example/",
        "https://login.example:443/",
        f"https://{HOST}/a\nb",
        f"https://{HOST}/\x85a",
        "#x",
        "//",
        "login:x",
        f"https://{HOST} /",
        f"https://{HOST}/#a b",
        f"https://{HOST}/#é",
        f"https://{HOST}/\r\nSet-Cookie: a=b",
        f"ht\ttps://{HOST}/",
        f"https://{HOST}\x00/",
        f"https://{HOST}%2eevil.example/",
        f"https://{HOST}%00.evil.example/",
        f"https://[{HOST}]/",
        "https://[::1/",
        "https://au\u3002voipcloud.online/",
        "https://\uff41u.voipcloud.online/",
        "https://au.voip\u0441loud.online/",
        "http://127.0.0.1:8090/",
    ],
)
def test_doubtful_login_url_is_refused_without_being_quoted(url):
    with pytest.raises(ValueError) as caught:
        validate_login_url(LISTED, url)
    assert not url.strip() or url not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        (f" https://{HOST}/x \r\n", f"https://{HOST}/x"),
        (f"\ufeffhttps://{HOST}/x\u00a0", f"https://{HOST}/x"),
        (f"\u200b\u3000https://{HOST}/x\u2028", f"https://{HOST}/x"),
        (
            f"https://{HOST}/a b?name=Zoë Müller&t=%2F+x%",
            f"https://{HOST}/a%20b?name=Zo%C3%AB%20M%C3%BCller&t=%2F+x%",
        ),
        (f"https://{HOST}/山田?t=\U0001f511", f"https://{HOST}/%E5%B1%B1%E7%94%B0?t=%F0%9F%94%91"),
        (f"https://{HOST}/?a=1&amp;b=2", f"https://{HOST}/?a=1&amp;b=2"),
        (f"https://{HOST}/?to=\"<'>", f"https://{HOST}/?to=\"<'>"),
        (f"HTTPS://{HOST}/", f"https://{HOST}/"),
        ("/login?t=1", f"https://{HOST}/login?t=1"),
        ("login?t=1", f"https://{HOST}/api/login?t=1"),
        ("../login", f"https://{HOST}/login"),
        ("?t=1", f"https://{HOST}/api/?t=1"),
        ("//login.example:8443/a", "https://login.example:8443/a"),
    ],
)
def test_untidy_login_url_is_normalised_and_sent_as_checked(url, sent):
    assert validate_login_url(LISTED, url) == sent
    assert validate_login_url(LISTED, sent) == sent


def test_login_url_may_be_as_long_as_the_web_server_forwards():
    url = f"https://{HOST}/".ljust(8000, "x")
    assert validate_login_url(LISTED, url) == url
    with pytest.raises(ValueError, match="longer than 8000"):
        validate_login_url(LISTED, url + "x")


def test_plain_http_login_url_requires_carriers_on_this_machine(settings):
    settings.CARRIER_REACH = Reach()  # As in production.
    with pytest.raises(ValueError, match="https"):
        validate_login_url(HERE, "http://127.0.0.1:8090/x")
    assert form_action_sources(HERE) == ["https://127.0.0.1:8090"]
    settings.CARRIER_REACH = Reach(loopback=True)
    assert validate_login_url(HERE, "http://127.0.0.1:8090/x")


def test_plain_http_is_allowed_only_within_this_machine():
    assert validate_login_url(HERE, "http://127.0.0.1:8090/x")
    remote = Brand(carrier_url="https://au.voipcloud.online/", login_hosts=["127.0.0.1:8090"])
    for brand, url in (
        (remote, "http://127.0.0.1:8090/"),
        (HERE, "http://127.0.0.1:8091/"),
        (HERE, "http://[::1]:8090/"),
    ):
        with pytest.raises(ValueError):
            validate_login_url(brand, url)


MARKS = [
    "@",
    ":",
    "/",
    "//",
    "\\",
    "#",
    "?",
    "%",
    ".",
    "[",
    "]",
    "\t",
    "\n",
    "\x00",
    " ",
    ";",
    "&",
    "\u3002",
    "é",
]
WORDS = [
    HOST,
    "evil.example",
    "login.example",
    "443",
    "8443",
    "https:",
    "http:",
    "user",
    "xn--",
    "%2f",
    "%40",
]
PIECES = st.sampled_from([*MARKS, *WORDS])


@given(pieces=st.lists(PIECES | st.text(max_size=3), max_size=8), scheme=st.sampled_from(["https://", ""]))
@hypothesis_settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_only_a_listed_host_directly_after_https_is_allowed(pieces, scheme):
    url = scheme + "".join(pieces)
    try:
        allowed = validate_login_url(LISTED, url)
    except ValueError:
        return
    # A second, textual check: the authority is everything between `https://` and the next of / ? #
    head, _, rest = allowed.partition("://")
    authority = rest
    for end in "/?#":
        authority = authority.split(end)[0]
    assert head.lower() == "https"
    assert authority.lower() in {HOST, f"{HOST}:", f"{HOST}:443", "login.example:8443"}
    assert allowed.isascii()
    assert allowed.isprintable()
    assert not set(allowed) & set(" \\")
    assert validate_login_url(LISTED, allowed) == allowed


@given(st.text())
@hypothesis_settings(max_examples=200, deadline=None)
def test_any_text_is_refused_or_starts_with_https(text):
    for url in (text, f"https://{HOST}{text}", f"https://{HOST}/{quote(text)}"):
        try:
            assert validate_login_url(LISTED, url).startswith(f"https://{HOST}")
        except ValueError:
            continue


# The page


def test_button_redirects_to_the_carrier_portal_signed_in(client, simulator):
    data = form(simulator)
    response = send(client, "/account/open/", data)
    assert response.status_code == 303
    assert response["Location"].startswith(f"{simulator.url}/carrier/login?ticket=")
    assert response["Cache-Control"] == "no-store"
    assert response["Referrer-Policy"] == "no-referrer"
    assert response.content == b""
    (call,) = simulator.calls()
    assert call["fields"] == {"account_number": "70001", "google_captcha": data["g-recaptcha-response"]}
    assert simulator.listed("siteverify") == []


def test_visitor_must_sign_in_first(aurora, simulator, browse):
    response = send(browse(AURORA), "/account/open/", form(simulator))
    assert response["Location"] == "/sign-in/?next=/account/open/&why=sent"
    assert simulator.calls() == []


def test_only_this_page_allows_login_hosts_in_form_action(client, simulator):
    def policy(response: Any) -> str:
        directives = response["Content-Security-Policy"].split("; ")
        return next(directive for directive in directives if directive.startswith("form-action"))

    page, refused = client.get("/account/open/"), send(client, "/account/open/", {})
    for response in (page, refused):
        assert policy(response) == f"form-action 'self' https://{simulator.host} http://{simulator.host}"
    for path in ("/", "/statement/", "/password-reset/", "/sign-up/confirm/"):
        assert policy(client.get(path)) == "form-action 'self'"


def test_csp_allows_no_plain_http_for_a_remote_carrier():
    assert form_action_sources(LISTED) == [f"https://{HOST}", "https://login.example:8443"]


def test_missing_captcha_makes_no_call(client, simulator):
    assert "security check" in words(send(client, "/account/open/", {}))
    assert simulator.calls() == []


def test_password_field_appears_only_if_the_carrier_requires_it(client, aurora, simulator):
    assert 'name="password"' not in client.get("/account/open/").content.decode()
    simulator.post("seed", partners=[{"key": "aurora-api-key", "login_wants": ["password"]}])
    aurora.overrides.create(method="login_via_url", parameters={"password": "pw"})
    simulator.post("dialect", methods={"login_via_url": {"parameters": {"password": "pw"}}})
    assert 'name="password"' in client.get("/account/open/").content.decode()
    assert "Enter your phone account password." in words(send(client, "/account/open/", form(simulator)))
    assert simulator.calls() == []
    response = send(client, "/account/open/", form(simulator, password="not-the-right-one"))
    assert response.context["form"].errors == {"password": ["The password is incorrect."]}
    assert send(client, "/account/open/", form(simulator, password="alice-password")).status_code == 303


@pytest.mark.parametrize(
    ("headers", "starts"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "same-origin", "sec-purpose": "prefetch;prerender"}, False),
        ({"sec-fetch-site": "same-origin", "referer": f"https://{AURORA}/statement/"}, True),
        # Another site may have led to the sign-in.
        ({"sec-fetch-site": "same-origin", "referer": f"https://{AURORA}/sign-in/code/"}, False),
        ({}, False),
    ],
    ids=str,
)
def test_page_starts_by_itself_only_from_our_own_page(client, simulator, headers, starts):
    assert (b" data-start>" in client.get("/account/open/", headers=headers).content) is starts
    assert client.head("/account/open/", headers=headers).context["start"] is False
    assert b" data-start>" not in client.post("/account/open/", {}, headers=headers).content
    assert simulator.calls() == []


def test_page_that_asks_for_a_password_never_starts_by_itself(client, aurora):
    aurora.overrides.create(method="login_via_url", parameters={"password": "pw"})
    page = client.get("/account/open/", headers={"sec-fetch-site": "same-origin"})
    assert b" data-start>" not in page.content


@pytest.mark.parametrize(("kind", "told"), [("v2-checkbox", True), ("v2-invisible", False), ("v3", False)])
def test_page_says_that_ticking_the_box_opens_the_account(client, aurora, kind, told):
    Brand.objects.update(recaptcha_kind=kind)
    page = words(client.get("/account/open/", headers={"sec-fetch-site": "same-origin"}))
    assert "which looks different from this site." in page
    assert ("When you complete the security check, your phone account opens." in page) is told


def test_carrier_that_identifies_by_email_gets_the_stored_email(aurora, simulator, make_customer, browse):
    names = {"account_number": "", "email": "mail"}
    aurora.overrides.create(method="login_via_url", parameters=names)
    simulator.post("dialect", methods={"login_via_url": {"parameters": names}})
    client = browse(AURORA, make_customer(aurora, "alice@example.com"))
    data = form(simulator, email="bob@example.com")
    assert send(client, "/account/open/", data).status_code == 303
    assert simulator.calls()[0]["fields"] == {
        "mail": "alice@example.com",
        "google_captcha": data["g-recaptcha-response"],
    }


def test_page_names_support_when_account_number_is_missing(aurora, simulator, make_customer, browse):
    client = browse(AURORA, make_customer(aurora, "new@example.com"))
    response = send(client, "/account/open/", form(simulator))
    assert response.status_code == 409
    assert "help@aurora.example" in words(response)
    assert simulator.calls() == []


def test_login_url_of_another_host_is_not_followed(client, aurora, simulator, caplog):
    aurora.login_hosts = [HOST]
    aurora.save()
    response = send(client, "/account/open/", form(simulator))
    assert response.status_code == 503
    assert "We couldn't open your phone account. Nothing has changed. Try again in" in words(response)
    assert "not among the brand's login hosts" in str([vars(record) for record in caplog.records])
    assert "ticket=" not in response.content.decode() + str([vars(record) for record in caplog.records])


def test_login_url_that_is_too_long_shows_an_error_page(client, simulator, caplog, monkeypatch):
    monkeypatch.setattr(login_url, "_MAX_LENGTH", 30)
    response = send(client, "/account/open/", form(simulator))
    assert response.status_code == 503
    assert "We couldn't open your phone account. Nothing has changed. Try again in" in words(response)
    assert "longer than 30 characters" in str([vars(record) for record in caplog.records])


def test_customer_unknown_to_the_carrier_is_sent_to_support(aurora, simulator, make_customer, browse):
    simulator.post("dialect", codes={"customer_unknown": 4404})
    aurora.response_codes.create(code="4404", meaning="customer_unknown")
    response = send(
        browse(AURORA, make_customer(aurora, "x@example.com", "123")), "/account/open/", form(simulator)
    )
    assert (
        "We can't find your phone account. It may have been closed or given a new number. Contact us"
        in words(response)
    )


# Submitting the same form twice


def test_second_post_makes_no_call_and_explains_why(client, simulator):
    data = form(simulator)
    first, second = (send(client, "/account/open/", data) for _ in range(2))
    assert (first.status_code, second.status_code) == (303, 200)
    assert "is already open" in words(second)
    assert "Location" not in second
    assert len(simulator.calls()) == 1
    assert send(client, "/account/open/", form(simulator)).status_code == 303


def test_ten_concurrent_posts_make_one_call_and_one_redirect(threads, aurora, alice, simulator, client):
    data = form(simulator)
    simulator.fault("login_via_url", "slow", seconds=0.3)
    answers = at_once(10, lambda nth: send(twin(client), "/account/open/", data))
    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [303]
    assert len(simulator.calls()) == 1


def test_login_url_is_not_stored_anywhere(client, simulator, caplog):
    with caplog.at_level(logging.DEBUG):
        url = unescape(send(client, "/account/open/", form(simulator))["Location"])
    ticket = url.partition("ticket=")[2]
    assert len(ticket) > 20
    stored = str(list(Submission.objects.values())) + str([s.get_decoded() for s in Session.objects.all()])
    stored += str([vars(record) for record in caplog.records]) + str(client.cookies)
    assert ticket not in stored
