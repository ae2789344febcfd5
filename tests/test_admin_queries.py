"""What somebody who works in the admin may write into an address or a form, without an answer of 500."""

import logging
from collections.abc import Callable
from itertools import product
from typing import Any
from urllib.parse import urlencode

import pytest
from django.apps import apps
from django.test import Client

from accounts.models import User
from portal.admin_site import site
from tests.conftest import ADMIN
from tests.hostile import ALL
from tests.scope_world import World
from tests.test_staff_scope import LISTS
from tests.test_staff_scope import world as world  # A fixture.

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
def people(world: World, browse: Browse, operator: User, caplog: Any) -> list[Client]:
    """An operator and one of Aurora's staff; what goes wrong inside is an answer of 500."""
    caplog.set_level(logging.ERROR)
    return [browse(ADMIN, person, raise_request_exception=False) for person in (operator, world.sam)]


def filters_of(path: str) -> set[str]:
    """The names in the address of a list that its filters read, and some that any list reads."""
    admin: Any = site._registry[apps.get_model(*path.split("/")[1:3])]
    named = {
        getattr(each, "parameter_name", "") or (each if isinstance(each, str) else each[0])
        for each in admin.list_filter
    }
    read = {"q", "p", "o", "e", "all", "_to_field", "_facets"}
    ends = ("", "__exact", "__gte", "__lt", "__isnull")
    return read | {f"{name}{end}" for name in named | {*getattr(admin, "list_lookups", ())} for end in ends}


@pytest.mark.parametrize("path", LISTS)
def test_no_query_of_a_list_breaks_it(path: str, people: list[Client], caplog: Any) -> None:
    for name, value in product(sorted({*filters_of(path), *LOOKUPS}), VALUES):
        for client in people:
            answer = client.get(f"/{path}?{urlencode({name: value})}", follow=True)
            assert answer.status_code in (200, 400, 403), (name, value, caplog.text[-300:])


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("lookup", LOOKUPS)
def test_a_list_is_narrowed_by_its_filters_alone(path: str, lookup: str, people: list[Client]) -> None:
    for client in people:
        assert client.get(f"/{path}?{lookup}=a").status_code == 400


@pytest.mark.parametrize("name", ["term", "page", "field_name", "model_name", "app_label"])
def test_no_query_breaks_the_lists_of_choices(name: str, people: list[Client], caplog: Any) -> None:
    asked = {"app_label": "accounts", "model_name": "user", "field_name": "brand", "term": "a"}
    for client, value in product(people, VALUES):
        answer = client.get(f"/admin/autocomplete/?{urlencode({**asked, name: value})}")
        assert answer.status_code in (200, 400, 403, 404), (name, value, caplog.text[-300:])
