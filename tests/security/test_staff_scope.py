"""Staff scope: at no URL of the admin can staff of Aurora read, change or detect anything of Borealis."""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth import SESSION_KEY
from django.test import Client

from accounts.models import User
from portal.admin.site import site
from portal.models import Brand
from tests.conftest import ADMIN
from tests.support.two_brands import FOREIGN_PKS, MARK, MISSING, World, create_world, foreign_rows
from tests.support.urls import routes

Browse = Callable[..., Client]

# The models of a URL's rows, where Django's URL scheme does not show them.
ROW_OF = {
    "admin/billing/customer/<int:pk>/": "accounts.User",
    "admin/billing/customer/<int:pk>/statement.csv": "accounts.User",
    "admin/billing/customer/<int:pk>/statement.pdf": "accounts.User",
    "admin/billing/partner/<int:pk>/": "portal.Brand",
    "admin/billing/move/start/<int:pk>/": "accounts.User",
    "admin/billing/move/<int:pk>/": "billing.Move",
    "admin/billing/policy/<int:pk>/": "portal.Brand",
    "admin/billing/move/confirm/<int:pk>/": "accounts.User",
    "admin/accounts/user/<id>/password/": "accounts.User",
    "admin/accounts/user/import/<int:brand>/": "portal.Brand",
    "admin/accounts/user/import/<int:brand>/<int:pk>/": "portal.Brand accounts.CustomerImport",
}
# URLs with other parameters: the paths to try.
OTHER = {
    "language/<code>/": ["language/es/"],
    "admin/^(?P<app_label>APPS)/$": ["admin/portal/", "admin/accounts/", "admin/billing/", "admin/auth/"],
    "admin/(?P<url>.*)$": ["admin/portal/brand/770001", "admin/r/1/770001/", "admin/nowhere/"],
    "preview/<str:token>/": ["preview/770001/"],
    "preview/<str:token>/<slug:scheme>/<slug:scenario>/": ["preview/770001/auto/visitor/"],
    "preview/<str:token>/<slug:scheme>/<slug:scenario>/<path:rest>": ["preview/770001/auto/visitor/x/"],
}
# Operators only, so staff get the same response for any row, existing or not.
OPERATORS = (
    "admin/portal/brand/add/",
    "admin/portal/brand/preview/",
    "admin/portal/brand/<int:pk>/paste/",
    "admin/portal/brand/<int:pk>/check/",
    "admin/portal/brand/<int:pk>/preview/",
    "admin/portal/brand/<int:pk>/test-mail/",
    "admin/portal/brand/<path:object_id>/history/",
    "admin/billing/policy/",
    "admin/billing/policy/<int:pk>/",
)


# Every URL pattern of the admin's hosts.
ROUTES = sorted({re.sub(r"(?<=app_label>)[a-z|]+", "APPS", route) for route in routes("portal.urls.admin")})
ROWS = [route for route in ROUTES if "<" in route and route not in OTHER]
PLAIN = [route for route in ROUTES if "<" not in route] + [path for paths in OTHER.values() for path in paths]
LISTS = [
    f"admin/{model._meta.app_label}/{model._meta.model_name}/"
    for model in sorted(site._registry, key=lambda model: model._meta.label)
]


def labels_of(route: str) -> list[str]:
    """Return the labels of the models of a URL's rows; empty if unknown."""
    if route in ROW_OF:
        return ROW_OF[route].split()
    found = re.match(r"admin/(\w+)/(\w+)/<(?:path:object_id|int:pk)>/", route)
    try:
        return [apps.get_model(*found.groups())._meta.label] if found else []
    except LookupError:
        return []


def path_to(route: str, *pks: object) -> str:
    """Return the URL path with these keys, one per placeholder."""
    parts = re.split(r"<[^>]+>", route)
    assert len(parts) == len(pks) + 1
    return "/" + "".join(f"{part}{pk}" for part, pk in zip(parts, (*pks, ""), strict=True))


def own_path(route: str, rows: dict[str, Any]) -> str:
    """Return the URL path for rows of one brand."""
    return path_to(route, *(rows[label].pk for label in labels_of(route)))


def foreign_paths(route: str, world: World) -> Iterator[tuple[str, str]]:
    """Yield paths with a key of Borealis in one or more places, each with one whose keys do not exist."""
    labels = labels_of(route)
    for places in product((True, False), repeat=len(labels)):
        if any(places):
            pairs = list(zip(labels, places, strict=True))
            real = [(world.foreign if place else world.own)[label].pk for label, place in pairs]
            missing = [MISSING if place else world.own[label].pk for label, place in pairs]
            yield path_to(route, *real), path_to(route, *missing)
    if labels == ["accounts.User"]:
        yield path_to(route, FOREIGN_PKS["staff"]), path_to(route, MISSING)


