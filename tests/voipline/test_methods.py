"""The seven methods as data, an operator's overrides, and pasted URLs."""

import copy
import logging
from types import MappingProxyType
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.voipline import (
    METHODS,
    Carrier,
    MappingError,
    Method,
    Reach,
    Secret,
    Timeouts,
    customise,
    split_url,
)
from portal.voipline.urls import address

KEY = Secret("canary-key")
URL = "https://au.voipcloud.online/api/integration/v2/"


def get_problems(key: str, **overrides: object) -> list[str]:
    with pytest.raises(MappingError) as caught:
        customise(METHODS[key], **overrides)
    assert all(words for _, words in caught.value.problems)
    return [name for name, _ in caught.value.problems]


def test_there_are_seven_methods_with_the_documented_verbs():
    assert {key: method.verb for key, method in METHODS.items()} == {
        "customer_balance": "GET",
        "partner_balance": "GET",
        "move_funds": "PUT",
        "register_customer": "POST",
        "confirm_email": "POST",
        "login_via_url": "POST",
        "reset_password": "POST",
    }
    assert isinstance(METHODS, MappingProxyType)


@pytest.mark.parametrize("key", METHODS)
def test_empty_override_changes_nothing(key):
    assert customise(METHODS[key]) == METHODS[key]


def test_overrides_are_merged_over_the_defaults():
    method = customise(
        METHODS["customer_balance"],
        path="kunde/{account_number}/saldo",
        date_format="%d.%m.%Y",
        parameters={"account_number": "", "from_date": "von"},
        constants={"format": "json"},
        results={"closing_balance": "saldo.ende"},
    )
    assert method.parameters == {"from_date": "von", "to_date": "to_date"}
    assert method.results["closing_balance"] == "saldo.ende"
    assert method.results["payments"] == "payments"
    assert method.constants == {"format": "json"}
    assert method.wants("account_number")
    assert method.wants("from_date")
    assert not method.wants("email")
    assert METHODS["customer_balance"].constants == {}


def test_login_may_use_the_email_and_require_the_password():
    assert not METHODS["login_via_url"].wants("password")
    names = {"account_number": "", "email": "user", "password": "pass"}
    method = customise(METHODS["login_via_url"], parameters=names)
    assert method.wants("email")
    assert method.wants("password")
    assert not method.wants("account_number")


@pytest.mark.parametrize(
    ("key", "parameters"),
    [
        ("customer_balance", {"account_number": ""}),
        ("move_funds", {"account_number": ""}),
        ("move_funds", {"amount": ""}),
        ("login_via_url", {"account_number": ""}),
        ("login_via_url", {"account_number": "", "password": "password"}),
        ("confirm_email", {"email": ""}),
        ("confirm_email", {"code": ""}),
        ("reset_password", {"email": ""}),
        ("register_customer", {"email": ""}),
        *((key, {"google_captcha": ""}) for key, method in METHODS.items() if method.verb == "POST"),
        ("customer_balance", {"from_date": "account_number"}),
        ("customer_balance", {"iban": "x"}),
        ("customer_balance", {"from_date": "a\nb"}),
        ("customer_balance", {"from_date": "  "}),
        ("customer_balance", {"from_date": 5}),
    ],
)
def test_leaking_or_senseless_mapping_is_refused(key, parameters):
    assert get_problems(key, parameters=parameters)[0].startswith("parameters.")


@pytest.mark.parametrize(
    ("key", "overrides", "named"),
    [
        ("customer_balance", {"constants": {"account_number": "70001"}}, "constants.account_number"),
        ("customer_balance", {"constants": {"a\r": "1"}}, "constants.a\r"),
        ("customer_balance", {"constants": {"": "1"}}, "constants."),
        ("customer_balance", {"constants": {"n": 1}}, "constants.n"),
        ("customer_balance", {"constants": {"n": "\ud800"}}, "constants.n"),
        ("customer_balance", {"results": {"payments": ""}}, "results.payments"),
        ("customer_balance", {"results": {"payments": "a..b"}}, "results.payments"),
        ("customer_balance", {"results": {"url": "url"}}, "results.url"),
        ("login_via_url", {"results": {"url": ""}}, "results.url"),
        ("customer_balance", {"body": "form"}, "body"),
        ("move_funds", {"body": "json"}, "body"),
        ("reset_password", {"path": "reset/{account_number}"}, "path"),
    ],
)
def test_invalid_override_is_reported_by_its_key(key, overrides, named):
    assert named in get_problems(key, **overrides)


