"""Host to brand lookup: cached for a short time, and never the former brand's host."""

import time

import pytest
from django.core.cache import caches

from portal.brands.lookup import get_brand_for_host
from portal.models import Brand, BrandHost
from tests.conftest import AURORA, BOREALIS

pytestmark = pytest.mark.django_db
KEPT = ("brand", "last-known-brand")


@pytest.fixture(autouse=True)
def long_cache(settings):
    """Cache for a minute, so that nothing expires during a test."""
    settings.BRAND_SECONDS = 60


def test_second_request_costs_no_query(aurora, browse, django_assert_num_queries):
    browse(AURORA).get("/sign-up/")
    with django_assert_num_queries(0):
        assert browse(AURORA).get("/sign-up/").status_code == 200


def test_changes_show_when_the_cache_expires(aurora, borealis, settings):
    settings.BRAND_SECONDS = 0.2
    assert get_brand_for_host(AURORA) == aurora
    Brand.objects.filter(pk=aurora.pk).update(name="Aurora Mobile")
    time.sleep(0.2)
    assert get_brand_for_host(AURORA).name == "Aurora Mobile"
    BrandHost.objects.filter(host=AURORA).update(brand=borealis)
    time.sleep(0.2)
    assert get_brand_for_host(AURORA) == borealis
    BrandHost.objects.filter(host=AURORA).delete()
    time.sleep(0.2)
    assert get_brand_for_host(AURORA) is None


def test_each_host_has_its_own_brand_and_each_request_its_own_copy(aurora, borealis):
    for _ in range(2):
        assert (get_brand_for_host(AURORA), get_brand_for_host(BOREALIS)) == (aurora, borealis)
    first = get_brand_for_host(AURORA)
    first.name, first.carrier_url = "Changed", "https://elsewhere.example/"
    first._state.adding = True
    second = get_brand_for_host(AURORA)
    assert (second.name, second.carrier_url, second._state.adding) == (aurora.name, aurora.carrier_url, False)


def test_unknown_hosts_are_not_cached(aurora):
    for number in range(50):
        assert get_brand_for_host(f"{number}.example") is None
    keys = [f"{prefix}:{number}.example" for number in range(50) for prefix in KEPT]
    assert caches["local"].get_many(keys) == {}
    BrandHost.objects.create(brand=aurora, host="7.example")
    assert get_brand_for_host("7.example") == aurora
