"""`apply_config`: all of a file or nothing, with every error reported at its place."""

from collections.abc import Callable
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from portal.brands import config_file
from portal.models import Brand, BrandHost, MethodOverride, ResponseCode
from portal.voipline import METHODS

AURORA = """
[[brand]]
slug = "aurora"
name = "Aurora Phone"
hosts = ["aurora.test", "my.aurora.test"]
currency = "AUD"
timezone = "Australia/Sydney"
support_email = "help@aurora.example"
from_email = "Aurora Phone <no-reply@aurora.example>"
[brand.carrier]
url = "https://au.voipcloud.online/api/integration/v2/"
key = "an-api-key"
[brand.recaptcha]
site_key = "a-site-key"
"""
BOREALIS = AURORA.replace("aurora", "borealis").replace("Aurora", "Borealis")
METHOD = """
[brand.methods.customer_balance]
path = "balance/{account_number}"
date_format = "%d.%m.%Y"
parameters = { account_number = "", from_date = "since" }
constants = { format = "json" }
results = { closing_balance = "sums.closing" }
[brand.codes]
"4103" = "email_taken"
"""
pytestmark = pytest.mark.django_db

Apply = Callable[[str], config_file.Applied]


@pytest.fixture
def apply(tmp_path: Path) -> Apply:
    """Apply a text as if it were the file brands.toml."""

    def apply_text(text: str) -> config_file.Applied:
        path = tmp_path / "brands.toml"
        path.write_text(text, encoding="utf-8")
        return config_file.apply(path)

    return apply_text


def refused(apply: Apply, text: str) -> list[str]:
    """Return the problems of a refused file, without its name; nothing may have changed."""
    before = rows()
    with pytest.raises(config_file.ConfigError) as caught:
        apply(text)
    assert rows() == before
    assert all(problem.startswith("brands.toml: ") for problem in caught.value.problems)
    return [problem.removeprefix("brands.toml: ") for problem in caught.value.problems]


def rows() -> list[Any]:
    """Return every row the command may touch, ciphertexts and primary keys included."""
    models = (Brand, BrandHost, MethodOverride, ResponseCode)
    return [list(model.objects.order_by("pk").values_list()) for model in models]


def changed(text: str, line: str, new: str) -> str:
    assert line in text
    return text.replace(line, new)


def test_file_creates_the_brand_it_describes(apply: Apply) -> None:
    applied = apply(AURORA + METHOD)
    assert applied == config_file.Applied([("aurora", "created")], [])
    brand = Brand.objects.get(slug="aurora")
    assert brand.reveal("carrier_key") == "an-api-key"
    assert brand.main_host == "aurora.test"
    assert brand.codes() == {"4103": "email_taken"}
    method = brand.method("customer_balance")
    assert (method.path, method.date_format) == ("balance/{account_number}", "%d.%m.%Y")
    assert method.parameters == {"from_date": "since", "to_date": "to_date"}
    assert method.results["closing_balance"] == "sums.closing"
    assert method.constants == {"format": "json"}


def test_omitted_keys_have_the_model_defaults(apply: Apply) -> None:
    apply(AURORA)
    brand = Brand.objects.get(slug="aurora")
    assert (brand.language, brand.accent, brand.recaptcha_kind) == ("en", "#1d4ed8", "v2-checkbox")
    assert brand.signup_open
    assert brand.login_hosts == ["au.voipcloud.online"]


def test_applying_again_changes_no_row(apply: Apply) -> None:
    apply(AURORA + METHOD + BOREALIS)
    before = rows()
    applied = apply(AURORA + METHOD + BOREALIS)
    assert applied.brands == [("aurora", "unchanged"), ("borealis", "unchanged")]
    assert rows() == before


def test_update_names_the_changed_keys(apply: Apply) -> None:
    apply(AURORA + METHOD)
    text = changed(AURORA, '"an-api-key"', '"another"').replace("Aurora Phone", "Aurora")
    assert apply(text).brands == [
        ("aurora", "updated (name, from_email, carrier.key, methods.customer_balance, codes)")
    ]
    brand = Brand.objects.get(slug="aurora")
    assert brand.reveal("carrier_key") == "another"
    assert brand.methods() == METHODS
    assert brand.codes() == {}


def test_order_of_hosts_decides_which_is_first(apply: Apply) -> None:
    apply(AURORA)
    text = changed(AURORA, '["aurora.test", "my.aurora.test"]', '["My.Aurora.test"]')
    assert apply(text).brands == [("aurora", "updated (hosts)")]
    assert list(BrandHost.objects.values_list("host", flat=True)) == ["my.aurora.test"]


