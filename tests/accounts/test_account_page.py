"""The account page: customer details, the list of sign-ins, and signing out everywhere else."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import SignIn, User
from accounts.sign_in.user_agents import describe_user_agent
from tests.conftest import AURORA
from tests.support.customer_flow import send, sign_in, words

pytestmark = pytest.mark.django_db
ALICE = "alice@example.com"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)
CHROME = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36{}"


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (FIREFOX, ("Firefox", "Windows")),
        (IPHONE, ("Safari", "iPhone")),
        (CHROME.format("X11; Linux x86_64", ""), ("Chrome", "Linux")),
        (CHROME.format("Linux; Android 10; K", ""), ("Chrome", "Android")),
        (CHROME.format("X11; CrOS x86_64 14541.0.0", ""), ("Chrome", "ChromeOS")),
        (CHROME.format("Windows NT 10.0; Win64; x64", " Edg/140.0.0.0"), ("Edge", "Windows")),
        (CHROME.format("Macintosh; Intel Mac OS X 10_15_7", " OPR/120.0.0.0"), ("Opera", "Mac")),
        (IPHONE.replace("Version/18.5", "CriOS/140.0"), ("Chrome", "iPhone")),
        (IPHONE.replace("Version/18.5", "FxiOS/140.0"), ("Firefox", "iPhone")),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
            "SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
            ("Samsung Internet", "Android"),
        ),
        ("curl/8.5.0", ("", "")),
        ("Version/1", ("", "")),
        ("<script>alert(1)</script>" * 1000, ("", "")),
        ("", ("", "")),
    ],
)
def test_user_agents_are_described_with_common_browser_names(header, found):
    assert describe_user_agent(header) == found


def browser(browse: Any, agent: str, email: str = ALICE, **options: Any) -> Any:
    client = browse(AURORA, **options)
    client.defaults["HTTP_USER_AGENT"] = agent
    assert sign_in(client, email).status_code == 302
    return client


def test_account_page_shows_each_detail_with_what_to_do_about_it(aurora, alice, browse):
    User.objects.update(company_name="Archer & Co", phone="+61 2 5550 0111")
    page = browse(AURORA, alice).get("/account/")
    for text in (
        ALICE,
        "70001",
        "Alice Archer",
        "Archer & Co",
        "+61 2 5550 0111",
        "Need to change something? Contact us",
    ):
        assert text in words(page)
    for address in ("/account/email/", "/password-reset/", "mailto:help@aurora.example"):
        assert f'href="{address}"' in page.content.decode()


def test_account_page_names_support_when_account_number_is_missing(aurora, make_customer, browse):
    page = words(browse(AURORA, make_customer(aurora, "x@example.com")).get("/account/"))
    assert "We're still setting up your account" in page
    assert "help@aurora.example" in page


def test_every_page_links_to_the_account_page(aurora, alice, browse):
    assert 'href="/account/"' in browse(AURORA, alice).get("/account/open/").content.decode()
    assert 'href="/account/"' not in browse(AURORA).get("/").content.decode()
    assert browse(AURORA).get("/account/")["Location"] == "/sign-in/?next=/account/"


def live(page: Any) -> str:
    """Return the text of the list of devices, without earlier sign-ins."""
    text = words(page)
    return text[text.rindex("Your devices") :].partition("Earlier sign-ins")[0]


def ended(page: Any) -> str:
    """Return the text of the earlier sign-ins."""
    return words(page).partition("Earlier sign-ins")[2].partition("Don't recognise")[0]


def test_devices_are_one_list_with_this_one_first(aurora, alice, browse):
    current = browser(browse, FIREFOX)
    browser(browse, IPHONE)
    browser(browse, "curl/8.5.0")
    page = live(current.get("/account/"))
    assert page.startswith("Your devices Firefox on Windows This device Signed in today, ")
    assert page.count("This device") == 1
    assert re.search(r"Unknown browser Signed in today, .* Safari on iPhone Signed in today, \d", page)
    assert page.count("Signs out when you close the browser") == 3


def test_older_sign_in_is_listed_with_its_day(aurora, alice, browse):
    current = browser(browse, FIREFOX)
    SignIn.objects.update(at=timezone.now() - timedelta(days=2), expires_at=None)
    assert re.search(r"Signed in \d+ \w+ 20\d\d, \d+:\d\d.* Stays signed in", live(current.get("/account/")))


def test_each_button_names_its_device(aurora, alice, browse):
    current = browser(browse, FIREFOX)
    browser(browse, IPHONE)
    names = re.findall(
        r'<button name="device"[^>]*aria-label="([^"]*)"', current.get("/account/").content.decode()
    )
    assert [name.partition(", ")[0] for name in names] == [
        "Sign out: Firefox on Windows",
        "Sign out: Safari on iPhone",
    ]


def test_ended_and_expired_sign_ins_are_quiet_rows(aurora, alice, browse):
    other, current = browser(browse, IPHONE), browser(browse, FIREFOX)
    assert "Safari on iPhone" in live(current.get("/account/"))
    send(other, "/sign-out/", {})
    now = timezone.now()
    old = {"user": alice, "at": now - timedelta(days=31), "expires_at": now - timedelta(days=1)}
    SignIn.objects.create(**old, browser="Edge", system="Mac")
    page = current.get("/account/")
    assert "iPhone" not in live(page)
    assert re.search(r"Safari on iPhone, .* Signed out Edge on Mac, .* Ended", ended(page))
    assert page.content.decode().count('name="device"') == 1


def test_at_most_ten_earlier_sign_ins_of_90_days_are_listed(aurora, alice, browse):
    current, now = browser(browse, FIREFOX), timezone.now()
    SignIn.objects.bulk_create(
        SignIn(user=alice, at=now - timedelta(days=day), browser=f"Old{day}.", expires_at=now)
        for day in (*range(1, 20), 91)
    )
    page = ended(current.get("/account/"))
    assert [f"Old{day}." in page for day in (1, 10, 11, 91)] == [True, True, False, False]


def test_sign_out_everywhere_else_keeps_only_the_current_session(aurora, alice, bob, browse):
    other, current, bobs = (
        browser(browse, IPHONE),
        browser(browse, FIREFOX),
        browser(browse, FIREFOX, bob.email),
    )
    before = current.cookies["__Host-session"].value
    assert send(current, "/account/", {})["Location"] == "/account/"
    page = current.get("/account/")
    assert "You've signed out everywhere else." in words(page)
    assert "Safari on iPhone" not in live(page)
    assert "Firefox on Windows This device" in live(page)
    assert other.get("/account/").status_code == 302
    assert bobs.get("/account/").status_code == 200
    assert current.cookies["__Host-session"].value != before
    assert "_auth_user_id" in current.session
    assert SignIn.objects.get(user=alice, ended_at=None).session_key == current.session.session_key


def test_sign_out_everywhere_else_requires_a_csrf_token(aurora, alice, browse):
    assert browse(AURORA, alice, enforce_csrf_checks=True).post("/account/").status_code == 403


def test_sign_in_rows_are_pruned_after_90_days_and_beyond_50(aurora, alice, bob, browse):
    now = timezone.now()
    SignIn.objects.create(user=bob, at=now - timedelta(days=91))
    old = SignIn.objects.create(user=alice, at=now - timedelta(days=91))
    rows = [SignIn(user=alice, at=now - timedelta(hours=hours)) for hours in range(1, 60)]
    SignIn.objects.bulk_create(rows)
    browser(browse, FIREFOX)
    assert SignIn.objects.filter(user=alice).count() == 50
    assert not SignIn.objects.filter(pk=old.pk).exists()
    assert SignIn.objects.filter(user=bob).count() == 1


def test_account_page_query_count_does_not_grow_with_sign_ins(
    aurora, alice, browse, django_assert_num_queries
):
    current = browser(browse, FIREFOX)
    current.get("/account/")
    for many in (0, 49):
        SignIn.objects.bulk_create(SignIn(user=alice, at=timezone.now()) for _ in range(many))
        with django_assert_num_queries(4):  # Brand, session, customer, sign-ins.
            current.get("/account/")


def test_user_agent_string_is_not_stored(aurora, alice, browse):
    browser(browse, FIREFOX + " canary-4711")
    (row,) = SignIn.objects.values()
    assert not re.search("canary|Mozilla", str(row))
