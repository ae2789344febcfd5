"""Cached page fragments: the page is the same as without them, and never contains another visitor's data."""

import re

import pytest
from django.core.cache import caches

from portal.models import Brand
from portal.security.crypto import encrypt
from tests.conftest import AURORA, BOREALIS, ROOT

pytestmark = pytest.mark.django_db
PATHS = (
    "/",
    "/sign-up/",
    "/sign-up/confirm/",
    "/sign-in/",
    "/password-reset/",
    "/statement/",
    "/history/",
    "/account/",
    "/account/email/",
    "/account/open/",
    "/nowhere/?a=b",
)
WITHOUT = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
TAG = re.compile(r"{% cache (.*?) %}")
TAGS = [tag for path in (ROOT / "templates").rglob("*.html") for tag in TAG.findall(path.read_text())]


def normalise(page: str) -> str:
    """Return a page without what differs each time."""
    fresh = (
        r'(csrfmiddlewaretoken" value|nonce|data-copy)="[^"]*"|<b>[0-9A-Z]{4}-[0-9A-Z]{4}</b>|[0-9a-f]{32}'
    )
    return re.sub(fresh, "", page)


def cached_fragments() -> dict[str, str]:
    """Return key → cached fragment."""
    keys = [key.partition(":1:")[2] for key in list(caches["local"]._cache)]
    return {key: caches["local"].get(key) for key in keys if key.startswith("template.cache.")}


def test_every_fragment_is_cached_locally_for_a_minute_by_page_key():
    parts = [tag.split() for tag in TAGS]
    assert {(part[0], part[2], part[-1]) for part in parts} == {("60", "request|page_key", 'using="local"')}
    names = [part[1] for part in parts]
    assert len(names) == len(set(names)), "two fragments of one name are taken for each other"


def test_fragments_never_leak_across_brand_language_user_or_nonce(
    simulator, aurora, alice, bob, charlie, browse, settings
):
    visitors = [
        browse(host, person, HTTP_ACCEPT_LANGUAGE=language)
        for language in ("en", "ar")
        for host, person in (
            (AURORA, None),
            (BOREALIS, None),
            (AURORA, alice),
            (AURORA, bob),
            (BOREALIS, charlie),
        )
    ]
    visits = [(visitor, path) for path in PATHS for visitor in visitors]

    def pages() -> list[str]:
        answers = [visitor.get(path) for visitor, path in visits]
        texts = [answer.getvalue().decode() for answer in answers]
        for answer, text in zip(answers, texts, strict=True):
            nonces = set(re.findall(r'nonce="([^"]+)"', text))
            assert nonces == set(re.findall(r"'nonce-([^']+)'", answer["Content-Security-Policy"]))
        return texts

    for visitor in visitors:
        visitor.get("/history/").getvalue()  # The balance shows all months that are known.
    first, second = pages(), pages()
    names = {key.split(".")[2] for key in cached_fragments()}
    assert names == {tag.split()[1] for tag in TAGS}
    fragments = "".join(cached_fragments().values())
    for private in ("Alice", "Archer", "Bob", "@example.com", "7000", "242.09", "csrfmiddleware", "nonce"):
        assert private not in fragments
    settings.CACHES = {**settings.CACHES, "local": WITHOUT}
    uncached = pages()
    for shown in (first, second):
        assert list(map(normalise, shown)) == list(map(normalise, uncached))
    for pattern in (r'nonce="([^"]+)"', r'csrfmiddlewaretoken" value="([^"]+)"'):
        fresh = [found for page in first + second + uncached for found in set(re.findall(pattern, page))]
        assert len(fresh) == len(set(fresh)) > 0


def test_brand_changes_show_at_once(aurora, browse):
    client = browse(AURORA)
    assert "Aurora Phone" in client.get("/sign-up/").content.decode()
    Brand.objects.update(name="Aurora Mobile", support_phone="+61 2 5550 0777", terms_url="")
    page = client.get("/sign-up/").content.decode()
    assert "Aurora Phone" not in page
    assert "+61 2 5550 0777" in page
    assert "https://aurora.example/terms" not in page
    aurora.refresh_from_db()
    aurora.name = "Aurora Voice"
    aurora.save(update_fields=["name"])
    assert "<span>Aurora Voice</span>" in client.get("/sign-up/").content.decode()


@pytest.mark.parametrize(
    ("path", "signed_in", "most"), [("/", False, 1), ("/sign-up/", False, 1), ("/", True, 5)]
)
def test_page_costs_few_queries(
    simulator, alice, browse, django_assert_max_num_queries, make_customer, path, signed_in, most
):
    client = browse(AURORA, alice if signed_in else None)
    client.get(path)
    for number in range(20):
        make_customer(alice.brand, f"more{number}@example.com", str(91000 + number))
    with django_assert_max_num_queries(most):
        assert client.get(path).status_code == 200


def test_arbitrary_queries_and_periods_do_not_fill_the_cache(simulator, alice, browse):
    visitor, customer = browse(AURORA), browse(AURORA, alice)
    for path in (*PATHS, "/nowhere/", "/language/en/"):
        visitor.get(path)
        customer.get(path)
    before = cached_fragments()
    for number in range(10, 20):
        for client in (visitor, customer):
            for path in ("/", "/sign-in/", f"/nowhere-{number}/", f"/language/none-{number}/"):
                client.get(path, {"q": f"{number}" + '"' * 3000})
                client.get(path)
        answer = customer.get(f"/statement/?from_date=2020-01-01&to_date=2020-01-{number}")
        assert f"/statement.csv?from_date=2020-01-01&amp;to_date=2020-01-{number}" in answer.content.decode()
    assert cached_fragments() == before


def test_captcha_setting_changes_show_at_once(aurora, browse):
    client = browse(AURORA)
    for secret in (encrypt(""), encrypt("a-secret-key-of-google"), encrypt("")):
        Brand.objects.update(recaptcha_secret_key=secret)
        assert ("g-recaptcha" in client.get("/sign-in/").content.decode()) is bool(secret)


@pytest.mark.parametrize("path", ["/", "/sign-in/", "/sign-up/"])
def test_page_with_fragments_varies_by_cookie(aurora, browse, path):
    answers = [browse(AURORA).get(path) for _ in range(3)]
    for answer in answers:
        assert {"Cookie", "Host"} <= set(answer["Vary"].split(", "))
        assert answer["Cache-Control"] == answers[0]["Cache-Control"] == "private, no-cache"


def test_form_data_of_one_visitor_is_never_cached(aurora, browse):
    first, other = browse(AURORA), browse(AURORA)
    first.get("/password-reset/")
    before = set(cached_fragments())
    first.post("/password-reset/", {"email": "dora@example"})
    assert "dora@" not in other.get("/password-reset/").content.decode()
    assert {key for key in set(cached_fragments()) - before if "fields" in key} == set()