def test_brand_missing_in_the_file_is_unchanged(apply: Apply, borealis: Brand) -> None:
    apply(AURORA)
    assert Brand.objects.get(slug="borealis").main_host == "borealis.test"


def test_two_brands_can_swap_their_hosts(apply: Apply) -> None:
    apply(AURORA + BOREALIS)
    swapped = (AURORA + BOREALIS).replace("aurora.test", "x").replace("borealis.test", "aurora.test")
    apply(swapped.replace('"x"', '"borealis.test"').replace('"my.x"', '"my.borealis.test"'))
    assert Brand.objects.get(slug="aurora").main_host == "borealis.test"
    assert Brand.objects.get(slug="borealis").main_host == "aurora.test"


@pytest.mark.parametrize("also_in_the_file", [True, False])
def test_host_of_another_brand_is_refused_naming_that_brand(apply: Apply, also_in_the_file: bool) -> None:
    apply(AURORA)
    thief = changed(BOREALIS, '"my.borealis.test"', '"my.aurora.test"')
    text = AURORA + thief if also_in_the_file else thief
    assert refused(apply, text) == ["[[brand]] borealis, hosts: my.aurora.test belongs to the brand aurora"]


def test_all_errors_are_reported_together(apply: Apply) -> None:
    text = changed(AURORA, 'currency = "AUD"', 'currency = "EUR"\ncolour = "red"\nsignup_open = "yes"')
    text = changed(text, 'url = "https://', 'url = "http://').replace('"help@aurora.example"', "7")
    keyless = changed(AURORA, '\nkey = "an-api-key"', "")
    found = "\n".join(refused(apply, f"{text}[brand.codes]\n4103 = 'taken'\n{keyless}"))
    for expected in (
        "[[brand]] aurora, colour: unknown key; known are slug,",
        "[[brand]] aurora, signup_open: write true or false",
        "[[brand]] aurora, support_email: write a text in quotation marks",
        "[[brand]] aurora, currency: write one of AUD, NZD, USD, GBP",
        "[[brand]] aurora, [brand.carrier] url: It must begin with https://",
        "[[brand]] aurora, [brand.codes] 4103: The meaning must be one of captcha_failed",
        "[[brand]] aurora, [brand.carrier] key: missing; this key is required",
        "[[brand]] aurora, slug: 2 brands of this file have it",
    ):
        assert expected in found


@pytest.mark.parametrize(
    ("line", "new", "problem"),
    [
        ('slug = "aurora"', "", "[[brand]] no. 1, slug: missing"),
        ('"Australia/Sydney"', '"Sydney"', "timezone: Unknown time zone. Write it like Australia/Sydney."),
        ('"Aurora Phone"', '"Aurora\\nBcc: x"', "name: holds a line break or a control character"),
        ('"aurora.test"', '"https://aurora.test"', "hosts: https://aurora.test: Write the host alone"),
        ('"aurora.test"', '"admin.test"', "hosts: admin.test: This host belongs to the admin"),
        ('"aurora.test", "my.aurora.test"', "", "hosts: name at least one host"),
        ('"my.aurora.test"', '"aurora.test"', "hosts: aurora.test is named 2 times"),
        ('"an-api-key"', '"an api key"', "[brand.carrier] key: The API key is empty or holds a character"),
        ('"an-api-key"', '""', "[brand.carrier] key: The API key is empty"),
        ('"an-api-key"', '"env:SECRET_KEY"', "[brand.carrier] key: a reference must look like env:PORTAL_"),
        ("[brand.recaptcha]", "login_hosts = []\n[brand.recaptcha]", "[brand.carrier] login_hosts: name at"),
        ("[brand.recaptcha]", "login_hosts = 'x'\n[brand.recaptcha]", "[brand.carrier] login_hosts: write a"),
        ("https://au", "http://au", "[brand.carrier] url: It must begin with https://"),
        ('"a-site-key"', '"k"\nkind = "v4"', "[brand.recaptcha] kind: write one of v2-checkbox, v2-inv"),
        (
            '"a-site-key"',
            '"6LeIxAcTAAAAAJcZVRqyHh71UMIEGNQ_MXjiZKhI"',
            "[brand.recaptcha] site_key: This is Goo",
        ),
        ("[brand.recaptcha]", "[brand.captcha]", "captcha: unknown key; known are slug"),
        (
            "[brand.recaptcha]",
            "[brand.methods.balance]\n[brand.recaptcha]",
            "[brand.methods.balance]: unknown m",
        ),
        ('currency = "AUD"', 'currency = "AUD"\nlogo = "../x.png"', "logo: the picture must lie beside"),
        ('currency = "AUD"', 'currency = "AUD"\nlogo = "x.png"', "logo: there is no file x.png beside"),
    ],
)
def test_error_names_its_place(apply: Apply, line: str, new: str, problem: str) -> None:
    (found,) = refused(apply, changed(AURORA, line, new))
    assert problem in found


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ('parameters = { account_number = "" }', "parameters.account_number: customer_balance must send"),
        ('parameters = { account_no = "a" }', "parameters.account_no: customer_balance knows only"),
        ("parameters = { account_number = 7 }", "parameters: write pairs of texts"),
        ('path = "https://elsewhere.example/x"', "path: It isn't on the carrier's scheme, host and port"),
        ('body = "form"', "body: A GET method has no body"),
        ('date_format = "%Y"', "date_format: It must give a whole date back"),
        ('results = { closing_balance = "" }', "results.closing_balance: This result can't be dropped"),
        ('constants = { from_date = "x" }', "constants.from_date: A parameter has this name already"),
        ('verb = "POST"', "verb: unknown key; known are path, body, date_format"),
    ],
)
def test_mapping_that_could_leak_or_fail_is_refused(apply: Apply, line: str, key: str) -> None:
    (found,) = refused(apply, f"{AURORA}[brand.methods.customer_balance]\n{line}\n")
    assert f"[[brand]] aurora, [brand.methods.customer_balance] {key}" in found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[brand]]\nslug = aurora\n", "not valid TOML: Invalid value (at line 2, column 8)"),
        ('[[brand]]\nslug = "aurora', "not valid TOML: Unterminated string (at line 2, the end)"),
        ("[brand]\n", "[[brand]]: write one such table for each brand"),
        ("", "[[brand]]: write one such table for each brand"),
    ],
)
def test_invalid_toml_names_the_place(apply: Apply, text: str, problem: str) -> None:
    assert refused(apply, text) == [problem]