@pytest.mark.parametrize(
    "path",
    [
        "  ",
        "a?b=c",
        "a#b",
        "../admin",
        "a/%2e%2e/b",
        "a/%2E./b",
        "a/./b",
        "a\\..\\b",
        "//evil.example/a",
        "a b",
        "a\nb",
        "ä",
        "%zz",
        "{email}/x",
        "{account_number",
        "https://user:pw@au.voipcloud.online/x",
        "https://au.voipcloud.online/x#y",
        "https://au.voipcloud.online/x?account_number=7",
        "https://{account_number}.example/x",
        "https://au.voipcloud.online\\@evil.example/x",
        "https://au.voipcloud.online\t/x",
        "ftp://au.voipcloud.online/x",
        "https:///x",
        "https://au.voipcloud.online:99999/x",
    ],
)
def test_path_that_could_lead_elsewhere_is_refused(path):
    assert "path" in get_problems("customer_balance", path=path)


@pytest.mark.parametrize(
    "text", ["%Y-%m", "%m-%d", "%Y-%d", "%d%m%Y%", "%Y %m %d %Q", "x", "%d %d %m %Y", "%-d %m %Y"]
)
def test_date_format_must_preserve_the_whole_date(text):
    assert get_problems("partner_balance", date_format=text) == ["date_format"]


@pytest.mark.parametrize("text", ["%d/%m/%Y", "%Y%m%d", "%d %b %Y", "%d.%m.%y", "%Y-%m-%dT00:00:00"])
def test_usual_date_formats_are_accepted(text):
    assert customise(METHODS["partner_balance"], date_format=text).date_format == text


THEIRS = st.sampled_from(["", "a", "b", "c", "account_number", "email", "google_captcha", "A", "a\n"])


@given(st.data())
def test_accepted_mappings_never_leak(data):
    base = METHODS[data.draw(st.sampled_from(sorted(METHODS)))]
    ours = st.sampled_from([*sorted(base.available), "account_number", "unknown"])
    try:
        method = customise(
            base,
            path=data.draw(st.sampled_from([None, "x/{account_number}", "x", "../x", "{account_number}"])),
            parameters=data.draw(st.dictionaries(ours, THEIRS)),
            constants=data.draw(st.dictionaries(THEIRS, st.just("1"), max_size=2)),
        )
    except MappingError:
        return
    assert_safe(method)


def assert_safe(method: Method) -> None:
    theirs = list(method.parameters.values())
    assert len(theirs) == len(set(theirs))
    assert not set(method.constants) & set(theirs)
    if method.key in ("customer_balance", "move_funds"):
        assert method.wants("account_number")
    if method.key == "login_via_url":
        assert method.wants("account_number") or method.wants("email")
    if method.key in ("confirm_email", "reset_password"):
        assert method.wants("email")
    if method.key == "confirm_email":
        assert method.wants("code")
    if method.verb == "POST":
        assert method.wants("google_captcha")


@pytest.mark.parametrize(
    "url",
    [
        "https://au.voipcloud.online",
        "https://portal.partner.example:8443/api/",
        "http://localhost:8000/",
        "http://carrier.localhost:8000/api",
        "http://127.0.0.2/",
        "http://[::1]:8000/",
        "HTTPS://AU.voipcloud.online/x",
    ],
)
def test_carrier_url_is_https_or_local(url):
    assert Carrier(url, KEY, reach=Reach(loopback=True)).url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8146/",
        "https://127.0.0.1/",
        "http://evil.localhost/",
        "https://localhost/",
        "https://[::1]/",
        "https://10.0.0.1/",
        "https://169.254.169.254/",
        "https://[fd00::1]/",
        "https://[::ffff:10.0.0.1]/",
    ],
)
def test_private_address_is_refused_unless_in_the_settings(url):
    with pytest.raises(MappingError, match="CARRIER_PRIVATE_HOSTS"):
        Carrier(url, KEY)
    host = urlsplit(url).hostname
    assert Carrier(url, KEY, reach=Reach(private_hosts=frozenset({host}))).url == url


def test_plain_http_is_for_loopback_only_even_if_in_the_settings():
    for host in ("10.0.0.1", "carrier.internal"):
        with pytest.raises(MappingError, match="https"):
            Carrier(f"http://{host}/", KEY, reach=Reach(True, frozenset({host})))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "au.voipcloud.online",
        "http://au.voipcloud.online/",
        "http://localhost.evil.example/",
        "http://127.0.0.1.evil.example/",
        "https://user@au.voipcloud.online/",
        "https://au.voipcloud.online/?a=b",
        "https://au.voipcloud.online/?",
        "https://au.voipcloud.online/#",
        "https://au.voipcloud.online/a/../b",
        "https://au.voipcloud.online/{account_number}",
        "https://au.voipcloud.online:x/",
        "https://au.voipcloud.online:/",
        "https://[::1]evil.example/",
        "https://münchen.example/",
        "https://au.voipcloud.online/\n",
        " https://au.voipcloud.online/",
        "https://*.voipcloud.online/",
        "file:///etc/passwd",
    ],
)
def test_any_other_carrier_url_is_refused(url):
    with pytest.raises(MappingError) as caught:
        Carrier(url, KEY)
    assert [key for key, _ in caught.value.problems] == ["url"]