@pytest.fixture
def world(aurora: Brand, borealis: Brand, operator: User) -> World:
    """Both brands, with a row of everything."""
    return create_world(aurora, borealis, operator)


@pytest.fixture
def desk(browse: Browse, world: World) -> Client:
    """Sam's browser on the admin host."""
    return browse(ADMIN, world.sam)


def bodies(world: World) -> list[dict[str, Any]]:
    """Return forms to post to any URL: an empty one, a confirmation, and all fields with hostile values."""
    hostile = {
        "email": "new@example.com",
        "first_name": "Changed",
        "account_number": "1",
        "is_active": "on",
        "brand": world.borealis.pk,
        "brands": world.borealis.pk,
        "is_staff": "on",
        "is_superuser": "on",
        "name": "Changed",
        "slug": "changed",
        "carrier_url": "https://evil.example/",
        "carrier_key": "x",
        "amount": "5",
        "description": "x",
        "to": "sam@example.com",
        "method": "move_funds",
        "text": "x",
        "password1": "a very new password",
        "password2": "a very new password",
        "customer": world.foreign["accounts.User"].pk,
        "account_type": "prepaid",
        "credit_limit": "-1",
    }
    return [{}, {"post": "yes", "confirm": "on", "approve": "1", "disable": "1", "take": "1"}, hostile]


def content_of(response: Any, *echoes: str) -> str:
    """Return all a response contains, without the values sent in the request."""
    body = b"".join(response.streaming_content) if response.streaming else response.content
    text = f"{response.headers} {body.decode('utf-8', 'replace')}".lower()
    for echo in echoes:
        for written in (echo, quote(echo), quote(quote(echo))):
            text = text.replace(written.lower(), "")
    return text


def assert_nothing(response: Any, *echoes: str) -> None:
    """Check that no text and no amount of Borealis appears."""
    text = content_of(response, *echoes)
    for word in (MARK, "4242.42", "4,242.42"):
        assert word not in text, text[max(0, text.index(word) - 200) : text.index(word) + 100]


def comparable(response: Any) -> tuple[int, str, str]:
    """Return what can be compared of two responses: without keys, request IDs and Django's tokens."""
    text = re.sub(r"\b770\d\d\d\b", "PK", response.content.decode("utf-8", "replace"))
    text = re.sub(r'csrfmiddlewaretoken" value="\w+"|nonce="[^"]+"|\b[2-9A-Z]{4}-[2-9A-Z]{4}\b', "", text)
    location = re.sub(r"\b770\d\d\d\b", "PK", response.headers.get("Location", ""))
    return response.status_code, location, text


# The matrix


def test_every_url_with_a_row_is_in_the_matrix(world: World) -> None:
    lost = [route for route in ROWS if route.count("<") != len(labels_of(route))]
    lost += [route for route in ROWS if not set(labels_of(route)) <= set(world.own)]
    assert lost == [], (
        "say in ROW_OF or OTHER what stands there, and plant a row in tests/support/two_brands.py"
    )
    assert set(ROW_OF) <= set(ROWS)
    assert {"admin/portal/brand/<int:pk>/logo/", "admin/accounts/user/<path:object_id>/change/"} <= set(ROWS)
    assert {"admin/", "admin/accounts/user/add/", "admin/autocomplete/"} <= set(PLAIN)
    assert "admin/portal/carriercall/" in LISTS


@pytest.mark.parametrize("route", ROWS)
def test_row_of_another_brand_looks_like_a_missing_row(route: str, world: World, desk: Client) -> None:
    before = foreign_rows()
    queries = ("", "?_popup=1", "?_to_field=id", "?_changelist_filters=q%3Dx")
    for paths in foreign_paths(route, world):
        for query in queries:
            answers = [desk.get(path + query) for path in paths]
            assert_unknown(desk, *answers)
        for body in bodies(world):
            answers = [desk.post(path, body) for path in paths]
            assert_unknown(desk, *answers)
    assert foreign_rows() == before
    assert SESSION_KEY in desk.session


def follow_redirects(client: Client, path: str) -> Any:
    """Return the page a URL finally redirects to."""
    response = client.get(path)
    for _step in range(5):
        if response.status_code in (301, 302, 303):
            response = client.get(response.headers["Location"])
    return response