def test_environment_reference_is_kept_and_unset_variable_warned(
    apply: Apply, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = changed(AURORA, '"an-api-key"', '"env:PORTAL_SECRET_A"')
    (warning,) = apply(text).warnings
    assert "aurora, [brand.carrier] key: the environment variable PORTAL_SECRET_A isn't set" in warning
    monkeypatch.setenv("PORTAL_SECRET_A", "from outside")
    assert "The API key is empty or holds" in refused(apply, text)[0]
    monkeypatch.setenv("PORTAL_SECRET_A", "from-outside")
    assert apply(text) == config_file.Applied([("aurora", "unchanged")], [])
    assert Brand.objects.get().reveal("carrier_key") == "from-outside"


def test_undecryptable_key_is_encrypted_again(apply: Apply, settings: Any) -> None:
    apply(AURORA)
    settings.ENCRYPTION_KEYS = ["an entirely different passphrase"]
    assert apply(AURORA).brands == [("aurora", "updated (carrier.key)")]
    assert Brand.objects.get().reveal("carrier_key") == "an-api-key"


def test_logo_is_added_replaced_and_removed(apply: Apply, tmp_path: Path) -> None:
    target = BytesIO()
    Image.new("RGB", (20, 10), "red").save(target, "PNG")
    (tmp_path / "aurora.png").write_bytes(target.getvalue())
    text = changed(AURORA, 'currency = "AUD"', 'currency = "AUD"\nlogo = "aurora.png"')
    apply(text)
    assert Brand.objects.get().logo_type == "image/png"
    assert apply(text).brands == [("aurora", "unchanged")]
    assert apply(AURORA).brands == [("aurora", "updated (logo)")]
    assert not Brand.objects.get().logo_hash


def test_command_prints_outcomes_and_warnings(tmp_path: Path) -> None:
    path = tmp_path / "brands.toml"
    path.write_text(changed(AURORA, 'site_key = "a-site-key"', ""), encoding="utf-8-sig")
    out, err = StringIO(), StringIO()
    call_command("apply_config", path, stdout=out, stderr=err)
    assert out.getvalue() == "aurora: created\n"
    assert "[brand.recaptcha] site_key: missing" in err.getvalue()
    with pytest.raises(CommandError, match=r"gone\.toml: cannot be read: No such file"):
        call_command("apply_config", tmp_path / "gone.toml")


_JUNK = st.recursive(
    st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
_KEYS = st.sampled_from(["slug", "hosts", "carrier", "recaptcha", "methods", "codes", "logo", "x"])


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
@given(table=st.dictionaries(_KEYS, _JUNK, max_size=5))
def test_any_nonsense_results_in_a_list_of_problems(
    table: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "brands.toml"
    path.write_text("")
    monkeypatch.setattr("portal.brands.config_file.parser.tomllib.loads", lambda _text: {"brand": [table]})
    with pytest.raises(config_file.ConfigError):
        config_file.apply(path)
