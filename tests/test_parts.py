"""Parts of pages that are kept: the same page as without, and never anybody else's."""

import re

import pytest
from django.shortcuts import render
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import translation

from portal.crypto import Sealed, seal
from portal.models import Brand
from portal.templatetags import parts
from tests.conftest import AURORA, BOREALIS

pytestmark = pytest.mark.django_db
PATHS = ("/", "/sign-up/", "/sign-in/", "/password-reset/", "/statement/", "/nowhere/?a=b")


@pytest.fixture(autouse=True)
def _nothing_kept():
    parts._kept.clear()


def plain(response) -> str:
    """A page without what is different each time."""
    fresh = r'(csrfmiddlewaretoken" value|nonce)="[^"]*"|<b>[0-9A-Z]{4}-[0-9A-Z]{4}</b>|[0-9a-f]{32}'
    return re.sub(fresh, "", response.content.decode())


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("signed_in", [False, True])
def test_a_page_made_of_kept_parts_is_the_page_made_anew(
    simulator, alice, charlie, browse, signed_in, language, monkeypatch
):
    clients = [
        browse(host, person if signed_in else None, HTTP_ACCEPT_LANGUAGE=language)
        for host, person in ((AURORA, alice), (BOREALIS, charlie))
    ]
    pages = [(client, path) for client in clients for path in PATHS]
    first = [plain(client.get(path)) for client, path in pages]
    kept = [plain(client.get(path)) for client, path in pages]
    monkeypatch.setattr(parts, "MOST", 0)  # Nothing is found.
    monkeypatch.setattr(parts, "_kept", type("Forgetful", (dict,), {"get": lambda *_: None})())
    anew = [plain(client.get(path)) for client, path in pages]
    assert first == kept == anew


def test_what_is_saved_for_a_brand_shows_at_once(aurora, browse):
    client = browse(AURORA)
    assert "Aurora Phone" in client.get("/sign-up/").content.decode()
    Brand.objects.update(name="Aurora Mobile", support_phone="+61 2 5550 0777", terms_url="")
    page = client.get("/sign-up/").content.decode()
    assert "Aurora Phone" not in page
    assert "+61 2 5550 0777" in page
    assert "https://aurora.example/terms" not in page


def test_kept_parts_hold_nothing_of_a_person(simulator, alice, browse):
    for path in PATHS:
        browse(AURORA, alice).get(path)
    kept = str(parts._kept)
    for private in (
        "Alice",
        "Archer",
        "alice@example.com",
        "70001",
        "242.09",
        "csrfmiddlewaretoken",
        "nonce",
    ):
        assert private not in kept


def test_the_number_of_kept_parts_is_bounded(aurora, monkeypatch):
    monkeypatch.setattr(parts, "MOST", 3)
    request = RequestFactory().get("/")
    request.brand = aurora
    made = Template('{% load parts %}{% part "x" number %}{{ number }}{% endpart %}')
    with translation.override("en"):
        shown = [made.render(Context({"request": request, "number": number})) for number in range(20)]
    assert shown == [str(number) for number in range(20)]
    assert len(parts._kept) <= 3


@pytest.mark.parametrize(
    ("path", "signed_in", "most"), [("/", False, 1), ("/sign-up/", False, 1), ("/", True, 5)]
)
def test_a_page_costs_few_queries(
    simulator, alice, browse, django_assert_max_num_queries, make_customer, path, signed_in, most
):
    client = browse(AURORA, alice if signed_in else None)
    client.get(path)
    for number in range(20):
        make_customer(alice.brand, f"more{number}@example.com", str(91000 + number))
    with django_assert_max_num_queries(most):
        assert client.get(path).status_code == 200


def test_queries_and_unknown_addresses_leave_nothing_behind(simulator, alice, browse):
    stranger, customer = browse(AURORA), browse(AURORA, alice)
    for path in PATHS[:5]:
        stranger.get(path)
        customer.get(path)
    kept = set(parts._kept)
    for number in range(10):
        for client in (stranger, customer):
            for path in ("/", "/sign-in/", f"/nowhere-{number}/", f"/statement.{number}"):
                client.get(path, {"q": f"{number}" + '"' * 3000})
    for number in range(10):
        customer.get(f"/nowhere-{number}/")
    odd = [key for key in set(parts._kept) - kept if "nowhere" in str(key) or '"' in str(key)]
    assert odd == []
    assert len(parts._kept) < len(kept) + 10


def test_periods_that_a_customer_makes_up_push_out_nothing_that_is_kept(simulator, alice, browse):
    client = browse(AURORA, alice)
    client.get("/statement/")
    kept = set(parts._kept)
    for day in range(10, 14):
        answer = client.get(f"/statement/?from_date=2020-01-01&to_date=2020-01-{day}")
        assert f"/statement.csv?from_date=2020-01-01&amp;to_date=2020-01-{day}" in answer.content.decode()
    added = [key for key in set(parts._kept) - kept if "2020" in str(key)]
    assert added == []


def test_a_captcha_that_is_switched_on_or_off_shows_at_once(aurora, browse):
    client = browse(AURORA)
    for secret in (seal(""), seal("a-secret-key-of-google"), seal("")):
        Brand.objects.update(recaptcha_secret_key=secret)
        assert ("g-recaptcha" in client.get("/sign-in/").content.decode()) is bool(secret)


@pytest.mark.parametrize(
    "column", [each.attname for each in Brand._meta.concrete_fields if each.attname != "logo"]
)
def test_every_column_of_a_brand_tells_whether_what_is_kept_is_still_good(aurora, column):
    def row(**changes):
        return Brand(**{name: value for name, value in vars(aurora).items() if name[0] != "_"} | changes)

    other = seal("another") if isinstance(getattr(aurora, column), Sealed) else ["another"]
    assert row().fingerprint == row().fingerprint
    assert row().fingerprint != row(**{column: other}).fingerprint


def test_each_stranger_gets_a_token_and_a_nonce_of_their_own(aurora, browse):
    answers = [browse(AURORA).get("/sign-up/") for _ in range(3)]
    tokens = [
        re.findall(r'name="csrfmiddlewaretoken" value="(\w{64})"', each.content.decode()) for each in answers
    ]
    nonces = [re.findall(r'nonce="([^"]+)"', each.content.decode()) for each in answers]
    assert len({token for found in tokens for token in found}) == 3
    assert len({nonce for found in nonces for nonce in found}) == 3
    for answer, found in zip(answers, nonces, strict=True):
        assert f"'nonce-{found[0]}'" in answer["Content-Security-Policy"]
        assert "\x00" not in answer.content.decode()


@pytest.mark.parametrize("path", ["/", "/sign-in/", "/sign-up/"])
def test_a_kept_page_tells_caches_that_cookies_matter(aurora, browse, path):
    answers = [browse(AURORA).get(path) for _ in range(3)]
    for answer in answers:
        assert {"Cookie", "Host"} <= set(answer["Vary"].split(", "))
        assert answer["Cache-Control"] == answers[0]["Cache-Control"] == "private, no-cache"


def test_a_page_that_is_the_same_for_strangers_is_made_once(aurora, browse, monkeypatch):
    made = []
    monkeypatch.setattr(
        "accounts.pages.render", lambda *args, **kw: made.append(args[1]) or render(*args, **kw)
    )
    for _ in range(3):
        assert browse(AURORA).get("/password-reset/").status_code == 200
    assert made == ["accounts/password_reset.html"]
