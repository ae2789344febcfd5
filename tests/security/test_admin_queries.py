"""Invalid admin queries and forms of staff never cause a 500 response."""

import logging
from collections.abc import Callable
from itertools import product
from typing import Any
from urllib.parse import urlencode

import pytest
from django.apps import apps
from django.test import Client

from accounts.models import User
from portal.admin.site import site
from portal.carrier import calls as carrier_calls
from portal.resilience import circuit_breaker
from portal.resilience.circuit_breaker import How
from tests.conftest import ADMIN
from tests.portal.test_admin import brand_data, customer_data, override_data
from tests.security.test_hostile_input import reset_limits, rolled_back
from tests.security.test_staff_scope import LISTS
from tests.security.test_staff_scope import world as world  # A fixture.
from tests.support.fuzz import ALL
from tests.support.two_brands import World

Browse = Callable[..., Client]
VALUES = (
    "\0x",
    "-1",
    "9" * 40,
    "9" * 5000,
    "0001-01-01 00:00:00+23:59",
    "9999-12-31 23:59:59-23:59",
    "2026-02-30",
    "",
    "(",
    "0",
    "9223372036854775808",
    "NaN",
    "1e999",
    "None",
    "True",
    "[]",
    "0000-00-00",
    "9999-12-31",
    "1,2",
    "../..",
)
VALUES = VALUES if ALL else VALUES[:7]
LOOKUPS = (
    *("email__exact", "account_number__regex", "carrier_url__startswith", "pk__in", "brand__name__gt", "x"),
)


@pytest.fixture
def clients(world: World, browse: Browse, operator: User, caplog: Any) -> list[Client]:
    """An operator and one of Aurora's staff; exceptions become 500 responses."""
    caplog.set_level(logging.ERROR)
    return [browse(ADMIN, person, raise_request_exception=False) for person in (operator, world.sam)]


def query_names(path: str) -> set[str]:
    """Return the query parameters a list's filters read, and some that any list reads."""
    admin: Any = site._registry[apps.get_model(*path.split("/")[1:3])]
    named = {
        getattr(each, "parameter_name", "") or (each if isinstance(each, str) else each[0])
        for each in admin.list_filter
    }
    read = {"q", "p", "o", "e", "all", "_to_field", "_facets"}
    ends = ("", "__exact", "__gte", "__lt", "__isnull")
    return read | {f"{name}{end}" for name in named | {*getattr(admin, "list_lookups", ())} for end in ends}


@pytest.mark.parametrize("path", LISTS)
def test_invalid_list_queries_cause_no_error(path: str, clients: list[Client], caplog: Any) -> None:
    for name, value in product(sorted({*query_names(path), *LOOKUPS}), VALUES):
        for client in clients:
            answer = client.get(f"/{path}?{urlencode({name: value})}", follow=True)
            assert answer.status_code in (200, 400, 403), (name, value, caplog.text[-300:])


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("lookup", LOOKUPS)
def test_list_accepts_only_its_filters(path: str, lookup: str, clients: list[Client]) -> None:
    for client in clients:
        assert client.get(f"/{path}?{lookup}=a").status_code == 400


@pytest.mark.parametrize("name", ["term", "page", "field_name", "model_name", "app_label"])
def test_invalid_autocomplete_queries_cause_no_error(name: str, clients: list[Client], caplog: Any) -> None:
    query = {"app_label": "accounts", "model_name": "user", "field_name": "brand", "term": "a"}
    for client, value in product(clients, VALUES):
        answer = client.get(f"/admin/autocomplete/?{urlencode({**query, name: value})}")
        assert answer.status_code in (200, 400, 403, 404), (name, value, caplog.text[-300:])


# --- Invalid forms ---

WRONG = ("", "x", "-1", "1001", "9" * 40, "9" * 5000, "\0", "[]", "1.5", "\u0661")
WRONG = WRONG if ALL else WRONG[::2]
COUNTS = ("hosts-TOTAL_FORMS", "hosts-INITIAL_FORMS", "overrides-TOTAL_FORMS", "response_codes-TOTAL_FORMS")
BRAND_FIELDS = (
    *COUNTS,
    *("hosts-0-id", "hosts-0-brand", "hosts-0-position", "hosts-0-DELETE", "hosts-0-host"),
    *("overrides-0-id", "overrides-0-method", "overrides-0-parameters", "overrides-0-body"),
    *("response_codes-0-meaning", "carrier_key", "login_hosts", "timezone", "accent", "recaptcha_kind"),
    *("logo_file", "_saveasnew", "_to_field", "_popup"),
)
PASTE_FIELDS = (
    "names-TOTAL_FORMS",
    "names-INITIAL_FORMS",
    "names-0-ours",
    "names-0-name",
    "dropped",
    "method",
)
LIST_FIELDS = ("action", "index", "select_across", "_selected_action", "form-TOTAL_FORMS", "_save", "post")
PERSON_FIELDS = (
    *("brand", "brands", "email", "credit_limit", "account_type", "phone", "is_active"),
    *("_popup", "_to_field"),
)