def assert_unknown(desk: Client, *answers: Any) -> None:
    """Check that both responses are the same, reveal nothing, and redirect nowhere that does."""
    for answer in answers:
        assert answer.status_code in (302, 303, 400, 403, 404, 405)
        assert_nothing(answer)
    for place in {answer.headers["Location"] for answer in answers if answer.status_code in (302, 303)}:
        assert_nothing(follow_redirects(desk, place))  # Messages of both appear there.
    assert comparable(answers[0]) == comparable(answers[1])


@pytest.mark.parametrize("path", PLAIN)
def test_other_pages_reveal_and_change_nothing_of_another_brand(
    path: str, world: World, desk: Client, browse: Browse
) -> None:
    before = foreign_rows()
    key = world.borealis.pk
    for query in ("", f"?brand={key}&pk={key}&id={key}&customer={world.foreign['accounts.User'].pk}"):
        assert_nothing(desk.get(f"/{path}{query}", follow=True))
    for body in bodies(world):
        client = browse(ADMIN, world.sam)  # One of them signs out.
        assert_nothing(client.post(f"/{path}", body))
    assert foreign_rows() == before


def list_queries(world: World) -> Iterator[tuple[str, str]]:
    """Yield every way to filter, order and page a list, aimed at rows of Borealis."""
    brand, row, person = world.borealis.pk, world.foreign["billing.Move"], world.foreign["accounts.User"]
    for text in ("zebr", "ebra", "70001", f"zoe@{MARK}.example", f"{MARK}-9", f"{MARK}-operation", "4242"):
        yield "q", text
    yield "q", str(row.operation)
    for number in range(1, 12):
        yield from (("o", str(number)), ("o", f"-{number}"), ("o", f"{number}.1"))
    for name in ("brand", "brand__id", "brand__id__exact", "brand__in", "brand_id", "id", "pk", "id__in"):
        yield name, str(brand)
        yield name, str(person.pk)
        yield name, str(row.pk)
    for name in ("customer", "customer__id__exact", "move", "asked_by", "user"):
        yield name, str(person.pk)
    for name in (
        "name",
        "slug",
        "carrier_url",
        "carrier_key",
        "email",
        "password",
        "brand__name",
        "username",
    ):
        yield from ((f"{name}__startswith", "z"), (f"{name}__contains", "zebr"), (f"{name}__gt", ""))
    for name in ("brand__carrier_url", "customer__email", "hosts__host", "customers__email", "staff__email"):
        yield f"{name}__startswith", "z"
    for name in ("kind", "number", "state", "method", "outcome", "is_active", "is_active__exact"):
        for value in (
            "staff",
            "operator",
            "customer",
            "refused",
            "without",
            "waiting",
            "move_funds",
            "ok",
            "1",
        ):
            yield name, value
    yield from (("p", "0"), ("p", "2"), ("all", ""), ("e", "1"), ("_facets", "True"), ("_popup", "1"))
    yield from (
        ("_to_field", "id"),
        ("_to_field", "email"),
        ("at__gte", "2000-01-01 00:00:00+00:00"),
        ("nonsense", "1"),
    )


@pytest.mark.parametrize("path", LISTS)
def test_lists_never_show_rows_of_another_brand(path: str, world: World, desk: Client) -> None:
    for name, value in list_queries(world):
        response = desk.get(f"/{path}", {name: value})
        assert response.status_code in (200, 302, 400, 403), (name, value)
        assert_nothing(response, value)
        if response.status_code == 200 and "cl" in (response.context or {}):
            keys = {row.pk for row in response.context["cl"].queryset}
            assert not keys & {row.pk for row in world.foreign.values() if row.pk > 770_000}


@pytest.mark.parametrize("path", LISTS)
def test_list_actions_never_affect_another_brand(path: str, world: World, desk: Client) -> None:
    before = foreign_rows()
    model = apps.get_model(*path.split("/")[1:3])
    default_actions = {str(name) for name, *_rest in site._registry[model]._get_base_actions()}
    for action in {*default_actions, "delete_selected", "check_the_carrier"}:
        for across in ("0", "1"):
            for extra in ({}, {"post": "yes", "confirm": "yes"}):
                data = {"action": action, "select_across": across, "index": "0", **extra}
                data["_selected_action"] = [world.foreign[model._meta.label].pk]
                assert_nothing(desk.post(f"/{path}", data, follow=True))
    assert foreign_rows() == before


