""" "Paste a URL from the partner portal": names found, errors, and no stored values."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core import serializers
from django.core.exceptions import ValidationError
from django.test import Client

from portal.carrier.url_import import save_override, suggest_names
from portal.models import Brand, MethodOverride
from portal.voipline import METHODS, guess_method, match_names, plain_values
from portal.voipline.name_matching import with_placeholder

BASE = "http://127.0.0.1:9/api/integration/v2/"
NUMBER, TOKEN, KEY = "7000199", "03AFcWeA5canary", "aurora-api-key"
PASTED = f"{BASE}customer-bal?acc_no={NUMBER}&startDate=2024-01-01&until=2024-01-31&format=json&fresh={TOKEN}"


def post(client: Client, brand: Brand, **data: str) -> Any:
    return client.post(f"/admin/portal/brand/{brand.pk}/paste/", data, secure=True)


def show_names(client: Client, brand: Brand, text: str = PASTED, method: str = "") -> Any:
    response = post(client, brand, text=text, method=method)
    assert response.status_code == 200
    return response


def form_data(response: Any, **changes: str) -> dict[str, str]:
    """Return the data a browser sends when "Take these names" is pressed on the page."""
    take, names = response.context["take"], response.context["names"]
    data = {"take": "1", "method": take["method"].value(), "path": take["path"].value()}
    data |= {f"names-{key}": str(value) for key, value in names.management_form.initial.items()}
    for form in names.forms:
        data |= {form.add_prefix(name): str(form[name].value() or "") for name in form.fields}
    return {**data, **changes}


# --- Parsing a URL ---


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/api/integration/v2/get-customer-balance", "customer_balance"),
        ("/api/v9/get-partner-balance/", "partner_balance"),
        ("/customer-bal/{acc}", ""),
        ("/v3/customerBalance/partner", "partner_balance"),
        ("/v3/balance/customer", "customer_balance"),
        ("/x/reset-pw", "reset_password"),
        ("/x/transfer-funds", "move_funds"),
        ("/x/register", "register_customer"),
        ("/x/nonsense", ""),
    ],
)
def test_method_is_guessed_from_the_path_or_left_open(path: str, method: str) -> None:
    assert guess_method(path) == method


def test_every_default_path_and_name_is_recognised() -> None:
    for method in METHODS.values():
        assert guess_method(f"/api/integration/v2/{method.path}") == method.key
        found = match_names(method, method.parameters.values())
        assert [match.ours for match in found] == list(method.parameters)
        assert {match.how for match in found} <= {"exact"}


def test_names_are_exact_guessed_or_open_and_used_once() -> None:
    names = ("acc_no", "AccountNumber", "from_date", "endDate", "token", "lang")
    found = match_names(METHODS["customer_balance"], names)
    assert [(match.ours, match.how) for match in found] == [
        ("account_number", "guessed"),
        ("", "unmatched"),
        ("from_date", "exact"),
        ("to_date", "guessed"),
        ("", "key"),
        ("", "unmatched"),
    ]


def test_exact_name_precedes_a_guess() -> None:
    found = match_names(METHODS["customer_balance"], ("acc", "account_number"))
    assert [(match.ours, match.how) for match in found] == [("", "unmatched"), ("account_number", "exact")]


@pytest.mark.parametrize(
    ("path", "stored"),
    [
        ("customers/70001/balance", "customers/{account_number}/balance"),
        ("customers/{id}/balance", "customers/{account_number}/balance"),
        ("customers/:id", "customers/{account_number}"),
        ("v2/balance", "v2/balance"),
        ("1234/5678", "1234/5678"),
    ],
)
def test_account_number_in_the_path_becomes_the_placeholder(path: str, stored: str) -> None:
    assert with_placeholder(path, METHODS["customer_balance"]) == stored
    assert with_placeholder(path, METHODS["partner_balance"]) == path


def test_only_plain_words_may_be_shown() -> None:
    text = f"https://h/x?a=json&b={NUMBER}&c={TOKEN}&d=alice%40example.com&e=v2&f=3fa85f64-5717-4562&g=7&h=two+words"
    assert plain_values(text) == {"a": "json", "e": "v2", "g": "7"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "Paste the whole address"),
        ("https://elsewhere.example/api/get-customer-balance", "on elsewhere.example"),
        ("https://127.0.0.1:9/api/get-customer-balance", "API address is elsewhere"),
        ("http://127.0.0.1:9/?x=1", "no path"),
        (f"{BASE}{KEY}/get-customer-balance", "holds your API key"),
        (f"{BASE}get-customer-balance?{KEY}", "holds your API key"),
    ],
)
def test_url_that_cannot_be_of_this_brand_is_refused_with_a_message(
    admin_client: Client, aurora: Brand, text: str, words: str
) -> None:
    page = show_names(admin_client, aurora, text).content.decode()
    assert words in page
    assert KEY not in page


def test_ambiguous_path_asks_for_the_method(admin_client: Client, aurora: Brand) -> None:
    text = f"{BASE}nonsense?acc_no={NUMBER}"
    page = show_names(admin_client, aurora, text).content.decode()
    assert "Choose it, and paste the URL again" in page
    assert NUMBER not in page
    assert show_names(admin_client, aurora, text, "customer_balance").context["take"]


# --- The page ---


def test_first_step_shows_the_names_and_saves_nothing(admin_client: Client, aurora: Brand) -> None:
    response = show_names(admin_client, aurora, method="customer_balance")
    page = response.content.decode()
    assert [row["match"].how for row in response.context["rows"]] == [
        *("guessed", "guessed", "guessed", "unmatched", "unmatched"),
    ]
    assert response.context["take"]["path"].value() == "customer-bal"
    assert "What applies now: get-customer-balance" in page
    assert "now sent as “account_number”" in page
    assert re.search(r'name="names-3-value"[^>]*value="json"|value="json"[^>]*name="names-3-value"', page)
    assert not MethodOverride.objects.exists()
    assert not LogEntry.objects.exists()


def everything_stored() -> str:
    return serializers.serialize("json", [*Brand.objects.all(), *MethodOverride.objects.all()]) + str(
        list(LogEntry.objects.values_list("change_message", "object_repr"))
    )


def test_values_of_the_url_are_not_shown_stored_or_logged(
    admin_client: Client, aurora: Brand, caplog: pytest.LogCaptureFixture
) -> None:
    text = f"{PASTED}&token={KEY}&mode={KEY}"
    response = show_names(admin_client, aurora, text, "customer_balance")
    done = admin_client.post(
        f"/admin/portal/brand/{aurora.pk}/paste/", form_data(response), secure=True, follow=True
    )
    assert done.status_code == 200
    assert MethodOverride.objects.exists()
    for place in (response.content.decode(), done.content.decode(), everything_stored(), caplog.text):
        for value in (NUMBER, TOKEN, KEY, "2024-01-31"):
            assert value not in place


def test_accepted_names_are_stored_and_logged(admin_client: Client, aurora: Brand) -> None:
    response = show_names(admin_client, aurora, method="customer_balance")
    data = form_data(response, **{"names-3-ours": "="})
    done = post(admin_client, aurora, **data)
    assert done.status_code == 302
    row = aurora.overrides.get()
    assert (row.method, row.path) == ("customer_balance", "customer-bal")
    assert row.parameters == {"account_number": "acc_no", "from_date": "startDate", "to_date": "until"}
    assert row.constants == {"format": "json"}
    words = "Changed path, parameters and constants for method override “customer_balance”."
    assert LogEntry.objects.get().get_change_message() == words
    assert aurora.method("customer_balance").parameters["account_number"] == "acc_no"


@pytest.mark.parametrize("method", METHODS)
def test_page_says_which_check_verifies_the_names(admin_client: Client, aurora: Brand, method: str) -> None:
    # The check reads only balances, and a customer's only with an account number.
    names = "&".join(f"{name}=x" for name in METHODS[method].parameters)
    data = form_data(show_names(admin_client, aurora, f"{BASE}{METHODS[method].path}?{names}"))
    done = admin_client.post(f"/admin/portal/brand/{aurora.pk}/paste/", data, secure=True, follow=True)
    (message,) = done.context["messages"]
    assert f"The names for {method} are saved." in str(message)
    assert ("The check doesn't try them" in str(message)) is not method.endswith("_balance")
    assert ("customer's account number" in str(message)) is (method == "customer_balance")


def test_default_names_are_not_stored_as_overrides(admin_client: Client, aurora: Brand) -> None:
    text = f"{BASE}get-customer-balance?account_number=1&from_date=2&to_date=3"
    assert post(admin_client, aurora, **form_data(show_names(admin_client, aurora, text))).status_code == 302
    row = aurora.overrides.get()
    assert (row.path, row.parameters, row.constants) == ("", {}, {})


def test_existing_overrides_of_an_operator_are_kept(admin_client: Client, aurora: Brand) -> None:
    aurora.overrides.create(
        method="customer_balance",
        date_format="%d/%m/%Y",
        parameters={"account_number": "acct"},
        constants={"mode": "x"},
        results={"payments": "paid"},
    )
    response = show_names(admin_client, aurora, f"{BASE}bal?acct=1&until=3&mode=y", "customer_balance")
    assert [row["match"].how for row in response.context["rows"]] == ["exact", "guessed", "constant"]
    assert post(admin_client, aurora, **form_data(response)).status_code == 302
    row = aurora.overrides.get()
    assert (row.path, row.date_format, row.results) == ("bal", "%d/%m/%Y", {"payments": "paid"})
    assert row.parameters == {"account_number": "acct", "to_date": "until"}
    assert row.constants == {"mode": "x"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"names-0-ours": ""}, ""),
        ({"dropped": "account_number", "names-0-ours": ""}, "must send account_number"),
        ({"names-0-ours": "to_date"}, "to_date is chosen twice"),
        ({"names-4-ours": "="}, "Type the value that is always sent"),
        ({"names-4-ours": "=", "names-4-value": KEY}, "holds your API key"),
        ({"path": f"{KEY}/get-customer-balance"}, "holds your API key"),
        ({"names-0-name": KEY}, "holds your API key"),
        ({"path": "https://evil.example/x"}, "isn&#x27;t on the carrier"),
        ({"path": "../x"}, "no . or .. segment"),
        ({"names-0-ours": "password"}, "Select a valid choice"),
    ],
)
def test_mapping_invalid_on_the_brand_page_is_refused(
    admin_client: Client, aurora: Brand, changes: dict[str, str], words: str
) -> None:
    # The account number is missing only where nothing was matched to it.
    text = PASTED if "dropped" not in changes else PASTED.replace("acc_no", "zzz")
    data = form_data(show_names(admin_client, aurora, text, "customer_balance"), **changes)
    response = post(admin_client, aurora, **data)
    if not words:  # Leaving it out does not drop it: the default name is still sent.
        assert response.status_code == 302
        assert "account_number" not in aurora.overrides.get().parameters
        return
    assert response.status_code == 200
    page = response.content.decode()
    assert words in page
    assert "Nothing was saved" in page
    assert not MethodOverride.objects.exists()


def test_parameter_missing_in_the_url_can_be_dropped(admin_client: Client, aurora: Brand) -> None:
    text = f"{BASE}register-customer?first_name=a&last_name=b&email=c&phone=d&password=e&google_captcha=f"
    response = show_names(admin_client, aurora, text)
    assert [choice for choice, _label in response.context["take"].fields["dropped"].choices] == [
        "company_name"
    ]
    data = form_data(response, dropped="company_name")
    assert post(admin_client, aurora, **data).status_code == 302
    assert aurora.overrides.get().parameters == {"company_name": ""}


def test_account_number_in_the_path_is_not_sent_twice(aurora: Brand) -> None:
    aurora.overrides.create(method="customer_balance", parameters={"account_number": "acct"})
    path = "customers/{account_number}"
    override = save_override(brand=aurora, method="customer_balance", path=path, names={})
    assert "account_number" not in override.customised().parameters
    names = {"account_number": "account_number"}
    override = save_override(brand=aurora, method="customer_balance", path=path, names=names)
    assert override.customised().parameters["account_number"] == "account_number"


def test_refused_mapping_leaves_the_old_one(aurora: Brand) -> None:
    with pytest.raises(ValidationError):
        save_override(
            brand=aurora, method="customer_balance", path="x", names={}, dropped=("account_number",)
        )
    assert not MethodOverride.objects.exists()


def test_unreadable_api_key_does_not_prevent_pasting(aurora: Brand) -> None:
    aurora.carrier_key = type(aurora.carrier_key)("not a Fernet token")
    assert suggest_names(brand=aurora, text=PASTED, method="customer_balance").path == "customer-bal"


def test_tampered_method_restarts_the_import(admin_client: Client, aurora: Brand) -> None:
    response = post(admin_client, aurora, take="1", method="nonsense")
    assert response.headers["Location"].endswith("/paste/")