def test_full_url_must_stay_on_the_carrier_origin():
    for path in ("https://au.voipcloud.online/v3/b", "https://AU.voipcloud.online:443/v3/b"):
        Carrier(URL, KEY, {"partner_balance": customise(METHODS["partner_balance"], path=path)})
    for path in (
        "https://uk.voipcloud.online/b",
        "http://au.voipcloud.online/b",
        "https://au.voipcloud.online:444/b",
    ):
        method = customise(METHODS["partner_balance"], path=path)
        with pytest.raises(MappingError) as caught:
            Carrier(URL, KEY, {"partner_balance": method})
        assert caught.value.problems[0][0] == "methods.partner_balance.path"
        with pytest.raises(ValueError):
            address(URL, path)


def test_method_urls():
    assert address("https://h", "m") == address("https://h/", "m") == "https://h/m"
    assert address("https://h/a/", "m") == address("https://h/a", "m") == "https://h/a/m"
    assert address("https://h/a", "/m") == "https://h/m"
    assert address("https://h/a", "c/{account_number}/m", "7") == "https://h/a/c/7/m"


@pytest.mark.parametrize("key", ["", "a b", "a\n", "schlüssel", "a\x00"])
def test_key_invalid_in_a_header_is_refused_without_quoting_it(key):
    with pytest.raises(MappingError) as caught:
        Carrier(URL, Secret(key))
    assert [name for name, _ in caught.value.problems] == ["key"]
    assert not key or repr(key)[1:-1] not in str(caught.value)


def test_meanings_and_timeouts_are_validated():
    with pytest.raises(MappingError, match="captcha_failed"):
        Carrier(URL, KEY, codes={"4103": "mail_taken"})
    with pytest.raises(ValueError):
        Timeouts(total=0)


def test_secret_shows_only_a_mask(caplog):
    logging.getLogger("x").warning("%s %r %s", KEY, KEY, [KEY])
    shown = [f"{KEY}", f"{KEY!r:>30}", str(KEY), repr(Carrier(URL, KEY)), f"{KEY:>20}", caplog.text]
    assert not any("canary" in text for text in shown)
    assert KEY.reveal() == "canary-key"
    assert Secret("canary-key") == KEY
    assert Secret("other") != KEY
    assert bool(KEY)
    assert not Secret("")
    assert KEY != "canary-key"
    assert copy.deepcopy(KEY) == KEY


@pytest.mark.parametrize(
    "text",
    [
        "https://au.voipcloud.online:8443/api/v2/get-balance?from_date=2024-01-01&account_number=70001",
        "  'https://au.voipcloud.online:8443/api/v2/get-balance?from_date=x y&account_number=70001'\n",
        '"GET https://AU.voipcloud.online:8443/api/v2/get-balance?from_date&account_number=7#x"',
        "get  “https://au.voipcloud.online:8443/api/v2/get-balance?from_date=&account_number=1&from_date=2”",
    ],
)
def test_pasted_url_is_parsed(text):
    found = split_url(text)
    assert (found.scheme, found.host, found.path) == (
        "https",
        "au.voipcloud.online:8443",
        "/api/v2/get-balance",
    )
    assert found.names == ("from_date", "account_number")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "hello",
        "au.voipcloud.online/x",
        "ftp://h/x",
        "https://",
        "https:///x",
        "https://u:p@h/x",
        "https://h:x/y",
        "https://h/a b",
        "https://h/x?a%0Ab=1",
        "https://[x/y",
        "GET",
        "https://h\\x/y",
    ],
)
def test_nonsense_is_not_accepted_as_a_url(text):
    with pytest.raises(ValueError) as caught:
        split_url(text)
    assert len(text) < 9 or text not in str(caught.value)


@given(st.text())
def test_any_text_is_parsed_or_refused_with_a_message(text):
    for pasted in (text, f"https://h/{text}", f"https://{text}/x", f"https://h/x?{text}"):
        words = ""
        try:
            split_url(pasted)
        except ValueError as error:
            words = str(error)
        assert not words or words[0].isupper()


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,12}", fullmatch=True), st.from_regex(r"SECRET[^&#]{0,20}"), max_size=6
    )
)
def test_parsed_url_contains_no_value(example):
    pairs = {name: value.replace("&", "").replace("#", "") for name, value in example.items()}
    found = split_url("https://h/x?" + "&".join(f"{name}={value}" for name, value in pairs.items()))
    assert found.names == tuple(pairs)
    assert "SECRET" not in repr(found)


def test_account_number_in_the_path_is_not_also_a_parameter():
    path = "balance/{account_number}"
    method = customise(METHODS["customer_balance"], path=path)
    assert method.wants("account_number")
    assert set(method.parameters) == {"from_date", "to_date"}
    both = customise(METHODS["customer_balance"], path=path, parameters={"account_number": "acc"})
    assert both.parameters["account_number"] == "acc"