@pytest.mark.parametrize("term", ["", "zebr", "zoe", "example", f"{MARK}-9"])
def test_autocomplete_never_offers_another_brand(term: str, world: World, desk: Client) -> None:
    offered = 0
    for model in apps.get_models(include_auto_created=True):
        for field in (*model._meta.fields, *model._meta.many_to_many):
            query = {
                "app_label": model._meta.app_label,
                "model_name": model._meta.model_name,
                "field_name": field.name,
                "term": term,
            }
            response = desk.get("/admin/autocomplete/", query)
            assert response.status_code in (200, 403, 404)
            assert_nothing(response)
            offered += response.status_code == 200 and len(response.json()["results"])
    assert bool(offered) is (term in ("", "zoe", "example"))


def test_operator_can_read_what_the_matrix_looks_for(world: World, browse: Browse, operator: User) -> None:
    client = browse(ADMIN, operator)
    revealing = {
        route
        for route in ROWS
        if MARK in content_of(follow_redirects(client, own_path(route, world.foreign)))
    }
    assert len(revealing) >= len(ROWS) / 2
    for path in LISTS:
        assert MARK in content_of(client.get(f"/{path}"))
    assert MARK in content_of(
        client.get("/admin/autocomplete/?app_label=accounts&model_name=user&field_name=brand")
    )


# Permissions of staff


@pytest.mark.parametrize("route", OPERATORS)
def test_operator_pages_are_refused_for_own_brands_too(route: str, world: World, desk: Client) -> None:
    assert route in ROUTES
    before = Brand.objects.values().get(pk=world.aurora.pk)
    path = own_path(route, world.own) if "<" in route else f"/{route}"
    for body in bodies(world):
        assert desk.post(path, body).status_code in (403, 404, 405)
    assert desk.get(path).status_code in (403, 404, 405)
    assert Brand.objects.values().get(pk=world.aurora.pk) == before


def test_staff_can_read_only_look_hosts_and_contact_of_their_brand(world: World, desk: Client) -> None:
    Brand.objects.filter(pk=world.aurora.pk).update(
        carrier_url="https://secret-carrier.example/", recaptcha_site_key="secret-site-key"
    )
    world.aurora.overrides.update(path="secret-path")
    path = f"/admin/portal/brand/{world.aurora.pk}/change/"
    page = desk.get(path).content.decode()
    for read in ("Aurora Phone", "help@aurora.example", "aurora.test", "https://aurora.example/terms"):
        assert read in page
    listed = desk.get("/admin/portal/brand/").content.decode()
    for hidden in ("secret", "carrier_key", "recaptcha", "paste", "test-mail", "Ready to go live", "history"):
        assert hidden not in page
        assert hidden not in listed
    assert 'name="_save"' not in page
    assert desk.post(path, {"name": "Mine"}).status_code == 403


@pytest.mark.parametrize(
    "name", ["carrier_url", "carrier_key", "recaptcha_site_key", "recaptcha_secret_key", "login_hosts"]
)
def test_hidden_columns_cannot_be_guessed_by_list_queries(name: str, world: World, desk: Client) -> None:
    for guess in ("__startswith=h", "__contains=a", "__gt=", "__isnull=False", "=x"):
        assert desk.get(f"/admin/portal/brand/?{name}{guess}").status_code == 400
    assert desk.get("/admin/portal/brand/?q=127.0.0.1").context["cl"].result_count == 0


def person(**changes: Any) -> dict[str, Any]:
    names = ("first_name", "last_name", "company_name", "phone", "account_number")
    return {**dict.fromkeys(names, ""), "is_active": "on", **changes}


def test_staff_add_and_change_customers_of_their_own_brand(world: World, desk: Client) -> None:
    data = person(brand=world.aurora.pk, email="nina@example.com", account_number="70009")
    data |= {"account_type": "postpaid", "credit_limit": "-55.5"}
    assert desk.post("/admin/accounts/user/add/", data).status_code == 302
    nina = User.objects.get(email="nina@example.com")
    assert (nina.brand, nina.is_staff, nina.account_number) == (world.aurora, False, "70009")
    assert (nina.account_type, nina.credit_limit) == ("postpaid", Decimal("-55.5"))
    path = f"/admin/accounts/user/{nina.pk}/change/"
    stolen = {"brand": world.borealis.pk, "is_staff": "on", "is_superuser": "on", "password": "x"}
    data = person(email="nina@example.com", first_name="Nina", brands=world.borealis.pk, **stolen)
    assert desk.post(path, data).status_code == 302
    nina.refresh_from_db()
    assert (nina.first_name, nina.brand, nina.is_staff, nina.is_superuser) == (
        *("Nina", world.aurora),
        *(False, False),
    )
    assert not nina.has_usable_password()
    assert not nina.brands.exists()
    assert LogEntry.objects.filter(user=world.sam, object_id=str(nina.pk)).count() == 2
    assert desk.post(f"/admin/accounts/user/{nina.pk}/delete/", {"post": "yes"}).status_code == 403
    assert desk.get(f"/admin/accounts/user/{nina.pk}/history/").status_code == 200