def sent(world: World, client: Client) -> list[tuple[str, dict[str, Any], tuple[str, ...]]]:
    """Return forms of the admin as a browser sends them, each with the fields to corrupt."""
    aurora, customer = world.aurora, world.own["accounts.User"]
    brands, users = "/admin/portal/brand/", "/admin/accounts/user/"
    changed = brand_data(aurora, **override_data("customer_balance"))
    ticked = {
        "action": "disable_selected",
        "index": "0",
        "_selected_action": [customer.pk],
        "select_across": "0",
    }
    names = {"take": "1", "method": "customer_balance", "path": "x", "names-TOTAL_FORMS": "1"}
    names |= {"names-INITIAL_FORMS": "0", "names-0-name": "a", "names-0-ours": "email", "names-0-value": ""}
    policy = {
        "do": "back",
        "move": "1",
        "note": "x",
        "per_move": "1",
        "per_day": "1",
        "second_person_above": "1",
    }
    return [
        (f"{brands}{aurora.pk}/change/", changed, BRAND_FIELDS),
        (f"{brands}add/", changed | {"slug": "new"}, BRAND_FIELDS),
        (f"{brands}{aurora.pk}/paste/", names, PASTE_FIELDS),
        (
            f"{brands}{aurora.pk}/preview/",
            changed | {"again": "x"},
            ("again", "accent", "language", "timezone"),
        ),
        (f"{brands}{aurora.pk}/check/", {"account_number": "1"}, ("account_number",)),
        (f"{users}{customer.pk}/change/", customer_data(customer), PERSON_FIELDS),
        (f"{users}add/", customer_data(customer) | {"brand": aurora.pk}, PERSON_FIELDS),
        (f"{users}{world.sam.pk}/change/", {"email": world.sam.email}, PERSON_FIELDS),
        (users, ticked, LIST_FIELDS),
        (brands, ticked | {"action": "check_the_carrier"}, LIST_FIELDS),
        (f"/admin/billing/policy/{aurora.pk}/", policy, tuple(policy)),
        ("/admin/reauthenticate/", {"password": "x", "code": "1", "next": "/"}, ("password", "code", "next")),
    ]


def test_forged_formset_size_is_limited(world: World, admin_client: Client) -> None:
    sent = brand_data(world.aurora) | {"hosts-TOTAL_FORMS": "2000", "response_codes-TOTAL_FORMS": "2000"}
    page = admin_client.post(f"/admin/portal/brand/{world.aurora.pk}/change/", sent).content.decode()
    assert ("hosts-99-host" in page, "hosts-100-host" in page) == (True, False)
    assert ("response_codes-499-code" in page, "response_codes-500-code" in page) == (True, False)


@pytest.mark.parametrize("nth", range(12))
def test_invalid_form_fields_cause_no_error(
    nth: int, world: World, clients: list[Client], caplog: Any
) -> None:
    for _ in range(circuit_breaker.FAILURES):  # So that no form calls the carrier.
        guard = circuit_breaker.get_breaker(world.aurora)
        guard.end(guard.begin(carrier_calls.PARTNER), How.UNREACHED)
    for client in clients[: 2 if ALL else 1]:
        path, data, fields = sent(world, client)[nth]
        for turn, field in enumerate(fields):
            spoiled = [{**data, field: value} for value in WRONG] + [{**data, field: ["1", "x"]}]
            spoiled.append({name: value for name, value in data.items() if name != field})
            # Otherwise every other value, so that two neighbouring fields together get all of them.
            for body in spoiled if ALL else spoiled[turn % 2 :: 2]:
                reset_limits()
                with rolled_back():
                    answer = client.post(path, body)
                assert answer.status_code != 500, (field, body.get(field), caplog.text[-600:])