def test_staff_cannot_add_to_another_brand_or_learn_its_customers(world: World, desk: Client) -> None:
    taken = world.foreign["accounts.User"]
    data = person(email=taken.email, account_number=taken.account_number)
    answers = []
    for brand in (world.borealis.pk, MISSING):
        response = desk.post("/admin/accounts/user/add/", {**data, "brand": brand})
        answers.append(response.context["adminform"].form.errors.as_data())
        assert set(answers[-1]) == {"brand"}
    assert User.objects.filter(email=taken.email).count() == 1
    # The same email and number are free at the own brand.
    response = desk.post("/admin/accounts/user/add/", {**data, "brand": world.aurora.pk})
    assert response.status_code == 302
    assert User.objects.get(email=taken.email, brand=world.aurora).account_number == taken.account_number
    second = desk.post("/admin/accounts/user/add/", {**data, "brand": world.aurora.pk})
    assert set(second.context["adminform"].form.errors) == {"email", "account_number"}


def test_forged_form_for_another_brand_is_rolled_back(
    world: World, desk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.admin.users.get_brands", lambda user: Brand.objects.all())
    before = foreign_rows()
    data = person(brand=world.borealis.pk, email="new@example.com")
    assert desk.post("/admin/accounts/user/add/", data).status_code == 403
    assert foreign_rows() == before


def test_staff_without_a_brand_see_nothing(world: World, desk: Client, browse: Browse) -> None:
    world.sam.brands.clear()
    index = desk.get("/admin/").content.decode()
    assert "You don't have a brand yet" in index
    for path in LISTS:
        response = desk.get(f"/{path}")
        assert response.status_code == 403 or response.context["cl"].result_count == 0
    for route in ROWS:
        assert desk.get(own_path(route, world.own)).status_code in (302, 303, 403, 404, 405)


def test_staff_removed_from_a_brand_lose_access_at_once(world: World, desk: Client) -> None:
    customer = world.own["accounts.User"]
    path = f"/admin/accounts/user/{customer.pk}/change/"
    desk.post(path, person(email=customer.email, first_name="Before"))
    assert customer.email in desk.get("/admin/accounts/user/").content.decode()
    world.sam.brands.set([world.borealis])
    assert desk.get(path).status_code == 302
    assert desk.post(path, person(email=customer.email, first_name="After")).status_code == 302
    assert User.objects.get(pk=customer.pk).first_name == "Before"
    for page in ("/admin/", "/admin/accounts/user/", "/admin/portal/brand/", "/admin/portal/carriercall/"):
        assert customer.email not in desk.get(page).content.decode()
    assert MARK in desk.get("/admin/accounts/user/").content.decode()


def test_index_links_to_the_pages_of_staff(world: World, desk: Client) -> None:
    page = desk.get("/admin/").content.decode()
    for path in ("/admin/accounts/user/", "/admin/billing/move/", "/admin/billing/partner/"):
        assert f'<li><a href="{path}">' in page
        assert follow_redirects(desk, path).status_code in (200, 503)
    assert "Your brands and their customers" in page
    assert "Recent actions" not in page


def test_staff_see_only_customers_in_the_user_list(world: World, desk: Client, operator: User) -> None:
    page = desk.get("/admin/accounts/user/")
    assert {each.email for each in page.context["cl"].result_list} == {world.own["accounts.User"].email}
    assert "kind=" not in page.content.decode()
    for other in (operator, world.sam, User.objects.get(email=f"stan@{MARK}.example")):
        assert desk.get(f"/admin/accounts/user/{other.pk}/change/").headers["Location"] == "/admin/"
        assert desk.get(f"/admin/accounts/user/{other.pk}/password/").status_code == 404


def test_staff_of_two_brands_can_filter_by_one(world: World, desk: Client) -> None:
    world.sam.brands.add(world.borealis)
    for path in ("/admin/accounts/user/", "/admin/portal/carriercall/", "/admin/billing/move/"):
        both = desk.get(path)
        assert MARK in content_of(both)
        assert f"?brand={world.borealis.pk}" in both.content.decode()
        one = desk.get(path, {"brand": world.aurora.pk}).context["cl"].queryset
        assert {row.brand for row in one} == {world.aurora}
        assert desk.get(path, {"brand": "770777"}).context["cl"].result_count == 0
